#!/usr/bin/env python3
"""Writes configs/data/ from the data sets that come with scikit-learn.

Usage: python3 tools/make_data.py [FOLDER]

The same bytes come out every time: the gzip header has no time. The digits keep scikit-learn's order, which is by writer.
Iris is sorted by species there; here the species take turns, so that the last rows are of all three.
"""
import csv
import gzip
import io
import sys
from pathlib import Path

from sklearn.datasets import load_digits, load_iris


def table(header, rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("ascii")


def iris():
    data = load_iris()
    header = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    rows = [[*map(float, x), str(data.target_names[y])] for x, y in zip(data.data, data.target)]
    return table(header, (row for turn in zip(rows[:50], rows[50:100], rows[100:]) for row in turn))


def digits():
    data = load_digits()
    header = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)] + ["digit"]
    return table(header, ([*map(int, x), int(y)] for x, y in zip(data.data, data.target)))


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "configs" / "data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "iris.csv").write_bytes(iris())
    (folder / "digits.csv.gz").write_bytes(gzip.compress(digits(), compresslevel=9, mtime=0))


if __name__ == "__main__":
    main()
