"""What is done to the inputs before the neuron sees them, and where that puts the best weights."""
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

EPSILON = 1e-5  # added to the variance by the normalizations, as PyTorch does


class Treated(NamedTuple):
    """Inputs after a treatment, with what it did: x -> matrix (x - shift), or None where it is not affine."""

    inputs: np.ndarray  # (N, D)
    shift: np.ndarray | None  # (D,)
    matrix: np.ndarray | None  # (D,) a factor per feature, or (D, D) symmetric

    def best_weights(self, weights: np.ndarray) -> np.ndarray | None:
        """Weights (D,) that do on the treated inputs what `weights` do on the raw ones, up to an offset."""
        if self.matrix is None:
            return None
        if self.matrix.ndim == 1:
            return weights / self.matrix
        return np.linalg.pinv(self.matrix, hermitian=True) @ weights


class Treatment(NamedTuple):
    """A treatment of the inputs; `apply` maps the raw inputs (N, D) to a Treated.

    recenters: it removes the mean of each feature over the data, so the targets' mean goes too where no bias is
    learned. per_batch: training normalizes each mini-batch by itself. learned: it adds a parameter vector.
    """

    label: str
    apply: Callable[[np.ndarray], Treated]
    recenters: bool = False
    per_batch: bool = False
    learned: bool = False


def _mean(inputs: np.ndarray) -> np.ndarray:
    """The mean of each column, exact for a constant one: what rounding left of it would pass for a signal."""
    return np.where(np.ptp(inputs, axis=0) == 0, inputs[0], inputs.mean(axis=0))


def _affine(inputs: np.ndarray, shift: np.ndarray, factor: np.ndarray) -> Treated:
    return Treated((inputs - shift) * factor, shift, factor)


def _none(inputs: np.ndarray) -> Treated:
    dimensions = inputs.shape[1]
    return Treated(inputs, np.zeros(dimensions), np.ones(dimensions))


def _center(inputs: np.ndarray) -> Treated:
    return _affine(inputs, _mean(inputs), np.ones(inputs.shape[1]))


def _standardize(inputs: np.ndarray) -> Treated:
    spread = inputs.std(axis=0)
    constant = spread <= 1e-12 * np.abs(inputs).max(axis=0, initial=0.0)
    return _affine(inputs, _mean(inputs), 1.0 / np.where(constant, 1.0, spread))


def _whiten(inputs: np.ndarray) -> Treated:
    """Symmetric whitening: multiply by the inverse square root of the covariance, null directions by 0."""
    mean = _mean(inputs)
    values, vectors = np.linalg.eigh(np.cov(inputs, rowvar=False, bias=True).reshape(inputs.shape[1], -1))
    kept = values > len(inputs) * np.finfo(float).eps * values[-1]
    matrix = (vectors * np.where(kept, 1.0 / np.sqrt(np.where(kept, values, 1.0)), 0.0)) @ vectors.T
    return Treated((inputs - mean) @ matrix, mean, matrix)


def normalize_batch(batch: np.ndarray) -> np.ndarray:
    """Batch normalization without affine parameters of a batch (..., B, D): zero for a batch of one."""
    centered = batch - batch.mean(axis=-2, keepdims=True)
    return centered / np.sqrt(np.square(centered).mean(axis=-2, keepdims=True) + EPSILON)


def _batch_norm(inputs: np.ndarray) -> Treated:
    return _affine(inputs, _mean(inputs), 1.0 / np.sqrt(inputs.var(axis=0) + EPSILON))


def _layer_norm(inputs: np.ndarray) -> Treated:
    centered = inputs - inputs.mean(axis=1, keepdims=True)
    return Treated(centered / np.sqrt(np.square(centered).mean(axis=1, keepdims=True) + EPSILON), None, None)


def _rms_norm(inputs: np.ndarray) -> Treated:
    return Treated(inputs / np.sqrt(np.square(inputs).mean(axis=1, keepdims=True) + EPSILON), None, None)


TREATMENTS: dict[str, Treatment] = {
    "none": Treatment("Raw inputs", _none),
    "center": Treatment("Zero-center: subtract each feature's mean", _center, recenters=True),
    "standardize": Treatment("Standardize: subtract the mean, divide by the spread", _standardize, recenters=True),
    "whiten": Treatment("Whiten: zero mean, unit covariance", _whiten, recenters=True),
    "batch_norm": Treatment("Batch normalization of each mini-batch", _batch_norm, recenters=True, per_batch=True),
    "layer_norm": Treatment("Layer normalization of each sample", _layer_norm),
    "rms_norm": Treatment("RMS normalization of each sample", _rms_norm),
    "input_bias": Treatment("A learned bias per input, f = Σ wᵢ(xᵢ + bᵢ)", _none, learned=True),
}
