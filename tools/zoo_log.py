"""A run's log.jsonl in memory, for the tools of the zoo."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

ARRAYS = ("gradients", "activations", "activation_gradients", "updates")


def number(value: object) -> float:
    """A logged number: the log writes those that are not finite as text."""
    return math.nan if value is None else float(value)


@dataclass
class Log:
    run: dict
    steps: list[dict] = field(default_factory=list)
    evals: list[dict] = field(default_factory=list)
    arrays: dict[str, list[dict]] = field(default_factory=lambda: {name: [] for name in ARRAYS})
    clipped: set[int] = field(default_factory=set)
    status: str = ""

    @property
    def losses(self) -> list[float]:
        return [number(step["loss"]) for step in self.steps]

    def column(self, kind: str, key: str, index: int) -> list[float]:
        """What the instrument `kind` logged of one parameter or layer, over the observed steps."""
        return [number(event[key][index]) for event in self.arrays[kind]]


def read_log(folder: Path) -> Log:
    log = None
    with (folder / "log.jsonl").open() as lines:
        for line in lines:
            event = json.loads(line)
            kind = event["event"]
            if kind == "run":
                log = Log(event)
            elif kind == "step":
                log.steps.append(event)
            elif kind == "eval":
                log.evals.append(event)
            elif kind in log.arrays:
                log.arrays[kind].append(event)
            elif kind == "clip":
                log.clipped.add(event["step"])
            elif kind == "end":
                log.status = event["status"]
    return log
