#!/usr/bin/env python3
"""Writes tests/data/expressions.json: what PyTorch says of expressions of gradtool's language, in double.

Each case has the expression, the variables' values, the value, the gradient of every variable (null where none arrives) and
the gradient of the sum of that gradient by the same variable. A value that is no scalar starts from the vector `seed`.

    python3 tools/make_expression_reference.py > tests/data/expressions.json
"""

import json
import math
import re
import sys

import torch

torch.set_default_dtype(torch.float64)

TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)|([A-Za-z_]\w*)|(<=|>=|==|!=|[-+*/^@<>()\[\],]))")


def tokens_of(text):
    at, found = 0, []
    while at < len(text.rstrip()):
        match = TOKEN.match(text, at)
        if not match:
            raise SyntaxError(f"{text!r} at {at}")
        found.append(match.group(match.lastindex))
        at = match.end()
    return found + [None]


def norm(x):
    return torch.linalg.vector_norm(x)


def reduce_or_pair(reduce, pair):
    return lambda *x: reduce(x[0]) if len(x) == 1 else pair(*torch.broadcast_tensors(*x))


FUNCTIONS = {
    "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt, "abs": torch.abs, "sign": torch.sign, "sin": torch.sin,
    "cos": torch.cos, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "softplus": torch.nn.functional.softplus,
    "relu": torch.relu, "erf": torch.erf, "gelu": torch.nn.functional.gelu, "silu": torch.nn.functional.silu,
    "elu": torch.nn.functional.elu, "sum": torch.sum, "mean": torch.mean,
    "max": reduce_or_pair(torch.amax, torch.maximum), "min": reduce_or_pair(torch.amin, torch.minimum),
    "norm": norm, "dot": torch.dot, "matmul": torch.matmul,
    "transpose": lambda x: x if x.dim() < 2 else x.transpose(-1, -2),
    "softmax": lambda x: torch.softmax(x, -1), "log_softmax": lambda x: torch.log_softmax(x, -1),
    "clamp": lambda x, low, high: torch.clamp(x, float(low), float(high)) if low.dim() == high.dim() == 0 else torch.clamp(x, low, high),
    "where": lambda c, a, b: torch.where(c != 0, a, b),
    "detach": torch.Tensor.detach, "no_grad": torch.Tensor.detach,
}
BINARY = {
    "+": torch.add, "-": torch.sub, "*": torch.mul, "/": torch.div, "@": torch.matmul,
    "<": lambda a, b: (a < b).double(), ">": lambda a, b: (a > b).double(), "<=": lambda a, b: (a <= b).double(),
    ">=": lambda a, b: (a >= b).double(), "==": lambda a, b: (a == b).double(), "!=": lambda a, b: (a != b).double(),
}
LEVELS = [["<", ">", "<=", ">=", "==", "!="], ["+", "-"], ["*", "/", "@"]]


class Parser:
    """Values are tensors, or floats where a number stood: only a number is a constant exponent."""

    def __init__(self, text, variables):
        self.tokens, self.at, self.variables = tokens_of(text), 0, variables

    def peek(self):
        return self.tokens[self.at]

    def take(self, expected=None):
        token = self.tokens[self.at]
        if expected and token != expected:
            raise SyntaxError(f"{token} instead of {expected}")
        self.at += 1
        return token

    def binary(self, level=0):
        if level == len(LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek() in LEVELS[level]:
            operator = self.take()
            left = BINARY[operator](tensor(left), tensor(self.binary(level + 1)))
        return left

    def unary(self):
        if self.peek() in ("-", "+"):
            sign = self.take()
            value = self.unary()
            return -value if sign == "-" else value
        return self.power()

    def power(self):
        base = self.primary()
        if self.peek() != "^":
            return base
        self.take()
        exponent = self.unary()
        return torch.pow(tensor(base), exponent)

    def arguments(self, end):
        values = [tensor(self.binary())]
        while self.peek() == ",":
            self.take()
            values.append(tensor(self.binary()))
        self.take(end)
        return values

    def primary(self):
        token = self.take()
        if token == "(":
            value = self.binary()
            self.take(")")
            return value
        if token == "[":
            return torch.stack(self.arguments("]"))
        if token[0].isdigit() or token[0] == ".":
            return float(token)
        if self.peek() == "(":
            self.take()
            return FUNCTIONS[token](*self.arguments(")"))
        return self.variables[token]


def tensor(value):
    return value if isinstance(value, torch.Tensor) else torch.tensor(value)


def plain(value):
    """A tensor as JSON: numbers that are not finite as strings."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def seed_for(shape):
    count = math.prod(shape)
    return torch.tensor([(1.0, -0.5, 2.0, 0.25, -1.5)[i % 5] for i in range(count)]).reshape(shape)


def case(text, orders=2, **values):
    x = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in values.items()}
    parser = Parser(text, x)
    value = tensor(parser.binary())
    parser.take(None)
    assert parser.at == len(parser.tokens), text
    row = {"expression": text, "variables": values, "value": plain(value.tolist())}
    seed = None
    if value.numel() != 1 and value.requires_grad:
        seed = seed_for(value.shape)
        row["seed"] = seed.tolist()
    first = dict.fromkeys(x)
    second = dict.fromkeys(x)
    if value.requires_grad:
        grads = torch.autograd.grad(value, list(x.values()), seed, create_graph=True, allow_unused=True)
        for name, grad in zip(x, grads):
            if grad is None:
                continue
            first[name] = plain((torch.zeros_like(x[name]) + grad).detach().tolist())
            again = None
            if orders < 2:
                continue
            if grad.requires_grad:
                again = torch.autograd.grad(grad.sum(), x[name], retain_graph=True, allow_unused=True)[0]
            second[name] = plain((torch.zeros_like(x[name]) + (0 if again is None else again)).tolist())
    row["first"] = first
    if orders > 1:
        row["second"] = second
    return row


def cases():
    # The guide's own.
    yield case("x^2 + y^3", x=2.0, y=3.0)
    yield case("x^3 - 4*x + 2", x=3.0)
    yield case("detach(x*3)*2", x=1.5)
    yield case("no_grad(x*2)", x=2.0)
    yield case("x*2", x=[1.0, 2.0, 3.0])

    # Every function of one number, at three places, alone and inside others.
    smooth = ["exp", "sin", "cos", "tanh", "sigmoid", "softplus", "erf", "gelu", "silu", "elu", "relu", "abs"]
    for name in smooth:
        for x in (-1.3, 0.4, 2.5):
            yield case(f"{name}(x)", x=x)
        yield case(f"{name}(x^2 - 0.7*x)", x=0.9)
        yield case(f"x*{name}(2*x*y)", x=-0.6, y=[0.3, -1.2, 0.8])
    for name in ["log", "sqrt"]:
        for x in (0.2, 1.0, 7.5):
            yield case(f"{name}(x)", x=x)
        yield case(f"{name}(1 + x^2)/x", x=-0.9)
        yield case(f"x*{name}(y)", x=1.1, y=[0.3, 1.2, 8.0])
    yield case("softplus(x)", x=[-30.0, 3.0, 19.9, 40.0])
    yield case("sigmoid(x)", x=[-40.0, 40.0])
    yield case("tanh(x)", x=[-20.0, 20.0])
    yield case("x*sign(x)", x=[-2.0, 3.0])
    yield case("exp(-x^2/2)/sqrt(2*3.14159265358979)", x=[0.0, 1.0, -2.0])
    yield case("log(exp(x) + exp(y))", x=1.0, y=-0.5)

    # Precedence and numbers.
    for text in ["-x^2", "2^3^2 + x", "x^-2", "x^-2*4", "-x*y", "2*-x^2", "(x + 1)*(x - 1)", "x - 1 - 2*y", "8/x/2", "+x", "x^2^3",
                 "1.5e1*x + .25", "x < y", "(x < y)*x", "x^2 <= 4", "x == 2", "(x != y)*y^2", "x/y*x", "-(x - y)^3", "--x", "x*-y"]:
        yield case(text, **{name: value for name, value in (("x", 2.0), ("y", 3.0)) if name in re.findall(r"[a-z]+", text)})

    # Powers: negative and zero bases, constant and variable exponents.
    for exponent in ("2", "3", "4", "0", "1", "-1", "-2", "0.5", "2.5", "1.5", "3.0"):
        yield case(f"x^{exponent}", x=[-1.5, 0.0, 0.7, 3.0] if float(exponent) == int(float(exponent)) and float(exponent) >= 0 else
                   ([0.7, 3.0, 1.0] if float(exponent) < 0 or "." in exponent else [1.0]))
    yield case("x^2.5", x=[0.0, 4.0])
    yield case("x^3", x=[0.0, -2.0])
    yield case("x^-3", x=-2.0)
    yield case("x^-1", x=[-0.5, 0.25])
    yield case("x^y", x=2.0, y=3.0)
    yield case("x^y", x=[0.5, 2.0, 3.0], y=[-1.0, 0.5, 2.0])
    yield case("x^y", x=[[1.5], [2.5]], y=[2.0, 3.0])
    yield case("2^x", x=[-1.0, 0.0, 1.5])
    yield case("0.5^x", x=3.0)
    yield case("(x^2 + 1)^0.5", x=-1.5)
    yield case("(1 + x)^y", x=0.05, y=10.0)
    yield case("(-x)^3", x=1.5)
    yield case("x^0", x=[0.0, 2.0])

    # Kinks: PyTorch's derivatives.
    for text in ["abs(x)", "relu(x)", "x*relu(x)", "abs(x)*3 + x", "max(x, 0)", "min(x, 0)", "max(x, -x)", "min(x, 2*x)", "clamp(x, -1, 1)",
                 "clamp(x, 0, 1)", "elu(x)", "relu(x)^2", "abs(x^2)", "abs(abs(x) - 1)"]:
        yield case(text, x=[-2.0, -1.0, 0.0, 1.0, 2.0])
    yield case("norm(x)", x=[0.0, 0.0], orders=1)  # of second order PyTorch has NaN
    yield case("norm(x)", x=[3.0, 4.0])
    yield case("norm(x - y)", x=[1.0, 2.0, -0.5], y=[0.5, 0.0, 1.0])
    yield case("norm(x)^2/2", x=[[1.0, -2.0], [0.5, 3.0]])
    yield case("norm(x@y)", x=[[1.0, 2.0], [3.0, 4.0]], y=[1.0, -1.0])

    # Largest and smallest, with ties.
    yield case("max(x)", x=[1.0, 3.0, 3.0, 2.0])
    yield case("min(x)", x=[1.0, 3.0, 1.0, 1.0])
    yield case("max(x*y)", x=[1.0, 3.0], y=[2.0, 1.0])
    yield case("max(x, y)", x=[1.0, 2.0, 3.0], y=[1.0, 5.0, -1.0])
    yield case("min(x, y)", x=[1.0, 2.0, 3.0], y=[1.0, 5.0, -1.0])
    yield case("max(x, y)^2", x=[[1.0], [4.0]], y=[1.0, 2.0, 4.0])
    yield case("max(x) - min(x)", x=[[0.5, -1.0], [2.0, 2.0]])
    yield case("max(x^2)", x=[-2.0, 1.0, 2.0])
    yield case("max([x, 1, x])", x=2.0)

    # Clamp and where.
    yield case("clamp(x, y, 2)", x=[-1.0, 1.5, 3.0], y=[-2.0, 0.0, 0.0])
    yield case("clamp(x, y, z)", x=[-1.0, 0.5, 1.0, 3.0], y=[-1.0, 1.0, 0.0, 0.0], z=[2.0, 2.0, 1.0, 1.0])
    yield case("clamp(x^2, 1, 4)", x=[-3.0, -1.5, 0.5, 1.2])
    yield case("where(x > 0, x^2, -x)", x=[-2.0, 0.0, 3.0])
    yield case("where(x >= y, x*y, x + y)", x=[1.0, 2.0, 3.0], y=[2.0, 2.0, 2.0])
    yield case("where(abs(x) < 1, x^2/2, abs(x) - 1/2)", x=[-2.0, -0.5, 0.3, 1.0, 4.0])
    yield case("where(x > 0, y, z)", x=[1.0, -1.0], y=2.0, z=[[1.0, 2.0], [3.0, 4.0]])
    yield case("where([1, 0, 1], x, 0)", x=[1.0, 2.0, 3.0])

    # Broadcasting.
    yield case("x + y", x=[1.0, 2.0], y=3.0)
    yield case("x*y", x=[[1.0], [2.0], [3.0]], y=[1.0, -1.0])
    yield case("x/y", x=[[1.0, 2.0]], y=[[2.0], [4.0]])
    yield case("x - y*x", x=[[[1.0, 2.0]], [[3.0, 4.0]]], y=[[0.5], [0.25]])
    yield case("sum(x*y)", x=[[1.0, 2.0, 3.0]], y=[[2.0], [1.0]])
    yield case("mean(x^2*y)", x=[[1.0, 2.0], [3.0, 4.0]], y=[0.5, 2.0])
    yield case("sum(x)*y", x=[1.0, 2.0], y=[3.0, 4.0])
    yield case("exp(x - max(x))/sum(exp(x - max(x)))", x=[0.1, 0.7, -1.0])
    yield case("[x, y, x*y]", x=2.0, y=3.0)
    yield case("[[x, 1], [2, y]]@[x, y]", x=2.0, y=3.0)
    yield case("[x, 2*x]", x=[1.0, 2.0])
    yield case("x", x=[[1.0, 2.0], [3.0, 4.0]])
    yield case("x", x=[5.0])
    yield case("x*x*x", x=[5.0])

    # Matrix products of every pair of ranks.
    operands = {1: [0.5, -1.0], 2: [[1.0, 2.0], [-0.5, 0.75]], 3: [[[1.0, 0.5], [2.0, -1.0]], [[0.25, 3.0], [1.5, -0.5]]],
                4: [[[[1.0, 2.0], [0.5, 1.0]]], [[[-1.0, 0.0], [2.0, 0.5]]]]}
    for left in operands:
        for right in operands:
            yield case("a@b", a=operands[left], b=operands[right])
    for left in (1, 2, 3):
        yield case("matmul(a, b)^2", a=operands[left], b=operands[2])
    yield case("a@b", a=[[1.0, 2.0, 3.0]], b=[[1.0], [0.5], [-1.0]])
    yield case("a@b@c", a=[[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]], b=[[1.0, 0.0], [0.5, 2.0], [-1.0, 1.0]], c=[2.0, -3.0])
    yield case("transpose(a)@a", a=[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    yield case("transpose(a)", a=operands[3])
    yield case("transpose(a)*a", a=operands[1])
    yield case("dot(x, y)", x=[1.0, 2.0, 3.0], y=[0.5, -1.0, 2.0])
    yield case("dot(x, x)", x=[1.0, 2.0, 3.0])
    yield case("dot(x, A@x)", x=[1.0, -2.0], A=[[2.0, 0.5], [1.0, 3.0]])
    yield case("sum([[[1, x]], [[2, 3]]])*y", x=2.0, y=[3.0, 1.0])
    yield case("[[[1, x]], [[2, 3]]]@[[1, 2], [3, y]]", x=2.0, y=-1.0)
    yield case("tanh(W@x + b)", W=[[0.5, -0.3], [0.2, 0.8], [-0.7, 0.1]], x=[1.0, 2.0], b=[0.1, -0.1, 0.0])
    yield case("mean((v@sigmoid(W@x) - 1)^2)", W=[[0.5, -0.3], [0.2, 0.8]], x=[[1.0, 0.0, 2.0], [-1.0, 0.5, 1.0]], v=[0.7, -0.4])

    # Softmax.
    for name in ("softmax", "log_softmax"):
        yield case(f"{name}(x)", x=[1.0, 2.0, 3.0])
        yield case(f"{name}(x)", x=[[1.0, 2.0, 3.0], [0.0, -5.0, 0.5]])
        yield case(f"sum([1, 2, 3]*{name}(x))", x=[0.3, -0.2, 1.0])
        yield case(f"{name}(x*y)", x=[[1.0, -1.0]], y=[[2.0], [0.5]])
        yield case(f"{name}(x)", x=[500.0, 0.0, -500.0])
        yield case(f"sum({name}(x)^2)", x=[[[1.0, 2.0]], [[0.5, -0.5]]])
    yield case("-log(softmax(x)@[0, 1, 0])", x=[0.2, 0.5, -1.0])
    yield case("sum(softmax(q@transpose(k)/sqrt(2))@v)", q=[[1.0, 0.5], [0.2, -1.0]], k=[[0.3, 1.0], [1.0, -0.5]], v=[[1.0, 2.0], [3.0, -1.0]])

    # Gradients that stop.
    yield case("x*detach(x)", x=3.0)
    yield case("x*no_grad(x^2)", x=[1.0, -2.0])
    yield case("detach(x) + y", x=[1.0, 2.0], y=3.0)
    yield case("(x - detach(x))*y", x=2.0, y=5.0)
    yield case("detach(x)", x=[1.0, 2.0])
    yield case("exp(detach(x*y))*y", x=0.5, y=2.0)
    yield case("x > 0", x=[1.0, -1.0])
    yield case("where(x > 1, 5, 6)", x=2.0)
    yield case("detach(max(x))*x", x=[1.0, 4.0])

    # Chains and repeated use.
    yield case("x*x + x*x*x - x", x=[0.5, -1.5])
    yield case("sin(cos(tanh(exp(x))))", x=[-0.3, 0.2])
    yield case("(x + y)*(x - y)/(x*y)", x=1.5, y=-2.0)
    yield case("(1 - x)^2 + 100*(y - x^2)^2", x=-1.2, y=1.0)
    yield case("sum(x)^2 - sum(x^2)", x=[1.0, 2.0, 3.0])
    yield case("mean((x - mean(x))^2)", x=[1.0, 4.0, 2.0, 0.5])
    yield case("(x - mean(x))/sqrt(mean((x - mean(x))^2) + 1e-5)", x=[1.0, 4.0, 2.0, 0.5])
    yield case("log(1 + exp(-y*(w@x)))", y=-1.0, w=[0.4, -0.2], x=[1.0, 3.0])
    yield case("x/(1 + abs(x))", x=[-2.0, 0.5])
    yield case("sqrt(sum(x^2) + 1) - 1", x=[0.0, 0.0])
    yield case("1/(1 + exp(-x))*(1 - 1/(1 + exp(-x)))", x=0.3)
    yield case("gelu(x)*silu(y) + erf(x*y)", x=0.8, y=-0.4)


def main():
    rows = list(cases())
    sys.stdout.write("[\n" + ",\n".join(json.dumps(row, allow_nan=False) for row in rows) + "\n]\n")
    print(f"{len(rows)} expressions, PyTorch {torch.__version__}", file=sys.stderr)


if __name__ == "__main__":
    main()
