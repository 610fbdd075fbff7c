"""What the mean of the inputs does to the curvature: eigenvalues of H = E[x x'] and the learning rates they allow.

Features are independent with one mean m and one variance v; derived here, after LeCun, Kanter and Solla, "Second order
properties of error surfaces", NIPS 3 (1990), who found that a mean adds one eigenvalue of the order of D.
"""
import math
from typing import NamedTuple

import numpy as np


class RateZones(NamedTuple):
    """The learning rates at which full-batch gradient descent on a quadratic loss changes its behavior."""

    calm_below: float  # 1 / l1: up to here no mode jumps over its optimum
    diverges_from: float  # 2 / l1: from here on the steepest mode no longer shrinks
    best: float  # 2 / (l1 + lD) over the positive eigenvalues: the fastest rate for the worst start
    borders: np.ndarray  # (D,) 1 / l of every mode, in the order given: beyond it that mode alternates; inf for l = 0


def _check(dimensions: int, mean: float, variance: float) -> None:
    if dimensions < 1:
        raise ValueError(f"dimensions={dimensions}: must be at least 1")
    if not math.isfinite(mean):
        raise ValueError(f"mean={mean}: must be finite")
    if not 0 < variance < math.inf:
        raise ValueError(f"variance={variance}: must be positive and finite")


def spectrum(dimensions: int, mean: float, variance: float, bias: bool = False) -> np.ndarray:
    """Eigenvalues (D,) of E[x x'], largest first; (D+1,) with `bias`, the second moment of (x, 1).

    v + D m² once and v for the D - 1 directions across the mean. With the constant column these stay, and the mean
    direction and the constant share (T ± sqrt(T² - 4v)) / 2, T = v + D m² + 1, whose product is v.
    """
    _check(dimensions, mean, variance)
    across, shift = np.full(dimensions - 1, float(variance)), dimensions * mean**2
    if not bias:
        return np.array([variance + shift, *across])
    # T² - 4v without the cancellation, and the small root from the product for the same reason
    root = math.sqrt((variance - 1) ** 2 + 2 * shift * (variance + 1) + shift**2)
    largest = (variance + shift + 1 + root) / 2
    return np.sort([largest, *across, variance / largest])[::-1]


def condition_number(dimensions: int, mean: float, variance: float, bias: bool = False) -> float:
    """Largest / smallest eigenvalue of `spectrum`: 1 + D m²/v for D > 1, and l+²/v with a bias column, which is more.

    For zero-centered features it is 1, and max(v, 1) / min(v, 1) with a bias column.
    """
    values = spectrum(dimensions, mean, variance, bias)
    return float(values[0] / values[-1])


def rate_zones(eigenvalues: np.ndarray) -> RateZones:
    """The `RateZones` of a curvature with these eigenvalues (D,), in any order.

    Eigenvalues below D * machine epsilon * the largest are the rounding errors of flat directions and count as zero.
    """
    values = np.asarray(eigenvalues, float)
    if values.ndim != 1 or not np.isfinite(values).all() or values.max(initial=0.0) <= 0:
        raise ValueError("eigenvalues: must be a list of finite numbers, at least one of them positive")
    largest = values.max()
    rounding = len(values) * np.finfo(float).eps * largest
    if values.min() < -rounding:
        raise ValueError(f"eigenvalues: must not be negative, and the smallest is {values.min():g}")
    positive = values > rounding
    borders = np.divide(1.0, values, out=np.full(len(values), np.inf), where=positive)
    return RateZones(float(1 / largest), float(2 / largest), float(2 / (largest + values[positive].min())), borders)


def centering_gain(mean: float, variance: float) -> float:
    """How many times faster centering makes one-sample descent in many dimensions: ((1 + sqrt(1 + m²/v)) / 2)².

    Each side at its own best rate, without noise, features independent and Gaussian; the limit for D -> infinity.
    Derived here from the mean-square recursion: the part along the mean settles at once, the best rate is
    2 (1 - t) / (D m²) with t = sqrt(v / (m² + v)), and leaves an exponent (v / (D m²)) 4 (1 - t) / (1 + t) against 1/D.
    """
    _check(1, mean, variance)
    return ((1 + math.sqrt(1 + mean**2 / variance)) / 2) ** 2
