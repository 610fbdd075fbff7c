"""Engine 2: full-batch descent, momentum and Nesterov on the squared loss, solved for all steps at once.

The gradient H (theta - optimum), H = X'X/N, is linear in the parameters, so along each eigenvector of H the error obeys
a recursion of its own: of one number for plain descent, of two, error and velocity, for the other rules. Its powers
come by doubling, one product a value, and one matrix product turns them into parameters.
"""
from collections.abc import Iterator

import numpy as np

from zz_core.experiment import Experiment
from zz_core.losses import LOSSES
from zz_core.neuron import Linear
from zz_core.schedules import SCHEDULES
from zz_core.stepping import LARGEST, History, fill_after, kept_steps, start_parameters
from zz_core.treatments import TREATMENTS

BLOCK_BYTES = 2**20  # factors of the steps that are solved together
HUGE = 1e200
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


def block_steps(parameters: int) -> int:
    """Steps that are solved together."""
    return max(256, BLOCK_BYTES // (8 * parameters))


def solve(experiment: Experiment, neuron: Linear, optima: np.ndarray, rate: float, every: int,
          dtype: type) -> History:
    """One run toward each of the minimizers `optima` (K, P) of tasks that share their inputs, as K replicates.

    All K share the eigendecomposition, the factors of its modes and one matrix product; one of them is the run that
    all replicates of a full batch are.
    """
    features, start = neuron.gather(None).astype(float), start_parameters(experiment, neuron, 1, np.float64)[0]
    values, vectors = np.linalg.eigh(features.T @ features / len(features))
    values, errors = np.maximum(values, 0.0), (start - optima) @ vectors  # rounding errors below zero would grow
    there = (errors != 0).any(axis=0)  # no error stays none, even where its factor overflows
    # a mode without slope carries the optima along, so that nothing has to be added to the product
    values = np.append(values[there], 0.0)
    back = np.concatenate([errors.T[there, :, None] * vectors.T[there, None], optima[None]]).reshape(len(values), -1)
    kept = kept_steps(experiment.steps, every)
    parameters, diverged_at = np.empty((len(kept), len(optima), len(start)), dtype), np.full(len(optima), -1)
    parameters[0] = start
    with np.errstate(all="ignore"):  # a diverging run overflows: found below and reported
        if experiment.optimizer == "sgd":
            factors = _descent(values, rate * SCHEDULES[experiment.schedule](experiment.steps),
                               experiment.schedule == "constant")
        else:
            factors = _with_velocity(experiment, values, rate)
        _fill(parameters, kept, factors, back, diverged_at)
    return History(parameters, kept, fill_after(parameters, kept, diverged_at))


def _fill(out: np.ndarray, kept: np.ndarray, blocks: Iterator[np.ndarray], back: np.ndarray,
          diverged_at: np.ndarray) -> None:
    """Write the kept rows (n, K, P) after the start, and each run's step of divergence, until all have diverged."""
    done, flat, reach = 0, out.reshape(len(out), -1), np.abs(back).sum(axis=0).max()
    whole = len(kept) == kept[-1] + 1 and out.dtype == back.dtype  # each row is written where it belongs
    for factors in blocks:
        small = np.abs(factors).max() * reach < LARGEST  # no row can be large; False for NaN as well
        if not small:  # an infinite factor would make NaN of a run that has no error along its mode
            factors = np.nan_to_num(factors, nan=HUGE, posinf=HUGE, neginf=-HUGE)
        rows = np.matmul(factors, back, out=flat[done + 1 : done + 1 + len(factors)] if whole else None)
        if not whole:
            inside = (kept > done) & (kept <= done + len(rows))
            flat[inside] = rows[kept[inside] - done - 1]
        if not small:
            bad = ~(np.abs(rows.reshape(-1, *out.shape[1:])).max(axis=-1) <= LARGEST)
            new = bad.any(axis=0) & (diverged_at < 0)
            diverged_at[new] = done + 1 + bad.argmax(axis=0)[new]
            if (diverged_at >= 0).all():
                return
        done += len(rows)


def _descent(values: np.ndarray, rates: np.ndarray, constant: bool) -> Iterator[np.ndarray]:
    """By how much each mode's error has shrunk after each step, (block, P)."""
    left, size = np.ones_like(values), block_steps(len(values))
    if constant:
        powers = _powers(1 - rates[0] * values, min(size, len(rates)))
    for first in range(0, len(rates), size):
        part = rates[first : first + size]
        shrunk = (powers[: len(part)] * left if first else powers[: len(part)]) if constant else (
            left * np.cumprod(1 - part[:, None] * values, axis=0))
        left = shrunk[-1].copy()
        yield shrunk


def _powers(factor: np.ndarray, count: int) -> np.ndarray:
    """factor¹ to factor^count, (count, P)."""
    found, size = np.empty((count, len(factor))), 1
    found[:1] = factor
    while size < count:
        more = min(size, count - size)
        np.multiply(found[:more], found[size - 1], out=found[size : size + more])
        size += more
    return found


def _with_velocity(experiment: Experiment, values: np.ndarray, rate: float) -> Iterator[np.ndarray]:
    """The same with momentum: powers of the matrix of (error, velocity) of each eigenvector, by doubling."""
    beta, ones = experiment.momentum, np.ones_like(values)
    velocity = np.stack([values, beta * ones], axis=-1)  # beta * velocity + gradient
    step = velocity
    if experiment.optimizer == "nesterov":  # the gradient and beta times the new velocity
        step = beta * velocity + np.stack([values, 0 * ones], axis=-1)
    matrix = np.stack([np.array([1.0, 0.0]) - rate * step, velocity], axis=1)  # (P, 2, 2)
    state, length = np.stack([ones, 0 * ones]), block_steps(2 * len(values))  # of an error of 1 at rest, (2, P)
    for first in range(0, experiment.steps, length):
        count = min(length, experiment.steps - first)
        states, size, power = np.empty((2, count, len(values))), 1, matrix
        states[:, 0] = _moved(matrix, state)
        while size < count:
            more = min(size, count - size)
            states[:, size : size + more] = _moved(power, states[:, :more])
            size, power = size + more, power @ power
        state = states[:, -1].copy()
        yield states[0]


def _moved(matrix: np.ndarray, states: np.ndarray) -> np.ndarray:
    """The matrices (P, 2, 2) times errors and velocities (2, ..., P)."""
    error, velocity = states
    return np.stack([matrix[:, k, 0] * error + matrix[:, k, 1] * velocity for k in (0, 1)])
