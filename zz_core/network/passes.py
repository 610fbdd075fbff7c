"""Forward and backward through a stack of networks, each with its own parameters and its own batch.

Arrays are (n, width, B): networks first, then features, then samples, so that what an activation works on lies in one
piece. The inputs of every layer end with a constant feature 1 (see zz_core.network.layers).
"""
from collections.abc import Sequence

import numpy as np

from zz_core.network.kernels import KERNELS
from zz_core.network.layers import Architecture, Layer

EPSILON = 1e-5  # added to the variance by both normalizations, as PyTorch does
STATISTICS_MOMENTUM = 0.1  # the share of the newest batch in the running statistics, as in PyTorch


class Stack:
    """The arrays of a pass of n networks over batches of B samples, made once and used again at each step.

    networks=None: one network, without the leading axis, whose products then cost two thirds of the time.
    """

    def __init__(self, architecture: Architecture, networks: int | None, batch: int, dtype: type = np.float64):
        self.architecture, self.kernel = architecture, KERNELS[architecture.activation]
        self.product = np.matmul if networks else np.ndarray.dot
        lead, widths = (networks,) if networks else (), architecture.sizes[1:-1]
        shared: dict[tuple[int, int], np.ndarray] = {}  # by all layers of a width: less falls out of the cache

        def once(width: int, slot: int) -> np.ndarray:
            return shared.setdefault((width, slot), np.empty((*lead, width, batch), dtype))

        keep = self.kernel.slope_needs_z
        # before the activation
        self.before = [np.empty((*lead, width, batch), dtype) if keep else once(width, 0) for width in widths]
        self.scratch = [once(width, 0) for width in widths]
        self.slopes = [once(width, 1 + k % 2) for k, width in enumerate(widths)]
        self.extended = [np.ones((*lead, width + 1, batch), dtype) for width in widths]  # inputs of the next layer
        self.transposed = [extended.swapaxes(-1, -2) for extended in self.extended]
        self.hidden = [extended[..., :-1, :] for extended in self.extended]
        self.normalize_before = architecture.normalized and architecture.before
        self.normalize_after = architecture.normalized and not architecture.before
        # what the activation returns is needed again, and a normalization after it must not overwrite it
        self.active = [np.empty((*lead, width, batch), dtype) for width in widths] if self.normalize_after \
            else self.hidden
        self.outputs = np.empty((*lead, architecture.sizes[-1], batch), dtype)
        self.normalizers = [Normalizer(-1 if architecture.batch_norm else -2) for _ in widths]

    def forward(self, layers: Sequence[Layer], inputs: np.ndarray,
                running: list[tuple[np.ndarray, np.ndarray]] | None = None) -> np.ndarray:
        """The outputs (n, out, B) for inputs (n or 1, D + 1, B); batch norm by the batch, or by `running`."""
        for k, z in enumerate(self.before):
            given = running[k] if running else None
            self.product(layers[k].weight, inputs, out=z)
            if self.normalize_before:
                self.normalizers[k].forward(z, layers[k], given, out=z)
            self.kernel.value(z, self.active[k])
            if self.normalize_after:
                self.normalizers[k].forward(self.active[k], layers[k], given, out=self.hidden[k])
            inputs = self.extended[k]
        return self.product(layers[-1].weight, inputs, out=self.outputs)

    def backward(self, layers: Sequence[Layer], inputs: np.ndarray, slopes: np.ndarray, gradients: Sequence[Layer],
                 deltas: list[np.ndarray] | None = None) -> None:
        """Write the gradients of a loss with derivatives `slopes` (n, out, B) by the outputs of the last forward pass.

        deltas: where given, the derivative (n, out, B) by each layer's sums is appended, last layer first.
        """
        for k in range(len(self.before), -1, -1):
            transposed = self.transposed[k - 1] if k else inputs.swapaxes(-1, -2)
            self.product(slopes, transposed, out=gradients[k].weight)
            if deltas is not None:
                deltas.append(slopes.copy())
            if k == 0:
                return
            k -= 1
            slopes = self.product(layers[k + 1].weight[..., :-1].swapaxes(-1, -2), slopes, out=self.slopes[k])
            if self.normalize_after:
                slopes = self.normalizers[k].backward(slopes, layers[k], gradients[k])
            np.multiply(slopes, self.kernel.slope(self.before[k], self.active[k], self.scratch[k]), out=slopes)
            if self.normalize_before:
                slopes = self.normalizers[k].backward(slopes, layers[k], gradients[k])


class Normalizer:
    """(z - mean) / sqrt(variance + epsilon), over the batch (axis -1: batch norm) or the units (axis -2: layer norm).

    Ioffe and Szegedy, ICML 2015; Ba, Kiros and Hinton, arXiv 1607.06450, 2016.
    """

    def __init__(self, axis: int):
        self.axis = axis

    def forward(self, z: np.ndarray, layer: Layer, running: tuple[np.ndarray, np.ndarray] | None,
                out: np.ndarray) -> None:
        if running is None:
            self.mean = z.mean(axis=self.axis, keepdims=True)
            normal = z - self.mean
            self.variance = np.square(normal).mean(axis=self.axis, keepdims=True)
        else:
            self.mean, self.variance = running[0][..., None], running[1][..., None]
            normal = z - self.mean
        self.inverse = 1.0 / np.sqrt(self.variance + EPSILON)
        normal *= self.inverse
        self.normal = normal
        if layer.gamma is None:
            np.copyto(out, normal)
        else:
            np.multiply(normal, layer.gamma[..., None], out=out)
            out += layer.beta[..., None]

    def backward(self, slopes: np.ndarray, layer: Layer, gradient: Layer) -> np.ndarray:
        """The derivative by z, through the batch's own mean and variance."""
        if layer.gamma is not None:
            np.vecdot(slopes, self.normal, out=gradient.gamma)
            np.sum(slopes, axis=-1, out=gradient.beta)
            slopes = slopes * layer.gamma[..., None]
        along = (slopes * self.normal).mean(axis=self.axis, keepdims=True)
        return self.inverse * (slopes - slopes.mean(axis=self.axis, keepdims=True) - self.normal * along)

    def update(self, running: tuple[np.ndarray, np.ndarray], batch: int) -> None:
        """Move the running statistics towards the batch's; its variance is made unbiased, as far as that can be."""
        unbiased = self.variance[..., 0] * (batch / max(batch - 1, 1))
        for old, new in zip(running, (self.mean[..., 0], unbiased), strict=True):
            old += STATISTICS_MOMENTUM * (new - old)


def extended(inputs: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """Rows (N, D) as (N, D + 1), with the constant feature last."""
    return np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1).astype(dtype)


def target_matrix(targets: np.ndarray, outputs: int) -> np.ndarray:
    """Labels (N,) as rows of an identity (N, outputs); the targets of a regression as a column."""
    return np.eye(outputs)[targets] if np.issubdtype(targets.dtype, np.integer) else targets[:, None].copy()


def loss_slopes(loss: str, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The derivative (n, out, B) of the batch's mean loss by its outputs; targets as in `target_matrix`, (.., out, B).
    """
    if loss == "squared":
        slopes = outputs - targets
    else:
        slopes = np.exp(outputs - outputs.max(axis=-2, keepdims=True))
        slopes /= slopes.sum(axis=-2, keepdims=True)
        slopes -= targets
    slopes *= 1.0 / outputs.shape[-1]
    return slopes


def mean_losses(loss: str, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The mean loss of each network, (n,)."""
    if loss == "squared":
        return 0.5 * np.square(outputs - targets).sum(axis=-2).mean(axis=-1)
    largest = outputs.max(axis=-2, keepdims=True)
    total = np.log(np.exp(outputs - largest).sum(axis=-2)) + largest[..., 0, :]
    return (total - (outputs * targets).sum(axis=-2)).mean(axis=-1)


def accuracies(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The share of samples whose largest output is their class's, (n,); NaN without classes or finite outputs."""
    if outputs.shape[-2] == 1:
        return np.full(outputs.shape[0], np.nan)
    right = (outputs.argmax(axis=-2) == targets.argmax(axis=-2)).mean(axis=-1)
    return np.where(np.isfinite(outputs).all(axis=(-1, -2)), right, np.nan)
