"""Engine 1: one vectorized iteration per training step, replicates on the leading axis."""
import math
from collections.abc import Iterable
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple

import numpy as np

from zz_core.experiment import Experiment
from zz_core.losses import LOSSES
from zz_core.neuron import Linear, MiniBatch
from zz_core.optimizers import OPTIMIZERS, Settings
from zz_core.schedules import SCHEDULES
from zz_core.treatments import TREATMENTS

# From half of the data and so many parameters on a batch is multiplied as counts over all rows: up to 1.5 times faster
# than gathering its samples, while at a third of the data gathering takes 0.7 to 1 of the time
COUNTED_SHARE, COUNTED_PARAMETERS = 0.5, 16
BLOCK_BYTES = 2**20  # samples gathered at once: about what the second-level cache holds
GROUP_BYTES = 2**22  # one step of all replicates of a group takes at most this: more falls out of the cache
KEPT_VALUES, KEPT_DRAWS = 2**19, 16  # draws of at most 2 MiB, so many of them
LARGEST = 1e30  # beyond this a run has diverged


class History(NamedTuple):
    """parameters (K, R, P) at step_index (K,), and the first row that diverged, or -1, (R,)."""

    parameters: np.ndarray
    step_index: np.ndarray
    diverged_at: np.ndarray


def kept_steps(steps: int, every: int) -> np.ndarray:
    """The steps that a history thinned to every `every`-th keeps: the start and the end are always among them."""
    kept = np.arange(0, steps + 1, every, dtype=np.int64)
    return kept if kept[-1] == steps else np.append(kept, steps)


def draw_batches(experiment: Experiment, rows: int, replicates: int) -> np.ndarray:
    """Which samples each step uses, (R, T, B) int32, read-only: replicate r draws from default_rng(seed + r).

    Draws of a moderate size are kept for the next runs: twins, and the runs of a slider that does not touch them.
    """
    drawn = replicates, experiment.steps, experiment.batch_size
    draw = kept_draws if math.prod(drawn) <= KEPT_VALUES else kept_draws.__wrapped__
    return draw(experiment.sampling, experiment.seed, rows, *drawn)


@lru_cache(maxsize=KEPT_DRAWS)
def kept_draws(sampling: str, seed: int, rows: int, replicates: int, steps: int, size: int) -> np.ndarray:
    batches = np.empty((replicates, steps, size), np.int32)
    for replicate in range(replicates):
        rng = np.random.default_rng(seed + replicate)
        if sampling == "replacement":
            batches[replicate] = rng.integers(0, rows, size=(steps, size), dtype=np.int32)
        else:
            batches[replicate] = _epochs(rng, rows, steps, size)
    batches.setflags(write=False)
    return batches


def _epochs(rng: np.random.Generator, rows: int, steps: int, size: int) -> np.ndarray:
    """Batches (T, B) of reshuffled passes over the data; each pass drops its last incomplete batch."""
    per_epoch = rows // size
    drawn, done = np.empty((steps, size), np.int32), 0
    while done < steps:
        # at most about a million indices at once
        epochs = min(-(-(steps - done) // per_epoch), max(1, 2**20 // rows))
        order = np.tile(np.arange(rows, dtype=np.int64), (epochs, 1))
        rng.permuted(order, axis=1, out=order)  # in place and in 64 bits: 3 times faster, the same draws
        fresh = order[:, : per_epoch * size].reshape(-1, size)[: steps - done]
        drawn[done : done + len(fresh)] = fresh
        done += len(fresh)
    return drawn


def start_parameters(experiment: Experiment, neuron: Linear, replicates: int, dtype: type) -> np.ndarray:
    parameters = np.zeros((replicates, neuron.size), dtype)
    parameters[:, : len(neuron.start)] = neuron.start
    if experiment.bias:
        parameters[:, -1] = experiment.start_bias
    return parameters


def condensable(experiment: Experiment, parameters: int) -> bool:
    """Whether a full batch is stepped on the P + 1 rows of its triangular factor, so that a step does not depend on N:
    squared loss of a neuron that is linear in its parameters, over more steps than the factor takes."""
    return (LOSSES[experiment.loss].quadratic and not TREATMENTS[experiment.treatment].learned
            and 2 * experiment.steps > parameters)


def counted(experiment: Experiment, rows: int, parameters: int) -> bool:
    """Whether a batch is multiplied as all rows, each as often as it was drawn: the same gradient to rounding.

    Not where the neuron sees a batch by itself (batch_norm, input_bias) or a rule asks for more than the gradient.
    """
    treatment = TREATMENTS[experiment.treatment]
    return (COUNTED_SHARE * rows <= experiment.batch_size < rows and parameters >= COUNTED_PARAMETERS
            and not treatment.per_batch and not treatment.learned and not OPTIMIZERS[experiment.optimizer].needs_batch)


def group_size(experiment: Experiment, parameters: int) -> int:
    """Replicates that are stepped together."""
    values = experiment.batch_size * parameters
    if OPTIMIZERS[experiment.optimizer].needs_batch:
        values = max(3 * values, 3 * parameters**2)
    return max(1, GROUP_BYTES // (8 * values))


def run_steps(experiment: Experiment, neuron: Linear, targets: np.ndarray, batches: np.ndarray | None, rate: float,
              replicates: int, every: int, dtype: type) -> History:
    """Train `replicates` runs; batches is (R, T, B), or None for the full batch."""
    kept = kept_steps(experiment.steps, every)
    parameters = np.empty((len(kept), replicates, neuron.size), dtype)
    diverged_at = np.full(replicates, -1)
    group = group_size(experiment, neuron.size)
    # overflow is what divergence looks like: it is found below and reported, not warned about
    with np.errstate(all="ignore"):
        for first in range(0, replicates, group):
            part = slice(first, min(first + group, replicates))
            drawn = None if batches is None else batches[part]
            diverged_at[part] = _run_group(experiment, neuron, targets, drawn, rate, every, kept, parameters[:, part])
    return History(parameters, kept, diverged_at)


def _run_group(experiment: Experiment, neuron: Linear, targets: np.ndarray, batches: np.ndarray | None, rate: float,
               every: int, kept: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Fill out (K, R, P) and return the first diverged row per replicate (R,)."""
    steps, (_, replicates, size) = experiment.steps, out.shape
    loss, optimizer = LOSSES[experiment.loss], OPTIMIZERS[experiment.optimizer]
    settings = Settings(experiment.momentum, experiment.decay, experiment.damping)
    rates = np.ones(steps) if np.isnan(rate) else rate * SCHEDULES[experiment.schedule](steps)
    # plain descent is linear in dL/df, B numbers: scaling them saves a pass over the P parameters
    plain = experiment.optimizer == "sgd"
    scales = (rates if plain else np.ones(steps)) / (len(targets) if batches is None else experiment.batch_size)
    rates, scales = rates.astype(out.dtype).tolist(), scales.astype(out.dtype).tolist()
    theta = start_parameters(experiment, neuron, replicates, out.dtype)
    out[0] = theta
    diverged_at = np.full(replicates, -1)
    by_count = batches is not None and counted(experiment, len(targets), size)
    values = size if batches is None else len(targets) if by_count else experiment.batch_size * size
    block = max(1, min(steps, 1024, BLOCK_BYTES // (8 * replicates * values)))
    scratch = None if every == 1 else np.empty((block, replicates, size), out.dtype)
    samples, weights = repeat((neuron.gather(None), targets)), repeat(None)
    if replicates == 1:
        theta = theta[0]  # without the leading axis each product is one BLAS call, with the same bits
    state = optimizer.init(theta)
    for start in range(0, steps, block):
        stop = min(start + block, steps)
        rows = out[start + 1 : stop + 1] if every == 1 else scratch[: stop - start]
        if by_count:
            weights = _counts(batches[:, start:stop], len(targets), out.dtype)
        elif batches is not None:
            samples = _gathered(neuron, targets, batches[:, start:stop])
        lines = rows[:, 0] if replicates == 1 else rows
        for line, (x, y), times, rate, scale in zip(lines, samples, weights, rates[start:stop], scales[start:stop],
                                                    strict=False):
            outputs = neuron.outputs(theta, x)
            slopes = scale * loss.slope(outputs, y)
            step = neuron.pull(theta, x, slopes if times is None else slopes * times)
            if not plain:
                batch = MiniBatch(neuron, loss, theta, x, y, outputs) if optimizer.needs_batch else None
                step, state = optimizer.update(step, state, settings, batch)
                step = rate * step
            theta = np.subtract(theta, step, out=line)
        mark_diverged(rows, start + 1, diverged_at)
        if every > 1:
            inside = (kept > start) & (kept <= stop)
            out[inside] = rows[kept[inside] - start - 1]
            theta = theta.copy()  # the scratch rows are used again
        if (diverged_at >= 0).all():
            break
    return fill_after(out, kept, diverged_at)


def _gathered(neuron: Linear, targets: np.ndarray, drawn: np.ndarray) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """The samples of each step, x (R, B, P) and y (R, B), without the R of a single run; drawn is (R, S, B)."""
    drawn = (drawn[0] if len(drawn) == 1 else drawn.swapaxes(0, 1)).astype(np.intp, order="C")
    return zip(neuron.gather(drawn), np.take(targets, drawn, mode="clip"), strict=True)


def _counts(drawn: np.ndarray, rows: int, dtype: type) -> np.ndarray:
    """How often each of the data's rows is in each batch, (S, R, N), or (S, N) of a single run; drawn is (R, S, B)."""
    replicates, steps, _ = drawn.shape
    place = rows * np.arange(steps * replicates).reshape(steps, replicates, 1)
    counts = np.bincount((drawn.swapaxes(0, 1) + place).ravel(), minlength=steps * replicates * rows)
    return counts.reshape((steps, rows) if replicates == 1 else (steps, replicates, rows)).astype(dtype)


def mark_diverged(rows: np.ndarray, first_step: int, diverged_at: np.ndarray) -> None:
    """Note the first step whose parameters are not finite or too large; rows is (S, R, P)."""
    if float(np.vdot(rows, rows)) < LARGEST**2:  # one fast pass; False for NaN as well
        return
    bad = ~(np.abs(rows).max(axis=-1) <= LARGEST)
    new = bad.any(axis=0) & (diverged_at < 0)
    diverged_at[new] = first_step + bad.argmax(axis=0)[new]


def fill_after(out: np.ndarray, kept: np.ndarray, diverged_at: np.ndarray) -> np.ndarray:
    """Fill the rows after a divergence with NaN and turn steps into rows of the kept history."""
    rows = np.full_like(diverged_at, -1)
    for replicate in np.flatnonzero(diverged_at >= 0):
        rows[replicate] = np.searchsorted(kept, diverged_at[replicate])
        out[rows[replicate] + 1 :, replicate] = np.nan
        if kept[rows[replicate]] > diverged_at[replicate]:
            out[rows[replicate], replicate] = np.nan  # thinned: the values between were lost
    return rows
