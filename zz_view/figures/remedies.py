"""Figures of the race: steps by remedy, steps against the rate, losses, and paths on common contours."""
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from zz_core.remedies import REMEDIES, Lane
from zz_view.figures.trajectories import Window, contours, thinned, window_around
from zz_view.theme import CENTERED, DRAWING, GREY, RAW, drawn

OTHERS = ("#6C6FD8", "#A67C00", "#1A91A3", "#A8705A")  # of lanes that are neither raw nor zero-centered; 3:1 on both
OVER_SEEDS, EXACT = "median, and its 95 % interval over the seeds", "one exact run each: the full batch draws nothing"
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "star")  # of paths, so that no color stands alone
GLYPHS = ("●", "◆", "■", "▲", "✕", "★")
BEADS = 3  # symbols on a path
ROW = 32  # pixels
NAMES = 158  # pixels for the remedies' names
NUMBERS = 0.62  # powers of ten to the right of the last dot, for its number
DRAWN_POINTS = 600
HIGHEST = 1e5  # times the goal: what climbs further leaves the picture
APART = 0.36  # of the axis: names under the loss curves closer than this would touch on a phone
LEVEL = 0.42  # powers of ten between two rows of these names


def lane_colors(shown: Sequence[str]) -> dict[str, str]:
    """A color for each lane in the pictures; raw and zero-centered keep theirs."""
    own = {"nothing": RAW, "center": CENTERED}
    rest = [key for key in shown if key not in own]
    return {key: own[key] for key in shown if key in own} | dict(zip(rest, OTHERS, strict=False))


def sorted_lanes(lanes: Sequence[Lane]) -> list[Lane]:
    """Fewest steps first; then those that reach something else, those that do not arrive, those that never move."""
    return sorted(lanes, key=lambda lane: (bool(lane.stuck), not lane.reached, lane.misses, lane.median))


def dots_figure(lanes: Sequence[Lane], colors: Mapping[str, str], title: str, horizon: int,
                waiting: Sequence[str] = (), focus: str | None = None) -> dict:
    """A row a remedy: the median of the steps as a dot, its interval as a line; what does not arrive at the edge."""
    rows, far = sorted_lanes(lanes), max([horizon / 8, *(lane.interval[1] for lane in lanes if lane.reached
                                                         and math.isfinite(lane.interval[1]))])
    low = min((lane.interval[0] for lane in lanes if lane.reached), default=10.0)
    low, edge = max(0.8, 0.8 * low), 10 ** (math.log10(max(far, 10)) + NUMBERS)
    traces, notes, shapes = [], [], []
    for k, lane in enumerate(rows):
        color = colors.get(lane.key, GREY)
        traces += _dot(lane, -k, color, edge)
        notes += [_name(lane.key, -k, color), _number(lane, -k, low, edge)]
        if lane.key == focus:
            shapes.append({"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": -k - 0.46, "y1": -k + 0.46,
                           "layer": "below", "line": {"width": 0}, "fillcolor": "rgba(127,135,145,0.14)"})
    for k, key in enumerate(waiting, len(rows)):
        notes += [_name(key, -k, GREY), _note("…", math.log10(low), -k, xanchor="left", xshift=6)]
    count = len(rows) + len(waiting)
    if not traces:  # the axes need something to stand on
        traces = [{"type": "scatter", "name": "none", "x": [1.0], "y": [math.nan], "mode": "markers"}]
    figure = drawn(traces, title, ROW * count + 118, annotations=notes, shapes=shapes,
                   subtitle=EXACT if lanes and all(len(lane.steps) == 1 for lane in lanes) else OVER_SEEDS,
                   x={"title": {"text": "steps to the goal"}, "type": "log", "zeroline": False,
                      "range": [math.log10(low), math.log10(edge) + 0.06],
                      **_ticks(math.log10(low), math.log10(edge))},
                   y={"range": [-count + 0.4, 0.6], "tickvals": -np.arange(count), "ticktext": [""] * count,
                      "zeroline": False})
    figure["layout"]["margin"] = {**figure["layout"]["margin"], "l": NAMES}
    return figure


def _ticks(low: float, high: float) -> dict:
    """Ticks at 1, 2 and 5 where the range (exponents of 10) is too short for powers of ten alone."""
    if high - low > 2.2:
        return {}
    values = [digit * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for digit in (1, 2, 5)]
    return {"tickvals": [value for value in values if low <= math.log10(value) <= high]}


def _dot(lane: Lane, y: float, color: str, edge: float) -> list[dict]:
    label = REMEDIES[lane.key].label
    if not lane.reached:
        return [{"type": "scatter", "name": label, "x": [edge], "y": [float(y)], "mode": "markers",
                 "marker": {"symbol": "circle-open", "size": 10, "color": color, "line": {"width": 2}},
                 "hovertemplate": f"{label}: {_why_not_reached(lane)}<extra></extra>"}]
    low, high = np.clip(lane.interval, 1, edge)
    at, own = max(lane.median, 1), "its own optimum" if lane.misses else "the goal"
    return [{"type": "scatter", "name": f"{label}, interval", "x": np.array([low, high]), "y": np.array([y, y], float),
             "mode": "lines", "line": {"color": color, "width": 3}, "opacity": 0.55, "hoverinfo": "skip"},
            {"type": "scatter", "name": label, "x": [at], "y": [float(y)], "mode": "markers",
             "marker": {"symbol": "diamond" if lane.misses else "circle", "size": 11, "color": color},
             "hovertemplate": f"{label}: {lane.median:.0f} steps to {own} [{lane.interval[0]:.0f}, "
                              f"{_most(lane.interval[1])}]<extra></extra>"}]


def _most(steps: float) -> str:
    return f"{steps:.0f}" if math.isfinite(steps) else "not reached"


def _why_not_reached(lane: Lane) -> str:
    return f"never moves, {lane.stuck}" if lane.stuck else f"not reached in {lane.horizon:,} steps"


def _number(lane: Lane, y: float, low: float, edge: float) -> dict:
    """The median beside its interval: to the right where there is room, as there is not for the longer words."""
    if not lane.reached:
        words = "never moves" if lane.stuck else f"not in {lane.horizon:,}"
        return _note(words, math.log10(edge), y, xanchor="right", xshift=-11)
    words = f"{lane.median:.0f}"
    if lane.misses:
        words += f", leaves {100 * lane.floor:.0f} %" if lane.floor < 2 else f", leaves {lane.floor:.2g}x"
    ends = np.log10(np.clip(lane.interval, 1, edge))
    share = (ends[1] - math.log10(low)) / (math.log10(edge) - math.log10(low))
    if share > (0.4 if lane.misses else 0.9):
        return _note(words, ends[0], y, xanchor="right", xshift=-9)
    return _note(words, ends[1], y, xanchor="left", xshift=9)


def _name(key: str, y: float, color: str) -> dict:
    style = {} if color == GREY else {"font": {"size": 14, "color": color}}
    return {"text": REMEDIES[key].label, "xref": "paper", "x": 0, "y": y, "showarrow": False, "xanchor": "right",
            "xshift": -8, "font": {"size": 14}, **style}


def _note(text: str, x: float, y: float, color: str | None = None, **place) -> dict:
    font = {"size": 14, "color": color} if color else {"size": 14}
    return {"text": text, "x": float(x), "y": float(y), "showarrow": False, "font": font, **place}


class RateCurve(NamedTuple):
    """Steps against the rate (K,); infinite where fewer than three of four choosing seeds arrive before `given_up`."""

    name: str
    color: str
    rates: np.ndarray
    steps: np.ndarray
    given_up: np.ndarray
    best: int


def rates_figure(curves: Sequence[RateCurve], critical: bool, title: str, height: int) -> dict:
    """The search of the best rate: a line a lane, its choice ringed, rates that do not arrive as rings at the top."""
    found = np.concatenate([curve.steps[np.isfinite(curve.steps)] for curve in curves] or [[]])
    high, low = max(found, default=10.0), max(min(found, default=10.0), 1.0)
    top, traces, notes = 1.6 * high, [], []
    for k, curve in enumerate(curves):
        there = np.isfinite(curve.steps)
        hover = f"{curve.name}, rate %{{x:.3g}}: "
        traces.append({"type": "scatter", "name": curve.name, "x": curve.rates,
                       "y": np.where(there, np.maximum(curve.steps, 1), np.nan), "mode": "lines+markers",
                       "line": {"color": curve.color, "width": 2}, "marker": {"size": 6, "color": curve.color},
                       "hovertemplate": hover + "%{y:.0f} steps<extra></extra>"})
        if not there.all():
            traces.append({"type": "scatter", "name": f"{curve.name}, not reached", "x": curve.rates[~there],
                           "y": np.full((~there).sum(), top * 1.25**k), "mode": "markers",
                           "marker": {"symbol": "circle-open", "size": 7, "color": curve.color},
                           "customdata": curve.given_up[~there].astype(np.int32),
                           "hovertemplate": hover + "not reached in %{customdata} steps<extra></extra>"})
        if there.any():
            at, steps = curve.rates[curve.best], max(curve.steps[curve.best], 1)
            traces.append({"type": "scatter", "name": f"{curve.name}, chosen", "x": [at], "y": [steps],
                           "mode": "markers", "marker": {"symbol": "circle-open", "size": 17, "color": curve.color,
                                                         "line": {"width": 2.2}}, "hoverinfo": "skip", "meta": DRAWING})
            notes.append(_note(f"{curve.name}: {at:.2g}", math.log10(at), math.log10(steps), curve.color,
                               xanchor="center", yshift=-20))
    if any(np.isinf(curve.steps).any() for curve in curves):
        rates = np.concatenate([curve.rates for curve in curves])
        notes.append(_note("not reached", math.log10(rates.min()), math.log10(top * 1.25 ** (len(curves) - 1)),
                           GREY, xanchor="left", yshift=15))
    bottom, above = math.log10(low) - 0.35, math.log10(top * 1.25 ** len(curves)) + 0.22
    what = "learning rate, of the stability limit" if critical else "learning rate"
    return drawn(traces, title, height, annotations=notes,
                 subtitle="steps in which three of four choosing seeds arrive",
                 x={"title": {"text": what}, "type": "log", "zeroline": False},
                 y={"title": {"text": "steps"}, "type": "log", "zeroline": False, "range": [bottom, above],
                    **_ticks(bottom, math.log10(high))})


def losses_figure(lanes: Sequence[Lane], colors: Mapping[str, str], title: str, height: int = 450) -> dict:
    """Median excess loss over the goal against the step; a lane ends, and is named, where it first touches the goal."""
    traces, ends = [], []
    for lane in lanes:
        reached = np.flatnonzero(lane.losses <= 1)
        stop = int(reached[0]) + 1 if len(reached) else len(lane.losses)
        kept = thinned(stop, DRAWN_POINTS)
        with np.errstate(over="ignore"):
            y = np.where(np.isfinite(lane.losses[kept]), lane.losses[kept], np.nan).astype(np.float32)
        x, label = lane.step_index[kept] + 1, REMEDIES[lane.key].label
        traces.append({"type": "scatter", "name": label, "x": x.astype(np.int32), "y": y, "mode": "lines",
                       "line": {"color": colors[lane.key], "width": 2},
                       "hovertemplate": f"{label}, step %{{customdata}}: %{{y:.3g}} times the goal<extra></extra>",
                       "customdata": lane.step_index[kept].astype(np.int32)})
        ends.append((float(x[-1]), bool(len(reached)), float(y[-1]) if np.isfinite(y[-1]) else 1.0, lane.key))
    notes, most = [], max((end[0] for end in ends), default=1.0)
    arrived, reach = sorted(end for end in ends if end[1]), math.log10(max(most, 2))
    levels = _levels([math.log10(end[0]) / reach for end in arrived])
    for level, (x, _, _, key) in zip(levels, arrived, strict=True):
        share = math.log10(x) / reach
        side = "right" if share > 0.8 else "left" if share < 0.1 else "center"
        notes.append(_note(REMEDIES[key].label, math.log10(x), -0.32 - LEVEL * level, colors[key], xanchor=side,
                           xshift=4 if side == "right" else 0))
    for x, _, y, key in (end for end in ends if not end[1]):
        notes.append(_note(REMEDIES[key].label, math.log10(x), math.log10(max(y, 1)), colors[key], xanchor="right",
                           yshift=12))
    highest = [float(np.nanmax(trace["y"])) for trace in traces if np.isfinite(trace["y"]).any()]
    top = math.log10(min(max([10.0, *highest]), HIGHEST)) + 0.25
    goal = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 1, "y1": 1, "layer": "below",
            "line": {"color": GREY, "width": 1.5, "dash": "dot"}}
    notes.append({"text": "goal", "xref": "paper", "x": 0, "y": 0, "showarrow": False, "xanchor": "left",
                  "yshift": 11, "xshift": 4, "font": {"size": 14, "color": GREY}})
    kind = "one exact run each" if all(len(lane.steps) == 1 for lane in lanes) else "median over the seeds"
    return drawn(traces, title, height, annotations=notes, shapes=[goal],
                 subtitle=f"{kind}, up to where it first touches the goal",
                 x={"title": {"text": "step, the start being 1"}, "type": "log", "zeroline": False,
                    "range": [0, 1.01 * reach]},
                 y={"title": {"text": "excess loss / goal"}, "type": "log", "zeroline": False,
                    "range": [-0.6 - LEVEL * max(levels, default=0), top]})


def _levels(places: Sequence[float]) -> list[int]:
    """For each of these ascending places on the axis the first row of names that has room there."""
    last, found = [], []
    for place in places:
        level = next((k for k, end in enumerate(last) if place - end > APART), len(last))
        last[level:level + 1] = [place]
        found.append(level)
    return found


class Ground(NamedTuple):
    """What the paths run on: contours of one loss on the plane, start and optimum (2,), and the axes' names."""

    window: Window
    excess: np.ndarray  # on the window's grid
    start: np.ndarray
    optimum: np.ndarray
    axis_titles: tuple[str, str]


def path_window(paths: Sequence[np.ndarray], ends: np.ndarray) -> Window:
    """A window about start and optimum (2, 2) that holds the paths (n, 2) as far as they stay near."""
    reach = 1.6 * max(float(np.linalg.norm(ends[1] - ends[0])), 1e-6)
    near = [path[np.linalg.norm(path - ends.mean(axis=0), axis=-1) < reach] for path in paths]
    return window_around(ends, *near)


def paths_figure(ground: Ground, paths: Mapping[str, np.ndarray], colors: Mapping[str, str], title: str,
                 height: int = 450) -> dict:
    """Paths (n, 2) by remedy on the contours of the raw loss, named in their colors under the title."""
    traces = [contours(ground.window, ground.excess)]
    symbols, glyphs = (dict(zip(paths, 2 * kinds, strict=False)) for kinds in (SYMBOLS, GLYPHS))
    for key, path in paths.items():
        kept = thinned(len(path), DRAWN_POINTS)
        with np.errstate(over="ignore", invalid="ignore"):
            points = path[kept].astype(np.float32)
        traces.append({"type": "scatter", "name": REMEDIES[key].label, "x": points[:, 0], "y": points[:, 1],
                       "mode": "lines", "opacity": 0.9, "line": {"color": colors[key], "width": 2},
                       "hovertemplate": f"{REMEDIES[key].label}: %{{x:.3g}}, %{{y:.3g}}<extra></extra>"})
        spots = points[np.isfinite(points).all(axis=1)]
        spots = spots[np.linspace(0, len(spots) - 1, BEADS + 2).astype(int)[1:-1]] if len(spots) else spots
        traces.append({"type": "scatter", "name": REMEDIES[key].label, "x": spots[:, 0], "y": spots[:, 1],
                       "mode": "markers", "hoverinfo": "skip", "meta": DRAWING,
                       "marker": {"symbol": symbols[key], "size": 9, "color": colors[key]}})
    ends = np.stack([ground.start, ground.optimum])
    # away from each other, and so from most of the paths between
    sides = ["bottom center", "top center"] if ends[1, 1] >= ends[0, 1] else ["top center", "bottom center"]
    traces.append({"type": "scatter", "name": "start and optimum", "x": ends[:, 0], "y": ends[:, 1],
                   "mode": "markers+text", "text": ["start", "optimum"], "textposition": sides,
                   "textfont": {"size": 14}, "marker": {"symbol": ["circle-open", "star"], "size": 13, "color": GREY,
                                                        "line": {"width": 2, "color": GREY}},
                   "hovertemplate": "%{text}: %{x:.3g}, %{y:.3g}<extra></extra>"})
    names = [f"<span style='color:{colors[key]}'>{glyphs[key]}\u00a0{REMEDIES[key].label}</span>" for key in paths]
    return drawn(traces, title, height, subtitle=" · ".join(names),
                 x={"range": ground.window.x, "title": {"text": ground.axis_titles[0]}, "constrain": "domain",
                    "zeroline": False},
                 y={"range": ground.window.y, "title": {"text": ground.axis_titles[1]}, "constrain": "domain",
                    "zeroline": False, "scaleanchor": "x"})
