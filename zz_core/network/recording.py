"""What is recorded of each step: losses on fixed rows, the inputs of every layer, the signs of every gradient."""
from typing import NamedTuple

import numpy as np

from zz_core.measures import ZERO
from zz_core.network.data import NetworkData
from zz_core.network.layers import Architecture, Layer
from zz_core.network.passes import Stack, accuracies, extended, mean_losses, target_matrix

EVALUATED_ROWS = 64  # training rows on which each step is evaluated
CHUNK_BYTES = 2**23  # networks measured together: more fall out of the cache, fewer cost calls
NO_DIRECTION = 1e-5  # a mean below this share of the inputs' size is rounding: the evaluation is in single precision


class Evaluation(NamedTuple):
    """Of n networks with L layers; directions: the unit mean (n, in) of each layer's inputs, NaN where there is none.
    """

    losses: np.ndarray  # (n,)
    accuracies: np.ndarray  # (n,)
    input_mean: np.ndarray  # (n, L)
    input_std: np.ndarray  # (n, L)
    directions: list[np.ndarray]


class Evaluator:
    """Evaluates many networks on the first EVALUATED_ROWS training rows (which are in random order), in single
    precision: five times faster, and good to about six digits. What is reported at checkpoints is in double.
    """

    def __init__(self, architecture: Architecture, loss: str, data: NetworkData):
        inputs, targets = data.inputs[:EVALUATED_ROWS], data.targets[:EVALUATED_ROWS]
        self.architecture, self.loss = architecture, loss
        self.inputs = np.ascontiguousarray(extended(inputs, np.float32).T)[None]
        self.targets = np.ascontiguousarray(target_matrix(targets, data.outputs).T.astype(np.float32))[None]
        mean = data.inputs.mean(axis=0)
        self.first = mean.mean(), np.sqrt(data.inputs.var(axis=0).mean())
        self.first_direction = _unit(mean[None], np.sqrt(np.square(data.inputs).mean(axis=0).sum())[None])
        self.chunk = max(1, CHUNK_BYTES // (16 * len(inputs) * sum(architecture.sizes)))
        self.stacks: dict[int, Stack] = {}

    def __call__(self, theta: np.ndarray, statistics: np.ndarray) -> Evaluation:
        """theta (n, P) and the running statistics (n, Q); n should not exceed `chunk`, for speed."""
        n, architecture = len(theta), self.architecture
        if n not in self.stacks:
            self.stacks[n] = Stack(architecture, n, self.inputs.shape[-1], np.float32)
        stack, layers = self.stacks[n], [_single(layer) for layer in architecture.views(theta)]
        running = architecture.running(statistics.astype(np.float32)) if architecture.batch_norm else None
        outputs = stack.forward(layers, self.inputs, running)
        losses, right = mean_losses(self.loss, outputs, self.targets), accuracies(outputs, self.targets)
        if running is not None:  # what the layers see in training is normalized by the batch: by these rows, here
            stack.forward(layers, self.inputs)
        means, stds = np.empty((n, architecture.hidden + 1)), np.empty((n, architecture.hidden + 1))
        means[:, 0], stds[:, 0] = self.first
        directions = [np.broadcast_to(self.first_direction, (n, self.first_direction.shape[1]))]
        for k, hidden in enumerate(stack.hidden, 1):
            count = hidden.shape[-1]
            mean = np.matvec(hidden, np.full(count, 1 / count, np.float32))
            squares = np.vecdot(hidden, hidden).mean(axis=-1) / count
            variance = np.maximum(squares - np.square(mean).mean(axis=-1), 0.0)
            means[:, k], stds[:, k] = mean.mean(axis=-1), np.sqrt(variance)
            directions.append(_unit(mean.astype(float), np.sqrt(squares * hidden.shape[1])))
        return Evaluation(losses, right, means, stds, directions)


def _single(layer: Layer) -> Layer:
    return Layer(*(None if part is None else part.astype(np.float32) for part in layer))


def _unit(mean: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Means (n, D) at length 1; NaN where the length is nothing beside the inputs' own (n,)."""
    length = np.sqrt(np.vecdot(mean, mean))
    return mean / np.where(length > NO_DIRECTION * size, length, np.nan)[:, None]


class Signs(NamedTuple):
    """Of the weight gradients of one layer of n networks."""

    positive: np.ndarray  # (n, out)
    negative: np.ndarray  # (n, out)
    coherence: np.ndarray  # (n,)
    energy: np.ndarray  # (n,)


def sign_measures(gradient: np.ndarray, direction: np.ndarray) -> Signs:
    """gradient (n, out, in + 1), the bias last, which is left out; direction (n, in).

    Components below 1e-12 of the sum of their row's magnitudes count as zero. coherence: |sum| / sum of magnitudes
    of a row, averaged over the rows that are not zero. energy: |G a|² / |G|², a the unit direction.
    """
    n, outputs, columns = gradient.shape
    weights = np.ones(columns)
    weights[-1] = 0.0
    totals = np.matvec(np.abs(gradient), weights)
    used = (totals > 0) & (totals < np.inf)
    # rows of length 1, so that one number is the threshold; single precision, since only ratios are read off
    scales = np.divide(1.0, totals, out=np.zeros_like(totals), where=used)
    rows = np.multiply(gradient, scales[..., None], out=np.empty(gradient.shape, np.float32), casting="same_kind")
    weights = weights.astype(np.float32)
    extended = np.zeros((n, columns), np.float32)
    extended[:, :-1] = direction
    coherence = np.abs(np.matvec(rows, weights)).sum(axis=-1) / used.sum(axis=-1)
    along = np.square(np.matvec(rows, extended))
    squares = np.matvec(np.square(rows), weights)
    # rows by their size among the largest's, or squares of tiny gradients would underflow
    shares = np.square(totals / totals.max(axis=-1, keepdims=True))
    energy = np.vecdot(along, shares) / np.vecdot(squares, shares)
    return Signs(_count(rows > ZERO, weights), _count(rows < -ZERO, weights), coherence, energy)


def _count(mask: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """True values along the last axis: a product is twice as fast as a sum of short rows."""
    return np.matvec(mask.astype(np.float32), weights)
