"""What a run will take, before it runs: memory and time counted from its sizes.

Meant to be right within a factor of 3, so that a view can refuse what a host cannot bear. The constants are seconds on
the machine where they were fitted to random experiments; `slowness` scales them to the present one, and activations,
losses and update rules are timed here, so that a new one needs no number of its own.
`python -m benchmarks --workload cost` shows how well it predicts.
"""
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from zz_core import modes
from zz_core.activations import ACTIVATIONS
from zz_core.experiment import BOUNDS, Experiment
from zz_core.inputs import INPUTS
from zz_core.losses import LOSSES
from zz_core.neuron import BISECTIONS
from zz_core.optimizers import OPTIMIZERS, Settings
from zz_core.stepping import BLOCK_BYTES, condensable, group_size, kept_steps
from zz_core.treatments import TREATMENTS

MAX_HISTORY_BYTES = 512 * 2**20
CALL = 0.6e-6  # a NumPy call on a few values, with the Python around it
PASS = 0.5e-9  # one value in one pass over an array
PRODUCT = 0.1e-9  # one multiplication and addition of a matrix product
SMALL_BYTES = 10_000  # what even the smallest run takes
YARDSTICK = 0.33e-3  # what `_yardstick` took there
SEARCHES = BISECTIONS + 12  # evaluations of a line search: the bisections, and the doublings and checks around them
NEWTON_STEPS = 6  # of a refit of the optimum
# rules that solve with the batch's P x P curvature: calls, seconds by P², seconds by P³; any other searches a line
SOLVES = {"gauss_newton": (200, 150e-9, 0.4e-9), "levenberg_marquardt": (60, 12e-9, 0.08e-9)}


class Cost(NamedTuple):
    """The peak memory of a run, its data and its history included, and the time it takes."""

    bytes: int
    seconds: float


class Sizes(NamedTuple):
    """What decides the cost; shapes as in `Run`."""

    rows: int  # N
    inputs: int  # D
    parameters: int  # P, all that is learned
    columns: int  # D, and one more where an offset is learned
    batch: int  # B
    runs: int  # R; 1 for the full batch, whose replicates are all the same
    group: int  # replicates stepped together
    steps: int  # T

    @property
    def block(self) -> int:
        """Steps whose samples are gathered at once."""
        gathered = self.parameters * (1 if self.batch == self.rows else self.batch)
        return max(1, min(self.steps, 1024, BLOCK_BYTES // (8 * self.group * gathered)))


class Line(NamedTuple):
    """Seconds of an elementwise function: `fixed` for a call, `each` for a value."""

    fixed: float
    each: float

    def of(self, values: int) -> float:
        return self.fixed + self.each * values


def history_bytes(experiment: Experiment, replicates: int = 1, every: int = 1, dtype: type = np.float64,
                  shape: tuple[int, int] | None = None) -> int:
    """Memory of the run's history: weights, biases, input biases and batches. shape: (N, D) of given data."""
    samples, dimensions = shape or (experiment.rows, experiment.dimensions)
    parameters = dimensions * (1 + TREATMENTS[experiment.treatment].learned) + experiment.bias
    path = len(kept_steps(experiment.steps, every)) * parameters * np.dtype(dtype).itemsize
    if experiment.batch_size == samples:  # all replicates are one run, and nothing is drawn
        return path
    return replicates * (path + experiment.steps * experiment.batch_size * 4)


def cost(experiment: Experiment, replicates: int = 1) -> Cost:
    """Memory and time of simulate(experiment, replicates)."""
    sizes = _sizes(experiment, replicates)
    seconds = slowness() * (_setup_seconds(experiment, sizes) + _draw_seconds(experiment, sizes))
    if _solved(experiment, sizes):
        seconds += _solve_seconds(experiment, sizes)
    elif experiment.full_batch and condensable(experiment, sizes.parameters):
        few = min(sizes.rows, sizes.parameters + 1)
        seconds += slowness() * _factorization(sizes.rows, sizes.parameters)
        seconds += sizes.steps * _step_seconds(experiment, sizes._replace(batch=few))
    else:
        seconds += sizes.steps * _step_seconds(experiment, sizes)
    return Cost(_peak_bytes(experiment, sizes, history_bytes(experiment, replicates)), seconds)


def largest_steps(experiment: Experiment, replicates: int, seconds: float, bytes: int) -> int:
    """The largest `steps` with which the experiment fits both budgets and the limit of the history; 0 if none does."""
    fitting, too_many = 0, BOUNDS["steps"][1] + 1
    while too_many - fitting > 1:
        steps = (fitting + too_many) // 2
        shorter = replace(experiment, steps=steps)
        predicted = cost(shorter, replicates)
        fits = predicted.seconds <= seconds and predicted.bytes <= bytes
        if fits and history_bytes(shorter, replicates) <= MAX_HISTORY_BYTES:
            fitting = steps
        else:
            too_many = steps
    return fitting


def _sizes(experiment: Experiment, replicates: int) -> Sizes:
    inputs, learned = experiment.dimensions, TREATMENTS[experiment.treatment].learned
    parameters = inputs * (1 + learned) + experiment.bias
    runs = 1 if experiment.full_batch else replicates
    return Sizes(experiment.rows, inputs, parameters, inputs + (experiment.bias or learned), experiment.batch_size,
                 runs, min(runs, group_size(experiment, parameters)), experiment.steps)


def _setup_seconds(experiment: Experiment, sizes: Sizes) -> float:
    """The data, the treatment, the noise, the optimum and the stability limit."""
    loss, rows, columns = LOSSES[experiment.loss], sizes.rows, sizes.columns
    rank, values = min(rows, columns), rows * columns
    seconds = 600 * CALL + 30 * PASS * values
    if INPUTS[experiment.inputs].activated:
        seconds += _activation(experiment.activation).of(rows * sizes.inputs) + 30 * PASS * values
    if experiment.treatment == "whiten":
        seconds += 200 * CALL + 2 * _eigenvectors(sizes.inputs) + PRODUCT * values * sizes.inputs
    if _noisy(experiment):
        seconds += 2 * _factorization(rows, sizes.inputs + 1)
    if _solvable(experiment):
        seconds += _factorization(rows, columns)
        if not (loss.quadratic or _realizable(experiment) and _affine(experiment.treatment)):
            step = 130 * CALL + 10 * PASS * values + PRODUCT * values * rank + _eigenvectors(rank)
            seconds += NEWTON_STEPS * (step + 3 * _loss(experiment.loss).of(rows))
    if _needs_limit(experiment):
        seconds += _factorization(rows, sizes.parameters) + _eigenvectors(rank) + 2 * PRODUCT * values * rank
    return seconds


def _noisy(experiment: Experiment) -> bool:
    return experiment.noise > 0 and not experiment.uses_labels


def _realizable(experiment: Experiment) -> bool:
    """Whether the teacher itself is the optimum."""
    return not experiment.uses_labels and (LOSSES[experiment.loss].quadratic or experiment.noise == 0)


def _solvable(experiment: Experiment) -> bool:
    """Whether an optimum is looked for."""
    return _realizable(experiment) or experiment.loss != "sigmoid_squared"


def _needs_limit(experiment: Experiment) -> bool:
    return OPTIMIZERS[experiment.optimizer].critical and experiment.rate_unit == "critical"


def _eigenvectors(size: int) -> float:
    return 20 * CALL + 100e-9 * size**2 + 0.25e-9 * size**3


def _factorization(rows: int, columns: int) -> float:
    """QR of a matrix, and the singular value decomposition of what it leaves."""
    short, long = min(rows, columns), max(rows, columns)
    triangle = 40 * CALL + 10 * PASS * long * short + 1.5 * PRODUCT * long * short**2
    return triangle + 120e-9 * short**2 + 0.6e-9 * short**3


def _draw_seconds(experiment: Experiment, sizes: Sizes) -> float:
    if experiment.full_batch:
        return 0.0
    drawn = 6e-9 * sizes.steps * sizes.batch
    if experiment.sampling == "epoch":
        drawn = 18e-9 * sizes.rows * -(-sizes.steps // (sizes.rows // sizes.batch))
    return sizes.runs * (50 * CALL + drawn)


def _solved(experiment: Experiment, sizes: Sizes) -> bool:
    return experiment.full_batch and modes.preferred(experiment, sizes.rows, sizes.parameters)


def _solve_seconds(experiment: Experiment, sizes: Sizes) -> float:
    """All steps at once, by eigenvectors."""
    values = sizes.steps * sizes.parameters
    products = PRODUCT * (sizes.rows * sizes.parameters**2 + values * sizes.parameters)
    passes = PASS * values * (8 if experiment.optimizer == "sgd" else 24)
    calls = CALL * (60 + 30 * -(-sizes.steps // modes.block_steps(sizes.parameters)))
    return slowness() * (calls + _eigenvectors(sizes.parameters) + products + passes)


def _step_seconds(experiment: Experiment, sizes: Sizes) -> float:
    """One step of all replicates."""
    optimizer, treatment = OPTIMIZERS[experiment.optimizer], TREATMENTS[experiment.treatment]
    runs, batch, parameters, loss = sizes.runs, sizes.batch, sizes.parameters, _loss(experiment.loss)
    groups, samples = -(-runs // sizes.group), runs * batch
    calls, seconds = 7.0 + 40 / sizes.block, groups * loss.fixed + samples * loss.each
    passes = 8 * runs * parameters + 0.8 * samples * parameters
    if not experiment.full_batch:
        passes += 7 * samples + (1.2 + 12 * treatment.per_batch) * samples * parameters
    if sizes.group > 1:  # products of stacks of small matrices, each with a call inside
        calls, passes = calls + 5, passes + runs * (50 if batch == 1 else 300)
    if treatment.learned:
        calls += 24
    if optimizer.needs_batch:
        seconds += _batch_rule_seconds(experiment, sizes)
    elif experiment.optimizer != "sgd":
        seconds += groups * _rule(experiment.optimizer).fixed + runs * parameters * _rule(experiment.optimizer).each
    return seconds + slowness() * (groups * calls * CALL + passes * PASS)


def _batch_rule_seconds(experiment: Experiment, sizes: Sizes) -> float:
    """What a rule that asks the batch for more than its gradient adds to a step."""
    loss, samples, groups = _loss(experiment.loss), sizes.runs * sizes.batch, -(-sizes.runs // sizes.group)
    if experiment.optimizer in SOLVES:
        calls, quadratic, cubic = SOLVES[experiment.optimizer]
        solve = 2 * CALL + quadratic * sizes.parameters**2 + cubic * sizes.parameters**3
        matrices = samples * (PRODUCT * sizes.parameters**2 + PASS * (6 * sizes.parameters + 50))
        return loss.of(samples) + slowness() * (groups * calls * CALL + sizes.runs * solve + matrices)
    if LOSSES[experiment.loss].quadratic and not TREATMENTS[experiment.treatment].learned:
        return slowness() * (35 * groups * CALL + samples * PASS * sizes.parameters)
    evaluation = groups * loss.fixed + samples * loss.each + slowness() * (14 * groups * CALL + 8 * samples * PASS)
    return SEARCHES * evaluation


def _peak_bytes(experiment: Experiment, sizes: Sizes, history: int) -> int:
    """What solving for the optimum takes, or training beside the data and the history, whichever is more."""
    source, data = INPUTS[experiment.inputs], 8 * sizes.rows * sizes.columns
    setup = (5 if _noisy(experiment) or _solvable(experiment) or _needs_limit(experiment) else 2) * data
    if source.real:  # scaled before some rows are chosen
        setup += 12 * source.rows(BOUNDS["samples"][1], sizes.inputs) * sizes.inputs
    work = 100 * sizes.steps + 64 * sizes.group * sizes.parameters
    if experiment.full_batch:
        draws = 0
        work += 24 * sizes.rows
        if _solved(experiment, sizes):
            block = min(sizes.steps, modes.block_steps(sizes.parameters))
            work += 8 * block * sizes.parameters * (6 if experiment.optimizer == "sgd" else 14)
    else:
        draws = 4 * sizes.steps * sizes.batch
        if experiment.sampling == "epoch":
            draws += 16 * min(sizes.steps * sizes.batch + sizes.rows, max(2**20, sizes.rows))
        copies = 1 + 3 * TREATMENTS[experiment.treatment].per_batch
        step = 8 * sizes.group * sizes.batch * sizes.parameters
        # the indices and targets of its samples take as much as three more parameters
        work += min(sizes.steps * step, max(step, BLOCK_BYTES)) * (copies + 3 / sizes.parameters)
    if experiment.optimizer in SOLVES:
        work += 16 * sizes.group * sizes.parameters * (sizes.batch + 2 * sizes.parameters)
    elif OPTIMIZERS[experiment.optimizer].needs_batch:
        work += 64 * sizes.group * sizes.batch
    return SMALL_BYTES + int(max(setup, 3 * data + history + max(work, draws)))


@cache
def _affine(treatment: str) -> bool:
    return TREATMENTS[treatment].apply(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])).matrix is not None


@cache
def _activation(name: str) -> Line:
    return _line(ACTIVATIONS[name].value)


@cache
def _loss(name: str) -> Line:
    return _line(lambda outputs: LOSSES[name].slope(outputs, outputs))


@cache
def _rule(name: str) -> Line:
    rule = OPTIMIZERS[name]
    return _line(lambda gradient: rule.update(gradient, rule.init(gradient), Settings(), None))


def _line(function: Callable[[np.ndarray], object]) -> Line:
    small, large = (_fastest(partial(function, np.full((1, size), 0.5)), calls) for size, calls in ((4, 20), (8192, 1)))
    return Line(small, max(0.0, large - small) / 8188)


@cache
def slowness() -> float:
    """How many times longer NumPy takes here than where the constants come from: measured once, in milliseconds."""
    return _fastest(_yardstick, 1) / YARDSTICK


def _yardstick() -> None:
    values, matrix = np.full(4, 0.5), np.eye(48) + 0.01
    for _ in range(100):
        values = 0.5 * (values + 0.5)
    np.linalg.eigh(matrix)
    np.exp(np.full(16384, 0.5)).sum()


def _fastest(function: Callable[[], object], calls: int) -> float:
    """Seconds of a call, the best of a few tries: a busy machine disturbs most of them, seldom all."""
    times = []
    for _ in range(15):
        start = time.perf_counter()
        for _ in range(calls):
            function()
        times.append((time.perf_counter() - start) / calls)
    return min(times)
