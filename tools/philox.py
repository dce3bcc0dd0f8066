"""gradtool's random generator in NumPy: Philox4x32-10, and the order of samples in an epoch.

    random = Philox(seed, SHUFFLE, stream)
    random.word(index), random.uniform(index), random.below(index, bound)
    dataset_order(samples, seed, epoch)          # as the trainer shuffles, epoch from 0

Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
Run as a program it checks itself against the paper's known answers.
"""

from __future__ import annotations

import numpy as np

INIT, SHUFFLE, DROPOUT, DATA, PENALTY, PROBE = range(1, 7)

MASK = 0xFFFFFFFF
MULTIPLIER = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)


def philox4x32(counter: list[int] | list[np.ndarray], key: tuple[int, int], rounds: int = 10) -> list:
    """The block of four words; counters may be Python integers or arrays of uint64."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        first, second = MULTIPLIER[0] * c0, MULTIPLIER[1] * c2
        c0, c1, c2, c3 = (second >> 32) ^ c1 ^ k0, second & MASK, (first >> 32) ^ c3 ^ k1, first & MASK
        k0, k1 = (k0 + WEYL[0]) & MASK, (k1 + WEYL[1]) & MASK
    return [c0, c1, c2, c3]


class Philox:
    """A stream of numbers: a draw is a pure function of (seed, use, stream, index)."""

    def __init__(self, seed: int, use: int, stream: int = 0):
        mixed = (stream & (2**56 - 1)) | use << 56  # the use takes the top byte
        self.key = (seed & MASK, (seed >> 32) & MASK)
        self.stream = (mixed & MASK, (mixed >> 32) & MASK)

    def block(self, index: int) -> list[int]:
        return philox4x32([index & MASK, index >> 32, *self.stream], self.key)

    def word(self, index: int) -> int:
        return self.block(index // 4)[index % 4]

    def word64(self, index: int) -> int:
        block, half = self.block(index // 2), 2 * (index % 2)
        return block[half] | block[half + 1] << 32

    def uniform_float(self, index: int) -> np.float32:
        return np.float32(self.word(index) >> 8) * np.float32(2.0**-24)

    def below(self, index: int, bound: int) -> int:
        return (self.word64(index) * bound) >> 64


def dataset_order(samples: int, seed: int, epoch: int) -> np.ndarray:
    """A permutation that depends on seed and epoch alone: Fisher-Yates from the end."""
    random = Philox(seed, SHUFFLE, epoch)
    order = np.arange(samples)
    for i in range(samples, 1, -1):
        other = random.below(i, i)
        order[i - 1], order[other] = order[other], order[i - 1]
    return order


def check() -> None:
    """The known answers of the paper's own distribution (Random123, kat_vectors)."""
    pi = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0]
    assert philox4x32([0] * 4, (0, 0)) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert philox4x32([MASK] * 4, (MASK, MASK)) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    assert philox4x32(pi[:4], (pi[4], pi[5])) == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


if __name__ == "__main__":
    check()
    print("philox4x32-10 agrees with the known answers")
