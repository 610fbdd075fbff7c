"""The stability limit: the learning rate that a data set, a batch size and a rule allow."""
import math
from functools import lru_cache

import numpy as np

from zz_core.experiment import Experiment
from zz_core.losses import LOSSES
from zz_core.optimizers import OPTIMIZERS
from zz_core.task import Task, row_space
from zz_core.treatments import TREATMENTS

KEPT_BYTES = 2**16  # of features whose extremes are kept


def local_features(experiment: Experiment, task: Task) -> np.ndarray:
    """The derivatives (N, P) of the neuron's output by its parameters, at the optimum where they depend on it."""
    columns = [task.evaluated]
    if TREATMENTS[experiment.treatment].learned:
        weights = task.optimum if task.optimum is not None else np.zeros(task.evaluated.shape[1])
        columns.append(np.tile(weights, (len(task.targets), 1)))
    if experiment.bias:
        columns.append(np.ones((len(task.targets), 1)))
    return np.hstack(columns) if len(columns) > 1 else columns[0]


def eigenvalues(experiment: Experiment, task: Task) -> np.ndarray:
    """The eigenvalues (P,) of H = E[x x'], largest first, zeros included; with the 1 of a learned bias."""
    features = local_features(experiment, task)
    values = np.zeros(features.shape[1])
    found = row_space(features)[0]
    values[: len(found)] = found
    return values


def condition(values: np.ndarray) -> float:
    """Largest / smallest of the eigenvalues that are not zero; NaN where all are."""
    kept = values[values > 0]
    return float(kept.max() / kept.min()) if len(kept) else float("nan")


def stability_limit(experiment: Experiment, task: Task) -> float:
    """Largest rate at which the noise-free error surely contracts in the mean square.

    2 / (k [(1 - c) a l1 + c R2 / (1 - beta)]), with l1 the largest eigenvalue of H = E[x x'], R2 that of
    H^+ E[|x|^2 x x'] on the range of H, c = 1/B (0 for the full batch), k the loss curvature's bound, beta the
    momentum and a = 1/(1 + beta) for momentum, (1 + 2 beta)/(1 + beta) for Nesterov, 1 otherwise. Exact for the full
    batch and for isotropic centered Gaussian inputs, else safe and often conservative. Infinite for inputs that are
    all zero. It is a local limit, near the optimum, for input_bias, and for momentum unless the loss is squared:
    far out, heavy-ball runs can cycle on a loss whose curvature varies (Lessard, Recht and Packard, SIAM J. Optim. 26,
    2016).
    """
    features = np.ascontiguousarray(local_features(experiment, task))
    if not features.any():
        return float("inf")
    of_largest, of_energy = limit_weights(experiment, len(features))
    per_batch = TREATMENTS[experiment.treatment].per_batch
    largest, energy = (_kept_extremes(features.tobytes(), features.shape) if features.nbytes <= KEPT_BYTES
                       else extremes(features, with_energy=of_energy > 0 and not per_batch))
    if per_batch:
        energy = float(features.shape[1])
    curvature = of_largest * largest + (of_energy * energy if of_energy else 0.0)
    return float(2 / (LOSSES[experiment.loss].bound * curvature))


def limit_weights(experiment: Experiment, rows: int) -> tuple[float, float]:
    """What the stability limit multiplies l1 and R2 with: (1 - c) a and c / (1 - beta), of a batch out of `rows`."""
    batch_size = experiment.batch_size
    beta = experiment.momentum if experiment.optimizer in ("momentum", "nesterov") else 0.0
    factor = {"momentum": 1 / (1 + beta), "nesterov": (1 + 2 * beta) / (1 + beta)}.get(experiment.optimizer, 1.0)
    if batch_size == rows:
        share = 0.0
    elif TREATMENTS[experiment.treatment].per_batch:
        share = 1 / max(batch_size - 1, 1)
    else:
        share = 1 / batch_size
    return (1 - share) * factor, share / (1 - beta)


@lru_cache(maxsize=256)
def _kept_extremes(features: bytes, shape: tuple[int, int]) -> tuple[float, float]:
    """All batch sizes and rules of a task share them."""
    return extremes(np.frombuffer(features).reshape(shape))


def extremes(features: np.ndarray, with_energy: bool = True) -> tuple[float, float]:
    """l1 and R2 of features (N, P): see stability_limit."""
    values, vectors = row_space(features)
    if not with_energy:
        return values[0], math.nan
    white = features @ (vectors.T / np.sqrt(values))
    lengths = np.square(features).sum(axis=1)
    return values[0], np.linalg.eigvalsh((white.T * lengths) @ white / len(features))[-1]


def absolute_rate(experiment: Experiment, task: Task) -> float:
    """The learning rate of the run: NaN for the exact line search, which needs none."""
    optimizer = OPTIMIZERS[experiment.optimizer]
    if "learning_rate" not in optimizer.uses:
        return float("nan")
    if not optimizer.critical or experiment.rate_unit == "absolute":
        return experiment.learning_rate
    limit = stability_limit(experiment, task)
    if not np.isfinite(limit):
        raise ValueError(f"treatment={experiment.treatment}: must leave some inputs different from zero, "
                         "or there is nothing to learn and no stability limit")
    return experiment.learning_rate * limit
