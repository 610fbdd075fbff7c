"""Engine 2: full-batch descent, momentum and Nesterov on the squared loss, solved for all steps at once.

The gradient H (theta - optimum), H = X'X/N, is linear in the parameters, so along each eigenvector of H the error obeys
a recursion of its own: of one number for plain descent, of two, error and velocity, for the other rules.
"""
from collections.abc import Iterator

import numpy as np

from zz_core.experiment import Experiment
from zz_core.losses import LOSSES
from zz_core.neuron import Linear
from zz_core.schedules import SCHEDULES
from zz_core.stepping import LARGEST, History, fill_after, kept_steps, start_parameters
from zz_core.treatments import TREATMENTS

BLOCK = 1024  # steps solved together
RULES = ("sgd", "momentum", "nesterov")


def preferred(experiment: Experiment, rows: int, parameters: int) -> bool:
    """Whether this engine can run a full batch of `rows` samples and is the faster one.

    It needs a step that is linear in the parameters, and one rate where there is a velocity. Counted are
    multiplications and additions; a step's calls into NumPy take as long as 40,000 of them.
    """
    solved = rows * parameters**2 + 15.0 * parameters**3 + experiment.steps * (2.0 * parameters**2 + 40 * parameters)
    few = min(rows, parameters + 1)  # see Linear.condensed
    stepped = 2.0 * rows * parameters**2 + experiment.steps * (4.0 * few * parameters + 4e4)
    return (solved < stepped and LOSSES[experiment.loss].quadratic and experiment.optimizer in RULES
            and not TREATMENTS[experiment.treatment].learned
            and (experiment.optimizer == "sgd" or experiment.schedule == "constant"))


def solve(experiment: Experiment, neuron: Linear, optimum: np.ndarray, rate: float, every: int,
          dtype: type) -> History:
    """The single run that all replicates of a full batch are; optimum (P,) is a minimizer of the loss."""
    features, start = neuron.gather(None).astype(float), start_parameters(experiment, neuron, 1, np.float64)[0]
    values, vectors = np.linalg.eigh(features.T @ features / len(features))
    values, error = np.maximum(values, 0.0), (start - optimum) @ vectors  # rounding errors below zero would grow
    kept = kept_steps(experiment.steps, every)
    parameters, diverged_at = np.empty((len(kept), 1, len(start)), dtype), np.full(1, -1)
    parameters[0] = start
    rates = rate * SCHEDULES[experiment.schedule](experiment.steps)
    blocks = _descent(values, error, rates) if experiment.optimizer == "sgd" else _with_velocity(
        experiment, values, error, rate)
    done = 0
    with np.errstate(all="ignore"):  # a diverging run overflows: found below and reported
        for errors in blocks:
            rows = optimum + errors @ vectors.T
            bad = ~(np.abs(rows).max(axis=-1) <= LARGEST)
            if bad.any():
                diverged_at[0] = done + 1 + bad.argmax()
            inside = (kept > done) & (kept <= done + len(rows))
            parameters[inside, 0] = rows[kept[inside] - done - 1]
            done += len(rows)
            if bad.any():
                break
    return History(parameters, kept, fill_after(parameters, kept, diverged_at))


def _descent(values: np.ndarray, error: np.ndarray, rates: np.ndarray) -> Iterator[np.ndarray]:
    """The components of the error along the eigenvectors after each step, (block, P): each shrinks by itself."""
    left = np.ones_like(values)
    for first in range(0, len(rates), BLOCK):
        shrunk = left * np.cumprod(1 - rates[first : first + BLOCK, None] * values, axis=0)
        left = shrunk[-1]
        yield _times(shrunk, error)


def _with_velocity(experiment: Experiment, values: np.ndarray, error: np.ndarray, rate: float) -> Iterator[np.ndarray]:
    """The same with momentum: powers of the matrix of (error, velocity) of each eigenvector, by doubling."""
    beta, ones = experiment.momentum, np.ones_like(values)
    velocity = np.stack([values, beta * ones], axis=-1)  # beta * velocity + gradient
    step = velocity
    if experiment.optimizer == "nesterov":  # the gradient and beta times the new velocity
        step = beta * velocity + np.stack([values, 0 * ones], axis=-1)
    matrix = np.stack([np.array([1.0, 0.0]) - rate * step, velocity], axis=1)  # (P, 2, 2)
    state = np.stack([ones, 0 * ones], axis=-1)  # of an error of 1 at rest
    for first in range(0, experiment.steps, BLOCK):
        size = min(BLOCK, experiment.steps - first)
        states, power = np.matvec(matrix, state)[None], matrix
        while len(states) < size:
            states, power = np.concatenate([states, np.matvec(power, states)]), power @ power
        state = states[size - 1]
        yield _times(states[:size, :, 0], error)


def _times(factors: np.ndarray, error: np.ndarray) -> np.ndarray:
    return np.where(error == 0, 0.0, factors * error)  # no error stays none, even where its factor overflows
