"""Times training steps of a gradtool config in PyTorch: the counterpart of `gradtool bench CONFIG --json`.

    python3 tools/bench_pytorch.py CONFIG [--threads 1] [--seconds 3] [--best] [--diagnostics] [--set k=v]...

A step is zero_grad, forward, loss, backward, optimizer step (and clipping, where the config clips), on random batches of the
model's shapes: the values do not change the time. Prints {"median_us":..., "p10_us":..., "p90_us":..., "steps":...,
"threads":..., "variant":..., "loss":..., "torch":...}. --best also times a fused optimizer and torch.compile and reports the
fastest of all, with every variant's median in "variants". --diagnostics computes the statistics of every gradient, activation
and activation gradient in each step.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any, Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from pytorch_model import Network, Unsupported
from pytorch_train import Loss, Recorder, clip, make_optimizer, statistics
from pytorch_data import read_config

BATCHES = 8  # distinct batches, taken in turn
FUSED = ("sgd", "adam", "adamw", "adagrad")


def random_batches(config: dict[str, Any], network: Network, loss: Loss) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    batch = config["train"].get("batch_size", 32)
    shape, output = config["model"]["input"], network.output_shape()

    def inputs() -> Tensor:
        if isinstance(shape, dict):
            return torch.randint(shape["tokens"], (batch, shape["length"]), generator=generator)
        return torch.randn(batch, *shape, generator=generator)

    def targets() -> Tensor:
        if loss.name != "cross_entropy":
            values = torch.randn(batch, *output, generator=generator)
            return (values > 0).float() if loss.name == "bce_with_logits" else values
        classes, axes = (output[0], output[1:]) if len(output) == 3 else (output[-1], output[:-1])
        return torch.randint(classes, (batch, *axes), generator=generator)

    return [(inputs(), targets()) for _ in range(BATCHES)]


class Workload:
    """The config's training step; `fused` and `compiled` choose the variant."""

    def __init__(self, config: dict[str, Any], fused: bool = False, compiled: bool = False, diagnostics: bool = False):
        torch.manual_seed(config.get("seed", 0))
        self.network = Network(config["model"]).train()
        self.loss = Loss(config["loss"])
        extra = {"fused": True} if fused else {}
        self.optimizer = make_optimizer(config.get("optimizer", {"type": "sgd", "lr": 0.01}), self.network, **extra)
        self.clip = config.get("clip")
        self.named = list(self.network.named_parameters())
        self.batches = random_batches(config, self.network, self.loss)
        self.recorder = Recorder(self.network) if diagnostics else None
        self.forward: Callable[[Tensor, Tensor], Tensor] = self.value
        if compiled:
            self.forward = torch.compile(self.value)
        self.count = 0

    def value(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return self.loss(self.network(inputs), targets)

    def step(self) -> Tensor:
        inputs, targets = self.batches[self.count % BATCHES]
        self.count += 1
        if self.recorder:
            self.recorder.start(True)
        self.optimizer.zero_grad()
        loss = self.forward(inputs, targets)
        loss.backward()
        if self.recorder:
            self.observe(self.recorder)
        if self.clip and self.clip["type"] == "norm" and not self.clip.get("per_layer"):
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip["max_norm"], float(self.clip.get("norm_type", 2)))
        elif self.clip:
            list(clip(self.clip, [(n, p) for n, p in self.named if p.grad is not None]))
        self.optimizer.step()
        return loss

    def observe(self, recorder: Recorder) -> None:
        for tensors in ([p.grad for _, p in self.named], recorder.activations(), recorder.gradients()):
            for x in tensors:
                statistics(x)


def measure(workload: Workload, seconds: float) -> tuple[np.ndarray, float]:
    """Microseconds of each step after a warm-up, and the last loss (that the work was done)."""
    warmed = time.perf_counter() + min(0.3, seconds / 4)
    for i in range(10_000):
        if i >= 3 and time.perf_counter() > warmed:
            break
        workload.step()
    times, loss = [], torch.zeros(())
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter_ns()
        loss = workload.step()
        times.append((time.perf_counter_ns() - start) / 1000)
    return np.array(times), loss.item()


def variants(config: dict[str, Any], best: bool) -> Iterator[tuple[str, dict[str, bool]]]:
    yield "eager", {}
    if best:
        can_fuse = config.get("optimizer", {}).get("type", "sgd") in FUSED
        if can_fuse:
            yield "fused", {"fused": True}
        yield "compiled", {"compiled": True, "fused": can_fuse}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--best", action="store_true")
    parser.add_argument("--diagnostics", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="k=v")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = read_config(args.config, args.set)
    results: dict[str, tuple[np.ndarray, float]] = {}
    for name, options in variants(config, args.best):
        try:
            results[name] = measure(Workload(config, diagnostics=args.diagnostics, **options), args.seconds)
        except Unsupported as reason:
            print(f"no counterpart in PyTorch: {reason}", file=sys.stderr)
            return 3
        except Exception as problem:  # a variant that this installation cannot run is left out
            if name == "eager":
                raise
            print(f"{name} does not work here: {str(problem).splitlines()[0]}", file=sys.stderr)
    name = min(results, key=lambda n: float(np.median(results[n][0])))
    times, loss = results[name]
    p10, median, p90 = np.percentile(times, [10, 50, 90]).round(2).tolist()
    report = {"median_us": median, "p10_us": p10, "p90_us": p90, "steps": len(times), "threads": args.threads, "variant": name,
              "loss": loss, "torch": torch.__version__}
    if args.best:
        report["variants"] = {n: round(float(np.median(t)), 2) for n, (t, _) in results.items()}
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
