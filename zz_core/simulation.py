"""simulate(experiment): the single entry of the core, and Run, its result."""
from dataclasses import dataclass

import numpy as np

from zz_core import modes
from zz_core.costs import MAX_HISTORY_BYTES, cost, history_bytes
from zz_core.experiment import Experiment
from zz_core.losses import LOSSES
from zz_core.neuron import InputBias, Linear, build_neuron
from zz_core.stability import absolute_rate
from zz_core.stepping import BLOCK_BYTES, condensable, draw_batches, run_steps
from zz_core.task import Task, build_task

SINGLE_ERROR = 5e-6  # of a run in single precision, as a share of its largest weight

__all__ = ["MAX_HISTORY_BYTES", "Run", "cost", "history_bytes", "simulate"]

@dataclass(frozen=True, eq=False)
class Run:
    """R replicates of an experiment: data only, picklable. Everything else is derived on demand.

    Shapes: R replicates, T steps, D dimensions, N samples, B samples a batch. T+1 rows of a history become the length
    of `step_index` where the run was thinned.
    """

    experiment: Experiment
    task: Task
    learning_rate: float  # the absolute rate; NaN for the exact line search
    weights: np.ndarray  # (R, T+1, D) every iterate, the start included
    biases: np.ndarray | None  # (R, T+1)
    input_biases: np.ndarray | None  # (R, T+1, D)
    batches: np.ndarray | None  # (R, T, B) int32, which samples each step used; None for the full batch
    diverged_at: np.ndarray  # (R,) first row of weights that is not finite or beyond 1e30, or -1; NaN after it
    step_index: np.ndarray  # (T+1,) the step of each row

    @property
    def inputs(self) -> np.ndarray:
        """(N, D): what the neuron multiplies with its weights; for batch_norm the inputs before it."""
        return self.task.inputs

    @property
    def targets(self) -> np.ndarray:
        """(N,)"""
        return self.task.targets

    @property
    def optimum(self) -> np.ndarray | None:
        """(D,) the minimizer of the data set's loss nearest to the start, or None where there is none."""
        return self.task.optimum

    @property
    def optimum_bias(self) -> float | None:
        """The offset at the optimum, where one is learned: the bias, for input_bias the sum of w_i b_i (+ bias)."""
        return self.task.optimum_bias

    @property
    def direction(self) -> np.ndarray:
        """(D,) unit vector: the mean direction of the untreated inputs."""
        return self.task.direction

    def gradients(self) -> np.ndarray:
        """Gradient of each step's batch with respect to the weights, (R, T, D)."""
        def measure(neuron: Linear, theta: np.ndarray, x: np.ndarray, slopes: np.ndarray) -> np.ndarray:
            return neuron.gradient(theta, x, slopes)[..., : neuron.dimensions]

        return self._per_step(measure, self.weights.shape[-1])

    def updates(self) -> np.ndarray:
        """What each step added to the weights, (R, T, D): under plain descent -rate * gradient."""
        self._refuse_thinned("updates")
        return np.diff(self.weights, axis=1)

    def residuals(self) -> np.ndarray:
        """dL/df of each sample of each step's batch, (R, T, B)."""
        return self._per_step(lambda neuron, theta, x, slopes: slopes, self.experiment.batch_size)

    def sample_gradients(self, replicate: int, step: int) -> np.ndarray:
        """The gradient of each sample of one step's batch with respect to the weights, (B, D)."""
        self._refuse_thinned("sample_gradients")
        neuron, theta = build_neuron(self.experiment, self.task), self._parameters()[replicate, step]
        batch = None if self.batches is None else self.batches[replicate, step]
        x = neuron.gather(batch)
        slopes = LOSSES[self.experiment.loss].slope(neuron.outputs(theta, x), self._targets(batch))
        return slopes[:, None] * neuron.jacobian(theta, x)[:, : neuron.dimensions]

    def losses(self) -> np.ndarray:
        """Mean loss on the whole data set at every row of the history, (R, T+1)."""
        return self.minimum_loss + self.excess_losses() if self._quadratic else self._mean_losses(
            self.weights, self.offsets())

    def excess_losses(self) -> np.ndarray:
        """Mean loss above the minimum's, (R, T+1); NaN where no minimum is known.

        For the squared loss from the error itself, ½ E[(e.x)²], so that it is exact far below the minimum's rounding.
        """
        if self.optimum is None:
            return np.full(self.weights.shape[:2], np.nan)
        if not self._quadratic:
            return self._mean_losses(self.weights, self.offsets()) - self.minimum_loss
        features, error = self.task.evaluated, self.weights - self.optimum
        if self.optimum_bias is not None:
            features = np.column_stack([features, np.ones(len(features))])
            error = np.concatenate([error, (self.offsets() - self.optimum_bias)[..., None]], axis=-1)
        small = np.linalg.qr(features, mode="r") if len(features) > features.shape[1] else features
        with np.errstate(all="ignore"):  # a diverging run overflows
            return 0.5 * np.square(error @ small.T).sum(axis=-1) / len(features)

    @property
    def minimum_loss(self) -> float:
        """Mean loss of the data set at the optimum; NaN where there is none."""
        if self.optimum is None:
            return float("nan")
        return float(self._mean_losses(self.optimum[None, None], np.full((1, 1), self.optimum_bias or 0.0))[0, 0])

    def offsets(self) -> np.ndarray:
        """What the neuron adds to w.x, (R, T+1): its bias, and the sum of w_i b_i of a learned input bias."""
        total = np.zeros(self.weights.shape[:2])
        if self.biases is not None:
            total = total + self.biases
        if self.input_biases is not None:
            with np.errstate(all="ignore"):  # a diverging run overflows; in single precision also one that does not
                total = total + np.vecdot(self.weights.astype(float, copy=False), self.input_biases)
        return total

    @property
    def _quadratic(self) -> bool:
        return LOSSES[self.experiment.loss].quadratic and self.optimum is not None

    def _mean_losses(self, weights: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        loss, inputs, flat = LOSSES[self.experiment.loss], self.task.evaluated, weights.reshape(-1, weights.shape[-1])
        shifts, means = offsets.reshape(-1, 1), np.empty(len(flat))
        block = max(1, 4 * BLOCK_BYTES // (8 * len(inputs)))
        with np.errstate(all="ignore"):
            for k in range(0, len(flat), block):
                means[k : k + block] = loss.value(flat[k : k + block] @ inputs.T + shifts[k : k + block],
                                                  self.targets).mean(axis=-1)
        return means.reshape(offsets.shape)

    def _parameters(self) -> np.ndarray:
        parts = [self.weights]
        if self.input_biases is not None:
            parts.append(self.input_biases)
        if self.biases is not None:
            parts.append(self.biases[..., None])
        return np.concatenate(parts, axis=-1) if len(parts) > 1 else self.weights

    def _targets(self, batch: np.ndarray | None) -> np.ndarray:
        return self.targets if batch is None else self.targets[batch]

    def _per_step(self, measure, size: int) -> np.ndarray:
        """measure(neuron, parameters, samples, dL/df) at every step, in blocks, as (R, T, size)."""
        self._refuse_thinned("gradients and residuals")
        neuron, loss, theta = build_neuron(self.experiment, self.task), LOSSES[self.experiment.loss], self._parameters()
        replicates, steps = theta.shape[0], theta.shape[1] - 1
        result = np.empty((replicates, steps, size))
        block = max(1, 4 * BLOCK_BYTES // (8 * self.experiment.batch_size * neuron.size))
        with np.errstate(all="ignore"):
            for replicate in range(replicates):
                for k in range(0, steps, block):
                    stop = min(k + block, steps)
                    batch = None if self.batches is None else self.batches[replicate, k:stop]
                    x, rows = neuron.gather(batch), theta[replicate, k:stop]
                    slopes = loss.slope(neuron.outputs(rows, x), self._targets(batch))
                    result[replicate, k:stop] = measure(neuron, rows, x, slopes)
        return result

    def _refuse_thinned(self, what: str) -> None:
        if len(self.step_index) != self.experiment.steps + 1:
            raise ValueError(f"every: must be 1 for {what}, since a thinned history has lost the steps between")


def simulate(experiment: Experiment, replicates: int = 1, *, data: tuple[np.ndarray, np.ndarray | None] | None = None,
             start: np.ndarray | None = None, every: int = 1, dtype: type = np.float64) -> Run:
    """Train the neuron `replicates` times on one data set; replicate r draws its samples with seed + r.

    data = (X (N, D), y (N,) or None) replaces the experiment's inputs (and targets), start (D,) the weights before the
    first step. every thins the history: rows are those of `step_index`, and gradients() and updates() raise. Divergence
    is no error: `diverged_at` reports it.
    dtype=float32 halves the history; weights then differ by less than 5e-6 of the largest (measured over 1,000 steps,
    up to 64 dimensions: 1e-6), except where a run is chaotic or its curvature singular.
    Raises ValueError, before anything large is allocated, where the history would take more than MAX_HISTORY_BYTES.
    """
    if replicates < 1 or every < 1:
        raise ValueError(f"replicates={replicates}, every={every}: must both be at least 1")
    if np.dtype(dtype) not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise ValueError(f"dtype={dtype}: must be float64 or float32")
    if data is not None:
        data = (np.asarray(data[0], float), data[1])
    given = None if data is None or data[0].ndim != 2 else data[0].shape  # what is no matrix is refused with the task
    needed = history_bytes(experiment, replicates, every, dtype, given)
    if needed > MAX_HISTORY_BYTES:
        fitting = int(experiment.steps * MAX_HISTORY_BYTES / needed)
        raise ValueError(f"steps={experiment.steps}: must be at most about {fitting} for {replicates} run(s) of this "
                         f"size, since the history would take {needed / 2**20:.0f} MiB and "
                         f"{MAX_HISTORY_BYTES / 2**20:.0f} are allowed")
    task = build_task(experiment, data, start)
    rate = absolute_rate(experiment, task)
    neuron = build_neuron(experiment, task, dtype)
    full = experiment.batch_size == len(task.targets)
    batches = None if full else draw_batches(experiment, len(task.targets), replicates)
    # without draws all replicates are the same run: step one and show it R times
    targets = task.targets.astype(dtype, copy=False)
    if full and modes.preferred(experiment, len(targets), neuron.size):
        history = modes.solve(experiment, neuron, task.solution[None], rate, every, dtype)
    else:
        small, fitted = (neuron.condensed(targets) if full and condensable(experiment, neuron.size)
                         else (neuron, targets))
        history = run_steps(experiment, small, fitted, batches, rate, 1 if full else replicates, every, dtype)
    parameters = history.parameters.swapaxes(0, 1)
    diverged_at = history.diverged_at
    if full and replicates > 1:
        parameters = np.broadcast_to(parameters, (replicates, *parameters.shape[1:]))
        diverged_at = np.repeat(diverged_at, replicates)
    return Run(experiment, task, rate, *split_parameters(neuron, parameters), batches, diverged_at, history.step_index)


def split_parameters(neuron: Linear, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """(weights, biases, input biases) of the flat parameters (R, T+1, P)."""
    dimensions = neuron.dimensions
    return (parameters[..., :dimensions], parameters[..., -1] if neuron.bias else None,
            parameters[..., dimensions : 2 * dimensions] if isinstance(neuron, InputBias) else None)


