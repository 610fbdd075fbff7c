"""train(experiment): the single entry, with its memory known beforehand."""
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from zz_core.costs import MAX_HISTORY_BYTES
from zz_core.network.data import SOURCES, NetworkData, build_data, training_rows
from zz_core.network.experiment import BOUNDS, NetworkExperiment
from zz_core.network.layers import Architecture, start_parameters
from zz_core.network.passes import Stack
from zz_core.network.recording import Evaluator, sign_measures
from zz_core.network.run import NetworkRun
from zz_core.network.stepping import Moment, Plan, Rows, advance
from zz_core.optimizers import OPTIMIZERS
from zz_core.stepping import LARGEST, kept_steps

CHECKPOINTS = 64  # intervals between checkpoints: a step in between is repeated from the one before it
BLOCK_STEPS = 128  # steps whose gradients are measured together, at most
BLOCK_BYTES = 2**23  # what a block of steps of a group takes, about
GROUP_BYTES = 2**21  # what the layers of a group take in one step: more falls out of the cache


class Progress(NamedTuple):
    """A run so far, given to `progress`: views of what is being filled."""

    losses: np.ndarray  # (R, step)
    accuracies: np.ndarray  # (R, step)
    diverged_at: np.ndarray  # (R,)


def history_bytes(experiment: NetworkExperiment, replicates: int = 1,
                  shape: tuple[int, int, int] | None = None) -> int:
    """Memory of what a run keeps. shape: rows, inputs and outputs of given data."""
    source = SOURCES[experiment.data]
    _, inputs, outputs = shape or (0, source.inputs, source.classes)
    architecture, steps = Architecture.of(experiment, inputs, outputs), experiment.steps
    buffers = {"sgd": 0, "adam": 2}.get(experiment.optimizer, 1)
    checkpoints = len(kept_steps(steps, _every(steps)))
    layers = architecture.hidden + 1
    per_step = 4 * experiment.batch_size + 4 * sum(architecture.sizes[1:]) + 8 * (4 * layers + 2)
    return replicates * (8 * checkpoints * ((1 + buffers) * architecture.size + architecture.statistics)
                         + steps * per_step)


def train(experiment: NetworkExperiment, replicates: int = 1,
          progress: Callable[[int, Progress], bool] | None = None,
          data: tuple[np.ndarray, np.ndarray] | None = None) -> NetworkRun:
    """Train R replicates on the same data: replicate r starts and draws as the single run with seed + r.

    progress(step, so_far) is called after each block of steps; where it returns False the run ends there and is
    returned as far as it came (`steps` of the run is then below that of its experiment). data: inputs (N, D) and
    targets (N,) instead of those of the experiment; whole numbers are labels, anything else is a regression, which
    needs the squared loss.

    ValueError where what is kept would not fit MAX_HISTORY_BYTES (512 MiB; the message names `steps`).
    """
    if replicates < 1:
        raise ValueError(f"replicates={replicates}: must be at least 1")
    shape = None if data is None else _shape(experiment, data)
    _check_memory(experiment, replicates, shape)
    built = build_data(experiment.data, experiment.samples, experiment.treatment, experiment.shift,
                       experiment.data_seed, data)
    with np.errstate(all="ignore"):  # overflow is what divergence looks like: it is found and reported
        return _Training(experiment, built, replicates).run(progress)


def _shape(experiment: NetworkExperiment, data: tuple[np.ndarray, np.ndarray]) -> tuple[int, int, int]:
    """Rows, inputs and outputs of given data, after a check against the experiment."""
    inputs, targets = np.asarray(data[0]), np.asarray(data[1])
    if inputs.ndim != 2:
        raise ValueError(f"data: inputs must be (N, D), not {inputs.shape}")
    labeled = np.issubdtype(targets.dtype, np.integer)
    if not labeled and experiment.loss != "squared":
        raise ValueError(f"loss={experiment.loss}: must be squared for a regression; labels are whole numbers")
    rows = training_rows(len(inputs))
    if experiment.batch_size > rows:
        raise ValueError(f"batch_size={experiment.batch_size}: must be at most {rows}, the number of training rows")
    return len(inputs), inputs.shape[1], int(targets.max(initial=0)) + 1 if labeled else 1


def _check_memory(experiment: NetworkExperiment, replicates: int, shape: tuple[int, int, int] | None) -> None:
    needed = history_bytes(experiment, replicates, shape)
    if needed <= MAX_HISTORY_BYTES:
        return
    fitting, too_many = 0, experiment.steps
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        fits = history_bytes(replace(experiment, steps=middle), replicates, shape) <= MAX_HISTORY_BYTES
        fitting, too_many = (middle, too_many) if fits else (fitting, middle)
    advice = f"must be at most {fitting}" if fitting >= BOUNDS["steps"][0] else "even one step is too much"
    raise ValueError(f"steps={experiment.steps}: {advice} for {replicates} run(s) of this size, since the history "
                     f"would take {needed / 2**20:.0f} MiB and {MAX_HISTORY_BYTES / 2**20:.0f} are allowed")


def _every(steps: int) -> int:
    return -(-steps // CHECKPOINTS)


def draw_batches(experiment: NetworkExperiment, rows: int, replicates: int) -> np.ndarray:
    """Which training rows each step uses, (R, T, B) int32, drawn with replacement by default_rng(seed + r); the full
    batch takes each row once."""
    steps, size = experiment.steps, experiment.batch_size
    batches = np.empty((replicates, steps, size), np.int32)
    for replicate in range(replicates):
        rng = np.random.default_rng(experiment.seed + replicate)
        batches[replicate] = np.arange(rows) if size == rows else rng.integers(0, rows, (steps, size), np.int32)
    return batches


class _Training:
    """A run being filled, group by group of replicates and block by block of steps."""

    def __init__(self, experiment: NetworkExperiment, data: NetworkData, replicates: int):
        self.experiment, self.data = experiment, data
        self.architecture = architecture = Architecture.of(experiment, data.inputs.shape[1], data.outputs)
        self.plan = Plan.of(experiment, architecture, data)
        self.evaluate = Evaluator(architecture, experiment.loss, data)
        R, T, L = replicates, experiment.steps, architecture.hidden + 1
        self.batches = draw_batches(experiment, len(data.inputs), R)
        self.losses, self.accuracies = np.full((2, R, T + 1), np.nan)
        self.coherence, self.energy, self.input_mean, self.input_std = np.full((4, R, T, L), np.nan)
        self.positive, self.negative = ([np.zeros((R, T, width), np.int16) for width in architecture.sizes[1:]]
                                        for _ in range(2))
        self.series = [self.losses, self.accuracies, self.energy, self.coherence, self.input_mean, self.input_std,
                       *self.positive, *self.negative]
        self.diverged_at = np.full(R, -1)
        self.kept = kept_steps(T, _every(T))
        self.saved: list[dict[int, Moment]] = []  # of each group
        sample = 8 * experiment.batch_size * 4 * (sum(architecture.sizes) + 1)
        self.group = min(R, max(1, GROUP_BYTES // sample))
        self.groups = [slice(k, min(k + self.group, R)) for k in range(0, R, self.group)]
        step = 8 * self.group * (2 * architecture.size + experiment.batch_size * (sum(architecture.sizes[::len(
            architecture.sizes) - 1]) + 1))
        self.block = max(1, min(T, BLOCK_STEPS, BLOCK_BYTES // step))

    def run(self, progress: Callable[[int, Progress], bool] | None) -> NetworkRun:
        steps, kept = self.experiment.steps, set(self.kept.tolist())
        moments = [self._start(part) for part in self.groups]
        self.saved = [{} for _ in self.groups]
        sizes = {part.stop - part.start for part in self.groups}
        stacks = {n: Stack(self.architecture, n, self.experiment.batch_size) for n in sizes}
        buffers = {n: Rows.empty(self.plan, self.block, n) for n in sizes}
        done = 0
        while done < steps:
            stop = min(done + self.block, steps)
            for k, part in enumerate(self.groups):
                if (self.diverged_at[part] >= 0).all():
                    continue
                size = part.stop - part.start
                rows = buffers[size].part(stop - done)
                drawn = self.batches[part, done:stop].swapaxes(0, 1)
                moments[k], saved = advance(self.plan, stacks[size], moments[k], drawn, rows, done, kept)
                self.saved[k] |= saved
                self._record(part, done, rows)
                self._mark_diverged(part, done, rows.theta, moments[k])
            done = stop
            if progress is not None and progress(done, Progress(
                    self.losses[:, :done], self.accuracies[:, :done], self.diverged_at)) is False:
                break
        return self._finish(done, moments)

    def _start(self, part: slice) -> Moment:
        # a stream of its own: the draws are the same for all networks, and for any number of steps
        theta = np.array([start_parameters(self.architecture, self.experiment.initialization,
                                           np.random.default_rng([self.experiment.seed + r, 1]))
                          for r in range(part.start, part.stop)])
        return Moment(theta, OPTIMIZERS[self.experiment.optimizer].init(theta),
                      self.architecture.start_statistics(len(theta)))

    def _record(self, part: slice, first: int, rows: Rows) -> None:
        """Measure the steps of a block in chunks of networks that fit the cache."""
        steps, replicates, size = rows.gradients.shape
        theta, gradients = rows.theta[:-1].reshape(-1, size), rows.gradients.reshape(-1, size)
        statistics = rows.statistics[:-1].reshape(steps * replicates, -1)
        edges = np.linspace(0, len(theta), -(-len(theta) // self.evaluate.chunk) + 1).astype(int).tolist()
        found = [self._measured(theta[a:b], statistics[a:b], gradients[a:b]) for a, b in pairwise(edges)]
        for series, values in zip(self.series, map(np.concatenate, zip(*found, strict=True)), strict=True):
            series[part, first : first + steps] = values.reshape(steps, replicates, -1).swapaxes(0, 1).reshape(
                replicates, steps, *series.shape[2:])

    def _measured(self, theta: np.ndarray, statistics: np.ndarray, gradients: np.ndarray) -> list[np.ndarray]:
        """The values of each of `series` for n networks."""
        found = self.evaluate(theta, statistics)
        signs = [sign_measures(layer.weight, direction) for layer, direction in
                 zip(self.architecture.views(gradients), found.directions, strict=True)]
        return [found.losses, found.accuracies, np.stack([layer.energy for layer in signs], axis=1),
                np.stack([layer.coherence for layer in signs], axis=1), found.input_mean, found.input_std,
                *(layer.positive for layer in signs), *(layer.negative for layer in signs)]

    def _mark_diverged(self, part: slice, first: int, theta: np.ndarray, moment: Moment) -> None:
        """Note the first row whose parameters are not finite or too large, and leave NaN after it."""
        flat = theta.reshape(-1)
        if float(np.vdot(flat, flat)) < LARGEST**2:  # one fast pass; False for NaN as well
            return
        bad = ~(np.abs(theta).max(axis=-1) <= LARGEST)
        new = bad.any(axis=0) & (self.diverged_at[part] < 0)
        self.diverged_at[part][new] = first + bad.argmax(axis=0)[new]
        moment.theta[self.diverged_at[part] >= 0] = np.nan

    def _finish(self, done: int, moments: list[Moment]) -> NetworkRun:
        """The run of the first `done` steps."""
        R, architecture = len(self.diverged_at), self.architecture
        kept = np.append(self.kept[self.kept < done], done)
        theta = np.full((R, len(kept), architecture.size), np.nan)
        buffers = sum(isinstance(entry, np.ndarray) for entry in moments[0].state)
        states = tuple(np.full_like(theta, np.nan) for _ in range(buffers))
        statistics = np.full((R, len(kept), architecture.statistics), np.nan)
        for part, saved, last in zip(self.groups, self.saved, moments, strict=True):
            for k, step in enumerate(kept.tolist()):
                moment = last if step == done else saved.get(step)
                if moment is None:  # the whole group had diverged before
                    continue
                theta[part, k], statistics[part, k] = moment.theta, moment.statistics
                arrays = [entry for entry in moment.state if isinstance(entry, np.ndarray)]
                for buffer, entry in zip(states, arrays, strict=True):
                    buffer[part, k] = entry
            found = self.evaluate(last.theta, last.statistics)
            self.losses[part, done], self.accuracies[part, done] = found.losses, found.accuracies
        self._blank(kept, theta)
        return NetworkRun(
            self.experiment, self.data, architecture, self.batches[:, :done], kept, theta, states, statistics,
            self.losses[:, : done + 1], self.accuracies[:, : done + 1],
            tuple(counts[:, :done] for counts in self.positive), tuple(counts[:, :done] for counts in self.negative),
            self.energy[:, :done], self.coherence[:, :done], self.input_mean[:, :done], self.input_std[:, :done],
            self.diverged_at)

    def _blank(self, kept: np.ndarray, theta: np.ndarray) -> None:
        """NaN after each divergence, whatever the rest of its block came to."""
        for replicate in np.flatnonzero(self.diverged_at >= 0):
            at = self.diverged_at[replicate]
            theta[replicate, kept > at] = np.nan
            for series in (self.losses, self.accuracies):
                series[replicate, at + 1 :] = np.nan
            for series in (self.energy, self.coherence, self.input_mean, self.input_std):
                series[replicate, at:] = np.nan
            for counts in (*self.positive, *self.negative):
                counts[replicate, at:] = 0
