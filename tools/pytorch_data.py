"""Configs and data for the PyTorch tools: what gradtool reads, read again with NumPy.

    config = read_config(path, ["train.steps=5"])    # model and data inlined, paths made absolute
    data = read_data(config)                         # Data(inputs, targets, validation_inputs, validation_targets)

Procedural data is not generated here: `data` may come as an .npz with `inputs` and `targets` (and `validation_inputs`,
`validation_targets`), and export_data() lets gradtool's own readers make one, by a small C program around them.
"""

from __future__ import annotations

import csv
import gzip
import json
import struct
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pytorch_model import Unsupported

PATH_KEYS = ("path", "inputs", "targets", "images", "labels")


class Data(NamedTuple):
    inputs: np.ndarray
    targets: np.ndarray  # int64 for classes, else float32
    validation_inputs: np.ndarray | None = None
    validation_targets: np.ndarray | None = None


def read_config(path: str | Path, settings: list[str] = ()) -> dict[str, Any]:
    path = Path(path)
    config = json.loads(path.read_text())
    for setting in settings:
        key, _, value = setting.partition("=")
        assign(config, key.split("."), value)
    if isinstance(config["model"], str):
        config["model"] = json.loads((path.parent / config["model"]).read_text())
    folder = path.parent
    if isinstance(config["data"], str):
        folder = (path.parent / config["data"]).parent
        config["data"] = json.loads((path.parent / config["data"]).read_text())
    resolve_paths(config["data"], folder)
    if "weights" in config:
        config["weights"] = str(path.parent / config["weights"])
    config.setdefault("name", path.stem)
    return config


def assign(config: Any, keys: list[str], text: str) -> None:
    """`--set a.b=value`: the value is JSON, else a string; null removes the key."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    for key in keys[:-1]:
        config = config[int(key)] if isinstance(config, list) else config.setdefault(key, {})
    if isinstance(config, list):
        config[int(keys[-1])] = value
    elif value is None:
        config.pop(keys[-1], None)
    else:
        config[keys[-1]] = value


def resolve_paths(data: dict[str, Any], folder: Path) -> None:
    for key in PATH_KEYS:
        if isinstance(data.get(key), str):
            data[key] = str(folder / data[key])
    if isinstance(data.get("validation"), dict):
        resolve_paths(data["validation"], folder)


def read_data(config: dict[str, Any], arrays: str | None = None) -> Data:
    if arrays:
        file = np.load(arrays)
        return Data(*(as_numbers(file[k]) if k in file else None for k in Data._fields))
    spec = config["data"]
    inputs, targets = read_source(spec)
    if "limit" in spec:
        inputs, targets = inputs[: spec["limit"]], targets[: spec["limit"]]
    validation = spec.get("validation", 0)
    if isinstance(validation, dict):
        held_inputs, held_targets = read_source({"type": spec["type"], **validation})
    else:
        held = max(1, int(len(inputs) * validation + 0.5)) if validation else 0
        count = len(inputs) - held
        inputs, held_inputs = inputs[:count], inputs[count:]
        targets, held_targets = targets[:count], targets[count:]
    inputs, held_inputs = normalize(spec.get("normalize", "none"), inputs, held_inputs)
    return Data(inputs, targets, held_inputs, held_targets) if len(held_inputs) else Data(inputs, targets)


def read_source(spec: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    if spec["type"] not in READERS:
        raise Unsupported(f"data type {spec['type']}: give its arrays with --data")
    inputs, targets = READERS[spec["type"]](spec)
    inputs = as_numbers(inputs).astype(np.float32)
    return inputs[:, None] if inputs.ndim == 1 else inputs, as_numbers(targets)


def as_numbers(x: np.ndarray) -> np.ndarray:
    return x.astype(np.int64 if np.issubdtype(x.dtype, np.integer) else np.float32)


def unpacked(path: str) -> bytes:
    content = Path(path).read_bytes()
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


def read_csv(spec: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    text = unpacked(spec["path"]).decode("utf-8-sig")
    separator = max(",;\t", key=text.partition("\n")[0].count)
    rows = [row for row in csv.reader(text.splitlines(), delimiter=separator) if row]
    has_header = spec.get("header", any(not is_number(cell) for cell in rows[0]))
    names = [name.strip() for name in rows.pop(0)] if has_header else []
    target = spec.get("target", len(rows[0]) - 1)
    column = names.index(target) if isinstance(target, str) else target
    inputs = np.array([[float(cell) for i, cell in enumerate(row) if i != column] for row in rows], np.float32)
    cells = [row[column].strip() for row in rows]
    if spec.get("task", "classification") == "regression":
        return inputs, np.array([[float(cell)] for cell in cells], np.float32)
    numeric = all(is_number(cell) for cell in cells)
    classes = sorted(set(cells), key=float if numeric else str)
    return inputs, np.array([classes.index(cell) for cell in cells], np.int64)


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def read_npy(spec: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    return np.load(spec["inputs"]), np.load(spec["targets"])


def read_idx(spec: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    images = idx_array(spec["images"]).astype(np.float32) / np.float32(255)
    return images[:, None], idx_array(spec["labels"]).astype(np.int64)


def idx_array(path: str) -> np.ndarray:
    """MNIST's format: zero, zero, type 8 (bytes), rank, big-endian sizes, data."""
    content = unpacked(path)
    rank = content[3]
    shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def read_inline(spec: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(spec["inputs"], np.float32), np.array(spec["targets"])


def read_text(spec: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Windows of `length` tokens, a token being the place among the sorted distinct characters or bytes."""
    content = unpacked(spec["path"])
    text = content if spec.get("level", "char") == "byte" else content.decode("utf-8-sig")
    number = {symbol: i for i, symbol in enumerate(sorted(set(text)))}
    codes = np.array([number[symbol] for symbol in text], np.int64)
    length = spec.get("length", 128)
    starts = range(0, len(codes) - length, spec.get("stride", length))
    return np.stack([codes[i : i + length] for i in starts]), np.stack([codes[i + 1 : i + 1 + length] for i in starts])


def export_data(config: dict[str, Any], seed: int, build: Path, folder: Path) -> str:
    """Compiles tools/export_data.c against `build`/libgradtool.a, runs it, and returns the .npz with what it wrote."""
    source = Path(__file__).with_name("export_data.c")
    program, description = folder / "export_data", folder / "data.json"
    query = ["pkg-config", "--libs", "openblas", "libcjson", "libpng", "zlib"]
    libraries = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
    include = f"-I{source.parent.parent / 'src'}"
    parts = [include, str(source), str(build / "libgradtool.a"), *libraries, "-lm", "-pthread"]
    subprocess.run(["cc", "-std=c11", *parts, "-o", str(program)], check=True)
    description.write_text(json.dumps(config["data"]))
    subprocess.run([str(program), str(description), str(seed), str(folder)], check=True)
    arrays = {name: np.load(folder / f"{name}.npy") for name in Data._fields if (folder / f"{name}.npy").exists()}
    np.savez(folder / "data.npz", **arrays)
    return str(folder / "data.npz")


READERS = {"csv": read_csv, "npy": read_npy, "idx": read_idx, "inline": read_inline, "text": read_text}


def normalize(kind: str, inputs: np.ndarray, held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By feature, from the training samples; a feature without spread becomes 0."""
    if kind == "none":
        return inputs, held
    samples = inputs.astype(np.float64)
    if kind == "standard":
        origin, spread = samples.mean(0), samples.std(0)
    else:
        origin, spread = samples.min(0), samples.max(0) - samples.min(0)
    factor = np.divide(1, spread, where=spread > 0, out=np.zeros_like(spread))
    return tuple(((x - origin) * factor).astype(np.float32) for x in (inputs, held))
