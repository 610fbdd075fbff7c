"""What remedies are easily credited with and do not do, measured on the experiment's own data."""
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from zz_core.experiment import Experiment
from zz_core.remedies.registry import BASE
from zz_core.simulation import Run, simulate
from zz_core.stability import condition, eigenvalues
from zz_core.task import build_task

BIAS_STEPS = 1500
# of the first 200 data sets of this kind the one that centering harms most: the mean fills an otherwise flat direction
HARMED = Experiment(activation="identity", input_mean=1.0, samples=16, batch_size=16, learning_rate=0.5, data_seed=137)


class Traps(NamedTuple):
    """NaN where a trap cannot be shown on these data."""

    batch_norm_moved: float  # how far single samples move the weights of a batch-normalized neuron
    layer_norm_left: float  # share of the start's loss that layer norm leaves of a target along the mean
    layer_norm_left_across: float  # and of one across it
    layer_norm_moved: float  # how far it moves along the diagonal
    input_bias_left: float  # |b + mean| / |mean| of the inputs after BIAS_STEPS steps
    adam_along: float  # |cosine| of Adam's first step on one sample with the diagonal
    plain_along: float  # and of plain descent's
    raw_condition: float  # κ without a bias
    centered_condition: float
    raw_condition_with_bias: float
    centered_condition_with_bias: float
    harmed: tuple[float, float]  # κ raw and centered, without a bias, of the data set HARMED


def traps_of(experiment: Experiment) -> Traps:
    """Short runs on the experiment's inputs and task; each trap is an experiment of its own."""
    base = replace(experiment, **BASE, learning_rate=0.5, rate_unit="critical", batch_size=1, steps=50)
    along, aside = ({} if base.uses_labels else {"target_angle": angle} for angle in (0.0, 90.0))
    kappa = {(treatment, bias): _measured(lambda spec: _condition(spec), base, treatment=treatment, bias=bias)
             for treatment in ("none", "center") for bias in (False, True)}
    return Traps(
        _measured(lambda spec: _run(spec, lambda run: np.linalg.norm(run.weights[0, -1])), base,
                  treatment="batch_norm"),
        _measured(lambda spec: _run(spec, _share_left), base, treatment="layer_norm", **along),
        _measured(lambda spec: _run(spec, _share_left), base, treatment="layer_norm", **aside),
        _measured(lambda spec: _run(spec, lambda run: np.abs(run.weights.sum(axis=-1)).max()), base,
                  treatment="layer_norm"),
        _measured(lambda spec: _run(spec, _mean_left), base, treatment="input_bias", steps=BIAS_STEPS),
        _measured(lambda spec: _run(spec, _along_diagonal), base, optimizer="adam", learning_rate=0.05,
                  rate_unit="absolute", steps=1),
        _measured(lambda spec: _run(spec, _along_diagonal), base, steps=1),
        kappa["none", False], kappa["center", False], kappa["none", True], kappa["center", True],
        (_condition(HARMED), _condition(replace(HARMED, treatment="center"))))


def _measured(measure: Callable[[Experiment], float], base: Experiment, **changes) -> float:
    try:
        return float(measure(replace(base, **changes)))
    except ValueError:  # impossible on these inputs
        return float("nan")


def _run(experiment: Experiment, measure: Callable[[Run], float]) -> float:
    return measure(simulate(experiment))


def _condition(experiment: Experiment) -> float:
    return condition(eigenvalues(experiment, build_task(experiment)))


def _share_left(run: Run) -> float:
    start = run.losses()[0, 0]
    return run.minimum_loss / start if start > 0 else float("nan")


def _mean_left(run: Run) -> float:
    mean = run.inputs.mean(axis=0)
    size = np.linalg.norm(mean)
    return np.linalg.norm(run.input_biases[0, -1] + mean) / size if size > 0 else float("nan")


def _along_diagonal(run: Run) -> float:
    step = run.updates()[0, 0]
    length = np.linalg.norm(step) * np.sqrt(len(step))
    return abs(step.sum()) / length if length > 0 else float("nan")
