"""Experiments with the training step itself: learning, clipping, accumulation, the optimizer, half precision."""

from __future__ import annotations

from math import log

import numpy as np
from result import Picture, Result, between, near
from runs import Laboratory, Run

SAVE_GRADIENTS = [{"on": "*", "at": "grad", "do": "save"}]


def _gradient(run: Run, step: int = 1) -> np.ndarray:
    """The saved gradients of all parameters as one vector."""
    return np.concatenate([run.saved(f"{p['name']}.grad", step).ravel() for p in run.log[0]["parameters"]])


def _weights(run: Run) -> np.ndarray:
    weights = run.weights()
    return np.concatenate([weights[p["name"]].ravel() for p in run.log[0]["parameters"]])


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def he_training(lab: Laboratory) -> Result:
    """30 ReLU layers of 128 on ten Gaussian classes: 400 steps of SGD, 5 seeds."""
    cases = [("He", 0.01, "blue"), ("Xavier", 0.01, "orange"), ("Xavier", 0.05, "yellow"), ("Xavier", 0.1, "purple")]
    pending = [
        [
            lab.train(f"deep-relu-{name.lower()}", {"seed": seed, "monitor.instruments": [], "optimizer.lr": lr})
            for seed in range(1, 6)
        ]
        for name, lr, _ in cases
    ]
    rows, tables, lines = [], {}, []
    for index, (name, lr, colour) in enumerate(cases):
        losses = np.array([run.result().steps("loss") for run in pending[index]])
        end, label = np.median(losses[:, -100:].mean(1)), f"{name}, lr {lr:g}: loss of the last 100 steps, median of 5 seeds"
        rows.append(
            between(label, end, "below 0.05", 0, 0.05) if name == "He" else near(label, end, log(10), absolute=0.01, digits=5)
        )
        # Means of 10 steps; an empty line parts the seeds.
        tables[f"t{index}"] = [
            row for loss in losses for row in [*zip(range(5, 400, 10), loss.reshape(-1, 10).mean(1), strict=True), None]
        ]
        lines.append(f'$t{index} using 1:2 with lines lw 1.5 lc rgb {colour} title "{name}, lr {lr:g}"')
    guessing = f'{log(10)} with lines lc rgb "#000000" dt 2 title "ln 10: guessing"'
    commands = f"""
set multiplot layout 1,2
set xlabel "step"
set ylabel "loss"
set title "means of 10 steps, 5 seeds each"
set logscale y
set yrange [1e-5:10]
set format y "10^{{%L}}"
set termoption enhanced
set key bottom left
plot {lines[0]}, {lines[1]}, {guessing}
unset logscale y
set title "Xavier alone: of 15 runs one begins to learn"
set format y "%g"
set yrange [2.2:2.35]
plot {", ".join(lines[1:])}, {guessing}
"""
    return Result(
        "he-training",
        "He trains 30 layers, Xavier stalls",
        "He et al. 2015, figure 3",
        rows,
        Picture(commands, tables, 900, 400),
    )


def clipping(lab: Laboratory) -> Result:
    """The ledger of clipping by the global norm, c = 1."""
    limit = 1.0
    ledger = lab.train("simple-nn-10-5-1")
    one = [lab.train("simple-nn-10-5-1", {"train.steps": 1, "optimizer.lr": lr, "hooks": SAVE_GRADIENTS}) for lr in (0, 0.05)]
    run = ledger.result()
    before, after = run.steps("grad_norm"), run.steps("clipped_norm")
    expected = np.where(before > limit, before * limit / (before + 1e-6), before)
    start, moved = (r.result() for r in one)
    update = _weights(start) - _weights(moved)
    rows = [
        near(
            "largest relative distance of the norm after clipping from min(n, c n / (n + 1e-6))",
            np.max(np.abs(after / expected - 1)),
            0,
            absolute=1e-6,
        ),
        near("clip events less steps with a norm above c", len(run.events("clip")) - int(np.sum(before > limit)), 0),
        near("cosine of a clipped update with its gradient", _cosine(update, _gradient(moved)), 1, absolute=1e-9, digits=10),
        near("length of a clipped update, over lr c", np.linalg.norm(update) / (0.05 * limit), 1, absolute=1e-5, digits=7),
    ]
    commands = """
set logscale xy
set format xy "%g"
set xlabel "norm before clipping"
set ylabel "norm after clipping"
set key top left
set xrange [0.004:4]
set yrange [0.004:4]
plot x < 1 ? x : 1 with lines lw 2 lc rgb blue title "theory: min(n, 1)", \\
     $steps using 1:2 with points pt 6 lc rgb orange title "measured: 200 steps"
"""
    return Result(
        "clipping",
        "The ledger of gradient clipping",
        "Pascanu et al. 2013, algorithm 1",
        rows,
        Picture(commands, {"steps": list(zip(before, after, strict=True))}, 700, 450),
    )


def accumulation(lab: Laboratory) -> Result:
    """Micro-batches of 1, 9, 4 and 30 tokens: the mean over tokens, and not the mean of the micro-batches' means."""
    tokens = np.array([1, 9, 4, 30])
    pending = [
        lab.train("science/accumulate", settings)
        for settings in ({}, {"train.accumulate": 1, "train.batch_size": 4}, {"train.accumulate": 1, "train.steps": 4})
    ]
    group, batch, single = (run.result() for run in pending)
    accumulated, whole = _gradient(group), _gradient(batch)
    each = np.array([_gradient(single, step) for step in (1, 2, 3, 4)])
    means = each.mean(0)
    size = np.linalg.norm(whole)
    rows = [
        near(
            "accumulated gradient against the full batch's, relative",
            np.linalg.norm(accumulated - whole) / size,
            0,
            absolute=1e-6,
        ),
        near(
            "token-weighted sum of the micro-batches' gradients, relative",
            np.linalg.norm(tokens @ each / tokens.sum() - whole) / size,
            0,
            absolute=1e-6,
        ),
        between(
            "mean of the micro-batches' means, relative: the known mistake",
            np.linalg.norm(means - whole) / size,
            "far from 0",
            0.1,
            np.inf,
        ),
    ]
    commands = """
set xlabel "gradient of the full batch, element by element"
set ylabel "gradient of four micro-batches"
set yrange [-0.15:0.2]
set key top left
plot x with lines lw 2 lc rgb blue title "theory: equal", \\
     $elements using 1:2 with points pt 7 ps 0.8 lc rgb blue title "accumulated by gradtool", \\
     $elements using 1:3 with points pt 6 ps 0.8 lc rgb orange title "mean of the four means"
"""
    return Result(
        "accumulation",
        "Accumulation over micro-batches of unequal size",
        "transformers pull request 34191",
        rows,
        Picture(commands, {"elements": list(zip(whole, accumulated, means, strict=True))}, 700, 500),
    )


def adam(lab: Laboratory) -> Result:
    """The first step of Adam, eps 0.01, from weights of zero."""
    lr, eps = 0.001, 0.01
    run = lab.train("science/adam").result()
    gradient, update = np.abs(_gradient(run)), np.abs(_weights(run))
    expected = lr / (1 + eps / gradient)
    rows = [
        near(
            "largest relative distance of |update| from lr / (1 + eps / |g|)",
            np.max(np.abs(update / expected - 1)),
            0,
            absolute=1e-5,
        ),
        near("gradients and updates of one sign", np.mean(np.sign(_weights(run)) == -np.sign(_gradient(run))), 1),
    ]
    commands = f"""
set logscale xy
set termoption enhanced
set format xy "10^{{%L}}"
set xlabel "|g|"
set ylabel "|update|"
set yrange [1e-5:5e-3]
set key top left
plot {lr} / (1 + {eps} / x) with lines lw 2 lc rgb blue title "theory: lr / (1 + {{/Symbol e}} / |g|)", \\
     $elements using 1:2 with points pt 6 lc rgb orange title "measured, every third weight", \\
     {lr} with lines dt 2 lc rgb grey title "lr"
"""
    return Result(
        "adam",
        "The first step of Adam",
        "Kingma & Ba 2015, algorithm 1",
        rows,
        Picture(commands, {"elements": list(zip(gradient[::3], update[::3], strict=True))}, 700, 450),
    )


def float16(lab: Laboratory) -> Result:
    """One weight, whose gradient is its input times the loss scale: the limits of float16, and the scaler's cycle."""

    def settings(value: float, scale: float, steps: int = 1) -> dict:
        return {"data.inputs": [[value]], "precision.scaler.init_scale": scale, "train.steps": steps}

    pending = [
        lab.train("science/float16", settings(*case))
        for case in ((1.9990234375, 32768), (2, 32768), (2**-24, 1), (2**-25, 1), (1.9990234375, 32768, 420))
    ]
    largest, overflow, smallest, underflow, cycle = (run.result() for run in pending)
    scale = cycle.steps("scale")
    rows = [
        near("a scaled gradient of 65504: steps skipped", largest.steps("skipped").sum(), 0),
        near("a scaled gradient of 65536: steps skipped", overflow.steps("skipped").sum(), 1),
        near("a gradient of 2^-24: its norm", smallest.steps("grad_norm")[0], 2**-24, relative=1e-8),
        near("a gradient of 2^-25: its norm", underflow.steps("grad_norm")[0], 0),
        near("growth interval 20, 420 steps: steps skipped, one in 21", cycle.steps("skipped").sum(), 20),
    ]
    commands = """
set xlabel "step"
set ylabel "loss scale times gradient"
set xrange [0:100]
set yrange [40000:190000]
set key top right
plot 65504 with lines lw 2 lc rgb blue title "theory: the largest float16, 65504", \\
     $steps using 1:2 with steps lc rgb orange notitle, \\
     $steps using 1:($3 == 0 ? $2 : 1/0) with points pt 6 ps 0.8 lc rgb orange title "measured: step made", \\
     $steps using 1:($3 == 1 ? $2 : 1/0) with points pt 2 ps 1.2 lw 2 lc rgb "#000000" title "measured: step skipped"
"""
    table = list(zip(range(1, 101), scale[:100] * 1.9990234375, cycle.steps("skipped")[:100].astype(int), strict=True))
    return Result(
        "float16",
        "The limits of float16 and the scaler's cycle",
        "IEEE 754; Micikevicius et al. 2018",
        rows,
        Picture(commands, {"steps": table}, 800, 420),
    )


EXPERIMENTS = (he_training, clipping, accumulation, adam, float16)
