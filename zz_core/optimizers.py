"""Update rules. A rule is a pair of pure functions; the run subtracts rate * step from the parameters.

Arrays carry replicates on the leading axis: parameters and gradients are (R, P), or (P,) of a single run. The
first-order rules are PyTorch's (torch.optim.SGD without dampening, RMSprop, Adam), so that a run can be repeated there
step by step.
"""
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

EPSILON = 1e-8  # PyTorch's default for RMSprop and Adam
PINV_CUTOFF = 1e-10  # singular values below this share of the largest count as zero


class Settings(NamedTuple):
    """The numbers that the rules use."""

    momentum: float = 0.9
    decay: float = 0.999
    damping: float = 0.1


class Batch(Protocol):
    """What a rule may ask of the mini-batch beyond its gradient."""

    def gauss_newton(self) -> np.ndarray:
        """The batch's mean Gauss-Newton curvature J'CJ, (R, P, P)."""

    def line_minimum(self, direction: np.ndarray) -> np.ndarray:
        """The step lengths (R, 1) that minimize the batch's loss along -direction (R, P)."""


class Optimizer(NamedTuple):
    """init(parameters) -> state; update(gradient, state, settings, batch) -> (step, state).

    uses: the fields of Experiment that matter to it. critical: its rate can be given as a fraction of the stability
    limit. bias_correction and the like live in the state, so `update` is a pure function.
    """

    label: str
    init: Callable[[np.ndarray], tuple]
    update: Callable[[np.ndarray, tuple, Settings, Batch], tuple[np.ndarray, tuple]]
    uses: tuple[str, ...] = ("learning_rate", "rate_unit", "schedule")
    critical: bool = True
    needs_batch: bool = False  # the rule asks the mini-batch for more than its gradient


def _stateless(parameters: np.ndarray) -> tuple:
    return ()


def _one_buffer(parameters: np.ndarray) -> tuple:
    return (np.zeros_like(parameters),)


def _sgd(gradient: np.ndarray, state: tuple, settings: Settings, batch: Batch) -> tuple[np.ndarray, tuple]:
    return gradient, state


def _momentum(gradient: np.ndarray, state: tuple, settings: Settings, batch: Batch) -> tuple[np.ndarray, tuple]:
    velocity = settings.momentum * state[0] + gradient
    return velocity, (velocity,)


def _nesterov(gradient: np.ndarray, state: tuple, settings: Settings, batch: Batch) -> tuple[np.ndarray, tuple]:
    velocity = settings.momentum * state[0] + gradient
    return gradient + settings.momentum * velocity, (velocity,)


def _rmsprop(gradient: np.ndarray, state: tuple, settings: Settings, batch: Batch) -> tuple[np.ndarray, tuple]:
    square = settings.decay * state[0] + (1 - settings.decay) * gradient * gradient
    return gradient / (np.sqrt(square) + EPSILON), (square,)


def _adam_init(parameters: np.ndarray) -> tuple:
    return np.zeros_like(parameters), np.zeros_like(parameters), 0


def _adam(gradient: np.ndarray, state: tuple, settings: Settings, batch: Batch) -> tuple[np.ndarray, tuple]:
    mean, square, count = state
    count += 1
    mean = settings.momentum * mean + (1 - settings.momentum) * gradient
    square = settings.decay * square + (1 - settings.decay) * gradient * gradient
    root = np.sqrt(square / (1 - settings.decay**count)) + EPSILON
    return mean / (1 - settings.momentum**count) / root, (mean, square, count)


def _steepest_descent(gradient: np.ndarray, state: tuple, settings: Settings, batch: Batch) -> tuple[np.ndarray, tuple]:
    return gradient * batch.line_minimum(gradient), state


def _finite_or_nan(solve: Callable, matrices: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """solve(matrices, gradient) per replicate; NaN where a diverged replicate would make LAPACK raise."""
    good = np.isfinite(matrices).all(axis=(-1, -2)) & np.isfinite(gradient).all(axis=-1)
    step = np.full_like(gradient, np.nan)
    step[good] = solve(matrices[good], gradient[good])
    return step


def _gauss_newton(gradient: np.ndarray, state: tuple, settings: Settings, batch: Batch) -> tuple[np.ndarray, tuple]:
    def solve(matrices: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        # in single precision rounding errors pass the cutoff: inverted, they would throw the weights far away
        cutoff = max(PINV_CUTOFF, gradient.shape[-1] * float(np.finfo(matrices.dtype).eps))
        return np.matvec(np.linalg.pinv(matrices, rcond=cutoff, hermitian=True), gradient)

    return _finite_or_nan(solve, batch.gauss_newton(), gradient), state


def _levenberg_marquardt(gradient: np.ndarray, state: tuple, settings: Settings,
                         batch: Batch) -> tuple[np.ndarray, tuple]:
    def solve(matrices: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        damped = matrices + settings.damping * np.eye(gradient.shape[-1])
        try:
            return np.linalg.solve(damped, gradient[..., None])[..., 0]
        except np.linalg.LinAlgError:  # a curvature so large that the damping is lost in its rounding
            return np.matvec(np.linalg.pinv(damped, hermitian=True), gradient)

    return _finite_or_nan(solve, batch.gauss_newton(), gradient), state


_RATE = ("learning_rate", "schedule")  # of rules that always take the absolute rate

OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer("Gradient descent", _stateless, _sgd),
    "momentum": Optimizer("Momentum (heavy ball)", _one_buffer, _momentum,
                          ("learning_rate", "rate_unit", "schedule", "momentum")),
    "nesterov": Optimizer("Nesterov momentum", _one_buffer, _nesterov,
                          ("learning_rate", "rate_unit", "schedule", "momentum")),
    "rmsprop": Optimizer("RMSprop", _one_buffer, _rmsprop, (*_RATE, "decay"), critical=False),
    "adam": Optimizer("Adam", _adam_init, _adam, (*_RATE, "momentum", "decay"), critical=False),
    "steepest_descent": Optimizer("Steepest descent with exact line search", _stateless, _steepest_descent, (),
                                  critical=False, needs_batch=True),
    "gauss_newton": Optimizer("Gauss-Newton", _stateless, _gauss_newton, _RATE, critical=False, needs_batch=True),
    "levenberg_marquardt": Optimizer("Levenberg-Marquardt", _stateless, _levenberg_marquardt, (*_RATE, "damping"),
                                     critical=False, needs_batch=True),
}
