"""How much longer a path must be when its steps may only point into a double cone: ± the orthant, ± the data.

Ratios of lengths, the shortest allowed path / the straight line; 1 where the target lies in the cone.
"""
import math

import numpy as np

Values = float | np.ndarray  # arguments that broadcast
SAME_LINE = 1e-12  # radians; directions closer than this are one line


def cone_detour(displacement: np.ndarray) -> np.ndarray | float:
    """Shortest path from w0 to w* with steps whose components share a sign, / |d|, for d = w* - w0 (..., D).

    (|p| + |n|) / |d| with p and n the positive and the negative part of d, in [1, sqrt(2)] for every D: the upward
    steps must add up to at least p and the downward ones to at least n, and two steps, p and -n, do it. Derived here.
    NaN for d = 0.
    """
    d = np.asarray(displacement, float)
    if d.ndim < 1 or not np.isfinite(d).all():
        raise ValueError("displacement: must be a vector (..., D) of finite numbers")
    largest = np.abs(d).max(axis=-1, keepdims=True)
    d = np.divide(d, largest, out=np.full(d.shape, np.nan), where=largest > 0)  # squares of tiny numbers underflow
    up, down = np.linalg.norm(np.maximum(d, 0), axis=-1), np.linalg.norm(np.minimum(d, 0), axis=-1)
    return (up + down) / np.hypot(up, down)


def mean_cone_detour(dimensions: int) -> float:
    """Mean of `cone_detour` over all directions of d; tends to sqrt(2).

    2 * sum over K of C(D, K) 2^-D G((K+1)/2) G(D/2) / (G(K/2) G((D+1)/2)), G the gamma function: K components are
    positive, and their length has the mean of a beta distribution's square root. Derived here.
    """
    if dimensions < 1:
        raise ValueError(f"dimensions={dimensions}: must be at least 1")

    def log_mean_length(k: int) -> float:  # of k standard normal components, but for a factor sqrt(2)
        return math.lgamma((k + 1) / 2) - math.lgamma(k / 2)

    total, common = math.lgamma(dimensions + 1), dimensions * math.log(2) + log_mean_length(dimensions)
    return 2 * math.fsum(
        math.exp(total - math.lgamma(k + 1) - math.lgamma(dimensions - k + 1) + log_mean_length(k) - common)
        for k in range(1, dimensions + 1))


def data_cone_detour(angle: Values, half_angle: Values) -> Values:
    """Detour with steps in ± a circular cone of `half_angle` around the mean, for a target at `angle` from the mean.

    max(1, |sin(angle)| / sin(half_angle)) in any dimension: seen in the plane of the mean and the target only the
    cone's two edges matter. Derived here. Angles in radians; for independent features cos²(half_angle) is about
    m² / (m² + v), so a target across the mean costs sqrt(1 + m²/v).
    """
    if not np.all((np.asarray(half_angle) > 0) & (np.asarray(half_angle) <= math.pi / 2)):
        raise ValueError(f"half_angle={half_angle}: must lie in (0, pi/2]")
    return np.maximum(1.0, np.abs(np.sin(angle)) / np.sin(half_angle))


def planar_cone_detour(points: np.ndarray, displacement: np.ndarray) -> float:
    """Detour with steps along ± the samples of a data set `points` (N, 2) only, for d = w* - w0 (2,).

    The minimum of sum |c_i| |x_i| over sum c_i x_i = d, / |d|: the gauge of the convex hull of the unit vectors
    ± x_i / |x_i|. d leaves the hull between its two neighbors among them, a gap g apart and the first at an angle a
    from d: cos(g/2 - a) / cos(g/2). Derived here. inf where d is off the only line of the data; NaN for d = 0.
    """
    points, displacement = np.asarray(points, float), np.asarray(displacement, float)
    if points.ndim != 2 or points.shape[1] != 2 or displacement.shape != (2,):
        raise ValueError(f"points of shape {points.shape} and displacement of shape {displacement.shape}: "
                         "must be (N, 2) and (2,)")
    if not (np.isfinite(points).all() and np.isfinite(displacement).all()):
        raise ValueError("points and displacement: must be finite")
    if not displacement.any():
        return math.nan
    x, y = points[points.any(axis=1)].T
    if not len(x):
        return math.inf
    lines = np.sort(np.arctan2(y, x) % math.pi)  # samples and their opposites are the same line
    target = math.atan2(displacement[1], displacement[0]) % math.pi
    before = np.searchsorted(lines, target, side="right") - 1  # -1, the last line, where d comes before the first
    angle = target - lines[before] + (math.pi if before < 0 else 0.0)
    after = lines[before + 1] if before + 1 < len(lines) else lines[0] + math.pi
    gap = after - lines[before] + (math.pi if before < 0 else 0.0)
    if gap > math.pi - SAME_LINE:
        return 1.0 if min(angle, gap - angle) < SAME_LINE else math.inf
    return math.cos(gap / 2 - angle) / math.cos(gap / 2)


def kaczmarz_errors(angle: float, moves: int) -> np.ndarray:
    """|e_k| / |e_0| (moves+1,) where two samples at `angle` (radians) in turn are fitted exactly: 1, then
    cos(angle/2) |cos(angle)|^(k-1).

    The start lies across the samples' bisector. Each move drops the error's part along one sample and leaves what is
    across it, at `angle` to what is across the other (Kaczmarz's method); derived here.
    """
    if not 0 <= angle <= math.pi:
        raise ValueError(f"angle={angle}: must lie in [0, pi]")
    if moves < 0:
        raise ValueError(f"moves={moves}: must not be negative")
    return np.concatenate([[1.0], math.cos(angle / 2) * abs(math.cos(angle)) ** np.arange(moves)])
