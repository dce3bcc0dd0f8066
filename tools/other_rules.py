"""Published rules of other tools, written anew and applied to gradtool's logs of the same runs.

    python3 tools/other_rules.py RUN...        what each tool would say of these run folders
    tools/zoo.sh --compare                     their precision and recall on the zoo

AutoTrainer (Zhang et al. 2021, ICSE; defaults of its repository), Amazon SageMaker Debugger's built-in rules (defaults of its
documentation) and TheDeepChecker (Ben Braiek & Khomh 2023, TOSEM; defaults as published with its code). Each sees what it would
see: AutoTrainer the gradients of the weights once an epoch, SageMaker each step, TheDeepChecker every tenth step. docs/zoo.md
says what a log does not hold. Where a log holds a number only nearly as the tool takes it (a root mean square for a mean of
magnitudes; the zeros of a layer for its dead units), the nearest reading is used, and its function says so.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from zoo_log import Log, number, read_log

PERIOD = 10  # steps between checks of TheDeepChecker
# A layer half of whose units are dead, the others zero for half of their inputs, has this share of zeros.
HALF_DEAD_ZEROS = 0.75
GAUSSIAN_MEAN_OF_MAGNITUDE = math.sqrt(2 / math.pi)  # times the root mean square
FIVE_TO_95 = 2 * 1.645  # percentiles of a normal distribution, in deviations
ACTIVATIONS = {"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "sigmoid", "tanh", "softplus", "hardtanh"}


def size(shape: list[int]) -> int:
    return math.prod(shape)


def weights(log: Log) -> list[int]:
    """Parameters that are matrices: kernels, to these tools."""
    return [i for i, p in enumerate(log.run["parameters"]) if len(p["shape"]) > 1]


def layers(log: Log, types: set[str]) -> list[int]:
    return [i for i, layer in enumerate(log.run["layers"]) if layer["type"] in types]


def pre_activations(log: Log, types: set[str]) -> list[tuple[int, str]]:
    """Layers that feed an activation of one of these types, as the next in the list, with its type."""
    kinds = [layer["type"] for layer in log.run["layers"]]
    return [(i, kinds[i + 1]) for i in range(len(kinds) - 1) if kinds[i + 1] in types and kinds[i] not in ACTIVATIONS]


def mean_magnitude(norm: float, count: int) -> float:
    """Of a tensor of which the log has the 2-norm, as if its numbers were normal."""
    return GAUSSIAN_MEAN_OF_MAGNITUDE * norm / math.sqrt(count)


def is_not_finite(log: Log) -> bool:
    if any(not math.isfinite(number(step[key])) for step in log.steps if not step["skipped"] for key in ("loss", "grad_norm")):
        return True
    return any(number(n) > 0 for kind in ("gradients", "activations") for event in log.arrays[kind] for n in event["nonfinite"])


# --- AutoTrainer


def epoch_ends(log: Log) -> set[int]:
    last = {}
    for step in log.steps:
        last[step["epoch"]] = step["step"]
    return set(last.values())


def alternates(values: list[float], swing: float, rate: float) -> bool:
    peaks, valleys = [], []
    for before, at, after in zip(values, values[1:], values[2:]):
        if at >= before and at >= after:
            peaks.append(at)
        if at <= before and at <= after:
            valleys.append(at)
    swings = sum(high - low >= swing for high, low in zip(peaks, valleys))
    return bool(values) and swings >= rate * len(values) and swings > 0


def auto_trainer(log: Log) -> set[str]:
    """Its gate is accuracy above 0.7; of runs without one, a loss below half of the first. Slow and oscillating training are
    judged by the accuracy of evaluations alone, as training accuracy is not logged."""
    said = set()
    if is_not_finite(log) or any(number(e["loss"]) >= 1e5 for e in log.evals):
        said.add("explode")
    accuracy = [number(e["accuracy"]) for e in log.evals if e.get("accuracy") is not None]
    kernels = weights(log)
    losses = [loss for loss in log.losses if math.isfinite(loss)]
    converged = max(accuracy) >= 0.7 if accuracy else bool(losses) and losses[-1] < 0.5 * losses[0]
    if converged or not kernels:
        if alternates(accuracy, 0.03, 0.2):
            said.add("oscillating")
        return said
    ends = epoch_ends(log)
    counts = [size(p["shape"]) for p in log.run["parameters"]]
    for event in log.arrays["gradients"]:
        if event["step"] not in ends:
            continue
        norm = [number(n) for n in event["norm"]]
        zeros = sum(number(z) * n for z, n in zip(event["zeros"], counts) if z is not None) / sum(counts)
        first, last = norm[kernels[0]], norm[kernels[-1]]
        if zeros >= 0.7:
            said.add("dying relu")
        if last > 0 and first / last > 70:
            said.add("explode")
        if last > 0 and first / last < 1e-3 and first < 1e-4:
            said.add("vanish")
    gains = [after - before for before, after in zip(accuracy, accuracy[1:])]
    if gains and max(gains) < 0.01 and not said:
        said.add("slow convergence")
    return said


# --- Amazon SageMaker Debugger


def sagemaker_gradients(log: Log) -> set[str]:
    said = set()
    counts = [size(p["shape"]) for p in log.run["parameters"]]
    for event in log.arrays["gradients"]:
        for norm, zeros, count in zip(event["norm"], event["zeros"], counts):
            if norm is None:
                continue
            if mean_magnitude(number(norm), count) < 1e-7:
                said.add("VanishingGradient")
            if number(zeros) == 1:
                said.add("AllZero")
    return said


def sagemaker_activations(log: Log) -> set[str]:
    """DeadRelu and SaturatedActivation look at each unit; of a layer the log has the share of zeros and the spread."""
    said = set()
    relus, inputs = layers(log, {"relu"}), pre_activations(log, {"tanh", "sigmoid"})
    for event in log.arrays["activations"]:
        if any(number(event["zeros"][i]) > HALF_DEAD_ZEROS for i in relus):
            said.add("DeadRelu")
        for i, kind in inputs:
            limit = 9.4999 if kind == "tanh" else 23.0
            if math.hypot(number(event["mean"][i]), number(event["std"][i])) > limit:
                said.add("SaturatedActivation")
    return said


def sagemaker_weights(log: Log) -> set[str]:
    """PoorWeightInitialization: variances of the inputs of ReLUs, and the range of gradients, in the first ten steps."""
    said = set()
    for event in log.arrays["updates"]:
        ratios = [number(r) for r in event["ratio"] if r is not None]
        if any(r > 10 or r < 1e-8 for r in ratios):
            said.add("WeightUpdateRatio")
    inputs = [i for i, _ in pre_activations(log, {"relu"})]
    for event in log.arrays["activations"]:
        variances = [number(event["std"][i]) ** 2 for i in inputs]
        if event["step"] <= 10 and len(variances) > 1 and max(variances) > 10 * min(variances):
            said.add("PoorWeightInitialization")
    for event in log.arrays["gradients"]:
        deviations = [number(event["std"][i]) for i in weights(log) if event["std"][i] is not None]
        if event["step"] <= 10 and deviations and FIVE_TO_95 * min(deviations) < 0.001:
            said.add("PoorWeightInitialization")
    return said


def sagemaker(log: Log) -> set[str]:
    said = sagemaker_gradients(log) | sagemaker_activations(log) | sagemaker_weights(log)
    if is_not_finite(log):
        said.add("ExplodingTensor")
    losses = log.losses
    if any(before != 0 and (before - after) / abs(before) < 0.001 for before, after in zip(losses[::10], losses[10::10])):
        said.add("LossNotDecreasing")
    train = {step["step"]: number(step["loss"]) for step in log.steps}
    for event in log.evals:
        mine = train.get(event["step"], math.nan)
        if mine > 0 and (number(event["loss"]) - mine) / mine > 0.1:
            said.add("Overfit")
    return said


# --- TheDeepChecker


def deep_checker_loss(log: Log) -> set[str]:
    """The smoothness of the loss curve is left out: its definition is not in what was published."""
    said = set()
    if any(not math.isfinite(loss) for loss in log.losses):
        said.add("loss not finite")
    head = log.run["layers"][-1]["output"] if log.run["layers"] else []
    if log.run["loss"] == "cross_entropy" and head and head[-1] > 1 and log.losses:
        chance = math.log(head[-1])
        if abs(log.losses[0] - chance) > chance:
            said.add("initial loss")
    means = [statistics.fmean(log.losses[i : i + PERIOD]) for i in range(0, len(log.losses) - PERIOD + 1, PERIOD)]
    for end in range(5, len(means) + 1):
        window = means[end - 5 : end]
        if all(before != 0 and (before - after) / before < 0.05 for before, after in zip(window, window[1:])):
            said.add("loss stagnates")
        if all(before > 0 and after / before >= 2 for before, after in zip(window, window[1:])):
            said.add("loss diverges")
    return said


def deep_checker_activations(log: Log) -> set[str]:
    """A unit is dead when 95 of 100 of its outputs are; of a layer the log has the share of zeros. Saturation (rho_B) needs a
    histogram of each unit and is left out."""
    said = set()
    for event in log.arrays["activations"]:
        if event["step"] < PERIOD or event["step"] % PERIOD:
            continue
        for i in layers(log, ACTIVATIONS):
            if not 0.5 <= number(event["std"][i]) <= 2:
                said.add("activation range")
        if any(number(event["zeros"][i]) > HALF_DEAD_ZEROS for i in layers(log, {"relu"})):
            said.add("dead units")
    return said


def grows(values: list[float], factor: float) -> bool:
    """Four ratios in a row of at least (below 1: at most) the factor."""
    ratios = [after / before if before > 0 else math.nan for before, after in zip(values, values[1:])]
    right = [ratio >= factor if factor > 1 else ratio <= factor for ratio in ratios]
    return any(all(right[i : i + 4]) for i in range(len(right) - 3))


def deep_checker_gradients(log: Log) -> set[str]:
    """Explosion by a fixed limit is left out, as the limit was not to be found; growth by 2 in each of four steps is here."""
    said = set()
    for i in weights(log):
        count = size(log.run["parameters"][i]["shape"])
        means = [mean_magnitude(n, count) for n in log.column("gradients", "norm", i)]
        if any(mean < 1e-6 for mean in means[PERIOD::PERIOD]) or grows(means, 0.5):
            said.add("vanishing gradient")
        if grows(means, 2):
            said.add("exploding gradient")
        ratios = [r for r in log.column("updates", "ratio", i)]
        for start in range(0, len(ratios) - PERIOD + 1, PERIOD):
            logs = [math.log10(r) for r in ratios[start : start + PERIOD] if r > 0 and math.isfinite(r)]
            if not logs:
                said.add("untrained")
            elif statistics.fmean(logs) > -1:
                said.add("updates too fast")
            elif statistics.fmean(logs) < -4:
                said.add("updates too slow")
        if grows(log.column("updates", "weight_norm", i)[::PERIOD], 2):
            said.add("weights diverge")
    return said


def deep_checker(log: Log) -> set[str]:
    return deep_checker_loss(log) | deep_checker_activations(log) | deep_checker_gradients(log)


TOOLS: dict[str, Callable[[Log], set[str]]] = {
    "AutoTrainer": auto_trainer,
    "SageMaker Debugger": sagemaker,
    "TheDeepChecker": deep_checker,
}


def compare(runs: list[dict], out: Path) -> tuple[str, list[dict]]:
    """Table and verdicts for runs with the keys name, seed, sick and said ({"gradtool": rules, ...}, to which those of the
    other tools are added), whose logs are in out/NAME-SEED/run. A run without a log is left out."""
    runs = [run for run in runs if (out / f"{run['name']}-{run['seed']}" / "run" / "log.jsonl").exists()]
    for run in runs:
        log = read_log(out / f"{run['name']}-{run['seed']}" / "run")
        run["said"] |= {tool: sorted(judge(log)) for tool, judge in TOOLS.items()}
    ill, well = [run for run in runs if run["sick"]], [run for run in runs if not run["sick"]]
    rows = ["| tool, rule | sick runs flagged | healthy runs flagged | recall | precision |", "|---|--:|--:|--:|--:|"]

    def row(label: str, fires: Callable[[dict], bool]) -> None:
        true, false = sum(map(fires, ill)), sum(map(fires, well))
        precision = f"{true / (true + false):.3f}" if true + false else "-"
        recall = true / max(1, len(ill))
        rows.append(f"| {label} | {true} of {len(ill)} | {false} of {len(well)} | {recall:.3f} | {precision} |")

    for tool in runs[0]["said"] if runs else ():
        row(f"**{tool}**", lambda run, t=tool: bool(run["said"][t]))
        if tool in TOOLS:
            for rule, _ in Counter(rule for run in runs for rule in run["said"][tool]).most_common():
                row(f"{tool}: {rule}", lambda run, t=tool, r=rule: r in run["said"][t])
    return "\n".join(rows), runs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="run folders")
    for folder in parser.parse_args().runs:
        log = read_log(folder)
        for tool, judge in TOOLS.items():
            print(f"{folder}: {tool}: {', '.join(sorted(judge(log))) or 'nothing'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
