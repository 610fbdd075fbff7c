"""The signs of recorded gradients: of every weight at every step, and the rows of a layer that agree."""
from typing import NamedTuple

import numpy as np

from zz_core.measures import ZERO
from zz_core.reading.checks import LARGEST

MOST_STEPS = 100_000


class GradientSigns(NamedTuple):
    """A layer's gradients dL/dW (T, out, in) over T steps; a vector of weights is one row."""

    signs: np.ndarray  # (T, out, in) int8: -1, 0 below 1e-12 of the row's largest, 1
    unanimous_rows: np.ndarray  # (T,) share of the rows whose components share a sign, zeros apart; NaN without any
    positive_share: np.ndarray  # (T,) share of positive components among those that are not zero
    mean_direction_energy: np.ndarray | None  # (T,) share of |G|² along the mean of the layer's inputs, where known

    @property
    def chance(self) -> float:
        """Share of unanimous rows if every sign were a fair coin."""
        return 2.0 ** (1 - self.signs.shape[2])

    @property
    def overall(self) -> float:
        """Mean share of unanimous rows over the steps that have a gradient."""
        known = self.unanimous_rows[np.isfinite(self.unanimous_rows)]
        return float(known.mean()) if len(known) else float("nan")


def gradient_signs(gradients: np.ndarray, input_mean: np.ndarray | None = None,
                   what: str = "gradients") -> GradientSigns:
    """Signs of recorded gradients (T, out, in), (T, D), or (T, out, ...), whose last axes are the inputs.

    input_mean: (in,) of the layer's inputs. ValueError where a gradient is not finite: a training that diverged is
    diagnosed up to there.
    """
    gradients = _as_rows(np.asarray(gradients), what)
    signs = np.empty(gradients.shape, np.int8)
    energy = np.full(len(gradients), np.nan) if input_mean is not None and _usable(input_mean, gradients) else None
    for step, rows in enumerate(gradients):
        rows = rows.astype(float)
        largest = np.abs(rows).max(axis=1, keepdims=True)
        if not largest.max() <= LARGEST:
            raise ValueError(f"{what}, step {step + 1:,}: holds a value that is missing, infinite or huge: must be "
                             "finite; leave the steps from there on out")
        signs[step] = (rows > ZERO * largest).astype(np.int8) - (rows < -ZERO * largest)
        if energy is not None and largest.max() > 0:
            scaled = rows / largest.max()  # squares of tiny gradients underflow
            energy[step] = np.square(scaled @ (input_mean / np.linalg.norm(input_mean))).sum() / np.square(scaled).sum()
    positive, negative = (signs > 0).sum(axis=2), (signs < 0).sum(axis=2)
    used = positive + negative > 0
    return GradientSigns(signs, _ratio((used & ((positive == 0) | (negative == 0))).sum(axis=1), used.sum(axis=1)),
                         _ratio(positive.sum(axis=1), (positive + negative).sum(axis=1)), energy)


def _as_rows(gradients: np.ndarray, what: str) -> np.ndarray:
    if gradients.dtype.kind not in "biuf":
        raise ValueError(f"{what}: hold values of type {gradients.dtype}: must be real numbers")
    if gradients.ndim < 2 or not gradients.size:
        raise ValueError(f"{what} of shape {gradients.shape}: must be (steps, ...), a gradient of the weights a step, "
                         "for example (steps, out, in)")
    if len(gradients) > MOST_STEPS:
        raise ValueError(f"{what} of shape {gradients.shape}: must have at most {MOST_STEPS:,} steps; record every "
                         "tenth")
    rows = 1 if gradients.ndim == 2 else gradients.shape[1]
    return gradients.reshape(len(gradients), rows, -1)


def _usable(mean: np.ndarray, gradients: np.ndarray) -> bool:
    return mean.shape == gradients.shape[2:] and bool(np.linalg.norm(mean) > 0)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
