"""Activations of the layer before the neuron: they decide whether its inputs are zero-centered."""
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Elementwise = Callable[[np.ndarray], np.ndarray]
SQRT_2PI = math.sqrt(2 * math.pi)
_erf = np.frompyfunc(math.erf, 1, 1)  # the exact GELU needs erf, which NumPy does not have


class Activation(NamedTuple):
    """An elementwise function with its exact derivative."""

    label: str
    value: Elementwise
    slope: Elementwise


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), accurate in both tails (the naive form overflows on the left)."""
    decay = np.exp(-np.abs(z))
    return np.where(np.asarray(z) >= 0, 1.0, decay) / (1.0 + decay)


def sigmoid_slope(z: np.ndarray) -> np.ndarray:
    """Derivative of the sigmoid; s(1 - s) would round to 0 from z = 37 on, this does not."""
    decay = np.exp(-np.abs(z))
    return decay / (1.0 + decay) ** 2


def softplus(z: np.ndarray) -> np.ndarray:
    """log(1 + exp(z)) without overflow."""
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


def _normal_cdf(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + _erf(np.asarray(z, float) / math.sqrt(2)).astype(float))


def _normal_density(z: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * np.square(z)) / SQRT_2PI


def _leaky(z: np.ndarray) -> np.ndarray:
    return np.where(np.asarray(z) > 0, z, 0.01 * np.asarray(z))


def _elu_slope(z: np.ndarray) -> np.ndarray:
    return np.exp(np.minimum(z, 0.0))


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation("Identity", lambda z: np.array(z, float), lambda z: np.ones_like(z, float)),
    "sigmoid": Activation("Sigmoid", sigmoid, sigmoid_slope),
    "centered_sigmoid": Activation("Sigmoid minus ½ (same slope, zero-centered)",
                                   lambda z: 0.5 * np.tanh(0.5 * np.asarray(z)), sigmoid_slope),
    "tanh": Activation("Tanh", np.tanh, lambda z: 1.0 / np.cosh(np.clip(z, -350, 350)) ** 2),
    "scaled_tanh": Activation("Scaled tanh, 1.7159·tanh(2z/3)", lambda z: 1.7159 * np.tanh(2 * np.asarray(z) / 3),
                              lambda z: 1.7159 * 2 / 3 / np.cosh(np.clip(2 * np.asarray(z) / 3, -350, 350)) ** 2),
    "relu": Activation("ReLU", lambda z: np.maximum(z, 0.0), lambda z: np.where(np.asarray(z) > 0, 1.0, 0.0)),
    "leaky_relu": Activation("Leaky ReLU (0.01)", _leaky, lambda z: np.where(np.asarray(z) > 0, 1.0, 0.01)),
    "elu": Activation("ELU", lambda z: np.where(np.asarray(z) > 0, z, np.expm1(np.minimum(z, 0.0))), _elu_slope),
    "gelu": Activation("GELU (exact)", lambda z: z * _normal_cdf(z), lambda z: _normal_cdf(z) + z * _normal_density(z)),
    "silu": Activation("SiLU (swish)", lambda z: z * sigmoid(z), lambda z: sigmoid(z) + z * sigmoid_slope(z)),
    "softplus": Activation("Softplus", softplus, sigmoid),
}
