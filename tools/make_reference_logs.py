"""Writes the reference runs that the shipped tests compare gradtool with, where there is no Python.

    python3 tools/make_reference_logs.py [--steps 5] [NAME...]

For each NAME of tools/reference_configs: tests/data/reference/NAME/ with config.json (self-contained, paths relative to it),
weights.safetensors (the start), the data files, log.jsonl and model.safetensors (the end), all made by PyTorch. Seconds are
written as 0, so that making them again changes nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch

from pytorch_data import PATH_KEYS
from pytorch_model import Network
from pytorch_train import save_weights, train

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / "tools" / "reference_configs"
TARGET = ROOT / "tests" / "data" / "reference"
NAMES = ("mlp-sgd-nesterov", "adamw-groups-cosine", "accumulate-ragged-mean", "clip-adaptive", "norms", "residual-merge",
         "onecycle-inits", "mlp-bf16", "mlp-fp16", "layernorm-bf16", "cnn-bf16", "scaler-fp16")
SIZE_LIMIT = 60_000


def write_reference(name: str, steps: int) -> int:
    """Returns the bytes of the folder."""
    folder = TARGET / name
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    config = json.loads((CONFIGS / f"{name}.json").read_text())
    for key in PATH_KEYS:
        if isinstance(config["data"].get(key), str):
            source = CONFIGS / config["data"][key]
            shutil.copy(source, folder / source.name)
            config["data"][key] = source.name
    config["name"] = name
    config["weights"] = "weights.safetensors"
    config["train"] = {k: v for k, v in config["train"].items() if k != "epochs"} | {"steps": steps}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    torch.manual_seed(config["seed"])
    save_weights(Network(config["model"]), folder / "weights.safetensors")
    train(str(folder / "config.json"), [], str(folder))
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    lines = [json.dumps({k: 0 if k == "seconds" else v for k, v in event.items()}, separators=(",", ":")) for event in log]
    (folder / "log.jsonl").write_text("\n".join(lines) + "\n")
    return sum(path.stat().st_size for path in folder.iterdir())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME")
    parser.add_argument("--steps", type=int, default=5)
    args = parser.parse_args()
    for name in args.names:
        size = write_reference(name, args.steps)
        print(f"{name}: {size} bytes{' - too many' if size > SIZE_LIMIT else ''}")


if __name__ == "__main__":
    main()
