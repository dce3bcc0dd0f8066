"""What an experiment gives: rows of expected against measured, and a picture."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Row:
    quantity: str
    expected: str
    measured: float
    low: float
    high: float

    @property
    def is_right(self) -> bool:
        return self.low <= self.measured <= self.high  # false for NaN

    @property
    def band(self) -> str:
        if self.low == self.high:
            return "exactly"
        if self.high == float("inf"):
            return f"at least {self.low:.3g}"
        return f"{self.low:.5g} to {self.high:.5g}"


def near(quantity: str, measured: float, expected: float, *, absolute: float = 0, relative: float = 0, digits: int = 3) -> Row:
    """Within a distance of the expected number, in absolute terms or relative to it."""
    distance = max(absolute, relative * abs(expected))
    return Row(quantity, f"{expected:.{digits}g}", float(measured), expected - distance, expected + distance)


def between(quantity: str, measured: float, expected: str, low: float, high: float) -> Row:
    return Row(quantity, expected, float(measured), low, high)


@dataclass
class Picture:
    """Gnuplot commands, and the tables that they draw as $NAME; in a table, None is an empty line."""

    commands: str
    tables: dict[str, list] = field(default_factory=dict)
    width: int = 900
    height: int = 500

    def draw(self, path: Path) -> None:
        blocks = []
        for name, rows in self.tables.items():
            lines = ["" if row is None else " ".join(str(value) for value in row) for row in rows]
            blocks.append("\n".join([f"${name} << EOD", *lines, "EOD"]))
        head = STYLE.format(width=self.width, height=self.height, path=path)
        subprocess.run(["gnuplot"], input="\n".join([head, *blocks, self.commands, ""]), text=True, check=True)


# Colours of Okabe & Ito, which the colour-blind can tell apart. Lines are theory, points are measured.
STYLE = """
set terminal pngcairo size {width},{height} font "DejaVu Sans,11" noenhanced
set output "{path}"
set border 3 linecolor "#666666"
set tics nomirror textcolor "#222222"
set grid linecolor "#e4e4e4" linetype 1
set key samplen 2 spacing 1.15
blue = "#0072b2"; orange = "#d55e00"; purple = "#cc79a7"; grey = "#777777"; yellow = "#e69f00"; sky = "#56b4e9"
"""


@dataclass
class Result:
    name: str  # of the picture, and of the table in docs/science.md
    title: str
    source: str
    rows: list[Row]
    picture: Picture
