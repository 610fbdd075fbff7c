"""Sign measures and path measures: arrays in, arrays out. Undefined values are NaN, steps never reached infinite.

Sign measures work over the last axis of gradients or updates; path measures over the last two axes (steps, D) of
paths, rows after a divergence (NaN) being left out.
"""
import math

import numpy as np

FEW = 16
ZERO = 1e-12  # components (and steps) below this share of the largest count as zero


def _finite_or_nan(vectors: np.ndarray) -> np.ndarray:
    """`vectors` as floats, with NaN for the infinite components of a diverged run: ratios of them are undefined."""
    vectors = np.asarray(vectors, float)
    return np.where(np.isfinite(vectors), vectors, np.nan)


def sign_counts(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of positive and of negative components; those below 1e-12 of the largest count as zero."""
    vectors = np.asarray(vectors, float)
    if vectors.shape[-1] <= FEW:  # few components: all vectors' first ones, all second ones ..., 3 times faster
        vectors, axis = np.ascontiguousarray(np.moveaxis(vectors, -1, 0)), 0
    else:
        axis = -1
    threshold = ZERO * np.abs(vectors).max(axis=axis, keepdims=True)
    return (vectors > threshold).sum(axis=axis), (vectors < -threshold).sum(axis=axis)


def unanimous(vectors: np.ndarray) -> np.ndarray:
    """1 where all components that are not zero share a sign, 0 where not, NaN where all are zero."""
    positive, negative = sign_counts(vectors)
    return np.where(positive + negative > 0, (positive * negative == 0).astype(float), np.nan)


def majority(vectors: np.ndarray) -> np.ndarray:
    """Share of the more frequent sign, in [1/2, 1]; to be read beside `majority_by_chance`."""
    positive, negative = sign_counts(vectors)
    total = positive + negative
    return np.divide(np.maximum(positive, negative), total, out=np.full(total.shape, np.nan), where=total > 0)


def coherence(vectors: np.ndarray) -> np.ndarray:
    """|sum of components| / sum of |components|, in [0, 1]: 1 exactly where unanimous, insensitive to tiny ones."""
    vectors = _finite_or_nan(vectors)
    total = np.abs(vectors).sum(axis=-1)
    return np.divide(np.abs(vectors.sum(axis=-1)), total, out=np.full(total.shape, np.nan), where=total > 0)


def mean_direction_energy(vectors: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Share of the squared length along `direction` (D,), in [0, 1]; by chance 1/D. Unlike the sign measures it does
    not change when features are flipped or rotated."""
    vectors, direction = _finite_or_nan(vectors), np.asarray(direction, float)
    # scaled by the largest component first, or squares of tiny vectors would underflow
    largest = np.abs(vectors).max(axis=-1, keepdims=True)
    scaled = np.divide(vectors, largest, out=np.full(vectors.shape, np.nan), where=largest > 0)
    along = scaled @ (direction / np.linalg.norm(direction))
    return np.minimum(along**2 / np.square(scaled).sum(axis=-1), 1.0)  # rounding would pass 1


def unanimous_by_chance(dimensions: int) -> float:
    """Share of unanimous vectors when every sign is a fair coin: 2^(1-D)."""
    return 2.0 ** (1 - dimensions)


def majority_by_chance(dimensions: int) -> float:
    """Expected majority when every sign is a fair coin: sum of C(D, k) max(k, D - k) / (D 2^D)."""
    return sum(math.comb(dimensions, k) * max(k, dimensions - k) for k in range(dimensions + 1)) / (
        dimensions * 2**dimensions)


def share_interval(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share measured on `count` independent trials; (NaN, NaN) without any."""
    if count == 0 or math.isnan(share):
        return math.nan, math.nan
    center = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, center - half), min(1.0, center + half)


def quartiles(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(low, median, high) of each row of values (K, R), without its NaN; NaN where there is nothing else.

    As numpy.nanquantile(method="closest_observation"), so that one infinite value does not spread, and numpy.nanmedian,
    which go row by row and take longer than the runs that are summed up.
    """
    ordered, known = np.sort(values, axis=1), (~np.isnan(values)).sum(axis=1)

    def at(place: np.ndarray) -> np.ndarray:
        return ordered[np.arange(len(ordered)), np.clip(place, 0, np.maximum(known - 1, 0)).astype(np.intp)]

    def closest(share: float) -> np.ndarray:
        place = share * known - 1.5
        below = np.floor(place)
        return at(np.where((place == below) & (below % 2 == 1), below, below + 1))

    return closest(0.25), (at((known - 1) // 2) + at(known // 2)) / 2, closest(0.75)


def cut_tail(path: np.ndarray, optimum: np.ndarray, tolerance: float = 1e-3) -> np.ndarray:
    """The path (..., T+1, D) with NaN after its first arrival within tolerance * the initial distance.

    Around the optimum the steps are noise or rounding, and say nothing about the way there.
    """
    path = np.asarray(path, float)
    distance = _lengths(path - optimum)
    arrived = np.logical_or.accumulate(distance <= tolerance * distance[..., :1], axis=-1)
    cut = path.copy(order="K")
    cut[..., 1:, :][arrived[..., :-1]] = np.nan
    return cut


def _lengths(vectors: np.ndarray) -> np.ndarray:
    # unlike vecdot quick for few components, too; in C order, so that sums over it do not depend on how paths are held
    return np.asarray(np.sqrt(np.einsum("...i,...i->...", vectors, vectors)), order="C")


def _per_path(measure, path: np.ndarray) -> np.ndarray | float:
    """Apply `measure` to the steps (n, D) of every path: finite rows only, negligible steps dropped."""
    path = np.asarray(path, float)
    flat = path.reshape(-1, *path.shape[-2:])
    results = np.empty(len(flat))
    for k, rows in enumerate(flat):
        good = np.isfinite(rows).all(axis=-1)
        steps = np.diff(rows if good.all() else rows[: good.argmin()], axis=0)
        lengths = np.sqrt(np.vecdot(steps, steps))
        kept = lengths > ZERO * lengths.max(initial=0.0)
        results[k] = measure(steps[kept], lengths[kept])
    return results.reshape(path.shape[:-2])[()]


def _cosines(steps: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    return np.clip(np.vecdot(steps[1:], steps[:-1]) / (lengths[1:] * lengths[:-1]), -1.0, 1.0)


def path_efficiency(path: np.ndarray) -> np.ndarray | float:
    """Straight distance from first to last point / length of the path, in (0, 1]; its inverse is the path ratio."""
    path = np.asarray(path, float)
    good = np.logical_and.accumulate(np.isfinite(path).all(axis=-1), axis=-1)
    with np.errstate(invalid="ignore"):
        steps = np.where(good[..., 1:, None], np.diff(path, axis=-2), 0.0)
    lengths = _lengths(steps)
    kept = lengths > ZERO * lengths.max(axis=-1, keepdims=True, initial=0.0)  # as `_per_path`, all paths at once
    last = np.maximum(good.sum(axis=-1) - 1, 0)[..., None, None]
    straight = _lengths((np.take_along_axis(path, last, axis=-2) - path[..., :1, :])[..., 0, :])
    length = np.where(kept, lengths, 0.0).sum(axis=-1)
    return np.minimum(np.divide(straight, length, out=np.full(length.shape, np.nan), where=length > 0), 1.0)[()]


def turning(path: np.ndarray) -> np.ndarray | float:
    """Mean cosine between successive steps: -1 back and forth, 0 right angles, +1 straight. Needs two steps."""
    return _per_path(lambda steps, lengths: _cosines(steps, lengths).mean() if len(steps) > 1 else math.nan, path)


def reversal_rate(path: np.ndarray) -> np.ndarray | float:
    """Share of successive steps that form an obtuse angle. Needs two steps."""
    return _per_path(lambda steps, lengths: (_cosines(steps, lengths) < 0).mean() if len(steps) > 1 else math.nan, path)


def _offsets(path: np.ndarray, optimum: np.ndarray, direction: np.ndarray) -> np.ndarray:
    return (np.asarray(path, float) - optimum) @ (np.asarray(direction, float) / np.linalg.norm(direction))


def alternation(path: np.ndarray, optimum: np.ndarray, direction: np.ndarray) -> np.ndarray | float:
    """Share of steps that jump over the optimum along `direction` (D,). NaN for a path of one point."""
    offsets = _offsets(path, optimum, direction)
    defined = np.isfinite(offsets[..., 1:])
    crossed = defined & (offsets[..., 1:] * offsets[..., :-1] < 0)
    total = defined.sum(axis=-1)
    return np.divide(crossed.sum(axis=-1), total, out=np.full(total.shape, np.nan), where=total > 0)[()]


def travel_ratio(path: np.ndarray, optimum: np.ndarray, direction: np.ndarray) -> np.ndarray | float:
    """Way traveled along `direction` / distance to go at the start: 1 is a monotone arrival. NaN for no distance."""
    offsets = _offsets(path, optimum, direction)
    start = np.abs(offsets[..., 0])
    length = np.linalg.norm(np.asarray(path, float)[..., 0, :] - optimum, axis=-1)
    traveled = np.nansum(np.abs(np.diff(offsets, axis=-1)), axis=-1)
    # a start straight across from the optimum has only rounding errors to go
    return np.divide(traveled, start, out=np.full(start.shape, np.nan), where=start > ZERO * length)[()]


def steps_to_level(values: np.ndarray, level: np.ndarray | float, window: int = 0) -> np.ndarray | float:
    """First step from which values (..., T+1) stay at or below `level` for `window` further steps; inf if never.

    A run of SGD crosses a level many times: with a window of 20 one lucky step does not count as an arrival.
    """
    values = np.asarray(values, float)
    if window + 1 > values.shape[-1]:
        return np.full(values.shape[:-1], np.inf)[()]
    below = values <= np.asarray(level)[..., None]
    if window:
        above = np.cumsum(~below, axis=-1)  # none within the window: the count after it is the count before
        before = above - ~below
        below = above[..., window:] == before[..., : above.shape[-1] - window]
    return np.where(below.any(axis=-1), below.argmax(axis=-1).astype(float), np.inf)[()]


def steps_to_tolerance(path: np.ndarray, optimum: np.ndarray, tolerance: float, window: int = 0) -> np.ndarray | float:
    """First step from which the distance to `optimum` stays within tolerance * its initial value; inf if never.

    Not reached is infinite, so that a median over runs is right and a mean cannot hide it.
    """
    distance = np.linalg.norm(np.asarray(path, float) - optimum, axis=-1)
    return steps_to_level(distance, tolerance * distance[..., 0], window)
