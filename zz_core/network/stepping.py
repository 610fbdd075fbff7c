"""The training loop: a block of steps of a group of replicates, and what has to be known to repeat it."""
from collections.abc import Callable
from itertools import repeat
from typing import NamedTuple

import numpy as np

from zz_core.network.data import NetworkData
from zz_core.network.experiment import NetworkExperiment
from zz_core.network.layers import Architecture, Layer
from zz_core.network.passes import Stack, extended, loss_slopes, target_matrix
from zz_core.optimizers import OPTIMIZERS, Settings


class Plan(NamedTuple):
    """What stays the same over a run."""

    experiment: NetworkExperiment
    architecture: Architecture
    inputs: np.ndarray  # (N, D + 1), the constant feature last
    targets: np.ndarray  # (N, out)

    @classmethod
    def of(cls, experiment: NetworkExperiment, architecture: Architecture, data: NetworkData) -> "Plan":
        return cls(experiment, architecture, extended(data.inputs), target_matrix(data.targets, data.outputs))


class Moment(NamedTuple):
    """All that the rest of a run depends on, before one of its steps."""

    theta: np.ndarray  # (R, P)
    state: tuple  # of the optimizer
    statistics: np.ndarray  # (R, Q), the running statistics of batch norm


class Rows(NamedTuple):
    """What a block of S steps leaves; the first row of theta and of the statistics is where it starts."""

    theta: np.ndarray  # (S + 1, R, P)
    gradients: np.ndarray  # (S, R, P)
    statistics: np.ndarray  # (S + 1, R, Q)

    @classmethod
    def empty(cls, plan: Plan, steps: int, replicates: int) -> "Rows":
        size, statistics = plan.architecture.size, plan.architecture.statistics
        return cls(np.empty((steps + 1, replicates, size)), np.empty((steps, replicates, size)),
                   np.empty((steps + 1, replicates, statistics)))

    def part(self, steps: int) -> "Rows":
        """The same memory for fewer steps."""
        return Rows(self.theta[: steps + 1], self.gradients[:steps], self.statistics[: steps + 1])


def gather(plan: Plan, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The samples (..., D + 1, B) and targets (..., out, B) of batches (..., B)."""
    index = drawn.astype(np.intp, order="C")
    x, y = (np.take(rows, index, axis=0, mode="clip") for rows in (plan.inputs, plan.targets))
    return x.swapaxes(-1, -2), np.ascontiguousarray(y.swapaxes(-1, -2))


def advance(plan: Plan, stack: Stack, moment: Moment, drawn: np.ndarray, rows: Rows, first: int,
            kept: set[int]) -> tuple[Moment, dict[int, Moment]]:
    """Take the steps first, first + 1, ... with the batches drawn (S, R, B), filling `rows`.

    stack: of `training_stack`. Returns the moment after them, and those before each step in `kept`.
    """
    experiment, architecture = plan.experiment, plan.architecture
    settings = Settings(experiment.momentum, experiment.decay)
    update, rate = OPTIMIZERS[experiment.optimizer].update, experiment.learning_rate
    rows.theta[0], rows.statistics[0] = moment.theta, moment.statistics
    state, saved = moment.state, {}
    single = len(moment.theta) == 1  # without the leading axis each product is one BLAS call
    theta, found, statistics = (part[:, 0] if single else part for part in rows)
    if single:
        drawn, state = drawn[:, 0], _each(state, lambda entry: entry[0])
    samples, targets = gather(plan, drawn)
    parameters = _by_step(architecture.views(theta[: len(drawn)]))
    gradients = _by_step(architecture.views(found[: len(drawn)]))
    change = np.empty_like(theta[0])
    for s in range(len(drawn)):
        if first + s in kept:
            saved[first + s] = _moment(rows, s, state, single)
        x, layers = samples[s], parameters[s]
        outputs = stack.forward(layers, x)
        stack.backward(layers, x, loss_slopes(experiment.loss, outputs, targets[s]), gradients[s])
        step, state = update(found[s], state, settings, None)
        np.subtract(theta[s], np.multiply(step, rate, out=change), out=theta[s + 1])
        if architecture.batch_norm:
            statistics[s + 1] = statistics[s]
            for normalizer, running in zip(stack.normalizers, architecture.running(statistics[s + 1]), strict=True):
                normalizer.update(running, drawn.shape[-1])
    return _moment(rows, len(drawn), state, single), saved


def training_stack(plan: Plan, replicates: int) -> Stack:
    """What `advance` needs for so many replicates."""
    return Stack(plan.architecture, replicates if replicates > 1 else None, plan.experiment.batch_size)


def _moment(rows: Rows, step: int, state: tuple, single: bool) -> Moment:
    """With the leading axis, whether or not the loop does without it."""
    return Moment(rows.theta[step].copy(), _each(state, lambda entry: entry[None]) if single else state,
                  rows.statistics[step].copy())


def _each(state: tuple, change: Callable[[np.ndarray], np.ndarray]) -> tuple:
    return tuple(change(entry) if isinstance(entry, np.ndarray) else entry for entry in state)


def _by_step(layers: list[Layer]) -> list[tuple[Layer, ...]]:
    """Views (S, ...) of a block's rows as views of each row."""
    return list(zip(*(map(Layer, *(repeat(None) if part is None else part for part in layer)) for layer in layers),
                    strict=True))
