"""The compare panel: pin runs, see their paths on one plane and their measures in a table, return to any of them."""
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from zz_core import Experiment, Run
from zz_core.experiment import DEFAULTS
from zz_core.planes import loss_grid, mean_plane, plane_of
from zz_view import assets, controls, page, pins, runs
from zz_view.board import Chart, board
from zz_view.figures.compare import STYLES, Track, losses_figure, overlay_figure, shared_window
from zz_view.figures.trajectories import Window
from zz_view.pins import Measured, Pin

NOW = "Now"  # the run on the screen, while it is not pinned
_table = assets.component("pins", '<div class="zz-pins"></div>', "pins.css", "pins.js", isolate_styles=False)


class Row(NamedTuple):
    """One run of the table, pinned or on the screen."""

    pin: Pin | None  # None for the run on the screen, while it is not pinned
    experiment: Experiment
    found: Measured

    @property
    def letter(self) -> str:
        return self.pin.letter if self.pin else NOW


def compare(experiment: Experiment) -> None:
    """One button, and below it whatever is pinned; the run of the controls is what a pin keeps."""
    mine = pins.pin_of(experiment)
    full = mine is None and len(pins.pinned()) == len(pins.LETTERS)
    st.button("Pin this run" if mine is None else f"This run is pinned as {mine.letter}", icon=":material/keep:",
              key="pin_run", on_click=pins.pin, args=(experiment,), disabled=full or mine is not None,
              help=f"{len(pins.LETTERS)} runs are pinned: remove one first." if full else
              "Keeps these settings for comparison while you change them. Pins last for this visit.")
    if pins.pinned():
        _panel(experiment, mine)


def _panel(experiment: Experiment, mine: Pin | None) -> None:
    rows = [Row(each, each.experiment, pins.measured(each.experiment)) for each in pins.pinned()]
    if mine is None:
        rows.insert(0, Row(None, experiment, pins.measured(experiment)))
    by_loss = any(row.found.by_loss for row in rows)
    st.header("Pinned runs", anchor=False)
    _draw_paths(experiment, rows)
    _table(key="pins", data={"head": heads(by_loss), "rows": cells(rows, experiment, by_loss),
                             "room": len({row.pin.style for row in rows if row.pin} - {None}) < len(STYLES)},
           on_act_change=_act)
    with st.container(horizontal=True):
        st.download_button("All pinned runs as CSV", lambda: table(rows, by_loss).to_csv(index=False).encode(),
                           "zig-zag-pinned.csv", "text/csv", icon=":material/table:", on_click="ignore", key="pins_csv")
        st.button("Remove all pins", icon=":material/keep_off:", key="pins_clear", on_click=st.session_state.pop,
                  args=("_pins", None))


def _draw_paths(experiment: Experiment, rows: Sequence[Row]) -> None:
    shown = [row for row in rows if row.found.own is not None and (row.pin is None or row.pin.style is not None)]
    if not shown:
        st.caption("No path is drawn: choose a run by its letter in the table. A single weight has no plane to be "
                   "drawn on.")
        return
    plain = all(row.experiment.dimensions == 2 for row in shown)
    known = all(np.isfinite(row.found.least) for row in shown)
    tracks = [_track(row, plain, known) for row in shown]
    window, what = shared_window(tracks), "excess loss" if known else "loss"
    excess = _rings(runs.get(experiment), plain, window)
    paths = overlay_figure(tracks, window, excess, ("w₁", "w₂") if plain else ("along the mean", "across the mean"),
                           title(shown), "Rings: the loss of the run on the screen" if excess is not None else "")
    ratios = ", ".join(f"{row.letter} {page.two_digits(row.found.path_ratio, 'x')}" for row in shown)
    ends = ", ".join(f"{row.letter} {_excess(row.found.final_excess)}" for row in shown)
    losses = losses_figure(tracks, what, f"The {what} of these runs", "Above the smallest that each can reach" if known
                           else "For one of them the smallest possible is not known")
    board([Chart(paths, "pinned_paths", f"Paths on one plane, as multiples of their straight lines: {ratios}."),
           Chart(losses, "pinned_losses",
                 f"{what.capitalize()} against the step. Excess loss at the end: {ends}.")],
          "pinned_board", group="pinned")
    if note := notes(shown, plain):
        st.caption(note)


def _track(row: Row, plain: bool, known: bool) -> Track:
    drawing, found = row.found.own if plain else row.found.mean, row.found
    return Track(row.letter, drawing.points, drawing.box, drawing.optimum, row.pin.style if row.pin else None,
                 found.steps_kept, found.losses - found.least if known else found.losses)


def _rings(run: Run, plain: bool, window: Window) -> np.ndarray | None:
    """The excess loss of the run on the screen on the window's grid; None where a single weight has no plane."""
    if run.weights.shape[-1] == 1:
        return None
    grid = loss_grid(run, plane_of(run) if plain else mean_plane(run), *window.grid())
    return grid - (run.minimum_loss if run.optimum is not None else np.nanmin(grid))


def title(rows: Sequence[Row]) -> str:
    """What to see in the picture, in a sentence."""
    known = sorted((row for row in rows if np.isfinite(row.found.path_ratio)), key=lambda row: row.found.path_ratio)
    ratios = [page.two_digits(row.found.path_ratio, "x") for row in known]
    if len(known) < 2 or ratios[0] == ratios[-1]:
        return "The paths of the pinned runs"
    first, last = (row.letter if row.pin else "the run on the screen" for row in (known[0], known[-1]))
    return f"{first[0].upper()}{first[1:]} takes the straightest way ({ratios[0]}), {last} the longest ({ratios[-1]})"


def notes(rows: Sequence[Row], plain: bool) -> str:
    """What has to be known to read the picture right."""
    found = []
    if not plain:
        found.append("More than two weights are projected on the mean of the inputs and the way to the target across "
                     "it, each run in its own plane.")
    optima = [row.found.own.optimum if plain else row.found.mean.optimum for row in rows]
    optima = [each for each in optima if each is not None]
    if any(not np.allclose(each, optima[0], atol=1e-6) for each in optima):
        found.append("Each star is the optimum of a run: another target, other data or a treatment moves it.")
    return " ".join(found)


def heads(by_loss: bool) -> list[str]:
    return ["Run", "What differs from the run on the screen", "Path / straight line",
            "Steps to 1 % of the " + ("excess loss" if by_loss else "distance"), "Gradients with one sign",
            "Excess loss at the end"]


def cells(rows: Sequence[Row], experiment: Experiment, by_loss: bool) -> list[dict]:
    """The rows as the table's component takes them."""
    return [{"letter": row.letter, "pinned": row.pin is not None, "here": row.experiment == experiment,
             "symbol": STYLES[row.pin.style][0] if row.pin and row.pin.style is not None else None,
             "color": STYLES[row.pin.style][1] if row.pin and row.pin.style is not None else None,
             "drawable": row.found.own is not None,
             "differences": [list(each) for each in pins.differences(row.experiment, experiment)],
             "measures": [page.two_digits(row.found.path_ratio, "x"), page.count(row.found.steps[by_loss]),
                          page.percent(row.found.same_sign), _excess(row.found.final_excess)]} for row in rows]


def _excess(value: float) -> str:
    if np.isnan(value):
        return "unknown"
    return "diverged" if np.isinf(value) else "0" if value <= 0 else f"{value:.1e}".replace("-", "−")


def table(rows: Sequence[Row], by_loss: bool) -> pd.DataFrame:
    """One row a run: its letter, all fields, its measures."""
    return pd.DataFrame([{
        "run": row.letter, **{name: getattr(row.experiment, name) for name in DEFAULTS},
        "path_ratio": row.found.path_ratio, "steps_to_1_percent": row.found.steps[by_loss],
        "judged_by": "excess loss" if by_loss else "distance", "one_sign_share": row.found.same_sign,
        "final_excess_loss": row.found.final_excess} for row in rows])


def _act() -> None:
    """What the visitor did in the table."""
    act = st.session_state["pins"]["act"]
    if not isinstance(act, dict) or (chosen := pins.find(str(act.get("letter")))) is None:
        return  # what a browser sends may be anything
    if act.get("do") == "return":
        controls.adopt(chosen.experiment)
    elif act.get("do") == "remove":
        pins.remove(chosen.letter)
    elif act.get("do") == "draw":
        pins.toggle_drawn(chosen.letter)
