"""The four sentences of the overview, as far as the runs on the screen bear them out."""
import math
from typing import NamedTuple

from zz_view.page import in_steps, percent, size, two_digits

STRAIGHT = 1.1  # a path ratio up to here looks like a straight line
BENT = 1.2


class Measured(NamedTuple):
    """What four runs came to: (raw, twin) with few samples a step, then (raw, twin) with the full batch."""

    raw: str  # names of the inputs
    twin: str
    each: str  # "1 sample a step"
    path_ratio: tuple[float, float, float, float]
    same_sign: tuple[float, float, float, float]
    steps: tuple[float, float, float, float]
    condition: tuple[float, float]  # largest / smallest eigenvalue of H, raw and twin
    chance: float
    smallest: float  # of the raw inputs
    largest: float


def takeaways(measured: Measured) -> list[str]:
    """Four sentences in Markdown. A headline is only given where these runs show it; the numbers are given always."""
    return [_one_sign(measured), _the_bend(measured), _the_batch(measured), _the_valley(measured)]


def _one_sign(m: Measured) -> str:
    sign = ("are all positive" if m.smallest > 0 else "are never negative, so all components but the zeros do"
            if m.smallest == 0 else "are all negative, which comes to the same" if m.largest < 0 else
            "are not all positive")
    counted = "there is no gradient to count" if math.isnan(m.same_sign[0]) else (
        f"{percent(m.same_sign[0])} of the gradients have one sign ({m.twin} {percent(m.same_sign[1])}, by chance "
        f"{percent(m.chance)})")
    return ("**One sample, one sign.** A sample's gradient is its inputs times one number, the slope of the loss "
            f"∂L/∂f. Where the inputs are all positive, all its components share a sign. Here the {m.raw} inputs "
            f"{sign}, and with {m.each} {counted}.")


def _the_bend(m: Measured) -> str:
    more = ", more than the signs ask for: its steps also overshoot" if m.path_ratio[0] > math.sqrt(2) else ""
    walked = "does not move" if math.isnan(m.path_ratio[0]) else f"walked {two_digits(m.path_ratio[0], 'x')}{more}"
    return ("**The signs bend the path, they do not block it.** Steps of one sign can reach every target: the shortest "
            f"way is at most √2 ≈ 1.4 times the straight line. With {m.each} the {m.raw} run {walked}.")


def _the_batch(m: Measured) -> str:
    full = "no path" if math.isnan(m.path_ratio[2]) else f"{two_digits(m.path_ratio[2], 'x')} the straight line"
    few = "no path" if math.isnan(m.path_ratio[0]) else two_digits(m.path_ratio[0], "x")
    numbers = (f"{m.raw.capitalize()} with the full batch: {full}, {in_steps(m.steps[2])}; with {m.each}: {few}, "
               f"{in_steps(m.steps[0])}.")
    unbent = m.path_ratio[2] < STRAIGHT and m.path_ratio[0] > BENT
    slow = m.steps[2] > m.steps[0] / 3
    if unbent and slow:
        return f"**The full batch removes the zig-zag, not the slowness.** {numbers}"
    return f"**The full batch {'removes the zig-zag' if unbent else 'changes less here'}.** {numbers}"


def _the_valley(m: Measured) -> str:
    numbers = (f"The valley is {size(m.condition[0])} times as steep along its steepest direction as along its "
               f"flattest ({m.twin} {size(m.condition[1])}), whatever the batch size. {m.twin.capitalize()}: "
               f"{in_steps(m.steps[1])} with {m.each}, {in_steps(m.steps[3])} with the full batch.")
    # two runs that both fail to arrive say nothing about which of them is faster
    faster = {how: m.steps[twin] < m.steps[raw] / 2 for how, raw, twin in ((m.each, 0, 1), ("the full batch", 2, 3))
              if math.isfinite(min(m.steps[raw], m.steps[twin]))}
    if not faster:
        headline = "Here no run arrives, so their steps cannot be compared"
    elif all(faster.values()):
        headline = "What is slow is the shape of the valley"
    elif any(faster.values()):
        headline = f"Here {m.twin} inputs are much faster with {max(faster, key=faster.get)} only"
    else:
        headline = f"Here {m.twin} inputs are not much faster"
    return f"**{headline}.** {numbers}"
