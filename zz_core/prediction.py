"""What the theory says of a run, from its data set alone: the path of full-batch descent, the expected loss of SGD."""
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zz_core.batching import Regime
from zz_core.experiment import Experiment
from zz_core.inputs import INPUTS
from zz_core.losses import LOSSES
from zz_core.schedules import SCHEDULES
from zz_core.simulation import Run
from zz_core.task import Task
from zz_core.theory import batch_same_sign_probability, finite_data_curve, mixing_batch_size, spectrum
from zz_core.treatments import TREATMENTS

MOST_WORK = 2e8  # N P² T of the recursion: about half a second
MANY = 4  # samples whose mean gradient is taken as normal


class Prediction(NamedTuple):
    """Expected over the draws of the samples; with the full batch there are none, and the run itself is predicted."""

    excess: np.ndarray  # (T+1,) expected mean loss above the minimum's
    weights: np.ndarray  # (T+1, D) expected weights


def why_unpredicted(run: Run) -> str | None:
    """Why there is no prediction for a run, as the rest of a sentence that starts with "No theory is drawn"; else
    None."""
    e = run.experiment
    if not LOSSES[e.loss].quadratic:
        return "since it covers the squared loss only"
    if e.optimizer != "sgd":
        return "since it covers plain gradient descent only"
    if TREATMENTS[e.treatment].per_batch or run.input_biases is not None:
        return "since what the neuron multiplies changes during the run"
    if run.optimum is None:
        return "since the loss has no known minimizer"
    if run.batches is None:
        return None
    if e.sampling != "replacement":
        return "since the batches of a shuffled epoch depend on each other; sampling with replacement has one"
    size = run.inputs.shape[1] + e.bias
    if len(run.targets) * size**2 * e.steps > MOST_WORK:
        return "since its recursion would take too long here; fewer dimensions, samples or steps have one"
    return None


def predict(run: Run) -> Prediction:
    """The prediction for a run of which `why_unpredicted` is None; it uses the run's data, start and rate only."""
    e, optimum = run.experiment, run.optimum
    inputs, start = run.inputs, run.weights[0, 0] - optimum
    if run.biases is not None:
        inputs = np.column_stack([inputs, np.ones(len(inputs))])
        start = np.append(start, run.biases[0, 0] - run.optimum_bias)
        optimum = np.append(optimum, run.optimum_bias)
    rates = run.learning_rate * SCHEDULES[e.schedule](e.steps)
    if run.batches is None:
        excess, errors = _full_batch(inputs, start, rates)
    else:
        excess, errors = finite_data_curve(inputs, run.targets - inputs @ optimum, start, rates, e.batch_size, e.steps)
    return Prediction(excess, errors[:, : run.inputs.shape[1]] + run.optimum)


def _full_batch(inputs: np.ndarray, start: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every component along an eigenvector of H shrinks by 1 - rate * eigenvalue a step, whatever the others do."""
    values, vectors = np.linalg.eigh(inputs.T @ inputs / len(inputs))
    with np.errstate(all="ignore"):  # a diverging run overflows
        shrunk = np.cumprod(1 - np.multiply.outer(rates, values), axis=0)
        components = np.concatenate([np.ones((1, len(values))), shrunk]) * (start @ vectors)
        return 0.5 * np.square(components) @ np.maximum(values, 0), components @ vectors.T


def why_no_shares(experiment: Experiment) -> str | None:
    """Why there is no theory of the mixed signs at fixed weights, as the end of a sentence; else None."""
    if not _independent(experiment):
        return "since it needs features that do not depend on each other"
    return None if LOSSES[experiment.loss].quadratic else "since it covers the squared loss only"


def mixed_shares(regime: Regime, batch_sizes: Sequence[int]) -> np.ndarray:
    """Expected share (K,) of batch gradients with mixed signs at fixed weights; NaN below MANY samples and at all N.

    The features are taken as normal, with the mean and the variance of the data's on average, and so is the mean of a
    batch; the full batch has no draws, and its gradient's signs are no matter of probability.
    """
    features, error = regime.task.evaluated, regime.weights - regime.task.optimum
    mean, variance = _feature_moments(regime.task)
    signs = 1.0 - 2.0 * (np.arange(len(error)) % 2)
    (along, across), *_ = np.linalg.lstsq(np.column_stack([np.ones(len(error)), signs]), error, rcond=None)
    return np.array([np.nan if size < MANY or size >= len(features) else 1 - batch_same_sign_probability(
        len(error), mean, variance, along, across, regime.experiment.noise, size) for size in batch_sizes])


def mixing_size(regime: Regime) -> float:
    """B*, the batch size from which a batch's gradient resolves an error across the mean direction."""
    mean, variance = _feature_moments(regime.task)
    return mixing_batch_size(regime.task.evaluated.shape[1], mean**2 / (mean**2 + variance))


def expected_spectrum(experiment: Experiment, task: Task) -> np.ndarray | None:
    """(P,) the closed form's eigenvalues for features of one mean and one variance, the data's own on average, largest
    first, with the 1 of a learned bias; None where the features depend on each other or a rule learns them."""
    if not _independent(experiment):
        return None
    return spectrum(experiment.dimensions, *_feature_moments(task), bias=experiment.bias)


def _independent(experiment: Experiment) -> bool:
    return (not INPUTS[experiment.inputs].real and experiment.inputs != "one_hot"
            and experiment.treatment in ("none", "center", "standardize"))


def _feature_moments(task: Task) -> tuple[float, float]:
    return float(task.evaluated.mean()), float(task.evaluated.var(axis=0).mean())
