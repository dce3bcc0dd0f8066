"""Trains configs with gradtool and with PyTorch from the same weights and compares every number of the two logs.

    python3 tools/compare_pytorch.py CONFIG... [--steps 20] [--gradtool build/release/gradtool] [--tolerance T] [--keep DIR]

Weights come from the config's "weights", else from a seeded PyTorch model. Procedural data is made by gradtool's own readers
(tools/export_data.c, linked with libgradtool.a beside the program). One line a config: pass, FAIL or skip, then the worst
difference of each event type in units of what is allowed (above 1 fails), with its step, field and name. Exit status 1 if any
fails.

The tolerance is relative to each number's natural scale (a mean's is the rms of its tensor, an extreme's the largest
magnitude), and grows with the step, as rounding does. A gradient that is zero but for rounding (a bias before a batch
normalisation) is allowed the rounding of the sum it comes from.

In half precision both sides round the same sums of the same products, in float32 added up in another order: nearly always to
the same number, now and then to its neighbour. So by default the tolerance is two units in the last place, one for the value's
own rounding and one for that of what it is made from: 2^-6 in bfloat16, 2^-9 in float16 (2e-5 in float32, where nothing hides
the order of sums). Nets without sums in half precision (layernorm's gain and bias, windows that overlap, convolutions in float16:
PyTorch adds up their gradients in half precision, gradtool in float32) agree to a thousandth of that.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator, NamedTuple

import numpy as np
import torch
from safetensors.numpy import load_file

from pytorch_data import READERS, export_data, read_config
from pytorch_model import Network, Unsupported
from pytorch_train import DEFAULT_SEED, save_weights, train

Event = dict[str, Any]

EPSILON = 1.2e-7  # of float32
TOLERANCES = {"float32": 2e-5, "bfloat16": 2**-6, "float16": 2**-9}
NOISE = {"float32": 4 * EPSILON, "bfloat16": 2**-8, "float16": 2**-11}  # of a sum over the batch, times root of its length
UNTIMED = ("version", "name", "seconds")
EXACT = ("step", "epoch", "micro", "of", "samples", "skipped", "scale")
PER_LAYER = ("activations", "activation_gradients")
FINAL_EXTRA = ("eval", "checkpoint", "finding", "nonfinite", "hook", "penalty")  # what only one side may have


class Difference(NamedTuple):
    """|a - b| over what is allowed: above 1 is a failure."""

    excess: float
    place: str
    detail: str


def number(x: Any) -> float:
    return float(x) if not isinstance(x, str) else {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}[x]


def difference(a: Any, b: Any, allowed: float, place: str) -> Difference:
    detail = f"{a} vs {b}"
    if a is None or b is None or isinstance(a, bool):
        return Difference(0.0 if a == b else math.inf, place, detail)
    x, y = number(a), number(b)
    if not (math.isfinite(x) and math.isfinite(y)):
        return Difference(0.0 if x == y or x != x and y != y else math.inf, place, detail)
    gap = abs(x - y)
    return Difference(gap / allowed if allowed > 0 else math.inf if gap else 0.0, place, detail)


class Comparison:
    def __init__(self, ours: list[Event], theirs: list[Event], precision: str, tolerance: float | None):
        self.ours, self.theirs, self.tolerance = ours, theirs, tolerance or TOLERANCES[precision]
        self.sum_noise = NOISE[precision]
        self.run = theirs[0]
        self.worst: dict[str, Difference] = {}
        self.layer_gradients: dict[int, dict[str, float]] = {}
        self.parameter_gradients: dict[int, list[float | None]] = {}
        self.samples = {e["step"]: e["samples"] for e in theirs if e["event"] == "step"}
        for event in theirs:
            if event["event"] == "activation_gradients":
                norms = zip(self.run["layers"], event["norm"])
                self.layer_gradients[event["step"]] = {x["name"]: number(n) for x, n in norms if n is not None}
            if event["event"] == "gradients":
                self.parameter_gradients[event["step"]] = event["norm"]

    def note(self, kind: str, found: Difference) -> None:
        if kind not in self.worst or found.excess > self.worst[kind].excess:
            self.worst[kind] = found

    def fail(self, kind: str, message: str) -> None:
        self.note(kind, Difference(math.inf, message, ""))

    def compare(self) -> None:
        self.check_order()
        ours, theirs = self.keyed(self.ours), self.keyed(self.theirs)
        for key in theirs:
            if key not in ours:
                self.fail(key[0], f"gradtool has no event {key}")
            elif key[0] == "run":
                self.compare_run(ours[key], theirs[key])
            else:
                self.compare_event(ours[key], theirs[key])
        for key in ours:
            if key not in theirs and key[0] not in FINAL_EXTRA:
                self.fail(key[0], f"PyTorch has no event {key}")

    def check_order(self) -> None:
        if self.ours[0]["event"] != "run" or self.ours[-1]["event"] != "end":
            self.fail("order", "the log does not start with run and end with end")
        steps = [e["step"] for e in self.ours if "step" in e and e["event"] not in ("finding", "checkpoint")]
        if steps != sorted(steps):
            self.fail("order", "steps do not rise")
        for kind in ("step", "gradients", "activations", "activation_gradients", "updates", "accumulate", "clip", "scaler", "histogram"):
            orders = [[self.key(e) for e in log if e["event"] == kind] for log in (self.ours, self.theirs)]
            if orders[0] != orders[1] and sorted(map(str, orders[0])) == sorted(map(str, orders[1])):
                self.fail("order", f"{kind} events come in another order")

    @staticmethod
    def key(event: Event) -> tuple:
        kind = event["event"]
        if kind in ("run", "end"):
            return (kind,)
        return kind, event.get("step"), event.get("micro"), event.get("of") if kind == "histogram" else None, event.get("name")

    def keyed(self, log: list[Event]) -> dict[tuple, Event]:
        keyed: dict[tuple, Event] = {}
        for event in log:
            if self.key(event) in keyed:
                self.fail(event["event"], f"twice: {self.key(event)}")
            keyed[self.key(event)] = event
        return keyed

    def compare_run(self, ours: Event, theirs: Event) -> None:
        for key in ("parameters", "layers"):
            for a, b in zip(ours[key], theirs[key]):
                wanted = {k: a.get(k) for k in b}
                if wanted != b:
                    self.fail("run", f"{key}: {wanted}, PyTorch {b}")
                    break
            if len(ours[key]) != len(theirs[key]):
                self.fail("run", f"{len(ours[key])} {key}, PyTorch {len(theirs[key])}")
        for key in ("format", "steps"):
            self.note("run", difference(ours[key], theirs[key], 0, key))

    def compare_event(self, ours: Event, theirs: Event) -> None:
        kind, step = theirs["event"], theirs.get("step", 0)
        for missing in theirs.keys() - ours.keys() - set(UNTIMED):
            self.fail(kind, f"no key {missing}")
        if kind == "histogram":
            self.compare_histogram(ours, theirs)
            return
        for field in theirs.keys() & ours.keys() - set(UNTIMED):
            a, b = ours[field], theirs[field]
            if isinstance(b, list):
                self.compare_array(kind, step, field, ours, theirs)
            elif isinstance(b, str) and b not in ("NaN", "Infinity", "-Infinity"):
                if a != b:
                    self.fail(kind, f"step {step} {field}: {a} vs {b}")
            else:
                self.note(kind, difference(a, b, self.allowed(field, b, step), f"step {step} {field}"))

    def growth(self, step: int) -> float:
        return self.tolerance * (1 + 0.2 * max(step - 1, 0))

    def allowed(self, field: str, value: Any, step: int) -> float:
        if field in EXACT or value is None or isinstance(value, bool):
            return 0.0
        scale = abs(number(value))
        return 1e-8 * scale if field == "lr" else self.growth(step) * scale + 1e-7

    def compare_array(self, kind: str, step: int, field: str, ours: Event, theirs: Event) -> None:
        entries = self.run["layers" if kind in PER_LAYER else "parameters"]
        if len(ours[field]) != len(theirs[field]) or len(entries) != len(theirs[field]):
            self.fail(kind, f"step {step} {field}: {len(ours[field])} values, PyTorch {len(theirs[field])}")
            return
        for i, entry in enumerate(entries):
            scale, floor = self.scale(kind, step, field, theirs, i)
            allowed, place = self.growth(step) * scale + floor, f"step {step} {field} {entry['name']}"
            self.note(kind, difference(ours[field][i], theirs[field][i], allowed, place))

    def scale(self, kind: str, step: int, field: str, event: Event, i: int) -> tuple[float, float]:
        """What a value is measured by, and what is allowed beside that."""
        if event[field][i] is None or field == "nonfinite":
            return 0.0, 0.0
        entry, samples = self.run["layers" if kind in PER_LAYER else "parameters"][i], self.samples[step]
        if kind == "updates":
            gradient = self.parameter_gradients.get(step, {i: None})[i]
            is_noise = field == "ratio" and gradient is not None and number(gradient) <= 10 * self.noise(entry, step)
            return abs(number(event[field][i])), math.inf if is_noise else EPSILON
        count = math.prod(entry["shape"] if "shape" in entry else [samples, *entry["output"]])
        if field == "zeros":
            return 0.0, max(1e-3, 1.5 / count)
        norm, rms = number(event["norm"][i]), number(event["norm"][i]) / math.sqrt(count)
        noise = self.noise(entry, step) if kind == "gradients" else 0.0
        if field == "norm":
            return norm, noise
        if field in ("min", "max"):
            return max(abs(number(event["min"][i])), abs(number(event["max"][i]))), noise
        return rms, noise + EPSILON * rms

    def noise(self, parameter: Event, step: int) -> float:
        """The rounding of a parameter's gradient, as the sum over the batch that it is."""
        return self.sum_noise * math.sqrt(self.samples[step]) * self.layer_gradients.get(step, {}).get(parameter["layer"], 0.0)

    def compare_histogram(self, ours: Event, theirs: Event) -> None:
        """A rounding moves a value by one bin at most: the cumulative counts may differ by a few."""
        place = f"step {theirs['step']} {theirs['name']}"
        counts = [np.zeros(400) for _ in range(2)]
        for count, event in zip(counts, (ours, theirs)):
            first, *bins = event["exponents"] or [0]
            count[first + 160 : first + 160 + len(bins)] = bins
        total = counts[1].sum() + theirs["zeros"]
        gap = float(np.abs(np.cumsum(counts[0] - counts[1])).max())
        allowed = max(1.5, 2e-3 * total) if self.sum_noise < 1e-6 else max(3.5, 2e-2 * total)
        self.note("histogram", difference(gap, 0.0, allowed, f"{place} exponents"))
        self.note("histogram", difference(ours["zeros"], theirs["zeros"], max(1.5, 1e-3 * total), f"{place} zeros"))

    def compare_weights(self, ours: Path, theirs: Path, steps: int) -> None:
        a, b = load_file(ours), load_file(theirs)
        if a.keys() != b.keys():
            self.fail("weights", f"other names: {sorted(a.keys() ^ b.keys())}")
        for name in a.keys() & b.keys():
            if a[name].shape != b[name].shape:
                self.fail("weights", f"{name}: {a[name].shape} vs {b[name].shape}")
                continue
            x, y = a[name].astype(np.float64), b[name].astype(np.float64)
            rms = float(np.sqrt((y * y).mean()))
            gap = np.abs(x - y).reshape(-1)
            at = int(gap.argmax())
            allowed = 2 * self.growth(steps) * rms + 2 * EPSILON
            self.note("weights", difference(x.reshape(-1)[at], y.reshape(-1)[at], allowed, f"{name}[{at}]"))


def read_log(path: Path) -> list[Event]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def compare_config(path: str, folder: Path, args: argparse.Namespace) -> tuple[str, str]:
    settings = [] if args.steps == 0 else [f"train.steps={args.steps}", "train.epochs=null"]
    settings += args.set
    config = read_config(path, settings)
    arrays = None
    if config["data"]["type"] not in READERS:
        arrays = export_data(config, config.get("seed", DEFAULT_SEED), Path(args.gradtool).parent, folder)
    if "weights" not in config:
        torch.manual_seed(config.get("seed", DEFAULT_SEED))
        save_weights(Network(config["model"]), folder / "weights.safetensors")
        settings.append(f"weights={folder.resolve() / 'weights.safetensors'}")
    train(path, settings, str(folder / "pytorch"), arrays)
    options = [word for setting in settings + ["output.plots=false"] for word in ("--set", setting)]
    command = [args.gradtool, "train", path, *options, "--out", str(folder / "gradtool"), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if not (folder / "gradtool" / "log.jsonl").exists():
        return "FAIL", f"gradtool exits with {done.returncode}: {done.stderr.strip()}"
    ours, theirs = (read_log(folder / side / "log.jsonl") for side in ("gradtool", "pytorch"))
    comparison = Comparison(ours, theirs, config.get("precision", {}).get("type", "float32"), args.tolerance)
    comparison.compare()
    if done.returncode not in (0, 1):
        comparison.fail("status", f"gradtool exits with {done.returncode}: {done.stderr.strip()}")
    weights = folder / "gradtool" / "model.safetensors"
    if weights.exists():
        comparison.compare_weights(weights, folder / "pytorch" / "model.safetensors", comparison.run["steps"])
    else:
        comparison.fail("weights", "no model.safetensors")
    failed = any(d.excess > 1 for d in comparison.worst.values())
    return "FAIL" if failed else "pass", "; ".join(summary(comparison.worst))


def summary(worst: dict[str, Difference]) -> Iterator[str]:
    for kind, d in sorted(worst.items(), key=lambda item: -item[1].excess):
        if d.excess > 0:
            yield f"{kind} {d.excess:.2g} ({d.place}{': ' + d.detail if d.excess > 1 else ''})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="+", metavar="CONFIG")
    parser.add_argument("--steps", type=int, default=20, help="0: as the config says")
    parser.add_argument("--gradtool", default="build/release/gradtool")
    parser.add_argument("--tolerance", type=float, help="default: by precision")
    parser.add_argument("--set", action="append", default=[], metavar="k=v", help="for both sides")
    parser.add_argument("--keep", help="keep both run folders under this one")
    args = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as temporary:
        for path in args.configs:
            folder = Path(args.keep or temporary) / Path(path).stem
            folder.mkdir(parents=True, exist_ok=True)
            try:
                verdict, line = compare_config(path, folder, args)
            except Unsupported as reason:
                verdict, line = "skip", str(reason)
            failures += verdict == "FAIL"
            print(f"{verdict}  {Path(path).stem}: {line}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
