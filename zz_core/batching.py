"""What averaging over a batch does: to gradients at fixed weights, and to whole runs, batch size by batch size."""
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count, groupby
from typing import NamedTuple

import numpy as np

from zz_core.costs import cost, history_bytes
from zz_core.experiment import BOUNDS, Experiment
from zz_core.losses import LOSSES
from zz_core.measures import cut_tail, path_efficiency, share_interval, steps_to_level, unanimous
from zz_core.moments import simulate_together
from zz_core.neuron import Linear, build_neuron
from zz_core.optimizers import OPTIMIZERS
from zz_core.simulation import Run, simulate
from zz_core.stability import stability_limit
from zz_core.stepping import BLOCK_BYTES, draw_batches
from zz_core.summary import SETTLED, judged_by_loss
from zz_core.task import Task, across, build_task
from zz_core.treatments import TREATMENTS

NOISE = 0.5  # of the targets, where the experiment has none: without noise nothing happens at the optimum
ALONG = 0.6  # error along the mean direction, in standard deviations of the noise
DRAWS, FEWEST_DRAWS = 4000, 200  # batches drawn per batch size
DRAWN_VALUES = 2**23  # gradient components averaged per batch size, unless that leaves fewer than FEWEST_DRAWS
MEASURING = 3  # times the seconds of a run that running and measuring it takes here
TOGETHER_BYTES = 2**25  # of runs that are stepped together
ROUNDING = 1e-9  # components of a mean below this share of the largest sample gradient are rounding errors


def batch_size_options(rows: int, most: int = 9) -> list[int]:
    """At most `most` batch sizes, evenly spaced on a logarithmic axis up to the last, which is `rows`."""
    for stride in count(1):
        # half a stride below the last one, a tick would touch its neighbor's
        powers = [2**k for k in range(0, rows.bit_length(), stride) if k == 0 or math.log2(rows / 2**k) > stride / 2]
        if len(powers) < most:
            return [*powers, rows]


class BatchAtStep(NamedTuple):
    """The samples of one batch at one step: which, what the neuron sees of them, dL/df, and their gradients."""

    rows: np.ndarray  # (B,)
    inputs: np.ndarray  # (B, D)
    slopes: np.ndarray  # (B,)
    gradients: np.ndarray  # (B, D) with respect to the weights

    @property
    def mean(self) -> np.ndarray:
        """(D,) the batch's gradient, with exact zeros in place of rounding errors."""
        return _without_rounding(self.gradients.mean(axis=0), self.gradients)


def batch_at_step(run: Run, step: int, size: int) -> BatchAtStep:
    """The batch that the run's first replicate used at `step`; a run on single samples gets others up to `size`."""
    total, neuron = len(run.targets), build_neuron(run.experiment, run.task)
    if run.batches is None or (run.experiment.batch_size == 1 and size == total):
        rows = np.arange(total)
    else:
        rows = run.batches[0, step]
        if len(rows) == 1 < size:
            others = np.random.default_rng([run.experiment.seed, step]).integers(0, total, size - 1, dtype=np.int32)
            rows = np.concatenate([rows, others])
    x = neuron.gather(rows)
    slopes, gradients = _sample_gradients(run.experiment, neuron, _parameters_at(run, step), x, run.targets[rows])
    return BatchAtStep(rows, x[:, : neuron.dimensions], slopes, gradients)


def _parameters_at(run: Run, step: int) -> np.ndarray:
    parts = [part[0, step].ravel() for part in (run.weights, run.input_biases, run.biases) if part is not None]
    return np.concatenate(parts)


def _sample_gradients(experiment: Experiment, neuron: Linear, parameters: np.ndarray, x: np.ndarray,
                      targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dL/df (n,) of each sample x (n, P), and its gradient with respect to the weights (n, D)."""
    with np.errstate(all="ignore"):  # a run that diverges overflows
        slopes = LOSSES[experiment.loss].slope(neuron.outputs(parameters, x), targets)
        return slopes, slopes[:, None] * neuron.jacobian(parameters, x)[:, : neuron.dimensions]


def _without_rounding(means: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    return np.where(np.abs(means) <= ROUNDING * np.abs(gradients).max(initial=0.0), 0.0, means)


class Regime(NamedTuple):
    """Weights at which gradients are drawn: a task, an error from its optimum, and the offset at the optimum."""

    experiment: Experiment
    task: Task
    weights: np.ndarray  # (D,)
    offset: float


def regimes(experiment: Experiment) -> dict[str, Regime]:
    """Up to three places that averaging treats differently.

    across: as far from the optimum as the start, straight across the mean direction; along: a short way off along the
    mean direction, targets noisy; optimum: at it, targets noisy. The noise is the experiment's own, or NOISE where it
    has none; labels are noise enough. Left out where the task has no known optimum, no room for noise or one weight.
    """
    found, task = {}, build_task(experiment)
    aside = across(task.direction)
    if task.optimum is not None and aside.any():
        found["across"] = _regime(experiment, task, (np.linalg.norm(task.optimum - task.start) or 1.0) * aside)
    noise = experiment.noise or NOISE
    try:
        noisy = experiment if experiment.uses_labels else replace(experiment, noise=noise)
        task = build_task(noisy)
    except ValueError:  # so few samples that a fit leaves no noise
        return found
    if task.optimum is not None:
        found["along"] = _regime(noisy, task, ALONG * noise * task.direction)
        found["optimum"] = _regime(noisy, task, np.zeros_like(task.direction))
    return found


def _regime(experiment: Experiment, task: Task, error: np.ndarray) -> Regime:
    return Regime(experiment, task, task.optimum + error, task.optimum_bias or 0.0)


class MixedShares(NamedTuple):
    """Share of batch gradients with mixed signs and its 95 % interval, per batch size; NaN where there is no sign."""

    batch_sizes: np.ndarray  # (K,)
    share: np.ndarray  # (K,)
    low: np.ndarray  # (K,)
    high: np.ndarray  # (K,)
    draws: np.ndarray  # (K,) gradients counted; one for the full batch, whose gradient is no matter of chance


def mixed_sign_shares(experiment: Experiment, task: Task, weights: np.ndarray, offset: float,
                      batch_sizes: Sequence[int], draws: int = DRAWS, seed: int = 0) -> MixedShares:
    """Draw batches at fixed weights (D,) and count those whose mean gradient has components of both signs.

    Over a run the same share is another number: there the error shrinks, and at the optimum successive gradients are
    correlated with the rate. Large batches are drawn less often, and their intervals say so.
    """
    return _shares_at(experiment, task, _parameters(experiment, weights, offset), batch_sizes, draws, seed)


def mixed_share_at_step(run: Run, step: int, size: int, draws: int = DRAWS) -> float:
    """Share of batches of `size` with a gradient of mixed signs, drawn anew at the weights before a step of the run."""
    return float(_shares_at(run.experiment, run.task, _parameters_at(run, step), [size], draws, step).share[0])


def _shares_at(experiment: Experiment, task: Task, parameters: np.ndarray, batch_sizes: Sequence[int], draws: int,
               seed: int) -> MixedShares:
    neuron = build_neuron(experiment, task)
    _, gradients = _sample_gradients(experiment, neuron, parameters, neuron.gather(None), task.targets)
    shares, counts = np.full(len(batch_sizes), np.nan), np.zeros(len(batch_sizes), int)
    intervals = np.full((2, len(batch_sizes)), np.nan)
    for k, size in enumerate(batch_sizes):
        means = _batch_means(experiment, neuron, parameters, task.targets, gradients, size, draws, seed + k)
        same = unanimous(_without_rounding(means, gradients))
        counts[k] = np.isfinite(same).sum()
        if counts[k]:
            shares[k] = 1.0 - np.nansum(same) / counts[k]
            certain = size == len(task.targets)
            intervals[:, k] = shares[k] if certain else share_interval(shares[k], int(counts[k]))
    return MixedShares(np.asarray(batch_sizes), shares, *intervals, counts)


def _parameters(experiment: Experiment, weights: np.ndarray, offset: float) -> np.ndarray:
    """The neuron's parameters (P,) of these weights that add `offset`; input biases take it only without a bias."""
    parts, length = [weights], weights @ weights
    if TREATMENTS[experiment.treatment].learned:
        parts.append(weights * (offset / length if length > 0 and not experiment.bias else 0.0))
    return np.concatenate([*parts, [offset]] if experiment.bias else parts)


def _batch_means(experiment: Experiment, neuron: Linear, parameters: np.ndarray, targets: np.ndarray,
                 gradients: np.ndarray, size: int, draws: int, seed: int) -> np.ndarray:
    """Mean gradients (n, D) of n drawn batches, drawn as the experiment draws; the full batch once."""
    rows, dimensions = gradients.shape
    if size == rows:
        return gradients.mean(axis=0, keepdims=True)
    number = min(draws, max(FEWEST_DRAWS, DRAWN_VALUES // (size * dimensions)))
    drawn = draw_batches(replace(experiment, batch_size=size, steps=number, seed=seed), rows, 1)[0]
    if not neuron.per_batch:  # the weights are fixed, so each sample's gradient is known: one column at a time
        return np.stack([np.take(column, drawn, mode="clip").mean(axis=1) for column in gradients.T.copy()], axis=1)
    means, block = np.empty((number, dimensions)), max(1, BLOCK_BYTES // (8 * size * neuron.size))
    for k in range(0, number, block):
        part = drawn[k : k + block]
        x = neuron.gather(part)
        slopes = LOSSES[experiment.loss].slope(neuron.outputs(parameters, x), targets[part])
        means[k : k + block] = neuron.gradient(parameters, x, slopes)[:, :dimensions]
    return means


class BatchSweep(NamedTuple):
    """Runs of one experiment at K batch sizes, R replicates each; undefined is NaN, never reached infinite."""

    batch_sizes: np.ndarray  # (K,)
    mixed_updates: np.ndarray  # (K, R) share of updates with mixed signs, up to the arrival
    path_ratio: np.ndarray  # (K, R) length of the path up to the arrival / straight line
    steps: np.ndarray  # (K, R) to the tolerance
    by_loss: bool  # the tolerance is one of the excess loss, not of the distance to the optimum


def with_fraction(experiment: Experiment) -> Experiment:
    """The experiment with its rate as a fraction of its stability limit, where its rule and its bounds allow that.

    Then `replace(batch_size=...)` keeps the fraction, and no batch size is compared at a rate that suits another.
    """
    if experiment.rate_unit == "critical" or not OPTIMIZERS[experiment.optimizer].critical:
        return experiment
    fraction = experiment.learning_rate / stability_limit(experiment, build_task(experiment))
    low, high = BOUNDS["learning_rate"]
    return replace(experiment, rate_unit="critical", learning_rate=fraction) if low <= fraction <= high else experiment


def sweep_batch_sizes(experiments: Sequence[Experiment], batch_sizes: Sequence[int], replicates: int = 20,
                      by_loss: bool = False) -> list[BatchSweep]:
    """Run each experiment at each batch size, at the same fraction of each one's stability limit.

    The experiments are compared: if one has to be judged by the excess loss, all are, as with by_loss=True.
    """
    specs = [replace(spec, batch_size=size) for spec in map(with_fraction, experiments) for size in batch_sizes]
    by_loss = by_loss or any(map(judged_by_loss, experiments))
    results = []
    for part in _parts(specs, replicates):
        measured = _all_measured(_runs(part, replicates), by_loss)
        results += [np.broadcast_to(found, (3, replicates)) for found in measured]
    return [BatchSweep(np.asarray(batch_sizes), *np.stack(results[k : k + len(batch_sizes)], axis=1), by_loss)
            for k in range(0, len(specs), len(batch_sizes))]


def _parts(specs: list[Experiment], replicates: int) -> Iterator[list[Experiment]]:
    """Those that are held at once, in TOGETHER_BYTES or alone."""
    part, held = [], 0
    for spec in specs:
        needed = history_bytes(spec, replicates)
        if part and held + needed > TOGETHER_BYTES:
            yield part
            part, held = [], 0
        part.append(spec)
        held += needed
    yield part


def _runs(specs: list[Experiment], replicates: int) -> Iterator[Run]:
    """Of the full batch one, since all its replicates are the same run."""
    drawn = iter(simulate_together([spec for spec in specs if not spec.full_batch], replicates))
    return (simulate(spec) if spec.full_batch else next(drawn) for spec in specs)


def _all_measured(runs: Iterable[Run], by_loss: bool) -> Iterator[np.ndarray]:
    """_measured of each. Runs of one task in a row are measured as if they were replicates of one: each alone would
    spend its time on calls into NumPy."""
    for _, group in groupby(runs, lambda run: (id(run.task), run.batches is None, run.weights.shape[1:])):
        first, *others = alike = list(group)
        joined = {name: np.concatenate([getattr(run, name) for run in alike]) for name in
                  ("weights", "biases", "input_biases") if others and getattr(first, name) is not None}
        ends = np.cumsum([len(run.weights) for run in alike])[:-1]
        yield from np.split(_measured(replace(first, **joined), by_loss), ends, axis=1)


def _measured(run: Run, by_loss: bool) -> np.ndarray:
    """(3, R): share of mixed updates, path ratio, steps to 1 %. The last two as `summarize` has them, whose gradients
    would take more time than the runs."""
    with np.errstate(all="ignore"):
        path = run.weights if run.optimum is None else cut_tail(run.weights, run.optimum)
        ratio = 1.0 / path_efficiency(path)
        updates = np.diff(path, axis=1)
        same = unanimous(np.where(np.isfinite(updates), updates, 0.0))
        counted = np.isfinite(same).sum(axis=1)
        mixed = 1.0 - np.divide(np.nansum(same, axis=1), counted, out=np.full(len(same), np.nan), where=counted > 0)
    if run.optimum is None:
        return np.stack([mixed, ratio, np.full(len(ratio), np.nan)])
    left = run.excess_losses() if by_loss else np.linalg.norm(run.weights - run.optimum, axis=-1)
    return np.stack([mixed, ratio, steps_to_level(left, 0.01 * left[:, 0], 0 if run.batches is None else SETTLED)])


def affordable_replicates(experiments: Sequence[Experiment], batch_sizes: Sequence[int], seconds: float,
                          memory: int) -> tuple[int, float]:
    """Replicates (20, 10, 5, or 0 where none fit) of all these runs, each within `memory` bytes, and their seconds."""
    total = math.nan
    for replicates in (20, 10, 5):
        costs = [cost(replace(each, batch_size=size), replicates) for each in experiments for size in batch_sizes]
        total = MEASURING * sum(each.seconds for each in costs)
        if total <= seconds and max(each.bytes for each in costs) <= memory:
            return replicates, total
    return 0, total
