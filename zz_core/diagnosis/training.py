"""What the mean costs: one linear unit trained on the data themselves, raw beside zero-centered and standardized."""
import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from zz_core.claims.claim import median_interval, steps_to_low_loss
from zz_core.experiment import Experiment
from zz_core.measures import steps_to_level
from zz_core.prediction import predict, why_unpredicted
from zz_core.simulation import Run, simulate
from zz_core.summary import SETTLED
from zz_core.theory import steps_to

TREATMENTS = ("none", "center", "standardize")
RATES = (0.25, 0.5, 0.95)  # shares of the stability limit that are tried
TOLERANCE = 0.01  # of the excess loss at the start
FIRST_STEPS, MOST_STEPS, FEWEST_STEPS = 400, 4000, 500
WORK = 16_000_000  # inputs that one run may look at: the longest run of wide layers and large batches is shorter
MOST_ROWS = 4096  # of the subsample
MOST_FEATURES = 128  # more are reduced to their principal directions
MOST_VALUES = 2**17  # features times rows that the runs share: each run factorizes them a few times
SPREAD = 1e-12  # of a column, as a share of its mean: what is below is rounding
ROUNDING = 1e-24  # of the mean square of targets that are linear in the inputs: a loss that is none
SEARCH_SEED = 10_000  # the rates are chosen on seeds that are not reported


class Trained(NamedTuple):
    """One treatment of the inputs at its best rate, S seeds; steps that were never reached are infinite."""

    rate: float  # as a share of the stability limit
    steps: np.ndarray  # (S,) simulated, until the excess loss stays below 1 % of the start's
    limit: int  # how many steps a run was given
    full_batch: float  # closed form: the same for the full batch, at its best rate; the median over the seeds
    expected: float  # the recursion's, first seed, at `rate` and the batch size; NaN where it would take too long

    @property
    def median(self) -> float:
        return float(np.median(self.steps))

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the median, from order statistics."""
        return median_interval(self.steps)


class Training(NamedTuple):
    """The runs by treatment, and what they were made of."""

    runs: dict[str, Trained]  # none, center, standardize
    batch_size: int
    rows: int  # of the subsample
    directions: int  # that the inputs were reduced to; their number where they were not
    captured: float  # share of the variance that these hold

    @property
    def gains(self) -> np.ndarray:
        """(S,) raw steps / zero-centered steps seed by seed; a raw run that does not arrive counts with its limit, and
        is at least that slow. NaN where the zero-centered run does not arrive."""
        raw, centered = self.runs["none"], self.runs["center"]
        above = np.minimum(raw.steps, raw.limit)
        return np.where(np.isfinite(centered.steps), above / np.maximum(centered.steps, 1), np.nan)

    @property
    def gain(self) -> tuple[float, float, float]:
        """Median of `gains` and its 95 % interval, infinite above where raw runs that do not arrive decide it; NaN
        where a zero-centered run does not arrive."""
        gains = self.gains
        if np.isnan(gains).any():
            return (math.nan,) * 3
        return float(np.median(gains)), median_interval(gains)[0], median_interval(self._unbounded)[1]

    @property
    def at_least(self) -> bool:
        """Whether the gain is a lower bound: a median is none where only larger values are not known."""
        return bool(np.median(self._unbounded) != np.median(self.gains))

    @property
    def _unbounded(self) -> np.ndarray:
        """`gains`, infinite where the raw run does not arrive."""
        return np.where(np.isfinite(self.runs["none"].steps), self.gains, np.inf)


def subsample(rows: int, most: int, seed: int) -> np.ndarray:
    """Which of the rows (n,) are looked at, at most `most`, in their order."""
    return np.arange(rows) if rows <= most else np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def best_fit(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The part of the targets (n,) that is linear in the features (n, D), without their mean."""
    centered = features - features.mean(axis=0)
    return centered @ np.linalg.lstsq(centered, targets - targets.mean(), rcond=1e-12)[0]


def train(inputs: np.ndarray, targets: np.ndarray | None, batch_size: int, seeds: int, seed: int = 0,
          progress: Callable[[float], None] | None = None) -> Training:
    """Runs of one linear unit with a bias on `inputs` (n, D), all of whose columns vary, from weights of zero.

    targets: (n,) to be learned, as far as they are linear in the inputs; None for teachers with random weights in no
    preferred direction, another one each seed. Learned is what differs between samples: the targets' mean is taken
    off. Each treatment runs at the best of three shares of its own stability limit.
    """
    chosen = subsample(len(inputs), MOST_VALUES // min(inputs.shape[1], MOST_FEATURES), seed)
    inputs, targets = inputs[chosen], None if targets is None else targets[chosen]
    size, batch = len(inputs), min(batch_size, len(inputs))
    reduced = _reduced(inputs)
    makers = {name: _teachers(features, inputs, targets) for name, features in reduced.features.items()}
    runs = {}
    for k, name in enumerate(TREATMENTS):
        features = reduced.features[name]
        spec = Experiment(treatment="none" if name == "standardize" else name, bias=True, batch_size=batch,
                          samples=size, dimensions=features.shape[1], target_angle=0.0)  # 90 needs two dimensions
        runs[name] = _trained(spec, features, makers[name], seeds if targets is None else 1, seeds, seed)
        if progress:
            progress((k + 1) / len(TREATMENTS))
    return Training(runs, batch, size, reduced.features["none"].shape[1], reduced.captured)


class _Reduced(NamedTuple):
    features: dict[str, np.ndarray]  # what each treatment trains on; that of the raw inputs is that of the centered
    captured: float


def _reduced(inputs: np.ndarray) -> _Reduced:
    """The inputs, and the standardized ones, in at most MOST_FEATURES coordinates.

    Descent from zero goes the same way in any rotated coordinates, so only what lies across the principal directions,
    and across the mean, is lost.
    """
    mean = inputs.mean(axis=0)
    standardized = (inputs - mean) / inputs.std(axis=0)
    if inputs.shape[1] <= MOST_FEATURES:
        return _Reduced({"none": inputs, "center": inputs, "standardize": standardized}, 1.0)
    axes = _principal(inputs - mean, MOST_FEATURES - 1)
    aside = mean - axes @ (axes.T @ mean)
    length = np.linalg.norm(aside)
    if length > 1e-9 * np.linalg.norm(mean):
        axes = np.column_stack([axes, aside / length])
    total = np.square(inputs - mean).sum()
    shrunk = inputs @ axes
    captured = float(np.square(shrunk - shrunk.mean(axis=0)).sum() / total)
    return _Reduced({"none": shrunk, "center": shrunk,
                     "standardize": standardized @ _principal(standardized, MOST_FEATURES)}, captured)


def _principal(centered: np.ndarray, count: int) -> np.ndarray:
    """The directions (D, count) of largest variance of centered data (n, D)."""
    rows, columns = centered.shape
    if columns <= rows:
        return np.linalg.eigh(centered.T @ centered)[1][:, -count:]
    values, vectors = np.linalg.eigh(centered @ centered.T)
    kept = slice(-min(count, rows - 1), None)  # centering has taken one direction
    kept = np.arange(rows)[kept][values[kept] > 1e-12 * values[-1]]
    return centered.T @ vectors[:, kept] / np.sqrt(values[kept])


def _teachers(features: np.ndarray, inputs: np.ndarray, targets: np.ndarray | None) -> Callable[[int], np.ndarray]:
    """seed -> targets (n,) of mean zero, and of size 1, that are linear in these features."""
    exact = features.shape[1] >= inputs.shape[1]
    if targets is not None:
        fitted = _sized(best_fit(features, targets))
        return lambda seed: fitted
    centered = inputs - inputs.mean(axis=0)

    def drawn(seed: int) -> np.ndarray:
        values = centered @ np.random.default_rng(seed).standard_normal(inputs.shape[1])
        return _sized(values - values.mean() if exact else best_fit(features, values))

    return drawn


def _sized(targets: np.ndarray) -> np.ndarray:
    """Divided by their root mean square, which changes no number of steps, and keeps weights from overflowing."""
    largest = np.abs(targets).max()
    if largest == 0:
        return targets
    targets = targets / largest
    return targets / np.sqrt(np.square(targets).mean())


def _trained(spec: Experiment, features: np.ndarray, teacher: Callable[[int], np.ndarray], teachers: int, seeds: int,
             seed: int) -> Trained:
    """The best rate first, on a seed of its own, then the seeds: one task each, or all of them on one."""
    limit = int(np.clip(WORK // (spec.batch_size * (features.shape[1] + 1)), FEWEST_STEPS, MOST_STEPS))
    if spec.full_batch:
        limit = MOST_STEPS  # solved for all steps at once
    found = _searched(replace(spec, seed=seed + SEARCH_SEED), features, teacher(seed + SEARCH_SEED), limit)
    best = min(found, key=found.get) if math.isfinite(min(found.values())) else 0.5
    needed = found[best]
    for steps in (min(limit, 4 * needed + 4 * SETTLED), limit):
        runs = [_run(replace(spec, seed=seed + k, learning_rate=best, steps=int(steps)), seeds // teachers, features,
                     teacher(seed + k)) for k in range(teachers)]
        taken = np.concatenate([steps_to_low_loss(run) for run in runs])
        if np.isfinite(taken).all() or steps == limit:
            break
    return Trained(best, taken, int(steps), float(np.median([_full_batch(run) for run in runs])), _expected(runs[0]))


def _searched(spec: Experiment, features: np.ndarray, targets: np.ndarray, limit: int) -> dict[float, float]:
    """Steps to the tolerance by rate, infinite where `limit` is not enough."""
    for steps in sorted({min(FIRST_STEPS, limit), limit}):
        found = {rate: float(steps_to_low_loss(_run(replace(spec, steps=steps, learning_rate=rate), 1, features,
                                                    targets))[0]) for rate in RATES}
        if math.isfinite(min(found.values())):
            break
    return found


def _run(spec: Experiment, replicates: int, features: np.ndarray, targets: np.ndarray) -> Run:
    """A run whose minimizer is known even where columns differ in scale by 1e9, as a time stamp and the 1 of a bias
    do: it is lost to rounding unless it is looked for among standardized inputs."""
    run = simulate(spec, replicates, data=(features, targets))
    inputs, mean, spread = run.inputs, run.inputs.mean(axis=0), run.inputs.std(axis=0)
    scale = np.where(spread > SPREAD * np.abs(mean), spread, np.inf)
    weights = np.linalg.lstsq((inputs - mean) / scale, run.targets - run.targets.mean(), rcond=SPREAD)[0] / scale
    bias = float(run.targets.mean() - mean @ weights)
    losses = [np.square(inputs @ w + b - run.targets).mean() for w, b in ((run.optimum, run.optimum_bias),
                                                                          (weights, bias))]
    if losses[1] >= losses[0] or losses[0] <= ROUNDING * np.square(run.targets).mean():
        return run
    return replace(run, task=run.task._replace(optimum=weights, optimum_bias=bias))


def _full_batch(run: Run) -> float:
    """Steps of full-batch descent to the same tolerance at the best of the same rates, in closed form."""
    features = np.column_stack([run.inputs, np.ones(len(run.inputs))])
    start = np.append(run.weights[0, 0] - run.optimum, run.biases[0, 0] - run.optimum_bias)
    left, values, _ = np.linalg.svd(features, full_matrices=False)
    values = values[::-1] ** 2 / len(features)
    # the excess loss is half the sum of the squares of these, which are sqrt(eigenvalue) * component
    components = left.T[::-1] @ (features @ start) / math.sqrt(len(features))
    return min(steps_to(values, components, rate * 2 / values[-1], math.sqrt(TOLERANCE)) for rate in RATES)


def _expected(run: Run) -> float:
    """Steps of the expected excess loss over the draws; NaN where double precision does not hold the recursion."""
    if why_unpredicted(run):
        return math.nan
    excess = predict(run).excess
    if not math.isclose(excess[0], run.excess_losses()[0, 0], rel_tol=1e-6):
        return math.nan
    return float(steps_to_level(excess, TOLERANCE * excess[0], 0 if run.batches is None else SETTLED))


