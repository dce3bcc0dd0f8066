"""The JSON model as torch modules: names, shapes and parameters are those of gradtool.

    network = Network(model)            # model: the "model" object of a config
    network(x)                          # x: [batch, *model["input"]]
    network.leaf_list()                 # [Leaf(name, type, output shape, module), ...] in order of definition

A layer type is one entry of LAYERS: a function of (spec, input shapes) that returns a torch module. Shapes are those of one
sample; they are found by running two samples through the module while the model is built.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, Callable, NamedTuple

import torch
from torch import Tensor, nn

Spec = dict[str, Any]
Shape = tuple[int, ...]


class Unsupported(Exception):
    """The config asks for something that has no counterpart here."""


class Leaf(NamedTuple):
    name: str
    type: str
    output: Shape
    module: nn.Module


class Function(nn.Module):
    """A layer without parameters, from a function of its inputs."""

    def __init__(self, function: Callable[..., Tensor]):
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs)


class FeatureBatchNorm(nn.BatchNorm1d):
    """Batch normalisation by feature (the last axis) over batch and positions."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.reshape(-1, x.shape[-1])).reshape(x.shape)


class FeatureGroupNorm(nn.GroupNorm):
    """Group normalisation of sequences, whose channels are the last axis."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(-1, 1)).movedim(1, -1)


class TokenEmbedding(nn.Embedding):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.long())


class Positions(nn.Embedding):
    """A learned vector for each position, added."""

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight[: x.shape[-2]]


class Attention(nn.MultiheadAttention):
    def __init__(self, features: int, heads: int, bias: bool, causal: bool):
        super().__init__(features, heads, bias=bias, batch_first=True)
        self.causal = causal

    def forward(self, x: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], device=x.device) if self.causal else None
        return super().forward(x, x, x, attn_mask=mask, is_causal=self.causal, need_weights=False)[0]


def recurrent(base: type[nn.RNNBase]) -> Callable[[Spec, list[Shape]], nn.Module]:
    class Recurrent(base):  # type: ignore[valid-type, misc]
        last = False

        def forward(self, x: Tensor) -> Tensor:
            output = super().forward(x)[0]
            return output[:, -1] if self.last else output

    def make(spec: Spec, shapes: list[Shape]) -> nn.Module:
        options = {"nonlinearity": spec.get("nonlinearity", "tanh")} if base is nn.RNN else {}
        module = Recurrent(shapes[0][-1], spec["hidden"], batch_first=True, bias=spec.get("bias", True), **options)
        module.last = spec.get("return", "sequence") == "last"
        return module

    return make


def make_conv2d(spec: Spec, shapes: list[Shape]) -> nn.Module:
    return nn.Conv2d(shapes[0][0], spec["out"], pair(spec["kernel"]), pair(spec.get("stride", 1)), pair(spec.get("padding", 0)),
                     pair(spec.get("dilation", 1)), spec.get("groups", 1), spec.get("bias", True))


def make_batchnorm(spec: Spec, shapes: list[Shape]) -> nn.Module:
    (shape,) = shapes
    options = {"eps": spec.get("eps", 1e-5), "momentum": spec.get("momentum", 0.1), "affine": spec.get("affine", True)}
    return nn.BatchNorm2d(shape[0], **options) if len(shape) == 3 else FeatureBatchNorm(shape[-1], **options)


def make_layernorm(spec: Spec, shapes: list[Shape]) -> nn.Module:
    (shape,) = shapes
    normalized = shape if len(shape) == 3 else shape[-1:]
    return nn.LayerNorm(normalized, spec.get("eps", 1e-5), spec.get("affine", True), spec.get("bias", True))


def make_groupnorm(spec: Spec, shapes: list[Shape]) -> nn.Module:
    (shape,) = shapes
    kind, channels = (FeatureGroupNorm, shape[-1]) if len(shape) == 2 else (nn.GroupNorm, shape[0])
    return kind(spec.get("groups", 1), channels, spec.get("eps", 1e-5), spec.get("affine", True))


def make_embedding(spec: Spec, shapes: list[Shape]) -> nn.Module:
    if "count" not in spec:
        raise Unsupported("an embedding needs its count where the input is not tokens")
    return TokenEmbedding(spec["count"], spec["dim"])


def make_concat(spec: Spec, shapes: list[Shape]) -> nn.Module:
    axis = 1 if len(shapes[0]) == 3 else -1
    return Function(lambda *inputs: torch.cat(inputs, axis))


def pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def pool(kind: type[nn.Module]) -> Callable[[Spec, list[Shape]], nn.Module]:
    return lambda s, _: kind(pair(s["kernel"]), pair(s.get("stride", s["kernel"])), pair(s.get("padding", 0)))


def activation(kind: type[nn.Module], **keys: str) -> Callable[[Spec, list[Shape]], nn.Module]:
    """keys: torch's argument = the config's key; one that the config leaves out keeps torch's default."""
    return lambda spec, _: kind(**{name: spec[key] for name, key in keys.items() if key in spec})


def function(value: Callable[..., Tensor]) -> Callable[[Spec, list[Shape]], nn.Module]:
    return lambda *_: Function(value)


def sum_of(*inputs: Tensor) -> Tensor:
    return sum(inputs[1:], inputs[0])


def product_of(*inputs: Tensor) -> Tensor:
    return math.prod(inputs[1:], start=inputs[0])


LAYERS: dict[str, Callable[[Spec, list[Shape]], nn.Module]] = {
    "linear": lambda s, shapes: nn.Linear(shapes[0][-1], s["out"], s.get("bias", True)),
    "conv2d": make_conv2d,
    "maxpool2d": pool(nn.MaxPool2d),
    "avgpool2d": pool(nn.AvgPool2d),
    "globalavgpool2d": function(lambda x: x.mean((-2, -1))),
    "batchnorm": make_batchnorm,
    "layernorm": make_layernorm,
    "rmsnorm": lambda s, shapes: nn.RMSNorm(shapes[0][-1], s.get("eps"), s.get("affine", True)),
    "groupnorm": make_groupnorm,
    "relu": activation(nn.ReLU),
    "leaky_relu": activation(nn.LeakyReLU, negative_slope="slope"),
    "elu": activation(nn.ELU, alpha="alpha"),
    "selu": activation(nn.SELU),
    "gelu": activation(nn.GELU, approximate="approximate"),
    "silu": activation(nn.SiLU),
    "sigmoid": activation(nn.Sigmoid),
    "tanh": activation(nn.Tanh),
    "softplus": activation(nn.Softplus, beta="beta", threshold="threshold"),
    "hardtanh": activation(nn.Hardtanh, min_val="min", max_val="max"),
    "softmax": lambda *_: nn.Softmax(-1),
    "log_softmax": lambda *_: nn.LogSoftmax(-1),
    "dropout": lambda s, _: nn.Dropout(s.get("p", 0.5)),
    "embedding": make_embedding,
    "positions": lambda _, shapes: Positions(*shapes[0][-2:]),
    "attention": lambda s, shapes: Attention(shapes[0][-1], s["heads"], s.get("bias", True), s.get("causal", True)),
    "rnn": recurrent(nn.RNN),
    "lstm": recurrent(nn.LSTM),
    "gru": recurrent(nn.GRU),
    "flatten": lambda *_: nn.Flatten(),
    "reshape": lambda s, _: Function(lambda x: x.reshape(len(x), *s["shape"])),
    "transpose": function(lambda x: x.transpose(-2, -1)),
    "last": function(lambda x: x[:, -1]),
    "mean": function(lambda x: x.mean(1)),
    "add": function(sum_of),
    "multiply": function(product_of),
    "concat": make_concat,
    "detach": function(lambda x: x.detach()),
}
CONTAINERS = ("block", "residual", "repeat")


class Step(NamedTuple):
    name: str
    inputs: list[str]


class Scope(nn.Module):
    """A list of layers; each takes the output of the one before it, or of those that its "input" names.

    Layers become attributes under the names that the user gave, so attributes of our own start with an underscore."""

    def __init__(self, layers: list[Spec], builder: Builder, path: str, x: Tensor, outer: dict[str, Tensor], freeze: bool):
        super().__init__()
        self._steps: list[Step] = []
        values = {**outer, "input": x}
        previous, count = "input", Counter()
        for spec in layers:
            count[spec["type"]] += 1
            name = spec.get("name", f"{spec['type']}{count[spec['type']]}")
            inputs = spec.get("input", previous)
            inputs = [inputs] if isinstance(inputs, str) else list(inputs)
            module, output = builder.layer(spec, path + name, [values[i] for i in inputs], values, freeze)
            self.add_module(name, module)
            self._steps.append(Step(name, inputs))
            values[name], previous = output, name
        self._result = previous
        self._built = values[previous]

    def forward(self, x: Tensor, outer: dict[str, Tensor]) -> Tensor:
        values = {**outer, "input": x}
        for name, inputs in self._steps:
            module = self._modules[name]
            arguments = [values[i] for i in inputs]
            values[name] = module(arguments[0], values) if isinstance(module, (Scope, Repeat)) else module(*arguments)
        return values[self._result]


class Block(Scope):
    _no_grad = False

    def forward(self, x: Tensor, outer: dict[str, Tensor]) -> Tensor:
        if not self._no_grad:
            return super().forward(x, outer)
        with torch.no_grad():
            return super().forward(x, outer)


class Residual(Scope):
    """layers(x) + shortcut(x); without a shortcut, + x."""

    def forward(self, x: Tensor, outer: dict[str, Tensor]) -> Tensor:
        shortcut = self._modules.get("shortcut")
        return super().forward(x, outer) + (x if shortcut is None else shortcut(x, outer))


class Repeat(nn.Module):
    """Copies named 0, 1, ..., one after the other."""

    def forward(self, x: Tensor, outer: dict[str, Tensor]) -> Tensor:
        for copy in self._modules.values():
            x = copy(x, outer)
        return x


class Builder:
    """Makes the modules and keeps the list of leaves."""

    def __init__(self, model: Spec):
        self.model = model
        self.leaves: list[Leaf] = []

    def layer(self, spec: Spec, path: str, inputs: list[Tensor], values: dict[str, Tensor], freeze: bool):
        if spec["type"] in CONTAINERS:
            return self.container(spec, path, inputs[0], values, freeze or spec.get("freeze", False))
        if spec["type"] not in LAYERS:
            raise Unsupported(f"{path}: layer type {spec['type']}")
        tokens = self.model["input"]["tokens"] if isinstance(self.model["input"], dict) else None
        if spec["type"] == "embedding" and tokens is not None:
            spec = {"count": tokens, **spec}
        module = LAYERS[spec["type"]](spec, [tuple(x.shape[1:]) for x in inputs])
        self.initialise(module, spec)
        output = module.eval()(*inputs)
        module.requires_grad_(not freeze)
        self.leaves.append(Leaf(path, spec["type"], tuple(output.shape[1:]), module))
        return module, output

    def container(self, spec: Spec, path: str, x: Tensor, values: dict[str, Tensor], freeze: bool):
        layers = spec["layers"]
        if spec["type"] == "repeat":
            module = Repeat()
            for i in range(spec["times"]):
                copy = Block(layers, self, f"{path}.{i}.", x, values, freeze)
                module.add_module(str(i), copy)
                x = copy._built
            return module, x
        if spec["type"] == "residual":
            module = Residual(layers, self, f"{path}.", x, values, freeze)
            output = x
            if spec.get("shortcut"):
                module.add_module("shortcut", Block(spec["shortcut"], self, f"{path}.shortcut.", x, values, freeze))
                output = module.shortcut._built
            return module, module._built + output
        module = Block(layers, self, f"{path}.", x, values, freeze)
        module._no_grad = spec.get("no_grad", False)
        return module, module._built

    def initialise(self, module: nn.Module, spec: Spec) -> None:
        """`init` is for the weights, `bias_init` for the biases; the model's only for matrices of products."""
        common = self.model if isinstance(module, (nn.Linear, nn.Conv2d, nn.MultiheadAttention, nn.RNNBase)) else {}
        for name, parameter in module.named_parameters():
            key = "bias_init" if "bias" in name else "init"
            initialise(parameter, spec.get(key, common.get(key, "default")))


class Network(Scope):
    def __init__(self, model: Spec):
        shape = model["input"]
        shape = [shape["length"]] if isinstance(shape, dict) else shape
        builder = Builder(model)
        with torch.no_grad():
            super().__init__(model["layers"], builder, "", torch.zeros(2, *shape), {}, False)
        self._leaves = builder.leaves

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x, {})

    def leaf_list(self) -> list[Leaf]:
        return self._leaves

    def output_shape(self) -> Shape:
        return tuple(self._built.shape[1:])


def initialise(x: Tensor, spec: Any) -> None:
    """Fills a parameter as the config's `init` says; "default" keeps what the module was made with."""
    spec = {"type": spec} if isinstance(spec, str) else dict(spec)
    kind = spec.pop("type")
    if kind == "default":
        return
    with torch.no_grad():
        if kind in ("zeros", "ones"):
            x.fill_(kind == "ones")
        elif kind == "constant":
            x.fill_(spec["value"])
        elif kind == "normal":
            nn.init.normal_(x, spec.get("mean", 0.0), spec.get("std", 1.0))
        elif kind == "uniform":
            nn.init.uniform_(x, spec.get("low", 0.0), spec.get("high", 1.0))
        elif kind in ("xavier_uniform", "xavier_normal", "orthogonal"):
            getattr(nn.init, f"{kind}_")(x, gain=spec.get("gain", 1.0))
        elif kind in ("kaiming_uniform", "kaiming_normal"):
            getattr(nn.init, f"{kind}_")(x, a=spec.get("a", 0), mode=spec.get("mode", "fan_in"),
                                         nonlinearity=spec.get("nonlinearity", "leaky_relu"))
        else:
            raise Unsupported(f"init {kind}")
