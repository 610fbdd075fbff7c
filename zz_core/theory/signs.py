"""How likely all weights of a gradient share one sign: what averaging over a batch can change, and what it cannot."""
import math
from functools import cache, lru_cache

import numpy as np

EDGE = 9.0  # standard deviations kept of a normal variable: 1e-19 of it lies beyond
NODES = 2001
STEP = 0.25  # of the trapezoid rule, in standard deviations of what a node leaves random
DENSITY = 2048  # of the table of Φ


def same_sign_probability(dimensions: int, correlation: float, drift: float = 0.0) -> float:
    """Probability that D normals with one common correlation in [0, 1] and unit variance share one sign.

    ∫ φ(z) [Φ(t)^D + Φ(-t)^D] dz with t = (z sqrt(rho) + drift) / sqrt(1 - rho); `drift` is the mean of each, in
    standard deviations. With rho = m²/(m² + v) and no drift, this is the limit for large batches of
    P(same sign) at the optimum, when the residual is independent of the inputs (central limit theorem; derived
    here: given one common factor z the coordinates are independent). Error below 1e-12.
    """
    _check_dimensions(dimensions)
    if not 0 <= correlation <= 1:
        raise ValueError(f"correlation={correlation}: must lie in [0, 1]")
    if not math.isfinite(drift):
        raise ValueError(f"drift={drift}: must be finite")
    if dimensions == 1 or correlation == 1:
        return 1.0
    return _one_factor(int(dimensions), float(correlation), float(drift))


@lru_cache(maxsize=4096)
def _one_factor(dimensions: int, correlation: float, drift: float) -> float:
    common, own = math.sqrt(correlation), math.sqrt(1.0 - correlation)
    # Φ(t)^D is a step near z = -drift / common, own / common wide: z = center + width sinh(s) resolves it however steep
    center, width = min(max(-drift / max(common, 1e-9), -EDGE), EDGE), min(1.0, own / max(common, 1e-9))
    s, step = np.linspace(math.asinh((-EDGE - center) / width), math.asinh((EDGE - center) / width), NODES,
                          retstep=True)
    z = center + width * np.sinh(s)
    t = (common * z + drift) / own
    weights = step * width * np.cosh(s) * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return float(weights @ (_normal_cdf(t) ** dimensions + _normal_cdf(-t) ** dimensions))


def mixing_batch_size(dimensions: int, correlation: float) -> float:
    """B* = tr H / smallest eigenvalue = D / (1 - rho), infinite for rho = 1.

    The batch size from which gradients turn mixed where the error lies across the mean direction and targets have
    no noise: there the mean gradient has |H e|² = v² |e|², and its variance is v |e|² tr H / B (derived here).
    """
    _check_dimensions(dimensions)
    if not 0 <= correlation <= 1:
        raise ValueError(f"correlation={correlation}: must lie in [0, 1]")
    return dimensions / (1.0 - correlation) if correlation < 1 else math.inf


def energy_share(dimensions: int, mean: float, variance: float) -> float:
    """Share of the gradient's expected squared length along the mean direction, at the optimum, for every batch size.

    lambda_1 / tr H = (v + D m²) / (D (v + m²)) for independent features of equal mean m and variance v: there the
    gradient's covariance is sigma² H / B, whose shape does not depend on B (derived here); by chance 1/D.
    """
    _check_features(dimensions, mean, variance)
    return (variance + dimensions * mean**2) / (dimensions * (variance + mean**2))


def batch_same_sign_probability(dimensions: int, mean: float, variance: float, along: float, across: float,
                                noise: float, batch_size: float) -> float:
    """Probability that a batch's mean gradient has one sign at the error e = along 1 + across (+, -, +, -, ...).

    Independent Gaussian features N(m, v), target noise of standard deviation `noise`, any D >= 1. Takes the gradient
    as normal (central limit theorem, so not for the smallest batches) with its exact mean H e and covariance
    C/B, C = (e'He + noise²) H + H e e'H - 2 (e'mu)² mu mu' (fourth moments of a Gaussian; derived here). All
    coordinates whose error is the same are exchangeable, so C is a multiple of the identity plus two factors.
    NaN where the gradient is exactly zero.
    """
    _check_features(dimensions, mean, variance)
    if not (noise >= 0 and 1 <= batch_size < math.inf and math.isfinite(along) and math.isfinite(across)):
        raise ValueError(f"along={along}, across={across}, noise={noise}, batch_size={batch_size}: must be finite, "
                         "the noise at least 0 and the batch size at least 1")
    if dimensions == 1:
        return 1.0
    counts = np.array([(dimensions + 1) // 2, dimensions // 2])  # coordinates with + and with -
    error = np.array([along + across, along - across])
    total = counts @ error
    drift = variance * error + mean**2 * total  # H e
    power = counts @ (variance * error**2) + (mean * total) ** 2 + noise**2  # E[residual²] = e'He + noise²
    if power == 0:
        return math.nan
    shared = power * mean**2 + np.outer(drift, drift) - 2 * (mean**2 * total) ** 2
    # in standard deviations of what is left to each coordinate: power * variance / B
    return _two_factors(counts, drift * math.sqrt(batch_size / (power * variance)), shared / (power * variance))


def _two_factors(counts: np.ndarray, drift: np.ndarray, shared: np.ndarray) -> float:
    """P(one sign) of two groups of normals with means drift (2,) and covariance identity + shared[group, group].

    The integral over the two eigenvectors of `shared` among all D coordinates; the smaller eigenvalue can be negative,
    down to -1. Its factor is then imaginary, and Φ taken at complex arguments.
    """
    root = np.sqrt(counts)
    eigenvalues, vectors = np.linalg.eigh(shared * np.outer(root, root))
    small, large = eigenvalues
    factor = math.sqrt(small) if small >= 0 else complex(0, math.sqrt(-small))
    steep, gentle = vectors[:, 1] * math.sqrt(large) / root, vectors[:, 0] * factor / root
    y, y_weights = _nodes(np.abs(gentle).max(), EDGE / math.sqrt(1.0 + min(small, 0.0)))
    z, z_weights = _nodes(np.abs(steep).max(), EDGE)
    positive, negative = 1.0, 1.0
    # an imaginary factor makes Φ^D as large as exp(y²/2): each of the D values of Φ takes its part of the weights
    parts = np.exp(-0.5 * (z[:, None] ** 2 + y**2) / counts.sum())
    for count, mean, a, b in zip(counts, drift, steep, gentle, strict=True):
        cdf = _shifted_cdf(mean + a * z, b * y)
        positive = positive * (cdf * parts) ** count
        negative = negative * ((1.0 - cdf) * parts) ** count
    return min(max(float(z_weights @ (positive + negative).real @ y_weights), 0.0), 1.0)  # rounding would pass 1


def _nodes(slope: float, edge: float) -> tuple[np.ndarray, float]:
    """Nodes (n,) on [-edge, edge] close enough for Φ(slope z)^D, and their weights without the normal density's exp."""
    nodes, step = np.linspace(-edge, edge, 2 * math.ceil(edge * max(slope, 0.5) / STEP) + 1, retstep=True)
    return nodes, np.full(len(nodes), step / math.sqrt(2 * math.pi))


def _shifted_cdf(x: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Φ(x + shift) as an (n, k) array, for real x (n,) and real or complex shift (k,), the latter by its Taylor series.

    The derivatives of Φ are Hermite functions, and the series converges for every shift.
    """
    if not np.iscomplexobj(shift):
        return _normal_cdf(np.add.outer(x, shift))
    hermite = [np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)]  # (-1)^k Φ^(k+1)(x) / sqrt(k!)
    powers = [shift]  # (-1)^k shift^(k+1) sqrt(k!) / (k+1)!
    before, size = np.zeros_like(x), np.abs(shift).max()
    for k in range(int(4 * size**2) + 60):
        hermite.append((x * hermite[-1] - math.sqrt(k) * before) / math.sqrt(k + 1))
        before = hermite[-2]
        powers.append(-powers[-1] * shift * math.sqrt(k + 1) / (k + 2))
    return _normal_cdf(x)[:, None] + np.stack(hermite, axis=1) @ np.stack(powers)


def _normal_cdf(t: np.ndarray) -> np.ndarray:
    """Φ(t), off by less than 1e-15: cubic interpolation of a table, ten times faster than math.erfc for each value."""
    values, slopes = _cdf_table()
    place = (np.clip(t, -EDGE, EDGE) + EDGE) * DENSITY
    node = np.minimum(place.astype(np.intp), len(values) - 2)
    x, low, slope, end = place - node, values[node], slopes[node], slopes[node + 1]
    rise = values[node + 1] - low
    return low + x * (slope + x * (3 * rise - 2 * slope - end + x * (slope + end - 2 * rise)))


@cache
def _cdf_table() -> tuple[np.ndarray, np.ndarray]:
    """Φ and its slope by node, at DENSITY nodes a standard deviation up to EDGE on both sides."""
    t = np.arange(-EDGE * DENSITY, EDGE * DENSITY + 1) / DENSITY
    values = np.array([0.5 * math.erfc(each / -math.sqrt(2)) for each in t])
    return values, np.exp(-0.5 * t * t) / (math.sqrt(2 * math.pi) * DENSITY)


def _check_dimensions(dimensions: int) -> None:
    if dimensions != int(dimensions) or dimensions < 1:
        raise ValueError(f"dimensions={dimensions}: must be a whole number of at least 1")


def _check_features(dimensions: int, mean: float, variance: float) -> None:
    _check_dimensions(dimensions)
    if not (math.isfinite(mean) and 0 < variance < math.inf):
        raise ValueError(f"mean={mean}, variance={variance}: must be finite and the variance above 0")
