"""What the browser needs to step a run itself while a handle is dragged (canvas/follow.js): its samples, what moves.

Of a full batch of squared losses these are the rows of its triangular factor, so that any number of samples follows; of
mini-batches those that are drawn, or the factor of each where these are fewer numbers. Places move by four numbers: the
target along and across the mean, then the start.
"""
from typing import NamedTuple

import numpy as np

from zz_core import Experiment, Run
from zz_core.costs import SEARCHES
from zz_core.losses import LOSSES
from zz_core.neuron import build_neuron
from zz_core.optimizers import OPTIMIZERS
from zz_core.planes import Plane
from zz_core.stability import extremes, limit_weights
from zz_core.task import RANK, Task, across, recenters, teacher_logits
from zz_core.treatments import TREATMENTS, normalize_batch
from zz_view.board import exactly, packed

MOST_READ = 2**20  # numbers of the data, from which all this is computed at every rerun
MOST_SENT, MOST_EXACT = 2**14, 2**12  # numbers of the samples, and how many of them with all their digits
MOST_DRAWN = 2**15  # bytes that say which samples are drawn when
MOST_TIME = 5e6  # nanoseconds of stepping a run in the browser: there may be two planes, and they are painted, too
FEWEST = 10  # steps that say more than the straight way to the target


class Targets(NamedTuple):
    """How the targets follow the places: the loss's link of logits + slopes @ moves, raised by lift.

    logits (N,), or the targets themselves where there is no link; slopes (N, 0, 2 or 4), by the first of the moves;
    lift (5,), by a 1 and the moves, or None.
    """

    logits: np.ndarray
    slopes: np.ndarray
    link: bool
    lift: np.ndarray | None

    @property
    def all_slopes(self) -> np.ndarray:
        """(N, 4), with those of the lift."""
        found = np.zeros((len(self.logits), 4))
        found[:, : self.slopes.shape[1]] = self.slopes
        return found if self.lift is None else found + self.lift[1:]


class Samples(NamedTuple):
    """rows (n, k): inputs of a sample, 1 of an offset, the slopes and the logit of its target. draws (T, size): which
    of them each step takes, or None where it is all. per_batch: the browser normalizes each batch."""

    rows: np.ndarray
    draws: np.ndarray | None
    size: int
    per_batch: bool = False


def recursion(run: Run, plane: Plane, frame: np.ndarray, base: Run) -> dict | None:
    """The run as the browser steps it, or None where there are too many samples, or too few steps in the time for them.

    frame: see zz_view.handles; base: the run itself, or the one of which it is with other inputs (geometry.moved_data).
    """
    spec, (count, dimensions) = run.experiment, run.inputs.shape
    condensed = LOSSES[spec.loss].quadratic and run.batches is None
    fewest = 1 if run.batches is not None else min(count, dimensions + 1) if condensed else count
    if run.inputs.size > MOST_READ or fewest * dimensions > MOST_SENT:
        return None
    neuron = build_neuron(spec, run.task)
    starts = np.linalg.inv(frame).T @ plane.axes  # (2, D) the weights of a step of the start along the mean and across
    made, ones = _targets(run, base, starts), [np.ones(len(run.targets))] * (neuron.size > neuron.dimensions)
    inputs = run.inputs if run.batches is not None else neuron.gather(None)[:, : neuron.dimensions]
    rows = np.column_stack([inputs, *ones, made.slopes, made.logits])
    if condensed:
        rows = _condensed(rows)
    size = len(rows) if run.batches is None else spec.batch_size
    steps = min(spec.steps, int(MOST_TIME / step_time(spec, size, neuron.size)))
    if run.batches is None:
        samples = Samples(rows, None, size)
    else:
        samples = _drawn(run, rows, steps)
        steps = 0 if samples is None else len(samples.draws)
    if steps < min(spec.steps, FEWEST) or samples.rows.size > MOST_SENT:
        return None
    width, send = inputs.shape[1] + len(ones), exactly if samples.rows.size <= MOST_EXACT else packed
    inputs, slopes, logits = samples.rows[:, :width], samples.rows[:, width:-1], samples.rows[:, -1]
    return {"rule": spec.optimizer, "loss": spec.loss, "schedule": "constant" if np.isnan(run.learning_rate) else
            spec.schedule, "momentum": spec.momentum, "decay": spec.decay, "damping": spec.damping,
            "dimensions": neuron.dimensions, "bias": spec.bias, "start_bias": spec.start_bias,
            "learned": TREATMENTS[spec.treatment].learned, "batch": samples.size, "per_batch": samples.per_batch,
            "steps": steps, "of": spec.steps, "axes": exactly(plane.axes.ravel()), **_rate(run, made, starts),
            "rows": send(inputs.ravel()), "slopes": send(slopes.ravel()) if slopes.size else None,
            "logits": send(logits), "link": made.link, "lift": None if made.lift is None else exactly(made.lift),
            "draws": None if samples.draws is None else exactly(samples.draws.ravel())}


def _condensed(rows: np.ndarray) -> np.ndarray:
    """At most as many rows as columns, (..., n, k), with the same mean products: see neuron.Linear.condensed."""
    count, few = rows.shape[-2:]
    return rows if count <= few else np.linalg.qr(rows, mode="r") * np.sqrt(few / count)


def _drawn(run: Run, rows: np.ndarray, steps: int) -> Samples | None:
    """The samples of so many batches, or of the first of them that may be sent; None where these are too few."""
    spec, size, columns = run.experiment, run.experiment.batch_size, rows.shape[1]
    per_batch, enough = TREATMENTS[spec.treatment].per_batch, min(spec.steps, FEWEST)
    batches = _fitting(run.batches[0, : min(steps, MOST_DRAWN // (size * _type(len(rows)).itemsize))],
                       MOST_SENT // columns)
    factors = min(steps, MOST_SENT // columns**2)
    if LOSSES[spec.loss].quadratic and columns < size and factors >= max(len(batches) + 1, enough):
        rows = rows[run.batches[0, :factors]]
        if per_batch:
            rows[..., : run.inputs.shape[1]] = normalize_batch(rows[..., : run.inputs.shape[1]])
        rows = _condensed(rows).reshape(-1, columns)
        return Samples(rows, np.arange(len(rows)).astype(_type(len(rows))).reshape(-1, columns), columns)
    if len(batches) < enough:
        return None
    used = np.zeros(len(rows), bool)
    used[batches] = True
    return Samples(rows[used], (np.cumsum(used) - 1)[batches].astype(_type(used.sum())), size, per_batch)


def _fitting(batches: np.ndarray, most: int) -> np.ndarray:
    """The first of the batches (T, B), as many as have at most so many different samples."""
    if batches.size <= most:
        return batches
    first = np.sort(np.unique(batches, return_index=True)[1])
    return batches if len(first) <= most else batches[: first[most] // batches.shape[1]]


def _type(count: int) -> np.dtype:
    """The smallest integers that count so many."""
    return np.dtype("u1" if count <= 2**8 else "u2" if count <= 2**16 else "u4")


def step_time(spec: Experiment, size: int, parameters: int) -> float:
    """Nanoseconds that a step with `size` samples takes, as measured in Chromium; right within a factor of 2."""
    rule, loss = spec.optimizer, LOSSES[spec.loss]
    time = 100 + 10 * parameters + size * (16 + 4 * parameters + (0 if loss.quadratic else 6))
    if rule == "steepest_descent":
        searched = not loss.quadratic or TREATMENTS[spec.treatment].learned
        time += size * (20 + 2 * parameters + (12 * SEARCHES if searched else 0))
    elif rule == "gauss_newton":
        time += size * (50 + parameters**2) + 500 + 40 * min(size, parameters) ** 3
    elif rule == "levenberg_marquardt":
        time += size * (50 + parameters**2) + 300 + 0.9 * parameters**3
    return time


def _targets(run: Run, base: Run, starts: np.ndarray) -> Targets:
    experiment, task = base.experiment, base.task
    quadratic, link = LOSSES[experiment.loss].quadratic, False
    logits, slopes = task.targets, np.empty((len(task.targets), 0))
    if not experiment.uses_labels:
        slopes = task.raw @ np.stack([task.direction, across(task.direction)]).T
        slopes = slopes - slopes.mean(axis=0) if recenters(experiment) else slopes
        if not quadratic:
            logits, link = teacher_logits(experiment, task.raw, task.direction), True
    found = Targets(logits, slopes, link, None)
    if run.task is task or task.optimum is None:
        return found
    if link and (task.treated.matrix is None or experiment.noise):
        found = found._replace(slopes=slopes[:, :0])  # its optimum, and so the lift, is not linear in the target
    step = (run.task.evaluated - task.evaluated)[0]
    found = found._replace(lift=np.append(task.optimum @ step, _optimum_moves(task, found, starts) @ step))
    return Targets(run.targets, found.all_slopes, False, None) if quadratic else found


def _optimum_moves(task: Task, made: Targets, starts: np.ndarray) -> np.ndarray:
    """By how much the optimum goes with each of the moves, (4, D): with the targets, and where many weights are as good
    with the start, to which it is the nearest of them."""
    features, dimensions = task.evaluated, task.evaluated.shape[1]
    if task.optimum_bias is not None:
        features = np.column_stack([features, np.ones(len(features))])
    slopes = made.all_slopes
    slopes[:, 2:] -= task.evaluated @ starts.T
    found = np.linalg.lstsq(features, slopes, rcond=RANK)[0][:dimensions].T
    found[2:] += starts
    return found


def _rate(run: Run, made: Targets, starts: np.ndarray) -> dict:
    """The rate, or the share of a limit that the optimum's weights have a part in: those of a learned input bias."""
    spec, inputs = run.experiment, run.task.evaluated
    if not TREATMENTS[spec.treatment].learned or run.optimum is None or spec.rate_unit == "absolute" or (
            not OPTIMIZERS[spec.optimizer].critical):
        return {"rate": None if np.isnan(run.learning_rate) else run.learning_rate, "limit": None}
    values, vectors = np.linalg.eigh(inputs.T @ inputs / len(inputs))
    largest, energetic = limit_weights(spec, len(inputs))
    # beside the inputs stand columns of constants: they add their square to every sample's, whatever it is
    energy = extremes(np.column_stack([inputs, np.ones(len(inputs))]))[1] - 1 if energetic else 0.0
    moving = np.vstack([run.optimum, _optimum_moves(run.task, made, starts)])
    return {"rate": spec.learning_rate, "limit": {
        "bound": LOSSES[spec.loss].bound, "bias": float(spec.bias), "largest": largest, "energetic": energetic,
        "energy": float(energy), "values": exactly(np.maximum(values, 0.0)),
        "means": exactly(np.square(vectors.T @ inputs.mean(axis=0))), "gram": exactly((moving @ moving.T).ravel())}}
