"""Expected error of single-sample and mini-batch descent: its second moment M = E[e e'] obeys a linear recursion.

e = w - w* is the error of a linear neuron under the squared loss, `noise` the standard deviation of the targets about
w*. Excess loss is ½ E[e'He], without the noise's own ½ noise². A batch size of math.inf means exact gradients.
"""
import math
from typing import NamedTuple

import numpy as np

FEW = 12  # parameters: with more, the recursion on the moment itself is faster than one on all its entries


def lms_map(dimensions: int, mean: float, variance: float, rate: float, batch_size: float) -> np.ndarray:
    """(2, 2): what a noise-free step does to (p, q), the parts of E|e|² along the mean direction and across it.

    Independent Gaussian features N(m, v), fresh batches. From the fourth moments of a Gaussian,
    M' = M - rate (HM + MH) + rate² [(1 + 1/B) HMH + (tr(HM) H - 2 (mu'M mu) mu mu')/B + noise² H/B]
    (Feuer and Weinstein 1985 for zero means; the term of the mean derived here), which two numbers close because H
    has two distinct eigenvalues, lambda = v + D m² and v.
    """
    _check(dimensions, mean, variance, batch_size)
    top, along, across = _curvatures(dimensions, mean, variance, batch_size)
    return np.array([
        [1 - 2 * rate * top + rate**2 * along, rate**2 * variance * top / batch_size],
        [rate**2 * (dimensions - 1) * variance * top / batch_size, 1 - 2 * rate * variance + rate**2 * across]])


def lms_max_rate(dimensions: int, mean: float, variance: float, batch_size: float) -> float:
    """The rate below which the expected squared error stays bounded: where `lms_map` gets the eigenvalue 1.

    Smaller root of (2 lambda - rate a11) (2 v - rate a22) = rate² (D - 1) v² lambda² / B². Exact for Gaussian
    features, for every start, since the recursion keeps M positive semidefinite. Without a mean
    2 / (v (1 + (D + 1)/B)) (Feuer and Weinstein 1985), with exact gradients 2 / lambda.
    """
    _check(dimensions, mean, variance, batch_size)
    top, along, across = _curvatures(dimensions, mean, variance, batch_size)
    coupling = (dimensions - 1) * (variance * top / batch_size) ** 2
    half = top * across + variance * along
    root = math.sqrt((top * across - variance * along) ** 2 + 4 * top * variance * coupling)
    return 4 * top * variance / (half + root)


def lms_curve(dimensions: int, mean: float, variance: float, rate: float, batch_size: float, noise: float,
              error: np.ndarray, steps: int) -> np.ndarray:
    """Expected excess loss (steps + 1,) from the start error (D,), of which only the parts p and q matter.

    Assumptions as in `lms_map`. Infinite where it overflows.
    """
    step = lms_map(dimensions, mean, variance, rate, batch_size)
    error = np.asarray(error, float)
    if error.shape != (dimensions,):
        raise ValueError(f"error of shape {error.shape}: must be ({dimensions},), a start error per dimension")
    values = _eigenvalues(dimensions, mean, variance)
    added = rate**2 * noise**2 / batch_size * values * [1, dimensions - 1]
    parts = np.empty((steps + 1, 2))
    parts[0, 0] = error.sum() ** 2 / dimensions
    parts[0, 1] = np.square(error - error.mean()).sum()
    with np.errstate(all="ignore"):  # beyond the limit it overflows
        for t in range(steps):
            parts[t + 1] = step @ parts[t] + added
        curve = 0.5 * parts @ values
    return np.where(np.isnan(curve), np.inf, curve)  # 0 * inf


def lms_misadjustment(dimensions: int, mean: float, variance: float, rate: float, batch_size: float) -> float:
    """Stationary excess loss over the noise's own loss ½ noise², (lambda p + v q) / noise².

    Assumptions as in `lms_map`; about rate tr H / (2B) at small rates, infinite from `lms_max_rate` on.
    """
    if not rate > 0:
        raise ValueError(f"rate={rate}: must be above 0, or nothing becomes stationary")
    if rate >= lms_max_rate(dimensions, mean, variance, batch_size):
        return math.inf
    return float(_eigenvalues(dimensions, mean, variance) @ _stationary(dimensions, mean, variance, rate, batch_size))


def stationary_turning(dimensions: int, mean: float, variance: float, rate: float, batch_size: float) -> float:
    """E[step_t . step_t+1] / E|step|² once the run is stationary: -½ rate tr(H²M) / tr(HM), negative for zig-zag.

    Along an eigenvector of H it is -½ rate lambda_i, for any batch size and data (derived here: stationarity makes
    E|step|² equal to 2 rate tr(HM)). Assumptions as in `lms_map`. NaN where no stationary state exists, or no noise
    enters it (math.inf).
    """
    if math.isinf(batch_size) or not 0 < rate < lms_max_rate(dimensions, mean, variance, batch_size):
        return math.nan
    values = _eigenvalues(dimensions, mean, variance)
    parts = values * _stationary(dimensions, mean, variance, rate, batch_size)
    return float(-0.5 * rate * (values @ parts) / parts.sum())


def _eigenvalues(dimensions: int, mean: float, variance: float) -> np.ndarray:
    return np.array([variance + dimensions * mean**2, variance])


def _curvatures(dimensions: int, mean: float, variance: float, batch_size: float) -> tuple[float, float, float]:
    """lambda, and the factors a11 and a22 of rate² on the diagonal of `lms_map`."""
    top, shift = variance + dimensions * mean**2, dimensions * mean**2
    return (top, (1 + 2 / batch_size) * top**2 - 2 / batch_size * shift**2,
            variance**2 * (1 + dimensions / batch_size))


def _stationary(dimensions: int, mean: float, variance: float, rate: float, batch_size: float) -> np.ndarray:
    """(p, q) of the stationary state, for noise 1."""
    added = rate**2 / batch_size * _eigenvalues(dimensions, mean, variance) * [1, dimensions - 1]
    return np.linalg.solve(np.eye(2) - lms_map(dimensions, mean, variance, rate, batch_size), added)


def _check(dimensions: int, mean: float, variance: float, batch_size: float) -> None:
    if dimensions != int(dimensions) or dimensions < 1:
        raise ValueError(f"dimensions={dimensions}: must be a whole number of at least 1")
    if not (math.isfinite(mean) and 0 < variance < math.inf):
        raise ValueError(f"mean={mean}, variance={variance}: must be finite and the variance above 0")
    if not batch_size >= 1:
        raise ValueError(f"batch_size={batch_size}: must be at least 1")


class FiniteDataCurve(NamedTuple):
    """What descent on a finite data set does on average over its draws; not finite where it overflows."""

    excess: np.ndarray  # (steps + 1,) expected excess loss ½ E[e'He]
    mean_error: np.ndarray  # (steps + 1, P) E[e]


def finite_data_curve(inputs: np.ndarray, residuals: np.ndarray, error: np.ndarray, rates: float | np.ndarray,
                      batch_size: int, steps: int, without_replacement: bool = False) -> FiniteDataCurve:
    """Expected run of descent on N given samples, each batch drawn anew; exact for every data set, O(N P²) a step.

    inputs (N, P) with the 1 of a bias as a column of its own, residuals (N,) y - X w* of a minimizer w*, error (P,)
    w0 - w*, rates one number or one a step (steps,). Batches are drawn with replacement, or without it within a
    batch; a batch of N samples is the full batch. Runs through shuffled epochs are not covered: there one batch
    depends on the last.

    With w_i = E[(x_i'e - r_i)²] and F = mean of w_i x_i x_i',
    M' = (I - rate H) M (I - rate H) + rate² c (F - HMH), c = 1/B or (N - B)/(B (N - 1)) (derived here: the variance
    of a batch mean). Raises ValueError where X'r is not 0, since w* then is no minimizer.
    """
    inputs, residuals, error = (np.asarray(each, float) for each in (inputs, residuals, error))
    if inputs.ndim != 2 or residuals.shape != inputs.shape[:1] or error.shape != inputs.shape[1:]:
        raise ValueError(f"inputs of shape {inputs.shape}, residuals of shape {residuals.shape}, error of shape "
                         f"{error.shape}: must be (N, P), (N,) and (P,)")
    rows = len(inputs)
    if not 1 <= batch_size <= rows:
        raise ValueError(f"batch_size={batch_size}: must lie in [1, {rows}], the number of samples")
    if np.ndim(rates) and np.shape(rates) != (steps,):
        raise ValueError(f"rates of shape {np.shape(rates)}: must be one number or ({steps},), one per step")
    _check_minimizer(inputs, residuals, error)
    share = _batch_variance(rows, batch_size, without_replacement)
    curve = _few_parameters if len(error) <= FEW else _many_parameters
    with np.errstate(all="ignore"):  # a diverging run overflows
        return curve(inputs, residuals, error, np.broadcast_to(rates, steps), share)


def _many_parameters(inputs: np.ndarray, residuals: np.ndarray, error: np.ndarray, rates: np.ndarray,
                     share: float) -> FiniteDataCurve:
    rows, steps = len(inputs), len(rates)
    hessian, identity = inputs.T @ inputs / rows, np.eye(len(error))
    moment, excess, mean_error = np.outer(error, error), np.empty(steps + 1), np.empty((steps + 1, len(error)))
    mean_error[0] = error
    for t, rate in enumerate(rates):
        squares = np.vecdot(inputs @ moment, inputs)  # E[(x_i'e)²]
        excess[t] = 0.5 * squares.mean()
        contraction = identity - rate * hessian
        following = contraction @ moment @ contraction
        if share > 0:
            squares += residuals * (residuals - 2 * (inputs @ mean_error[t]))
            spread = inputs.T @ (squares[:, None] * inputs) / rows - hessian @ moment @ hessian
            following += rate**2 * share * spread
        moment = 0.5 * (following + following.T)  # rounding errors that are not symmetric need not shrink
        mean_error[t + 1] = contraction @ mean_error[t]
    excess[steps] = 0.5 * np.vecdot(inputs @ moment, inputs).mean()
    return FiniteDataCurve(excess, mean_error)


def _few_parameters(inputs: np.ndarray, residuals: np.ndarray, error: np.ndarray, rates: np.ndarray,
                    share: float) -> FiniteDataCurve:
    """The same as one matrix I + rate A + rate² C on (M, E e, 1), whose cost does not depend on N."""
    rows, size = inputs.shape
    squares = np.einsum("ni,nj->nij", inputs, inputs).reshape(rows, -1)  # x x'
    hessian, identity = inputs.T @ inputs / rows, np.eye(size)
    first, second = np.zeros((2, size**2 + size + 1, size**2 + size + 1))
    moment, mean = slice(size**2), slice(size**2, -1)
    both = _kron(hessian, hessian)
    first[moment, moment], first[mean, mean] = -_kron(hessian, identity) - _kron(identity, hessian), -hessian
    second[moment, moment] = both + share * (squares.T @ squares / rows - both)
    second[moment, mean] = -2 * share * squares.T @ (residuals[:, None] * inputs) / rows
    second[moment, -1] = share * squares.T @ residuals**2 / rows
    states = np.empty((len(rates) + 1, len(first)))
    states[0] = np.concatenate([np.outer(error, error).ravel(), error, [1.0]])
    rate, step, points = None, None, list(states)
    for now, before, after in zip(rates.tolist(), points, points[1:], strict=False):
        if now != rate:
            rate, step = now, np.eye(len(first)) + now * first + now**2 * second
        step.dot(before, out=after)
    return FiniteDataCurve(0.5 * states[:, moment] @ hessian.ravel(), states[:, mean])


def _kron(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """numpy.kron of two matrices (P, P), which takes most of the setting up of a small recursion."""
    return (left[:, None, :, None] * right[:, None, :]).reshape(len(left) ** 2, -1)


def _batch_variance(rows: int, batch_size: int, without_replacement: bool) -> float:
    """Variance of a batch mean as a share of a single draw's; none for the full batch, which leaves no choice."""
    if batch_size == rows:
        return 0.0
    return (rows - batch_size) / (batch_size * (rows - 1)) if without_replacement else 1 / batch_size


def _check_minimizer(inputs: np.ndarray, residuals: np.ndarray, error: np.ndarray) -> None:
    # in units of what could cancel: the residuals', or, where they are rounding errors themselves, the start's
    scale = np.abs(inputs).T @ (np.abs(residuals) + np.abs(inputs) @ np.abs(error))
    slope = np.abs(inputs.T @ residuals)
    if not (slope <= 1e-9 * scale).all():
        raise ValueError(f"residuals: must be orthogonal to every column of inputs, or w* is no minimizer; X'r "
                         f"reaches {slope.max():.3g}")
