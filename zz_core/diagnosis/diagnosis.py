"""diagnose(activations): does a layer's input suffer from its mean, and would zero-centering help?"""
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zz_core.diagnosis.agreement import BatchSigns, Share, batch_sizes_up_to, by_batch, mean_correlation, single_sample
from zz_core.diagnosis.moments import Moments, moments
from zz_core.diagnosis.spectra import Spectra, independent_condition, raw_moment, spectra, white_condition
from zz_core.diagnosis.training import MOST_ROWS, Training, best_fit, subsample, train
from zz_core.diagnosis.verdict import Words, words
from zz_core.reading import checked_matrix, checked_names, checked_targets

Progress = Callable[[float, str], None]
LARGEST_BATCH = 65536
MOST_VALUES = 2**22  # of the rows drawn from wide inputs
# how far each stage brings the whole
STAGES = {"Reading the numbers": (0.0, 0.25), "Eigenvalues": (0.25, 0.45), "Signs": (0.45, 0.55),
          "Training": (0.55, 1.0)}


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What the inputs of one layer do to its training; D features, of which some may be set aside.

    What is per feature (D,) is about all of them; spectra, signs and runs are about those with a spread.
    """

    rows: int  # N, all samples
    names: tuple[str, ...]  # (D,)
    kept: np.ndarray  # (D,) which features have a spread; the others are set aside
    mean: np.ndarray  # (D,)
    variance: np.ndarray  # (D,) population variance, divided by N
    positive_share: np.ndarray  # (D,) share of values above zero
    spectra: Spectra
    one_sign: dict[str, Share]  # raw, centered: share of samples whose gradient has one sign
    signs_by_batch: dict[str, BatchSigns]  # raw, centered
    training: Training | None  # None where no seeds were asked for
    batch_size: int

    @property
    def set_aside(self) -> tuple[str, ...]:
        """The names of the features without spread: they act as a bias does, and teach nothing."""
        return tuple(name for name, kept in zip(self.names, self.kept, strict=True) if not kept)

    @property
    def features(self) -> int:
        """How many are left."""
        return int(self.kept.sum())

    @property
    def mean_ratio(self) -> np.ndarray:
        """(D,) m²/v of each feature; NaN where it has no spread."""
        return np.divide(self.mean**2, self.variance, out=np.full(len(self.mean), np.nan), where=self.kept)

    @property
    def eigenvalues_raw(self) -> np.ndarray:
        """Of E[x x'], largest first; 0 for null directions."""
        return self.spectra.raw.eigenvalues

    @property
    def eigenvalues_centered(self) -> np.ndarray:
        """Of the covariance, largest first; 0 for null directions."""
        return self.spectra.centered.eigenvalues

    @property
    def condition_raw(self) -> float:
        """Largest / smallest eigenvalue of E[x x'] that is not zero; infinite beyond double precision."""
        return self.spectra.raw.condition

    @property
    def condition_centered(self) -> float:
        return self.spectra.centered.condition

    @property
    def condition_ratio(self) -> float:
        """How many times smaller zero-centering makes the condition number; infinite where that of the raw inputs is
        beyond double precision."""
        return self.condition_raw / self.condition_centered

    @property
    def condition_independent(self) -> float:
        """1 + D m²/v, what independent features of one mean and one variance would have, these on average."""
        return independent_condition(self.mean[self.kept], self.variance[self.kept])

    @property
    def condition_white(self) -> float:
        """The condition number that as many samples of white features would show, in place of their 1."""
        return white_condition(self.rows, self.features)

    @property
    def head_room(self) -> float:
        """How much larger a learning rate these inputs would bear if they were zero-centered; the headline."""
        return self.spectra.head_room

    @property
    def words(self) -> Words:
        return words(self)

    @property
    def level(self) -> str:
        """none, some or strong: how much the mean costs."""
        return self.words.level

    @property
    def verdict(self) -> str:
        """The diagnosis in words, with its figures."""
        return self.words.text


def diagnose(activations: np.ndarray, targets: np.ndarray | None = None, *, names: Sequence[str] | None = None,
             batch_size: int = 32, seeds: int = 8, seed: int = 0, what: str = "activations",
             progress: Progress | None = None) -> Diagnosis:
    """Diagnose the inputs of a layer, (samples, features), or any table of inputs.

    Read once, in blocks: a file that NumPy maps into memory may be larger than that. Runs and signs are those of at
    most 4,096 rows drawn by `seed`. targets: (samples,), what the runs learn, as far as it is linear in the inputs;
    None for random teachers. batch_size: of the visitor's training. seeds: runs per treatment; 0 leaves them out.
    progress(share, what): called now and then. ValueError names what was found, and what to do.
    """
    values = checked_matrix(activations, what)
    names = checked_names(names, values.shape[1], what)
    targets = None if targets is None else checked_targets(targets, len(values))
    _check_number("batch_size", batch_size, 1, LARGEST_BATCH)
    _check_number("seeds", seeds, 0, 100)
    found = moments(values, names, what, _part(progress, "Reading the numbers"))
    kept = found.varying
    curvatures = spectra(found, _part(progress, "Eigenvalues"))
    chosen = subsample(len(values), min(MOST_ROWS, max(MOST_VALUES // values.shape[1], 2)), seed)
    rows = np.array(values[chosen], float)[:, kept]
    learned = None if targets is None else targets[chosen]
    _part(progress, "Signs")(0.0)
    one_sign, by_size = _signs(rows, found, learned, batch_size, seed)
    training = train(rows, learned, batch_size, seeds, seed, _part(progress, "Training")) if seeds else None
    return Diagnosis(found.count, names, kept, found.mean, found.variance, found.positive_share, curvatures, one_sign,
                     by_size, training, batch_size)


def _signs(rows: np.ndarray, found: Moments, targets: np.ndarray | None, batch_size: int,
           seed: int) -> tuple[dict[str, Share], dict[str, BatchSigns]]:
    """Single samples and batches, raw and zero-centered; residuals are those of the best fit, where there are any."""
    mean, covariance = found.spread_out
    correlations = mean_correlation(raw_moment(mean, covariance)), mean_correlation(covariance)
    residuals = None if targets is None else _residuals(rows, targets)
    raw, centered = by_batch(rows, mean, residuals, batch_sizes_up_to(batch_size), correlations, seed)
    return ({"raw": single_sample(rows, found.count), "centered": single_sample(rows - mean, found.count)},
            {"raw": raw, "centered": centered})


def _residuals(features: np.ndarray, targets: np.ndarray) -> np.ndarray | None:
    """dL/df at the optimum, or None where the features fit the targets exactly."""
    away = best_fit(features, targets) - (targets - targets.mean())
    return away if np.square(away).mean() > 1e-12 * targets.var() else None


def _check_number(name: str, value: int, low: int, high: int) -> None:
    if not (isinstance(value, int | np.integer) and low <= value <= high):
        raise ValueError(f"{name}={value}: must be a whole number in [{low}, {high}]")


def _part(progress: Progress | None, stage: str) -> Callable[[float], None]:
    """Progress within a stage, told as progress of the whole."""
    low, high = STAGES[stage]
    return lambda share: progress(low + (high - low) * min(share, 1.0), stage) if progress else None
