"""The race: each remedy at its own best learning rate, or all at one fraction of the stability limit."""
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from zz_core.claims.claim import median_interval
from zz_core.costs import Cost, cost
from zz_core.experiment import BOUNDS, DEFAULTS, Experiment, ignored_fields
from zz_core.losses import LOSSES
from zz_core.measures import path_efficiency, steps_to_level, unanimous
from zz_core.optimizers import OPTIMIZERS
from zz_core.remedies.registry import BASE, REMEDIES, Remedy, lane_experiment, why_left_out
from zz_core.remedies.search import CHOOSING_SEEDS, EVERY, FRACTIONS, Search, middle, search_rate
from zz_core.simulation import Run, simulate
from zz_core.stability import condition, eigenvalues
from zz_core.summary import SETTLED
from zz_core.task import build_task
from zz_core.treatments import TREATMENTS

TOLERANCE = 0.01
REPORTED_SEEDS = 20
ROOM, SPARE = 4, 50  # reported runs have so many times the chosen rate's steps, and so many more
KEPT_POINTS = 2000  # of a path and of a loss curve
FEW_SECONDS, TYPICAL = 0.05, 0.25  # of a lane at least; the share of the longest possible search that one usually takes
RATES = 24  # of a search
QUADRATIC, VALUE, SAMPLE = 1e-10, 4e-8, 3e-8  # seconds of a loss by P², by P, or by samples
NOT_IN_A_RACE = ("optimizer", "treatment", "schedule", "steps")


class Goal(NamedTuple):
    """What all lanes run to: `level` of excess loss, TOLERANCE of what the zero-centered twin starts with."""

    level: float
    start: float  # the twin's excess loss at the start
    least: float  # the twin's smallest loss


class Lane(NamedTuple):
    """One remedy's result; R reported seeds, one for the full batch. `why_not` says why there is none, or is empty.

    Steps are infinite where the goal was not reached within `horizon`. Path ratio and signs of the gradients are
    measured up to the arrival. floor: the loss that its own optimum leaves beyond the twin's, in units of the twin's
    excess loss at the start; a lane with more than TOLERANCE there reaches its optimum, not the target.
    """

    key: str
    why_not: str
    experiment: Experiment | None = None
    search: Search | None = None
    steps: np.ndarray = np.empty(0)  # (R,)
    path_ratio: np.ndarray = np.empty(0)  # (R,)
    same_sign: np.ndarray = np.empty(0)  # (R,)
    diverged: float = math.nan  # share of the seeds
    horizon: int = 0  # the longest that a seed was given
    eigenvalues: np.ndarray = np.empty(0)  # (P,) of the inputs as the neuron gets them
    floor: float = math.nan
    start: float = math.nan  # its own excess loss at the start, in units of the goal
    step_index: np.ndarray = np.empty(0)  # (n,) of the kept points
    losses: np.ndarray = np.empty(0)  # (n,) median excess loss over the seeds, in units of the goal
    path: np.ndarray = np.empty((0, 0))  # (n, D) of the seed in the middle
    raw_path: np.ndarray | None = None  # (n, D) the raw weights that do the same, None where no weights do
    operations: float = math.nan  # multiply-adds of a step
    setup: float = math.nan  # and once in advance
    passes: float = math.nan  # forward-and-backward passes of single samples in a step
    stuck: str = ""  # why it can never move

    @property
    def median(self) -> float:
        """Infinite where more than half of the seeds do not arrive."""
        return float(middle(self.steps)) if len(self.steps) else math.inf

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the median."""
        return median_interval(self.steps) if len(self.steps) else (math.inf, math.inf)

    @property
    def reached(self) -> bool:
        return math.isfinite(self.median)

    @property
    def misses(self) -> bool:
        """Whether its own optimum is too far from the target to be compared."""
        return self.floor > TOLERANCE

    @property
    def condition(self) -> float:
        """κ of the curvatures as the steps meet them."""
        return condition(self.seen) if len(self.eigenvalues) else math.nan

    @property
    def seen(self) -> np.ndarray:
        return REMEDIES[self.key].seen(self.eigenvalues, self.experiment)

    @property
    def work(self) -> float:
        """Multiply-adds up to the goal, those in advance included."""
        return self.setup + self.median * self.operations


def normalized(experiment: Experiment, fraction: bool = False) -> Experiment:
    """The experiment without what a race sets or searches itself, so that equal races are equal."""
    fields = {name: DEFAULTS[name] for name in NOT_IN_A_RACE}
    if not fraction:
        fields |= {name: DEFAULTS[name] for name in ("learning_rate", "rate_unit")}
    found = replace(experiment, **{**fields, **BASE})
    ignored = set(ignored_fields(found)) - {"momentum", "decay", "damping"}  # which some lanes use
    return replace(found, **{name: DEFAULTS[name] for name in ignored})


def goal_of(experiment: Experiment) -> Goal:
    """The level for all lanes. ValueError where there is no minimum to measure from, or nothing to learn."""
    run = simulate(replace(experiment, **{**BASE, "treatment": "center", "steps": 1, "rate_unit": "absolute"}))
    if run.optimum is None:
        name = "target" if experiment.uses_labels else "loss"
        raise ValueError(f"{name}={getattr(experiment, name)}: must have a known best solution here, or there is no "
                         "excess loss to race to")
    start = float(run.excess_losses()[0, 0])
    scale = max(float(run.losses()[0, 0]), 1e-300)
    if not start > 1e-12 * scale:
        if experiment.distance == 0 and not experiment.uses_labels:
            raise ValueError("distance=0: must be above 0, or the start is already the target")
        raise ValueError(f"inputs={experiment.inputs}: must vary along the target's direction, "
                         "or there is nothing to learn")
    return Goal(TOLERANCE * start, start, run.minimum_loss)


def race(experiment: Experiment, keys: Sequence[str], horizon: int, fraction: float | None = None) -> Iterator[Lane]:
    """The lanes one after the other; each is independent of the others. fraction: instead of each one's best rate."""
    goal = goal_of(experiment)
    for key in keys:
        yield run_lane(experiment, key, goal, horizon, fraction)


def run_lane(experiment: Experiment, key: str, goal: Goal, horizon: int, fraction: float | None = None) -> Lane:
    """Find the lane's best rate on CHOOSING_SEEDS seeds, and report it on REPORTED_SEEDS others."""
    remedy = REMEDIES[key]
    if reason := why_left_out(experiment, remedy):
        return Lane(key, reason)
    spec = lane_experiment(experiment, remedy)
    optimizer = OPTIMIZERS[spec.optimizer]
    try:
        task = build_task(spec)
        if task.optimum is None:
            return Lane(key, "no best weights are known for it")
        search, stuck = None, remedy.stuck(spec)
        if stuck:
            spec = replace(spec, steps=min(horizon, SPARE))
            return _measured(key, remedy, simulate(spec), None, goal)._replace(stuck=stuck)
        if fraction is not None and optimizer.critical:
            low, high = BOUNDS["learning_rate"]
            spec = replace(spec, learning_rate=min(max(fraction, low), high), rate_unit="critical")
        elif "learning_rate" in optimizer.uses:
            search = search_rate(spec, task, goal.level, horizon)
            spec = replace(spec, learning_rate=search.rate, rate_unit="critical" if search.critical else "absolute")
        run = _reported(spec, search, goal, horizon)
    except ValueError as error:
        return Lane(key, str(error).partition(": ")[2] or str(error))
    return _measured(key, remedy, run, search, goal)


def _reported(spec: Experiment, search: Search | None, goal: Goal, horizon: int) -> Run:
    """The reported seeds, with the whole horizon only where a fifth of them need it."""
    expected = horizon if search is None else search.steps.min()
    steps = int(min(ROOM * expected + SPARE, horizon))
    seeds = 1 if spec.full_batch else REPORTED_SEEDS
    run = simulate(replace(spec, steps=steps), seeds)
    if steps < horizon and not np.isfinite(_steps(run, run.excess_losses(), goal)).mean() > 0.8:
        run = simulate(replace(spec, steps=horizon), seeds)
    return run


def _steps(run: Run, excess: np.ndarray, goal: Goal) -> np.ndarray:
    return np.atleast_1d(steps_to_level(excess, goal.level, SETTLED))


def _measured(key: str, remedy: Remedy, run: Run, search: Search | None, goal: Goal) -> Lane:
    excess, spec, task = run.excess_losses(), run.experiment, run.task
    steps = _steps(run, excess, goal)
    last = np.where(np.isfinite(steps), steps, run.weights.shape[1]).astype(int)
    up_to = np.arange(run.weights.shape[1]) <= last[:, None]
    with np.errstate(all="ignore"):
        ratio = 1 / np.atleast_1d(path_efficiency(np.where(up_to[..., None], run.weights, np.nan)))
        signs = unanimous(np.where(np.isfinite(run.weights[:, 1:]) & up_to[:, 1:, None], run.gradients(), 0.0))
        losses = np.quantile(np.where(np.isfinite(excess), excess, np.inf), 0.5, axis=0, method="lower") / goal.level
    counted = np.isfinite(signs).sum(axis=1)
    same = np.divide(np.nansum(signs, axis=1), counted, out=np.full(len(signs), np.nan), where=counted > 0)
    chosen = int(np.argsort(steps)[(len(steps) - 1) // 2])
    end = int(min(last.max() if np.isfinite(steps).all() else len(losses), len(losses) - 1))
    kept = np.unique(np.linspace(0, end, min(end + 1, KEPT_POINTS)).round().astype(int))
    path = run.weights[chosen, kept]
    counts = len(task.targets), spec.batch_size, spec.dimensions + spec.bias
    return Lane(key, "", spec, search, steps, ratio, same, float((run.diverged_at >= 0).mean()), spec.steps,
                eigenvalues(spec, task), (run.minimum_loss - goal.least) / goal.start, float(excess[0, 0] / goal.level),
                kept, losses[kept], path, _as_raw(run, path), remedy.operations(*counts), remedy.setup(*counts),
                remedy.passes * spec.batch_size)


def _as_raw(run: Run, path: np.ndarray) -> np.ndarray | None:
    """The weights (n, D) that do on raw inputs what those of `path` do on the treated ones, up to an offset."""
    matrix = run.task.treated.matrix
    if matrix is None:
        return None
    return path * matrix if matrix.ndim == 1 else path @ matrix


def lane_cost(experiment: Experiment, key: str, horizon: int) -> Cost:
    """About what a lane takes; nothing where it is left out."""
    remedy = REMEDIES[key]
    if why_left_out(experiment, remedy):
        return Cost(0, 0.0)
    spec = replace(lane_experiment(experiment, remedy), steps=horizon, learning_rate=0.5)
    if remedy.stuck(spec):
        return Cost(0, FEW_SECONDS)
    chosen, reported = (1, 1) if spec.full_batch else (CHOOSING_SEEDS, REPORTED_SEEDS)
    searched, parameters = 0.0, spec.dimensions * (1 + TREATMENTS[spec.treatment].learned) + spec.bias
    if "learning_rate" in OPTIMIZERS[spec.optimizer].uses:
        apart, quadratic = spec, LOSSES[spec.loss].quadratic
        if spec.full_batch:
            # its replicates are one run to `cost`, while here each rate is a run of its own, on condensed samples
            condensed = parameters + 1 if quadratic and not TREATMENTS[spec.treatment].learned else spec.rows
            apart = replace(spec, batch_size=max(1, min(condensed, spec.rows - 1)))
        searched = TYPICAL * cost(apart, FRACTIONS[2] * chosen).seconds
        loss = QUADRATIC * parameters**2 + VALUE * parameters if quadratic else SAMPLE / EVERY * spec.rows
        searched += horizon * RATES * chosen * loss
    run = cost(spec, reported)
    return Cost(run.bytes + (0 if spec.full_batch else 4 * horizon * spec.batch_size * CHOOSING_SEEDS),
                FEW_SECONDS + searched + 2 * run.seconds)
