"""Sweeps of networks: signs against the batch size at fixed weights, and activations at their own best rates."""
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from zz_core.network import NetworkExperiment, NetworkRun, train
from zz_core.network.passes import Stack, extended, loss_slopes, target_matrix
from zz_core.network.recording import sign_measures
from zz_core.theory.lms import lms_map, lms_max_rate

BLOCK_VALUES = 2**20  # of a gradient or of a layer's inputs, measured together
LARGEST_RATES = {"sgd": 10.0, "momentum": 1.0, "nesterov": 1.0, "rmsprop": 0.1, "adam": 0.1}
RATES = 7  # of a search, half a power of ten apart
CHOICE_SEED = 10_000  # added to the seed: rates are chosen on runs that are not reported


class Pieces(NamedTuple):
    """What a layer's weight gradient is made of: dL/dW of a batch is the mean of residual times input."""

    residuals: np.ndarray  # (n, out, B), the derivative of each sample's own loss by the layer's sums
    inputs: np.ndarray  # (n, in, B)

    def gradients(self) -> np.ndarray:
        """(n, out, in) of n batches."""
        return self.residuals @ self.inputs.swapaxes(-1, -2) / self.inputs.shape[-1]


def layer_pieces(run: NetworkRun, theta: np.ndarray, rows: np.ndarray) -> list[Pieces]:
    """Of every layer at the parameters theta (P,), for n batches of training rows (n, B)."""
    networks, batch = rows.shape
    stack, layers = Stack(run.architecture, networks, batch), run.architecture.views(theta[None])
    x = extended(run.inputs)[rows].swapaxes(-1, -2)
    y = np.ascontiguousarray(target_matrix(run.targets, run.data.outputs)[rows].swapaxes(-1, -2))
    gradients = run.architecture.views(np.empty((networks, run.architecture.size)))
    deltas: list[np.ndarray] = []
    with np.errstate(all="ignore"):  # NaN after a divergence
        outputs = stack.forward(layers, x)
        stack.backward(layers, x, loss_slopes(run.experiment.loss, outputs, y), gradients, deltas)
    return [Pieces(batch * delta, inputs) for delta, inputs in
            zip(deltas[::-1], [x[:, :-1], *stack.hidden], strict=True)]


def at_checkpoints(run: NetworkRun, places: Sequence[int]) -> NetworkRun:
    """The run with some of its checkpoints only; the first has to stay, since single steps are repeated from there."""
    places = np.unique([0, *places])
    return replace(run, checkpoint_steps=run.checkpoint_steps[places], checkpoints=run.checkpoints[:, places],
                   checkpoint_states=tuple(state[:, places] for state in run.checkpoint_states),
                   checkpoint_statistics=run.checkpoint_statistics[:, places])


class BatchShares(NamedTuple):
    """Signs of dL/dW at fixed weights against the batch size: S sizes, L layers, means over draws."""

    batch_sizes: np.ndarray  # (S,), the last one all training rows
    unanimous: np.ndarray  # (S, L) share of rows with one sign
    energy: np.ndarray  # (S, L) |G a|² / |G|², a the unit mean of the layer's inputs; NaN where there is none


def batch_sizes(rows: int) -> np.ndarray:
    """Powers of 4 below `rows`, and `rows`."""
    powers = 4 ** np.arange(12)
    return np.append(powers[powers < rows], rows)


def shares_by_batch(run: NetworkRun, step: int, draws: int = 48, seed: int = 0) -> BatchShares:
    """Gradients of random batches (without replacement) at the weights before `step`, nothing being trained.

    With batch norm a batch of one has no gradient in the layers before the last: NaN.
    """
    rows, theta, rng = len(run.inputs), run.parameters(step), np.random.default_rng(seed)
    sizes, directions = batch_sizes(rows), _directions(run, theta)
    found = []
    for size in sizes.tolist():
        count = 1 if size == rows else max(8, min(draws, 8192 // size))
        width = size * max(run.architecture.sizes) + run.architecture.size
        chunk, measured = max(1, BLOCK_VALUES // width), []
        for start in range(0, count, chunk):
            n = min(chunk, count - start)
            batches = np.array([rng.permutation(rows)[:size] for _ in range(n)])
            measured.append([_measured(pieces, direction) for pieces, direction in
                             zip(layer_pieces(run, theta, batches), directions, strict=True)])
        # (draws, L) each, by layer and measure
        values = np.concatenate([np.array(block).transpose(2, 0, 1) for block in measured])
        known = np.isfinite(values).sum(axis=0)
        found.append(np.divide(np.nansum(values, axis=0), known, out=np.full(known.shape, np.nan), where=known > 0))
    both = np.array(found)  # (S, L, 2)
    return BatchShares(sizes, both[..., 0], both[..., 1])


def _directions(run: NetworkRun, theta: np.ndarray) -> list[np.ndarray]:
    """The unit mean (1, in) of every layer's inputs over all training rows; NaN where there is none."""
    found = []
    for pieces in layer_pieces(run, theta, np.arange(len(run.inputs))[None]):
        inputs = pieces.inputs[0]
        mean = inputs.mean(axis=-1)
        length, size = np.linalg.norm(mean), np.sqrt(np.square(inputs).mean(axis=-1).sum())
        found.append((mean / length if length > 1e-9 * size else np.full_like(mean, np.nan))[None])
    return found


def _measured(pieces: Pieces, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unanimous share and mean-direction energy, (n,) each."""
    gradient = pieces.gradients()
    extended_gradient = np.concatenate([gradient, np.zeros((*gradient.shape[:-1], 1))], axis=-1)  # a bias, left out
    with np.errstate(all="ignore"):
        signs = sign_measures(extended_gradient, direction)
    return _unanimous(signs.positive, signs.negative), np.asarray(signs.energy, float)


def _unanimous(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    used = (positive > 0) | (negative > 0)
    one_sign, total = (used & ((positive == 0) | (negative == 0))).sum(axis=-1), used.sum(axis=-1)
    return np.divide(one_sign, total, out=np.full(total.shape, np.nan), where=total > 0)


class Reason(NamedTuple):
    """Why the rows of a layer share a sign in the full batch: its units' mean residuals."""

    offset: float  # median over units of |mean residual| / spread of the residuals over the samples
    unanimous: float  # share of rows with one sign in the full batch
    without: float  # the same with every unit's mean residual subtracted

    @property
    def batch_size(self) -> float:
        """From about this many samples on, a unit's mean residual is larger than the noise of its batch mean."""
        return self.offset**-2 if self.offset > 0 else np.inf


def reasons(run: NetworkRun, step: int) -> list[Reason]:
    """For every layer, at the weights before `step`.

    The gradient of a row is the mean of residual x input = (mean residual)(mean input) + their covariance; subtracting
    the mean residual leaves the covariance alone. Derived here.
    """
    found = []
    for pieces in layer_pieces(run, run.parameters(step), np.arange(len(run.inputs))[None]):
        mean, spread = pieces.residuals.mean(axis=-1, keepdims=True), pieces.residuals.std(axis=-1)[0]
        known = spread > 0
        offset = np.median(np.abs(mean[0, known, 0]) / spread[known]) if known.any() else np.nan
        none = np.full((1, pieces.inputs.shape[1]), np.nan)
        shares = [float(_measured(part, none)[0][0]) for part in
                  (pieces, pieces._replace(residuals=pieces.residuals - mean))]
        found.append(Reason(float(offset), *shares))
    return found


class Compared(NamedTuple):
    """An activation at its own best rate: R reported seeds, T steps, K rates."""

    activation: str
    rates: np.ndarray  # (K,)
    searched: np.ndarray  # (K,) median training loss after T steps on the seeds of the search, inf where most diverged
    rate: float
    losses: np.ndarray  # (R, T+1) on the evaluated rows
    final_losses: np.ndarray  # (R,) on all training rows, inf where the run diverged
    test_accuracies: np.ndarray  # (R,)
    unanimous: float  # share of rows with one sign over steps and seeds, mean of the layers after the first

    @property
    def at_edge(self) -> bool:
        """Whether the best rate is the smallest or the largest that was tried: a better one may lie beyond."""
        return self.rate in (self.rates[0], self.rates[-1])


def rates_for(optimizer: str) -> np.ndarray:
    """The rates of a search, ascending, half a power of ten apart."""
    return LARGEST_RATES[optimizer] * 10.0 ** (np.arange(1 - RATES, 1) / 2)


def compare_activations(experiment: NetworkExperiment, activations: Sequence[str], seeds: int = 5,
                        search_seeds: int = 2, progress: Callable[[float, str], bool] | None = None) -> list[Compared]:
    """Each activation at the rate with the lowest median training loss on seeds of its own, reported on others.

    Same data, widths, start, batches and steps for all. progress(share done, what is trained) is called before each
    training; where it returns False the comparison ends with the activations that are complete.
    """
    rates, found = rates_for(experiment.optimizer), []
    total = len(activations) * (len(rates) * search_seeds + seeds)
    for k, activation in enumerate(activations):
        spec = replace(experiment, activation=activation)
        done, searched = k * total / len(activations), np.full(len(rates), np.inf)
        for j, rate in enumerate(rates.tolist()):
            if progress is not None and progress((done + j * search_seeds) / total, f"{activation} at rate {rate:.2g}"
                                                 ) is False:
                return found
            tried = replace(spec, learning_rate=rate, seed=experiment.seed + CHOICE_SEED)
            searched[j] = np.median(_final_losses(train(tried, search_seeds)))
        rate = float(rates[searched.argmin()])
        if progress is not None and progress((done + len(rates) * search_seeds) / total,
                                             f"{activation}, {seeds} seeds at its best rate {rate:.2g}") is False:
            return found
        run = _ended(train(replace(spec, learning_rate=rate), seeds))
        rows = run.unanimous_rows[..., 1:]
        unanimous = float(np.nanmean(rows)) if np.isfinite(rows).any() else np.nan
        found.append(Compared(activation, rates, searched, rate, run.losses, _final_losses(run),
                              run.test_accuracies[:, -1], unanimous))
    return found


def _ended(run: NetworkRun) -> NetworkRun:
    """The run with its first and its last checkpoint, so that only these are evaluated."""
    return at_checkpoints(run, [len(run.checkpoint_steps) - 1])


def _final_losses(run: NetworkRun) -> np.ndarray:
    last = _ended(run).training_losses[:, -1]
    return np.where(np.isfinite(last), last, np.inf)


def batch_gain(dimensions: int, mean: float, variance: float, batch_size: int) -> float:
    """How many times fewer steps zero-centered inputs need at `batch_size`, each at its own best rate; at most κ.

    Independent Gaussian features (dimensions >= 2), squared loss, no noise, fresh batches: steps for a factor e of the
    mean square error, from the largest eigenvalue of lms_map. Between centering_gain (one sample, many dimensions) and
    κ = 1 + D m²/v (the full batch). Derived here.
    """
    condition = 1 + dimensions * mean**2 / variance
    raw, centered = (_best_exponent(dimensions, m, variance, batch_size) for m in (mean, 0.0))
    return float(min(centered / raw, condition))


def _best_exponent(dimensions: int, mean: float, variance: float, batch_size: int) -> float:
    """The largest -ln of the factor per step, over the rates; a grid, and a finer one about its best."""
    limit, low, high = lms_max_rate(dimensions, mean, variance, batch_size), 0.0, 1.0
    for _ in range(3):
        fractions = np.linspace(low, high, 61)[1:-1]
        maps = np.array([lms_map(dimensions, mean, variance, fraction * limit, batch_size) for fraction in fractions])
        radii = np.abs(np.linalg.eigvals(maps)).max(axis=-1)
        best, width = fractions[radii.argmin()], fractions[1] - fractions[0]
        low, high = max(best - width, 0.0), min(best + width, 1.0)
    return -float(np.log(radii.min()))
