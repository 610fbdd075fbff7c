"""The Remedies page's parts: the race with its progress, the pictures, the table, and what can be taken away."""
import json
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from zz_core import Experiment, simulate
from zz_core.planes import loss_grid, plane_of
from zz_core.remedies import (
    REMEDIES,
    Goal,
    Lane,
    Traps,
    goal_of,
    lane_cost,
    normalized,
    run_lane,
    traps_of,
)
from zz_view import page, runs, share
from zz_view import remedies_words as words
from zz_view.board import Chart, board
from zz_view.fields import label as field_label
from zz_view.figures import remedies as figures
from zz_view.figures.spectrum import spectrum_figure
from zz_view.hosting import heavy
from zz_view.hosting.caches import Cache
from zz_view.runs import BY_QUERY
from zz_view.theme import RAW

HORIZONS = (200, 500, 1000, 2000, 5000, 10000)
SHOWN, MOST_SHOWN = ("nothing", "center", "momentum", "adam", "larger_batch"), 6
LEAST_HEIGHT = 320  # pixels, that a curve needs to be read
BUDGET_SECONDS, BUDGET_BYTES, LANE_SECONDS = 30.0, 192 * 2**20, 15.0
LANES_BYTES = 64 * 2**20  # of lanes that are kept
REDRAWN = 0.6  # seconds between two pictures of a race that is still running


@st.cache_resource(max_entries=128, show_spinner=False, hash_funcs=BY_QUERY)
def _goal(experiment: Experiment) -> Goal:
    return goal_of(experiment)


@st.cache_resource(show_spinner=False)
def _lanes() -> Cache[Lane]:
    """By experiment, remedy, longest run and fraction; the goal follows from the experiment."""
    return Cache("lanes", LANES_BYTES)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=BY_QUERY)
def traps(experiment: Experiment) -> Traps:
    return traps_of(experiment)




def run_race(experiment: Experiment, keys: Sequence[str], horizon: int, fraction: float | None,
             focus: str, colors: dict[str, str]) -> list[Lane]:
    """Run the lanes, drawing the picture as they come. Stops the page where there is nothing to race to."""
    base = normalized(experiment)
    try:
        goal = _goal(base)
    except ValueError as error:
        runs.refuse(runs.readable(error))
    too_long = _too_heavy(base, keys, horizon)
    lanes = {key: (base, key, horizon, fraction) for key in keys}
    seconds = sum(lane_cost(base, key, horizon).seconds for key in keys
                  if key not in too_long and lanes[key] not in _lanes())
    answer, place = st.empty(), st.empty()
    results, bar, drawn_at = [], None, time.perf_counter()
    with heavy.slot_if(seconds > heavy.NOTICEABLE_SECONDS, "This race", seconds):
        for k, key in enumerate(keys):
            if time.perf_counter() - drawn_at > REDRAWN:
                bar = bar or answer.progress(0.0)
                raced = [lane for lane in results if not lane.why_not]
                with place.container():
                    board([Chart(figures.dots_figure(raced, colors, "The race is running", horizon, keys[k:], focus),
                                 "dots", f"Steps by remedy so far: {len(raced)} of {len(keys)} lanes.")], f"race_{k}")
                drawn_at = time.perf_counter()
            if bar:
                bar.progress(k / len(keys), f"Searching the best rate: {REMEDIES[key].label}")
            results.append(Lane(key, too_long[key]) if key in too_long else
                           _lanes().get(lanes[key], partial(run_lane, base, key, goal, horizon, fraction)))
    if missing := next((lane.why_not for lane in results if lane.key == "nothing"), ""):
        answer.empty()
        place.empty()
        runs.refuse(f"There is nothing to compare with: plain descent cannot be raced here, {missing}.")
    answer.markdown(words.answer([lane for lane in results if not lane.why_not], fraction))
    with place.container():
        _draw_race(results, colors, horizon, focus)
    return results


def _too_heavy(experiment: Experiment, keys: Sequence[str], horizon: int) -> dict[str, str]:
    """Lanes that alone would take too long, with a reason; stops the page where the others do so together."""
    costs = {key: lane_cost(experiment, key, horizon) for key in keys}
    too_long = {key: f"it would take about {cost.seconds:.0f} s here" for key, cost in costs.items()
             if cost.seconds > LANE_SECONDS and key != "nothing"}
    rest = [costs[key] for key in keys if key not in too_long]
    seconds, memory = sum(cost.seconds for cost in rest), max(cost.bytes for cost in rest)
    if seconds <= BUDGET_SECONDS and memory <= BUDGET_BYTES:
        return too_long
    over = (f"about {seconds:.0f} s, more than the {BUDGET_SECONDS:.0f} s" if seconds > BUDGET_SECONDS else
            f"{memory / 2**20:.0f} MiB, more than the {BUDGET_BYTES / 2**20:.0f} MiB")
    fields = [name for name, large in (("dimensions", experiment.dimensions > 16), ("samples", experiment.rows > 512),
                                       ("batch_size", experiment.batch_size > 32)) if large]
    lower = ", ".join(["**Longest run**", *(f"**{field_label(name)}**" for name in fields)])
    few = " or race fewer remedies" if len(keys) > 3 else ""
    runs.refuse(f"This race would take {over} that one visitor gets here. Lower {lower}{few}.")


def _draw_race(results: Sequence[Lane], colors: dict[str, str], horizon: int, focus: str) -> None:
    raced = [lane for lane in results if not lane.why_not]
    title = words.dots_title(raced)
    dots = figures.dots_figure(raced, colors, title, horizon, focus=focus)
    told = ", ".join(f"{words.label(lane)} {page.count(lane.median)}" for lane in figures.sorted_lanes(raced))
    charts = [Chart(dots, "dots", f"Steps to the goal by remedy. {title}. {told}.")]
    by_key = {lane.key: lane for lane in raced}
    chosen = by_key.get(focus)
    if chosen is not None and chosen.search is not None:
        pair = [lane for lane in (by_key["nothing"], chosen) if lane.search is not None
                and lane.search.critical == chosen.search.critical]
        curves = [figures.RateCurve(words.label(lane), colors.get(lane.key, RAW), lane.search.rates,
                                    lane.search.steps, lane.search.given_up, lane.search.best)
                  for lane in (pair if chosen.key != "nothing" else pair[:1])]
        told = words.rates_title(chosen)
        charts.append(Chart(figures.rates_figure(curves, chosen.search.critical, told,
                                                 max(LEAST_HEIGHT, dots["layout"]["height"])),
                            "rates", f"Steps against the learning rate. {told}. Chosen: {chosen.search.rate:.2g}."))
    board(charts, "race")
    st.caption(_race_words(results, chosen))


def _race_words(results: Sequence[Lane], chosen: Lane | None) -> str:
    out = [f"{REMEDIES[lane.key].label} ({lane.why_not})" for lane in results if lane.why_not]
    parts = ["The goal is one for all: 1 % of the excess loss that the zero-centered twin starts with."]
    if any(lane.misses for lane in results):
        parts.append("A diamond reaches its own optimum, not the target, and leaves that much of the twin's "
                     "starting excess loss forever.")
    parts.append("A ring at the edge did not arrive, or not with more than half of its seeds; it is never averaged.")
    if out:
        parts.append(f"Left out: {'; '.join(out)}.")
    if chosen is not None and chosen.search is None and not chosen.stuck:
        parts.append(f"{words.label(chosen)} was not searched for a rate.")
    return " ".join(parts)


def draw_numbers(results: Sequence[Lane]) -> None:
    """Steps with nothing, with centering or whatever is fastest, and the least work."""
    lanes = {lane.key: lane for lane in results}
    plain, good = lanes["nothing"], words.comparable([lane for lane in results if lane.key != "nothing"])
    low, high = (page.count(value) for value in plain.interval)
    spread = "one exact run" if len(plain.steps) == 1 else f"95 % interval {low} to {high}"
    row = [page.Number("Steps with nothing", page.count(plain.median), spread,
                       "Plain descent on the inputs as they are; the median over the seeds.")]
    if good:
        best, least = good[0], min(good, key=lambda lane: lane.work)
        times = f", {words.fewer(plain.median, best.median)} fewer" if plain.reached else ""
        row += [page.Number("Fewest steps", page.count(best.median), f"{words.label(best)}{times}",
                            "Of those that reach the goal itself."),
                page.Number("Least work of a remedy, in multiply-adds", words.amount(least.work),
                            f"{words.label(least)}, nothing "
                            f"{words.amount(plain.work) if plain.reached else 'not reached'}",
                            "Multiply-adds up to the goal, those in advance included: counted from the formulas in "
                            "the explanations, not timed.")]
    page.numbers(row)


def draw_ways(experiment: Experiment, results: Sequence[Lane], shown: Sequence[str], colors: dict[str, str]) -> None:
    """Loss curves and paths of the chosen lanes."""
    lanes = [lane for lane in results if lane.key in shown and not lane.why_not]
    title = words.losses_title(lanes)
    charts = [Chart(figures.losses_figure(lanes, colors, title), "losses",
                    f"Excess loss over the goal against the step. {title}.")]
    drawable = [lane for lane in lanes if lane.raw_path is not None and lane.key != "tanh" and not lane.stuck]
    note = ""
    if experiment.dimensions > 1 and drawable:
        ground, paths = _ground(normalized(experiment), drawable)
        told = words.paths_title(drawable)
        charts.append(Chart(figures.paths_figure(ground, paths, colors, told), "paths",
                            f"Paths of the weights on the contours of the raw loss. {told}."))
        absent = [words.label(lane) for lane in lanes if lane not in drawable and not lane.stuck]
        note = ("Contours: the loss on raw inputs. Standardized, whitened and batch-normalized weights are drawn as "
                "the raw weights that do the same, one seed each, up to the arrival.")
        if absent:
            note += f" Not on this plane: {words.joined(absent)}, whose weights mean something else."
    board(charts, "ways")
    if note:
        st.caption(note)


def _ground(experiment: Experiment, lanes: Sequence[Lane]) -> tuple[figures.Ground, dict[str, np.ndarray]]:
    run = simulate(replace(experiment, steps=1, learning_rate=0.1))
    plane = plane_of(run)
    paths = {lane.key: plane.project(lane.raw_path) for lane in lanes}
    ends = plane.project(np.stack([run.weights[0, 0], run.optimum]))
    window = figures.path_window(list(paths.values()), ends)
    titles = ("w₁", "w₂") if plane.exact else ("along the mean input", "across the mean input")
    excess = loss_grid(run, plane, *window.grid()) - run.minimum_loss
    return figures.Ground(window, excess, *ends, titles), paths


def draw_focus(results: Sequence[Lane], focus: str, colors: dict[str, str]) -> None:
    """Two sentences on the remedy in focus, and the curvatures before and after."""
    lanes = {lane.key: lane for lane in results}
    lane, plain = lanes[focus], lanes["nothing"]
    st.header(f"Closely: {REMEDIES[focus].label}", anchor=False)
    left, right = st.columns(2)
    if lane.why_not:
        left.info(f"Not in this race: {lane.why_not}.", icon=":material/info:")
        return
    with left:
        st.markdown(words.focus_words(lane))
    with right:
        title = words.spectrum_title(plain, lane)
        figure = _spectrum(plain, lane, colors.get(focus, RAW), title)
        board([Chart(figure, "spectrum", f"Eigenvalues of H before and after. {title}.")], "spectrum_board")


def _spectrum(plain: Lane, lane: Lane, color: str, title: str) -> dict:
    name = f"with {words.in_text(lane)}"
    values, tints = {"raw": plain.seen, name: lane.seen}, {"raw": RAW, name: color}
    if lane.key == "nothing":
        del values[name]
    elif np.array_equal(plain.seen, lane.seen):
        values, tints = {f"raw, and {name}": plain.seen}, {f"raw, and {name}": RAW}
    figure = spectrum_figure(values, {}, tints, title)
    sizes = np.log10(np.concatenate([each[each > 0] for each in values.values()]))
    if len(sizes):  # room for the names
        low, high = float(sizes.min()) - 0.3, float(sizes.max()) + 0.5
        figure["layout"]["yaxis"]["range"] = [low, high]
        notes = figure["layout"]["annotations"]
        if len(notes) == 2 and abs(notes[0]["y"] - notes[1]["y"]) < 0.15 * (high - low):  # they would touch
            min(notes, key=lambda note: note["y"]).update(yanchor="top", yshift=-6)
    return figure


def table(results: Sequence[Lane]) -> pd.DataFrame:
    """All lanes, one row each; steps that were not reached are infinite."""
    return pd.DataFrame([{
        "remedy": lane.key, "steps": lane.median, "low": lane.interval[0], "high": lane.interval[1],
        "arrived": float(np.isfinite(lane.steps).mean()), "rate": _rate(lane),
        "rate_unit": lane.experiment.rate_unit if np.isfinite(_rate(lane)) else "",
        "path_ratio": _median(lane.path_ratio), "same_sign": _median(lane.same_sign), "diverged": lane.diverged,
        "condition": lane.condition, "samples_per_step": lane.passes, "operations_per_step": lane.operations,
        "operations_before": lane.setup, "operations_to_goal": lane.work, "loss_left": max(lane.floor, 0.0),
        "seeds": len(lane.steps)} for lane in figures.sorted_lanes([lane for lane in results if not lane.why_not])])


def _rate(lane: Lane) -> float:
    return math.nan if lane.stuck or lane.experiment.optimizer == "steepest_descent" else lane.experiment.learning_rate


def _median(values: np.ndarray) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else math.nan


def draw_table(results: Sequence[Lane]) -> None:
    shown, config = table(results).replace([np.inf], np.nan), st.column_config
    shown.insert(0, "label", [REMEDIES[key].label for key in shown["remedy"]])
    shown["rate_unit"] = shown["rate_unit"].replace({"critical": "of the limit", "": None})
    shares = ["arrived", "same_sign", "diverged", "loss_left"]
    shown[shares] *= 100

    def number(label: str, format: str, help: str | None = None) -> dict:
        return config.NumberColumn(label, format=format, help=help)

    st.dataframe(shown, hide_index=True, width="stretch", placeholder="–", column_config={
        "label": config.TextColumn("Remedy", pinned=True), "remedy": None,
        "steps": number("Steps to the goal", "%.0f", "Median over the seeds; a dash where more than half of them do "
                                                     "not arrive."),
        "low": number("at least", "%.0f", "Lower end of the median's 95 % interval."),
        "high": number("at most", "%.0f", "Upper end; a dash where it is beyond the longest run."),
        "arrived": number("Seeds that arrive", page.PERCENT_COLUMN, "Share of the seeds that reach the goal."),
        "rate": number("Learning rate", "%.3g", "The learning rate used, in the unit of the next column."),
        "rate_unit": config.TextColumn("Its unit", help="of the limit: a fraction of the lane's stability limit."),
        "path_ratio": number("Path / straight line", "%.3g", "Path up to the arrival / straight line."),
        "same_sign": number("Gradients with one sign", page.PERCENT_COLUMN, "Up to the arrival."),
        "diverged": number("Seeds that diverge", page.PERCENT_COLUMN, "Share of the seeds that diverge."),
        "condition": number("κ", "%.3g", "The condition number of the curvatures as the steps meet them."),
        "samples_per_step": number("Passes a step", "%.3g", "Forward and backward passes of one sample in a step: "
                                                            "gradient passes times batch size."),
        "operations_per_step": number("Multiply-adds a step", "compact"),
        "operations_before": number("in advance", "compact", "Multiply-adds once in advance."),
        "operations_to_goal": number("to the goal", "compact", "Multiply-adds of both together, up to the goal."),
        "loss_left": number("Loss left", page.PERCENT_COLUMN, "What its own optimum leaves of the start's excess."),
        "seeds": number("Seeds", "%.0f"),
    })


def draw_share(experiment: Experiment, results: Sequence[Lane], horizon: int, fraction: float | None) -> None:
    """A link, the table, and code that repeats the race."""
    with st.popover("Share", icon=":material/share:"):
        st.markdown("This link opens the same race:")
        st.code(share.permalink(experiment), language=None, wrap_lines=True)
        st.download_button("All lanes as CSV", lambda: table(results).to_csv(index=False).encode(),
                           "zig-zag-remedies.csv", "text/csv", icon=":material/table:", on_click="ignore",
                           key="share_csv")
        st.download_button("The experiment as JSON", lambda: share.experiment_json(experiment).encode(),
                           "zig-zag-remedies.json", "application/json", icon=":material/data_object:",
                           on_click="ignore", key="share_json")
        st.markdown("This repeats the race without the dashboard:")
        st.code(code(experiment, [lane.key for lane in results], horizon, fraction), language="python")


def code(experiment: Experiment, keys: Sequence[str], horizon: int, fraction: float | None) -> str:
    query = json.dumps(normalized(experiment).to_query())
    return (f"from zz_core import Experiment\nfrom zz_core.remedies import race\n\n"
            f"experiment = Experiment.from_query({query})\n"
            f"for lane in race(experiment, {list(keys)}, horizon={horizon}, fraction={fraction}):\n"
            f"    print(lane.key, lane.median, lane.interval)\n")
