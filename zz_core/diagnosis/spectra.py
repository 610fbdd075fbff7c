"""Curvatures: eigenvalues of the second moments of inputs as they are, zero-centered, standardized, with a bias."""
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from zz_core.diagnosis.moments import Moments
from zz_core.theory import condition_number


class Spectrum(NamedTuple):
    """Eigenvalues (P,), largest first; those of null directions are 0 and do not count in the condition number."""

    eigenvalues: np.ndarray
    null: int  # directions in which the data do not move, beyond rounding

    @property
    def smallest(self) -> float:
        """The smallest that is not null; 0 where it is lost to rounding."""
        return float(self.eigenvalues[len(self.eigenvalues) - self.null - 1])

    @property
    def condition(self) -> float:
        """Largest / smallest; infinite where double precision does not hold it."""
        return float(self.eigenvalues[0]) / self.smallest if self.smallest > 0 else math.inf


class Spectra(NamedTuple):
    """Of E[x x'] for the inputs raw, zero-centered, and standardized; with the 1 of a bias for the first two."""

    raw: Spectrum
    centered: Spectrum
    standardized: Spectrum
    raw_bias: Spectrum
    centered_bias: Spectrum

    @property
    def head_room(self) -> float:
        """How much larger a learning rate the inputs would bear if they were zero-centered, a bias being learned.

        The largest eigenvalue with the 1 of the bias, raw over zero-centered. Unlike a condition number, it does not
        depend on the smallest eigenvalues, of which a finite sample says little.
        """
        return float(self.raw_bias.eigenvalues[0] / self.centered_bias.eigenvalues[0])


def spectra(found: Moments, progress: Callable[[float], None] | None = None) -> Spectra:
    """The spectra of the columns that vary."""
    parts = []
    for matrix in _second_moments(*found.spread_out):
        parts.append(spectrum_of(matrix, found.count))
        del matrix  # or it would stay while the next one is made
        if progress:
            progress(len(parts) / 4)
    raw, centered, standardized, raw_bias = parts
    # a mean adds no null directions: what only the raw moments lack has drowned in it
    raw, raw_bias = (each._replace(null=min(each.null, centered.null)) for each in (raw, raw_bias))
    values = np.sort(np.append(centered.eigenvalues, 1.0))[::-1]  # nothing links the bias to zero-centered inputs
    return Spectra(raw, centered, standardized, raw_bias, _cut(values, found.count))


def _second_moments(mean: np.ndarray, covariance: np.ndarray) -> Iterator[np.ndarray]:
    """Raw, centered, standardized, raw with a bias; one at a time, since those of wide inputs have 100 MB each."""
    yield raw_moment(mean, covariance)
    yield covariance
    spread = np.sqrt(covariance.diagonal())
    standardized = covariance / spread
    standardized /= spread[:, None]
    yield standardized
    del standardized
    shifted = np.append(mean, 1.0)
    with_bias = np.outer(shifted, shifted)
    with_bias[:-1, :-1] += covariance
    yield with_bias


def raw_moment(mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """E[x x'] (P, P)."""
    moment = np.outer(mean, mean)
    moment += covariance
    return moment


def spectrum_of(matrix: np.ndarray, rows: int) -> Spectrum:
    """Of a second moment (P, P) of `rows` samples."""
    return _cut(np.linalg.eigvalsh(matrix)[::-1], rows)


def _cut(values: np.ndarray, rows: int) -> Spectrum:
    """Eigenvalues up to N * machine epsilon * the largest are rounding errors of null directions."""
    null = values <= max(rows, len(values)) * np.finfo(float).eps * values[0]
    return Spectrum(np.where(null, 0.0, values), int(null.sum()))


def white_condition(rows: int, columns: int) -> float:
    """The condition number that so many samples of white features, whose own is 1, would show.

    ((1 + sqrt(D/N)) / (1 - sqrt(D/N)))², the edges of Marchenko and Pastur (1967); infinite from D = N on.
    """
    root = math.sqrt(columns / rows)
    return ((1 + root) / (1 - root)) ** 2 if root < 1 else math.inf


def independent_condition(mean: np.ndarray, variance: np.ndarray) -> float:
    """1 + D m²/v, what independent features (D,) of one mean and one variance would have, with these on average."""
    return condition_number(len(mean), math.sqrt(np.square(mean).mean()), variance.mean())
