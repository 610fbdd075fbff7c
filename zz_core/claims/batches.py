"""Claims about adding the gradients of a batch."""
from dataclasses import replace
from functools import partial

import numpy as np

from zz_core.batching import mixed_sign_shares, regimes
from zz_core.claims.claim import Claim, Experiments, Measured, over_seeds, per_seed, steps_to_goal
from zz_core.experiment import Experiment
from zz_core.stability import condition, eigenvalues
from zz_core.task import build_task

DRAWS = 1500  # batches drawn per data set and batch size
CHANGE = 0.05  # a share that moves by less has not changed


def mixed_at(place: str, experiments: Experiments, seeds: int) -> Measured:
    """Mixed-sign share of the largest batch's gradients - of the small one's, at fixed weights, per data set.

    place: where those weights are, a key of `zz_core.batching.regimes`.
    """
    def shares(seed: int) -> list[float]:
        found = []
        for experiment in experiments.values():
            spot = regimes(replace(experiment, data_seed=experiment.data_seed + seed))[place]
            found.append(mixed_sign_shares(spot.experiment, spot.task, spot.weights, spot.offset,
                                           [experiment.batch_size], DRAWS, seed).share[0])
        return found

    table = np.array([shares(seed) for seed in range(seeds)])
    columns = dict(zip(experiments, table.T, strict=True))
    sizes = {f"{name}_size": experiment.batch_size for name, experiment in experiments.items()}
    return over_seeds(columns["large"] - columns["small"], **sizes,
                      **{name: float(np.median(column)) for name, column in columns.items()})


def _mixes(measured: Measured) -> str:
    """Holds where larger batches mix signs more often; conditional where only the first few samples do; else fails."""
    low, high = measured.interval
    if low > CHANGE:
        return "holds"
    still = -CHANGE <= low and high <= CHANGE
    return "conditional" if still and measured.numbers["small"] > measured.numbers["single"] + CHANGE else "fails"


def gap_by_batch(experiments: Experiments, seeds: int) -> Measured:
    """Steps raw / steps centered with the full batch; beside it on single samples, and the raw condition number."""
    single, full = (per_seed(steps_to_goal, experiments[f"{size}_raw"], seeds)
                    / per_seed(steps_to_goal, experiments[f"{size}_centered"], seeds) for size in ("single", "full"))
    raw = experiments["full_raw"]
    ones = over_seeds(single)
    return over_seeds(full, single=ones.value, single_low=ones.interval[0], single_high=ones.interval[1],
                      condition=condition(eigenvalues(raw, build_task(raw))))


def _closes_the_gap(measured: Measured) -> str:
    (low, high), numbers = measured.interval, measured.numbers
    if low > numbers["single_high"]:
        return "fails"
    return "holds" if high < numbers["single_low"] else "conditional"


BASE = Experiment(dimensions=8, samples=1024)
SIZES = {"single": BASE, "small": replace(BASE, batch_size=16), "large": replace(BASE, batch_size=512)}
SOON = {"single": BASE, "small": replace(BASE, batch_size=2), "large": replace(BASE, batch_size=64)}
RACE = replace(BASE, learning_rate=0.5, steps=600)
FULL = replace(RACE, batch_size=1024)
UNIT = "mixed-sign share of large batches minus that of small ones, median over the data sets"
WORDS = {
    "holds": "The share of batches with mixed signs is {single:.0%} for single samples, {small:.0%} for {small_size} "
             "and {large:.0%} for {large_size} of them.",
    "conditional": "From single samples to batches of {small_size} the share of mixed signs grows from {single:.0%} to "
                   "{small:.0%}, then it stays, {large:.0%} at {large_size}.",
    "fails": "The share of batches with mixed signs is {single:.0%} for single samples, {small:.0%} for {small_size} "
             "and {large:.0%} for {large_size} of them."}
SOURCE = "CS231n notes, neural networks 1"
CLAIMS = (
    Claim(
        "batch-signs-vary", "Added up over a batch, the gradients of the weights can differ in sign.",
        SOURCE, SIZES, "large", "batch-averaging", partial(mixed_at, "across"), _mixes, UNIT, 12, "holds",
        {**WORDS, "holds": "Where the error lies across the mean direction, toward a north-west target: "
                           "{single:.0%} of single samples, {small:.0%} of batches of {small_size} and {large:.0%} of "
                           "batches of {large_size} have mixed signs. Batches must be large for that, of the order "
                           "of the dimension × (m² + v)/v."}),
    Claim(
        "batch-mitigates-at-optimum", "The larger the batch, the rarer a shared sign, at the optimum too.",
        SOURCE + ", carried over to the end of a run", SIZES, "large", "batch-averaging", partial(mixed_at, "optimum"),
        _mixes, UNIT, 12, "conditional",
        {**WORDS, "conditional": WORDS["conditional"] + " Around the optimum averaging makes the gradient smaller "
                                                        "without changing the shape of its distribution."}),
    Claim(
        "batch-mitigates-along", "The larger the batch, the rarer a shared sign, with an error along the mean too.",
        SOURCE + ", carried over to errors along the mean", SOON, "large", "batch-averaging",
        partial(mixed_at, "along"), _mixes, UNIT, 12, "fails",
        {**WORDS, "fails": "Averaging uncovers the mean gradient, which lies along the mean here and has one sign: "
                           "{small:.0%} of batches of {small_size} have mixed signs, {large:.0%} of batches of "
                           "{large_size}."}),
    Claim(
        "batch-mitigates-slowness",
        "Adding up gradients over a batch mitigates the slowness that the inputs' mean causes.",
        SOURCE + ", read as a statement on speed",
        {"single_raw": RACE, "single_centered": replace(RACE, treatment="center"),
         "full_raw": FULL, "full_centered": replace(FULL, treatment="center")}, "full_raw", "batch-averaging",
        gap_by_batch, _closes_the_gap, "steps raw / steps zero-centered with the full batch, median over the seeds",
        20, "fails", {
            "holds": "Raw inputs take {value:.1f} times the steps of zero-centered ones with the full batch, and "
                     "{single:.1f} times on single samples.",
            "conditional": "Raw inputs take {value:.1f} times the steps of zero-centered ones with the full batch, and "
                           "{single:.1f} times on single samples: no clear difference.",
            "fails": "Raw inputs take {value:.0f} times the steps of zero-centered ones with the full batch, and only "
                     "{single:.1f} times on single samples: no batch changes the condition number, {condition:.0f} "
                     "here, and larger batches hide less of it."}),
)
