"""Does training reach the same loss in gradtool and in PyTorch, where initial weights and order differ by seed?

    python3 tools/compare_seeds.py configs/transformer-text.json [--seeds 5] [--gradtool build/release/gradtool]

Trains the config with as many seeds on each side (each side draws its own initial weights), and prints the last validation loss
(the last training loss where there is no validation data) of each, mean and spread. Exit status 1 when the means differ by more
than the larger of the two standard deviations.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
COUNTERPART = [sys.executable, str(HERE / "pytorch_train.py")]


def last_loss(folder: Path) -> float:
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    kind = "eval" if any(e["event"] == "eval" for e in events) else "step"
    return [e["loss"] for e in events if e["event"] == kind][-1]


def losses(command: list[str], config: str, seeds: range, folder: Path) -> list[float]:
    found = []
    for seed in seeds:
        out = folder / f"{Path(command[0]).name}-{seed}"
        settings = ["--set", f"seed={seed}", "--set", 'monitor.instruments=[]', "--set", "output.plots=false", "--out", str(out)]
        subprocess.run([*command, config, *settings], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found.append(last_loss(out))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--gradtool", default="build/release/gradtool")
    options = parser.parse_args()
    seeds, spreads, means = range(1, options.seeds + 1), [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, command in (("gradtool", [options.gradtool, "train"]), ("PyTorch", COUNTERPART)):
            values = losses(command, options.config, seeds, Path(folder))
            means.append(statistics.mean(values))
            spreads.append(statistics.stdev(values))
            print(f"{name:9s} mean {means[-1]:.4f}  deviation {spreads[-1]:.4f}  " + " ".join(f"{v:.4f}" for v in values))
    same = abs(means[0] - means[1]) <= max(spreads)
    print("the means agree within the spread" if same else "the means differ by more than the spread")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
