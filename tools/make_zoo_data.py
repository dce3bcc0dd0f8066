"""Writes the tables of configs/zoo/data: small data sets with one property each that a generator of gradtool does not have.

    python3 tools/make_zoo_data.py

The numbers are drawn from fixed seeds, so that a second run writes the same bytes.
"""

from __future__ import annotations

import math
import random
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "configs" / "zoo" / "data"


def write(name: str, rows: list[list[object]], target: str = "y") -> None:
    header = [f"x{i}" for i in range(len(rows[0]) - 1)] + [target]
    lines = [header] + [[f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    (FOLDER / f"{name}.csv").write_text("".join(",".join(line) + "\n" for line in lines))


def clouds(seed: int, counts: list[int], features: int, spread: float) -> list[list[object]]:
    """Gaussian clouds, `counts[c]` samples of class c around a centre of its own, in random order."""
    rng = random.Random(seed)
    centres = [[rng.gauss(0, 1.5) for _ in range(features)] for _ in counts]
    classes = [label for label, count in enumerate(counts) for _ in range(count)]
    rows = [[*(c + rng.gauss(0, spread) for c in centres[label]), label] for label in classes]
    rng.shuffle(rows)
    return rows


def waves(seed: int, count: int, noise: float) -> list[list[object]]:
    """Regression of a smooth function of three inputs."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        x = [rng.uniform(-1, 1) for _ in range(3)]
        rows.append([*x, math.sin(2 * x[0]) + x[1] * x[2] + noise * rng.gauss(0, 1)])
    return rows


def affine(rows: list[list[object]], scales: list[float], offsets: list[float]) -> list[list[object]]:
    return [[*(x * s + o for x, s, o in zip(row, scales, offsets)), row[-1]] for row in rows]


def replaced(rows: list[list[object]], row: int, column: int, text: str) -> list[list[object]]:
    rows = [list(r) for r in rows]
    rows[row][column] = text
    return rows


def bag_of_words(seed: int) -> list[list[object]]:
    """60 word counts, 2 of 100 not zero; a class has words of its own."""
    rng = random.Random(seed)
    rows = []
    for _ in range(500):
        label = rng.randrange(4)
        words = [0] * 60
        for _ in range(3):
            words[rng.randrange(15) + 15 * label if rng.random() < 0.9 else rng.randrange(60)] += 1
        rows.append([*words, label])
    return rows


def little_spread(seed: int) -> list[list[object]]:
    """Clouds with one far sample in each feature: scaled to [0, 1], all others stand close together around 0.5."""
    rows = clouds(seed, [120, 120, 120], 4, 0.5)
    for feature in range(4):
        rows[2 * feature][feature] = 9.0
        rows[2 * feature + 1][feature] = -9.0
    return rows


def houses(seed: int, count: int) -> list[list[object]]:
    """Regression: rooms, age, distance, all within [-1, 1], and an income from 0 to 10,000 that nobody has scaled."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        rooms, age, distance, income = (rng.uniform(-1, 1) for _ in range(4))
        worth = math.sin(2 * rooms) + rooms * age - 0.7 * distance + 0.8 * income
        rows.append([rooms, age, distance, 5000 * (1 + income), worth + 0.05 * rng.gauss(0, 1)])
    return rows


def weather(seed: int, count: int) -> list[list[object]]:
    """Will it rain? By kelvin, pascals, humidity and wind."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        warm, pressure, humid, wind = (rng.gauss(0, 1) for _ in range(4))
        rain = 2 * humid - 2 * pressure + warm * wind > 0
        rows.append([290 + 8 * warm, 101300 + 900 * pressure, 0.6 + 0.1 * humid, 6 + 2 * wind, "rain" if rain else "dry"])
    return rows


def categories(seed: int) -> list[list[object]]:
    """Three categories of twelve values each as ones and zeros; each value speaks for one of four classes."""
    rng = random.Random(seed)
    rows = []
    for _ in range(400):
        label = rng.randrange(4)
        cells = [0] * 36
        for category in range(3):
            vote = label if rng.random() < 0.85 else rng.randrange(4)
            cells[12 * category + 4 * rng.randrange(3) + vote] = 1
        rows.append([*cells, label])
    return rows


def relabelled(rows: list[list[object]], labels: list[object]) -> list[list[object]]:
    return [[*row[:-1], label] for row, label in zip(rows, labels)]


def write_second_half() -> None:
    """Tables of the cases that were written for the second `final`."""
    write("houses", houses(21, 300))
    scaled = [[*row[:3], row[3] / 5000 - 1, row[4]] for row in houses(21, 300)]
    write("houses-scaled", scaled)
    write("house-prices", [[*row[:-1], 250000 + 60000 * row[-1]] for row in scaled])
    write("weather", weather(22, 400))
    pixels = clouds(23, [70] * 5, 20, 0.5)
    write("divided-twice", [[*(min(255, max(0, 127 + 45 * x)) / 65025 for x in row[:-1]), row[-1]] for row in pixels])
    write("populations", [[*(10 ** (5 + 0.5 * x) for x in row[:-1]), row[-1]] for row in clouds(24, [100] * 3, 5, 0.6)])
    five = clouds(25, [80] * 5, 6, 0.7)
    write("gaps", [[*row[:2], "nan" if i % 57 == 11 else row[2], *row[3:]] for i, row in enumerate(five)])
    write("no-gaps", five)
    write("shifted-labels", relabelled(five, [five[i - 1][-1] for i in range(len(five))]))
    rng = random.Random(26)
    write("wrong-labels", relabelled(five, [rng.randrange(5) if rng.random() < 0.2 else row[-1] for row in five]))
    steep = waves(27, 320, 0.05)
    write("steep", steep)
    write("log-of-zero-target", replaced(steep, 250, 3, "-inf"))
    write("glitches", [[1000 * row[0] if i % 80 == 33 else row[0], *row[1:]] for i, row in enumerate(steep)])
    write("typed-wrong", [[*row[:3], row[3] + (200 if i % 80 == 33 else 0)] for i, row in enumerate(steep)])
    write("not-negative", [[*row[:3], math.exp(row[3])] for row in steep])
    write("rare-by-thirds", clouds(28, [540, 60, 20, 6], 5, 1.8))
    write("rare-by-thirds-balanced", clouds(28, [60] * 4, 5, 1.8))
    write("rare-fraud", clouds(29, [790, 10], 8, 2.6))
    write("rare-fraud-balanced", clouds(29, [120, 120], 8, 2.6))
    write("five-to-one", clouds(30, [400, 80], 6, 1.2))
    write("sorted-4", sorted(clouds(31, [100] * 4, 16, 1.0), key=lambda row: row[-1]))
    write("categories", categories(32))


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    three = clouds(1, [120, 120, 120], 4, 0.8)
    write("clouds", three)
    write("offset", affine(three, [1.0] * 4, [1000.0] * 4))
    write("mixed-scale", affine(three, [1000.0, 300.0, 0.001, 0.002], [5000.0, 2000.0, 0.0, 0.0]))
    pixels = clouds(2, [60] * 6, 16, 0.5)
    write("bytes", [[*(min(255, max(0, round(127 + 45 * x))) for x in row[:-1]), row[-1]] for row in pixels])
    write("nan-input", replaced(three, 200, 2, "nan"))
    write("inf-input", replaced(clouds(3, [90] * 4, 6, 0.8), 77, 0, "inf"))
    write("waves", waves(4, 300, 0.05))
    write("nan-target", replaced(waves(4, 300, 0.05), 123, 3, "nan"))
    write("rare-class", clouds(5, [588, 12], 2, 2.0))
    write("rare-class-balanced", clouds(5, [100, 100], 2, 2.0))
    write("rare-classes", clouds(6, [500, 12, 12, 12, 12], 4, 1.6))
    write("rare-classes-balanced", clouds(6, [40] * 5, 4, 1.6))
    write("three-to-one", clouds(7, [300, 100], 4, 1.0))
    write("sorted-5", sorted(clouds(8, [80] * 5, 4, 0.8), key=lambda row: row[-1]))
    write("sorted-10", sorted(clouds(9, [60] * 10, 8, 0.8), key=lambda row: row[-1]))
    outliers = [[*row[:3], row[3] + (60.0 if i % 61 == 7 else 0.0)] for i, row in enumerate(waves(10, 300, 0.05))]
    write("outlier-targets", outliers)
    smooth = waves(4, 300, 0.05)
    write("outlier-inputs", [[*((40.0 if i % 61 == 7 else 1.0) * x for x in row[:3]), row[3]] for i, row in enumerate(smooth)])
    write("small-targets", [[*row[:3], 0.001 * row[3]] for row in waves(4, 300, 0.05)])
    rng = random.Random(11)
    write("noise-targets", [[*row[:3], 0.3 * row[0] + rng.gauss(0, 1)] for row in waves(12, 400, 0)])
    labels = [row[-1] for row in three]
    rng.shuffle(labels)
    write("shuffled-labels", [[*row[:-1], label] for row, label in zip(three, labels)])
    write("bag-of-words", bag_of_words(13))
    write("little-spread", little_spread(14))
    write_second_half()


if __name__ == "__main__":
    main()
