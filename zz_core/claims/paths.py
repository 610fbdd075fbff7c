"""Claims about paths: who zig-zags, on the way where, and with which rule."""
from dataclasses import replace

import numpy as np

from zz_core.claims.claim import (
    STRAIGHT,
    Claim,
    Experiments,
    Measured,
    median_steps,
    over_seeds,
    path_ratios,
    per_seed,
    zigzags,
)
from zz_core.experiment import Experiment
from zz_core.measures import unanimous
from zz_core.simulation import Run
from zz_core.stability import condition, eigenvalues, row_space
from zz_core.task import build_task
from zz_core.theory import cone_detour, planar_cone_detour

SINGLE_SEEDS = 20  # beside the exact full-batch runs
ROUNDING = 1e-9  # errors below this share of the start's are rounding, and their signs say nothing


def raw_path(experiments: Experiments, seeds: int) -> Measured:
    """Path ratio on raw inputs; beside it the centered twin's, and the steps of both."""
    raw, centered = experiments["raw"], experiments["centered"]
    return over_seeds(per_seed(path_ratios, raw, seeds),
                      centered=float(np.median(per_seed(path_ratios, centered, seeds))),
                      steps=median_steps(raw, seeds), centered_steps=median_steps(centered, seeds))


def beyond_the_signs(experiments: Experiments, seeds: int) -> Measured:
    """Path taken / shortest path of same-sign steps; beside it the shortest along the samples themselves (D = 2)."""
    task = build_task(experiments["raw"])
    signs, taken = float(cone_detour(task.optimum - task.start)), per_seed(path_ratios, experiments["raw"], seeds)
    return over_seeds(taken / signs, signs=signs, samples=planar_cone_detour(task.inputs, task.optimum - task.start),
                      taken=float(np.median(taken)))


def _signs_explain(measured: Measured) -> str:
    """Holds where the path is as short as same-sign steps can make it, but for STRAIGHT."""
    low, high = measured.interval
    return "holds" if high <= STRAIGHT else "fails" if low > STRAIGHT else "conditional"


def north_east_path(experiments: Experiments, seeds: int) -> Measured:
    """Path ratio to a north-east target with long steps; beside it with calm ones, and on one sample a step."""
    long = experiments["long"]
    values = eigenvalues(long, build_task(long))
    return over_seeds(per_seed(path_ratios, long, seeds), condition=condition(values),
                      calm=float(per_seed(path_ratios, experiments["calm"], seeds).max()),
                      single=float(np.median(per_seed(path_ratios, experiments["single"], SINGLE_SEEDS))))


def _exception(measured: Measured) -> str:
    if measured.numbers["calm"] > STRAIGHT:
        return "fails"
    return "conditional" if measured.interval[1] > STRAIGHT else "holds"


def crossings(run: Run) -> np.ndarray:
    """Of the errors along the curvature's axes, (R, T, D), which changed sign in each step; rounding left out."""
    _, axes = row_space(run.inputs)
    error = (run.weights - run.optimum) @ axes.T
    kept = np.abs(error) > ROUNDING * np.linalg.norm(error[:, :1], axis=-1, keepdims=True)
    return (error[:, 1:] * error[:, :-1] < 0) & kept[:, 1:] & kept[:, :-1]


def overshoot(experiments: Experiments, seeds: int) -> Measured:
    """Share of steps that jump over the optimum along the steepest axis, in which all weights move alike."""
    def share(run: Run) -> np.ndarray:
        return crossings(run)[..., 0].mean(axis=1)

    together = per_seed(lambda run: np.nanmean(unanimous(run.updates()), axis=1), experiments["long"], seeds)
    return over_seeds(per_seed(share, experiments["long"], seeds), together=float(np.median(together)),
                      short=float(per_seed(share, experiments["short"], seeds).max()))


def _overshoots(measured: Measured) -> str:
    if measured.numbers["most"] == 0:
        return "fails"
    return "holds" if measured.numbers["least"] == 1 and measured.numbers["short"] == 0 else "conditional"


def line_search(experiments: Experiments, seeds: int) -> Measured:
    """Path ratio of steepest descent on centered, correlated data; beside it on raw and on whitened data."""
    def conditions(run: Run) -> np.ndarray:
        return np.array([condition(eigenvalues(run.experiment, run.task))])

    medians = {name: float(np.median(per_seed(path_ratios, experiments[name], seeds))) for name in ("raw", "whitened")}
    return over_seeds(per_seed(path_ratios, experiments["centered"], seeds), **medians,
                      condition=float(np.median(per_seed(conditions, experiments["centered"], seeds))))


def _valley(measured: Measured) -> str:
    """Holds where it zig-zags on both narrow valleys and not on the round one."""
    narrow = measured.interval[0] > STRAIGHT and measured.numbers["raw"] > STRAIGHT
    if not narrow:
        return "fails"
    return "holds" if measured.numbers["whitened"] <= STRAIGHT else "conditional"


def curvature_rules(experiments: Experiments, seeds: int) -> Measured:
    """Share of steps in which any axis' error changes sign, the larger of the two rules; beside it plain descent's."""
    def share(run: Run) -> np.ndarray:
        return crossings(run).any(axis=-1).mean(axis=1)

    rules = [per_seed(share, experiments[name], seeds) for name in ("gauss_newton", "levenberg_marquardt")]
    return over_seeds(np.maximum(*rules), plain=float(np.median(per_seed(share, experiments["plain"], seeds))))


def _never_alternates(measured: Measured) -> str:
    if measured.numbers["plain"] == 0:
        return "conditional"  # nothing zig-zags here, so not doing it is no merit
    return "holds" if measured.numbers["most"] == 0 else "fails"


def one_sample_rules(experiments: Experiments, seeds: int) -> Measured:
    """Share of updates with mixed signs, the larger of the two rules' shares of each seed."""
    rules = [per_seed(lambda run: 1 - np.nanmean(unanimous(run.updates()), axis=1), experiments[name], seeds)
             for name in ("gauss_newton", "levenberg_marquardt")]
    return over_seeds(np.maximum(*rules))


def _escapes(measured: Measured) -> str:
    return "fails" if measured.numbers["most"] == 0 else "holds" if measured.interval[0] > 0 else "conditional"


SINGLE = Experiment(steps=400)
FULL = Experiment(samples=1024, batch_size=1024, learning_rate=0.9, steps=200)
FACTORIAL = Experiment(inputs="factorial", dimensions=8, batch_size=256, target_angle=0.0, steps=400)
# 2 / (l1 + lD) as a fraction of the limit 2 / l1, for the condition number 33 of these inputs: the fastest rate
FASTEST = 33 / 34
WIDE = Experiment(dimensions=8, batch_size=256, target_angle=15.0, steps=12)
WINE = Experiment(inputs="wine", dimensions=3, samples=120, batch_size=120, optimizer="steepest_descent",
                  target_angle=45.0, steps=100)
CURVED = replace(WIDE, target_angle=45.0, learning_rate=1.0, rate_unit="absolute", steps=30)
CLAIMS = (
    Claim(
        "north-west-single", "A target in the north-west is reached by zig-zag, one sample at a time.",
        "a discussion of the CS231n notes",
        {"raw": SINGLE, "centered": replace(SINGLE, treatment="center")}, "raw", "trajectories", raw_path, zigzags,
        "path / straight line, median over the seeds", 50, "holds", {
            "holds": "On single samples the path is {value:.1f} times the straight line, and {centered:.1f} times with "
                     "zero-centered inputs ({steps:.0f} steps against {centered_steps:.0f}): shorter and smoother "
                     "then, but not straight.",
            "conditional": "The path is {value:.2f} times the straight line, [{low:.2f}, {high:.2f}].",
            "fails": "The path is {value:.2f} times the straight line."}),
    Claim(
        "north-west-full-batch", "A target in the north-west is reached by zig-zag, with the full batch too.",
        "a discussion of the CS231n notes, carried over to the full batch",
        {"raw": FULL, "centered": replace(FULL, treatment="center", learning_rate=0.5)}, "raw", "trajectories",
        raw_path, zigzags, "path / straight line, median over the seeds", 20, "fails", {
            "holds": "The path is {value:.1f} times the straight line.",
            "conditional": "The path is {value:.2f} times the straight line, [{low:.2f}, {high:.2f}].",
            "fails": "The full batch goes straight, {value:.2f} times the straight line, and is slow: {steps:.0f} "
                     "steps against {centered_steps:.0f} with zero-centered inputs. The valley is narrow, but the "
                     "error lies along its floor."}),
    Claim(
        "signs-make-the-path-long", "It is the shared sign that makes the way to a north-west target so long.",
        "folklore", {"raw": SINGLE}, "raw", "geometry", beyond_the_signs, _signs_explain,
        "path / shortest path of same-sign steps, median over the seeds", 50, "fails", {
            "holds": "The path is no longer than steps of one sign must make it.",
            "conditional": "The path is {value:.2f} times what steps of one sign need, [{low:.2f}, {high:.2f}].",
            "fails": "Steps of one sign need {signs:.2f} times the straight line, never more than √2 in any "
                     "dimension, and steps along these samples {samples:.2f} times; the run takes {taken:.1f} times. "
                     "The rest is the to and fro of single samples in a narrow valley."}),
    Claim(
        "north-east-exception", "Isn't that a special case? Toward the north-east there is no zig-zag.",
        "a comment in a discussion of the CS231n notes",
        {"long": replace(FACTORIAL, learning_rate=FASTEST), "calm": replace(FACTORIAL, learning_rate=0.5),
         "single": replace(SINGLE, target_angle=0.0)}, "long", "trajectories", north_east_path, _exception,
        "path / straight line at the full batch's fastest rate for all targets, exact", 1, "conditional", {
            "holds": "The path is straight, at long steps too.",
            "conditional": "Signs do not forbid the straight line, and up to half the stability limit the full batch "
                           "takes it ({calm:.2f} times). With longer steps it zig-zags here, too: {value:.0f} times "
                           "the straight line, as much as the condition number, {condition:.0f}, allows. Single "
                           "samples take {single:.1f} times.",
            "fails": "Even calm steps take {calm:.2f} times the straight line."}),
    Claim(
        "overshoot-together", "With too long a step all weights overshoot together and must come back together.",
        "a comment in a discussion of the CS231n notes",
        {"long": replace(WIDE, learning_rate=0.9), "short": replace(WIDE, learning_rate=0.45)}, "long",
        "trajectories", overshoot, _overshoots,
        "share of steps that jump over the optimum along the steepest axis, median over the seeds", 20, "holds", {
            "holds": "Too long means beyond half the stability limit: there every step jumps over along the steepest "
                     "axis, and {together:.0%} of the updates have one sign; below it none jumps.",
            "conditional": "{value:.0%} of the long steps jump over, and at most {short:.0%} of the short ones.",
            "fails": "No step jumps over the optimum."}),
    Claim(
        "narrow-valley", "It is what steepest descent does in a narrow valley.",
        "a comment in a discussion of the CS231n notes",
        {"raw": WINE, "centered": replace(WINE, treatment="center"), "whitened": replace(WINE, treatment="whiten")},
        "centered", "trajectories", line_search, _valley,
        "path / straight line with exact line search on zero-centered wine data, median over the seeds", 20, "holds", {
            "holds": "So the mean is one cause among others: correlated data that are zero-centered, condition number "
                     "{condition:.0f}, take {value:.2f} times the straight line, raw ones {raw:.2f}, whitened ones "
                     "{whitened:.2f}.",
            "conditional": "It zig-zags on whitened data as well, {whitened:.2f} times the straight line.",
            "fails": "Zero-centered data take {value:.2f} times the straight line, raw ones {raw:.2f}."}),
    Claim(
        "curvature-full-batch", "Gauss-Newton and Levenberg-Marquardt do not zig-zag.",
        "a comment in a discussion of the CS231n notes",
        {"gauss_newton": replace(CURVED, optimizer="gauss_newton", learning_rate=0.5),
         "levenberg_marquardt": replace(CURVED, optimizer="levenberg_marquardt"),
         "plain": replace(CURVED, rate_unit="critical", learning_rate=0.75)}, "levenberg_marquardt", "trajectories",
        curvature_rules, _never_alternates,
        "share of steps in which the error along any axis changes sign, median over the seeds", 20, "holds", {
            "holds": "For the squared loss, the full batch and rates up to one: no axis' error ever changes sign. "
                     "Plain descent does it in {plain:.0%} of its steps.",
            "conditional": "Plain descent does not alternate here either.",
            "fails": "In up to {most:.0%} of the steps the error along some axis changes sign."}),
    Claim(
        "curvature-single-sample", "Gauss-Newton and Levenberg-Marquardt escape the shared sign on single samples too.",
        "a comment in a discussion of the CS231n notes, carried over to single samples",
        {"gauss_newton": Experiment(dimensions=8, optimizer="gauss_newton", learning_rate=0.5),
         "levenberg_marquardt": Experiment(dimensions=8, optimizer="levenberg_marquardt", learning_rate=0.5)},
        "levenberg_marquardt", "trajectories", one_sample_rules, _escapes,
        "share of updates with mixed signs, median over the seeds", 20, "fails", {
            "holds": "{value:.0%} of the updates have mixed signs.",
            "conditional": "Up to {most:.0%} of the updates have mixed signs.",
            "fails": "The curvature of one sample points along that sample, so the step keeps the gradient's "
                     "direction. Curvature helps only when it is averaged over samples."}),
)
