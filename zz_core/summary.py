"""The three numbers that sum up a run: how long its path is, how often all weights move together, how long it takes."""
from typing import NamedTuple

import numpy as np

from zz_core.experiment import Experiment
from zz_core.inputs import INPUTS
from zz_core.measures import cut_tail, path_efficiency, steps_to_level, steps_to_tolerance, unanimous
from zz_core.simulation import Run

SETTLED = 20  # steps for which a run with draws must stay within the tolerance to count as arrived


class Summary(NamedTuple):
    """Per replicate, (R,): path length / straight line, share of gradients with one sign, steps to the tolerance.

    Path and signs are measured until the run is within 1e-3 of its start distance (from there on it is rounding or
    noise). by_loss says that the tolerance is one of the excess loss, not of the distance to the optimum.
    """

    path_ratio: np.ndarray
    same_sign: np.ndarray
    steps: np.ndarray
    by_loss: bool


def summarize_twins(*twins: Run) -> list[Summary]:
    """Summaries of runs that are compared: if one has to be judged by the excess loss, all are."""
    by_loss = any(judged_by_loss(run.experiment) for run in twins)
    return [summarize(run, by_loss=by_loss) for run in twins]


def summarize(run: Run, tolerance: float = 0.01, by_loss: bool = False) -> Summary:
    """Measure a run against its optimum; NaN where there is none, infinite steps where it is not reached.

    Real data, and whatever changes the parametrization, are judged by the excess loss: in the distance to the optimum
    their slowest directions stay out of reach for longer than anyone waits.
    """
    with np.errstate(all="ignore"):
        path = run.weights if run.optimum is None else cut_tail(run.weights, run.optimum)
        ratio = 1.0 / np.asarray(path_efficiency(path))
        signs = unanimous(np.where(np.isfinite(path[:, 1:]), run.gradients(), 0.0))
        counted = np.isfinite(signs).sum(axis=1)
        same = np.divide(np.nansum(signs, axis=1), counted, out=np.full(len(signs), np.nan), where=counted > 0)
    by_loss = by_loss or judged_by_loss(run.experiment)
    window = 0 if run.batches is None else SETTLED
    if run.optimum is None:
        steps = np.full(len(ratio), np.nan)
    elif by_loss:
        excess = run.excess_losses()
        steps = steps_to_level(excess, tolerance * excess[:, 0], window)
    else:
        steps = steps_to_tolerance(run.weights, run.optimum, tolerance, window)
    return Summary(ratio, same, np.asarray(steps), by_loss)


def judged_by_loss(experiment: Experiment) -> bool:
    """Whether the distance to the optimum says little about such a run, or means another thing than for a raw twin."""
    return INPUTS[experiment.inputs].real or experiment.bias or experiment.treatment not in ("none", "center")
