"""Paths on the plane of the weights, and the losses beneath. What moves with a step is the player's, not a trace."""
from typing import NamedTuple

import numpy as np

from zz_view.theme import FAINT, GREY, drawn, translucent

GRID_POINTS = 80
RINGS = 10  # contour bands
PIECES = 6  # of a path
NOTHING = 1e-10  # of the loss at the start: further down there is nothing left to see
HEIGHT = "square root of the loss above the smallest"  # what the contours are drawn of
NEAR = (0.35, 0.1)  # of the window, across and up: so near, the names of two points would lie on each other
DRAWN_POINTS = 2000  # more points of a path than this cannot be told apart


class Window(NamedTuple):
    """The part of the plane that a picture shows, the same for twins."""

    x: tuple[float, float]
    y: tuple[float, float]

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        return np.linspace(*self.x, GRID_POINTS), np.linspace(*self.y, GRID_POINTS)


class PlanePicture(NamedTuple):
    """What a plane shows. paths are (R, T+1, 2): the first one is drawn in color, the others faint behind it."""

    name: str
    color: str
    paths: np.ndarray
    steps: np.ndarray  # (T+1,) the step of each point
    optimum: np.ndarray | None  # (2,)
    excess: np.ndarray  # (80, 80) mean loss above the smallest, on the window's grid
    window: Window
    axis_titles: tuple[str, str]
    expected: np.ndarray | None = None  # (T+1, 2) the path that the theory expects


def window_around(*point_sets: np.ndarray) -> Window:
    """A square window that holds all points (..., 2), with a margin; what is not finite is left out.

    Where all are one point there is room around it, to drag the start and the target apart again.
    """
    points = np.concatenate([np.asarray(p, float).reshape(-1, 2) for p in point_sets])
    points = points[np.isfinite(points).all(axis=-1)]
    low, high = points.min(axis=0), points.max(axis=0)
    extent = (high - low).max()
    half = max(0.64 * extent, 1e-6) if extent else 1.0
    center = (low + high) / 2
    return Window(*(tuple(float(v) for v in (c - half, c + half)) for c in center))


def plane_figure(picture: PlanePicture, title: str, height: int = 440, margin: dict | None = None) -> dict:
    """The path of the weights on the loss contours, with its start, its target, and other seeds behind it."""
    kept = along(picture.paths[0], DRAWN_POINTS)
    seeds = [_faint(other[kept], picture.color) for other in picture.paths[1:]]
    traces = [contours(picture.window, picture.excess), *seeds, *_path(picture, kept), *_expected(picture, kept),
              _ends(picture)]
    figure = drawn(traces, title, height,
                   x={"range": picture.window.x, "title": _axis_title(picture.axis_titles[0]), "constrain": "domain",
                      "zeroline": False},
                   y={"range": picture.window.y, "title": _axis_title(picture.axis_titles[1]), "constrain": "domain",
                      "zeroline": False, "scaleanchor": "x"})
    if margin:
        figure["layout"]["margin"] = margin
    return figure


def _axis_title(text: str) -> dict:
    return {"text": text, "standoff": 6}


def _faint(path: np.ndarray, color: str) -> dict:
    return {"type": "scatter", "name": "another seed", "x": _small(path[:, 0]), "y": _small(path[:, 1]),
            "mode": "lines", "line": {"color": color, "width": 1}, "opacity": 0.22, "hoverinfo": "skip"}


def _path(picture: PlanePicture, kept: np.ndarray) -> list[dict]:
    """The path in pieces, later ones stronger, so that order shows; a marker a step would double the drawing time."""
    edges = np.unique(np.linspace(0, len(kept) - 1, PIECES + 1).round().astype(int))
    pieces = [kept[start : stop + 1] for start, stop in zip(edges, edges[1:], strict=False)] or [kept]
    return [{"type": "scatter", "x": _small(picture.paths[0][piece, 0]), "y": _small(picture.paths[0][piece, 1]),
             "mode": "lines", "name": picture.name, "opacity": float(opacity),
             "line": {"color": picture.color, "width": 1.8}, "customdata": picture.steps[piece].astype(np.int32),
             "hovertemplate": "step %{customdata}<br>%{x:.3g}, %{y:.3g}<extra></extra>"}
            for piece, opacity in zip(pieces, np.linspace(0.65, 1, len(pieces)), strict=True)]


def _expected(picture: PlanePicture, kept: np.ndarray) -> list[dict]:
    if picture.expected is None:
        return []
    return [{"type": "scatter", "x": _small(picture.expected[kept, 0]), "y": _small(picture.expected[kept, 1]),
             "mode": "lines", "name": "theory", "line": {"color": GREY, "width": 2, "dash": "dash"},
             "customdata": picture.steps[kept].astype(np.int32),
             "hovertemplate": "expected at step %{customdata}<br>%{x:.3g}, %{y:.3g}<extra></extra>"}]


def thinned(count: int, most: int) -> np.ndarray:
    """At most `most` indices out of `count`, evenly spread, the first and the last among them."""
    return np.arange(count) if count <= most else np.unique(np.linspace(0, count - 1, most).round().astype(int))


def along(path: np.ndarray, most: int) -> np.ndarray:
    """At most `most` indices of a path (T+1, D): half spread evenly over its steps, half over its length.

    Of a run that arrives early in a long time, an even choice of steps would leave a few points of the way.
    """
    if len(path) <= most:
        return np.arange(len(path))
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(np.diff(path, axis=0), axis=1)
        walked = np.concatenate([[0.0], np.cumsum(np.where(lengths < 1e100, lengths, 0.0))])  # without a divergence
    by_length = np.searchsorted(walked, np.linspace(0.0, walked[-1], most // 2))
    return np.union1d(thinned(len(path), most - most // 2), by_length)


def _small(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # what has left the picture may become infinite
        return np.asarray(values, np.float32)  # half the bytes on the way to the browser, and exact enough to draw


def contours(window: Window, excess: np.ndarray) -> dict:
    """Rings of the excess loss (80, 80) on the window's grid."""
    x, y = window.grid()
    # the square root of a quadratic loss is linear in the distance: its rings are evenly spaced
    height = np.sqrt(np.maximum(excess, 0))
    top = float(np.nanmax(height)) or 1.0
    return {"type": "contour", "x": _small(x), "y": _small(y), "z": _small(height), "name": "loss", "showscale": False,
            "hoverinfo": "skip", "meta": HEIGHT, "contours": {"start": top / RINGS, "end": top, "size": top / RINGS},
            "colorscale": [[0, "rgba(127,135,145,0)"], [1, "rgba(127,135,145,0.34)"]],
            "line": {"width": 0.6, "color": FAINT}}


def _ends(picture: PlanePicture) -> dict:
    points, words, symbols = [picture.paths[0, 0]], ["\u2003start\u2003"], ["circle-open"]
    if picture.optimum is not None:
        points, words, symbols = [*points, picture.optimum], [*words, "\u2003optimum\u2003"], [*symbols, "star"]
    middle, points = np.mean(picture.window.x), np.array(points)
    # toward the middle of the picture, so that no label is cut off
    sides = ["middle left" if point[0] > middle else "middle right" for point in points]
    window = np.array([np.ptp(picture.window.x), np.ptp(picture.window.y)])
    if len(points) == 2 and (np.abs(points[1] - points[0]) < NEAR * window).all():
        above = ("top", "bottom") if points[0, 1] > points[1, 1] else ("bottom", "top")
        sides = [side.replace("middle", height) for side, height in zip(sides, above, strict=True)]
    return {"type": "scatter", "x": _small(points[:, 0]), "y": _small(points[:, 1]), "mode": "markers+text",
            "name": "start and optimum", "text": words, "textposition": sides, "textfont": {"size": 14},
            "marker": {"symbol": symbols, "size": 13, "color": GREY, "line": {"width": 2, "color": GREY}},
            "hovertemplate": "%{text}: %{x:.3g}, %{y:.3g}<extra></extra>"}


def loss_figure(steps: np.ndarray, losses: dict[str, np.ndarray], colors: dict[str, str], what: str, title: str,
                expected: dict[str, np.ndarray] | None = None, bands: dict[str, np.ndarray] | None = None,
                height: int = 280) -> dict:
    """Losses (T+1,) against the step, by name; dashed what the theory expects (T+1,), and bands (2, T+1) of others."""
    kept = thinned(len(steps), DRAWN_POINTS)
    drawable = {name: for_log_axis(values) for name, values in losses.items()}
    # the axis belongs to the runs: a band or a theory that falls to rounding errors would only squeeze them
    floor = min((np.nanmin(values) for values in drawable.values() if np.isfinite(values).any()), default=0.0)
    traces = [_band(steps[kept], np.array([for_log_axis(edge, floor)[kept] for edge in band]), name, colors[name])
              for name, band in (bands or {}).items()]
    traces += [_line(steps[kept], values[kept], name, colors[name], {}) for name, values in drawable.items()]
    traces += [_line(steps[kept], for_log_axis(values, floor)[kept], f"{name}, theory", GREY, {"dash": "dash"})
               for name, values in (expected or {}).items()]
    return drawn(traces, title, height, x={"title": _axis_title("step"), "rangemode": "tozero"},
                 y={"title": _axis_title(what), "type": "log", "exponentformat": "power"},
                 annotations=_line_names(steps, drawable, colors))


def _line(steps: np.ndarray, values: np.ndarray, name: str, color: str, line: dict) -> dict:
    return {"type": "scatter", "x": steps.astype(np.int32), "y": _small(values), "mode": "lines", "name": name,
            "line": {"color": color, "width": 2, **line},
            "hovertemplate": f"{name}, step %{{x}}: %{{y:.3g}}<extra></extra>"}


def _band(steps: np.ndarray, edges: np.ndarray, name: str, color: str) -> dict:
    there = np.isfinite(edges).all(axis=0)
    low, high = edges[:, there]
    return {"type": "scatter", "x": np.concatenate([steps[there], steps[there][::-1]]).astype(np.int32),
            "y": _small(np.concatenate([low, high[::-1]])), "mode": "lines", "line": {"width": 0}, "fill": "toself",
            "fillcolor": translucent(color), "hoverinfo": "skip", "name": f"{name}, most of the other seeds"}


def for_log_axis(values: np.ndarray, floor: float = 0.0) -> np.ndarray:
    """Values for a logarithmic axis: what is as good as zero, and what has diverged, becomes a gap."""
    first = abs(values[0]) if len(values) and np.isfinite(values[0]) else 1.0
    with np.errstate(invalid="ignore"):
        return np.where((values > max(NOTHING * first, floor)) & (values < 1e12 * max(first, 1e-300)), values, np.nan)


def _line_names(steps: np.ndarray, losses: dict[str, np.ndarray], colors: dict[str, str]) -> list[dict]:
    """The lines' names beside them instead of a legend."""
    there = {name: np.flatnonzero(np.isfinite(values)) for name, values in losses.items()}
    there = {name: indices for name, indices in there.items() if len(indices)}
    if not there:
        return []
    at = min(len(indices) for indices in there.values()) // 3  # where all lines are still there
    height = {name: float(np.log10(losses[name][indices[at]])) for name, indices in there.items()}
    reach = np.log10([losses[name][indices[[0, -1]]] for name, indices in there.items()])
    crowded = len(height) > 1 and np.ptp(list(height.values())) < 0.1 * np.ptp(reach)
    below = min(height, key=height.get) if crowded else None
    # falling lines leave room above them on the right, and below them on the left
    return [{"x": int(steps[indices[at]]), "y": height[name], "text": name, "showarrow": False,
             "xanchor": "right" if name == below else "left", "yanchor": "top" if name == below else "bottom",
             "yshift": -4 if name == below else 4, "font": {"color": colors[name], "size": 14}}
            for name, indices in there.items()]
