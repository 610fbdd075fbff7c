"""Mean and covariance of a matrix of any length in one pass over blocks of rows."""
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from zz_core.reading.checks import LARGEST, refuse_gaps, row_blocks

SPREAD = 1e-12  # of a column, as a share of its largest value: what is below is rounding
SMALLEST = 1e-100  # squares of smaller spreads leave the range of double precision


class Moments(NamedTuple):
    """Of N samples of D features: population moments (divided by N), in double precision."""

    count: int
    mean: np.ndarray  # (D,)
    covariance: np.ndarray  # (D, D)
    positive_share: np.ndarray  # (D,) share of values above 0
    low: np.ndarray  # (D,)
    high: np.ndarray  # (D,)

    @property
    def variance(self) -> np.ndarray:
        return self.covariance.diagonal().copy()

    @property
    def varying(self) -> np.ndarray:
        """(D,) which columns have a spread beyond rounding."""
        largest = np.maximum(np.abs(self.low), np.abs(self.high))
        return (self.high > self.low) & (np.sqrt(self.variance) > SPREAD * largest)

    @property
    def spread_out(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance of the varying columns, uncopied where all do."""
        kept = self.varying
        return (self.mean, self.covariance) if kept.all() else (self.mean[kept], self.covariance[np.ix_(kept, kept)])


def moments(values: np.ndarray, names: Sequence[str], what: str = "activations",
            progress: Callable[[float], None] | None = None) -> Moments:
    """One pass over `values` (N, D), block by block, so that a file mapped into memory is never held as a whole.

    Each block is centered by its own mean before it is squared and merged by the rule of Chan, Golub and LeVeque (Am.
    Stat. 37, 1983): the sum of squares minus the squared sum would lose every digit where a mean is large. ValueError
    where a value is not finite.
    """
    columns, seen = values.shape[1], 0
    mean, squares, positive = np.zeros(columns), np.zeros((columns, columns)), np.zeros(columns, int)
    low, high = np.full(columns, np.inf), np.full(columns, -np.inf)
    for start, rows in row_blocks(values):
        block = np.array(rows, float)
        np.minimum(low, block.min(axis=0), out=low)
        np.maximum(high, block.max(axis=0), out=high)
        if not (low.min() >= -LARGEST and high.max() <= LARGEST):  # written so that NaN fails as well
            refuse_gaps(values, names, what)
        positive += (block > 0).sum(axis=0)
        own = block.mean(axis=0)
        block -= own
        squares += block.T @ block
        away, size = own - mean, len(block)
        mean += away * (size / (seen + size))
        away *= np.sqrt(seen * size / (seen + size))
        squares += np.outer(away, away)
        seen += size
        if progress:
            progress((start + size) / len(values))
    squares /= seen
    return _checked(Moments(seen, mean, squares, positive / seen, low, high), what)


def _checked(found: Moments, what: str) -> Moments:
    if (found.high > found.low).any() and (found.high - found.low).max() < SMALLEST:
        raise ValueError(f"{what}: no column spreads over more than {SMALLEST:g}: must be larger to be squared; "
                         "multiply the columns by a constant")
    if not found.varying.any():
        constant = "the only column is" if len(found.mean) == 1 else f"all {len(found.mean):,} columns are"
        raise ValueError(f"{what}: {constant} constant: must have at least one feature that differs between samples; "
                         "check that the rows are the samples")
    return found
