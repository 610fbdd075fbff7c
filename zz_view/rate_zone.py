"""One line under the learning rate: the zone it lies in, and the absolute rate."""
from collections.abc import Mapping

import streamlit as st

from zz_core import Experiment
from zz_core.experiment import ignored_fields
from zz_core.optimizers import OPTIMIZERS
from zz_core.specs import Value
from zz_view import runs

GOOD_START = 0.05  # for rules that divide each weight's step by the size of its gradients
CALM, LIMIT = 0.5, 1.0  # fractions of the stability limit


def rate_zone(values: Mapping[str, Value]) -> None:
    """Draw the line; nothing where the page itself is about to say that the experiment is impossible or too large."""
    try:
        experiment = Experiment(**values)
        if runs.affordable(experiment):
            st.markdown(f":small[{zone_words(experiment)}]")
    except ValueError:
        pass  # the page says it


def zone_words(experiment: Experiment) -> str:
    """The zone in words; ValueError where the task cannot be built."""
    optimizer, rate = OPTIMIZERS[experiment.optimizer], experiment.learning_rate
    if "learning_rate" in ignored_fields(experiment):
        return f":gray[:material/straighten:] {optimizer.label} finds its own step length."
    if optimizer.needs_batch:
        return f":gray[:material/straighten:] An absolute rate: {optimizer.label} takes **{rate:g}** of its full step."
    if not optimizer.critical:
        return (f":gray[:material/straighten:] An absolute rate: {optimizer.label} has no stability limit. "
                f"**{GOOD_START}** is a good start.")
    limit = runs.limit(experiment)
    absolute = experiment.rate_unit == "absolute"
    fraction = rate / limit if absolute else rate
    words = zone(fraction, _calm(experiment))
    inputs = runs.twin_names(experiment)[experiment.treatment != "none"]
    if absolute:
        return f"{words} {100 * fraction:.2g} % of the stability limit {limit:.3g} of {inputs} inputs."
    return f"{words} On {inputs} inputs the rate is {fraction * limit:.3g}, the limit {limit:.3g}."


def zone(fraction: float, calm: str = "no overshoot") -> str:
    """The zone of a rate that is this fraction of the stability limit; `calm` says what that means for the run."""
    if fraction < CALM:
        return f":green[:material/check_circle: **Calm:** {calm}.]"
    if fraction <= LIMIT:
        return ":yellow[:material/show_chart: **Zig-zag:** steps begin to overshoot.]"
    return ":red[:material/warning: **Can diverge:** beyond the limit.]"


def _calm(experiment: Experiment) -> str:
    if "momentum" in OPTIMIZERS[experiment.optimizer].uses:
        return "but momentum may swing past"
    if experiment.full_batch:
        return "no overshoot"
    return "a zig-zag comes from single samples, not from overshoot"
