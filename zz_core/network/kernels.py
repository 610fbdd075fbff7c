"""The activations once more, as a network needs them: into given arrays, the slope from what the forward pass left.

Same functions as ACTIVATIONS (the tests compare them); there a slope is computed from z alone, here from z and the
value a, which spares the second exponential.
"""
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from zz_core.activations import SQRT_2PI


class Kernel(NamedTuple):
    """value(z, out): the activation; slope(z, a, out): its derivative, where a is its value at z.

    slope_needs_z: else the memory of z is used for other things before the slope is asked for, `out` among them.
    """

    value: Callable[[np.ndarray, np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    slope_needs_z: bool = False


def _sigmoid(z: np.ndarray, out: np.ndarray) -> np.ndarray:
    np.negative(z, out=out)
    np.exp(out, out=out)  # overflows to infinity on the far left, where 0 is right
    out += 1.0
    return np.reciprocal(out, out=out)


def _sigmoid_slope(z: np.ndarray, a: np.ndarray, out: np.ndarray) -> np.ndarray:
    np.subtract(1.0, a, out=out)
    return np.multiply(out, a, out=out)


def _tanh_of(scale: float, stretch: float) -> Kernel:
    """scale * tanh(stretch * z), with the slope stretch * (scale - a² / scale)."""
    def value(z: np.ndarray, out: np.ndarray) -> np.ndarray:
        if stretch != 1.0:
            z = np.multiply(z, stretch, out=out)
        np.tanh(z, out=out)
        return out if scale == 1.0 else np.multiply(out, scale, out=out)

    def slope(z: np.ndarray, a: np.ndarray, out: np.ndarray) -> np.ndarray:
        np.multiply(a, a, out=out)
        if scale != 1.0 or stretch != 1.0:
            out *= stretch / scale
        return np.subtract(stretch * scale, out, out=out)

    return Kernel(value, slope)


def _leaky(z: np.ndarray, out: np.ndarray) -> np.ndarray:
    return np.maximum(np.multiply(z, 0.01, out=out), z, out=out)


def _leaky_slope(z: np.ndarray, a: np.ndarray, out: np.ndarray) -> np.ndarray:
    np.greater(a, 0.0, out=out)  # as z is
    out *= 0.99
    return np.add(out, 0.01, out=out)


def _elu(z: np.ndarray, out: np.ndarray) -> np.ndarray:
    np.expm1(np.minimum(z, 0.0, out=out), out=out)
    return np.maximum(out, z, out=out)  # exp(z) - 1 is never below z


def _elu_slope(z: np.ndarray, a: np.ndarray, out: np.ndarray) -> np.ndarray:
    return np.add(np.minimum(a, 0.0, out=out), 1.0, out=out)


def _silu(z: np.ndarray, out: np.ndarray) -> np.ndarray:
    return np.multiply(_sigmoid(z, out), z, out=out)


def _silu_slope(z: np.ndarray, a: np.ndarray, out: np.ndarray) -> np.ndarray:
    """s + a (1 - s)"""
    s = _sigmoid(z, out)
    return np.add(s, a * (1.0 - s), out=out)


def _softplus(z: np.ndarray, out: np.ndarray) -> np.ndarray:
    np.log1p(np.exp(np.negative(np.abs(z, out=out), out=out), out=out), out=out)
    return np.add(out, np.maximum(z, 0.0), out=out)


def _softplus_slope(z: np.ndarray, a: np.ndarray, out: np.ndarray) -> np.ndarray:
    """1 - exp(-a)"""
    return np.negative(np.expm1(np.negative(a, out=out), out=out), out=out)


NODES = 64  # of the table of erf per unit
LAST = 6  # beyond it erf is 1 in double precision


def _erf_table() -> np.ndarray:
    """Taylor coefficients (8, nodes) of erf about the nodes, from the Hermite recursion of its derivatives."""
    nodes = np.arange(LAST * NODES + 1) / NODES
    derivatives = [np.array([math.erf(x) for x in nodes]), 2 / math.sqrt(math.pi) * np.exp(-nodes**2)]
    for n in range(1, 7):
        before = (n - 1) * derivatives[n - 1] if n > 1 else 0.0
        derivatives.append(-2 * (nodes * derivatives[n] + before))
    return np.array([row / math.factorial(n) for n, row in enumerate(derivatives)])


_ERF = _erf_table()


def erf(x: np.ndarray) -> np.ndarray:
    """The error function to 1e-15, from a table, since NumPy has none: the next term is below 2e-17."""
    size = np.minimum(np.abs(x), LAST)
    nearest = np.rint(size * NODES)
    index = np.where(nearest == nearest, nearest, 0).astype(np.intp)  # NaN comes back through `offset`
    offset = size - nearest / NODES
    total = np.take(_ERF[-1], index)
    for row in _ERF[-2::-1]:
        total *= offset
        total += np.take(row, index)
    return np.copysign(total, x)


def _gelu(z: np.ndarray, out: np.ndarray) -> np.ndarray:
    return np.multiply(z, 0.5 + 0.5 * erf(z / math.sqrt(2)), out=out)


def _gelu_slope(z: np.ndarray, a: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Phi(z) + z phi(z), with Phi = a / z."""
    share = np.divide(a, z, out=np.full_like(z, 0.5), where=z != 0)
    return np.add(share, z * np.exp(-0.5 * np.square(z)) / SQRT_2PI, out=out)


def _identity(z: np.ndarray, out: np.ndarray) -> np.ndarray:
    np.copyto(out, z)
    return out


def _ones(z: np.ndarray, a: np.ndarray, out: np.ndarray) -> np.ndarray:
    out.fill(1.0)
    return out


KERNELS: dict[str, Kernel] = {
    "identity": Kernel(_identity, _ones),
    "sigmoid": Kernel(_sigmoid, _sigmoid_slope),
    "centered_sigmoid": _tanh_of(0.5, 0.5),
    "tanh": _tanh_of(1.0, 1.0),
    "scaled_tanh": _tanh_of(1.7159, 2 / 3),
    "relu": Kernel(lambda z, out: np.maximum(z, 0.0, out=out), lambda z, a, out: np.greater(a, 0.0, out=out)),
    "leaky_relu": Kernel(_leaky, _leaky_slope),
    "elu": Kernel(_elu, _elu_slope),
    "gelu": Kernel(_gelu, _gelu_slope, True),
    "silu": Kernel(_silu, _silu_slope, True),
    "softplus": Kernel(_softplus, _softplus_slope),
}
