"""Trains the experiments of configs/science with gradtool and compares what they give with what theory says.

    python3 tools/science [NAME...] [--write] [--keep]

NAME: of the experiments in docs/science.md, all without one. Prints a line for each quantity; draws pictures into OUT, with
--write into docs/science, and then fills the tables of docs/science.md too. --keep leaves the run folders in OUT.
GRADTOOL (build/release/gradtool), JOBS (2), OUT (build/science). Exit status 1 where a quantity is outside its band.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path

import initial
import training
from result import Result
from runs import Laboratory

PAGE = Path("docs/science.md")


def print_result(result: Result) -> None:
    print(f"\n{result.title}  [{result.source}]")
    for row in result.rows:
        verdict = "ok" if row.is_right else "FAIL"
        print(
            f"  {row.quantity:<84} expected {row.expected:<11} band {row.band:<24} measured {row.measured:<12.6g} {verdict}",
            flush=True,
        )


def fill_table(page: str, result: Result) -> str:
    lines = ["| quantity | expected | band | measured | |", "|---|--:|--:|--:|---|"]
    lines += [
        f"| {row.quantity} | {row.expected} | {row.band} | {row.measured:.6g} | {'ok' if row.is_right else 'FAIL'} |".replace(
            "|Ju|", "\\|Ju\\|"
        )
        for row in result.rows
    ]
    begin, end = f"<!-- {result.name} -->\n", f"<!-- end of {result.name} -->"
    if begin not in page or end not in page:
        raise SystemExit(f"{PAGE} has no place for the table of {result.name}")
    return re.sub(
        re.escape(begin) + ".*?" + re.escape(end), lambda _: begin + "\n".join(lines) + "\n" + end, page, flags=re.DOTALL
    )


def main() -> int:
    experiments = {e.__name__.replace("_", "-"): e for e in (*initial.EXPERIMENTS, *training.EXPERIMENTS)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*experiments, []], help=", ".join(experiments))
    parser.add_argument("--write", action="store_true", help="renew docs/science.md and its pictures")
    parser.add_argument("--keep", action="store_true", help="keep the run folders")
    args = parser.parse_args()
    out = Path(os.environ.get("OUT", "build/science"))
    pictures = Path("docs/science") if args.write else out
    runs = Laboratory(os.environ.get("GRADTOOL", "build/release/gradtool"), out / "runs", int(os.environ.get("JOBS", "2")))
    runs.clean()
    pictures.mkdir(parents=True, exist_ok=True)
    failed, start = 0, time.monotonic()
    for name in args.names or experiments:
        result = experiments[name](runs)
        result.picture.draw(pictures / f"{result.name}.png")
        print_result(result)
        failed += sum(not row.is_right for row in result.rows)
        if args.write:
            PAGE.write_text(fill_table(PAGE.read_text(), result))
        if not args.keep:
            runs.clean()
    verdict = f"{failed} outside their bands" if failed else "all as expected"
    print(f"\n{verdict}; pictures in {pictures}; {time.monotonic() - start:.0f} s")
    return 1 if failed else 0


sys.exit(main())
