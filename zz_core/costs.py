"""What a run will take, before it runs: memory counted from the shapes, time from the work that the engine does.

Times are those of one machine, scaled by how long a fixed piece of work takes on this one. They are meant to be right
within a factor of 3: enough to refuse what would take too long.
"""
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np

from zz_core.activations import ACTIVATIONS
from zz_core.experiment import BOUNDS, Experiment
from zz_core.inputs import INPUTS
from zz_core.losses import LOSSES
from zz_core.neuron import BISECTIONS
from zz_core.optimizers import OPTIMIZERS, Settings
from zz_core.simulation import MAX_HISTORY_BYTES, history_bytes
from zz_core.stepping import BLOCK_BYTES, group_size
from zz_core.treatments import TREATMENTS

CALL = 0.6e-6  # seconds of one NumPy call on a few values, and of the Python around it
VALUE = 0.6e-9  # seconds of one value in one pass over an array
YARDSTICK = 0.8e-3  # seconds that `_yardstick` takes where the numbers here were measured


class Cost(NamedTuple):
    """What a run takes: the peak of its memory in bytes, its history and data included, and its time."""

    bytes: int
    seconds: float


class Shape(NamedTuple):
    """The sizes that decide the cost of an experiment."""

    rows: int  # N
    inputs: int  # D
    parameters: int  # P
    features: int  # columns of the problem whose optimum is solved for
    batch: int  # B
    runs: int  # R, 1 for the full batch, whose replicates are all the same
    steps: int  # T


def cost(experiment: Experiment, replicates: int = 1) -> Cost:
    """Memory and time of `simulate(experiment, replicates)`, each within a factor of about 3."""
    shape = _shape(experiment, replicates)
    seconds = _setup(experiment, shape) + _draws(experiment, shape) + _steps(experiment, shape)
    return Cost(_memory(experiment, shape), seconds)


def _shape(experiment: Experiment, replicates: int) -> Shape:
    inputs, learned = experiment.dimensions, TREATMENTS[experiment.treatment].learned
    return Shape(experiment.rows, inputs, inputs * (1 + learned) + experiment.bias,
                 inputs + (experiment.bias or learned), experiment.batch_size,
                 1 if experiment.full_batch else replicates, experiment.steps)


def _eigh(size: int) -> float:
    return 20 * CALL + 75e-9 * size**2 + 0.24e-9 * size**3


def _factor(rows: int, columns: int) -> float:
    """Seconds of a QR and the singular values of what it leaves."""
    rows, columns = max(rows, columns), min(rows, columns)
    return 40 * CALL + 5e-9 * rows * columns + 0.15e-9 * rows * columns**2 + 110e-9 * columns**2 + 0.6e-9 * columns**3


def _setup(experiment: Experiment, shape: Shape) -> float:
    values, rank = shape.rows * shape.features, min(shape.rows, shape.features)
    loss, optimizer = LOSSES[experiment.loss], OPTIMIZERS[experiment.optimizer]
    total = 300 * CALL + 20 * VALUE * values
    if INPUTS[experiment.inputs].activated:
        total += _elementwise("activation", experiment.activation).seconds(shape.rows * shape.inputs)
        total += 30 * VALUE * values
    if experiment.treatment == "whiten":
        total += 2 * _eigh(shape.inputs) + 0.1e-9 * values * shape.inputs
    teacher = not experiment.uses_labels
    if teacher and experiment.noise > 0:
        total += 2 * _factor(shape.rows, shape.inputs + 1)
    total += _factor(shape.rows, shape.features)
    if not loss.quadratic and not (teacher and experiment.noise == 0) and experiment.loss != "sigmoid_squared":
        step = 80 * CALL + 2 * _eigh(rank) + values * (6 * VALUE + 0.1e-9 * rank)
        total += 15 * (step + 3 * _elementwise("loss", experiment.loss).seconds(shape.rows))
    if optimizer.critical and experiment.rate_unit == "critical":
        total += _factor(shape.rows, shape.parameters) + _eigh(shape.parameters) + values * (6 * VALUE + 0.1e-9 * rank)
    return total


def _draws(experiment: Experiment, shape: Shape) -> float:
    if experiment.full_batch:
        return 0.0
    drawn = shape.steps * shape.batch
    if experiment.sampling == "epoch":
        per_epoch = shape.rows // shape.batch
        drawn = -(-shape.steps // per_epoch) * shape.rows * 4
    return shape.runs * (50 * CALL + 3e-9 * drawn)


def _steps(experiment: Experiment, shape: Shape) -> float:
    loss, optimizer, treatment = LOSSES[experiment.loss], OPTIMIZERS[experiment.optimizer], TREATMENTS[experiment.treatment]
    slope = _elementwise("loss", experiment.loss)
    size, batch = shape.parameters, shape.batch
    group = min(shape.runs, group_size(experiment, size))
    groups = -(-shape.runs // group)
    calls, values = 8.0, 0.0
    if group > 1:
        calls += 5
    if treatment.learned:
        calls += 22
    seconds = groups * slope.fixed + shape.runs * batch * slope.each
    # products
    values += 3 * batch * size
    if group > 1:
        seconds += shape.runs * (40e-9 if batch == 1 else 150e-9)
    if not experiment.full_batch:
        values += batch * size + 8 * batch
        if treatment.per_batch:
            values += 10 * batch * size
    values += 3 * size
    if optimizer.needs_batch:
        pass
    elif experiment.optimizer != "sgd":
        rule = _elementwise("optimizer", experiment.optimizer)
        seconds += groups * rule.fixed + shape.runs * size * rule.each
    seconds += groups * calls * CALL + shape.runs * values * VALUE
    block = max(1, min(shape.steps, 1024, BLOCK_BYTES // (8 * group * size * (1 if experiment.full_batch else batch))))
    seconds += groups * 20 * CALL / block
    return shape.steps * seconds


class Line(NamedTuple):
    fixed: float
    each: float

    def seconds(self, values: int) -> float:
        return self.fixed + self.each * values


@cache
def _elementwise(kind: str, name: str) -> Line:
    if kind == "activation":
        function = ACTIVATIONS[name].value
    elif kind == "loss":
        loss = LOSSES[name]
        function = lambda v: loss.slope(v, v)
    else:
        rule = OPTIMIZERS[name]
        function = lambda v: rule.update(v, rule.init(v), Settings(), None)
    small, large = (_fastest(function, np.full((1, n), 0.5)) for n in (4, 4096))
    return Line(small, max(0.0, large - small) / 4092)


def _fastest(function: Callable, argument: np.ndarray) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        function(argument)
        times.append(time.perf_counter() - start)
    return min(times)


def _memory(experiment, shape):
    return 0
