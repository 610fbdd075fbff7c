"""Batch averaging: one batch as arrows, then mixed signs, path and steps at every batch size."""
import warnings
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import streamlit as st

from zz_core import Experiment, Run, batching
from zz_core.batching import BatchSweep, MixedShares
from zz_core.experiment import log2_options
from zz_core.measures import unanimous_by_chance
from zz_core.planes import allowed_wedge, plane_of
from zz_view import controls, page, runs, share
from zz_view.figures import batch_averaging as figures
from zz_view.theme import CENTERED, RAW

SPEC = {Experiment: lambda spec: tuple(sorted(spec.to_query().items()))}
SECONDS = 8.0  # that the runs at all batch sizes may take
MOST_APART = 2.0  # ratio of the twins' longest gradients up to which their pictures share a scale
FIXED = {"batch_size": 1, "steps": 1, "seed": 0, "optimizer": "sgd", "learning_rate": 0.25, "rate_unit": "critical"}


@st.cache_data(max_entries=64, hash_funcs=SPEC, show_spinner=False)
def swept(specs: tuple[Experiment, ...], sizes: list[int], replicates: int) -> list[BatchSweep]:
    """One sweep a twin, judged alike: if one needs the excess loss, both are."""
    sweeps = [batching.sweep_batch_sizes(spec, sizes, replicates) for spec in specs]
    by_loss = any(sweep.by_loss for sweep in sweeps)
    return [sweep if sweep.by_loss == by_loss else batching.sweep_batch_sizes(spec, sizes, replicates, by_loss)
            for spec, sweep in zip(specs, sweeps, strict=True)]


@st.cache_data(max_entries=64, hash_funcs=SPEC, show_spinner=False)
def counted(spec: Experiment, sizes: list[int]) -> dict[str, MixedShares]:
    return {name: batching.mixed_sign_shares(*regime, sizes, seed=1000 * k)
            for k, (name, regime) in enumerate(batching.regimes(spec).items())}


def ends(values: np.ndarray, words=page.two_digits, mark: str = "") -> str:
    """The medians of values (K, R) at one sample a step and at the full batch, in words."""
    with warnings.catch_warnings(action="ignore"):  # all NaN where nothing moves: the words say so
        first, last = np.nanmedian(values[[0, -1]], axis=1)
    if np.isinf(first) and np.isinf(last):
        return f"{mark}{words(last)}{mark}"
    if mark:
        return f"from {mark}{words(first)}{mark} to {mark}{words(last)}{mark}"
    return f"{words(first)} → {words(last)}"


def times(value: float) -> str:
    return page.two_digits(value, "x")


def draw_batches(pair: dict[str, Run], step: int, size: int) -> str:
    """Two charts side by side: each run's batch at `step` as arrows. Returns what there is to know about them."""
    # a run that diverged shows its last finite weights
    at = {name: min(step, int(np.isfinite(run.weights[0]).all(axis=-1).sum()) - 1) for name, run in pair.items()}
    planes = {name: plane_of(run) for name, run in pair.items()}
    batches = {name: batching.batch_at_step(run, at[name], size) for name, run in pair.items()}
    used = len(next(iter(batches.values())).rows)
    kept = figures.drawn_arrows(used)
    arrows = {name: planes[name].project(batch.gradients)[kept] for name, batch in batches.items()}
    reach = {name: figures.arrow_reach(drawn) for name, drawn in arrows.items()}
    apart = max(reach.values()) / min(reach.values())
    for (name, run), color, column in zip(pair.items(), (RAW, CENTERED), st.columns(2), strict=True):
        plane, batch = planes[name], batches[name]
        title = figures.arrows_title(name, batch.gradients, batch.mean)
        figure = figures.batch_arrows_figure(
            arrows[name], plane.project(batch.mean), batch.rows[kept], batch.slopes[kept], color,
            wedge=None if run.input_biases is not None else allowed_wedge(plane.project(run.task.evaluated)),
            reach=reach[name] if apart > MOST_APART else max(reach.values()), title=title,
            axis_titles=("∂L/∂w₁", "∂L/∂w₂") if plane.exact else ("gradient along the mean", "gradient across it"))
        with column:
            page.chart(figure, "batch_raw" if color == RAW else "batch_twin",
                       f"Gradients of {used} samples at step {at[name] + 1} as arrows, and their mean. {title}.")
    notes = ["Arrows are *gradients*, and plain descent moves against them. Shaded is where a single sample's can "
             "point; without shade, anywhere."]
    if pair[name].experiment.batch_size == 1 < used:
        notes.append(f"This run uses one sample a step: you see that one and {used - 1} more at the same weights.")
    if used < len(run.targets):
        shares = {name: batching.mixed_share_at_step(each, at[name], used) for name, each in pair.items()}
        found = [f"{page.percent(share)} ({name})" for name, share in shares.items() if np.isfinite(share)]
        if found:
            notes.append(f"Of many batches of {used} drawn there, {' and '.join(found)} have a mean of mixed signs.")
    if len(kept) < used:
        notes.append(f"{len(kept)} of {used} arrows are drawn; the mean is that of all.")
    if apart > MOST_APART:
        notes.append(f"One twin's gradients are {times(apart)} as long as the other's: each picture has its own scale.")
    if not plane.exact:
        notes.append("With more than two weights this is a projection on the mean input and the error across it.")
    return " ".join(notes)


def draw_shares(twins: dict[str, Experiment]) -> None:
    """Mixed signs of gradients at fixed weights against the batch size, for the inputs that the visitor chooses."""
    name = st.segmented_control("Inputs shown", list(twins), default=next(iter(twins)), required=True,
                                key="inputs_shown", bind="query-params")
    spec = replace(twins[name], **FIXED)  # only task and sampling matter here: no other field may miss the cache
    shares = counted(spec, batching.batch_size_options(spec.rows))
    if "optimum" not in shares:
        st.info("No noise can be laid over this task, or it has no known optimum: what is missing below cannot be "
                "measured here.", icon=":material/info:")
        if not shares:
            return
    words = "; ".join(f"**{figures.REGIME_MARKS[regime][2]}** " + ", ".join(
        f"{page.percent(found.share[k])} at B = {found.batch_sizes[k]}" for k in figures.three_points(found.share))
        for regime, found in shares.items() if np.isfinite(found.share).any())
    figure = figures.mixed_share_figure(shares, RAW if name == "raw" else CENTERED,
                                        1 - unanimous_by_chance(spec.dimensions), figures.shares_title(name, shares))
    page.chart(figure, "mixed_share", f"Share of {name} gradients with mixed signs against the batch size: {words}.")
    noise = "the labels" if spec.uses_labels else f"σ = {spec.noise or batching.NOISE:g}" + (
        "" if spec.noise else ", added here since your targets have none")
    st.markdown(f"*Gradients* with mixed signs: {words}. Measured at fixed weights, without training, on up to "
                f"{batching.DRAWS:,} batches a point (bands: 95 % intervals). Noise: {noise}.")


def draw_sweeps(sweeps: dict[str, BatchSweep], spec: Experiment, replicates: int) -> None:
    """Updates, path and steps of real runs against the batch size."""
    words = " ".join(f"{name.capitalize()}, from one sample to the full batch: "
                     f"{ends(sweep.mixed_updates, page.percent)}, {ends(sweep.path_ratio, times)}, "
                     f"{ends(sweep.steps, page.count)}." for name, sweep in sweeps.items())
    page.chart(figures.batch_sweep_figure(sweeps, spec.steps, figures.sweep_title(sweeps)), "batch_sweep",
               f"Updates with mixed signs, path ratio and steps to 1 % against the batch size. {words}")
    rate = "the same fraction of its stability limit" if spec.rate_unit == "critical" else "the same learning rate"
    late = any((np.isfinite(sweep.steps).mean(axis=1) <= 0.5).any() for sweep in sweeps.values())
    st.markdown(f"*Updates* and paths of real runs: medians of {replicates} seeds, bands from quartile to quartile, "
                f"each batch size at {rate}." + (
                    f" Open markers: half of the runs or more do not come within 1 % in {spec.steps} steps and stay "
                    "there; their path counts all the wandering up to the end." if late else ""))


experiment = controls.current()
rows, sizes = experiment.rows, batching.batch_size_options(experiment.rows)
names, twins = runs.twin_names(experiment), runs.twins(experiment)
pair = {name: runs.get(twin) for name, twin in zip(names, twins, strict=True)}
# at every batch size the same fraction of its stability limit, so the sidebar's batch size does not matter here
specs = tuple(replace(batching.with_fraction(twin), batch_size=1) for twin in twins)
replicates, seconds = batching.affordable_replicates(specs, sizes, SECONDS, runs.BUDGET_BYTES)
if not replicates:
    runs.refuse(f"Runs at {len(sizes)} batch sizes would take about {seconds:.0f} s here: lower **Steps**, **Samples** "
                "or **Dimensions**.")
with st.spinner(f"Training at {len(sizes)} batch sizes, about {seconds:.0f} s …") if seconds > 1 else nullcontext():
    sweeps = dict(zip(names, swept(specs, sizes, replicates), strict=True))
raw, twin = sweeps.values()
verdict, span = figures.sweep_title(sweeps), f"B = 1 → {rows}"
page.header("What does adding gradients over a batch mend, and what not?",
            f"From one sample a step to all {rows}, the raw path goes {ends(raw.path_ratio, times, '**')} "
            f"the straight line, its steps to 1 % {ends(raw.steps, page.count, '**')}; {names[1]}, the steps go "
            f"{ends(twin.steps, page.count, '**')}. {verdict}.")
for name, run in pair.items():
    if note := runs.divergence_note(run):
        st.warning(f"{name.capitalize()}: {note}", icon=":material/warning:")
picture = st.container()
page.numbers([
    page.Number(f"Updates with mixed signs, {span}", ends(raw.mixed_updates, page.percent),
                f"{names[1]} {ends(twin.mixed_updates, page.percent)}", f"Medians of {replicates} seeds, to arrival."),
    page.Number(f"Path / straight line, {span}", ends(raw.path_ratio, times),
                f"{names[1]} {ends(twin.path_ratio, times)}"),
    page.Number(f"Steps to 1 % of the {'excess loss' if raw.by_loss else 'distance'}, {span}",
                ends(raw.steps, page.count), f"{names[1]} {ends(twin.steps, page.count)}")])
left, right = st.columns(2)
step = left.slider("Step shown", 1, max(2, experiment.steps), 1, key="step_shown", bind="query-params")
options = log2_options(rows)
size = right.select_slider("Samples shown", options, max(n for n in options if n <= 8), key="batch_shown",
                           bind="query-params", disabled=experiment.batch_size > 1,
                           help="A run with one sample a step has no batch of its own: the others are drawn at the "
                                "weights of that step. With a larger batch size you see the run's own batch.")
if experiment.dimensions == 1:
    picture.info("One weight has only one sign at a time: with two or more, you see signs mix.", icon=":material/info:")
else:
    with picture:
        note = draw_batches(pair, min(step, experiment.steps) - 1, size)
    st.markdown(note)
    draw_shares(dict(zip(names, twins, strict=True)))
draw_sweeps(sweeps, specs[0], replicates)
page.explanations(__file__)
share.share(pair, experiment)
