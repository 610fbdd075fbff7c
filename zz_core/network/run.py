"""NetworkRun: what training a network leaves behind, and what is derived from it on demand."""
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zz_core.measures import ZERO
from zz_core.network.data import NetworkData
from zz_core.network.experiment import NetworkExperiment
from zz_core.network.layers import Architecture
from zz_core.network.passes import Stack, accuracies, extended, loss_slopes, mean_losses, target_matrix
from zz_core.network.recording import EVALUATED_ROWS
from zz_core.network.stepping import Moment, Plan, Rows, advance, gather, training_stack
from zz_core.optimizers import OPTIMIZERS


@dataclass(frozen=True, eq=False)
class NetworkRun:
    """R replicates of an experiment: data only, picklable.

    Shapes: R replicates, T steps, K checkpoints, P parameters, L layers (the last one makes the outputs), B samples a
    batch. What is recorded of step t belongs to the gradient of its batch before the update. Everything recorded per
    step except the signs comes from at most 64 training rows (`evaluated_rows`), always the same, in single precision
    (about six digits); what comes from checkpoints is computed on all rows in double precision.
    """

    experiment: NetworkExperiment
    data: NetworkData
    architecture: Architecture
    batches: np.ndarray  # (R, T, B) int32, the training rows that each step used
    checkpoint_steps: np.ndarray  # (K,) the start, the end, and equal intervals between
    checkpoints: np.ndarray  # (R, K, P) the flat parameters before these steps
    checkpoint_states: tuple[np.ndarray, ...]  # (R, K, P) each, the optimizer's buffers
    checkpoint_statistics: np.ndarray  # (R, K, Q) the running statistics of batch norm
    losses: np.ndarray  # (R, T+1) mean loss on the evaluated rows, batch norm by its running statistics
    accuracies: np.ndarray  # (R, T+1) share of them classified rightly; NaN for a regression
    positive: tuple[np.ndarray, ...]  # per layer (R, T, out) int16, positive components of each row of dL/dW
    negative: tuple[np.ndarray, ...]  # those below 1e-12 of the sum of their row's magnitudes count as zero
    mean_direction_energy: np.ndarray  # (R, T, L) |G a|² / |G|², a the unit mean of the layer's inputs; NaN without one
    coherence: np.ndarray  # (R, T, L) |sum| / sum of magnitudes of a row of dL/dW, averaged over its rows
    input_mean: np.ndarray  # (R, T, L) mean of the layer's inputs over rows and units
    input_std: np.ndarray  # (R, T, L) their spread about each unit's own mean: root of the mean variance
    diverged_at: np.ndarray  # (R,) first step whose parameters are not finite or beyond 1e30, or -1; NaN after it

    @property
    def inputs(self) -> np.ndarray:
        """(N, D): the training rows, treated and shifted."""
        return self.data.inputs

    @property
    def targets(self) -> np.ndarray:
        """(N,) labels, or the targets of a regression."""
        return self.data.targets

    @property
    def test_inputs(self) -> np.ndarray:
        """(M, D): the rows held out."""
        return self.data.test_inputs

    @property
    def test_targets(self) -> np.ndarray:
        """(M,)"""
        return self.data.test_targets

    @property
    def steps(self) -> int:
        """T, fewer than the experiment's where the run was cancelled."""
        return self.batches.shape[1]

    @property
    def evaluated_rows(self) -> int:
        """How many training rows, the first ones, the losses of each step come from."""
        return min(EVALUATED_ROWS, len(self.inputs))

    def unflatten(self, vector: np.ndarray) -> list[dict[str, np.ndarray]]:
        """Flat parameters (..., P) by layer: weight (..., out, in), bias (..., out), and gamma, beta (..., out) of the
        normalization where they are learned. Views: they share the vector's memory."""
        parts = []
        for layer in self.architecture.views(np.asarray(vector)):
            part = {"weight": layer.weight[..., :-1], "bias": layer.weight[..., -1]}
            parts.append(part if layer.gamma is None else part | {"gamma": layer.gamma, "beta": layer.beta})
        return parts

    @cached_property
    def unanimous_rows(self) -> np.ndarray:
        """(R, T, L): share of the rows of dL/dW whose components share a sign, zeros apart. NaN where all rows are
        zero. By chance 2^(1 - in)."""
        shares = []
        for positive, negative in zip(self.positive, self.negative, strict=True):
            used = (positive > 0) | (negative > 0)
            unanimous = used & ((positive == 0) | (negative == 0))
            total = used.sum(axis=-1)
            shares.append(np.divide(unanimous.sum(axis=-1), total, out=np.full(total.shape, np.nan), where=total > 0))
        return np.stack(shares, axis=-1)

    # --- at the checkpoints, on all rows ---

    @property
    def training_losses(self) -> np.ndarray:
        """(R, K): mean loss on all training rows."""
        return self._training[0]

    @property
    def training_accuracies(self) -> np.ndarray:
        """(R, K)"""
        return self._training[1]

    @property
    def test_losses(self) -> np.ndarray:
        """(R, K): mean loss on the rows held out."""
        return self._test[0]

    @property
    def test_accuracies(self) -> np.ndarray:
        """(R, K)"""
        return self._test[1]

    @property
    def eigenvalues_raw(self) -> np.ndarray:
        """(R, K, L): the largest eigenvalue of the second moment of a layer's inputs with the 1 of its bias.

        Over the training rows, batch norm with all of them as one batch.
        """
        return self._spectra[0]

    @property
    def eigenvalues_centered(self) -> np.ndarray:
        """(R, K, L): that of the same inputs, zero-centered, with the 1 of the bias: max(λ1 of the covariance, 1)."""
        return self._spectra[1]

    @property
    def head_room(self) -> np.ndarray:
        """(R, K, L): how much larger a rate the same inputs would bear if they were zero-centered."""
        return self.eigenvalues_raw / self.eigenvalues_centered

    def layer_inputs(self, replicate: int, checkpoint: int) -> list[np.ndarray]:
        """What each layer multiplies with its weights, (N, in) per layer, batch norm by all training rows."""
        stack = Stack(self.architecture, 1, len(self.inputs))
        with np.errstate(all="ignore"):
            stack.forward(self.architecture.views(self.checkpoints[replicate, checkpoint][None]),
                          extended(self.inputs).T[None])
        return [self.inputs, *(hidden[0].T for hidden in stack.hidden)]

    # --- at single steps, repeated from the nearest checkpoint before ---

    def parameters(self, step: int, replicate: int = 0) -> np.ndarray:
        """The flat parameters (P,) before `step`, 0 to T, to the last bit those of the run."""
        if not 0 <= step <= self.steps:
            raise ValueError(f"step={step}: must lie in [0, {self.steps}]")
        self._check_replicate(replicate)
        k = int(np.searchsorted(self.checkpoint_steps, step, side="right")) - 1
        start = int(self.checkpoint_steps[k])
        if start == step or 0 <= self.diverged_at[replicate] < step:
            return self.checkpoints[replicate, k] if start == step else np.full(self.architecture.size, np.nan)
        theta = self.checkpoints[replicate, k][None]
        buffers = iter(self.checkpoint_states)
        state = tuple(next(buffers)[replicate, k][None] if isinstance(entry, np.ndarray) else start
                      for entry in OPTIMIZERS[self.experiment.optimizer].init(theta))
        plan = self._plan
        rows = Rows.empty(plan, step - start, 1)
        moment = Moment(theta, state, self.checkpoint_statistics[replicate, k][None])
        with np.errstate(all="ignore"):
            advance(plan, training_stack(plan, 1), moment, self.batches[replicate, start:step][:, None], rows, start,
                    set())
        return rows.theta[-1, 0]

    def gradients(self, layer: int, step: int, replicate: int = 0, samples: bool = False) -> np.ndarray:
        """dL/dW of the step's batch, (out, in). samples=True: that of each of its samples, (B, out, in), whose mean it
        is; with batch norm, what each sample's own inputs and residuals contribute."""
        if not 0 <= step < self.steps:
            raise ValueError(f"step={step}: must lie in [0, {self.steps - 1}]")
        if not 0 <= layer <= self.architecture.hidden:
            raise ValueError(f"layer={layer}: must lie in [0, {self.architecture.hidden}]")
        layers = self.architecture.views(self.parameters(step, replicate)[None])
        x, y = gather(self._plan, self.batches[replicate, step][None])
        stack, deltas = Stack(self.architecture, 1, self.experiment.batch_size), []
        found = self.architecture.views(np.empty((1, self.architecture.size)))
        with np.errstate(all="ignore"):
            outputs = stack.forward(layers, x)
            stack.backward(layers, x, loss_slopes(self.experiment.loss, outputs, y), found, deltas)
        if not samples:
            return found[layer].weight[0, :, :-1]
        inputs = stack.hidden[layer - 1] if layer else x[:, :-1]
        return self.experiment.batch_size * deltas[::-1][layer][0].T[:, :, None] * inputs[0].T[:, None, :]

    def gradient_signs(self, layer: int, step: int, replicate: int = 0, samples: bool = False) -> np.ndarray:
        """-1, 0 or 1 (int8) for each component of `gradients`; 0 below 1e-12 of its row's summed magnitudes, and after
        a divergence."""
        gradients = self.gradients(layer, step, replicate, samples)
        threshold = ZERO * np.abs(gradients).sum(axis=-1, keepdims=True)
        return (gradients > threshold).astype(np.int8) - (gradients < -threshold).astype(np.int8)

    def _check_replicate(self, replicate: int) -> None:
        if not 0 <= replicate < len(self.checkpoints):
            raise ValueError(f"replicate={replicate}: must lie in [0, {len(self.checkpoints) - 1}]")

    @property
    def _plan(self) -> Plan:
        return Plan.of(self.experiment, self.architecture, self.data)

    @cached_property
    def _training(self) -> tuple[np.ndarray, np.ndarray]:
        return self._evaluated(self.inputs, self.targets)

    @cached_property
    def _test(self) -> tuple[np.ndarray, np.ndarray]:
        return self._evaluated(self.test_inputs, self.test_targets)

    def _evaluated(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Losses and accuracies (R, K) on these rows, batch norm by its running statistics."""
        architecture, stack = self.architecture, Stack(self.architecture, 1, len(inputs))
        x, y = extended(inputs).T[None], target_matrix(targets, self.data.outputs).T[None]
        losses, shares = np.full((2, *self.checkpoints.shape[:2]), np.nan)
        with np.errstate(all="ignore"):
            for place in np.ndindex(losses.shape):
                outputs = stack.forward(architecture.views(self.checkpoints[place][None]), x,
                                        architecture.running(self.checkpoint_statistics[place][None]))
                losses[place] = mean_losses(self.experiment.loss, outputs, y)[0]
                shares[place] = accuracies(outputs, y)[0]
        return losses, shares

    @cached_property
    def _spectra(self) -> tuple[np.ndarray, np.ndarray]:
        raw, centered = np.full((2, *self.checkpoints.shape[:2], self.architecture.hidden + 1), np.nan)
        for replicate, checkpoint in np.ndindex(raw.shape[:2]):
            for layer, inputs in enumerate(self.layer_inputs(replicate, checkpoint)):
                place = (replicate, checkpoint, layer)
                if layer == 0 and checkpoint + replicate > 0:  # the data do not change
                    raw[place], centered[place] = raw[0, 0, 0], centered[0, 0, 0]
                elif np.isfinite(inputs).all():
                    with np.errstate(all="ignore"):
                        raw[place], centered[place] = _largest_eigenvalues(inputs)
        return raw, centered


def _largest_eigenvalues(inputs: np.ndarray) -> tuple[float, float]:
    """Of the second moment with a column of ones, as the inputs (N, D) are and zero-centered."""
    mean = inputs.mean(axis=0)
    centered = inputs - mean
    covariance = centered.T @ centered / len(inputs)
    shifted = np.append(mean, 1.0)
    moment = np.outer(shifted, shifted)
    moment[:-1, :-1] += covariance
    if not np.isfinite(moment).all():
        return np.nan, np.nan
    return np.linalg.eigvalsh(moment)[-1], max(np.linalg.eigvalsh(covariance)[-1], 1.0)
