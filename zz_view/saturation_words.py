"""Saturation in words: titles, the verdict and the numbers, as far as the runs on the screen bear them out."""
import math
from collections.abc import Mapping

import numpy as np

from zz_core.activations import sigmoid_slope
from zz_core.saturation import AWAKE, SaturationSweep

SAVING = 1.1  # a factor that says that centering saves anything
ALIKE = 1.25  # a factor up to which steps count as no wait


def squared_title(sweep: SaturationSweep) -> str:
    start, last = sweep.break_even(), sweep.starts[-1]
    if math.isinf(sweep.twin.steps[0]):
        return f"Squared loss: not even from z₀ = 0 in {sweep.twin.given_up:,} steps"
    if math.isfinite(start):
        return f"Squared loss: from z₀ = {start:.1f} on, saturation is worse"
    if math.isinf(start):
        return f"Squared loss: up to z₀ = {last:g}, saturation is not worse"
    return "Squared loss: the wait grows exponentially with z₀"


def entropy_title(sweep: SaturationSweep, name: str) -> str:
    first, last = sweep.twin.steps[0], sweep.twin.steps[-1]
    if math.isinf(first):
        return f"Cross-entropy: not even from z₀ = 0 in {sweep.twin.given_up:,} steps"
    if math.isinf(last):
        return f"Cross-entropy: from z₀ = {sweep.starts[-1]:g}, {sweep.twin.given_up:,} steps are not enough"
    if last - first <= 0.25 * first:
        return f"Cross-entropy: no start bias slows {name} runs down"
    return "Cross-entropy: a start far out costs few steps"


def escape_title(sweep: SaturationSweep, names: tuple[str, str], index: int) -> str:
    start, wakes = sweep.starts[index], [escapes.wakes(index) for escapes in (sweep.raw, sweep.twin)]
    if start <= AWAKE:
        return f"From z₀ = {start:g} there is no plateau to leave"
    if not np.isfinite(wakes).all():
        return f"From z₀ = {start:g} the output stays on its plateau for {sweep.most_steps} steps"
    words = [f"{steps:.0f} steps {name}" for steps, name in zip(wakes, names, strict=True)]
    alike = max(wakes) <= 1.25 * min(wakes)
    return f"{'Both wait alike' if alike else 'They wait'} until z = 1: {words[0]}, {words[1]}"


def slope_title(start: float) -> str:
    share = 4 * float(sigmoid_slope(start))
    amount = f"{100 * share:.0f}\N{NO-BREAK SPACE}%" if share > 0.1 else f"{100 * share:.2g}\N{NO-BREAK SPACE}%"
    return f"At z = {start:g} the slope has {amount} of its full height"


def verdict(sweeps: Mapping[str, SaturationSweep], names: tuple[str, str]) -> str:
    """The answer, a part for each loss, as far as these runs bear it out."""
    parts = [_squared_verdict(sweeps["sigmoid_squared"], names[1]), _entropy_verdict(sweeps["logistic"], names[1])]
    return " ".join(filter(None, parts))


def _squared_verdict(sweep: SaturationSweep, twin: str) -> str:
    raw, other, start = sweep.raw.steps[0], sweep.twin.steps[0], sweep.break_even()
    factor = growth(sweep)
    each = f", and each further unit multiplies the wait by {factor:.1f}" if math.isfinite(factor) else ""
    if raw < SAVING * other:
        return (f"**Nothing to compare with here**: {twin} inputs save hardly a step ({raw:,.0f} raw, {other:,.0f} "
                f"{twin}){each}.")
    if math.isfinite(start):
        return (f"**Yes in deep saturation with squared loss**: from a start bias z₀ of **{start:.1f}** on, a {twin} "
                f"neuron takes longer than an unsaturated one on raw inputs ({raw:,.0f} steps, {twin} {other:,.0f})"
                f"{each}. **No below that.**")
    if math.isinf(start):
        return (f"**No, not up to a start bias of {sweep.starts[-1]:g}**: raw inputs cost {raw:,.0f} steps where "
                f"{twin} ones take {other:,.0f}, and saturation adds less than that{each}.")
    if not math.isfinite(other):
        return f"No comparison: even unsaturated, the {twin} run does not arrive within {sweep.twin.given_up:,} steps."
    return (f"**No, as far as can be seen here**: unsaturated, the raw run does not arrive within "
            f"{sweep.raw.given_up:,} steps, the {twin} one takes {other:,.0f}{each}.")


def _entropy_verdict(sweep: SaturationSweep, twin: str) -> str:
    first, last, end = sweep.twin.steps[0], sweep.twin.steps[-1], sweep.starts[-1]
    if not (math.isfinite(first) and math.isfinite(last)):
        return ""
    if last > ALIKE * first:
        return f"With cross-entropy the {twin} steps go from {first:.0f} to {last:.0f} up to z₀ = {end:g}."
    steps = f"stay at {first:.0f}" if last == first else f"go from {first:.0f} to {last:.0f}"
    return f"**With cross-entropy there is no such wait**: from z₀ = 0 to {end:g}, the {twin} steps {steps}."


def valley_sentence(sweep: SaturationSweep) -> str:
    """Raw runs change with the start bias even where nothing is saturated; empty where these do not."""
    first, last, twin = sweep.raw.steps[0], sweep.raw.steps[-1], sweep.twin.steps
    if not np.isfinite([first, last, *twin]).all() or abs(math.log(last / first)) < 0.1:
        return ""
    if abs(last - first) <= 2 * abs(twin[-1] - twin[0]):
        return ""
    far = "farther from" if last > first else "nearer to"
    return (f"The raw line of cross-entropy goes from {first:.0f} to {last:.0f} steps, and that is no saturation: a "
            f"start bias puts raw runs {far} the target along their valley's flat direction.")


def growth(sweep: SaturationSweep) -> float:
    """By what factor one more unit of start bias multiplies the twin's delay, over the last two that arrived."""
    delays = _added(sweep.twin.steps, sweep.twin.steps[0])
    there = np.flatnonzero(np.isfinite(delays))
    if len(there) < 3:
        return math.nan
    low, high = delays[there[-2]], delays[there[-1]]
    return float((high / low) ** (1 / (sweep.starts[there[-1]] - sweep.starts[there[-2]]))) if low >= 10 else math.nan


def numbers(sweeps: Mapping[str, SaturationSweep], names: tuple[str, str],
            index: int) -> list[tuple[str, str, str, str]]:
    """The row of numbers: label, value, comparison, help. The delay is that of start `index`."""
    squared, entropy = sweeps["sigmoid_squared"], sweeps["logistic"]
    start, twin = squared.starts[index], squared.twin
    even = ["not reached" if math.isinf(sweep.raw.steps[0]) else _break_even(sweep.break_even(), sweep.starts[-1])
            for sweep in (squared, entropy)]
    return [
        (f"Steps raw / {names[1]}, from z₀ = 0", _ratio(squared.raw.steps[0], twin.steps[0]),
         f"predicted {_ratio(squared.raw.predicted[0], twin.predicted[0])}, "
         f"from {start:g}: {_ratio(squared.raw.steps[index], twin.steps[index])}",
         "What the shape of the valley costs, with squared loss. Predicted from the loss linearized at its optimum."),
        (f"Wait added by z₀ = {start:g}", _steps(_added(twin.steps[index], twin.steps[0])),
         f"predicted {twin.delays[index]:.0f}, "
         f"cross-entropy {_steps(_added(entropy.twin.steps[index], entropy.twin.steps[0]))}",
         f"Steps more than from 0, squared loss, {names[1]}. Predicted: the time of the escape divided by K."),
        ("Break-even start bias", even[0],
         f"predicted {_break_even(squared.break_even(predicted=True), squared.starts[-1])}, cross-entropy {even[1]}",
         f"From here a saturated {names[1]} neuron takes as long as an unsaturated raw one.")]


def _ratio(over: float, under: float) -> str:
    if not (math.isfinite(over) and math.isfinite(under)):
        return "not reached"
    ratio = over / max(under, 1)
    return f"{ratio:.0f}x" if ratio >= 9.95 else f"{ratio:.1f}x" if ratio >= 0.995 else f"{ratio:.2g}x"


def _added(steps: np.ndarray | float, base: float) -> np.ndarray | float:
    """Steps beyond `base`; infinite where either was not reached."""
    return np.subtract(steps, base) if math.isfinite(base) else np.full(np.shape(steps), np.inf)


def _steps(more: float) -> str:
    return f"{more:+.0f}".replace("-", "−").replace("+0", "0") if math.isfinite(more) else "not reached"


def _break_even(start: float, end: float) -> str:
    return "none" if math.isnan(start) else f"beyond {end:g}" if math.isinf(start) else f"{start:.1f}"
