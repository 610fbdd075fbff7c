"""The questions that pages ask before they tell, each answered by the runs on the screen."""
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zz_core import Experiment, Run
from zz_core.activations import sigmoid_slope
from zz_core.batching import BatchSweep
from zz_core.measures import cut_tail, reversal_rate
from zz_core.network import NetworkRun
from zz_core.remedies.race import Lane
from zz_core.saturation import SaturationSweep
from zz_core.summary import summarize
from zz_view import page, runs
from zz_view.predict import Question

NEARLY = 0.9  # of the stability limit: far into the zone where steps overshoot
START = 4  # bias at which saturation is asked about
ALIKE = 1.25  # a factor up to which two numbers of steps count as about the same


def _walked(run: Run) -> int:
    """The steps of the first replicate up to its arrival within a thousandth, or to its divergence."""
    path = run.weights[0] if run.optimum is None else cut_tail(run.weights, run.optimum)[0]
    return max(int(np.isfinite(path).all(axis=-1).sum()) - 1, 0)


def changes_of_sign(run: Run) -> tuple[int, int]:
    """How often the mean residual of a step has another sign than the one before, and of how many steps."""
    with np.errstate(invalid="ignore"):
        signs = np.sign(run.residuals()[0, : _walked(run)].mean(axis=-1))
    signs = signs[np.isfinite(signs) & (signs != 0)]
    return int((signs[1:] != signs[:-1]).sum()), max(len(signs) - 1, 0)


def both_down(run: Run, name: str) -> Question:
    """"The outputs are always positive, so how can both weights decrease?\""""
    updates = run.updates()[0, : _walked(run)]
    down, steps = int((updates < 0).all(axis=-1).sum()), len(updates)
    options = ("In none", "In some", "In all")
    positive = bool((run.task.evaluated > 0).all())
    return Question(
        f"The {name} inputs {'are all positive' if positive else 'are not all positive'}. In how many of the steps do "
        "all weights go *down* at once?", options,
        None if not steps else options[0 if not down else 2 if down == steps else 1], f"in {down} of {steps} steps.",
        "A sample's gradient is its inputs times ∂L/∂f, the slope of the loss at the output. The inputs may all be "
        "positive; the slope has either sign: where the neuron answers too much, everything goes down.")


def same_sign_forever(run: Run, name: str) -> Question:
    """"The gradient is a vector, so there is no zig-zag.\""""
    changes, steps = changes_of_sign(run)
    share = changes / steps if steps else math.nan
    options = ("Never", "Now and then", "At every third step or more often")
    return Question(
        f"The gradient is a vector, and for one sample all its components share a sign. How often does that sign "
        f"change from one step of the {name} run to the next?", options,
        None if math.isnan(share) else options[0 if not changes else 1 if share < 1 / 3 else 2],
        f"{changes} times in {steps} steps.",
        "Shared *across* the components of one step does not mean the same *over* the steps. What the components share "
        "is the sign of one number, and each sample brings its own.")


def slope_of_a_loss(run: Run, name: str) -> Question:
    """"The loss is fixed, so its sign is fixed, so why zig-zag?\""""
    with np.errstate(invalid="ignore"):
        slopes = run.residuals()[0, : _walked(run)].mean(axis=-1)
    slopes = slopes[np.isfinite(slopes)]
    negative, steps, options = int((slopes < 0).sum()), len(slopes), ("In none", "In some", "In all")
    return Question(
        "The loss is never negative. In how many steps is its slope ∂L/∂f, which decides where all weights go, "
        "negative?", options,
        None if not steps else options[0 if not negative else 2 if negative == steps else 1],
        f"in {negative} of the {steps} steps of the {name} run.",
        "The loss has one sign, its slope does not. For the squared loss the slope is f − y, what the neuron says "
        "minus what it should: one sample finds it too much, the next too little.")


def what_a_batch_saves(raw: BatchSweep, name: str) -> Question:
    """Steps of the full batch beside those of one sample, at the same fraction of each limit."""
    first, last = (float(np.median(raw.steps[k])) for k in (0, -1))
    known = math.isfinite(first) and math.isfinite(last) and last > 0
    options, factor = ("10 times or more", "2 to 10 times", "Less than 2 times"), first / last if known else math.nan
    return Question(
        f"One sample a step, or all {raw.batch_sizes[-1]}. How many times fewer steps does the full batch need on "
        f"{name} inputs?", options, None if not known else options[0 if factor >= 10 else 1 if factor >= 2 else 2],
        f"{page.count(first)} steps with one sample, {page.count(last)} with all"
        + (f": {page.two_digits(factor, 'x')} fewer." if known else "."),
        "A full-batch step costs as many gradients as there are samples. It straightens the path and calms it; the "
        "valley stays as narrow, and its flat direction as slow.")


def straight_along_the_mean(experiment: Experiment) -> Question | None:
    """The north-east exception: no zig-zag from the signs, but one from the step length. None where its full batch is
    more than one visitor gets, though the page's own run is not."""
    asked = replace(experiment, target_angle=0.0, batch_size=experiment.rows, optimizer="sgd",
                    rate_unit="critical", learning_rate=NEARLY)
    if not runs.affordable(asked):
        return None
    run = runs.get(asked)
    options = ("No, the target is in the cone", "Yes, to and fro along the mean")
    back = float(reversal_rate(run.weights if run.optimum is None else cut_tail(run.weights, run.optimum))[0])
    ratio = float(summarize(run).path_ratio[0])
    return Question(
        f"Turn the target to 0°, straight along the mean, where one-sign steps need no detour. Full batch, "
        f"{NEARLY:g} of the stability limit. Does the path zig-zag?", options,
        None if math.isnan(back) else options[int(back > 0.5)],
        f"{page.percent(back)} of the steps turn back on the one before; the path is "
        f"{page.two_digits(ratio, 'x')} the straight line.",
        "Past half of the limit every step along the steepest direction overshoots, and all weights must come back "
        "together. This zig-zag comes from the step length, and no sign is to blame.")


def mean_or_saturation(sweep: SaturationSweep, names: tuple[str, str]) -> Question:
    """What a saturated start adds beside what the inputs' mean adds, with the squared loss."""
    at = int(np.flatnonzero(sweep.starts == START)[0])
    with np.errstate(invalid="ignore"):  # steps never reached are infinite
        mean = float(sweep.raw.steps[0] - sweep.twin.steps[0])
        wait = float(sweep.twin.steps[at] - sweep.twin.steps[0])
    options, known = ("The inputs' mean", "The saturated start", "About the same"), np.isfinite([mean, wait]).all()
    larger = 2 if max(mean, wait) < ALIKE * min(mean, wait) else 0 if mean > wait else 1
    return Question(
        f"Squared loss. What costs more steps: the {names[0]} inputs' mean, or a start at z₀ = {START}, where the "
        f"sigmoid's slope has {page.percent(4 * float(sigmoid_slope(START)))} of its height?", options,
        options[larger] if known else None,
        f"the mean adds {page.count(mean)} steps, the start {page.count(wait)}." if known else "one never arrives.",
        "A narrow valley multiplies the steps; a saturated start adds a wait that grows like e to the power of z₀. Far "
        "enough out the wait wins; move the start bias above to see where.")


def momentum_alone(lanes: Sequence[Lane]) -> Question | None:
    """Momentum beside doing nothing; None where one of them is not in the race."""
    found = {lane.key: lane for lane in lanes if not lane.why_not}
    if not {"nothing", "momentum"} <= set(found):
        return None
    nothing, momentum = (found[key].median for key in ("nothing", "momentum"))
    (low, high), (least, most) = (found[key].interval for key in ("nothing", "momentum"))
    overlap = least <= high and low <= most  # then these seeds do not tell the medians apart
    options = ("Faster", "About the same", "Slower")
    known = math.isfinite(nothing) or math.isfinite(momentum)
    place = 1 if overlap else 0 if ALIKE * momentum < nothing else 2 if momentum > ALIKE * nothing else 1
    each = found["nothing"].experiment.batch_size
    return Question(
        f"Momentum averages over steps. With {each} sample{'s' * (each > 1)} a step, each at its own best rate, is it "
        "faster than plain descent?", options, options[place] if known else None,
        f"{page.in_steps(momentum)} with momentum, {page.in_steps(nothing)} without"
        + (f"; their 95\N{NO-BREAK SPACE}% intervals, {page.count(least)} to {page.count(most)} and "
           f"{page.count(low)} to {page.count(high)}, overlap." if overlap and low < high else "."),
        "Momentum speeds up long, smooth valleys. Steps on a few samples are noisy, and it carries their noise along: "
        "the rate must be lower for it. The larger the batch, the more it gains.")


def last_layer(run: NetworkRun) -> Question:
    """Rows of the last layer that still have one sign when a batch is averaged."""
    size, rows = run.experiment.batch_size, run.unanimous_rows[..., -1]
    share = float(np.nanmean(rows)) if np.isfinite(rows).any() else math.nan
    options = ("Hardly any", "About half", "Nearly all")
    return Question(
        f"The last layer, over the whole training, {size} sample{'s' * (size > 1)} a step: how many rows of its "
        "gradient have one sign?", options,
        None if math.isnan(share) else options[0 if share < 0.2 else 1 if share < 0.8 else 2],
        f"{page.percent(share)} of them, on average over the steps.",
        "With positive inputs one sample gives every row one sign. A batch mixes them, unless a unit's residuals have "
        "a mean: then the batch's gradient is that mean times the inputs' mean, and the row has one sign again.")
