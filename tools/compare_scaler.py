"""Compares gradtool's gradient scaler with torch.amp.GradScaler over thousands of steps.

    python3 tools/compare_scaler.py [--steps 5000] [--gradtool build/release/gradtool]    trains both; every scale and skip
    python3 tools/compare_scaler.py --write                                               tests/data/scaler-*.txt again

The training is float16 with samples too large for it, and a scale that grows until gradients overflow. The sequences that
--write stores are PyTorch's own answer to drawn overflows: bursts of them, single ones, and quiet stretches in which the scale
grows to the end of float32; tests/test_scaler.c replays them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compare_pytorch import compare_config, read_log

STORED = Path(__file__).resolve().parent.parent / "tests" / "data"
SEQUENCES = {"scaler-powers": {"init_scale": 65536.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 4},
             "scaler-uneven": {"init_scale": 1000.0, "growth_factor": 1.7, "backoff_factor": 0.3, "growth_interval": 3}}


def drawn_overflows(steps: int, seed: int) -> list[bool]:
    random = np.random.RandomState(seed)
    flags: list[bool] = []
    while len(flags) < steps:
        kind = random.randint(4)
        if kind == 0:
            flags += [True] * random.randint(1, 60)
        elif kind == 1:
            flags += [False] * random.randint(1, 800)
        else:
            flags += list(random.rand(100) < (0.05 if kind == 2 else 0.4))
    return [bool(flag) for flag in flags[:steps]]


def scales_of(options: dict[str, Any], flags: list[bool]) -> list[float]:
    """The scale after each step of an optimizer whose gradient overflows where a flag is set."""
    scaler = torch.amp.GradScaler("cpu", **options)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scales = []
    for flag in flags:
        scaler.scale(weight.sum() * 0)
        weight.grad = torch.full((1,), float("inf") if flag else 0.0)
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    return scales


def write() -> None:
    for seed, (name, options) in enumerate(SEQUENCES.items(), 1):
        flags = drawn_overflows(5000, seed)
        lines = [" ".join(f"{value:.9g}" for value in options.values())]
        lines += [f"{flag:d} {scale:.9g}" for flag, scale in zip(flags, scales_of(options, flags))]
        (STORED / f"{name}.txt").write_text("\n".join(lines) + "\n")


def make_config(folder: Path, steps: int) -> Path:
    random = np.random.RandomState(5)
    inputs = random.randn(101, 6).astype(np.float32)
    targets = (inputs[:, 0] * inputs[:, 1] > 0).astype(np.int64)
    inputs[17] *= 1e6  # beyond 65504
    np.save(folder / "inputs.npy", inputs)
    np.save(folder / "targets.npy", targets)
    config = {
        "name": "scaler", "seed": 3,
        "model": {"input": [6], "layers": [{"type": "linear", "out": 12}, {"type": "tanh"}, {"type": "linear", "out": 2}]},
        "data": {"type": "npy", "inputs": "inputs.npy", "targets": "targets.npy"}, "loss": "cross_entropy",
        "optimizer": {"type": "sgd", "lr": 0.002}, "train": {"steps": steps, "batch_size": 8},
        "precision": {"type": "float16", "scaler": {"init_scale": 1024, "growth_interval": 3}},
        "monitor": {"instruments": []},
    }
    path = folder / "scaler.json"
    path.write_text(json.dumps(config))
    return path


def compare(steps: int, gradtool: str) -> bool:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        args = argparse.Namespace(steps=0, set=[], gradtool=gradtool, tolerance=None)
        compare_config(str(make_config(folder, steps)), folder, args)
        ours, theirs = ([(e["step"], e["scale"], e["found_inf"], e["skipped"]) for e in read_log(folder / side / "log.jsonl")
                         if e["event"] == "scaler"] for side in ("gradtool", "pytorch"))
    different = [(a, b) for a, b in zip(ours, theirs) if a != b]
    skips = sum(skipped for _, _, _, skipped in theirs)
    print(f"{len(theirs)} steps, {skips} skipped, scales from {min(s for _, s, _, _ in theirs):g} "
          f"to {max(s for _, s, _, _ in theirs):g}")
    if different:
        print("first difference (step, scale, found_inf, skipped):", *different[0])
    return len(ours) == len(theirs) == steps and not different and 0 < skips < steps


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--gradtool", default="build/release/gradtool")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    if args.write:
        write()
        return 0
    fine = compare(args.steps, args.gradtool)
    print("every scale and skip is equal" if fine else "FAIL")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
