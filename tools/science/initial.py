"""Experiments of one step: how signals and gradients flow through a net as it is initialised."""

from __future__ import annotations

from math import exp, log, pi, sqrt

import numpy as np
from result import Picture, Result, between, near
from runs import Laboratory
from theory import gaussian_product_spectrum, tanh_chi, tanh_forward, tanh_slope_squared, tanh_squared


def glorot(lab: Laboratory) -> Result:
    """Standard and normalised initialisation of 5 tanh layers of 1000: 5 seeds."""
    rows, tables = [], {}
    for name, init, gain in (("standard", "default", 1 / 3), ("normalised", "xavier_uniform", 1)):
        pending = [lab.train("science/glorot", {"seed": seed, "model.init": init}) for seed in range(1, 6)]
        runs = [run.result() for run in pending]
        activation = np.mean([run.layers("activations", "std", "tanh") for run in runs], 0)
        delta = np.mean([run.layers("activation_gradients", "std", "linear", "blocks") for run in runs], 0)
        weight = np.mean([run.parameters("std", ".weight", "blocks") for run in runs], 0)
        variance = tanh_forward(gain, 0, 5)
        flow = [sqrt(tanh_squared(q)) for q in variance]
        factor = [sqrt(gain * tanh_slope_squared(q)) for q in variance[:-1]]
        back = [float(np.prod(factor[layer:])) for layer in range(5)]
        rows += [
            near(f"{name}: std of activations, layer {layer + 1}", activation[layer], flow[layer], relative=0.03)
            for layer in (0, 4)
        ]
        rows.append(
            near(f"{name}: std of delta, factor per layer", (delta[0] / delta[-1]) ** 0.25, back[0] ** 0.25, relative=0.03)
        )
        low, high = (0.9, 1.15) if name == "standard" else (1.0, 1.25)
        rows.append(
            between(
                f"{name}: std of weight gradients, layer 1 over 5",
                weight[0] / weight[-1],
                f"{back[0] / flow[3]:.3g}",
                low,
                high,
            )
        )
        inflow = [1, *flow[:-1]]
        tables[name] = [
            (
                layer + 1,
                activation[layer],
                flow[layer],
                delta[layer] / delta[-1],
                back[layer],
                weight[layer] / weight[-1],
                back[layer] * inflow[layer] / inflow[-1],
            )
            for layer in range(5)
        ]
    panels = [("std of activations", 2), ("std of delta, over layer 5's", 4), ("std of weight gradients, over layer 5's", 6)]
    commands = (
        'set logscale y\nset xrange [0.7:5.3]\nset yrange [0.03:2]\nset xtics 1\nset xlabel "layer"\nset multiplot layout 1,3\n'
    )
    for title, column in panels:
        commands += f'set title "{title}"\n' + ("set key bottom right\n" if column == 6 else "unset key\n")
        commands += (
            "plot "
            + ", ".join(
                f'${name} using 1:{column + 1} with lines lw 2 lc rgb {colour} title "{name}: theory", '
                f'${name} using 1:{column} with points pt {mark} ps 1.4 lc rgb {colour} title "{name}: measured"'
                for name, colour, mark in (("standard", "orange", 7), ("normalised", "blue", 5))
            )
            + "\n"
        )
    return Result(
        "glorot",
        "Glorot and standard initialisation",
        "Glorot & Bengio 2010, section 4.2",
        rows,
        Picture(commands, tables, 1150, 400),
    )


def he(lab: Laboratory) -> Result:
    """RMS of delta over the depth of ReLU nets of 256: 8 seeds, geometric means."""
    rows, tables = [], {}
    weight_ratio = {}
    for depth in (10, 22, 30):
        for name, init in (("Xavier", "xavier_normal"), ("He", "kaiming_normal")):
            pending = [
                lab.train(f"xavier-{depth}", {"seed": seed, "model.init": init, "monitor.histogram_every": 0})
                for seed in range(1, 9)
            ]
            runs = [run.result() for run in pending]
            norms = np.array([run.layers("activation_gradients", "norm", "linear", "blocks") for run in runs])
            flow = np.exp(np.mean(np.log(norms / norms[:, -1:]), 0))
            weights = np.array([run.parameters("std", ".weight", "blocks") for run in runs])
            weight_ratio[name, depth] = exp(np.mean(np.log(weights[:, 0] / weights[:, -1])))
            if name == "Xavier":
                rows.append(
                    near(
                        f"Xavier, {depth} layers: rms of delta, first over last", flow[0], 2 ** (-(depth - 1) / 2), relative=0.1
                    )
                )
            else:
                rows.append(between(f"He, {depth} layers: the same", flow[0], "1", 0.8, 1.25))
            if depth == 30:
                tables[name] = [(layer + 1, value) for layer, value in enumerate(flow)]
    for depth in (10, 22, 30):
        predicted = lab.predict(f"xavier-{depth}", {"seed": 1, "model.init": "xavier_normal"}).result()
        label = f"Xavier, {depth} layers: rms of delta as `inspect --prediction` has it"
        rows.append(near(label, predicted[0] / predicted[-1], 2 ** (-(depth - 1) / 2), relative=0.1))
    for depth in (10, 22, 30):
        rows.append(
            between(
                f"Xavier, {depth} layers: std of weight gradients, first over last",
                weight_ratio["Xavier", depth],
                "1",
                0.8,
                1.35,
            )
        )
    commands = """
set logscale y
set format y "10^{%L}"
set termoption enhanced
set xlabel "layer, of 30"
set ylabel "rms of delta, over layer 30's"
set xrange [0:31]
set yrange [1e-5:10]
set key bottom right
plot 1 with lines lw 2 lc rgb blue title "He: theory, 1", \\
     $He using 1:2 with points pt 5 lc rgb blue title "He: measured", \\
     2**((x - 30) / 2.0) with lines lw 2 lc rgb orange title "Xavier: theory, 2^{-(30 - layer)/2}", \\
     $Xavier using 1:2 with points pt 7 lc rgb orange title "Xavier: measured"
"""
    return Result(
        "he", "He and Xavier initialisation of ReLU nets", "He et al. 2015, section 2.2", rows, Picture(commands, tables)
    )


def hanin(lab: Laboratory) -> Result:
    """ln ||J u||^2 of 20 ReLU layers of finite width, over seeds."""
    depth, rows, tables, curves = 20, [], {}, []
    for width, draws in ((50, 4000), (100, 1000)):
        sizes = {
            "model.input": [width],
            "data.features": width,
            "model.layers[0].out": width,
            "model.layers[1].layers[1].out": width,
        }
        pending = [lab.inspect("science/hanin", {"seed": seed, **sizes}) for seed in range(1, draws + 1)]
        growth = []
        for document in pending:
            norm = {gradient["name"]: gradient["norm"] for gradient in document.result()["gradients"]}
            growth.append(2 * log(norm["bottom.bias"] / norm[f"blocks.{depth - 1}.linear1.bias"]))
        beta = depth / width
        rows.append(near(f"width {width}, {draws} draws: mean of ln |Ju|^2", np.mean(growth), -2.5 * beta, absolute=0.08))
        rows.append(
            between(
                f"width {width}, {draws} draws: variance of ln |Ju|^2",
                np.var(growth),
                f"{5 * beta:.3g}",
                0.95 * 5 * beta,
                1.2 * 5 * beta,
            )
        )
        density, edges = np.histogram(growth, np.arange(-7, 5.01, 0.25), density=True)
        tables[f"w{width}"] = [(x + 0.125, y) for x, y in zip(edges[:-1], density, strict=True)]
        curves.append((width, beta))
    commands = """
set termoption enhanced
set xlabel "ln ||J u||^2 over 20 ReLU layers"
set ylabel "density"
set xrange [-7:5]
set yrange [0:0.45]
set samples 300
set style fill transparent solid 0.25 noborder
plot """
    commands += (
        ", ".join(
            f'$w{width} using 1:2 with boxes lc rgb {colour} title "width {width}: measured", '
            f"exp(-(x + {2.5 * beta})**2 / (2 * {5 * beta})) / sqrt({2 * pi * 5 * beta}) with lines lw 2 lc rgb {colour} "
            f'title "width {width}: N(-2.5 {{/Symbol b}}, 5 {{/Symbol b}}), {{/Symbol b}} = {beta:.1f}"'
            for (width, beta), colour in zip(curves, ("orange", "blue"), strict=True)
        )
        + "\n"
    )
    return Result(
        "hanin",
        "Gradients of nets of finite width",
        "Hanin 2018, theorem 1; Hanin & Nica 2020",
        rows,
        Picture(commands, tables),
    )


def schoenholz(lab: Laboratory) -> Result:
    """Slope of ln Var(delta) over the depth of tanh nets of 400, sigma_b^2 = 0.05: 3 seeds."""
    rows, tables = [], {"slopes": [], "theory": []}
    settled = 5  # layers until the variance of the forward signal has settled
    colours = {1.0: "orange", 1.5: "yellow", 1.7603: "grey", 2.5: "sky", 4.0: "blue"}
    pending = {
        s: [lab.train("science/schoenholz", {"seed": seed, "model.init.gain": sqrt(s)}) for seed in range(1, 4)]
        for s in (1.0, 1.3, 1.5, 1.7603, 2.0, 2.5, 4.0)
    }
    lines, predicted_rows = [], []
    for sigma, runs in pending.items():
        variance = np.array(
            [2 * np.log(run.result().layers("activation_gradients", "norm", "linear", "blocks")) for run in runs]
        )
        variance = np.mean(variance - variance[:, -1:], 0)
        layers = np.arange(1, len(variance) + 1)
        slope, chi = -np.polyfit(layers[settled:], variance[settled:], 1)[0], tanh_chi(sigma, 0.05)
        rows.append(
            near(f"sigma_w^2 = {sigma:g}: slope of ln Var(delta) per layer", slope, round(log(chi), 4) + 0.0, absolute=0.01)
        )
        settings = {"seed": 1, "model.init.gain": sqrt(sigma)}
        predicted = 2 * np.log(lab.predict("science/schoenholz", settings).result())
        slope_predicted = -np.polyfit(layers[settled:], predicted[settled:], 1)[0]
        label = f"sigma_w^2 = {sigma:g}: the same as `inspect --prediction` has it"
        predicted_rows.append(near(label, slope_predicted, round(log(chi), 4) + 0.0, absolute=0.01))
        tables["slopes"].append((sigma, slope))
        if sigma in colours:
            name = f"s{len(lines)}"
            tables[name] = list(zip(layers, variance, strict=True))
            lines.append((f"{sigma:g}", name, colours[sigma], log(chi)))
    rows += predicted_rows
    tables["theory"] = [(s, log(tanh_chi(s, 0.05))) for s in np.arange(0.8, 4.21, 0.1)]
    commands = """
set termoption enhanced
set multiplot layout 1,2
set title "theory (lines) and measured (points)"
set xlabel "layer"
set ylabel "ln Var({/Symbol d}), less layer 30's"
set xrange [0:31]
set yrange [-10:12]
set key top right maxrows 3
plot """
    commands += ", ".join(
        f"{chi} * (30 - x) with lines lw 1.5 lc rgb {colour} notitle, "
        f'${name} using 1:2 with points pt 7 ps 0.7 lc rgb {colour} title "{{/Symbol s}}_w^2 = {sigma}"'
        for sigma, name, colour, chi in lines
    )
    commands += """
set title "slope: ordered below 1.76, chaotic above"
set xlabel "{/Symbol s}_w^2"
set ylabel "slope of ln Var({/Symbol d}) per layer"
set xrange [0.7:4.3]
set yrange [-0.4:0.4]
set key bottom right
plot 0 with lines lc rgb grey dt 2 notitle, \\
     $theory using 1:2 with lines lw 2 lc rgb blue title "theory: ln {/Symbol c}_1", \\
     $slopes using 1:2 with points pt 7 ps 1.4 lc rgb orange title "measured"
"""
    return Result(
        "schoenholz",
        "Order, criticality and chaos of tanh nets",
        "Schoenholz et al. 2017, equations 3 to 7",
        rows,
        Picture(commands, tables, 1100, 450),
    )


def _autocorrelation(gradient: np.ndarray, lags: int) -> np.ndarray:
    centred = gradient - gradient.mean()
    return np.array([centred[: len(centred) - lag] @ centred[lag:] / (centred @ centred) for lag in range(lags)])


def balduzzi(lab: Laboratory) -> Result:
    """Autocorrelation of dF/dx over a grid of 256 scalars, with batch normalisation: 40 seeds."""
    reference = {
        ("plain", 4): (0.81, 0.08),
        ("plain", 10): (0.18, 0.08),
        ("plain", 24): (-0.04, 0.08),
        ("residual", 4): (0.91, 0.06),
        ("residual", 10): (0.80, 0.06),
        ("residual", 24): (0.69, 0.08),
    }
    config = {"plain": "science/balduzzi", "residual": "science/balduzzi-residual"}
    pending = {
        key: [lab.train(config[key[0]], {"seed": seed, "model.layers[2].times": key[1]}) for seed in range(1, 41)]
        for key in reference
    }
    rows, tables, curves = [], {}, []
    for (kind, depth), runs in pending.items():
        gradients = [run.result().saved("x.output_grad").ravel() for run in runs]
        correlation = np.mean([_autocorrelation(gradient, 21) for gradient in gradients], 0)
        expected, tolerance = reference[kind, depth]
        rows.append(near(f"{kind}, {depth} layers: autocorrelation at lag 1", correlation[1], expected, absolute=tolerance))
        tables[f"{kind}{depth}"] = list(enumerate(correlation))
        curves.append((kind, depth))
        if depth == 24:
            scaled = gradients[0] / sqrt(np.mean(gradients[0] ** 2))
            tables[f"trace_{kind}"] = list(zip(np.linspace(-2, 2, len(scaled)), scaled, strict=True))[96:160]
    commands = """
set multiplot
set size 0.5,0.52
set origin 0,0.48
set title "plain, 24 layers: dF/dx over its rms"
set xrange [-0.51:0.51]
set yrange [-4:4]
set ytics 2
plot $trace_plain using 1:2 with impulses lc rgb orange notitle
set origin 0,0
set title "residual, 24 layers: the same"
set xlabel "x"
plot $trace_residual using 1:2 with impulses lc rgb blue notitle
set size 0.5,1
set origin 0.5,0
set title "autocorrelation, mean of 40 nets"
set xlabel "lag, of 255 steps"
set xrange [0:20]
set yrange [-0.15:1.02]
set ytics 0.2
plot 0 with lines lc rgb grey dt 2 title "white noise", \\
"""
    commands += (
        ", ".join(
            f"${kind}{depth} using 1:2 with linespoints pt {mark} lw 1 lc rgb {'orange' if kind == 'plain' else 'blue'} "
            f'title "{kind}, {depth} layers"'
            for (kind, depth), mark in zip(curves, (4, 6, 8, 5, 7, 9), strict=True)
        )
        + "\n"
    )
    return Result(
        "balduzzi", "Shattered gradients", "Balduzzi et al. 2017, sections 2 and 3", rows, Picture(commands, tables, 900, 400)
    )


def _product(weights: dict[str, np.ndarray], depth: int) -> np.ndarray:
    """Of the weights of a deep linear net, in double precision: the smallest singular values are below float32's rounding."""
    product = np.eye(64)
    for layer in range(depth):
        product = weights[f"blocks.{layer}.linear1.weight"] @ product
    return product


def saxe(lab: Laboratory) -> Result:
    """Singular values of deep linear nets of 64."""
    gaussian = {"model.init": {"type": "normal", "std": 0.125}, "model.layers[0].times": 10}
    pending = [lab.train("science/saxe", {"seed": seed, **gaussian}) for seed in range(1, 41)]
    orthogonal = lab.train("science/saxe").result()
    spectrum = np.linalg.svd(orthogonal.saved("blocks.49.linear1.output"), compute_uv=False)
    flow = orthogonal.layers("activation_gradients", "norm", "linear")
    spectra = np.array([np.linalg.svd(_product(run.result().weights(), 10), compute_uv=False) for run in pending])
    rows = [
        near("orthogonal, 50 layers: largest singular value of the net", spectrum[0], 1, absolute=1e-5, digits=7),
        near("orthogonal, 50 layers: smallest singular value of the net", spectrum[-1], 1, absolute=1e-5, digits=7),
        near("orthogonal, 50 layers: norm of delta, layer 1 over 50", flow[0] / flow[-1], 1, absolute=1e-5, digits=7),
        between(
            "Gaussian, 10 layers: log10 of the condition number, median",
            np.median(np.log10(spectra[:, 0] / spectra[:, -1])),
            "13.7",
            12.7,
            14.7,
        ),
    ]
    tables = {
        "orthogonal": list(enumerate(spectrum, 1)),
        "gaussian": list(enumerate(np.exp(np.mean(np.log(spectra), 0)), 1)),
        "theory": list(enumerate(gaussian_product_spectrum(64, 10), 1)),
    }
    commands = """
set termoption enhanced
set logscale y
set format y "10^{%L}"
set xlabel "singular value of the whole net, by size"
set xrange [0:65]
set yrange [1e-14:1e3]
set key bottom left
plot 1 with lines lw 2 lc rgb blue title "orthogonal, 50 layers: theory, all 1", \\
     $orthogonal using 1:2 with points pt 5 ps 0.8 lc rgb blue title "orthogonal, 50 layers: measured", \\
     $theory using 1:2 with lines lw 2 lc rgb orange title "Gaussian, 10 layers: theory, Fuss-Catalan", \\
     $gaussian using 1:2 with points pt 7 ps 0.8 lc rgb orange title "Gaussian, 10 layers: measured, geometric mean of 40"
"""
    return Result(
        "saxe",
        "Dynamical isometry of deep linear nets",
        "Saxe et al. 2014, section 3; Penson & Zyczkowski 2011",
        rows,
        Picture(commands, tables),
    )


def pascanu(lab: Laboratory) -> Result:
    """A recurrent net with W = rho Q, Q orthogonal, at states of zero, where tanh is linear: 50 steps."""
    rows, tables, curves = [], {}, []
    for name, rho in (("a", 0.9), ("b", 1.0), ("c", 1.1)):
        event = lab.train("science/pascanu", {"model.layers[0].init.gain": rho}).result().events("time_gradients")[0]
        rms = np.array(event["delta_rms"])
        rows.append(
            near(
                f"rho = {rho}: |delta| 50 steps back over |delta| at the end",
                rms[0] / rms[-1],
                rho**50,
                relative=1e-5,
                digits=6,
            )
        )
        tables[name] = [(back, value) for back, value in enumerate(rms[::-1] / rms[-1])]
        curves.append((name, rho))
    commands = """
set termoption enhanced
set logscale y
set format y "10^{%L}"
set xlabel "steps back in time"
set ylabel "|{/Symbol d}|, over the last step's"
set xrange [0:51]
set key top left
plot """
    commands += (
        ", ".join(
            f'{rho}**x with lines lw 2 lc rgb {colour} title "{{/Symbol r}} = {rho}: theory, {{/Symbol r}}^t", '
            f'${name} using 1:2 every 2 with points pt 7 ps 0.9 lc rgb {colour} title "measured"'
            for (name, rho), colour in zip(curves, ("orange", "grey", "blue"), strict=True)
        )
        + "\n"
    )
    return Result(
        "pascanu", "Vanishing and exploding through time", "Pascanu et al. 2013, section 2.1", rows, Picture(commands, tables)
    )


EXPERIMENTS = (glorot, he, hanin, schoenholz, balduzzi, saxe, pascanu)
