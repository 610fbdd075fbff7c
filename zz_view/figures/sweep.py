"""Figures of a sweep: a measure against one field, a line for each value of another, or a map of both."""
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zz_core.specs import Value, written
from zz_core.sweep import Summary
from zz_view.figures.remedies import OTHERS
from zz_view.theme import CENTERED, GREY, RAW, drawn, translucent

COLORS = (*OTHERS, GREY, "#8C6D46")
DASHES = ("solid", "dot", "dashdot", "longdash", "longdashdot", "solid")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x")
MOST_LINES = len(COLORS)
STEPS = 12  # of the map's color
LIGHTEST, DARKEST = np.array([0xED, 0xE9, 0xFA]), np.array([0x8F, 0x7F, 0xE0])
SHADES = [[share, "#" + "".join(f"{round(c):02X}" for c in LIGHTEST + share * (DARKEST - LIGHTEST))]
          for share in np.linspace(0, 1, STEPS + 1).tolist()]
TWINS = {"raw": RAW, "zero-centered": CENTERED}


class Line(NamedTuple):
    """Of K values of the first axis; theory is NaN where there is none."""

    name: str
    summaries: Sequence[Summary | None]  # (K,) None where the task failed
    theory: np.ndarray  # (K,)


class Axis(NamedTuple):
    """values: numbers, or what is written under the points."""

    title: str
    values: Sequence[Value]
    log: bool = False

    @property
    def numeric(self) -> bool:
        return not any(isinstance(value, str | bool) for value in self.values)

    @property
    def places(self) -> np.ndarray:
        return np.array(self.values, float) if self.numeric else np.arange(float(len(self.values)))

    def layout(self) -> dict:
        found = {"title": {"text": self.title, "standoff": 8}, "zeroline": False}
        if self.numeric and not self.log:
            return found
        return found | {"type": "log" if self.log else "linear", "tickvals": self.places.tolist(),
                        "ticktext": [written(v) if not isinstance(v, float) else f"{v:g}" for v in self.values]}


def lines_figure(axis: Axis, lines: Sequence[Line], title: str, measure: str, log: bool, height: int = 460) -> dict:
    """Medians, solid, with their 95 % intervals as bands; dashed the theory. What is never reached is open, at the
    top."""
    places, traces, notes = axis.places, [], []
    top = 1.3 * max((s.high for line in lines for s in line.summaries if s and math.isfinite(s.high)), default=1.0)
    for k, line in enumerate(lines):
        color = TWINS.get(line.name, COLORS[k % MOST_LINES])
        rows = np.array([(math.nan,) * 3 if found is None else found for found in line.summaries], float)
        unreached = np.isposinf(rows[:, 0])
        cut = np.minimum(rows, top)
        there = np.isfinite(cut).all(axis=1)
        traces += [_band(places[there], cut[there], color, line.name)] if there.sum() > 1 else []
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": line.name, "x": places, "y": cut[:, 0],
            "line": {"color": color, "width": 2, "dash": DASHES[k % MOST_LINES] if line.name not in TWINS else "solid"},
            "marker": {"size": 8, "symbol": [f"{SYMBOLS[k % MOST_LINES]}{'-open' * bool(o)}" for o in unreached],
                       "color": color},
            "customdata": [_words(found) for found in line.summaries],
            "hovertemplate": f"{line.name}, {axis.title} %{{x}}: in words %{{customdata}}<extra></extra>"})
        if np.isfinite(line.theory).any():
            traces.append({"type": "scatter", "mode": "lines", "name": f"{line.name}, theory", "x": places,
                           "y": line.theory, "line": {"color": color, "width": 2, "dash": "dash"}, "opacity": 0.8,
                           "hovertemplate": f"{line.name}, theory: %{{y:.3g}}<extra></extra>"})
        if there.any():
            last = np.flatnonzero(there)[-1]
            notes.append(_note(line.name, places[last], cut[last, 0], color, axis.log, log))
    _spread(notes, log)
    if not traces:  # the axes need something to stand on
        nothing = np.full(len(places), math.nan)
        traces = [{"type": "scatter", "name": "none", "x": places, "y": nothing, "mode": "lines"}]
    return drawn(traces, title, height, axis.layout(),
                 {"title": {"text": measure}, "type": "log" if log else "linear", "zeroline": False}, notes)


def _words(found: Summary | None) -> str:
    if found is None:
        return "failed"
    if math.isinf(found.median):
        return "not reached by more than half of the seeds"
    return f"{found.median:.3g} [{_end(found.low)}, {_end(found.high)}]"


def _end(value: float) -> str:
    return "not reached" if math.isinf(value) else f"{value:.3g}"


def _band(places: np.ndarray, rows: np.ndarray, color: str, name: str) -> dict:
    return {"type": "scatter", "mode": "lines", "name": f"{name}, 95 % interval", "fill": "toself",
            "x": np.concatenate([places, places[::-1]]), "y": np.concatenate([rows[:, 1], rows[::-1, 2]]),
            "line": {"width": 0}, "fillcolor": translucent(color), "hoverinfo": "skip"}


def _note(name: str, x: float, y: float, color: str, log_x: bool, log_y: bool) -> dict:
    return {"x": math.log10(x) if log_x else x, "y": math.log10(y) if log_y and y > 0 else y, "text": name,
            "showarrow": False, "xanchor": "right", "yanchor": "bottom", "yshift": 6,
            "font": {"color": color, "size": 14}}


def _spread(notes: list[dict], log: bool) -> None:
    """Names that would touch go to alternate sides of their lines' ends."""
    heights = [note["y"] for note in notes]
    span = max(np.ptp(heights), 1e-12) if heights else 1.0
    for above, below in zip(order := sorted(notes, key=lambda note: -note["y"]), order[1:], strict=False):
        if above["y"] - below["y"] < 0.08 * span:
            below |= {"yanchor": "top", "yshift": -6}


def map_figure(across: Axis, up: Axis, values: np.ndarray, title: str, measure: str, log: bool,
               height: int = 520) -> dict:
    """A cell a task: values (rows of `up`, columns of `across`), the median, written in each cell; infinite where it
    is not reached, NaN where it is undefined or failed."""
    finite = np.where(np.isfinite(values), values, np.nan)
    with np.errstate(all="ignore"):
        shade = np.log10(np.where(finite > 0, finite, np.nan)) if log else finite
    text = [["–" if math.isinf(v) else "" if math.isnan(v) else f"{v:.2g}" if v < 100 else f"{v:.0f}" for v in row]
            for row in values]
    known = shade[np.isfinite(shade)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    trace = {"type": "heatmap", "x0": 0, "dx": 1, "y0": 0, "dy": 1, "z": shade,
             "zmin": low, "zmax": max(high, low + 1e-9), "customdata": values,
             "text": text, "texttemplate": "%{text}", "textfont": {"size": 14}, "name": measure, "showscale": False,
             "colorscale": SHADES, "xgap": 2, "ygap": 2,
             "hovertemplate": f"{across.title} %{{x}}, {up.title} %{{y}}: %{{text}}<extra></extra>"}
    figure = drawn([trace], title, height, _cells(across), _cells(up))
    longest = max((len(name) for name in figure["layout"]["yaxis"]["ticktext"]), default=0)
    figure["layout"]["margin"] = {**figure["layout"]["margin"], "l": max(56, 34 + 7 * longest)}
    return figure


def _cells(axis: Axis) -> dict:
    names = [written(v) if not isinstance(v, float) else f"{v:g}" for v in axis.values]
    return {"title": {"text": axis.title, "standoff": 8}, "tickvals": list(range(len(names))), "ticktext": names,
            "range": [-0.5, len(names) - 0.5], "zeroline": False, "showgrid": False}
