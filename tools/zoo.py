"""Scores the findings of `gradtool check` on configs/zoo against its labels. Run by tools/zoo.sh, which makes the runs.

    python3 tools/zoo.py [NAME...] [--out build/zoo] [--write] [--compare]

Measures, per split, over runs (a case and a seed):
  recall       sick runs with a finding that the label expects, of any severity
  precision    of the runs with an error (with an error or a warning), those that are sick
  root         sick runs whose root cause (the first finding with "root": true) is one that the label accepts
  errors       healthy runs with an error, and how many have a warning
Targets: no error on a healthy run of either split; recall 0.95 and root 0.9 on `final`. A run that could not be checked counts
as missed where it is sick and as an error where it is healthy. Everything goes to OUT/results.json as well. Exit status 1 when a
target is missed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
ZOO = ROOT / "configs" / "zoo"
PAGE = ROOT / "docs" / "zoo.md"
SPLITS = ("tune", "final")
RECALL, ROOT_RATE = 0.95, 0.9

# seal_of() the final cases as they were before any rule had seen them. A case that is moved, added or changed breaks it.
FINAL_SEAL = "bba4a447c7047afe32e82cb77efca713138a384225a2df653265dc405bd92e04"


@dataclass
class Run:
    name: str
    seed: int
    split: str
    family: str
    sick: bool
    failed: bool  # gradtool could not do it
    root: str  # rule of the root cause, or ""
    rules: dict[str, str]  # rule: gravest severity
    found: bool = False  # a sick run has a finding that the label expects
    rooted: bool = False  # and a root cause that it accepts

    def has(self, *severities: str) -> bool:
        return any(severity in severities for severity in self.rules.values())

    def said(self) -> dict[str, list[str]]:
        """For the comparison with other tools, whose rules know no severity."""
        errors = [rule for rule, severity in self.rules.items() if severity == "error"]
        warnings = [rule for rule, severity in self.rules.items() if severity == "warning"]
        return {"gradtool, errors": errors, "gradtool, errors and warnings": errors + warnings}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def seal_of(labels: dict) -> str:
    """Of the labels and configs of `final`, layout apart."""
    final = [[name, label, json.loads((ZOO / f"{name}.json").read_text())] for name, label in sorted(labels.items())]
    return digest(json.dumps([case for case in final if case[1]["split"] == "final"], sort_keys=True))


def check_labels(labels: dict) -> None:
    configs = {path.stem for path in ZOO.glob("*.json")} - {"labels"}
    if configs != set(labels):
        sys.exit(f"error: configs without a label, or labels without a config: {sorted(configs ^ set(labels))}")
    strays = sorted({label["split"] for label in labels.values()} - set(SPLITS))
    if strays:
        sys.exit(f"error: splits that there are not: {strays}")
    if seal_of(labels) != FINAL_SEAL:
        sys.exit(f"error: the cases of `final` are not those that were sealed (docs/zoo.md); theirs would be {seal_of(labels)}")


def read_run(folder: Path, name: str, seed: int, label: dict) -> Run:
    run = Run(name, seed, label["split"], label["family"], label["sick"], True, "", {})
    try:
        status = int((folder / "status").read_text())
        document = json.loads((folder / "check.json").read_text())
        findings = document["findings"]
    except (OSError, ValueError, KeyError, TypeError):
        return run
    run.failed = status not in (0, 1)
    order = ("info", "warning", "error")
    for finding in findings:
        rule, severity = finding["rule"], finding["severity"]
        run.rules[rule] = max(run.rules.get(rule, "info"), severity, key=order.index)
    run.root = next((finding["rule"] for finding in findings if finding.get("root")), "")
    run.found = run.sick and any(rule in label["expect"] for rule in run.rules)
    run.rooted = run.sick and run.root in label["root"]
    return run


def share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def score(runs: list[Run]) -> dict:
    sick, healthy = [r for r in runs if r.sick], [r for r in runs if not r.sick]
    at_error = [r for r in runs if r.has("error")]
    at_warning = [r for r in runs if r.has("error", "warning")]
    return {
        "sick": len(sick),
        "healthy": len(healthy),
        "failed": sum(r.failed for r in runs),
        "recall": share(sum(r.found for r in sick), len(sick)),
        "root": share(sum(r.rooted for r in sick), len(sick)),
        "precision": share(sum(r.sick for r in at_error), len(at_error)),
        "precision_with_warnings": share(sum(r.sick for r in at_warning), len(at_warning)),
        "errors_on_healthy": sum(r.failed or r.has("error") for r in healthy),
        "warnings_on_healthy": sum(r.has("warning") and not r.has("error") for r in healthy),
    }


def score_table(scores: dict[str, dict]) -> str:
    heads = ["split", "runs sick / healthy", "recall", "root cause", "precision", "precision with warnings"]
    heads += ["errors on healthy", "warnings on healthy", "failed"]
    rows = ["| " + " | ".join(heads) + " |", "|---|" + "--:|" * (len(heads) - 1)]
    for split, s in scores.items():
        rates = [f"{s[key]:.3f}" for key in ("recall", "root", "precision", "precision_with_warnings")]
        counts = [str(s[key]) for key in ("errors_on_healthy", "warnings_on_healthy", "failed")]
        rows.append(f"| {split} | {s['sick']} / {s['healthy']} | " + " | ".join(rates + counts) + " |")
    return "\n".join(rows)


def said(runs: list[Run]) -> str:
    """What most of the runs say: root cause, and the other rules that fired in any of them."""
    roots = Counter(r.root or ("failed" if r.failed else "none") for r in runs).most_common(1)[0][0]
    others = sorted({rule for r in runs for rule in r.rules} - {roots})
    return f"{roots}; also {', '.join(others)}" if others else roots


def miss_table(runs: list[Run], labels: dict) -> str:
    cases = defaultdict(list)
    for run in runs:
        is_wrong = not (run.found and run.rooted) if run.sick else run.failed or run.has("error", "warning")
        if is_wrong:
            cases[run.name].append(run)
    if not cases:
        return "none"
    rows = ["| case | what is wrong | seeds | root cause said | accepted |", "|---|---|--:|---|---|"]
    for name, wrong in sorted(cases.items()):
        label, first = labels[name], wrong[0]
        if all(r.failed for r in wrong):
            what = "failed"
        elif label["sick"]:
            what = "missed" if any(not r.found for r in wrong) else "other root"
        else:
            what = "false error" if any(r.failed or r.has("error") for r in wrong) else "warning"
        accepted = ", ".join(label["root"]) or "healthy"
        rows.append(f"| {name} ({first.split}) | {what} | {len(wrong)} | {said(wrong)} | {accepted} |")
    return "\n".join(rows)


def targets_missed(scores: dict[str, dict]) -> list[str]:
    false_errors = {split: s["errors_on_healthy"] for split, s in scores.items() if s["errors_on_healthy"]}
    missed = [f"{count} errors on healthy runs of {split}" for split, count in false_errors.items()]
    final = scores.get("final")
    if final and final["recall"] < RECALL:
        missed.append(f"recall {final['recall']:.3f} on final is below {RECALL}")
    if final and final["root"] < ROOT_RATE:
        missed.append(f"root-cause rate {final['root']:.3f} on final is below {ROOT_RATE}")
    return missed


def fill(page: Path, key: str, text: str) -> None:
    """Replaces what stands between the two marks of `key`."""
    begin, end = f"<!-- {key} -->", f"<!-- /{key} -->"
    before, rest = page.read_text().split(begin)
    page.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="cases that were run; all without one")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "zoo", help="folder of the runs")
    parser.add_argument("--write", action="store_true", help="fill the tables of docs/zoo.md")
    parser.add_argument("--compare", action="store_true", help="also judge the logs of `final` by the rules of other tools")
    options = parser.parse_args()
    labels = json.loads((ZOO / "labels.json").read_text())
    check_labels(labels)
    jobs = [line.split() for line in (options.out / "jobs").read_text().splitlines()]
    runs = [read_run(options.out / f"{name}-{seed}", name, int(seed), labels[name]) for name, seed in jobs]
    scores = {split: score([r for r in runs if r.split == split]) for split in SPLITS if any(r.split == split for r in runs)}
    tables = {"scores": score_table(scores), "misses": miss_table(runs, labels)}
    results = {"scores": scores, "targets_missed": targets_missed(scores), "runs": [asdict(r) for r in runs]}
    if options.compare:
        from other_rules import compare

        final = [{"name": r.name, "seed": r.seed, "sick": r.sick, "said": r.said()} for r in runs if r.split == "final"]
        tables["others"], results["others"] = compare(final, options.out)
    (options.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    for key, table in tables.items():
        print(f"{key}\n\n{table}\n")
        if options.write:
            fill(PAGE, key, table)
    for missed in results["targets_missed"]:
        print(f"target missed: {missed}")
    return 1 if results["targets_missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
