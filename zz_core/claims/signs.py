"""Claims about the signs of gradients and updates."""
from dataclasses import replace

import numpy as np

from zz_core.claims.claim import Claim, Experiments, Measured, always, over_seeds, per_seed, steps_to_goal
from zz_core.experiment import Experiment
from zz_core.measures import unanimous, unanimous_by_chance
from zz_core.simulation import Run, simulate


def _share(vectors: np.ndarray) -> np.ndarray:
    """Share of vectors (R, T, D) whose components share a sign, (R,)."""
    return np.nanmean(unanimous(vectors), axis=1)


def gradients_share_sign(experiments: Experiments, seeds: int) -> Measured:
    """Share of a run's gradients whose components all have one sign."""
    raw = experiments["raw"]
    return over_seeds(per_seed(lambda run: _share(run.gradients()), raw, seeds),
                      chance=unanimous_by_chance(raw.dimensions))


def updates_share_sign(experiments: Experiments, seeds: int) -> Measured:
    """Share of a run's updates whose components all have one sign."""
    raw = experiments["raw"]
    return over_seeds(per_seed(lambda run: _share(run.updates()), raw, seeds),
                      chance=unanimous_by_chance(raw.dimensions))


def first_step_diagonal(experiments: Experiments, seeds: int) -> Measured:
    """|cosine| between the first update and the diagonal, and the share of one sign among all updates."""
    def cosine(run: Run) -> np.ndarray:
        first = run.weights[:, 1] - run.weights[:, 0]
        return np.abs(first.sum(axis=1)) / (np.linalg.norm(first, axis=1) * np.sqrt(first.shape[1]))

    later = per_seed(lambda run: _share(run.updates()), experiments["raw"], seeds)
    return over_seeds(per_seed(cosine, experiments["raw"], seeds), later=float(np.median(later)))


def flipped_features(experiments: Experiments, seeds: int) -> Measured:
    """Steps to 1 % with the sign of every second feature flipped / as they are, with the same draws.

    Flipping is a reflection of weight space: it must change nothing but the signs.
    """
    raw = simulate(experiments["raw"], seeds)
    flips = np.where(np.arange(raw.inputs.shape[1]) % 2, -1.0, 1.0)
    flipped = simulate(experiments["raw"], seeds, data=(raw.inputs * flips, raw.targets))
    return over_seeds(steps_to_goal(flipped) / steps_to_goal(raw), same_raw=float(_share(raw.gradients()).mean()),
                      same_flipped=float(_share(flipped.gradients()).mean()))


def _signs_matter(measured: Measured) -> str:
    """Fails where other signs leave the number of steps as it is; holds where they shorten the run."""
    low, high = measured.interval
    return "holds" if high < 0.9 else "fails" if low > 0.9 else "conditional"


WIDE, PLANE = Experiment(dimensions=8), Experiment(steps=400)
CLAIMS = (
    Claim(
        "same-sign", "If all inputs of a neuron are positive, the gradients of all its weights have the same sign.",
        "CS231n notes, neural networks 1", {"raw": WIDE}, "raw", "gradient-signs", gradients_share_sign, always,
        "share of single-sample gradients with one sign, median over the seeds", 50, "holds", {
            "holds": "For one sample at a time: its slope ∂L/∂f multiplies every input. By chance the share would be "
                     "{chance:.1%}. An input that is exactly zero leaves its weight unmoved.",
            "fails": "Only {value:.0%} of the gradients have one sign, with inputs of both signs or batches."}),
    Claim(
        "north-east-or-south-west", "In two dimensions a step goes north-east or south-west only.",
        "a discussion of the CS231n notes", {"raw": PLANE}, "raw", "trajectories", updates_share_sign, always,
        "share of updates with one sign, median over the seeds", 50, "holds", {
            "holds": "For plain gradient descent on one sample a step. By chance the share would be {chance:.0%}.",
            "fails": "Only {value:.0%} of the updates have one sign; by chance it would be {chance:.0%}."}),
    Claim(
        "momentum-keeps-directions", "In two dimensions a step goes north-east or south-west only, with momentum too.",
        "folklore: the sentence on plain gradient descent, carried over",
        {"raw": replace(PLANE, optimizer="momentum")}, "raw", "trajectories", updates_share_sign,
        always, "share of updates with one sign, median over the seeds", 50, "fails", {
            "holds": "No update of any run mixed signs.",
            "fails": "The gradients still share their sign, but the velocity sums steps along different samples, and "
                     "{value:.0%} of the updates have one sign."}),
    Claim(
        "adam-first-step", "Adam's first step goes exactly along the diagonal.",
        "folklore: the sentence on plain gradient descent, carried over",
        {"raw": replace(PLANE, optimizer="adam", learning_rate=0.05)}, "raw", "trajectories", first_step_diagonal,
        always, "|cosine| of the first update with the diagonal, median over the seeds", 50, "holds", {
            "holds": "Adam divides each component by its own size, so a first gradient of one sign becomes the "
                     "diagonal. Later steps are free: {later:.0%} of all updates have one sign.",
            "fails": "The least |cosine| with the diagonal is {least:.2f}: the first gradient has mixed signs."}),
    Claim(
        "signs-are-the-cause", "Training is slow because the gradients of the weights share their sign.",
        "folklore", {"raw": PLANE}, "raw", "gradient-signs", flipped_features, _signs_matter,
        "steps with every second feature's sign flipped / steps as it is, median over the seeds", 20, "fails", {
            "holds": "Flipping every second feature's sign takes {value:.2f} times the steps.",
            "conditional": "Flipping every second feature's sign takes {value:.2f} times the steps, [{low:.2f}, "
                           "{high:.2f}].",
            "fails": "Flipping every second feature's sign lowers the share of gradients with one sign from "
                     "{same_raw:.0%} to {same_flipped:.0%} and takes {value:.2f} times the steps: the path is "
                     "mirrored. The cause is the inputs' mean, which the flip leaves as large."}),
)
