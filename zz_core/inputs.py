"""Where the inputs come from: synthetic sources and the real data sets."""
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from zz_core import datasets

MAX_FACTORIAL = 12  # 2^12 = 4096 rows


class Source(NamedTuple):
    """A source of inputs.

    rows(samples, dimensions) -> N. draw(rng, rows, dimensions) -> (values (N, D), labels (N,) or None); values of
    an activated source have mean 0 and variance 1 and are then shifted, scaled and passed through the activation.
    """

    label: str
    rows: Callable[[int, int], int]
    draw: Callable[[np.random.Generator, int, int], tuple[np.ndarray, np.ndarray | None]]
    max_dimensions: int
    activated: bool = False
    real: bool = False


def _synthetic(label: str, standardized: Callable[[np.random.Generator, tuple[int, int]], np.ndarray]) -> Source:
    return Source(label, lambda samples, dimensions: samples,
                  lambda rng, rows, dimensions: (standardized(rng, (rows, dimensions)), None), 1024, activated=True)


def _factorial(rng: np.random.Generator, rows: int, dimensions: int) -> tuple[np.ndarray, None]:
    """Every corner of {0.25, 0.75}^D once: all positive, mean ½, variance 1/16, no randomness."""
    bits = np.arange(rows)[:, None] >> np.arange(dimensions) & 1
    return 0.25 + 0.5 * bits, None


def _one_hot(rng: np.random.Generator, rows: int, dimensions: int) -> tuple[np.ndarray, None]:
    return np.eye(dimensions)[np.arange(rows) % dimensions], None


def _real(name: str) -> Source:
    data = datasets.REAL[name]

    def draw(rng: np.random.Generator, rows: int, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = np.sort(rng.permutation(data.rows)[:rows])
        return datasets.scaled(name, dimensions)[chosen], datasets.load(name)[1][chosen]

    return Source(data.label, lambda samples, dimensions: min(samples, data.rows), draw, data.varying, real=True)


INPUTS: dict[str, Source] = {
    "gaussian": _synthetic("Gaussian", lambda rng, shape: rng.standard_normal(shape)),
    "uniform": _synthetic("Uniform", lambda rng, shape: np.sqrt(12.0) * (rng.random(shape) - 0.5)),
    "exponential": _synthetic("Exponential", lambda rng, shape: rng.standard_exponential(shape) - 1.0),
    "factorial": Source("Two-level factorial design", lambda samples, dimensions: 2**dimensions, _factorial,
                        MAX_FACTORIAL),
    "one_hot": Source("One-hot", lambda samples, dimensions: dimensions * (samples // dimensions), _one_hot, 1024),
    **{name: _real(name) for name in datasets.REAL},
}
