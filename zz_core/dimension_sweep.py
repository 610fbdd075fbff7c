"""The condition of data sets by their number of dimensions: what a mean does to it, and what sampling does alone."""
import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from zz_core.activations import ACTIVATIONS
from zz_core.experiment import Experiment
from zz_core.geometry import feature_moments, modes_of, second_moment
from zz_core.inputs import INPUTS
from zz_core.stability import condition
from zz_core.task import across
from zz_core.theory import activation_moments, condition_number, steps_to
from zz_core.treatments import TREATMENTS

SAMPLES_PER_DIMENSION = 16  # with fewer, sampling alone would decide the smallest eigenvalue
LARGEST_DIMENSION = 256


class DimensionSweep(NamedTuple):
    """Data sets of K numbers of dimensions, raw and with a treatment (the two rows of each array).

    condition, steps: (2, K), steps of full-batch descent to 1 % of the start distance, predicted from the spectrum.
    closed_form: (2, K) 1 + D m²/v with the moments of the raw inputs' distribution where they are known in closed form
    (normal inputs), else with those of the data.
    """

    dimensions: np.ndarray
    samples: np.ndarray
    condition: np.ndarray
    closed_form: np.ndarray
    spectra: list[list[tuple[np.ndarray, np.ndarray]]]  # eigenvalues (r,), and (2, r) components along, across the mean

    def steps(self, fraction: float, angle: float, tolerance: float = 0.01) -> np.ndarray:
        """(2, K) full-batch steps to the tolerance at a fraction of 2/l1, for a target at `angle`; inf if never."""
        mix = np.array([math.cos(angle), math.sin(angle)])
        return np.array([[_steps(values, mix @ parts, fraction, tolerance) for values, parts in row]
                         for row in self.spectra])


def _steps(values: np.ndarray, components: np.ndarray, fraction: float, tolerance: float) -> float:
    if not len(values) or np.abs(components).max() < 1e-9:
        return math.nan  # nothing that could be learned
    return steps_to(values, components, 2 * fraction / values[0], tolerance)


def dimension_options(experiment: Experiment) -> list[int]:
    """2, 4, 8, ... as far as the inputs go, at most LARGEST_DIMENSION."""
    most = min(LARGEST_DIMENSION, INPUTS[experiment.inputs].max_dimensions)
    return [2**k for k in range(1, most.bit_length()) if 2**k <= most]


def sweep_dimensions(experiment: Experiment, treatment: str) -> DimensionSweep:
    """The spectrum at every number of dimensions, with SAMPLES_PER_DIMENSION samples each where the data have them.

    experiment: whose inputs, activation and data seed count. Each data set is the leading part of the largest one.
    """
    options = dimension_options(experiment)
    kept = {name: getattr(experiment, name) for name in ("inputs", "activation", "input_mean", "input_std",
                                                          "data_seed")}
    largest = None
    if INPUTS[experiment.inputs].activated:
        spec = Experiment(**kept, dimensions=options[-1], samples=SAMPLES_PER_DIMENSION * options[-1])
        largest = raw_inputs(spec)
    known = None
    if experiment.inputs == "gaussian":
        known = activation_moments(experiment.activation, experiment.input_std, experiment.input_mean)
    spectra, conditions, closed, samples = ([], []), ([], []), ([], []), []
    for dimensions in options:
        if largest is not None:
            raw = largest[: SAMPLES_PER_DIMENSION * dimensions, :dimensions]
        else:
            raw = raw_inputs(Experiment(**kept, dimensions=dimensions, samples=SAMPLES_PER_DIMENSION * dimensions))
        samples.append(len(raw))
        direction = _direction(experiment, raw)
        treated = TREATMENTS[treatment].apply(raw).inputs
        for k, second in enumerate(_second_moments(raw, treated, treatment)):
            values, vectors = modes_of(second)
            spectra[k].append((values, np.stack([vectors @ direction, vectors @ across(direction)])))
            conditions[k].append(condition(values))
        closed[0].append(_closed_form(dimensions, *(known or feature_moments(raw))))
        closed[1].append(_closed_form(dimensions, *feature_moments(treated)))
    return DimensionSweep(np.array(options), np.array(samples), np.array(conditions), np.array(closed), list(spectra))


def _second_moments(raw: np.ndarray, treated: np.ndarray, treatment: str) -> tuple[np.ndarray, np.ndarray]:
    second = second_moment(treated)
    if treatment != "center":
        return second_moment(raw), second
    mean = raw.mean(axis=0)  # the large product once instead of twice
    return second + np.outer(mean, mean), second


@lru_cache(maxsize=2)  # a moved mean or spread finds its draws again
def _drawn(inputs: str, data_seed: int, rows: int, dimensions: int) -> np.ndarray:
    values, _ = INPUTS[inputs].draw(np.random.default_rng(data_seed), rows, dimensions)
    values.setflags(write=False)
    return values


def raw_inputs(experiment: Experiment) -> np.ndarray:
    """The untreated inputs (N, D) of the experiment's task, without the task, which would be solved as well."""
    source = INPUTS[experiment.inputs]
    values = _drawn(experiment.inputs, experiment.data_seed, experiment.rows, experiment.dimensions)
    if source.activated:
        values = ACTIVATIONS[experiment.activation].value(experiment.input_mean + experiment.input_std * values)
    return values


def _direction(experiment: Experiment, raw: np.ndarray) -> np.ndarray:
    mean = raw.mean(axis=0) if INPUTS[experiment.inputs].real else np.ones(raw.shape[1])
    return mean / np.linalg.norm(mean)


def _closed_form(dimensions: int, mean: float, variance: float) -> float:
    return condition_number(dimensions, mean, variance) if variance > 0 else math.nan


def sampling_condition(samples: int, dimensions: int) -> float:
    """Condition number that sampling alone gives to independent zero-centered features: the limit for many of both,
    ((1 + s) / (1 - s))² with s = sqrt(D / N) (Marchenko and Pastur 1967); inf for N <= D."""
    share = math.sqrt(dimensions / samples)
    return ((1 + share) / (1 - share)) ** 2 if share < 1 else math.inf
