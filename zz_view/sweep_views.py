"""The Sweep page's controls, pictures and words."""
import io
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from zz_core import Experiment
from zz_core.specs import Value, written
from zz_core.sweep import MEASURES, Grid, Result, Summary, summary, table
from zz_view import page, runs, share, sweep_axes, sweep_runs
from zz_view.board import Chart, board
from zz_view.controls import BOUND
from zz_view.fields import label
from zz_view.figures import sweep as figures

NONE = "nothing"
SHOWN: dict[str, str] = {**MEASURES, "condition": "κ, the condition number"}
LOGARITHMIC = ("steps", "path_ratio", "excess_loss", "condition")
SEEDS = [1, 5, 10, 20, 50, 100, 200]
REMEMBERED = 8
TWIN_NAMES = {"none": "raw", "center": "zero-centered"}


def axes(experiment: Experiment) -> tuple[dict[str, list[Value]], str]:
    """The fields that vary and their values, as the visitor chooses and writes them; and why not, where that fails."""
    left, right = st.columns(2)
    with left:
        first, wrong = _axis("Along the picture", "x", sweep_axes.FIELDS, "batch_size", experiment)
    with right:
        second, wrong_too = _axis("A line or a row for each", "y", (NONE, *sweep_axes.FIELDS), "treatment", experiment)
    if set(first) & set(second):
        return {}, "Both choices name the same field: choose another one, or nothing, for the second."
    return first | second, wrong or wrong_too


def _axis(title: str, key: str, fields: Sequence[str], default: str,
          experiment: Experiment) -> tuple[dict[str, list[Value]], str]:
    name = st.selectbox(title, fields, index=fields.index(default), key=key, **BOUND,
                        help="Any field of the sidebar; everything else stays as the sidebar has it.")
    if name == NONE:
        st.text_input("Its values", "", disabled=True, key=f"{key}_off", placeholder="one line")
        return {}, ""
    usual = sweep_axes.usual(name, experiment)
    text = st.text_input("Its values", "", key=f"{key}_values", placeholder=sweep_axes.shown(usual), **BOUND,
                         help="Separated by commas, such as `1, 4, 16`, or a range such as `0.05 to 1, 9 values, log`. "
                              "Empty takes the values shown in grey.")
    try:
        return {name: sweep_axes.parsed(name, text) if text.strip() else usual}, ""
    except ValueError as error:
        return {}, _readable(error)


def _readable(error: ValueError) -> str:
    """Of a field, or of how its values are written, which says by itself what to change."""
    name = runs.split_message(error)[0]
    return runs.readable(error, "Change its values below") if name in sweep_axes.DEFAULTS else f"{error}."


def grid_of(experiment: Experiment, place: DeltaGenerator) -> tuple[Grid, str]:
    """The grid and the measure that is shown; draws the controls.

    A sentence in `place` where there is no such grid: after all controls, since one not drawn would lose its value.
    """
    with st.container(border=True):
        chosen, wrong = axes(experiment)
        left, right = st.columns(2)
        measure = left.selectbox("Measure", list(SHOWN), key="measure", **BOUND,
                                 help="\n".join(f"- `{name}`: {words}" for name, words in SHOWN.items()))
        seeds = right.select_slider("Seeds", SEEDS, 20, key="seeds", **BOUND,
                                    help="How many draws of the samples each point has. The full batch draws nothing: "
                                         "one run says all.")
    with place:
        if wrong:
            runs.refuse(wrong)
        try:
            return Grid(experiment, chosen, seeds), measure
        except ValueError as error:
            runs.refuse(_readable(error))


def found_in(result: Result, measure: str) -> Summary | None:
    if result.error:
        return None
    if measure == "condition":
        return Summary(*[result.facts["condition"]] * 3)
    return summary(result, measure)


def name_of(field: str, value: Value) -> str:
    """How a line is called: the twins by their names on all pages."""
    if field == "treatment":
        return TWIN_NAMES.get(value, str(value).replace("_", " "))
    words = _written(value)
    return words if isinstance(value, str) else f"{label(field).lower()} {words}"


def draw(grid: Grid, results: Sequence[Result], measure: str) -> None:
    """Lines with intervals, or a map where there are more lines than can be told apart."""
    names, values = list(grid.axes), list(grid.axes.values())
    points = {tuple(result.point.values()): result for result in results}
    across = figures.Axis(label(names[0]), values[0], sweep_axes.is_log(values[0]))
    theory = sweep_runs.theory([result.task for result in results if not result.error], measure)
    is_map = len(values) == 2 and len(values[1]) > figures.MOST_LINES
    if is_map:
        up = figures.Axis(label(names[1]), values[1])
        cells = np.array([[_median(points.get((x, y)), measure) for x in values[0]] for y in values[1]])
        heading = SHOWN[measure] if measure == "condition" else f"Median {SHOWN[measure]}"
        figure = figures.map_figure(across, up, cells, heading, SHOWN[measure], measure in LOGARITHMIC)
    else:
        rest = values[1] if len(values) == 2 else [None]
        lines = [_line(grid, points, theory, measure, other, names) for other in rest]
        log = measure in LOGARITHMIC and _positive(lines)
        heading = SHOWN[measure] if measure == "condition" else f"Median {SHOWN[measure]}, and its 95 % interval"
        figure = figures.lines_figure(across, lines, heading, SHOWN[measure], log)
    alt = f"{SHOWN[measure]} against {label(names[0]).lower()}. {title(grid, points, measure)}."
    board([Chart(figure, "sweep", alt)], "sweep_board")
    st.caption(_notes(results, theory, measure, is_map))


def _line(grid: Grid, points: dict, theory: dict[int, float], measure: str, other: Value | None,
          names: list[str]) -> figures.Line:
    found = [points.get((x,) if other is None else (x, other)) for x in grid.axes[names[0]]]
    name = "all else as in the sidebar" if other is None else name_of(names[1], other)
    return figures.Line(name, [None if result is None else found_in(result, measure) for result in found],
                        np.array([math.nan if result is None else theory.get(result.task.index, math.nan)
                                  for result in found]))


def _positive(lines: Sequence[figures.Line]) -> bool:
    lows = [found.low for line in lines for found in line.summaries if found and not math.isnan(found.median)]
    return bool(lows) and min(lows) > 0


def _median(result: Result | None, measure: str) -> float:
    found = None if result is None else found_in(result, measure)
    return math.nan if found is None else found.median


def answer(grid: Grid, results: Sequence[Result], measure: str) -> str:
    """The page's sentence: the measure at both ends, and what kind of number it is."""
    said = title(grid, {tuple(result.point.values()): result for result in results}, measure)
    seeds = grid.replicates
    of = "" if measure == "condition" else f", the median of {seeds} seed{'s' * (seeds > 1)}"  # κ is the data's own
    return f"**{said}** ({SHOWN[measure]}{of})."


def title(grid: Grid, points: dict, measure: str) -> str:
    """From the first to the last value of the first axis, for the first two lines."""
    names, values = list(grid.axes), list(grid.axes.values())
    rest = values[1][:2] if len(values) == 2 else [None]
    parts = []
    for other in rest:
        ends = [points.get((x,) if other is None else (x, other)) for x in (values[0][0], values[0][-1])]
        said = " → ".join(_said(end, measure) for end in ends)
        parts.append(said if other is None else f"{name_of(names[1], other)} {said}")
    return f"{label(names[0])} {_written(values[0][0])} → {_written(values[0][-1])}: {', '.join(parts)}"


def _said(result: Result | None, measure: str) -> str:
    """The median in words, and words where there is none: beside an arrow a dash reads as a minus."""
    if result is None:
        return "not run yet"
    median = _median(result, measure)
    return "no value" if math.isnan(median) else (page.count if measure == "steps" else page.two_digits)(median)


def _written(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else written(value)


def _notes(results: Sequence[Result], theory: dict[int, float], measure: str, is_map: bool) -> str:
    """What the picture shows; a map has no intervals, no markers and no dashed lines."""
    what = ("The condition number of each point's data" if measure == "condition" else
            "Medians over the seeds" if is_map else "Medians with 95 % intervals")
    parts = [f"{what}, run {sweep_runs.where()}."]
    if measure == "steps":
        mark = "A dash" if is_map else "Open markers"
        parts.append(f"A seed that does not arrive counts as slower than all that do. {mark}: more than half do not "
                     "arrive.")
    if theory and not is_map:
        parts.append("Dashed: " + ("the closed form for independent features." if measure == "condition" else
                                   "the expected excess loss, a mean over all draws, which a few unlucky ones pull "
                                   "above the median."))
    failed = [result for result in results if result.error]
    if failed:
        parts.append(f"{len(failed)} of {len(results)} points are impossible, such as {failed[0].error}.")
    return " ".join(parts)


def frame(results: Sequence[Result]) -> pd.DataFrame:
    return pd.DataFrame(table(results))


def draw_table(grid: Grid, results: Sequence[Result]) -> None:
    """All measures in words, each with the ends of its interval."""
    shown, config = frame(results).replace([np.inf], np.nan), st.column_config
    columns = {name: config.Column(label(name), pinned=True) for name in grid.axes}
    for name, words in MEASURES.items():
        said = {name: words[0].upper() + words[1:], f"{name}_low": "at least", f"{name}_high": "at most"}
        is_share = words.startswith("share")
        if is_share:
            shown[[*said]] *= 100
        form = page.PERCENT_COLUMN if is_share else "%.0f" if name == "steps" else "%.3g"
        columns |= {column: config.NumberColumn(head, format=form) for column, head in said.items()}
    columns |= {"absolute_rate": config.NumberColumn("Learning rate, absolute", format="%.3g"),
                "condition": config.NumberColumn("κ", format="%.3g"), "seeds": "Seeds",
                "error": "Why not" if shown["error"].any() else None}
    st.dataframe(shown, hide_index=True, width="stretch", placeholder="–", column_config=columns)
    st.caption("*At least* and *at most* are the ends of the 95 % interval of the number before them.")


def remember(grid: Grid, measure: str) -> None:
    """Sweeps of this session, the newest first."""
    history = st.session_state.setdefault("_sweeps", [])
    entry = (grid.to_json(), measure)
    st.session_state["_sweeps"] = [entry, *(other for other in history if other != entry)][:REMEMBERED]


def draw_history(grid: Grid, measure: str) -> None:
    others = [entry for entry in st.session_state.get("_sweeps", []) if entry != (grid.to_json(), measure)]
    if not others:
        return
    with st.expander(f"Sweeps of this session ({len(others)} more)"):
        for k, (text, shown) in enumerate(others):
            old = Grid.from_json(text)
            words = " x ".join(f"{label(name)} ({len(values)})" for name, values in old.axes.items())
            st.button(f"{shown}: {words}, {old.replicates} seeds", key=f"_sweep_{k}", icon=":material/history:",
                      on_click=_restore, args=(old, shown))


def _restore(grid: Grid, measure: str) -> None:
    keys = dict(zip(("x", "y"), grid.axes, strict=False))
    state = {"x": keys["x"], "y": keys.get("y", NONE), "measure": measure, "seeds": grid.replicates}
    for key, name in keys.items():
        state[f"{key}_values"] = sweep_axes.shown(grid.axes[name])
    spec = {name: getattr(grid.base, name) for name in sweep_axes.DEFAULTS}
    st.session_state.update(spec | state)


def draw_share(experiment: Experiment, grid: Grid, results: Sequence[Result]) -> None:
    with st.popover("Share", icon=":material/share:"):
        st.markdown("This link opens the same sweep:")
        st.code(share.permalink(experiment), language=None, wrap_lines=True)
        st.download_button("The table as CSV", lambda: frame(results).to_csv(index=False).encode(),
                           "zig-zag-sweep.csv", "text/csv", icon=":material/table:", on_click="ignore", key="share_csv")
        st.download_button("The table as Parquet", lambda: _parquet(results), "zig-zag-sweep.parquet",
                           "application/vnd.apache.parquet", icon=":material/table:", on_click="ignore",
                           key="share_parquet")
        st.download_button("The grid as JSON", lambda: grid.to_json().encode(), "grid.json", "application/json",
                           icon=":material/data_object:", on_click="ignore", key="share_json")
        st.markdown("With that file the same sweep runs from a shell, of any size:")
        st.code("python -m zz_core.sweep grid.json --out results.csv --store kept.db", language="shell")


def _parquet(results: Sequence[Result]) -> bytes:
    held = io.BytesIO()
    frame(results).to_parquet(held, index=False)
    return held.getvalue()


def numbers(grid: Grid, results: Sequence[Result]) -> None:
    """What was run."""
    runs_done = sum(max(len(result.values.get("steps", [])), 1) for result in results if not result.error)
    reached = [value for result in results for value in result.values.get("steps", []) if not math.isnan(value)]
    share_there = float(np.isfinite(reached).mean()) if reached else math.nan
    page.numbers([page.Number("Points", str(len(results)), f"of {len(grid)}"),
                  page.Number("Runs", f"{runs_done:,}", f"{grid.replicates} seeds a point"),
                  page.Number("Runs that arrive", page.percent(share_there), "within 1 %")])


