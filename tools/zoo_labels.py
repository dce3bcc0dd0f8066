"""Is what configs/zoo/labels.json says of each case true? Trains it and its cure, and judges by the losses alone; no rule runs.

    python3 tools/zoo_labels.py [NAME...] [--gradtool build/release/gradtool] [--seeds 5] [--split tune|final] [--verbose]

`cure` of a label changes the config by key paths (null removes the key; an index counts list elements); `shows` is an
expression that must hold for every seed, in the names of measure() and in `cured`, which has the same of the cured run; that must
run to its end. Exit status 1 when a label fails.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

from zoo_log import read_log

ZOO = Path(__file__).parent.parent / "configs" / "zoo"


def set_key(config: dict, path: str, value: object) -> None:
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in parents:
        config = config.setdefault(key, {}) if isinstance(config, dict) else config[key]
    if value is None:
        config.pop(last, None)
    else:
        config[last] = value


def anchor(config: dict) -> dict:
    """Paths made absolute, so that the config can stand in another folder."""
    made = {}
    for key, value in config.items():
        if key in ("path", "weights"):
            value = str((ZOO / value).resolve())
        made[key] = anchor(value) if isinstance(value, dict) else value
    return made


def measure(folder: Path) -> SimpleNamespace:
    """Numbers of a run. Losses that are not finite are infinite; `last` is the median over the last tenth of the steps."""
    log = read_log(folder)
    losses = [loss if math.isfinite(loss) else math.inf for loss in log.losses]
    evals = [e["loss"] if isinstance(e["loss"], (int, float)) else math.inf for e in log.evals] or [math.nan]
    taken = [step for step in log.steps if not step["skipped"]]
    return SimpleNamespace(
        first=losses[0],
        last=statistics.median(losses[-max(5, len(losses) // 10) :]),
        stopped=log.status != "completed",
        val=evals[-1],
        val_best=min(evals),
        accuracy=(log.evals[-1].get("accuracy") if log.evals else None) or 0.0,
        clipped=len(log.clipped) / len(log.steps),
        skipped=1 - len(taken) / len(log.steps),
    )


def train(gradtool: str, config: dict, seed: int, folder: Path) -> SimpleNamespace | str:
    folder.mkdir()
    path = folder / "config.json"
    path.write_text(json.dumps(anchor(config)))
    command = [gradtool, "train", str(path), "--quiet", "--out", str(folder / "run")]
    command += ["--set", f"seed={seed}", "--set", "output.plots=false", "--set", "monitor.instruments=[]"]
    command += ["--set", "train.guard=off"]  # a label must not depend on a rule, nor its author see a finding
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        return done.stderr.strip()
    return measure(folder / "run")


def judge(gradtool: str, name: str, label: dict, seed: int) -> tuple[bool, str]:
    config = json.loads((ZOO / f"{name}.json").read_text())
    cured = json.loads(json.dumps(config))
    for path, value in label["cure"].items():
        set_key(cured, path, value)
    with tempfile.TemporaryDirectory() as temporary:
        runs = [train(gradtool, config, seed, Path(temporary) / "case")]
        if label["cure"]:
            runs.append(train(gradtool, cured, seed, Path(temporary) / "cured"))
    for run in runs:
        if isinstance(run, str):
            return False, run
    names = {**vars(runs[0]), "cured": runs[-1]}
    is_cured = not label["cure"] or not runs[1].stopped
    holds = is_cured and bool(eval(label["shows"], {"__builtins__": {}}, names))  # the labels are ours
    shown = [" ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in vars(run).items()) for run in runs]
    return holds, " | cured: ".join(shown)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--gradtool", default="build/release/gradtool")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--split", choices=("tune", "final"))
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    labels = json.loads((ZOO / "labels.json").read_text())
    names = [n for n in options.names or labels if options.split in (None, labels[n]["split"])]
    jobs = [(name, seed) for name in names for seed in range(1, options.seeds + 1)]
    wrong = set()
    with ThreadPoolExecutor(2) as pool:
        verdicts = pool.map(lambda job: judge(options.gradtool, job[0], labels[job[0]], job[1]), jobs)
        for (name, seed), (holds, shown) in zip(jobs, verdicts):
            if not holds:
                wrong.add(name)
            if options.verbose or not holds:
                print(f"{'ok   ' if holds else 'WRONG'} {name} seed {seed}: {labels[name]['shows']}: {shown}", flush=True)
    print(f"{len(names) - len(wrong)} of {len(names)} labels hold for {options.seeds} seeds")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
