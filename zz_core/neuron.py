"""The two forms of the neuron: its output, its gradient and its Jacobian for batches of samples.

Leading axes (replicates, steps) are free: samples x (..., B, P or D), parameters (..., P), outputs (..., B).
"""
import math

import numpy as np

from zz_core.experiment import Experiment
from zz_core.losses import Loss
from zz_core.task import Task
from zz_core.treatments import TREATMENTS, normalize_batch

LONGEST_DOUBLING = 16  # a line search gives up at 2^16 times the step that surely descends
BISECTIONS = 45


class Linear:
    """f = w.x, or w.x + bias: parameters are the weights, then the bias."""

    def __init__(self, inputs: np.ndarray, bias: bool, per_batch: bool = False, start: np.ndarray | None = None):
        self.bias, self.per_batch, self.dimensions = bias, per_batch, inputs.shape[1]
        self.start = np.zeros(self.dimensions) if start is None else start  # (D,) of the weights
        self.size = self.dimensions + bias
        self.rows = inputs if per_batch else self._with_ones(inputs)

    def _with_ones(self, inputs: np.ndarray) -> np.ndarray:
        if not self.bias:
            return np.ascontiguousarray(inputs)
        return np.concatenate([inputs, np.ones((*inputs.shape[:-1], 1), inputs.dtype)], axis=-1)

    def gather(self, indices: np.ndarray | None) -> np.ndarray:
        """The samples of `indices` (..., B) as (..., B, P), or all of them where it is None."""
        # mode="clip" skips the bounds check: 3 times faster, and the draws are in range
        found = self.rows if indices is None else np.take(self.rows, indices, axis=0, mode="clip")
        return self._with_ones(normalize_batch(found)) if self.per_batch else found

    def condensed(self, targets: np.ndarray) -> tuple["Linear", np.ndarray]:
        """A neuron and targets of P + 1 rows with the same mean squared loss, gradient and curvature as the whole data
        set: the triangular factor of [x y]. Those of the whole set where there are no more rows than that."""
        x = self.gather(None)
        few = x.shape[-1] + 1
        if len(x) <= few:
            return self, targets
        factor = np.linalg.qr(np.column_stack([x, targets]), mode="r") * math.sqrt(few / len(x))
        small = Linear(np.ascontiguousarray(factor[:, :-1]), bias=False, start=self.start)
        return small, np.ascontiguousarray(factor[:, -1])

    def outputs(self, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
        if parameters.ndim == 1:  # one run: the general products below cost twice as much
            return x.dot(parameters)
        if x.ndim == 2:  # the same samples for all: one product
            return (parameters.reshape(-1, x.shape[-1]) @ x.T).reshape(*parameters.shape[:-1], len(x))
        if x.shape[-2] == 1:  # one sample each: a dot product, without the calls of a matrix product
            return np.vecdot(x[..., 0, :], parameters)[..., None]
        return np.matvec(x, parameters)

    def gradient(self, parameters: np.ndarray, x: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """The batch's mean gradient (..., P), from dL/df of each sample (..., B)."""
        return self.pull(parameters, x, slopes / x.shape[-2])

    def pull(self, parameters: np.ndarray, x: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """J' slopes (..., P): the samples' gradients added up."""
        if slopes.ndim == 1:
            return slopes.dot(x)
        if x.ndim == 2:
            return (slopes.reshape(-1, len(x)) @ x).reshape(*slopes.shape[:-1], x.shape[-1])
        return x[..., 0, :] * slopes if x.shape[-2] == 1 else np.vecmat(slopes, x)

    def jacobian(self, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
        """df/d parameters of each sample, (..., B, P)."""
        return np.broadcast_to(x, (*parameters.shape[:-1], *x.shape[-2:]))

    def along(self, parameters: np.ndarray, x: np.ndarray,
              direction: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
        """(q, r) of f(parameters - a direction) = f - a q + a² r: the output along a line, exactly."""
        return np.matvec(x, direction), 0.0


class InputBias(Linear):
    """f = sum of w_i (x_i + b_i), perhaps + bias: parameters are the weights, the b_i, then the bias."""

    def __init__(self, inputs: np.ndarray, bias: bool, start: np.ndarray | None = None):
        super().__init__(inputs, bias=False, start=start)
        self.bias, self.size = bias, 2 * self.dimensions + bias

    def split(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | float]:
        weights, shifts = parameters[..., : self.dimensions], parameters[..., self.dimensions : 2 * self.dimensions]
        return weights, shifts, parameters[..., -1:] if self.bias else 0.0

    def outputs(self, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
        weights, shifts, bias = self.split(parameters)
        return super().outputs(weights, x) + np.vecdot(weights, shifts)[..., None] + bias

    def pull(self, parameters: np.ndarray, x: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        weights, shifts, _ = self.split(parameters)
        total = slopes.sum(axis=-1, keepdims=True)
        parts = [super().pull(weights, x, slopes) + total * shifts, total * weights]
        return np.concatenate([*parts, total] if self.bias else parts, axis=-1)

    def jacobian(self, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
        weights, shifts, _ = self.split(parameters)
        shape = (*parameters.shape[:-1], *x.shape[-2:])
        parts = [x + shifts[..., None, :], np.broadcast_to(weights[..., None, :], shape)]
        return np.concatenate([*parts, np.ones((*shape[:-1], 1), x.dtype)] if self.bias else parts, axis=-1)

    def along(self, parameters: np.ndarray, x: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        weights, shifts, _ = self.split(direction)
        return np.matvec(self.jacobian(parameters, x), direction), np.vecdot(weights, shifts)[..., None]


def build_neuron(experiment: Experiment, task: Task, dtype: type = np.float64) -> Linear:
    """The neuron that the experiment trains on the task's inputs."""
    treatment, inputs = TREATMENTS[experiment.treatment], task.inputs.astype(dtype, copy=False)
    if treatment.learned:
        return InputBias(inputs, experiment.bias, task.start)
    return Linear(inputs, experiment.bias, treatment.per_batch, task.start)


class MiniBatch:
    """What the rules that need more than a gradient ask of a batch: x (R, B, P), parameters (R, P)."""

    def __init__(self, neuron: Linear, loss: Loss, parameters: np.ndarray, x: np.ndarray, targets: np.ndarray,
                 outputs: np.ndarray):
        self.neuron, self.loss, self.parameters = neuron, loss, parameters
        self.x, self.targets, self.outputs = x, targets, outputs

    def gauss_newton(self) -> np.ndarray:
        """The mean Gauss-Newton curvature J'CJ of the batch, (R, P, P)."""
        jacobian = self.neuron.jacobian(self.parameters, self.x)
        weighted = jacobian * self.loss.gauss_newton(self.outputs, self.targets)[..., None]
        return np.matmul(jacobian.swapaxes(-1, -2), weighted) / self.x.shape[-2]

    def line_minimum(self, direction: np.ndarray) -> np.ndarray:
        """The step lengths (R, 1) that minimize the batch's mean loss along -direction: 0 at a zero gradient.

        Exact in one formula where the loss is quadratic along the line. Otherwise doubled from the step that the
        curvature's bound makes safe until the slope turns, then bisected; a step that does not descend is halved.
        """
        q, r = self.neuron.along(self.parameters, self.x, direction)
        descent = np.square(direction).sum(axis=-1, keepdims=True)
        curvature = self.loss.bound * np.square(q).mean(axis=-1, keepdims=True)
        # a NaN from a replicate that has diverged passes through; only 0/0 becomes 0
        base = np.divide(descent, curvature, out=np.where(curvature == 0, 0.0, np.nan), where=curvature > 0)
        if self.loss.quadratic and not np.any(r):
            return base
        return self._search(q, r, base)

    def _search(self, q: np.ndarray, r: np.ndarray | float, base: np.ndarray) -> np.ndarray:
        def outputs(length: np.ndarray) -> np.ndarray:
            return self.outputs - length * (q - length * r)

        def value(length: np.ndarray) -> np.ndarray:
            return self.loss.value(outputs(length), self.targets).mean(axis=-1, keepdims=True)

        def descends(length: np.ndarray) -> np.ndarray:
            slopes = self.loss.slope(outputs(length), self.targets)
            return np.vecdot(slopes, q - 2 * length * r)[..., None] > 0

        low, high = np.zeros_like(base), base.copy()
        for _ in range(LONGEST_DOUBLING):
            down = descends(high)
            if not down.any():
                break
            low, high = np.where(down, high, low), np.where(down, 2 * high, high)
        width = high - low
        for _ in range(BISECTIONS):
            width = 0.5 * width
            middle = low + width
            low = np.where(descends(middle), middle, low)
        length, start = low + 0.5 * width, value(np.zeros_like(base))
        for _ in range(BISECTIONS):
            up = value(length) > start * (1 + 1e-14)  # beside the minimum rounding errors must not halve it
            if not up.any():
                break
            length = np.where(up, 0.5 * length, length)
        return length
