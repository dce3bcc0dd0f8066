"""Makes tests/data/tensors*.pt and tensors*.npz again: python3 tools/make_tensor_files.py. Small, seeded, from PyTorch and NumPy."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

DATA = Path(__file__).parent.parent / "tests" / "data"


class Small(nn.Module):
    """Weights, buffers and a counter."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(3, 2)
        self.norm = nn.BatchNorm1d(2)
        self.lstm = nn.LSTM(2, 1)


class Refused:
    """What a file must never be able to do: call a function."""

    def __reduce__(self):
        return (print, ("executed",))


def main() -> None:
    network = Small()
    with torch.no_grad():
        for i, parameter in enumerate(network.parameters()):
            parameter.copy_(torch.arange(parameter.numel()).reshape(parameter.shape) + 10 * i)
        network.norm.num_batches_tracked.fill_(42)
    state = network.state_dict()
    torch.save(state, DATA / "tensors.pt")
    optimizer = torch.optim.Adam(network.parameters())
    torch.save({"epoch": 3, "lr": 0.5, "best": None, "done": True, "optimizer": optimizer.state_dict(),
                "shapes": [(1, 2), 2**40], "model": state}, DATA / "tensors-checkpoint.pt")
    matrix = torch.arange(6.0).reshape(2, 3)
    torch.save({"transposed": matrix.t(), "part": matrix[1, 1:], "repeated": torch.ones(1).expand(2, 2), "half": matrix.half(),
                "bfloat16": matrix.bfloat16(), "double": matrix.double(), "scalar": torch.tensor(3.5), "empty": torch.zeros(0, 3),
                "flags": torch.tensor([True, False]), "parameter": nn.Parameter(matrix)}, DATA / "tensors-views.pt")
    with zipfile.ZipFile(DATA / "tensors-broken.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": Refused()}, protocol=2))
    arrays = {name: value.numpy() for name, value in state.items()}
    np.savez(DATA / "tensors.npz", **arrays)
    np.savez_compressed(DATA / "tensors-deflated.npz", fortran=np.asfortranarray(np.arange(6.0).reshape(2, 3)),
                        big_endian=np.arange(3, dtype=">i4"), scalar=np.float32(2), **arrays)
    with zipfile.ZipFile(DATA / "tensors-broken.npz", "w") as archive:
        archive.writestr("names.npy", b"\x93NUMPY\x01\x00\x36\x00{'descr': '<U3', 'fortran_order': False, 'shape': (1,)}".ljust(70))


if __name__ == "__main__":
    main()
