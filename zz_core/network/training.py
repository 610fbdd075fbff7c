"""train(experiment): the single entry, with its memory known beforehand."""
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from zz_core.network.data import NetworkData, build_data, training_rows
from zz_core.network.experiment import NetworkExperiment
from zz_core.network.layers import Architecture, start_parameters
from zz_core.network.memory import check_memory, kept_every
from zz_core.network.recording import Evaluator, sign_measures
from zz_core.network.run import NetworkRun
from zz_core.network.stepping import Moment, Plan, Rows, advance, training_stack
from zz_core.optimizers import OPTIMIZERS
from zz_core.stepping import LARGEST, kept_steps

BLOCK_STEPS = 128  # steps whose gradients are measured together, at most
BLOCK_BYTES = 2**24  # what a block of steps of a group takes, about
GROUP_BYTES = 2**21  # what the layers of a group take in one step: more falls out of the cache
FEW = 12  # so many replicates are trained no slower by one thread than by two


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Progress(NamedTuple):
    """A run so far, given to `progress`: views of what is being filled."""

    losses: np.ndarray  # (R, step)
    accuracies: np.ndarray  # (R, step)
    diverged_at: np.ndarray  # (R,)


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
    check_memory(experiment, replicates, shape)
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
        R, T, L = replicates, experiment.steps, architecture.hidden + 1
        self.batches = draw_batches(experiment, len(data.inputs), R)
        self.losses, self.accuracies = np.full((2, R, T + 1), np.nan)
        self.coherence, self.energy, self.input_mean, self.input_std = np.full((4, R, T, L), np.nan)
        self.positive, self.negative = ([np.zeros((R, T, width), np.int16) for width in architecture.sizes[1:]]
                                        for _ in range(2))
        self.series = [self.losses, self.accuracies, self.energy, self.coherence, self.input_mean, self.input_std,
                       *self.positive, *self.negative]
        self.diverged_at = np.full(R, -1)
        self.kept = kept_steps(T, kept_every(T))
        self.saved: list[dict[int, Moment]] = []  # of each group
        sample = 8 * experiment.batch_size * 4 * (sum(architecture.sizes) + 1)
        workers = min(cores(), R)
        most = max(1, GROUP_BYTES // sample)
        count = -(-R // most) if R <= FEW else workers * -(-R // (most * workers))  # as many for each worker
        edges = np.linspace(0, R, count + 1).astype(int).tolist()
        self.groups = [slice(a, b) for a, b in pairwise(edges)]
        self.group = -(-R // count)
        self.workers = [range(k, count, workers) for k in range(min(workers, count))]
        step = 8 * self.group * (2 * architecture.size + experiment.batch_size * (sum(architecture.sizes[::len(
            architecture.sizes) - 1]) + 1))
        self.block = max(1, min(T, BLOCK_STEPS, BLOCK_BYTES // step))

    def run(self, progress: Callable[[int, Progress], bool] | None) -> NetworkRun:
        steps, kept = self.experiment.steps, set(self.kept.tolist())
        moments = [self._start(part) for part in self.groups]
        self.saved = [{} for _ in self.groups]
        workers = [_Worker(self, groups, moments, kept) for groups in self.workers]
        done = 0
        with ThreadPoolExecutor(len(workers)) if len(workers) > 1 else nullcontext() as pool:
            while done < steps:
                stop = min(done + self.block, steps)
                if pool is None:
                    workers[0].go(done, stop)
                else:
                    list(pool.map(lambda worker, first=done, last=stop: worker.go(first, last), workers))
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

    def _finish(self, done: int, moments: list[Moment]) -> NetworkRun:
        """The run of the first `done` steps."""
        R, architecture = len(self.diverged_at), self.architecture
        kept = np.append(self.kept[self.kept < done], done)
        theta = np.full((R, len(kept), architecture.size), np.nan)
        buffers = sum(isinstance(entry, np.ndarray) for entry in moments[0].state)
        states = tuple(np.full_like(theta, np.nan) for _ in range(buffers))
        statistics = np.full((R, len(kept), architecture.statistics), np.nan)
        evaluate = Evaluator(architecture, self.experiment.loss, self.data)
        for part, saved, last in zip(self.groups, self.saved, moments, strict=True):
            for k, step in enumerate(kept.tolist()):
                moment = last if step == done else saved.get(step)
                if moment is None:  # the whole group had diverged before
                    continue
                theta[part, k], statistics[part, k] = moment.theta, moment.statistics
                arrays = [entry for entry in moment.state if isinstance(entry, np.ndarray)]
                for buffer, entry in zip(states, arrays, strict=True):
                    buffer[part, k] = entry
            found = evaluate(last.theta, last.statistics)
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


class _Worker:
    """Trains its groups of replicates, block after block, in memory of its own: one of these runs in each thread.

    NumPy lets go of the interpreter while it computes, so that threads of it run beside each other.
    """

    def __init__(self, training: _Training, groups: Sequence[int], moments: list[Moment], kept: set[int]):
        self.training, self.groups, self.moments, self.kept = training, groups, moments, kept
        self.evaluate = Evaluator(training.architecture, training.experiment.loss, training.data)
        sizes = {part.stop - part.start for part in (training.groups[k] for k in groups)}
        self.stacks = {n: training_stack(training.plan, n) for n in sizes}
        self.buffers = {n: Rows.empty(training.plan, training.block, n) for n in sizes}

    def go(self, first: int, stop: int) -> None:
        """Take the steps first, ..., stop - 1 and record them."""
        training = self.training
        with np.errstate(all="ignore"):  # of this thread: overflow is what divergence looks like
            for k in self.groups:
                part = training.groups[k]
                if (training.diverged_at[part] >= 0).all():
                    continue
                size = part.stop - part.start
                rows = self.buffers[size].part(stop - first)
                drawn = training.batches[part, first:stop].swapaxes(0, 1)
                self.moments[k], saved = advance(training.plan, self.stacks[size], self.moments[k], drawn, rows, first,
                                                 self.kept)
                training.saved[k] |= saved
                self._record(part, first, rows)
                self._mark_diverged(part, first, rows.theta, self.moments[k])

    def _record(self, part: slice, first: int, rows: Rows) -> None:
        """Measure the steps of a block in chunks of networks that fit the cache."""
        steps, replicates, size = rows.gradients.shape
        theta, gradients = rows.theta[:-1].reshape(-1, size), rows.gradients.reshape(-1, size)
        statistics = rows.statistics[:-1].reshape(steps * replicates, -1)
        edges = np.linspace(0, len(theta), -(-len(theta) // self.evaluate.chunk) + 1).astype(int).tolist()
        found = [self._measured(theta[a:b], statistics[a:b], gradients[a:b]) for a, b in pairwise(edges)]
        for series, values in zip(self.training.series, map(np.concatenate, zip(*found, strict=True)), strict=True):
            series[part, first : first + steps] = values.reshape(steps, replicates, -1).swapaxes(0, 1).reshape(
                replicates, steps, *series.shape[2:])

    def _measured(self, theta: np.ndarray, statistics: np.ndarray, gradients: np.ndarray) -> list[np.ndarray]:
        """The values of each of `series` for n networks."""
        found = self.evaluate(theta, statistics)
        exact, single = map(self.training.architecture.views, (gradients, gradients.astype(np.float32)))
        signs = [sign_measures(layer.weight, direction, rounded.weight) for layer, direction, rounded in
                 zip(exact, found.directions, single, strict=True)]
        return [found.losses, found.accuracies, np.stack([layer.energy for layer in signs], axis=1),
                np.stack([layer.coherence for layer in signs], axis=1), found.input_mean, found.input_std,
                *(layer.positive for layer in signs), *(layer.negative for layer in signs)]

    def _mark_diverged(self, part: slice, first: int, theta: np.ndarray, moment: Moment) -> None:
        """Note the first row whose parameters are not finite or too large, and leave NaN after it."""
        flat = theta.reshape(-1)
        if float(np.vdot(flat, flat)) < LARGEST**2:  # one fast pass; False for NaN as well
            return
        bad = ~(np.abs(theta).max(axis=-1) <= LARGEST)
        new = bad.any(axis=0) & (self.training.diverged_at[part] < 0)
        self.training.diverged_at[part][new] = first + bad.argmax(axis=0)[new]
        moment.theta[self.training.diverged_at[part] >= 0] = np.nan
