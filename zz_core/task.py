"""The task of an experiment: inputs, targets, and the weights that solve it."""
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from zz_core.activations import ACTIVATIONS, sigmoid
from zz_core.experiment import DEFAULTS, Experiment
from zz_core.inputs import INPUTS
from zz_core.losses import LOSSES, Loss
from zz_core.treatments import TREATMENTS, Treated

NEWTON_STEPS = 200
RANK = 1e-12  # singular values below this share of the largest are rounding errors: layer_norm leaves some of 1e-14
# The fields that say how a task is trained, not what it is
TRAINING = {name: DEFAULTS[name] for name in ("optimizer", "learning_rate", "rate_unit", "momentum", "decay", "damping",
                                              "batch_size", "sampling", "schedule", "steps", "seed")}
KEPT_VALUES, KEPT_TASKS = 2**15, 64  # inputs of at most 256 KiB, so many of them
FLAT = 1e-8  # a smaller curvature, of at most 1/4, is that of a minimum at infinity, or as good as there


class Task(NamedTuple):
    """What an experiment trains on, N samples of D inputs.

    evaluated is what the losses of a whole run refer to: the treated inputs; for batch_norm those normalized by the
    whole set, while `inputs` are the untreated ones, which each mini-batch normalizes anew.
    """

    raw: np.ndarray  # (N, D) as drawn, before the treatment
    inputs: np.ndarray  # (N, D) what the neuron multiplies with its weights
    evaluated: np.ndarray  # (N, D)
    targets: np.ndarray  # (N,)
    treated: Treated  # what the treatment did
    direction: np.ndarray  # (D,) unit vector: the mean direction of the untreated inputs
    optimum: np.ndarray | None  # (D,)
    optimum_bias: float | None  # the neuron's whole offset at the optimum, where it learns one
    start: np.ndarray  # (D,) the weights before the first step

    @property
    def solution(self) -> np.ndarray | None:
        """(D,) the optimum, or (D + 1,) with the offset behind it where the neuron learns one."""
        return self.optimum if self.optimum_bias is None else np.append(self.optimum, self.optimum_bias)


def build_task(experiment: Experiment, data: tuple[np.ndarray, np.ndarray | None] | None = None,
               start: np.ndarray | None = None) -> Task:
    """The task that `experiment` describes; `data` = (X, y or None) replaces its inputs (and targets), `start` (D,) the
    weights that it starts from. Small tasks without these are kept for the next runs, and read-only.

    Raises ValueError where `data` does not fit the experiment.
    """
    if data is None and start is None and experiment.rows * experiment.dimensions <= KEPT_VALUES:
        return kept_task(replace(experiment, **TRAINING))
    return _built(experiment, data, start)


@lru_cache(maxsize=KEPT_TASKS)
def kept_task(experiment: Experiment) -> Task:
    task = _built(experiment, None, None)
    for array in (*task, *task.treated):
        if isinstance(array, np.ndarray):
            array.setflags(write=False)
    return task


def _built(experiment: Experiment, data: tuple[np.ndarray, np.ndarray | None] | None,
           start: np.ndarray | None) -> Task:
    treatment, loss = TREATMENTS[experiment.treatment], LOSSES[experiment.loss]
    raw, labels = _inputs(experiment) if data is None else _given(experiment, *data)
    direction = _mean_direction(experiment, raw, given=data is not None)
    treated = treatment.apply(raw)
    if start is None:
        start = _start_weights(experiment, direction, treated)
    offset = experiment.bias or treatment.learned
    recenter = recenters(experiment)
    teacher = None
    if labels is None:
        teacher = teacher_weights(experiment, direction)
        logits = teacher_logits(experiment, raw, direction)
        targets = logits if loss.quadratic else sigmoid(logits)
    else:
        targets = labels - labels.mean() if recenter and loss.quadratic else labels
    solution = _optimum(experiment, treated, targets, teacher, offset, loss, start)
    optimum, optimum_bias = (None, None) if solution is None else (solution[: raw.shape[1]], None)
    if solution is not None and offset:
        optimum_bias = float(solution[-1])
    return Task(raw, raw if treatment.per_batch else treated.inputs, treated.inputs, targets, treated, direction,
                optimum, optimum_bias, start)


def _inputs(experiment: Experiment) -> tuple[np.ndarray, np.ndarray | None]:
    """The untreated inputs (N, D), and 0/1 labels (N,) where they are the targets."""
    source = INPUTS[experiment.inputs]
    rng = np.random.default_rng(experiment.data_seed)
    values, classes = source.draw(rng, experiment.rows, experiment.dimensions)
    if source.activated:
        values = ACTIVATIONS[experiment.activation].value(experiment.input_mean + experiment.input_std * values)
    labels = (classes == 0).astype(float) if experiment.uses_labels else None
    return values, labels


def _given(experiment: Experiment, inputs: np.ndarray,
           targets: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    inputs = np.asarray(inputs, float)
    if inputs.ndim != 2 or inputs.shape[0] < 2 or inputs.shape[1] < 1 or not np.isfinite(inputs).all():
        raise ValueError(f"data: inputs of shape {inputs.shape} must be (N, D) with N at least 2 "
                         "and finite numbers only")
    if experiment.batch_size > len(inputs):
        raise ValueError(f"batch_size={experiment.batch_size}: must be at most {len(inputs)}, the number of samples")
    if targets is None:
        if inputs.shape[1] == 1 and experiment.target_angle not in (0.0, 180.0):
            raise ValueError(f"target_angle={experiment.target_angle:g}: must be 0 or 180 with one column of data")
        return inputs, None
    targets = np.asarray(targets, float)
    if targets.shape != (len(inputs),) or not np.isfinite(targets).all():
        raise ValueError(f"data: targets of shape {targets.shape} must be ({len(inputs)},) and finite numbers only")
    if not LOSSES[experiment.loss].quadratic and (targets.min() < 0 or targets.max() > 1):
        raise ValueError(f"loss={experiment.loss}: must be squared unless all targets lie in [0, 1]")
    return inputs, targets


def _mean_direction(experiment: Experiment, raw: np.ndarray, given: bool) -> np.ndarray:
    """All-ones for synthetic inputs, the inputs' own mean for real data; a unit vector (D,)."""
    direction = np.ones(raw.shape[1])
    if given or INPUTS[experiment.inputs].real:
        mean = raw.mean(axis=0)
        if np.linalg.norm(mean) > 1e-9 * np.sqrt(np.square(raw).sum(axis=1).mean()):
            direction = mean
    return direction / np.linalg.norm(direction)


def across(direction: np.ndarray) -> np.ndarray:
    """The unit vector (D,) with signs (-, +, -, ...) made orthogonal to `direction`; zeros where D = 1."""
    signs = np.where(np.arange(len(direction)) % 2, 1.0, -1.0)
    rest = signs - (signs @ direction) * direction
    length = np.linalg.norm(rest)
    if len(direction) > 1 and length < 1e-9:  # the mean itself alternates: only possible for given data
        rest = np.eye(len(direction))[0] - direction[0] * direction
        length = np.linalg.norm(rest)
    return rest / length if length > 1e-9 else np.zeros_like(direction)


def teacher_weights(experiment: Experiment, direction: np.ndarray) -> np.ndarray:
    """w* (D,): `distance` from the start w0, at `target_angle` from the mean direction."""
    angle = np.deg2rad(experiment.target_angle)
    way = experiment.distance * (np.cos(angle) * direction + np.sin(angle) * across(direction))
    return way + raw_start(experiment, direction)


def recenters(experiment: Experiment) -> bool:
    """Whether the mean of the targets goes with that of the inputs, since no offset is learned."""
    treatment = TREATMENTS[experiment.treatment]
    return treatment.recenters and not (experiment.bias or treatment.learned)


def teacher_logits(experiment: Experiment, raw: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """What the teacher makes of the untreated inputs (N, D), with its noise, before the loss's link: (N,)."""
    logits = raw @ teacher_weights(experiment, direction) + _noise(experiment, raw)
    return logits - logits.mean() if recenters(experiment) else logits


def raw_start(experiment: Experiment, direction: np.ndarray) -> np.ndarray:
    """w0 (D,) of a neuron on the untreated inputs."""
    return experiment.start_along * direction + experiment.start_across * across(direction)


def _start_weights(experiment: Experiment, direction: np.ndarray, treated: Treated) -> np.ndarray:
    """w0 (D,) of this neuron: after an affine treatment the same function as w0 of the untreated inputs, but for an
    offset, as the target is. So the way between the two does not depend on where the start lies."""
    start = raw_start(experiment, direction)
    return start if treated.matrix is None or not start.any() else treated.best_weights(start)


def _noise(experiment: Experiment, raw: np.ndarray) -> np.ndarray | float:
    """Noise (N,) of root mean square `noise`, orthogonal to the inputs and the constant: w* stays the minimizer."""
    if experiment.noise == 0:
        return 0.0
    noise = np.random.default_rng([experiment.data_seed, 1]).standard_normal(len(raw))
    # each column by itself: a saturated activation leaves values of 1e-44, which standardizing brings back
    columns = raw - raw.mean(axis=0)
    largest = np.abs(columns).max(axis=0)
    columns = columns / np.where(largest > 0, largest, 1.0)
    basis, values, _ = np.linalg.svd(np.column_stack([columns, np.ones(len(raw))]), full_matrices=False)
    basis = basis[:, values > values[0] * len(raw) * np.finfo(float).eps]
    noise = noise - basis @ (basis.T @ noise)
    noise = noise - basis @ (basis.T @ noise)  # twice: the first pass leaves rounding errors of the basis' size
    size = np.sqrt(np.square(noise).mean())
    if size < 1e-9:
        raise ValueError(f"noise={experiment.noise:g}: must be 0 here, since the inputs fit any targets exactly")
    return experiment.noise / size * noise


def row_space(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (r,) of features'features/N that are not zero, largest first, and their vectors (r, P)."""
    small = np.linalg.qr(features, mode="r") if len(features) > features.shape[1] else features
    _, values, vectors = np.linalg.svd(small, full_matrices=False)
    kept = values > RANK * values[0]
    return values[kept] ** 2 / len(features), vectors[kept]


def _optimum(experiment: Experiment, treated: Treated, targets: np.ndarray, teacher: np.ndarray | None, offset: bool,
             loss: Loss, weights: np.ndarray) -> np.ndarray | None:
    """The minimizer (weights, then the offset if there is one) of the data set's loss nearest to the start."""
    features = np.column_stack([treated.inputs, np.ones(len(targets))]) if offset else treated.inputs
    start = np.append(weights, experiment.start_bias if experiment.bias else 0.0) if offset else weights
    realizable = teacher is not None and (loss.quadratic or experiment.noise == 0)
    if realizable and treated.matrix is not None:
        solution = treated.best_weights(teacher)
        solution = np.append(solution, teacher @ treated.shift) if offset else solution
        _, vectors = row_space(features)
        return start + vectors.T @ (vectors @ (solution - start)) if len(vectors) < len(start) else solution
    if loss.quadratic:
        return start + np.linalg.lstsq(features, targets - features @ start, rcond=RANK)[0]
    if experiment.loss == "sigmoid_squared" and not realizable:
        return None  # the loss is not convex: there may be several minima, and no way to know the best
    return _newton(features, targets, loss, start)


def _newton(features: np.ndarray, targets: np.ndarray, loss: Loss, start: np.ndarray) -> np.ndarray | None:
    """Minimize the mean loss by Newton's method with step halving, or None where the minimum is at infinity.

    From outputs of 0, where no sample is saturated, whatever the start's bias is; in coordinates in which the features
    are white, so that only saturation makes the curvature small.
    """
    values, vectors = row_space(features)
    if not len(vectors):
        return start  # inputs that are all zero
    white = features @ (vectors.T / np.sqrt(values))
    hard = np.isin(targets, (0.0, 1.0)).all()
    point, last = np.zeros(len(vectors)), np.inf
    for _ in range(NEWTON_STEPS):
        outputs = white @ point
        if hard and ((2 * targets - 1) * outputs > 0).all():
            return None  # separable: longer weights are always better
        gradient = white.T @ loss.slope(outputs, targets) / len(targets)
        step = _newton_step(white, outputs, targets, loss, gradient)
        before, decrement, scale = loss.value(outputs, targets).mean(), gradient @ step, 1.0
        # near the minimum the loss shows rounding errors only, and steps are taken on trust while they shrink
        trusted = decrement <= 1e-13 * before + 1e-28
        while not trusted and loss.value(outputs - scale * (white @ step), targets).mean() > before:
            scale /= 2
            trusted = scale < 1e-9
        point = point - scale * step
        if trusted:
            curvature = (white.T * loss.gauss_newton(white @ point, targets)) @ white / len(targets)
            if np.linalg.eigvalsh(curvature)[0] < FLAT:
                return None  # flat along some direction: separable but for samples that lie across it
            if scale < 1 or decrement > 0.9 * last or decrement <= 1e-28:
                return start + vectors.T @ (point / np.sqrt(values) - vectors @ start)
            last = decrement
    return None


def _newton_step(white: np.ndarray, outputs: np.ndarray, targets: np.ndarray, loss: Loss,
                 gradient: np.ndarray) -> np.ndarray:
    """Newton's step where the loss is convex, else Gauss-Newton's, which descends everywhere."""
    for weight in (loss.curvature, loss.gauss_newton):
        curvature, axes = np.linalg.eigh((white.T * weight(outputs, targets)) @ white / len(targets))
        if curvature[0] > 1e-14 * curvature[-1]:
            break
    safe = np.maximum(curvature, 1e-14 * curvature[-1])
    return axes @ np.divide(axes.T @ gradient, safe, out=np.zeros_like(safe), where=safe > 0)
