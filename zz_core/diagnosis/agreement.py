"""How often a gradient has one sign: of one sample, and of batches drawn from the data."""
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zz_core.measures import share_interval, unanimous
from zz_core.theory import same_sign_probability

DRAWS, FEWEST_DRAWS = 1000, 200
PRODUCTS = 2**30  # multiplications a batch size, unless that leaves fewer than FEWEST_DRAWS
BLOCK_DRAWS = 100
LARGEST_BATCH = 256


class Share(NamedTuple):
    """A share with its 95 % interval; without one where every sample was looked at."""

    value: float
    low: float
    high: float


class BatchSigns(NamedTuple):
    """Share of batches (K,) whose gradient has one sign, zeros apart, with its 95 % interval."""

    batch_sizes: np.ndarray  # (K,)
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    draws: int
    limit: float  # for large batches, of features that share one correlation, the data's own on average


def single_sample(rows: np.ndarray, total: int) -> Share:
    """Share of samples whose gradient has one sign, from `rows` (n, D) of a data set of `total` rows.

    dL/dw of one sample is dL/df times x: its components share a sign where those of x do.
    """
    same = unanimous(rows)
    known = int(np.isfinite(same).sum())
    share = float(np.nansum(same) / known) if known else math.nan
    return Share(share, share, share) if len(rows) == total else Share(share, *share_interval(share, known))


def batch_sizes_up_to(batch_size: int) -> list[int]:
    """1, 2, 4, ... to LARGEST_BATCH, and `batch_size` among them."""
    return sorted({2**k for k in range(LARGEST_BATCH.bit_length())} | {batch_size})


def by_batch(rows: np.ndarray, mean: np.ndarray, residuals: np.ndarray | None, batch_sizes: Sequence[int],
             correlations: tuple[float, float], seed: int = 0) -> tuple[BatchSigns, BatchSigns]:
    """Draw batches from `rows` (n, D) at the optimum and count those whose mean gradient has one sign; raw, and with
    `mean` (D,) taken off the inputs.

    residuals: (n,), dL/df of each sample, or None for residuals that do not depend on the inputs, drawn from a normal
    distribution. The samples of a batch are drawn with replacement; the batches of each size are independent, while
    a larger batch begins with the samples of a smaller one. correlations: see `mean_correlation`; raw, centered.
    """
    rng, dimensions = np.random.default_rng(seed), rows.shape[1]
    draws = int(np.clip(PRODUCTS // rows.size, FEWEST_DRAWS, DRAWS))
    sums, slopes, shares, done = np.zeros((draws, dimensions)), np.zeros(draws), np.empty((2, len(batch_sizes))), 0
    for k, size in enumerate(batch_sizes):
        _add(sums, slopes, rows, residuals, size - done, rng)
        done = size
        shares[:, k] = [np.nanmean(unanimous(each)) for each in (sums, sums - slopes[:, None] * mean)]
    found = []
    for share, correlation in zip(shares, correlations, strict=True):
        low, high = np.array([share_interval(each, draws) for each in share]).T
        found.append(BatchSigns(np.asarray(batch_sizes), share, low, high, draws,
                                same_sign_probability(dimensions, correlation)))
    return found[0], found[1]


def _add(sums: np.ndarray, slopes: np.ndarray, rows: np.ndarray, residuals: np.ndarray | None, more: int,
         rng: np.random.Generator) -> None:
    """Add `more` drawn samples' gradients to each of the sums (draws, D), and their residuals to slopes (draws,)."""
    # as a product with each row's sum of residuals: to gather wide rows would take ten times longer
    weights = np.empty((BLOCK_DRAWS, len(rows)))
    for start in range(0, len(sums), BLOCK_DRAWS):
        part = slice(start, start + BLOCK_DRAWS)
        count = len(sums[part])
        drawn = rng.integers(0, len(rows), (count, more))
        each = rng.standard_normal(drawn.shape) if residuals is None else residuals[drawn]
        weights[:count] = 0.0
        np.add.at(weights, (np.arange(count)[:, None], drawn), each)
        sums[part] += weights[:count] @ rows
        slopes[part] += each.sum(axis=1)


def mean_correlation(second_moment: np.ndarray) -> float:
    """Mean correlation of two features under E[x x'] (D, D), in [0, 1]: with a mean m and a variance v, m²/(m² + v).

    What pushes a gradient's components to one sign; it is negative where features have means of both signs, which then
    keep each other in check: 0.
    """
    scale = 1 / np.sqrt(second_moment.diagonal())
    count = len(scale)
    if count == 1:
        return 1.0
    return float(np.clip((scale @ second_moment @ scale - count) / (count * (count - 1)), 0.0, 1.0))
