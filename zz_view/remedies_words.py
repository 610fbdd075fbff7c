"""The race in words: the answer, titles, the lane in focus, and the traps, as far as the runs bear them out."""
import math
from collections.abc import Sequence

import numpy as np

from zz_core import Experiment
from zz_core.remedies import REMEDIES, Lane, Traps
from zz_core.remedies.traps import BIAS_STEPS
from zz_view.page import percent, two_digits

NAMED = 4  # lanes that a sentence lists


def joined(words: Sequence[str], most: int = NAMED) -> str:
    kept = [*words[:most], *([f"{len(words) - most} more"] if len(words) > most else [])]
    return kept[0] if len(kept) == 1 else f"{', '.join(kept[:-1])} and {kept[-1]}"


def label(lane: Lane) -> str:
    return REMEDIES[lane.key].label


def in_text(lane: Lane) -> str:
    """The label within a sentence: names of people and methods keep their capitals."""
    words = label(lane)
    plain = {"nothing", "center", "standardize", "whiten", "batch_norm", "layer_norm", "input_bias", "bias", "momentum",
             "line_search", "decaying_rate", "larger_batch", "centered_sigmoid"}
    return words[0].lower() + words[1:] if lane.key in plain else words


def comparable(lanes: Sequence[Lane]) -> list[Lane]:
    """Those that reach the goal and not something else, fewest steps first."""
    return sorted((lane for lane in lanes if lane.reached and not lane.misses), key=lambda lane: lane.median)


def answer(lanes: Sequence[Lane], fraction: float | None) -> str:
    """One sentence or two: who is fastest, what centering does, what does not help."""
    plain = next(lane for lane in lanes if lane.key == "nothing")
    good = [lane for lane in comparable(lanes) if lane.key != "nothing"]
    rate = "each at its own best rate" if fraction is None else (
        f"all that have one at {two_digits(fraction)} of their stability limit")
    base = f"plain descent on raw inputs takes {plain.median:.0f}" if plain.reached else (
        f"plain descent on raw inputs does not arrive in {plain.horizon:,}")
    if not good:
        return f"**None of these remedies arrives**, {rate}; {base}."
    best = good[0]
    if plain.reached and best.median >= plain.median:
        return f"**Nothing to mend here**: {base}, and no remedy takes fewer steps, {rate}."
    as_fast = [lane for lane in good if lane.median <= 1.05 * best.median]
    alone = len(as_fast) == 1
    names = joined([in_text(lane) for lane in as_fast])
    words = [f"**{names[0].upper()}{names[1:]} take{'s' if alone else ''} {_steps(best.median)}** where {base}, "
             f"{rate}."]
    center = next((lane for lane in good if lane.key == "center"), None)
    if center is not None and center not in as_fast:
        words.append(f"Zero-centering takes {center.median:.0f}.")
    if plain.reached:
        slower = [lane for lane in lanes if lane.key != "nothing" and not lane.stuck and not lane.why_not
                  and not lane.misses and lane.median >= plain.median]
        if slower:
            counts = [f"{in_text(lane)} ({lane.median:.0f})" if lane.reached else f"{in_text(lane)} (not reached)"
                      for lane in sorted(slower, key=lambda lane: lane.median)]
            words.append(f"No faster than doing nothing: {joined(counts)}.")
    return " ".join(words)


def _steps(count: float) -> str:
    return "1 step" if count == 1 else f"{count:.0f} steps"


def dots_title(lanes: Sequence[Lane]) -> str:
    plain = next((lane for lane in lanes if lane.key == "nothing"), None)
    good = comparable(lanes)
    if not good:
        return "No lane has reached the goal"
    if plain is None or not plain.reached or good[0].key == "nothing":
        return f"{label(good[0])} arrives first, in {_steps(good[0].median)}"
    return f"{label(good[0])} needs {fewer(plain.median, good[0].median)} fewer steps than nothing"


def fewer(more: float, less: float) -> str:
    return two_digits(more / max(less, 1), "x")


def rates_title(lane: Lane) -> str:
    if lane.search is None:
        return f"{label(lane)} has no rate to search"
    search = lane.search
    if math.isinf(search.steps.min()):
        return f"{label(lane)} does not arrive at any rate"
    good = search.rates[search.steps <= 1.5 * search.steps.min()]
    return f"{label(lane)}: rates from {good.min():.2g} to {good.max():.2g} cost at most half as much again"


def losses_title(lanes: Sequence[Lane]) -> str:
    """First and last at the goal by the median loss, as the picture has it: it may touch the goal and leave again."""
    touched = sorted((int(lane.step_index[there[0]]), k) for k, lane in enumerate(lanes) if not lane.misses
                     and len(there := np.flatnonzero(lane.losses <= 1)))
    if len(touched) < 2:
        return "The loss on the way to the goal"
    (soonest, first), (latest, last) = touched[0], touched[-1]
    return f"{label(lanes[first])} touches the goal at step {soonest}, {in_text(lanes[last])} at {latest}"


def paths_title(lanes: Sequence[Lane]) -> str:
    ratios = {lane.key: float(np.nanmedian(lane.path_ratio)) for lane in lanes if np.isfinite(lane.path_ratio).any()}
    if not ratios:
        return "No lane has moved"
    best = min(ratios, key=ratios.get)
    if "nothing" in ratios and best != "nothing":
        return (f"{REMEDIES[best].label} walks {two_digits(ratios[best], 'x')} the straight line, "
                f"nothing {two_digits(ratios['nothing'], 'x')}")
    return f"{REMEDIES[best].label} walks {two_digits(ratios[best], 'x')} the straight line"


def spectrum_title(plain: Lane, lane: Lane) -> str:
    before, after = size(plain.condition), size(lane.condition)
    if lane.key == "nothing":
        return f"The curvatures of the raw loss: κ = {before}"
    if before == after and np.array_equal(plain.seen, lane.seen):
        return f"{label(lane)} leaves the curvatures alone: κ = {before}"
    return f"κ is {before} without, {after} with {in_text(lane)}"


def size(value: float) -> str:
    return two_digits(value) if abs(value) < 1e5 or not math.isfinite(value) else f"{value:.1e}"


def focus_words(lane: Lane) -> str:
    """The lane's two sentences, what this run measured, and how its loss compares with the others'."""
    remedy = REMEDIES[lane.key]
    words = [f"**{remedy.label}.** {remedy.what_it_changes} *Price:* {remedy.what_it_costs}"]
    if lane.stuck:
        return " ".join([*words, f"**Here it never moves**: {lane.stuck}."])
    found = (f"{lane.median:.0f} steps" if lane.reached else
             f"not reached by more than half of the seeds in {lane.horizon:,} steps")
    rate = _rate_words(lane)
    words.append(f"**Here:** {found}{rate}; {two_digits(float(np.nanmedian(lane.path_ratio)), 'x')} the straight line, "
                 f"{percent(float(np.nanmedian(lane.same_sign)))} of its gradients with one sign."
                 if np.isfinite(lane.path_ratio).any() and np.isfinite(lane.same_sign).any() else
                 f"**Here:** {found}{rate}.")
    if lane.diverged:
        words.append(f"{percent(lane.diverged)} of its seeds diverge.")
    return " ".join([*words, comparability(lane)]).strip()


def _rate_words(lane: Lane) -> str:
    spec = lane.experiment
    if lane.search is None and spec.optimizer == "steepest_descent":
        return ""
    return (f" at {spec.learning_rate:.2g} of the stability limit" if spec.rate_unit == "critical" else
            f" at rate {spec.learning_rate:.2g}")


def comparability(lane: Lane) -> str:
    """What to keep in mind where a lane changes the inputs' meaning or what can be learned; empty where it does not."""
    if lane.misses:
        return (f"What it cannot learn leaves {left(lane)} the zero-centered twin's starting excess loss for "
                "ever: its steps lead to its own optimum, not to the target.")
    if lane.key == "tanh":
        return (f"Its features spread more, so the same teacher starts it at {lane.start / 100:.1f} times the twin's "
                "excess loss; the goal is the same absolute loss.")
    if lane.key in ("standardize", "whiten", "batch_norm"):
        return "Its weights mean something else, so distances are not compared; its outputs can be the same."
    if lane.key in ("layer_norm", "rms_norm"):
        return (f"Another set of functions: its best leaves {percent(max(lane.floor, 0))} of the zero-centered twin's "
                "starting excess loss, and its own excess loss is counted from there.")
    return ""


def left(lane: Lane) -> str:
    """What its own optimum leaves, to be followed by what it is a part of."""
    return f"{percent(lane.floor)} of" if lane.floor < 2 else f"{two_digits(lane.floor)} times"


def trap_words(traps: Traps, experiment: Experiment) -> list[str]:
    """One item for each trap that can be shown on these inputs."""
    items = []
    if traps.batch_norm_moved == 0:
        items.append("**Batch norm on single samples does nothing at all.** A sample is its own mean, so zeros are "
                     "left of it: after 50 steps the weights have moved by exactly 0.")
    if math.isfinite(traps.layer_norm_left):
        across = (f", of one across it {percent(traps.layer_norm_left_across)}" if not experiment.uses_labels else "")
        items.append(f"**Layer norm never learns along the diagonal.** Its weights moved "
                     f"{_tiny(traps.layer_norm_moved)} that way in 50 steps. Of a target along the mean it leaves "
                     f"{percent(traps.layer_norm_left)} of the loss{across}.")
    if math.isfinite(traps.input_bias_left):
        items.append(f"**A bias per input does not learn to center.** After {BIAS_STEPS:,} steps, "
                     f"{percent(traps.input_bias_left)} of the inputs' mean is still there: the offsets follow the "
                     "mean residual, not the mean.")
    if math.isfinite(traps.adam_along):
        items.append(f"**Adam's first step on one sample is along the diagonal.** Its cosine with it is "
                     f"{traps.adam_along:.2f}, plain descent's {traps.plain_along:.2f}: dividing each weight's step by "
                     "its own size leaves the signs alone." if traps.adam_along > 0.999 else
                     "**Adam's first step has all components of one size**, but for zeros. Here there are zeros, or "
                     f"signs differ, so its cosine with the diagonal is {traps.adam_along:.2f}, plain descent's "
                     f"{traps.plain_along:.2f}.")
    if math.isfinite(traps.raw_condition) and math.isfinite(traps.centered_condition):
        before, after = traps.harmed
        items.append(f"**Centering without a bias is no theorem.** On these inputs κ goes from "
                     f"{size(traps.raw_condition)} to {size(traps.centered_condition)} without a bias, from "
                     f"{size(traps.raw_condition_with_bias)} to {size(traps.centered_condition_with_bias)} with one. "
                     f"With a bias it cannot grow; without, there are data sets of 16 samples where it goes from "
                     f"{size(before)} *up* to {size(after)}, because the mean was all that filled a direction.")
    return items


def _tiny(value: float) -> str:
    return "by nothing but rounding" if value < 1e-9 else f"by {value:.2g}"


def amount(operations: float) -> str:
    """A number of operations with two digits and a word."""
    if not math.isfinite(operations):
        return "not reached"
    for size_, word in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if operations >= size_:
            return f"{two_digits(operations / size_)}{word}"
    return f"{operations:.0f}"
