"""What a claim is and how it is decided; what all claims share: seeds, intervals and thresholds."""
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from zz_core.experiment import Experiment
from zz_core.measures import cut_tail, path_efficiency, steps_to_level, steps_to_tolerance
from zz_core.network import NetworkExperiment
from zz_core.simulation import Run, simulate
from zz_core.summary import SETTLED

STRAIGHT = 1.1  # a path at most a tenth longer than the straight line is called straight
MINUS = re.compile(r"(?<![\w.])-(?=\d)")  # a number's sign, and no hyphen between words or numbers
PERCENT = re.compile(r"(?<=\d)%")  # as a format writes it; in words a space stands before it, where no line ends
MATTERS = 1.5  # a factor in the number of steps from which on it is called a difference


class Measured(NamedTuple):
    """The number that decides a claim, its 95 % interval, and further numbers by name, for the rule and the words."""

    value: float
    interval: tuple[float, float]
    numbers: Mapping[str, float]


Experiments = Mapping[str, Experiment | NetworkExperiment]


@dataclass(frozen=True)
class Claim:
    """One sentence of the folklore, what is measured to decide it, and what the mathematics leads one to expect.

    `predicted` is never looked at by `decide`: a test compares the two.
    """

    key: str
    sentence: str
    source: str
    experiments: Experiments
    shown: str  # the key of the experiment that a link opens
    page: str  # the URL path of the page that shows it; "" is the overview
    measure: Callable[[Experiments, int], Measured]
    rule: Callable[[Measured], str]  # holds, conditional or fails
    unit: str  # what the value is, in words
    seeds: int
    predicted: str
    conditions: Mapping[str, str]  # verdict -> when, in words, with the measured numbers in braces


@dataclass(frozen=True)
class Verdict:
    """verdict: holds, conditional or fails; value and its 95 % interval over the seeds; the condition in words."""

    verdict: str
    value: float
    interval: tuple[float, float]
    seeds: int
    condition: str


def decide(claim: Claim) -> Verdict:
    """Run the claim's experiments and judge what comes out."""
    measured = claim.measure(claim.experiments, claim.seeds)
    verdict = claim.rule(measured)
    low, high = measured.interval
    condition = claim.conditions[verdict].format(value=measured.value, low=low, high=high, seeds=claim.seeds,
                                                 **measured.numbers)
    condition = MINUS.sub("\N{MINUS SIGN}", PERCENT.sub("\N{NO-BREAK SPACE}%", condition))
    return Verdict(verdict, measured.value, measured.interval, claim.seeds, condition)


def per_seed(measure: Callable[[Run], np.ndarray], experiment: Experiment, seeds: int) -> np.ndarray:
    """measure(run) of every seed, (seeds,): other draws on one data set or, for the full batch, other data sets."""
    if experiment.full_batch:
        runs = [simulate(replace(experiment, data_seed=experiment.data_seed + k)) for k in range(seeds)]
    else:
        runs = [simulate(experiment, seeds)]
    return np.concatenate([measure(run) for run in runs])


def over_seeds(values: np.ndarray, **numbers: float) -> Measured:
    """The median of values (seeds,) with its interval, and among the numbers the `least` and the `most` of them.

    Infinite values (a level never reached) have their place in a median; ValueError where one is undefined.
    """
    values = np.asarray(values, float)
    if np.isnan(values).any():
        raise ValueError(f"values: {np.isnan(values).sum()} of {len(values)} seeds are undefined, "
                         "so the experiments need more steps or decide nothing")
    return Measured(float(np.median(values)), median_interval(values),
                    {"least": float(values.min()), "most": float(values.max()), **numbers})


def median_interval(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of the median from order statistics, which supposes no distribution; infinite values may occur.

    From the k-th smallest to the k-th largest, k the largest rank that a fair coin's tail of 2.5 % allows. Fewer than
    six values have no such rank: their whole range then, and of a single, exact value that value twice.
    """
    ordered, count = np.sort(values), len(values)
    tails = np.cumsum([math.comb(count, k) for k in range(count // 2 + 1)]) / 2**count
    rank = max(int((tails <= 0.025).sum()), 1)
    return float(ordered[rank - 1]), float(ordered[count - rank])


def path_ratios(run: Run) -> np.ndarray:
    """Length of the way to the optimum / straight line, (R,)."""
    return 1.0 / np.atleast_1d(path_efficiency(cut_tail(run.weights, run.optimum)))


def steps_to_goal(run: Run) -> np.ndarray:
    """Steps until the distance to the optimum is 1 % of the start's, (R,); infinite where it is not reached."""
    return np.atleast_1d(steps_to_tolerance(run.weights, run.optimum, 0.01, 0 if run.batches is None else SETTLED))


def steps_to_low_loss(run: Run) -> np.ndarray:
    """Steps until the excess loss is 1 % of the start's, (R,): fair between different parametrizations."""
    excess = run.excess_losses()
    return np.atleast_1d(steps_to_level(excess, 0.01 * excess[:, 0], 0 if run.batches is None else SETTLED))


def median_steps(experiment: Experiment, seeds: int, count: Callable[[Run], np.ndarray] = steps_to_goal) -> float:
    return float(np.median(per_seed(count, experiment, seeds)))


def always(measured: Measured) -> str:
    """Holds where the value is 1 for every seed."""
    return "holds" if measured.numbers["least"] >= 1 - 1e-9 else "fails"


def zigzags(measured: Measured) -> str:
    """For path ratios: holds where the interval lies beyond STRAIGHT, fails where it lies below."""
    low, high = measured.interval
    return "holds" if low > STRAIGHT else "fails" if high <= STRAIGHT else "conditional"
