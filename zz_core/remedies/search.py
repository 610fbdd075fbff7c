"""The best learning rate of a lane: all rates of a grid and a few seeds stepped at once, to one level of the loss."""
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from zz_core.experiment import BOUNDS, Experiment
from zz_core.losses import LOSSES
from zz_core.neuron import MiniBatch, build_neuron
from zz_core.optimizers import OPTIMIZERS, Settings
from zz_core.schedules import SCHEDULES
from zz_core.stability import stability_limit
from zz_core.stepping import BLOCK_BYTES, draw_batches, start_parameters
from zz_core.summary import SETTLED
from zz_core.task import Task
from zz_core.treatments import TREATMENTS

CHOOSING_SEEDS, ARRIVED = 8, 0.75  # seeds that choose a rate, and the share of them that has to arrive
SEEDS_APART = 1000  # the choosing seeds are this far from the reported ones
PATIENCE = 8  # times the best rate's steps after which slower rates are given up: none of them can be the best
FRACTIONS = (0.02, 2.5, 18)  # the grid of fractions of the stability limit: from, to, how many
NEWTON_RATES = (1 / 16, 2.0, 11)  # with 1, the full step, among them
REACHES = (0.002, 0.6, 18)  # rates of RMSprop and Adam as shares of the way to the optimum
FINER, WIDER, EXTENSIONS = 6, 6, 3  # rates added around the best, beyond an edge where that is the best, how often
BLOCK = 64  # steps between two looks at who has arrived
EVERY = 4  # losses that are not quadratic are evaluated at every fourth step
BEYOND = 1e12  # times the start's excess loss: a run there has diverged


class Search(NamedTuple):
    """K rates, and for each the steps in which three of four choosing seeds arrive; infinite where fewer do.

    Not the median: a rate at which half of the seeds are lost would win by it. rates are fractions of the stability
    limit where `critical`, else absolute. left (K,) is the median excess loss when a rate was given up, in units of the
    goal, and given_up (K,) the step of that.
    """

    rates: np.ndarray
    steps: np.ndarray
    left: np.ndarray
    given_up: np.ndarray
    critical: bool

    @property
    def best(self) -> int:
        """The rate with the fewest steps; of several the one in the middle, away from where they begin to fail. Where
        none arrives, the one that comes nearest."""
        if np.isinf(self.steps).all():
            return int(self.left.argmin())
        found = np.flatnonzero(self.steps == self.steps.min())
        return int(found[(len(found) - 1) // 2])

    @property
    def rate(self) -> float:
        return float(self.rates[self.best])


def most_arrived(steps: np.ndarray) -> np.ndarray:
    """Steps (..., S) -> (...): after how many of them the share ARRIVED of the seeds is there."""
    return np.sort(steps, axis=-1)[..., math.ceil(ARRIVED * steps.shape[-1]) - 1]


def middle(steps: np.ndarray) -> np.ndarray | float:
    """Steps (..., R) -> (...): after how many of them half of the runs are there. The median, and of two middle values
    the smaller: so not reached is infinite, and only more than half of those make the median infinite."""
    return np.sort(steps, axis=-1)[..., (steps.shape[-1] - 1) // 2][()]


def excess_loss(experiment: Experiment, task: Task) -> Callable[[np.ndarray], np.ndarray]:
    """The function from parameters (..., P) to the mean loss (...) of the data set above the minimum's."""
    loss, dimensions = LOSSES[experiment.loss], task.evaluated.shape[1]
    learned = TREATMENTS[experiment.treatment].learned
    best = task.solution
    features = task.evaluated
    if len(best) > dimensions:
        features = np.column_stack([features, np.ones(len(features))])

    def linear(parameters: np.ndarray) -> np.ndarray:
        """The weights, and the whole offset where one is learned, (..., D) or (..., D + 1)."""
        if len(best) == dimensions:
            return parameters
        weights, offset = parameters[..., :dimensions], 0.0
        if learned:
            offset = np.vecdot(weights, parameters[..., dimensions : 2 * dimensions])
        if experiment.bias:
            offset = offset + parameters[..., -1]
        return np.concatenate([weights, offset[..., None]], axis=-1)

    if loss.quadratic:
        small = np.linalg.qr(features, mode="r") if len(features) > len(best) else features
        scaled = small.T / math.sqrt(2 * len(features))
        return lambda parameters: np.square((linear(parameters) - best) @ scaled).sum(axis=-1)
    least = loss.value(features @ best, task.targets).mean()
    return lambda parameters: loss.value(linear(parameters) @ features.T, task.targets).mean(axis=-1) - least


def search_rate(experiment: Experiment, task: Task, goal: float, horizon: int) -> Search:
    """Steps to the goal against the rate, on a log grid that is widened while the best is at its edge, then refined."""
    optimizer = OPTIMIZERS[experiment.optimizer]
    limit = stability_limit(experiment, task) if optimizer.critical else 1.0
    bounds = BOUNDS["learning_rate"]
    found = Search(*(np.empty(0) for _ in range(4)), optimizer.critical)

    def add(rates: np.ndarray) -> Search:
        rates = rates[(rates >= bounds[0]) & (rates <= bounds[1])]
        if not len(rates):
            return found
        steps, left, end = arrivals(experiment, task, limit * rates, goal, horizon, found.steps.min(initial=math.inf))
        fresh = rates, most_arrived(steps), np.median(left, axis=1) / goal, np.full(len(rates), end)
        order = np.argsort(np.concatenate([found.rates, rates]))
        return Search(*(np.concatenate(pair)[order] for pair in zip(found[:4], fresh, strict=True)), optimizer.critical)

    low, high, count = _grid(experiment, task)
    found, factor = add(np.geomspace(low, high, count)), (high / low) ** (1 / (count - 1))
    for _ in range(EXTENSIONS):
        best, size = found.best, len(found.rates)
        further = factor ** np.arange(1.0, WIDER + 1)
        if best == 0 or math.isinf(found.steps[best]):  # where nothing arrives the jitter is too large
            found = add(found.rates[0] / further)
        elif best == size - 1:
            found = add(found.rates[-1] * further)
        if len(found.rates) == size:
            break
    if math.isfinite(found.steps[found.best]):
        best = found.best
        around = found.rates[[max(best - 1, 0), min(best + 1, len(found.rates) - 1)]]
        finer = np.geomspace(*around, FINER + 2)[1:-1] if around[1] > around[0] else np.empty(0)
        found = add(finer[np.abs(finer / found.rate - 1) > 1e-9])
    return found


def _grid(experiment: Experiment, task: Task) -> tuple[float, float, int]:
    optimizer = OPTIMIZERS[experiment.optimizer]
    if optimizer.critical:
        return FRACTIONS
    if optimizer.needs_batch:
        return NEWTON_RATES
    low, high, count = REACHES  # each weight moves by about the rate, whatever the size of the gradient
    way = max(float(np.abs(task.optimum - task.start).max()), 1e-3)
    least, most = BOUNDS["learning_rate"]
    return max(low * way, least), min(max(high * way, 10 * least), most), count


def arrivals(experiment: Experiment, task: Task, rates: np.ndarray, goal: float, horizon: int,
             best: float = math.inf) -> tuple[np.ndarray, np.ndarray, int]:
    """First steps (K, S) from which on the excess loss is at most `goal`, at absolute rates (K,); the last excess
    losses (K, S), infinite where a run has diverged; and the last step.

    S seeds beyond the experiment's own (one run for the full batch). A run must stay for SETTLED steps, without draws
    too: momentum and Adam swing through the goal, and the best rate would be the luckiest swing.
    Stops at `horizon`, or at PATIENCE times the median of the best rate, `best` being one known before.
    """
    course, excess = _Course(experiment, task, horizon), excess_loss(experiment, task)
    loss, optimizer = LOSSES[experiment.loss], OPTIMIZERS[experiment.optimizer]
    every = 1 if loss.quadratic else EVERY
    window = -(-SETTLED // every)
    settings = Settings(experiment.momentum, experiment.decay, experiment.damping)
    factors = SCHEDULES[experiment.schedule](horizon).tolist()
    theta = np.zeros((len(rates), course.seeds, course.neuron.size))
    theta[:] = start_parameters(experiment, course.neuron, 1, float)[0]
    state, rate, active = optimizer.init(theta), rates[:, None, None], np.arange(len(rates))
    steps, left = np.full(theta.shape[:2], np.inf), np.full(theta.shape[:2], np.inf)
    start = excess(theta)
    rows, first = [start <= goal], 0  # who is below, at every `every`-th step from `first`
    with np.errstate(all="ignore"):  # overflow is what divergence looks like
        for begin in range(0, horizon, BLOCK):
            kept = []
            for step, (x, y) in enumerate(course.samples(begin, min(begin + BLOCK, horizon)), begin + 1):
                outputs = course.neuron.outputs(theta, x)
                move = course.neuron.pull(theta, x, loss.slope(outputs, y) / x.shape[-2])
                batch = MiniBatch(course.neuron, loss, theta, x, y, outputs) if optimizer.needs_batch else None
                move, state = optimizer.update(move, state, settings, batch)
                theta = theta - (factors[step - 1] * rate) * move
                if step % every == 0:
                    kept.append(theta)
            values = excess(np.stack(kept)) if kept else np.empty((0, *theta.shape[:2]))
            below = np.concatenate([np.stack(rows), values <= goal])
            if len(below) > window:
                long = np.lib.stride_tricks.sliding_window_view(below, window + 1, axis=0).all(axis=-1)
                fresh = long.any(axis=0) & np.isinf(steps[active])
                steps[active] = np.where(fresh, first + every * long.argmax(axis=0), steps[active])
            done = np.isfinite(steps[active])
            if len(values):
                gone = ~(values[-1] <= BEYOND * start[0, 0])  # also where it is not a number
                left[active], done = np.where(gone, np.inf, values[-1]), done | gone
            going = ~done.all(axis=1)
            best = min(best, float(most_arrived(steps).min()))
            if not going.any() or step >= PATIENCE * best + SETTLED:
                return steps, left, step
            first += every * (len(below) - min(len(below), window + 1))
            rows = list(below[-(window + 1):][:, going])
            if not going.all():
                active, theta, rate = active[going], theta[going], rate[going]
                state = tuple(part[going] if isinstance(part, np.ndarray) else part for part in state)
    return steps, left, horizon


class _Course:
    """What all rates run over: the same samples in the same order, for each of a few seeds."""

    def __init__(self, experiment: Experiment, task: Task, horizon: int):
        self.neuron, self.targets = build_neuron(experiment, task), task.targets
        self.full = experiment.batch_size == len(task.targets)
        self.seeds = 1 if self.full else CHOOSING_SEEDS
        self.size = experiment.batch_size
        if self.full:
            quadratic = LOSSES[experiment.loss].quadratic and not TREATMENTS[experiment.treatment].learned
            small, targets = self.neuron.condensed(task.targets) if quadratic else (self.neuron, task.targets)
            self.fixed = small.gather(None), targets
        else:
            seed = (experiment.seed + SEEDS_APART) % (2**31 - CHOOSING_SEEDS)
            self.drawn = draw_batches(replace(experiment, steps=horizon, seed=seed), len(task.targets), self.seeds)

    def samples(self, begin: int, end: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """x (S, B, P) and y (S, B) of each of these steps; (N, P) and (N,) of the full batch."""
        if self.full:
            for _ in range(begin, end):
                yield self.fixed
            return
        block = max(1, BLOCK_BYTES // (8 * self.seeds * self.size * self.neuron.size))
        for start in range(begin, end, block):
            drawn = self.drawn[:, start : min(start + block, end)].swapaxes(0, 1).astype(np.intp, order="C")
            yield from zip(self.neuron.gather(drawn), np.take(self.targets, drawn, mode="clip"), strict=True)
