"""Losses of one neuron with output f and target y, each with its exact derivatives with respect to f."""
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from zz_core.activations import sigmoid, sigmoid_slope, softplus

OfOutputAndTarget = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Loss(NamedTuple):
    """A loss per sample. slope is dL/df, the scalar that every weight's gradient shares; curvature is d2L/df2.

    gauss_newton is the curvature that Gauss-Newton keeps (never negative), bound the largest curvature for
    targets between 0 and 1: the stability limit divides by it. quadratic says that an exact line search exists.
    """

    label: str
    value: OfOutputAndTarget
    slope: OfOutputAndTarget
    curvature: OfOutputAndTarget
    gauss_newton: OfOutputAndTarget
    bound: float
    quadratic: bool = False


def _ones(f: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.ones(np.broadcast_shapes(np.shape(f), np.shape(y)))


def _sigmoid_squared_curvature(f: np.ndarray, y: np.ndarray) -> np.ndarray:
    slope = sigmoid_slope(f)
    return slope**2 - (sigmoid(f) - y) * slope * np.tanh(0.5 * np.asarray(f))


LOSSES: dict[str, Loss] = {
    "squared": Loss("Squared, ½(f − y)²", lambda f, y: 0.5 * np.square(f - y), lambda f, y: f - y, _ones, _ones,
                    bound=1.0, quadratic=True),
    "logistic": Loss("Cross-entropy on σ(f)", lambda f, y: softplus(f) - y * f, lambda f, y: sigmoid(f) - y,
                     lambda f, y: sigmoid_slope(f), lambda f, y: sigmoid_slope(f), bound=0.25),
    # the bound is the maximum of s²(1-s)(2-3s), at s = (15 - sqrt(33)) / 24
    "sigmoid_squared": Loss("Squared on a sigmoid, ½(σ(f) − y)²", lambda f, y: 0.5 * np.square(sigmoid(f) - y),
                            lambda f, y: (sigmoid(f) - y) * sigmoid_slope(f), _sigmoid_squared_curvature,
                            lambda f, y: sigmoid_slope(f) ** 2, bound=0.07702928506067525),
}
