"""What the Geometry page says: its answer, its numbers, and the sentences for what cannot be drawn."""
import numpy as np
import streamlit as st

from zz_core import Run
from zz_core.geometry import Curvature, RateMap
from zz_core.stability import stability_limit
from zz_core.summary import Summary
from zz_view import page, runs
from zz_view.page import size

MOST_VALUES = 2**20  # numbers in the inputs that a sweep takes


def answer(mean: float, run: Run, curvature: Curvature, summary: Summary, one_sign: float) -> str:
    """The page's sentence: how far the mean is from zero, what that makes of the valley, and what the run does."""
    if np.isnan(mean):
        parts = ["The inputs have no spread"]
    elif abs(mean) < 1e-6:
        parts = ["The mean of the inputs is zero"]
    else:
        parts = [f"The mean of the inputs lies **{size(abs(mean))} standard deviations** from zero"]
    if np.isfinite(curvature.condition) and len(curvature.eigenvalues) > 1:
        parts.append(f" and the valley is **{size(curvature.condition, 'x')}** as steep along one axis as along "
                     "another")
    if run.diverged_at[0] >= 0:
        parts.append("; this run leaves it")
    elif np.isnan(summary.path_ratio[0]):
        parts.append("; the weights do not move")
    else:
        parts.append(f"; this path is {page.lengths(summary.path_ratio[0])}")
        if np.isfinite(one_sign):
            parts.append(f", where steps of one sign could manage with **{size(one_sign, 'x')}**")
    return "".join(parts) + "."


def notes(run: Run) -> None:
    """What has to be known before the picture: a divergence, or a run that cannot move."""
    experiment = run.experiment
    if run.diverged_at[0] >= 0:
        times = run.learning_rate / stability_limit(experiment, run.task)
        at_limit = "" if np.isnan(times) else f" (now {times:.2g} times the stability limit of these inputs)"
        # a fraction of the limit stays the same fraction wherever the mean lies
        move = "" if experiment.rate_unit == "critical" and not np.isnan(times) else " or move the mean toward zero"
        st.warning(f"The run diverges at step {run.diverged_at[0]}: lower the learning rate{at_limit}{move}.",
                   icon=":material/warning:")
    runs.note_lone_batch_norm(experiment)


def shift_note(treatment: str) -> None:
    if treatment == "batch_norm":
        st.info("A batch normalization would take any shift of its inputs out again: here the shift comes after it, as "
                "its own learned offset would, with the mean and spread of the whole data set.", icon=":material/info:")


def numbers(run: Run, curvature: Curvature, summary: Summary, one_sign: float) -> None:
    """The row under the pictures."""
    values = curvature.eigenvalues
    positive = values[values > 0]
    largest, smallest = (size(positive[0]), size(positive[-1])) if len(positive) else ("0", "0")
    zero = f", {len(values) - len(positive)} zero" if len(positive) < len(values) else ""
    page.numbers([
        page.Number("Condition number κ", size(curvature.condition), f"1 + D·m²/v: {size(curvature.predicted)}",
                    "Largest / smallest curvature of the data set, and what independent features of this mean and "
                    "variance would have, with the learned bias if there is one."),
        page.Number("Largest curvature", largest, f"down to {smallest}{zero}",
                    f"The {len(values)} eigenvalues of E[xx′] are the steepness of the valley along its axes; below it "
                    "the smallest that is not zero, and how many are zero, if any are."),
        page.Number("Path length / straight line", page.two_digits(summary.path_ratio[0], "x"),
                    f"steps of one sign: {page.two_digits(one_sign, 'x')}", "Measured until the weights are within "
                    "0.1 % of their start distance; below it the shortest path with steps of one sign."),
        page.Number(f"Steps to 1 % of the {'excess loss' if summary.by_loss else 'distance'}",
                    page.count(summary.steps[0]), f"batch of {run.experiment.batch_size}")])


def map_title(found: RateMap, measure: str) -> str:
    """What the map shows, in a sentence with its own numbers."""
    values = getattr(found, measure)
    calm, wild = values[found.fractions < 0.5], values[(found.fractions > 0.5) & (found.fractions < 0.99)]
    if not (np.isfinite(calm).any() and np.isfinite(wild).any()):
        return "The full batch has nowhere to turn"
    least, most = np.nanmin(calm), np.nanmin(wild)
    if measure == "turning":
        return (f"Up to half the limit the path of a full batch only bends (cosine ≥ {_signed(least)}); near the limit "
                f"it goes back and forth ({_signed(most)})")
    return (f"Up to half the limit a full batch takes at most {page.two_digits(1 / least, 'x')} the straight line, "
            f"near the limit up to {page.two_digits(1 / most, 'x')}")


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def cell_words(fraction: float, angle: int, turn: float, efficient: float) -> str:
    here = f"At **{fraction:g}** of the limit and **{angle}°**"
    if fraction > 1:
        return f"{here} the full batch diverges."
    if np.isnan(efficient):
        return f"{here} there is nothing to learn: the inputs do not reach in this direction."
    turning = "it has too few steps to turn" if np.isnan(turn) else \
        f"successive steps have a mean cosine of **{_signed(turn)}**"
    return f"{here} {turning}, and the path is **{page.two_digits(1 / efficient, 'x')}** the straight line."


def no_sweep(run: Run) -> str | None:
    """Why there are no sweeps over angles, in a sentence; None where there are."""
    experiment, inputs = run.experiment, run.task.evaluated
    if inputs.shape[1] == 1:
        return "With one weight there is no angle to sweep: set **Dimensions** to 2 or more."
    if not inputs.any():
        return "These inputs are all zero: there is nothing to learn."
    if inputs.size > MOST_VALUES:
        return (f"The sweeps over target angles take inputs of up to {MOST_VALUES:,} numbers, and these have "
                f"{inputs.size:,}: lower **Samples** or **Dimensions**.")
    if experiment.distance == 0 and not experiment.uses_labels:
        return "Start and target are the same point: with a **Distance** above 0 there is a direction to sweep."
    return None
