"""What a grid will take, and the largest one that a budget allows."""
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from zz_core.costs import CALL, PASS, PRODUCT, Cost, cost, slowness
from zz_core.experiment import Experiment
from zz_core.losses import LOSSES
from zz_core.stepping import BLOCK_BYTES
from zz_core.summary import judged_by_loss
from zz_core.sweep.grid import Grid
from zz_core.sweep.measuring import group_size
from zz_core.sweep.task import Task
from zz_core.treatments import TREATMENTS

FEWEST_SEEDS = 5  # below, fewer points are proposed rather than fewer seeds
# fitted to random experiments, as the constants of zz_core.costs are, and meant to be right within a factor of 3
EVALUATION = {True: 2 * PASS, False: 40 * PASS}  # of a loss, by whether it is quadratic
MEASURED_COPIES = 5  # arrays as large as the path that are alive while it is measured


class Prediction(NamedTuple):
    """Of a whole grid, one task after the other; bytes are those of the largest task."""

    tasks: int
    seconds: float
    bytes: int


def predicted(grid: Grid) -> Prediction:
    """What the grid will take; tasks that are impossible take nothing."""
    return predicted_tasks(grid.tasks())


def predicted_tasks(tasks: Iterable[Task]) -> Prediction:
    costs = [task_cost(task) for task in tasks]
    return Prediction(len(costs), sum(each.seconds for each in costs), max((each.bytes for each in costs), default=0))


def task_cost(task: Task) -> Cost:
    """Of running and measuring all its seeds; zero where its fields are impossible together."""
    try:
        experiment = Experiment(**task.fields)
    except ValueError:
        return Cost(0, 0.0)
    size = group_size(experiment, task.replicates, task.dtype)
    groups = 1 if experiment.full_batch else task.replicates / size
    run = cost(experiment, size)
    path = 8 * size * experiment.steps * experiment.dimensions
    return Cost(run.bytes + MEASURED_COPIES * path, groups * (run.seconds + _measuring_seconds(experiment, size)))


def _measuring_seconds(experiment: Experiment, replicates: int) -> float:
    """Of `zz_core.sweep.measuring`: fixed parts, the gradients once more, passes over the path, losses."""
    treatment, quadratic = TREATMENTS[experiment.treatment], LOSSES[experiment.loss].quadratic
    rows, columns, steps, batch = experiment.rows, experiment.dimensions, experiment.steps, experiment.batch_size
    parameters, evaluation = columns * (1 + treatment.learned) + experiment.bias, EVALUATION[quadratic]
    block = max(1, min(steps, 4 * BLOCK_BYTES // (8 * batch * parameters)))
    gathered = 0.0 if experiment.full_batch else 2 * PASS
    gradient = batch * (6 * PASS + evaluation + (2 * PRODUCT + gathered) * parameters) * (1 + 3 * treatment.per_batch)
    passes = (40 * columns + 80) * PASS
    loss = 0.0
    if judged_by_loss(experiment):
        loss = (columns * (PRODUCT * columns + 3 * PASS) if quadratic else
                rows * (PRODUCT * columns + 1.5 * evaluation + 2 * PASS))
    each = 150 * CALL + 30 * CALL * steps / block + steps * (gradient + passes + loss)
    return slowness() * (1500 * CALL + 30 * PASS * rows * columns + replicates * each)


def largest_fitting(grid: Grid, seconds: float) -> Grid | None:
    """The grid with fewer seeds, then with fewer values on its longest axes, ends kept, that is predicted to take at
    most `seconds`; None where none does. The grid itself where it fits."""
    for seeds in (min(grid.replicates, FEWEST_SEEDS), 1):
        fitting = _thinned(replace(grid, replicates=seeds), seconds)
        if fitting is not None:
            return _with_most_seeds(fitting, grid.replicates, seconds)
    return None


def _thinned(grid: Grid, seconds: float) -> Grid | None:
    """Evenly spaced values of the axes, fewer of the longest until it fits."""
    values = list(grid.axes.values())
    whole = np.reshape([task_cost(task).seconds for task in grid.tasks()], [len(each) for each in values])
    kept = [np.arange(len(each)) for each in values]
    while whole[np.ix_(*kept)].sum() > seconds:
        longest = max(range(len(kept)), key=lambda axis: len(kept[axis]), default=None)
        if longest is None or len(kept[longest]) <= 2:
            return None
        fewer = len(kept[longest]) - max(1, len(kept[longest]) // 20)
        kept[longest] = np.linspace(0, len(values[longest]) - 1, fewer).round().astype(int)
    axes = {name: [each[k] for k in chosen] for (name, each), chosen in zip(grid.axes.items(), kept, strict=True)}
    return replace(grid, axes=axes)


def _with_most_seeds(grid: Grid, most: int, seconds: float) -> Grid:
    """Costs are about linear in the seeds: a guess between the ends, lowered until it fits."""
    low, high = (predicted(replace(grid, replicates=count)).seconds for count in (grid.replicates, most))
    if high <= seconds:
        return replace(grid, replicates=most)
    seeds = grid.replicates + int((most - grid.replicates) * (seconds - low) / (high - low))
    while seeds > grid.replicates and predicted(replace(grid, replicates=seeds)).seconds > seconds:
        seeds = max(grid.replicates, 9 * seeds // 10)
    return replace(grid, replicates=seeds)
