"""Trains a gradtool config in PyTorch and writes the same run: DIR/log.jsonl and DIR/model.safetensors.

    python3 tools/pytorch_train.py CONFIG [--set k=v]... --out DIR [--data DATA.npz]

CPU, one thread, deterministic; half precision by torch.autocast and torch.amp.GradScaler. It is the reference that gradtool is compared with, so modules, losses, optimizers,
schedules and clipping are torch's own. Starts from the config's "weights" (safetensors) where it names them. Procedural data
needs --data (see pytorch_data.py). Exit status 3: the config has something without a counterpart here (hooks, penalty,
function layers, expressions).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from contextlib import nullcontext
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn, optim
from torch.nn.attention import SDPBackend, sdpa_kernel

from philox import PENALTY, Philox, dataset_order
from pytorch_data import Data, read_config, read_data
from pytorch_model import Network, Unsupported

STATISTICS = ("norm", "min", "max", "mean", "std", "zeros", "nonfinite")
INSTRUMENTS = ("gradients", "activations", "activation_gradients", "updates", "histograms")
DEFAULT_SEED = 0
IGNORED_CLASS = -100

OPTIMIZERS = {"sgd": optim.SGD, "adam": optim.Adam, "adamw": optim.AdamW, "rmsprop": optim.RMSprop, "adagrad": optim.Adagrad}


# --- Losses: (output, target) to a scalar; how many values a mean loss averages -------------------------------------------


def cross_entropy(output: Tensor, target: Tensor, **options: Any) -> Tensor:
    """The classes are the last axis, of images axis 1."""
    images = output.dim() == 4
    return F.cross_entropy(output if images else output.movedim(-1, 1), target.long(), ignore_index=IGNORED_CLASS, **options)


def reduced(values: Tensor, reduction: str) -> Tensor:
    return values.sum() if reduction == "sum" else values.mean()


LOSSES = {
    "cross_entropy": cross_entropy,
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "huber": F.huber_loss,
    "smooth_l1": F.smooth_l1_loss,
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "wasserstein": lambda output, target, reduction: reduced(-(target * output), reduction),
    "mean_output": lambda output, target, reduction: reduced(output.float(), reduction),
}


class Loss:
    def __init__(self, spec: Any):
        options = {"type": spec} if isinstance(spec, str) else dict(spec)
        if options.get("type") not in LOSSES:
            raise Unsupported(f"loss {spec}")
        self.name = options.pop("type")
        self.reduction = options.setdefault("reduction", "mean")
        self.options = options

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        if self.name not in ("cross_entropy", "mean_output"):
            target = self.matched(output, target)
        return LOSSES[self.name](output, target, **self.options)

    @staticmethod
    def matched(output: Tensor, target: Tensor) -> Tensor:
        """Targets of shape [N] meet outputs [N, 1] by reshaping, never by broadcasting."""
        if output.numel() != target.numel():
            raise ValueError(f"targets {list(target.shape)} do not fit the output {list(output.shape)}")
        return target.to(torch.float32).reshape(output.shape)

    def weight(self, output_shape: tuple[int, ...], target: Tensor) -> float:
        """How many values this batch adds to a mean over the group."""
        if self.name == "cross_entropy":
            return float((target != IGNORED_CLASS).sum())
        return float(len(target) * math.prod(output_shape))


# --- Schedules: torch's schedulers on an optimizer that learns nothing ----------------------------------------------------


def learning_rates(spec: dict[str, Any], lr: float, steps: int) -> list[float]:
    if lr == 0:
        return [0.0] * steps
    warmup = min(spec.get("warmup", 0), steps)
    kind, remaining = spec.get("type", "constant"), max(steps - warmup, 1)
    dummy = optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    curve = optim.lr_scheduler
    scheduler = {
        "constant": lambda: curve.ConstantLR(dummy, factor=1.0),
        "step": lambda: curve.StepLR(dummy, spec["every"], spec.get("gamma", 0.1)),
        "exponential": lambda: curve.ExponentialLR(dummy, spec["gamma"]),
        "cosine": lambda: curve.CosineAnnealingLR(dummy, remaining, spec.get("min_lr", 0)),
        "linear": lambda: curve.LinearLR(dummy, 1.0, spec.get("min_lr", 0) / lr, remaining),
        "onecycle": lambda: curve.OneCycleLR(dummy, lr, remaining, cycle_momentum=False),
    }[kind]()
    rates = [lr * (t + 1) / warmup for t in range(warmup)]
    for t in range(steps - warmup):
        rates.append(dummy.param_groups[0]["lr"])
        if t + 1 < steps - warmup:
            dummy.step()
            scheduler.step()
    return rates


# --- Optimizer ------------------------------------------------------------------------------------------------------------


def make_optimizer(spec: dict[str, Any], network: nn.Module, **extra: Any) -> optim.Optimizer:
    """`groups` are merged key by key, later matches win; each distinct set of options is a parameter group of torch's."""
    options = {k: tuple(v) if k == "betas" else v for k, v in spec.items() if k not in ("type", "groups")}
    groups: dict[str, dict[str, Any]] = {}
    for name, parameter in network.named_parameters():
        own: dict[str, Any] = {}
        for group in spec.get("groups", []):
            if fnmatchcase(name, group["match"]):
                own.update((k, tuple(v) if k == "betas" else v) for k, v in group.items() if k != "match")
        groups.setdefault(repr(sorted(own.items())), {**own, "params": []})["params"].append(parameter)
    return OPTIMIZERS[spec.get("type", "sgd")](list(groups.values()), **options, **extra)


# --- Precision ------------------------------------------------------------------------------------------------------------

PRECISIONS = {"float32": torch.bfloat16, "bfloat16": torch.bfloat16, "float16": torch.float16}  # float32: autocast is off


def make_scaler(precision: dict[str, Any]) -> torch.amp.GradScaler:
    """One that is not enabled has scale 1 and steps without looking."""
    options = {"enabled": precision.get("type") == "float16", **(precision.get("scaler") or {})}
    return torch.amp.GradScaler("cpu", **options)


# --- Clipping -------------------------------------------------------------------------------------------------------------


def total_norm(gradients: list[Tensor], norm_type: float = 2.0) -> float:
    return float(nn.utils.get_total_norm([g.double() for g in gradients], norm_type)) if gradients else 0.0


def clip_adaptive(parameter: Tensor, ratio: float) -> None:
    """AGC, Brock et al. 2021: a unit is a row or an output channel, or a whole vector; weight norms floored at 1e-3."""
    axes = tuple(range(1, parameter.dim())) if parameter.dim() > 1 else tuple(range(parameter.dim()))
    limit = ratio * torch.linalg.vector_norm(parameter.detach(), dim=axes, keepdim=True).clamp(min=1e-3)
    norm = torch.linalg.vector_norm(parameter.grad, dim=axes, keepdim=True)
    parameter.grad.copy_(torch.where(norm > limit, parameter.grad * (limit / norm), parameter.grad))


def clip(spec: dict[str, Any], named: list[tuple[str, Tensor]]) -> Iterator[dict[str, Any]]:
    """Clips in place; yields the fields of a "clip" event for each time it changed something."""
    kind, norm_type = spec["type"], float(spec.get("norm_type", 2))
    for part in [[pair] for pair in named] if spec.get("per_layer") else [named]:
        parameters = [p for _, p in part]
        gradients = [p.grad for p in parameters]
        originals = [g.clone() for g in gradients]
        before = total_norm(gradients, norm_type)
        if kind == "norm":
            nn.utils.clip_grad_norm_(parameters, spec["max_norm"], norm_type)
        elif kind == "value":
            nn.utils.clip_grad_value_(parameters, spec["limit"])
        else:
            for parameter in parameters:
                clip_adaptive(parameter, spec["ratio"])
        if any(not torch.equal(a, b) for a, b in zip(originals, gradients)):
            after = total_norm(gradients, norm_type)
            coefficient = min(1.0, spec["max_norm"] / (before + 1e-6)) if kind == "norm" else after / before
            event = {"type": kind, "before": before, "after": after, "coefficient": coefficient}
            yield {"name": part[0][0], **event} if spec.get("per_layer") else event


# --- What is measured -----------------------------------------------------------------------------------------------------


def statistics(x: Tensor | None) -> list[Any]:
    if x is None:
        return [None] * len(STATISTICS)
    x = x.detach().double().flatten()
    mean = x.mean()
    deviation = torch.sqrt(((x - mean) ** 2).mean())
    zeros, nonfinite = (x == 0).double().mean(), (~torch.isfinite(x)).sum()
    values = (torch.linalg.vector_norm(x), x.min(), x.max(), mean, deviation, zeros)
    return [*map(float, values), int(nonfinite)]


def table(tensors: list[Tensor | None]) -> dict[str, list[Any]]:
    return dict(zip(STATISTICS, map(list, zip(*map(statistics, tensors)))))


def exponents(x: Tensor) -> dict[str, Any]:
    """Counts by floor(log2(|value|)), from the smallest that occurs."""
    values = x.detach().double().abs().flatten().numpy()
    zeros = int((values == 0).sum())
    exponent = np.frexp(values[(values > 0) & np.isfinite(values)])[1] - 1
    if not len(exponent):
        return {"zeros": zeros, "exponents": []}
    first = int(exponent.min())
    return {"zeros": zeros, "exponents": [first, *np.bincount(exponent - first).tolist()]}


class Log:
    """log.jsonl: one JSON object a line, numbers with 9 significant digits."""

    def __init__(self, path: Path):
        self.file = path.open("w")

    def write(self, event: str, **fields: Any) -> None:
        self.file.write(json.dumps({"event": event, **self.rounded(fields)}, separators=(",", ":")) + "\n")
        self.file.flush()

    def rounded(self, x: Any) -> Any:
        if isinstance(x, float):
            if math.isfinite(x):
                return float(f"{x:.9g}")
            return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"
        if isinstance(x, dict):
            return {k: self.rounded(v) for k, v in x.items()}
        return [self.rounded(v) for v in x] if isinstance(x, (list, tuple)) else x


class Recorder:
    """Keeps each leaf's outputs of a step, one a micro-batch, with their gradients."""

    def __init__(self, network: Network):
        self.outputs: list[list[Tensor]] = [[] for _ in network.leaf_list()]
        self.on = False
        for index, leaf in enumerate(network.leaf_list()):
            leaf.module.register_forward_hook(self.hook(index))

    def hook(self, index: int):
        def keep(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
            if not self.on:
                return None
            if any(output is x for x in inputs):
                output = output.view_as(output)  # a layer that returns its input still has a gradient of its own
            if output.requires_grad:
                output.retain_grad()
            self.outputs[index].append(output)
            return output

        return keep

    def start(self, on: bool) -> None:
        self.on = on
        for outputs in self.outputs:
            outputs.clear()

    def forget_gradients(self) -> None:
        for output in (x for outputs in self.outputs for x in outputs[-1:]):
            output.grad = None

    def activations(self) -> list[Tensor]:
        return [torch.cat([x.detach() for x in outputs]) for outputs in self.outputs]

    def gradients(self, scale: float) -> list[Tensor | None]:
        """Without the loss scale."""
        gradients = [[None if x.grad is None else x.grad.float() / scale for x in outputs] for outputs in self.outputs]
        return [None if any(g is None for g in parts) else torch.cat(parts) for parts in gradients]


# --- Training -------------------------------------------------------------------------------------------------------------


class Trainer:
    def __init__(self, config: dict[str, Any], data: Data, log: Log):
        for key in ("hooks",):
            if config.get(key):
                raise Unsupported(key)
        self.config, self.data, self.log = config, data, log
        self.seed = config.get("seed", DEFAULT_SEED)
        torch.manual_seed(self.seed)
        self.network = Network(config["model"])
        if "weights" in config:
            self.network.load_state_dict(load_file(config["weights"]))
        self.named = list(self.network.named_parameters())
        self.loss = Loss(config["loss"])
        self.optimizer = make_optimizer(config.get("optimizer", {"type": "sgd", "lr": 0.01}), self.network)
        self.train_options = config["train"]
        self.batch_size = self.train_options.get("batch_size", 32)
        self.steps = self.train_options.get("steps") or self.train_options["epochs"] * sum(1 for _ in self.epoch(0))
        self.base_lr = self.optimizer.defaults["lr"]
        schedule = config.get("schedule", {})
        self.rates = learning_rates(schedule, self.base_lr, self.steps)
        self.group_rates = [learning_rates(schedule, group["lr"], self.steps) for group in self.optimizer.param_groups]
        monitor = config.get("monitor", {})
        wanted = monitor.get("instruments", INSTRUMENTS)
        self.instruments = INSTRUMENTS if wanted in ("all", ["all"]) else () if wanted in ("none", ["none"]) else wanted
        self.every, self.histogram_every = monitor.get("every", 1), monitor.get("histogram_every", 50)
        self.recorder = Recorder(self.network)
        self.penalty, self.runs = config.get("penalty"), 0
        precision = config.get("precision", {})
        self.autocast = partial(torch.autocast, "cpu", dtype=PRECISIONS[precision.get("type", "float32")],
                                enabled=precision.get("type", "float32") != "float32")
        self.scaler = make_scaler(precision)
        self.started = time.perf_counter()

    def epoch(self, epoch: int) -> Iterator[list[np.ndarray]]:
        """The groups of an epoch: each a list of micro-batches of sample numbers."""
        order = np.arange(len(self.data.inputs))
        if self.train_options.get("shuffle", True):
            order = dataset_order(len(order), self.seed, epoch)
        batches = [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]
        if self.train_options.get("drop_last") and len(batches[-1]) < self.batch_size:
            batches.pop()
        size = self.train_options.get("accumulate", 1)
        yield from (batches[i : i + size] for i in range(0, len(batches), size))

    def run(self) -> str:
        self.log_run()
        status, step, epoch = "completed", 0, 0
        while step < self.steps and status == "completed":
            groups = list(self.epoch(epoch))
            for index, group in enumerate(groups):
                step += 1
                every = self.train_options.get("eval_every", 0)
                is_due = step % every == 0 if every else index + 1 == len(groups)
                if not self.step(step, epoch, group):
                    status = "diverged"
                elif is_due or step == self.steps:
                    self.evaluate(step)
                if step == self.steps or status != "completed":
                    break
            epoch += 1
        self.log.write("end", status=status, step=step, seconds=time.perf_counter() - self.started)
        return status

    def log_run(self) -> None:
        self.log.write(
            "run", format=1, version=f"pytorch {torch.__version__}", name=self.config["name"], seed=self.seed,
            parameters=[{"name": n, "layer": self.layer_of(n), "shape": list(p.shape)} for n, p in self.named],
            layers=[{"name": x.name, "type": x.type, "output": list(x.output)} for x in self.network.leaf_list()],
            loss=self.loss.name, steps=self.steps)

    def layer_of(self, parameter: str) -> str:
        return max((x.name for x in self.network.leaf_list() if parameter.startswith(f"{x.name}.")), key=len)

    def batch(self, order: np.ndarray) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(self.data.inputs[order]), torch.from_numpy(self.data.targets[order])

    def accumulate(self, step: int, group: list[np.ndarray]) -> float:
        """Adds up the gradient of the group's loss and returns that loss."""
        batches = [self.batch(order) for order in group]
        weights = [self.loss.weight(self.network.output_shape(), target) for _, target in batches]
        total_loss = 0.0
        for micro, ((inputs, target), weight) in enumerate(zip(batches, weights)):
            at_data = bool(self.penalty) and self.penalty.get("at", "data") == "data"
            with self.autocast():
                output = self.network(inputs.requires_grad_(at_data))
                loss = self.loss(output, target)
            share = 1.0 if self.loss.reduction == "sum" or len(group) == 1 else weight / sum(weights)
            total = loss * share
            if self.penalty:
                rows = self.penalty_rows(len(target))
                mean = rows if self.loss.reduction == "sum" else sum(self.penalty_rows(len(t)) for _, t in batches)
                penalty = self.penalty.get("weight", 10) * self.penalty_sum(inputs, output, target)
                total, loss = total + penalty / mean, loss + penalty.detach() / rows
            self.scaler.scale(total).backward()
            total_loss += total.item()
            self.runs += 1
            if self.train_options.get("accumulate", 1) > 1:
                norm = total_norm([p.grad for _, p in self.named if p.grad is not None]) / self.scaler.get_scale()
                self.log.write("accumulate", step=step, micro=micro + 1, of=len(group), loss=loss.item(), grad_norm=norm)
        return total_loss

    def penalty_rows(self, batch: int) -> int:
        return (batch + 1) // 2 if self.penalty.get("at", "data") == "interpolate" else batch

    def penalty_sum(self, x: Tensor, output: Tensor, target: Tensor) -> Tensor:
        """The gradient penalty's sum of (norm - target)^2 over its rows."""
        if self.penalty.get("at", "data") == "interpolate":
            recording, self.recorder.on = self.recorder.on, False
            x = self.interpolates(x, target.reshape(-1)).requires_grad_(True)
            with self.autocast():
                output = self.network(x)
            self.recorder.on = recording
        slope, = torch.autograd.grad(self.scaler.scale(output.float().sum()), x, create_graph=True)
        slope = slope / self.scaler.get_scale()
        self.recorder.forget_gradients()  # retain_grad() keeps those of the inner differentiation, too
        return ((slope.flatten(1).norm(dim=1) - self.penalty.get("target", 1)) ** 2).sum()

    def interpolates(self, inputs: Tensor, target: Tensor) -> Tensor:
        """Between real and fake samples, drawn as gradtool draws them."""
        random = Philox(self.seed, PENALTY, self.runs)
        kinds = [torch.nonzero(target > 0).flatten(), torch.nonzero(target <= 0).flatten()]
        rows = []
        for row in range(self.penalty_rows(len(target))):
            real, fake = (inputs[kind[random.below(8 * row + i, len(kind))]] for i, kind in enumerate(kinds))
            a = torch.tensor(random.uniform_float(16 * row + 8))
            rows.append(a * real + (1 - a) * fake)
        return torch.stack(rows)

    def step(self, step: int, epoch: int, group: list[np.ndarray]) -> bool:
        """One optimizer step; false stops the run."""
        observed = step == 1 or step % self.every == 0
        self.recorder.start(observed)
        self.network.train()
        self.optimizer.zero_grad()
        loss = self.accumulate(step, group)
        learning = [(n, p) for n, p in self.named if p.grad is not None]
        scale, found_inf = self.scaler.get_scale(), False
        if self.scaler.is_enabled():
            found_inf = any(not torch.isfinite(p.grad).all() for _, p in learning)
            self.scaler.unscale_(self.optimizer)
        norm = total_norm([p.grad for _, p in learning])
        finite = found_inf or math.isfinite(loss) and math.isfinite(norm)
        skipped = found_inf or not finite and self.train_options.get("nonfinite", "stop") != "continue"
        measured = self.measure(step, scale) if observed else []
        clips = list(clip(self.config["clip"], learning)) if "clip" in self.config and (found_inf or not skipped) else []
        clipped_norm = total_norm([p.grad for _, p in learning])
        before = [p.detach().clone() for _, p in self.named] if observed else []
        for options, rates in zip(self.optimizer.param_groups, self.group_rates):
            options["lr"] = rates[step - 1]
        if found_inf or not skipped:
            self.scaler.step(self.optimizer)
        self.scaler.update()
        for event in clips if not skipped else []:
            self.log.write("clip", step=step, **event)
        self.log.write("step", step=step, epoch=epoch + 1, loss=loss, lr=self.rates[step - 1], grad_norm=norm,
                       clipped_norm=clipped_norm, scale=scale, skipped=skipped, samples=sum(map(len, group)),
                       seconds=time.perf_counter() - self.started)
        if self.scaler.is_enabled():
            self.log.write("scaler", step=step, scale=self.scaler.get_scale(), found_inf=found_inf, skipped=found_inf)
        for event, fields in measured:
            self.log.write(event, step=step, **fields)
        if observed and "updates" in self.instruments:
            self.log_updates(step, before)
        return finite or self.train_options.get("nonfinite", "stop") != "stop"

    def measure(self, step: int, scale: float) -> list[tuple[str, dict[str, Any]]]:
        """Events of gradients before clipping; written after the step's own."""
        values = {"gradients": lambda: [p.grad for _, p in self.named], "activations": self.recorder.activations,
                  "activation_gradients": lambda: self.recorder.gradients(scale)}
        events = [(name, table(value())) for name, value in values.items() if name in self.instruments]
        if "histograms" in self.instruments and (step == 1 or step % self.histogram_every == 0):
            learning = [(n, p.grad) for n, p in self.named if p.grad is not None]
            events += [("histogram", {"of": "gradients", "name": n, **exponents(g)}) for n, g in learning]
        return events

    def log_updates(self, step: int, before: list[Tensor]) -> None:
        ratios: list[float | None] = []
        norms = []
        for (_, parameter), old in zip(self.named, before):
            norm = total_norm([old])
            update = total_norm([parameter.detach() - old])
            norms.append(norm)
            ratio = update / norm if norm else math.inf if update else math.nan
            ratios.append(None if parameter.grad is None else ratio)
        self.log.write("updates", step=step, ratio=ratios, weight_norm=norms)

    def evaluate(self, step: int) -> None:
        if self.data.validation_inputs is None:
            return
        self.network.eval()
        self.recorder.start(False)
        with torch.no_grad(), self.autocast():
            output = self.network(torch.from_numpy(self.data.validation_inputs))
            target = torch.from_numpy(self.data.validation_targets)
            fields = {"loss": self.loss(output, target).item()}
            if self.loss.name == "cross_entropy":
                chosen = output.argmax(1 if output.dim() == 4 else -1)
                fields["accuracy"] = float((chosen == target)[target != IGNORED_CLASS].double().mean())
            elif self.loss.name == "bce_with_logits":
                fields["accuracy"] = float(((output > 0) == (target.reshape(output.shape) > 0.5)).double().mean())
        self.log.write("eval", step=step, **fields)


def train(config_path: str, settings: list[str], out: str, arrays: str | None = None) -> str:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    config = read_config(config_path, settings)
    data = read_data(config, arrays)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, data, Log(folder / "log.jsonl"))
    # Of attention's implementations only one has second derivatives.
    with sdpa_kernel(SDPBackend.MATH) if config.get("penalty") else nullcontext():
        status = trainer.run()
    save_weights(trainer.network, folder / "model.safetensors")
    return status


def save_weights(network: Network, path: Path) -> None:
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path, metadata={"format": "pt"})
    path.chmod(0o644)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--set", action="append", default=[], metavar="k=v")
    parser.add_argument("--out", required=True)
    parser.add_argument("--data", help="an .npz with inputs, targets, validation_inputs, validation_targets")
    args = parser.parse_args()
    try:
        status = train(args.config, args.set, args.out, args.data)
    except Unsupported as reason:
        print(f"no counterpart in PyTorch: {reason}", file=sys.stderr)
        return 3
    return 1 if status == "diverged" else 0


if __name__ == "__main__":
    sys.exit(main())
