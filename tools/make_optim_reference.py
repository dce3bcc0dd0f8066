#!/usr/bin/env python3
"""Writes tests/optim_reference.h: what torch.optim and torch.optim.lr_scheduler make of fixed numbers.

Run from the repository's root, with PyTorch installed:  python3 tools/make_optim_reference.py
"""

import json
import warnings

import torch

warnings.filterwarnings("ignore")

COUNT, UPDATES, STEPS, BASE_LR = 21, 5, 20, 0.3

OPTIMIZERS = [
    {"type": "sgd"},
    {"type": "sgd", "lr": 0.1, "momentum": 0.9},
    {"type": "sgd", "lr": 0.1, "momentum": 0.9, "dampening": 0.25, "weight_decay": 0.01},
    {"type": "sgd", "lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
    {"type": "sgd", "lr": 0.1, "momentum": 0.8, "maximize": True},
    {"type": "adam"},
    {"type": "adam", "lr": 0.05, "betas": [0.8, 0.95], "eps": 0.001, "weight_decay": 0.1},
    {"type": "adam", "lr": 0.05, "betas": [0.3, 0.6], "amsgrad": True},
    {"type": "adam", "lr": 0.05, "maximize": True, "weight_decay": 0.1},
    {"type": "adamw"},
    {"type": "adamw", "lr": 0.05, "weight_decay": 0.2, "amsgrad": True},
    {"type": "rmsprop"},
    {"type": "rmsprop", "lr": 0.02, "alpha": 0.9, "eps": 0.01, "momentum": 0.9, "weight_decay": 0.1},
    {"type": "rmsprop", "lr": 0.02, "alpha": 0.9, "centered": True},
    {"type": "rmsprop", "lr": 0.02, "alpha": 0.9, "centered": True, "momentum": 0.5, "maximize": True},
    {"type": "adagrad"},
    {"type": "adagrad", "lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 0.001},
    {"type": "adagrad", "lr": 0.1, "maximize": True},
]

CLASSES = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW,
           "rmsprop": torch.optim.RMSprop, "adagrad": torch.optim.Adagrad}

SCHEDULES = [
    {"type": "constant"},
    {"type": "step", "every": 3, "gamma": 0.5},
    {"type": "step", "every": 4, "warmup": 5},
    {"type": "exponential", "gamma": 0.9},
    {"type": "cosine"},
    {"type": "cosine", "min_lr": 0.01, "warmup": 5},
    {"type": "linear"},
    {"type": "linear", "min_lr": 0.05, "warmup": 3},
    {"type": "onecycle"},
    {"type": "onecycle", "warmup": 7},
]


def weights():
    return torch.tensor([(i * 37 + 11) % 101 / 64 - 0.75 for i in range(COUNT)])


def gradients(step):
    return torch.tensor([(i * 53 + step * 29 + 7) % 97 / 128 - 0.375 for i in range(COUNT)])


def updates(config):
    """The weights after the first and the last update."""
    options = {key: value for key, value in config.items() if key != "type"}
    parameter = torch.nn.Parameter(weights())
    optimizer = CLASSES[config["type"]]([parameter], foreach=False, **options)
    results = []
    for step in range(UPDATES):
        parameter.grad = gradients(step)
        optimizer.step()
        results.append(parameter.tolist())
    return results[0], results[-1]


def curve(optimizer, config, steps):
    lr_scheduler = torch.optim.lr_scheduler
    kind = config["type"]
    if kind == "constant":
        return lr_scheduler.LambdaLR(optimizer, lambda step: 1)
    if kind == "step":
        return lr_scheduler.StepLR(optimizer, config["every"], config.get("gamma", 0.1))
    if kind == "exponential":
        return lr_scheduler.ExponentialLR(optimizer, config["gamma"])
    if kind == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, steps, config.get("min_lr", 0))
    if kind == "linear":
        return lr_scheduler.LinearLR(optimizer, 1, config.get("min_lr", 0) / BASE_LR, steps)
    return lr_scheduler.OneCycleLR(optimizer, BASE_LR, steps)


def rates(config):
    warmup = config.get("warmup", 0)
    result = [BASE_LR * (step + 1) / warmup for step in range(warmup)]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE_LR, momentum=0.9)
    scheduler = curve(optimizer, config, STEPS - warmup)
    while len(result) < STEPS:
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return result


def array(numbers, digits, suffix=""):
    lines, line = [], "    "
    for number in numbers:
        text = format(number, f".{digits}g")
        text += (suffix if any(c in text for c in ".e") else ".0" + suffix) + ", "
        if len(line) + len(text) > 120:
            lines.append(line.rstrip())
            line = "    "
        line += text
    return "{\n" + "\n".join(lines + [line.rstrip().rstrip(",")]) + "}"


def main():
    with open("tests/optim_reference.h", "w", encoding="utf-8") as out:
        version = torch.__version__.split("+")[0]
        out.write(f"/* Made by tools/make_optim_reference.py with PyTorch {version}; not to be edited. */\n")
        out.write("/* clang-format off */\n")
        out.write(f"enum {{ REFERENCE_COUNT = {COUNT}, REFERENCE_UPDATES = {UPDATES}, REFERENCE_STEPS = {STEPS} }};\n\n")
        out.write("static const struct OptimizerReference {\n    const char *config;\n"
                  "    float first[REFERENCE_COUNT], last[REFERENCE_COUNT];\n} optimizer_references[] = {\n")
        for config in OPTIMIZERS:
            first, last = updates(config)
            text = json.dumps(config).replace('"', '\\"')
            out.write(f"{{\"{text}\",\n{array(first, 9, 'f')},\n{array(last, 9, 'f')}}},\n")
        out.write("};\n\nstatic const struct ScheduleReference {\n    const char *config;\n"
                  "    double rates[REFERENCE_STEPS];\n} schedule_references[] = {\n")
        for config in SCHEDULES:
            text = json.dumps(config).replace('"', '\\"')
            out.write(f"{{\"{text}\",\n{array(rates(config), 17)}}},\n")
        out.write("};\n")


main()
