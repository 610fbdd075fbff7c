"""When a path zig-zags: the mean moved, target angles and learning rates swept.

The sweeps are plain gradient descent on the squared loss, without a learned bias. There the error of a run is linear in
its start, so the runs toward two targets, along and across the mean, give those toward every target between them.
"""
import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from zz_core.activations import sigmoid
from zz_core.experiment import DEFAULTS, Experiment
from zz_core.losses import LOSSES
from zz_core.neuron import Linear
from zz_core.simulation import Run, simulate
from zz_core.stability import condition, eigenvalues, stability_limit
from zz_core.stepping import draw_batches, run_steps
from zz_core.task import RANK, Task, across
from zz_core.theory import (
    condition_number,
    cone_detour,
    data_cone_detour,
    planar_cone_detour,
    rate_zones,
)
from zz_core.treatments import TREATMENTS

ARRIVED = 1e-3  # of the start distance: what follows is rounding or noise
ROUNDING = 1e-12  # steps and errors below this share of the largest say nothing
BLOCK_VALUES = 2**21  # factors of the map's cells held at once


def spread_of(task: Task) -> float:
    """Root mean square of the standard deviations of what the neuron receives: the unit of a shift."""
    return float(np.sqrt(task.evaluated.var(axis=0).mean()))


def centering_shift(task: Task) -> float:
    """The shift, in units of the spread, that takes the mean along `task.direction` to zero; NaN without spread."""
    spread, dimensions = spread_of(task), task.evaluated.shape[1]
    mean = float(task.evaluated.mean(axis=0) @ task.direction)
    return -mean / (spread * math.sqrt(dimensions)) if spread > 0 else math.nan


def moved_data(experiment: Experiment, task: Task, shift: float,
               flip: bool = False) -> tuple[Experiment, tuple[np.ndarray, np.ndarray]]:
    """The experiment and the data (X, y) for `simulate` in which the inputs' mean has moved along its direction.

    X is what the neuron receives plus `shift` standard deviations in every feature, for unequal means in proportion to
    them; y follows, so that a teacher's weights stay the optimum. A treatment has been applied and is not again, but
    for what training does with it: input_bias learns, and batch_norm at shift 0 normalizes each batch. flip: the first
    feature changes its sign.
    """
    treatment = TREATMENTS[experiment.treatment]
    per_batch = treatment.per_batch and shift == 0
    inputs, targets = (task.inputs if per_batch else task.evaluated), task.targets
    spec = experiment if per_batch or treatment.learned else replace(experiment, treatment="none")
    if shift:
        step = shift * spread_of(task) * math.sqrt(inputs.shape[1]) * task.direction
        inputs = inputs + step
        if task.optimum is not None:
            targets = _raised(targets, float(task.optimum @ step), LOSSES[experiment.loss].quadratic)
    if flip:
        inputs = inputs * np.where(np.arange(inputs.shape[1]) == 0, -1.0, 1.0)
    return spec, (inputs, targets)


def _raised(targets: np.ndarray, offset: float, quadratic: bool) -> np.ndarray:
    """Targets for outputs that are larger by `offset`; classes of 0 and 1 stay what they are."""
    if quadratic:
        return targets + offset
    with np.errstate(divide="ignore"):
        return np.clip(sigmoid(np.log(targets) - np.log1p(-targets) + offset), 0.0, 1.0)


def simulate_moved(experiment: Experiment, task: Task, shift: float, flip: bool = False) -> Run:
    """Train on `moved_data`. The run keeps the task's mean direction, which the moved mean may have turned round."""
    spec, data = moved_data(experiment, task, shift, flip)
    mirror = np.where(np.arange(len(task.start)) == 0, -1.0, 1.0) if flip else np.ones(len(task.start))
    run = simulate(spec, data=data, start=task.start * mirror)
    told = {"direction": task.direction * mirror}
    if run.optimum is None and task.optimum is not None and not shift:
        # a teacher's, which the data alone do not tell
        told |= {"optimum": task.optimum * mirror, "optimum_bias": task.optimum_bias}
    return replace(run, task=run.task._replace(**told))


class Curvature(NamedTuple):
    """Eigenvalues (P,) of the second moment, largest first; their ratio, and what independent features would have."""

    eigenvalues: np.ndarray
    condition: float
    predicted: float


def curvature_of(run: Run) -> Curvature:
    """Of what the neuron receives, with the 1 of a learned bias; `predicted` takes the features' mean and variance."""
    inputs, bias = run.task.evaluated, run.experiment.bias
    values = eigenvalues(run.experiment, run.task)
    mean, variance = feature_moments(inputs)
    predicted = condition_number(inputs.shape[1], mean, variance, bias) if variance > 0 else math.nan
    return Curvature(values, condition(values), predicted)


def feature_moments(inputs: np.ndarray) -> tuple[float, float]:
    """Mean and variance of a feature, in the root mean square and in the mean over all of them."""
    return math.sqrt(np.square(inputs.mean(axis=0)).mean()), float(inputs.var(axis=0).mean())


class AngleSweep(NamedTuple):
    """Path lengths / straight lines toward targets at `angles` (A,), radians from the mean direction.

    Allowed: the shortest path with steps of one sign, and with steps along ± the samples. Taken: by one-sample descent
    (A, R), and by the full batch (A,). NaN where there is no way to go, or where a run diverged.
    """

    angles: np.ndarray
    one_sign: np.ndarray
    data_cone: np.ndarray
    single: np.ndarray
    full: np.ndarray


def sweep_angles(inputs: np.ndarray, direction: np.ndarray, angles: np.ndarray, fraction: float, steps: int,
                 replicates: int, seed: int = 0, distance: float = 1.0,
                 noise: np.ndarray | None = None) -> AngleSweep:
    """Sweep the target over `angles` with inputs (N, D), D at least 2, at the same fraction of each stability limit.

    Toward a target at angle a the error is distance * (cos(a) e_along + sin(a) e_across) + e_noise, where the three
    are runs with the same draws; noise (N,) is the targets' part that no weights fit. The path is measured up to the
    arrival within 1e-3 of the start distance, as for single runs.
    """
    start = np.stack([direction, across(direction)])  # of the errors, but for their sign: what the inputs can reach
    _, reached = modes_of(second_moment(inputs))
    goals = start @ reached.T @ reached
    targets = [inputs @ goal for goal in goals]
    if noise is not None:
        goals, targets = np.vstack([goals, np.zeros_like(direction)]), [*targets, noise]
    errors = _single_paths(inputs, targets, fraction, steps, replicates, seed) - goals[:, None, None]
    weights = distance * np.column_stack([np.cos(angles), np.sin(angles)])
    if noise is not None:
        weights = np.column_stack([weights, np.ones(len(angles))])
    displacements = weights[:, :2] @ goals[:2]
    return AngleSweep(np.asarray(angles), _one_sign(displacements, distance),
                      _data_cone(inputs, direction, angles, displacements), _superposed_ratios(errors, weights),
                      1 / rate_map(inputs, direction, [fraction], angles, steps).efficiency[0])


def _single_paths(inputs: np.ndarray, targets: list[np.ndarray], fraction: float, steps: int, replicates: int,
                  seed: int) -> np.ndarray:
    """Weights (K, R, T+1, D) of one-sample descent toward each of K targets (N,), with the same draws for all."""
    spec = Experiment(samples=len(inputs), steps=steps, seed=seed)
    treated = TREATMENTS["none"].apply(inputs)
    task = Task(inputs, inputs, inputs, targets[0], treated, inputs[0], None, None, np.zeros(inputs.shape[1]))
    rate, neuron = fraction * stability_limit(spec, task), Linear(inputs, bias=False)
    batches = draw_batches(spec, len(inputs), replicates)
    paths = [run_steps(spec, neuron, y, batches, rate, replicates, 1, float).parameters for y in targets]
    return np.stack(paths).swapaxes(1, 2)


def _one_sign(displacements: np.ndarray, distance: float) -> np.ndarray:
    gone = np.linalg.norm(displacements, axis=-1) <= 1e-9 * distance  # the inputs do not reach in this direction
    return np.where(gone, np.nan, cone_detour(np.where(gone[:, None], 1.0, displacements)))


def _data_cone(inputs: np.ndarray, direction: np.ndarray, angles: np.ndarray, displacements: np.ndarray) -> np.ndarray:
    """Exact in two dimensions; beyond, for the narrowest circular cone about ± the mean that holds all samples."""
    if inputs.shape[1] == 2:
        small = np.linalg.norm(displacements, axis=-1) <= 1e-9 * np.linalg.norm(displacements, axis=-1).max()
        ratios = [math.nan if gone else planar_cone_detour(inputs, d)
                  for d, gone in zip(displacements, small, strict=True)]
        return np.where(np.isinf(ratios), np.nan, ratios)
    lengths = np.linalg.norm(inputs, axis=1)
    cosines = np.abs(inputs @ direction)[lengths > 0] / lengths[lengths > 0]
    half_angle = math.acos(min(1.0, float(cosines.min(initial=1.0))))
    return data_cone_detour(angles, half_angle) if half_angle > 1e-9 else np.full(len(angles), np.nan)


def _superposed_ratios(errors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Path ratios (A, R) of the sums weights (A, K) · errors (K, R, T+1, D), from scalar products of the K alone."""
    first, second = np.triu_indices(len(errors))
    pairs = weights[:, first] * weights[:, second] * np.where(first == second, 1.0, 2.0)

    def lengths(vectors: np.ndarray) -> np.ndarray:  # (K, R, n, D) -> (A, R, n)
        with np.errstate(all="ignore"):
            products = np.stack([np.vecdot(vectors[i], vectors[j]) for i, j in zip(first, second, strict=True)])
            return np.sqrt(np.maximum(np.tensordot(pairs, products, axes=1), 0.0))

    with np.errstate(all="ignore"):
        return lengths_to_ratio(lengths(np.diff(errors, axis=2)), lengths(errors), lengths(errors - errors[:, :, :1]))


def lengths_to_ratio(steps: np.ndarray, distances: np.ndarray, displacements: np.ndarray) -> np.ndarray:
    """Path length / straight line up to the arrival (...,) from |steps| (..., T), |errors| and |w_t - w_0| (..., T+1).

    NaN for a run that diverged or had no way to go.
    """
    end = _end(distances)
    length = np.take_along_axis(np.cumsum(steps, axis=-1), np.maximum(end - 1, 0), axis=-1)[..., 0]
    straight = np.take_along_axis(displacements, end, axis=-1)[..., 0]
    good = np.isfinite(length) & (straight > ROUNDING * distances[..., 0])
    good &= distances[..., 0] > 1e-9 * np.nanmax(distances[..., 0], initial=0.0)
    ratio = np.divide(length, straight, out=np.full(length.shape, np.nan), where=good)
    return np.maximum(ratio, 1.0)  # rounding


def _end(distances: np.ndarray) -> np.ndarray:
    """The first row (..., 1) within the tolerance of the start distance, else the last."""
    arrived = distances <= ARRIVED * distances[..., :1]
    return np.where(arrived.any(axis=-1), arrived.argmax(axis=-1), distances.shape[-1] - 1)[..., None]


class RateMap(NamedTuple):
    """Full-batch descent at `fractions` (F,) of the stability limit 2/l1 toward targets at `angles` (A,), radians.

    turning, efficiency: (F, A); NaN where a run diverges, has no way to go, or makes less than two steps (turning).
    borders: the fractions from which each mode jumps over its optimum; best: that of the fastest rate for the worst
    start; both are `rate_zones` in units of 2/l1.
    """

    fractions: np.ndarray
    angles: np.ndarray
    turning: np.ndarray
    efficiency: np.ndarray
    borders: np.ndarray
    best: float


def rate_map(inputs: np.ndarray, direction: np.ndarray, fractions: np.ndarray, angles: np.ndarray,
             steps: int) -> RateMap:
    """Solve every cell in closed form: in the eigenbasis of E[x x'] mode i shrinks by 1 - rate * l_i each step.

    inputs: (N, D), D at least 2. The squared length of step t is the sum of (c_i rate l_i)² (1 - rate l_i)^(2t), its
    product with the next one has another factor 1 - rate l_i; measured up to the arrival, as single runs are.
    """
    fractions, angles = np.asarray(fractions, float), np.asarray(angles, float)
    values, vectors = modes_of(second_moment(inputs))
    if not len(values):
        raise ValueError("inputs: must not all be zero, or there is nothing to learn")
    along, aside = vectors @ direction, vectors @ across(direction)
    squares = np.square(np.cos(angles)[:, None] * along + np.sin(angles)[:, None] * aside)  # (A, D)
    squares = np.where(squares > ROUNDING**2, squares, 0.0)
    # modes without error would only take time
    kept = squares.max(axis=0) > 0
    squares, rates = squares[:, kept], np.multiply.outer(2 * fractions / values[0], values[kept])  # (F, D)
    pieces = -(-rates.size * steps // BLOCK_VALUES)
    cells = [_cells(squares, part, steps) for part in np.array_split(rates, max(1, min(pieces, len(rates))))]
    turning, efficiency = np.concatenate(cells, axis=1)
    diverges = fractions > 1  # whatever a finite number of steps shows
    zones = rate_zones(values)
    return RateMap(fractions, angles, np.where(diverges[:, None], np.nan, turning),
                   np.where(diverges[:, None], np.nan, efficiency), zones.borders / zones.diverges_from,
                   zones.best / zones.diverges_from)


def second_moment(inputs: np.ndarray) -> np.ndarray:
    """E[x x'] (D, D) of the inputs (N, D)."""
    return inputs.T @ inputs / len(inputs)


def modes_of(hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (r,) of E[x x'] that are not zero, largest first, and their vectors (r, D)."""
    values, vectors = np.linalg.eigh(hessian)
    values, vectors = values[::-1], vectors.T[::-1]
    kept = values > max(RANK, len(values) * np.finfo(float).eps) * values[0]
    return values[kept], vectors[kept]


def _cells(squares: np.ndarray, rates: np.ndarray, steps: int) -> np.ndarray:
    """(2, F, A): turning and efficiency, from squared start errors (A, D) and rate * l (F, D)."""
    with np.errstate(all="ignore"):
        factors = 1 - rates
        powers = np.ones((*rates.shape, steps + 1))  # (1 - rate l)^(2t), (F, D, T+1)
        np.cumprod(np.broadcast_to(np.square(factors)[..., None], (*rates.shape, steps)), axis=-1, out=powers[..., 1:])
        distances = np.sqrt(squares @ powers)
        lengths = np.sqrt((squares * np.square(rates)[:, None]) @ powers[..., :-1])  # (F, A, T)
        dots = (squares * (np.square(rates) * factors)[:, None]) @ powers[..., : steps - 1]  # with the next step
        end = _end(distances)
        cosines = dots / (lengths[..., 1:] * lengths[..., :-1])
        defined = (np.arange(steps - 1) < end - 1) & (lengths[..., 1:] > ROUNDING * lengths[..., :1])
        turning = np.where(defined, np.clip(cosines, -1, 1), 0.0).sum(axis=-1) / defined.sum(axis=-1)
        # (1 - rate l)^T to the power of the step at which each cell's path ends
        last = factors[:, None] ** end
        straight = np.sqrt((squares * np.square(1 - last)).sum(axis=-1))
        length = np.take_along_axis(np.cumsum(lengths, axis=-1), np.maximum(end - 1, 0), axis=-1)[..., 0]
        reached = squares.sum(axis=-1) > 1e-18
        efficiency = np.where(reached, np.minimum(straight / length, 1.0), np.nan)
    return np.stack([np.where(reached, turning, np.nan), efficiency])


def rate_fraction(run: Run) -> float:
    """The run's rate as a fraction of its stability limit; the default's where its rule has no such limit."""
    experiment = run.experiment
    if experiment.optimizer not in ("sgd", "momentum", "nesterov"):
        return float(DEFAULTS["learning_rate"])
    if experiment.rate_unit == "critical":
        return experiment.learning_rate
    return run.learning_rate / stability_limit(experiment, run.task)
