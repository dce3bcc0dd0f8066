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


def _digamma(x: float) -> float:
    """Recurrence up to 6, then the asymptotic series (Abramowitz & Stegun 6.3.5, 6.3.18)."""
    below = 0.0
    while x < 6:
        below -= 1 / x
        x += 1
    return float(below + np.log(x) - 1 / (2 * x) - 1 / (12 * x**2) + 1 / (120 * x**4) - 1 / (252 * x**6))


def gaussian_lyapunov(n: int, index: int) -> float:
    """e to the Lyapunov exponent number `index` (from 1) of products of n x n matrices of N(0, 1/n): Newman 1986."""
    return float(np.exp((_digamma((n - index + 1) / 2) + np.log(2 / n)) / 2))
