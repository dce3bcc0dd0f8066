"""Runs of gradtool: started side by side, their logs and saved tensors read."""

from __future__ import annotations

import json
import shutil
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

NUMBERS = {"F32": np.float32, "F16": np.float16}


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a .safetensors file, in double precision."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, values = json.loads(content[8 : 8 + length]), content[8 + length :]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in NUMBERS:
            continue
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(values[begin:end], NUMBERS[entry["dtype"]]).reshape(entry["shape"]).astype(float)
    return tensors


class Run:
    """A finished run folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]

    def events(self, kind: str) -> list[dict]:
        return [e for e in self.log if e["event"] == kind]

    def layers(self, event: str, key: str, kind: str, part: str = "") -> np.ndarray:
        """An array of the first event of that name, of the layers of one type whose name begins with `part`."""
        layers, values = self.log[0]["layers"], self.events(event)[0][key]
        return np.array(
            [v for v, layer in zip(values, layers, strict=True) if layer["type"] == kind and layer["name"].startswith(part)],
            float,
        )

    def parameters(self, key: str, end: str, part: str = "") -> np.ndarray:
        """An array of the first `gradients` event, of the parameters whose name has this beginning and end."""
        names, values = [p["name"] for p in self.log[0]["parameters"]], self.events("gradients")[0][key]
        return np.array([v for v, n in zip(values, names, strict=True) if n.endswith(end) and n.startswith(part)], float)

    def steps(self, key: str) -> np.ndarray:
        return np.array([e[key] for e in self.events("step")], float)

    def saved(self, what: str, step: int = 1) -> np.ndarray:
        """A tensor that a hook's `save` kept, as "fc1.weight.grad"."""
        (tensor,) = read_tensors(self.folder / "saved" / what / f"step-{step}.safetensors").values()
        return tensor

    def weights(self) -> dict[str, np.ndarray]:
        return read_tensors(self.folder / "model.safetensors")


class Laboratory:
    """Runs at most `jobs` gradtool processes of one thread at a time, in folders below `out`."""

    def __init__(self, gradtool: str, out: Path, jobs: int):
        self.gradtool, self.out = gradtool, out
        self.pool = ThreadPoolExecutor(jobs)
        self.count = 0

    def _run(self, command: str, config: str, settings: dict, *more: str) -> str:
        sets = [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]
        done = subprocess.run(
            [self.gradtool, command, f"configs/{config}.json", "--threads", "1", "--quiet", *sets, *more],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise SystemExit(
                f"gradtool {command} configs/{config}.json {' '.join(sets)}: status {done.returncode}\n{done.stderr}"
            )
        return done.stdout

    def _train(self, config: str, settings: dict, folder: Path) -> Run:
        self._run("train", config, {**settings, "output.plots": False}, "--out", str(folder))
        return Run(folder)

    def train(self, config: str, settings: dict | None = None) -> Future[Run]:
        """`gradtool train`, with these settings."""
        self.count += 1
        folder = self.out / f"{self.count}-{Path(config).name}"
        return self.pool.submit(self._train, config, settings or {}, folder)

    def inspect(self, config: str, settings: dict, *more: str) -> Future[dict]:
        """`gradtool inspect`: the gradients of one step, without a run folder."""
        return self.pool.submit(lambda: json.loads(self._run("inspect", config, settings, "--json", *more)))

    def predict(self, config: str, settings: dict) -> Future[np.ndarray]:
        """What `gradtool inspect --prediction` expects, from the initial weights, of the RMS of delta in each hidden layer."""
        document = self.inspect(config, settings, "--prediction")
        return self.pool.submit(
            lambda: np.array([v["flow"] for v in document.result()["prediction"]["layers"] if not v["output"]], float)
        )

    def clean(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
