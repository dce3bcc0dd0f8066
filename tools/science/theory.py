"""Mean field of wide nets at initialisation: Poole et al. 2016; Schoenholz et al. 2017, equations 3 to 7."""

from __future__ import annotations

import numpy as np

_Z, _W = np.polynomial.hermite_e.hermegauss(201)
_W = _W / _W.sum()


def tanh_squared(q: float) -> float:
    """E[tanh(z)^2] for z ~ N(0, q)."""
    return float(_W @ np.tanh(np.sqrt(q) * _Z) ** 2)


def tanh_slope_squared(q: float) -> float:
    """E[tanh'(z)^2] for z ~ N(0, q)."""
    return float(_W @ np.cosh(np.sqrt(q) * _Z) ** -4.0)


def tanh_forward(sigma_w2: float, sigma_b2: float, layers: int) -> list[float]:
    """Variance of the pre-activations, layer by layer, of inputs of variance 1."""
    q = [sigma_w2 + sigma_b2]
    while len(q) < layers:
        q.append(sigma_w2 * tanh_squared(q[-1]) + sigma_b2)
    return q


def tanh_chi(sigma_w2: float, sigma_b2: float) -> float:
    """chi_1: the factor of the squared gradient per layer, at the fixed point of the variance."""
    return sigma_w2 * tanh_slope_squared(tanh_forward(sigma_w2, sigma_b2, 3000)[-1])


def gaussian_product_spectrum(n: int, layers: int) -> np.ndarray:
    """Singular values of the product of n x n matrices of N(0, 1/n), largest first: quantiles of the Fuss-Catalan distribution,
    which is exact for wide nets (Penson & Zyczkowski 2011, in the parametrisation by an angle of Forrester & Liu 2015)."""
    end = np.pi / (layers + 1)
    angle = end * (1 - np.logspace(0, -9, 200001))[1:]
    sine, outer, inner = np.sin(angle), np.sin((layers + 1) * angle), np.sin(layers * angle)
    square = outer ** (layers + 1) / (sine * inner**layers)
    density = sine**2 * inner ** (layers - 1) / (np.pi * outer**layers)
    above = np.concatenate([[0], np.cumsum(0.5 * (density[1:] + density[:-1]) * -np.diff(square))])
    return np.sqrt(np.interp((np.arange(n) + 0.5) / n, above, square))
