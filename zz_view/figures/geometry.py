"""Figures of the geometry page: the cloud and its cone, path lengths by target, dimensions, the map of rates."""
import numpy as np

from zz_core.dimension_sweep import DimensionSweep
from zz_core.geometry import AngleSweep, RateMap
from zz_core.planes import double_wedge
from zz_view.figures.trajectories import thinned
from zz_view.theme import DRAWING, GREY, WEDGE, drawn, translucent

MOST_POINTS = 400  # of a cloud: more cannot be told apart
BANDS = 8  # of the map's color
FONT = {"size": 14}
EDGE = 0.22  # share of a narrow chart's width that half of a name takes
STRIP = 17.0  # degrees above the map, for the names of the borders
APART = 0.3  # of the fractions: closer than this, the names of two borders would touch


def _small(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32)


def _line(x: np.ndarray, y: np.ndarray, color: str, name: str, theory: bool = False, hover: str | None = None,
          markers: bool = False) -> dict:
    line = {"color": color, "width": 2, **({"dash": "dash"} if theory else {})}
    trace = {"type": "scatter", "x": _small(x), "y": _small(y), "name": name, "line": line,
             "mode": "lines+markers" if markers else "lines", "hovertemplate": f"{name}, {hover}<extra></extra>"}
    return trace | ({"marker": {"size": 7, "color": color}} if markers else {})


def cloud_figure(points: np.ndarray, mean: np.ndarray, wedge: tuple[float, float] | None, reach: float, color: str,
                 axis_titles: tuple[str, str], title: str, height: int = 400) -> dict:
    """The samples (N, 2) that the neuron receives, their mean (2,), and the double cone of the steps they allow.

    wedge: its angles (from, to), None where single samples can step any way. reach: half the side of the window.
    """
    kept = thinned(len(points), MOST_POINTS)
    traces = [] if wedge is None else [_wedge(double_wedge(wedge, 3 * reach))]
    traces.append({"type": "scatter", "x": _small(points[kept, 0]), "y": _small(points[kept, 1]), "mode": "markers",
                   "name": "samples", "marker": {"size": 5, "color": color},
                   "opacity": 0.5,  # below a half the canvas would take them as meant to be faint
                   "hovertemplate": "sample: %{x:.3g}, %{y:.3g}<extra></extra>"})
    traces += _mean_arrow(np.asarray(mean, float), reach, color)
    limits = [-reach, reach]
    return drawn(traces, title, height,
                 x={"range": limits, "title": {"text": axis_titles[0], "standoff": 6}, "constrain": "domain"},
                 y={"range": limits, "title": {"text": axis_titles[1], "standoff": 6}, "constrain": "domain",
                    "scaleanchor": "x"})


def _wedge(outline: np.ndarray) -> dict:
    return {"type": "scatter", "x": _small(outline[:, 0]), "y": _small(outline[:, 1]), "mode": "lines",
            "fill": "toself", "fillcolor": translucent(WEDGE, 0.22), "line": {"width": 0}, "hoverinfo": "skip",
            "meta": DRAWING, "name": "steps that one sample allows"}


def _mean_arrow(mean: np.ndarray, reach: float, color: str) -> list[dict]:
    """The mean as a thick line from the origin, named near its start, where the cloud seldom is; not where it is 0."""
    points = np.stack([np.zeros(2), mean])
    name = "\u2002mean\u2002" if np.linalg.norm(mean) > 0.15 * reach else ""
    side = "top center" if abs(mean[1]) < 0.5 * abs(mean[0]) else "middle left" if mean[1] > 0 else "middle right"
    return [{"type": "scatter", "x": _small(points[:, 0]), "y": _small(points[:, 1]), "mode": "lines", "name": "mean",
             "line": {"color": color, "width": 3.5}, "hoverinfo": "skip", "meta": DRAWING},
            {"type": "scatter", "x": _small(mean[:1]), "y": _small(mean[1:]), "mode": "markers", "name": "mean",
             "marker": {"symbol": ["circle"], "size": 11, "color": color},
             "hovertemplate": "mean: %{x:.3g}, %{y:.3g}<extra></extra>"},
            {"type": "scatter", "x": _small(0.4 * mean[:1]), "y": _small(0.4 * mean[1:]), "mode": "text",
             "name": "mean", "text": [name], "textposition": [side], "textfont": FONT, "hoverinfo": "skip"}]


def angle_figure(sweep: AngleSweep, color: str, cone_name: str, title: str, height: int = 380) -> dict:
    """Path length / straight line against the target's angle: what is allowed, dashed, and what was taken."""
    degrees = np.rad2deg(sweep.angles)
    low, middle, high = quartiles(sweep.single)
    hover = "target at %{x:.0f}°: %{y:.2f}x"
    lines = {"one-sign steps allow": (sweep.one_sign, GREY, True), cone_name: (sweep.data_cone, WEDGE, True),
             "full batch": (sweep.full, GREY, False), "one sample a step": (middle, color, False)}
    finite = np.isfinite(low)
    band = np.concatenate([high[finite], low[finite][::-1]])
    traces = [{"type": "scatter", "x": _small(np.concatenate([degrees[finite], degrees[finite][::-1]])),
               "y": _small(band), "mode": "lines", "fill": "toself", "fillcolor": translucent(color, 0.18),
               "line": {"width": 0}, "hoverinfo": "skip", "name": "middle half of the seeds"}]
    traces += [_line(degrees, y, shade, name, theory, hover) for name, (y, shade, theory) in lines.items()]
    tops = [np.nanmax(values, initial=1.0) for values in (high, *(y for y, _, _ in lines.values()))]
    top = 1 + 1.25 * (max(tops) - 1) if max(tops) > 1.05 else 1.5
    limits = (1 - 0.16 * (top - 1), top)
    named = {name: (y, y, shade) for name, (y, shade, _) in lines.items()}
    names = place_names(named | {"one sample a step": (low, high, color)}, degrees, limits)
    return drawn(traces, title, height, annotations=names,
                 x={"range": [0, 180], "tickvals": [0, 45, 90, 135, 180], "zeroline": False,
                    "title": {"text": "target's angle from the mean direction, degrees", "standoff": 6}},
                 y={"range": list(limits), "title": {"text": "path / straight line", "standoff": 6}})


def quartiles(values: np.ndarray) -> np.ndarray:
    """Quartiles (3, A) over the runs (A, R) that have a length; NaN where none has.

    To the last bit those of numpy.nanpercentile, which goes row by row, thirty times as slow.
    """
    ordered, last = np.sort(values, axis=1), (~np.isnan(values)).sum(axis=1) - 1  # NaN come last
    place = np.maximum(last, 0) * np.array([[0.25], [0.5], [0.75]])
    below, rows = np.floor(place).astype(int), np.arange(len(values))
    low, high, share = ordered[rows, below], ordered[rows, np.minimum(below + 1, np.maximum(last, 0))], place - below
    return np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share))


def place_names(curves: dict[str, tuple[np.ndarray, np.ndarray, str]], x: np.ndarray, limits: tuple[float, float],
                width: float = 0.14, lift: float = 0.07) -> list[dict]:
    """The curves' names above or below them, each where the most room is: annotations.

    curves: name -> (lower (n,), upper (n,), color) over x (n,), a band or twice the same line. width, lift: half the
    width of a name and its distance from the line, as shares of the axes.
    """
    span = limits[1] - limits[0]
    along = (x - x[0]) / (x[-1] - x[0])
    below, above = ((np.array(side) - limits[0]) / span
                    for side in zip(*((low, high) for low, high, _ in curves.values()), strict=True))
    placed, notes = [], []
    for name, low, high in zip(curves, below, above, strict=True):
        best, spot = -np.inf, None
        for k in np.flatnonzero(np.isfinite(low) & (along > EDGE) & (along < 1 - EDGE))[::3]:  # close enough
            near = np.abs(along - along[k]) <= width
            lower, upper = below[:, near], above[:, near]
            for height in (high[k] + lift, low[k] - lift):
                if not 0.03 < height < 0.97:
                    continue
                # negative inside of a band; fmin leaves NaN out
                room = np.fmin.reduce(np.maximum(lower - height, height - upper), axis=None, initial=1.0)
                room = min([room, *(max(abs(height - b) - 0.02, abs(along[k] - a) - 2 * width) for a, b in placed)])
                if room > best:
                    best, spot = room, (along[k], height, k)
        if spot:
            placed.append(spot[:2])
            notes.append({"x": float(x[spot[2]]), "y": float(limits[0] + spot[1] * span), "text": name,
                          "showarrow": False, "xanchor": "center", "yanchor": "middle",
                          "font": {"color": curves[name][2], **FONT}})
    return notes


def condition_figure(sweep: DimensionSweep, names: tuple[str, str], colors: tuple[str, str], title: str,
                     height: int = 340) -> dict:
    """Condition numbers against the number of dimensions: of the data, and of the closed form, dashed."""
    traces, notes = [], []
    for name, color, found, formula in zip(names, colors, sweep.condition, sweep.closed_form, strict=True):
        traces += [_line(sweep.dimensions, formula, color, f"{name}, 1 + D·m²/v", True, "D = %{x}: %{y:.3g}"),
                   _line(sweep.dimensions, found, color, name, False, "D = %{x}: %{y:.3g}", markers=True)]
        notes += _end_name(sweep.dimensions, found, name, color)
    return _by_dimension(traces, notes, sweep.dimensions, "condition number κ", title, height)


def steps_figure(dimensions: np.ndarray, steps: np.ndarray, names: tuple[str, str], colors: tuple[str, str],
                 title: str, height: int = 340) -> dict:
    """Predicted full-batch steps (2, K) against the number of dimensions: theory, so dashed."""
    drawable = np.where(np.isfinite(steps) & (steps > 0), steps, np.nan)
    traces = [_line(dimensions, y, color, name, True, "D = %{x}: %{y:.0f} steps", markers=True)
              for name, color, y in zip(names, colors, drawable, strict=True)]
    notes = [note for name, color, y in zip(names, colors, drawable, strict=True)
             for note in _end_name(dimensions, y, name, color)]
    return _by_dimension(traces, notes, dimensions, "steps to 1 %, predicted", title, height)


def _end_name(dimensions: np.ndarray, y: np.ndarray, name: str, color: str) -> list[dict]:
    """The name over the middle of the line."""
    there = np.flatnonzero(np.isfinite(y) & (y > 0))
    if not len(there):
        return []
    k = there[len(there) // 2]
    return [{"x": float(np.log10(dimensions[k])), "y": float(np.log10(y[k])), "text": name, "showarrow": False,
             "xanchor": "right", "yanchor": "bottom", "yshift": 10, "font": {"color": color, **FONT}}]


def _by_dimension(traces: list[dict], notes: list[dict], dimensions: np.ndarray, what: str, title: str,
                  height: int) -> dict:
    return drawn(traces, title, height, annotations=notes,
                 x={"type": "log", "tickvals": [int(d) for d in dimensions], "title":
                    {"text": "dimensions D", "standoff": 6}},
                 y={"type": "log", "exponentformat": "power", "title": {"text": what, "standoff": 6}})


def band_codes(values: np.ndarray, lowest: float) -> np.ndarray:
    """Values in [lowest, 1] as uint8: 1 at the highest to BANDS at the lowest, 0 where there is none."""
    share = (1 - np.nan_to_num(values, nan=1.0)) / (1 - lowest)
    bands = 1 + np.clip((share * BANDS).astype(int), 0, BANDS - 1)
    return np.where(np.isfinite(values), bands, 0).astype(np.uint8)


def map_figure(found: RateMap, measure: str, chosen: tuple[float, float], color: str, title: str,
               height: int = 430) -> dict:
    """Turning or efficiency (`measure`) by rate and target, with the borders of the zones and the chosen run.

    chosen: (fraction, degrees). The stronger the color, the more of a zig-zag; grey is what diverges or does not move.
    """
    values = getattr(found, measure).T  # (A, F)
    degrees, fractions = np.rad2deg(found.angles), found.fractions
    shades = [translucent(GREY, 0.45)] + [translucent(color, o) for o in np.linspace(0.06, 1, BANDS)]
    width, tall = fractions[1] - fractions[0], degrees[1] - degrees[0]
    heat = {"type": "heatmap", "z": band_codes(values, -1.0 if measure == "turning" else 0.0), "zmin": 0,
            "zmax": BANDS, "x0": float(fractions[0]), "dx": float(width), "y0": float(degrees[0]), "dy": float(tall),
            "colorscale": [[k / BANDS, shade] for k, shade in enumerate(shades)], "showscale": False, "name": measure,
            "xgap": 0.01, "ygap": 0.01,  # translucent cells may not overlap
            "customdata": _small(values),
            "hovertemplate": f"rate %{{x:.3g}} of the limit, target at %{{y:.0f}}°: {measure} %{{customdata:.2f}}"
                             "<extra></extra>"}
    ring = {"type": "scatter", "x": [chosen[0]], "y": [chosen[1]], "mode": "markers", "name": "the chosen run",
            "marker": {"symbol": ["circle-open"], "size": [15], "color": "#000000", "line": {"width": 3}},
            "hoverinfo": "skip", "meta": DRAWING}
    halo = {**ring, "marker": {"symbol": ["circle-open"], "size": [19], "color": "#ffffff", "line": {"width": 2}}}
    words = ("straight on", "back and forth") if measure == "turning" else ("straight", "long detour")
    figure = drawn([heat, halo, ring], title, height,
                   x={"range": [float(fractions[0] - width / 2), float(fractions[-1] + width / 2)], "showgrid": False,
                      "zeroline": False, "title": {"text": "learning rate / stability limit", "standoff": 6}},
                   y={"range": [float(degrees[0] - tall / 2), float(degrees[-1] + tall / 2 + STRIP)],
                      "showgrid": False, "zeroline": False, "tickvals": [0, 45, 90, 135, 180],
                      "title": {"text": "target's angle, degrees", "standoff": 6}})
    figure["layout"]["title"]["subtitle"] = {
        "text": f"{measure} from <span style='color:{color}'>□</span> {words[0]} to "
                f"<span style='color:{color}'>■</span> {words[1]}; "
                f"<span style='color:{GREY}'>■</span> diverges or nothing to learn", "font": FONT}
    figure["layout"]["shapes"], figure["layout"]["annotations"] = _borders(found, float(degrees[-1] + tall / 2))
    return figure


def _borders(found: RateMap, top: float) -> tuple[list[dict], list[dict]]:
    """Dashed lines where the theory's zones meet, the main ones named in the strip above the map."""
    named = [(float(found.borders[0]), "zig-zag from here", "center")]
    if found.best > found.borders[0] + APART:
        named.append((found.best, "best\u2002", "right"))
    named.append((1.0, "limit", "left"))
    others = [border for border in found.borders[1:] if found.borders[0] + 0.01 < border < 0.99][:6]
    shapes = [{"type": "line", "x0": x, "x1": x, "y0": -5, "y1": top, "layer": "above",
               "line": {"color": GREY, "dash": "dash", "width": 2 if wide else 1}}
              for x, wide in [*((x, True) for x, _, _ in named), *((float(x), False) for x in others)]]
    notes = [{"x": x, "y": top + STRIP / 2, "text": text, "showarrow": False, "xanchor": side,
              "yanchor": "middle", "font": {"color": GREY, **FONT}} for x, text, side in named]
    return shapes, notes
