"""Compares `gradtool inspect --precision` with PyTorch's own conversions to float16, bfloat16 and the two fp8 types.

    python3 tools/compare_formats.py [--gradtool build/release/gradtool]

Values of every magnitude that float32 has go into the histogram of a log, and through torch's `to(dtype)`. Zeros must be equal
in number; what became infinite or NaN must lie between `overflow - edge` and `overflow`, because the bin of the largest number
is counted whole. The best loss scale must lose what torch loses at it, and no other power of two may lose less, where a step
that overflows counts as lost whole.
"""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile

import torch

FORMATS = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp8_e4m3": torch.float8_e4m3fn, "fp8_e5m2": torch.float8_e5m2}


def convert(values, dtype, exponent=0):
    """Counts of elements that became zero, subnormal, and infinite or NaN; overflow of the bin of the largest counts, too."""
    scaled = values.double() * 2.0**exponent
    # From double to an 8-bit type torch may round twice: these values have 24 bits, so float32 holds them exactly or not at all.
    rounded = scaled.clamp(-3e38, 3e38).float().to(dtype).double()
    info = torch.finfo(dtype)
    beyond = ~torch.isfinite(rounded) | (scaled.abs() > 3e38)
    if dtype == torch.float8_e4m3fn:  # newer releases of PyTorch saturate: 464 is half way to what would follow 448
        beyond = scaled.abs() > 464
    top = 2.0 ** torch.tensor(info.max).double().log2().floor()
    return {
        "underflow": int((rounded == 0).sum()),
        "subnormal": int(((rounded != 0) & (scaled.abs() < info.smallest_normal)).sum()),
        "beyond": int(beyond.sum()),
        "may_overflow": int((scaled.abs() >= top).sum()),
    }


def histogram(values):
    exponents = torch.frexp(values.double().abs())[1] - 1
    first = int(exponents.min())
    return [first] + torch.bincount((exponents - first).long()).tolist()


def check(name, what, seen, expected):
    good = abs(seen - expected) < 1e-8
    if not good:
        print(f"{name}: {what} is {seen}, PyTorch has {expected}")
    return good


def compare(gradtool, steps):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "log.jsonl"), "w") as log:
            log.write('{"event":"run","parameters":[],"layers":[]}\n')
            for step, values in enumerate(steps, 1):
                event = {"event": "histogram", "step": step, "of": "gradients", "name": "w", "zeros": 0}
                log.write(json.dumps({**event, "exponents": histogram(values)}) + "\n")
        command = [gradtool, "inspect", folder, "--precision", "--json"]
        ours = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["all"]
    good, whole = True, torch.cat(steps)
    for name, dtype in FORMATS.items():
        row, theirs, count = ours[name], convert(whole, dtype), whole.numel()
        good &= check(name, "underflow", row["underflow"], theirs["underflow"] / count)
        good &= check(name, "subnormal", row["subnormal"], theirs["subnormal"] / count)
        good &= check(name, "overflow", row["overflow"], theirs["may_overflow"] / count)
        certain = row["overflow"] - row["edge"]
        if not certain - 1e-8 <= theirs["beyond"] / count <= row["overflow"] + 1e-8:
            good = check(name, f"overflow, from {certain} to {row['overflow']}", certain, theirs["beyond"] / count)
        lost = {}
        for exponent in range(-126, 128):
            each = [convert(values, dtype, exponent) for values in steps]
            lost[exponent] = sum(
                values.numel() if one["may_overflow"] else one["underflow"] for values, one in zip(steps, each))
        best = row["loss_scale"]
        good &= check(name, "lost at the best scale", best["lost"], min(lost.values()) / count)
        for exponent in range(best["lowest_exponent"], best["highest_exponent"] + 1):
            good &= check(name, f"lost at 2^{exponent}", best["lost"], lost[exponent] / count)
        for exponent in (best["lowest_exponent"] - 1, best["highest_exponent"] + 1):
            if exponent in lost and lost[exponent] <= lost[best["exponent"]]:
                print(f"{name}: 2^{exponent} is as good as 2^{best['exponent']}")
                good = False
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gradtool", default="build/release/gradtool")
    gradtool = parser.parse_args().gradtool
    torch.manual_seed(1)
    good = True
    for center, spread in ((-9, 3), (-20, 6), (-30, 10), (-60, 20), (5, 4), (0, 40)):
        steps = []
        for _ in range(3):
            exponents = (torch.randn(2000) * spread + center).clamp(-120, 120)
            steps.append((torch.rand(2000) + 1) * 2.0**exponents.floor() * torch.sign(torch.randn(2000)))
        good &= compare(gradtool, steps)
        print(f"magnitudes around 2^{center}, deviation {spread}: {'equal' if good else 'DIFFERENT'}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
