"""What is recorded of each step: losses on fixed rows, the inputs of every layer, the signs of every gradient."""
from typing import NamedTuple

import numpy as np

from zz_core.measures import ZERO
from zz_core.network.data import NetworkData
from zz_core.network.layers import Architecture
from zz_core.network.passes import Stack, accuracies, extended, mean_losses, target_matrix

EVALUATED_ROWS = 64  # training rows on which each step is evaluated
CHUNK_BYTES = 2**24  # networks measured together: more fall out of the cache, fewer cost calls
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
        stack, layers = self.stacks[n], architecture.views(theta.astype(np.float32))
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


TAME = 1e-18  # rows that add up to less, or to more than its inverse, leave the range of single precision


def sign_measures(gradient: np.ndarray, direction: np.ndarray, single: np.ndarray | None = None) -> Signs:
    """gradient (n, out, in + 1), the bias last, which is left out; direction (n, in); single: the gradient in single
    precision, where there is one.

    Components below 1e-12 of the sum of their row's magnitudes count as zero. coherence: |sum| / sum of magnitudes
    of a row, averaged over the rows that are not zero. energy: |G a|² / |G|², a the unit direction.
    """
    n, outputs, columns = gradient.shape
    rows, shares = gradient.astype(np.float32) if single is None else single, None
    weights = np.ones(columns, np.float32)
    weights[-1] = 0.0
    sizes, totals = _magnitudes(rows)
    untamed = ~((totals > TAME) & (totals < 1 / TAME))
    if untamed.any() and np.any(gradient[untamed] != 0):
        rows, shares = _rows_of_length_one(gradient)
        sizes, totals = _magnitudes(rows)
    coherence = np.divide(np.abs(np.matvec(rows, weights)), totals, out=np.zeros_like(totals), where=totals > 0)
    extended = np.zeros((n, columns), np.float32)
    extended[:, :-1] = direction
    along = np.square(np.matvec(rows, extended))
    if shares is None:
        flat = sizes.reshape(n, -1)
        energy = along.sum(axis=-1) / np.vecdot(flat, flat)
    else:
        energy = np.vecdot(along, shares) / np.vecdot(np.vecdot(sizes, sizes), shares)
    # thresholds as an array of their own: broadcast along rows this short, they would take three times as long
    threshold = np.repeat(np.float32(ZERO) * totals, columns).reshape(gradient.shape)
    positive, nonzero = _count(rows > threshold, weights), _count(sizes > threshold, weights)
    return Signs(positive, nonzero - positive, coherence.sum(axis=-1) / (totals > 0).sum(axis=-1), energy)


def _magnitudes(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|rows| with 0 for the bias, and their sums (n, out)."""
    sizes = np.abs(rows, order="C")
    sizes[..., -1] = 0.0
    return sizes, np.matvec(sizes, np.ones(rows.shape[-1], np.float32))


def _rows_of_length_one(gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows divided by the sums of their magnitudes, in single precision, and by their squares among the largest's the
    weight of each (n, out); rows that are zero or not finite become 0."""
    totals = np.abs(gradient[..., :-1]).sum(axis=-1)
    used = (totals > 0) & (totals < np.inf)
    rows = np.divide(gradient, totals[..., None], out=np.zeros_like(gradient), where=used[..., None])
    return rows.astype(np.float32), np.square(totals / totals.max(axis=-1, keepdims=True))


def _count(mask: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """True values along the last axis: a product is twice as fast as a sum of short rows."""
    return np.matvec(mask.astype(np.float32), weights)
