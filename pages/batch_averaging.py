"""Batch averaging: one batch as arrows, then mixed signs, path and steps at every batch size."""
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import streamlit as st

from zz_core import Experiment, Run
from zz_core.batching import (DRAWS, NOISE, BatchSweep, MixedShares, affordable_replicates, batch_at_step,
                              batch_size_options, mixed_share_at_step, mixed_sign_shares, regimes, sweep_batch_sizes, with_fraction)
from zz_core.experiment import log2_options
from zz_core.measures import unanimous_by_chance
from zz_core.planes import allowed_wedge, plane_of
from zz_view import controls, page, runs, share
from zz_view.figures import batch_averaging as figures
from zz_view.theme import CENTERED, RAW

SPEC = {Experiment: lambda spec: tuple(sorted(spec.to_query().items()))}
MOST_APART = 2.0  # ratio of the twins' longest gradients up to which they share a scale
SECONDS = 4.0  # that the runs at all batch sizes may take


@st.cache_data(max_entries=32, hash_funcs=SPEC, show_spinner=False)
def swept(spec: Experiment, sizes: list[int], replicates: int) -> BatchSweep:
    return sweep_batch_sizes(spec, sizes, replicates)


@st.cache_data(max_entries=32, hash_funcs=SPEC, show_spinner=False)
def counted(spec: Experiment, sizes: list[int]) -> dict[str, MixedShares]:
    return {name: mixed_sign_shares(*regime, sizes, seed=1000 * k) for k, (name, regime) in enumerate(regimes(spec).items())}


def ends(values: np.ndarray, words=page.two_digits) -> str:
    """The medians of values (K, R) at one sample a step and at the full batch, in words."""
    first, last = np.median(values, axis=1)[[0, -1]]
    return f"{words(first)} → {words(last)}"


def course(shares: dict[str, MixedShares]) -> str:
    """What each regime's share of mixed gradients does with the batch size, in numbers and a conclusion."""
    parts = []
    for name, found in shares.items():
        known = np.flatnonzero(np.isfinite(found.share))
        if not len(known):
            continue
        share, size = found.share[known], found.batch_sizes[known]
        top, middle = int(share.argmax()), len(share) // 2
        if name == "across":
            end = "averaging mends the signs" if share[-1] - share[0] > 0.2 else "averaging changes little"
            start = 0
        elif name == "along":
            end = "averaging makes the signs agree" if share[top] - share[-1] > 0.05 else "averaging changes little"
            start = top
        else:
            end = ("the noise shrinks, its signs do not change" if abs(share[-1] - share[middle]) < 0.05
                   else "the signs still change")
            start = middle
        parts.append(f"*{figures.REGIME_MARKS[name][2].capitalize()}*: {page.percent(share[start])} at B = {size[start]}, "
                     f"{page.percent(share[-1])} at B = {size[-1]}; {end}.")
    return " ".join(parts)


def last_row(run: Run) -> int:
    """The last step that starts from finite weights."""
    return min(int(np.isfinite(run.weights[0]).all(axis=-1).sum()), run.experiment.steps) - 1


def draw_batches(pair: dict[str, Run], step: int, size: int) -> str:
    """Two charts side by side: each run's batch at `step` as arrows. Returns what there is to know about them."""
    planes = {name: plane_of(run) for name, run in pair.items()}
    batches = {name: batch_at_step(run, min(step, last_row(run)), size) for name, run in pair.items()}
    kept = figures.drawn_arrows(len(next(iter(batches.values())).rows))
    arrows = {name: planes[name].project(batch.gradients)[kept] for name, batch in batches.items()}
    reach = {name: figures.arrow_reach(drawn) for name, drawn in arrows.items()}
    apart = max(reach.values()) / min(reach.values())
    for (name, run), color, column in zip(pair.items(), (RAW, CENTERED), st.columns(2), strict=True):
        plane, batch = planes[name], batches[name]
        wedge = allowed_wedge(plane.project(run.task.evaluated)) if run.input_biases is None else None
        title = figures.arrows_title(name, batch.gradients, batch.mean)
        titles = ("∂L/∂w₁", "∂L/∂w₂") if plane.exact else ("gradient along the mean input", "gradient across it")
        figure = figures.batch_arrows_figure(
            arrows[name], plane.project(batch.mean), batch.rows[kept], batch.slopes[kept], color, wedge,
            reach[name] if apart > MOST_APART else max(reach.values()), title, titles)
        with column:
            page.chart(figure, f"batch_{'raw' if color == RAW else 'twin'}", f"Gradients of single samples at step {step + 1} as arrows, and their mean. {title}.")
    used = len(batch.rows)
    odds = [f"{page.percent(mixed_share_at_step(run, min(step, last_row(run)), used))} ({name})" for name, run in pair.items()]
    return " ".join(arrow_notes(run.experiment, odds, len(kept), used, apart, plane.exact))


def arrow_notes(experiment: Experiment, odds: list[str], drawn: int, used: int, apart: float, exact: bool) -> list[str]:
    notes = ["Arrows are gradients; under plain descent the update goes the opposite way."]
    if experiment.batch_size == 1 < used:
        notes.append(f"This run uses one sample a step: you see that one and {used - 1} more, drawn at the weights of "
                     "the same step.")
    if used < experiment.rows:
        notes.append(f"Of all batches of {used} at these weights, {' and '.join(odds)} have a mean of mixed signs.")
    if drawn < used:
        notes.append(f"{drawn} of {used} arrows are drawn; the mean is that of all.")
    if apart > MOST_APART:
        notes.append(f"One run's gradients are {page.two_digits(apart)} times as long as the other's: each picture has its own scale.")
    if not exact:
        notes.append("With more than two weights this is a projection on the mean input and the error across it.")
    return notes


def draw_shares(twins: dict[str, Experiment]) -> None:
    """Mixed signs of gradients at fixed weights against the batch size, for the inputs that the visitor chooses."""
    name = st.segmented_control("Inputs shown", list(twins), default=next(iter(twins)), required=True,
                                key="inputs_shown", bind="query-params")
    spec = twins[name]
    # nothing but the task and the way of sampling matters at fixed weights: other fields must not miss the cache
    shares = counted(replace(spec, batch_size=1, steps=1, seed=0, optimizer="sgd", learning_rate=0.25,
                             rate_unit="critical"), batch_size_options(spec.rows))
    if not shares:
        st.info("This task has no known optimum, so there are no fixed places to measure the gradient's signs at.",
                icon=":material/info:")
        return
    words = course(shares)
    figure = figures.mixed_share_figure(shares, RAW if name == "raw" else CENTERED,
                                        1 - unanimous_by_chance(spec.dimensions), figures.shares_title(name, shares))
    page.chart(figure, "mixed_share", f"Share of {name} gradients with mixed signs against the batch size. {words}")
    noise = ("The labels are the noise." if spec.uses_labels else
             f"Noise: σ = {spec.noise or NOISE:g}{'' if spec.noise else ', added here, since your targets have none'}.")
    st.markdown(f"{words} Up to {DRAWS:,} *gradients* a point at fixed weights, no training; the bands are 95 % intervals. {noise}")


def draw_sweeps(sweeps: dict[str, BatchSweep], spec: Experiment, replicates: int) -> None:
    """Updates, path and steps of real runs against the batch size."""
    title = figures.sweep_title(*sweeps.values())
    page.chart(figures.batch_sweep_figure(sweeps, spec.steps, title), "batch_sweep",
               "Updates with mixed signs, path ratio and steps to 1 % against the batch size. " + " ".join(
                   f"{name.capitalize()}, from one sample to the full batch: {ends(sweep.mixed_updates, page.percent)}, "
                   f"{ends(sweep.path_ratio)}, {ends(sweep.steps, page.count)}." for name, sweep in sweeps.items()))
    rate = "the same fraction of its stability limit" if spec.rate_unit == "critical" else "the same learning rate"
    late = any((np.isfinite(sweep.steps).mean(axis=1) <= 0.5).any() for sweep in sweeps.values())
    st.markdown(f"Medians of {replicates} seeds with bands from quartile to quartile, at each batch size with {rate}." + (
        f" Open markers: half of the runs or more do not come within 1 % in {spec.steps} steps and stay; their path "
        "ratio counts all the wandering up to the end." if late else ""))


experiment = controls.current()
rows, sizes = experiment.rows, batch_size_options(experiment.rows)
names, twins = runs.twin_names(experiment), runs.twins(experiment)
pair = {name: runs.get(twin) for name, twin in zip(names, twins, strict=True)}
# at every batch size the same fraction of its stability limit, so the sidebar's batch size does not matter here
specs = tuple(replace(with_fraction(twin), batch_size=1) for twin in twins)
replicates, seconds = affordable_replicates(specs, sizes, SECONDS, runs.BUDGET_BYTES)
if not replicates:
    runs.refuse(f"Runs at {len(sizes)} batch sizes would take about {seconds:.0f} s: lower **Steps**, **Samples** or **Dimensions**.")
with st.spinner(f"Training at {len(sizes)} batch sizes, about {seconds:.0f} s …") if seconds > 1 else nullcontext():
    sweeps = {name: swept(spec, sizes, replicates) for name, spec in zip(names, specs, strict=True)}
raw, twin = names
ratio = {name: ends(sweep.path_ratio, lambda value: page.two_digits(value, "x")) for name, sweep in sweeps.items()}
steps = {name: ends(sweep.steps, page.count) for name, sweep in sweeps.items()}
mixed = {name: ends(sweep.mixed_updates, page.percent) for name, sweep in sweeps.items()}
goal = "1 % of the excess loss" if sweeps[raw].by_loss else "1 % of the distance"
verdict = figures.sweep_title(*sweeps.values())
page.header("What does adding gradients over a batch mend, and what not?",
            f"From one sample a step to all {rows}, the {raw} path goes from **{ratio[raw].replace(' → ', '** to **')}** the "
            f"straight line, its steps to 1 % from **{steps[raw].replace(' → ', '** to **')}**: {verdict[0].lower()}{verdict[1:]}. "
            f"{twin.capitalize()}, the steps go from **{steps[twin].replace(' → ', '** to **')}**.")
for name, run in pair.items():
    if note := runs.divergence_note(run):
        st.warning(f"{name.capitalize()}: {note}", icon=":material/warning:")

picture = st.container()
page.numbers([
    page.Number(f"Updates with mixed signs, B = 1 → {rows}", mixed[raw], f"{twin} {mixed[twin]}",
                f"Medians of {replicates} seeds, each up to its arrival."),
    page.Number(f"Path / straight line, B = 1 → {rows}", ratio[raw], f"{twin} {ratio[twin]}"),
    page.Number(f"Steps to {goal}, B = 1 → {rows}", steps[raw], f"{twin} {steps[twin]}")])
left, right = st.columns(2)
step = min(left.slider("Step shown", 1, max(2, experiment.steps), 1, key="step_shown", bind="query-params"), experiment.steps)
options = log2_options(rows)
size = right.select_slider("Samples shown", options, max(n for n in options if n <= 8), key="batch_shown",
                           bind="query-params", disabled=experiment.batch_size > 1,
                           help="A run with one sample a step has no batch of its own: the others are drawn at the "
                                "weights of that step. With a larger batch size you see the run's own batch.")
with picture:
    if experiment.dimensions == 1:
        st.info("One weight has only one sign at a time: set dimensions to 2 or more to see signs mix.", icon=":material/info:")
    else:
        note = draw_batches(pair, step - 1, size)
if experiment.dimensions > 1:
    st.markdown(note)
    draw_shares(dict(zip(names, twins, strict=True)))
draw_sweeps(sweeps, specs[0], replicates)
page.explanations(__file__)
share.share(pair, experiment)
