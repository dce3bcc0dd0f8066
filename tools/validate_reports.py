"""Reports of `gradtool check` as other tools read them: validate_reports.py GRADTOOL JUNIT_XSD SARIF_SCHEMA.

Subjects: a healthy and a sick training, one whose names are full of what each format escapes, a run as it was left, one
without its config, another tool's log, and one that cannot be read; each alone, and all together."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import jsonschema
import junitparser
import xmlschema
from sarif import loader

MODEL = {"input": [2], "layers": [{"type": "linear", "name": "fc1", "out": 8}, {"type": "tanh"},
                                  {"type": "linear", "name": "head", "out": 3}]}
CONFIG = {"seed": 1, "model": MODEL, "data": {"type": "spiral", "classes": 3, "samples": 60, "noise": 0.1},
          "loss": "cross_entropy", "optimizer": {"type": "adamw", "lr": 0.01}, "train": {"epochs": 20, "batch_size": 16},
          "output": {"plots": False}}
SICK = {"optimizer": {"type": "sgd", "lr": 1e38}}
LOG = os.path.abspath("tests/data/foreign/pytorch-vanishing")
STRANGE = "we<ird> & 100% \"q\", a:b|c`d`[e]"

checks = 0


def check(condition, what):
    global checks
    checks += 1
    if not condition:
        sys.exit(f"FAILED: {what}")


def write_subjects(gradtool):
    """Writes the configs and runs into the working directory; returns the subjects' paths."""
    os.makedirs("con figs")
    strange = json.loads(json.dumps({**CONFIG, **SICK}))
    strange["model"]["layers"][0]["name"] = STRANGE
    strange["name"] = STRANGE
    for path, config in {"healthy.json": CONFIG, "sick.json": {**CONFIG, **SICK}, "con figs/a,b:c%d.json": strange}.items():
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file, indent=1)
    subprocess.run([gradtool, "train", "sick.json", "-q", "--out", "run"], stderr=subprocess.DEVNULL, check=False)
    subprocess.run([gradtool, "train", "sick.json", "-q", "--out", "bare"], stderr=subprocess.DEVNULL, check=False)
    os.remove("bare/config.json")
    shutil.copytree(LOG, "a log")
    return ["healthy.json", "sick.json", "con figs/a,b:c%d.json", "run", "bare", "a log", "missing.json"]


def run(gradtool, paths, form, extra=(), env=None):
    result = subprocess.run([gradtool, "check", "-q", "--format", form, *extra, *paths], capture_output=True, check=False,
                            env={**{k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "GITLAB_", "CI_"))},
                                 **(env or {})})
    return result.returncode, result.stdout.decode("utf-8")


def check_path(path, what):
    check(path and not os.path.isabs(path) and not path.startswith("file:") and ".." not in path.split("/"), f"{what}: {path}")


def validate_junit(text, schema, findings, has_files):
    with open("report.xml", "w", encoding="utf-8") as file:
        file.write(text)
    if not has_files:
        errors = [error.reason for error in schema.iter_errors("report.xml")]
        check(not errors, f"junit: {errors[:3]}")
    report = junitparser.JUnitXml.fromfile("report.xml")
    names, failures, errors, count = set(), 0, 0, 0
    for suite in report:
        suite_cases = list(suite)
        check(suite.tests == len(suite_cases), "junit: tests of a suite")
        check(suite.skipped == sum(case.is_skipped for case in suite_cases), "junit: skipped of a suite")
        for case in suite_cases:
            check((case.classname, case.name) not in names, f"junit: two cases {case.classname} {case.name}")
            names.add((case.classname, case.name))
            failures += case.is_failure
            errors += case.is_error
            count += 1
    check(report.tests == count and report.failures == failures and report.errors == errors, "junit: totals")
    check((failures > 0) == any(f["severity"] == "error" for f in findings), "junit: failures without errors, or the reverse")


def validate_sarif(text, schema, findings):
    document = json.loads(text)
    problems = [error.message for error in jsonschema.Draft4Validator(schema).iter_errors(document)]
    check(not problems, f"sarif: {problems[:3]}")
    result_run = document["runs"][0]
    rules = result_run["tool"]["driver"]["rules"]
    for rule in rules:
        for key in ("shortDescription", "fullDescription", "help"):
            check(0 < len(rule[key]["text"]), f"sarif: {rule['id']} has no {key}")
        check(len(rule["fullDescription"]["text"]) <= 1024, f"sarif: the full description of {rule['id']} is too long")
        check(rule["properties"]["precision"] in ("very-high", "high", "medium", "low"), "sarif: precision")
    check(len(result_run["results"]) == len(findings), "sarif: as many results as findings")
    for result in result_run["results"]:
        check(rules[result["ruleIndex"]]["id"] == result["ruleId"], "sarif: ruleIndex")
        location = result["locations"][0]["physicalLocation"]
        check_path(location["artifactLocation"]["uri"], "sarif: uri")
        check(re.fullmatch(r"[A-Za-z0-9\-._~/%]+", location["artifactLocation"]["uri"]), "sarif: uri is not escaped")
        region = location["region"]
        check((region["endLine"], region["endColumn"]) >= (region["startLine"], region["startColumn"]), "sarif: region")
        check(result["partialFingerprints"]["primaryLocationLineHash"], "sarif: fingerprint")
    with open("report.sarif", "w", encoding="utf-8") as file:
        file.write(text)
    read = loader.load_sarif_file("report.sarif")
    check(len(read.get_records()) == len(findings), "sarif-tools reads another number of results")


def unescape(value, is_property):
    if is_property:
        value = value.replace("%2C", ",").replace("%3A", ":")
    return value.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")


def validate_github(text, findings):
    """As the runner reads its commands (actions/runner, ActionCommand.TryParseV2)."""
    counts = {}
    for line in text.splitlines():
        match = re.fullmatch(r"::([a-z]+)(?: ([^:]*))?::(.*)", line)
        if not match:
            check(re.fullmatch(r"\.\.\.and \d+ more, see the summary", line), f"github: {line}")
            continue
        level, properties, message = match.groups()
        check(level in ("error", "warning", "notice"), f"github: level {level}")
        values = dict(item.split("=", 1) for item in properties.split(","))
        values = {key: unescape(value, True) for key, value in values.items()}
        check(set(values) <= {"file", "line", "col", "endLine", "endColumn", "title"}, f"github: {values}")
        check_path(values["file"], "github: file")
        check(os.path.exists(values["file"]) or "missing" in values["file"], f"github: there is no {values['file']}")
        check(values.get("line") == values.get("endLine"), "github: an annotation over several lines has no columns")
        check(unescape(message, False).strip(), "github: no message")
        counts[level] = counts.get(level, 0) + 1
    check(all(count <= 10 for count in counts.values()), f"github: {counts}")
    check(sum(counts.values()) > 0 or not findings, "github: no annotations")


def validate_gitlab(text, findings, problems):
    check(not text.startswith("\ufeff"), "gitlab: byte order mark")
    entries = json.loads(text)
    check(len(entries) == len(findings) + problems, "gitlab: as many entries as findings")
    check(len({entry["fingerprint"] for entry in entries}) == len(entries), "gitlab: fingerprints")
    for entry in entries:
        check(set(entry) == {"description", "check_name", "fingerprint", "severity", "location"}, "gitlab: keys")
        check(all(isinstance(entry[key], str) and entry[key] for key in entry if key != "location"), "gitlab: strings")
        check(entry["severity"] in ("info", "minor", "major", "critical", "blocker"), "gitlab: severity")
        check_path(entry["location"]["path"], "gitlab: path")
        check(isinstance(entry["location"]["lines"]["begin"], int) and entry["location"]["lines"]["begin"] > 0, "gitlab: line")


def validate_markdown(text):
    columns = None
    for line in text.splitlines():
        if not line.startswith("|"):
            columns = None
            continue
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1
        check(columns in (None, cells), f"markdown: a row of {cells} cells in a table of {columns}: {line}")
        columns = cells


def findings_of(gradtool, paths):
    status, text = run(gradtool, paths, "json")
    document = json.loads(text) if text else {"results": []}
    results = document.get("results", [document])
    return status, [finding for result in results for finding in result.get("findings", [])]


def validate(gradtool, paths, junit, sarif):
    status, findings = findings_of(gradtool, paths)
    problems = sum(path.startswith("missing") for path in paths)
    check(status == (2 if problems else 1 if any(f["severity"] == "error" for f in findings) else 0), f"{paths}: status {status}")
    if problems == len(paths):
        return
    for has_files in (False, True):
        validate_junit(run(gradtool, paths, "junit", ["--junit-family", "gitlab"] if has_files else [])[1], junit, findings, has_files)
    validate_sarif(run(gradtool, paths, "sarif")[1], sarif, findings)
    validate_github(run(gradtool, paths, "github")[1], findings)
    validate_gitlab(run(gradtool, paths, "gitlab")[1], findings, problems)
    validate_markdown(run(gradtool, paths, "markdown")[1])
    for form in ("text", "concise"):
        text = run(gradtool, paths, form)[1]
        check(not re.search(r"[\x00-\x09\x0b-\x1f\x7f]|^::", text, re.MULTILINE), f"{form}: control characters")
    summary = os.path.join(os.getcwd(), "summary.md")
    run(gradtool, paths, "github", env={"GITHUB_STEP_SUMMARY": summary})
    with open(summary, encoding="utf-8") as file:
        validate_markdown(file.read())
    os.remove(summary)


def main():
    gradtool, junit, sarif = sys.argv[1], xmlschema.XMLSchema(sys.argv[2]), json.load(open(sys.argv[3], encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.mkdir(".git")
        subjects = write_subjects(gradtool)
        for paths in [[subject] for subject in subjects] + [subjects]:
            validate(gradtool, paths, junit, sarif)
        os.chdir("/")
    print(f"reports: {checks} checks passed")


main()
