"""The pictures of the Batch averaging page, each with the words that go with it."""
from dataclasses import replace
from statistics import median

import numpy as np
import streamlit as st

from zz_core import Experiment, Run, batching, prediction
from zz_core.batching import BatchSweep, MixedShares
from zz_core.measures import unanimous_by_chance
from zz_core.optimizers import OPTIMIZERS
from zz_core.planes import allowed_wedge, plane_of
from zz_view import page
from zz_view.board import Chart, board
from zz_view.figures import batch_averaging as figures
from zz_view.hosting.caches import Cache
from zz_view.runs import BY_QUERY
from zz_view.theme import CENTERED, RAW

MOST_APART = 2.0  # ratio of the twins' longest gradients up to which their pictures share a scale
FIXED = {"batch_size": 1, "steps": 1, "seed": 0, "optimizer": "sgd", "learning_rate": 0.25, "rate_unit": "critical"}


@st.cache_resource(show_spinner=False)
def _sweeps() -> Cache[list[BatchSweep]]:
    return Cache("batch_sweeps", 4 * 2**20)


def is_swept(specs: tuple[Experiment, ...], sizes: list[int], replicates: int) -> bool:
    return (specs, tuple(sizes), replicates) in _sweeps()


def swept(specs: tuple[Experiment, ...], sizes: list[int], replicates: int) -> list[BatchSweep]:
    """One sweep a twin, judged alike. Shared by all visitors."""
    return _sweeps().get((specs, tuple(sizes), replicates),
                         lambda: batching.sweep_batch_sizes(specs, sizes, replicates))


@st.cache_data(max_entries=64, hash_funcs=BY_QUERY, show_spinner=False)
def counted(spec: Experiment, sizes: list[int]) -> dict[str, MixedShares]:
    return {name: batching.mixed_sign_shares(*regime, sizes, seed=1000 * k)
            for k, (name, regime) in enumerate(batching.regimes(spec).items())}


@st.cache_data(max_entries=64, hash_funcs=BY_QUERY, show_spinner=False)
def expected_shares(spec: Experiment, sizes: list[int]) -> tuple[dict[str, np.ndarray], float | None]:
    """What the theory expects in each regime, and its B*; nothing where it covers no such task."""
    found = {} if prediction.why_no_shares(spec) else batching.regimes(spec)
    return ({name: prediction.mixed_shares(regime, sizes) for name, regime in found.items()},
            prediction.mixing_size(found["across"]) if "across" in found else None)


def ends(values: np.ndarray, words=page.two_digits) -> str:
    """The medians of values (K, R) at one sample a step and at the full batch, in words."""
    return " → ".join(_two_medians(values, words))


def change(values: np.ndarray, words, goes: str, stays: str) -> str:
    """The same two medians in a sentence, after its subject: "go from 160 to 116", "are not reached"."""
    found = [f"**{each}**" for each in _two_medians(values, words)]
    return f"{goes} from {found[0]} to {found[1]}" if len(found) > 1 else f"{stays} {found[0]}"


def _two_medians(values: np.ndarray, words) -> list[str]:
    """In words, and only one where neither is a number, both for the same reason."""
    medians = [median([each for each in row if each == each] or [np.nan]) for row in values[[0, -1]].tolist()]
    found = [words(each) for each in medians]
    return found[:1] if found[0] == found[1] and not np.isfinite(medians).any() else found


def times(value: float) -> str:
    return page.two_digits(value, "x")


def draw_batches(pair: dict[str, Run], step: int, size: int, counted: bool = True) -> str:
    """Two charts side by side: each run's batch at `step` as arrows, their signs counted in the titles unless the
    visitor is to guess them. Returns what there is to know about them."""
    # a run that diverged shows its last finite weights
    at = {name: min(step, int(np.isfinite(run.weights[0]).all(axis=-1).sum()) - 1) for name, run in pair.items()}
    planes = {name: plane_of(run) for name, run in pair.items()}
    batches = {name: batching.batch_at_step(run, at[name], size) for name, run in pair.items()}
    used = len(next(iter(batches.values())).rows)
    kept = figures.drawn_arrows(used)
    arrows = {name: planes[name].project(batch.gradients)[kept] for name, batch in batches.items()}
    reach = {name: figures.arrow_reach(drawn) for name, drawn in arrows.items()}
    apart = max(reach.values()) / min(reach.values())
    charts = []
    for (name, run), color in zip(pair.items(), (RAW, CENTERED), strict=True):
        plane, batch = planes[name], batches[name]
        title = figures.arrows_title(name, batch.gradients, batch.mean) if counted else name.capitalize()
        figure = figures.batch_arrows_figure(
            arrows[name], plane.project(batch.mean), batch.rows[kept], batch.slopes[kept], color,
            wedge=None if run.input_biases is not None else allowed_wedge(plane.project(run.task.evaluated)),
            reach=reach[name] if apart > MOST_APART else max(reach.values()), title=title,
            axis_titles=("∂L/∂w₁", "∂L/∂w₂") if plane.exact else ("gradient along the mean", "gradient across it"))
        charts.append(Chart(figure, "batch_raw" if color == RAW else "batch_twin",
                            f"Gradients of {used} samples at step {at[name] + 1} as arrows, and their mean. {title}."))
    board(charts, "batches", group="batches")
    notes = ["Arrows are *gradients*, and plain descent moves against them. A single sample's can only point into the "
             "shade; where there is none, anywhere."]
    if pair[name].experiment.batch_size == 1 < used:
        notes.append(f"This run uses one sample a step: you see that one and {used - 1} more at the same weights.")
    if used < len(run.targets):
        shares = {name: batching.mixed_share_at_step(each, at[name], used) for name, each in pair.items()}
        found = [f"{page.percent(share)} ({name})" for name, share in shares.items() if np.isfinite(share)]
        if found:
            notes.append(f"Of many batches of {used} at the same weights, {' and '.join(found)} have a mean of mixed "
                         "signs.")
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
    expected, mixing = expected_shares(spec, batching.batch_size_options(spec.rows))
    figure = figures.mixed_share_figure(shares, RAW if name == "raw" else CENTERED,
                                        1 - unanimous_by_chance(spec.dimensions), figures.shares_title(name, shares),
                                        expected, mixing)
    alt = f"Share of {name} gradients with mixed signs against the batch size: {words}."
    board([Chart(figure, "mixed_share", alt)], "mixed_share_board", group="batches")
    noise = "the labels" if spec.uses_labels else f"σ = {spec.noise or batching.NOISE:g}" + (
        "" if spec.noise else ", added here since your targets have none")
    st.markdown(f"*Gradients* with mixed signs: {words}. Measured at fixed weights, without training, on up to "
                f"{batching.DRAWS:,} batches a point (bands: 95 % intervals). Noise: {noise}. "
                f"{_theory_words(spec, mixing)}")


def _theory_words(spec: Experiment, mixing: float | None) -> str:
    if reason := prediction.why_no_shares(spec):
        return f"No theory is drawn, {reason}."
    mark = "" if mixing is None else (f" From about B* = D/(1 − ρ) = {page.two_digits(mixing)} on, an error across "
                                      "the mean direction shows through the noise of the draws.")
    return ("Dashed: the theory, which takes inputs and batch means as normally distributed. It is off for few "
            f"samples, or inputs with long tails.{mark}")


def draw_sweeps(sweeps: dict[str, BatchSweep], spec: Experiment, replicates: int) -> None:
    """Updates, path and steps of real runs against the batch size."""
    words = " ".join(f"{name.capitalize()}, from one sample to the full batch: "
                     f"{ends(sweep.mixed_updates, page.percent)}, {ends(sweep.path_ratio, times)}, "
                     f"{ends(sweep.steps, page.count)}." for name, sweep in sweeps.items())
    figure = figures.batch_sweep_figure(sweeps, spec.steps, figures.sweep_title(sweeps))
    if not figure["data"]:
        st.info("No run here has a path or a number of steps to draw.", icon=":material/info:")
        return
    alt = f"Updates with mixed signs, path ratio and steps to 1 % against the batch size. {words}"
    board([Chart(figure, "batch_sweep", alt)], "batch_sweep_board", group="batches")
    fraction = spec.rate_unit == "critical" and OPTIMIZERS[spec.optimizer].critical
    rate = "the same fraction of its stability limit" if fraction else "the same learning rate"
    late = any((np.isfinite(sweep.steps).mean(axis=1) <= 0.5).any() for sweep in sweeps.values())
    st.markdown(f"*Updates* and paths of real runs: medians of {replicates} seeds, bands from quartile to quartile, "
                f"each batch size at {rate}." + (
                    f" Open markers: half of the runs or more do not come within 1 % in {spec.steps} steps and stay "
                    "there; their path counts all the wandering up to the end." if late else ""))
