"""Full-batch descent on a quadratic loss ½ e'He, in closed form; e is the error of the weights, w - w*."""
import math
from typing import NamedTuple

import numpy as np

Values = float | np.ndarray  # arguments that broadcast


class MomentumRates(NamedTuple):
    """By what factor a step shrinks the error in the long run, each method at its own parameters."""

    heavy_ball: float
    nesterov: float
    tuned_nesterov: float


class Tuning(NamedTuple):
    """Parameters of v = momentum * v + g; w -= rate * v (heavy ball) or rate * (g + momentum * v) (Nesterov)."""

    rate: float
    momentum: float


class MomentumTunings(NamedTuple):
    """The parameters behind `MomentumRates`."""

    heavy_ball: Tuning
    nesterov: Tuning
    tuned_nesterov: Tuning


def _check_condition(condition_number: Values) -> None:
    if not np.all(np.asarray(condition_number) >= 1):
        raise ValueError(f"condition_number={condition_number}: must be at least 1")


def _check_rate(rate: float) -> None:
    if not 0 < rate < math.inf:
        raise ValueError(f"rate={rate}: must be positive and finite")


def gradient_descent_path(hessian: np.ndarray, error: np.ndarray, rate: float, steps: int) -> np.ndarray:
    """Error vectors (steps+1, D) of gradient descent, the start first: e_t = sum of c_i (1 - rate * l_i)^t q_i.

    hessian: (D, D), symmetric, with eigenpairs (l_i, q_i); error: (D,), the start; c_i = q_i'e_0. A rate that diverges
    overflows to infinite and undefined numbers, as a run would.
    """
    hessian, error = np.asarray(hessian, float), np.asarray(error, float)
    if error.ndim != 1 or hessian.shape != (len(error), len(error)) or not np.allclose(hessian, hessian.T):
        raise ValueError(f"hessian of shape {hessian.shape} and error of shape {error.shape}: must be a symmetric "
                         "(D, D) matrix and a vector (D,)")
    _check_rate(rate)
    if steps < 0:
        raise ValueError(f"steps={steps}: must not be negative")
    values, vectors = np.linalg.eigh(hessian)
    with np.errstate(over="ignore", invalid="ignore"):
        path = (error @ vectors * (1 - rate * values) ** np.arange(steps + 1)[:, None]) @ vectors.T
    path[0] = error  # exactly, not but for rounding
    return path


def steps_to(eigenvalues: np.ndarray, components: np.ndarray, rate: float, tolerance: float) -> float:
    """First step t of gradient descent with |e_t| <= tolerance * |e_0|; inf if there is none.

    eigenvalues, components: (D,), l_i and c_i = q_i'e_0 of `gradient_descent_path`. The first t with
    sum of c_i² (1 - rate * l_i)^(2t) <= tolerance² * sum of c_i², found by bisection, however many steps it takes.
    """
    values, components = np.broadcast_arrays(np.asarray(eigenvalues, float), np.asarray(components, float))
    _check_rate(rate)
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance={tolerance}: must lie between 0 and 1")
    if not np.all((values >= 0) & np.isfinite(values) & np.isfinite(components)):
        raise ValueError("eigenvalues and components: must be finite, and no eigenvalue negative")
    moving = components != 0
    if not moving.any():
        return 0.0
    share = np.square(components[moving] / np.abs(components).max())
    share /= share.sum()
    x = rate * values[moving]
    with np.errstate(divide="ignore"):  # x = 1 is gone after one step
        logs = 2 * np.log1p(np.where(x < 1, -x, x - 2))  # of (1 - x)², also for x near 0 and near 2

    slope = x * (x - 2)

    def remaining(t: int) -> np.ndarray:
        """The parts of the squared error after t steps."""
        return share * np.exp(t * logs)

    def settled(t: int) -> bool:
        # The sum is convex in t: where the next step no longer lowers it, nothing is gained by going on. So this holds
        # from some step on, and bisection is right for rates that diverge as well.
        left = remaining(t)
        return left.sum() <= tolerance**2 or not left @ slope < 0

    with np.errstate(over="ignore"):
        high = 1
        while not settled(high):
            high *= 2
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if settled(middle) else (middle, high)
        return float(high) if remaining(high).sum() <= tolerance**2 else math.inf


def zigzag_length(condition_number: Values, along: Values, across: Values) -> Values:
    """Length of the path at the rate 2 / (l1 + lD) / initial distance: sqrt((k² a² + b²) / (a² + b²)).

    a: the start's component along the top eigenvector (for a large mean, the mean direction), b: along the bottom one.
    All steps shrink by (k - 1) / (k + 1), so both sums are geometric; derived here. NaN for a = b = 0.
    """
    _check_condition(condition_number)
    with np.errstate(invalid="ignore"):
        return np.hypot(np.multiply(condition_number, along), across) / np.hypot(along, across)


def zigzag_cosine(condition_number: Values, along: Values, across: Values) -> Values:
    """Cosine between successive steps at the rate 2 / (l1 + lD), the same all the way: (b² - k² a²) / (b² + k² a²).

    a and b as for `zigzag_length`. NaN for a = b = 0, and for k = 1, where one step arrives and there is no second.
    """
    _check_condition(condition_number)
    top, bottom = np.broadcast_arrays(np.multiply(condition_number, along), np.asarray(across, float))
    total = top**2 + bottom**2
    turns = (total > 0) & (np.asarray(condition_number) > 1)
    return np.divide(bottom**2 - top**2, total, out=np.full(total.shape, np.nan), where=turns)[()]


def line_search_ratio(condition_number: Values, slope: Values) -> Values:
    """Factor by which every step of steepest descent with exact line search lowers the loss.

    s (k - 1)² / ((1 + k s)(k + s)) with s = q², where `slope` q = g_2 / g_1 is the ratio of the gradient's components
    along the bottom and the top eigenvector: each step turns it into -1/q, which gives the same factor. Exact where H
    has two distinct eigenvalues (independent features of equal mean and variance); in general it is the limit after
    many steps (Akaike, Ann. Inst. Stat. Math. 11, 1959). At most ((k - 1) / (k + 1))², for q = ±1.
    """
    _check_condition(condition_number)
    size = np.abs(slope)
    with np.errstate(divide="ignore"):
        s = np.minimum(size, np.divide(1.0, size)) ** 2  # the ratio is the same for q and 1/q, and this stays finite
    return s * np.square(np.subtract(condition_number, 1)) / (
        (1 + np.multiply(condition_number, s)) * np.add(condition_number, s))


def momentum_rates(condition_number: float) -> MomentumRates:
    """Asymptotic factors per step at the parameters of `momentum_tunings` (Lessard, Recht and Packard, SIAM J. Optim.
    26, 2016, table 1).

    Each is a double root at the slowest mode: the error falls as t * factor^t, so runs take longer than factor^t says.
    """
    _check_condition(condition_number)
    root, tuned = math.sqrt(condition_number), math.sqrt(3 * condition_number + 1)
    return MomentumRates((root - 1) / (root + 1), 1 - 1 / root, 1 - 2 / tuned)


def momentum_tunings(largest: float, smallest: float) -> MomentumTunings:
    """The parameters for eigenvalues between `smallest` and `largest` (Lessard, Recht and Packard 2016, table 1)."""
    if not 0 < smallest <= largest < math.inf:
        raise ValueError(f"smallest={smallest}, largest={largest}: must be positive, finite and in this order")
    root, tuned = math.sqrt(largest / smallest), math.sqrt(3 * largest / smallest + 1)
    return MomentumTunings(
        Tuning(4 / (math.sqrt(largest) + math.sqrt(smallest)) ** 2, ((root - 1) / (root + 1)) ** 2),
        Tuning(1 / largest, (root - 1) / (root + 1)),
        Tuning(4 / (3 * largest + smallest), (tuned - 2) / (tuned + 2)))


def levenberg_marquardt_factors(eigenvalues: np.ndarray, damping: float) -> np.ndarray:
    """Factors (D,) of each mode's error per step of w -= (H + damping I)^-1 g: damping / (l + damping).

    All positive: no mode ever alternates. For damping -> 0 one step arrives; a damping far above l1 is gradient descent
    with the rate 1 / damping. H must be averaged over samples: of one sample the step is still along that sample.
    """
    values = np.asarray(eigenvalues, float)
    if not 0 < damping < math.inf:
        raise ValueError(f"damping={damping}: must be positive and finite")
    if not np.all((values >= 0) & np.isfinite(values)):
        raise ValueError("eigenvalues: must be finite and not negative")
    return damping / (values + damping)
