"""Figures of a diagnosis: signs by batch size, curvatures, steps, features, layers, and recorded gradients."""
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from zz_core.diagnosis import BatchSigns, GradientSigns, Spectrum, Trained, Training
from zz_view.figures.batch_averaging import spread
from zz_view.figures.network import LAYERS, THIN
from zz_view.figures.signs import sign_heatmap_figure
from zz_view.figures.trajectories import thinned
from zz_view.theme import CENTERED, GREY, RAW, drawn, translucent

STANDARDIZED = "#6C6FD8"
TWINS = {"raw": RAW, "zero-centered": CENTERED, "standardized": STANDARDIZED}
TREATED = {"none": "raw", "center": "zero-centered", "standardize": "standardized"}  # the core's names
SYMBOL = {"raw": "circle", "zero-centered": "diamond", "standardized": "square"}
MOST_POINTS, MOST_LINES, MOST_STEPS, MOST_WEIGHTS = 400, 7, 200, 64
MARKED_POINTS = 24  # more eigenvalues are drawn as a line alone
NAME_SIZE = np.array([0.34, 0.12])  # of the plot's width and height: what the diagonal's name covers on a phone
HEIGHT, LINE = 340, 17  # pixels: of a figure, and from one name to the next


class Name(NamedTuple):
    """A line's name, written where the line is."""

    text: str
    x: float  # in the axis' units, logarithms on a logarithmic axis
    y: float
    color: str


def signs_figure(raw: BatchSigns, centered: BatchSigns, chance: float, batch_size: int, title: str) -> dict:
    """Share of gradients with one sign against the batch size, with 95 % bands; dashed the limit of the theory."""
    traces, names = [], []
    ends = np.log10([float(raw.batch_sizes[0]), float(raw.batch_sizes[-1])])
    for name, found in (("raw", raw), ("zero-centered", centered)):
        color, sizes = TWINS[name], found.batch_sizes.astype(float)
        traces += [_band(sizes, found.low, found.high, color, name), {
            "type": "scatter", "mode": "lines+markers", "name": name, "x": sizes, "y": found.share,
            "line": {"color": color, "width": 2}, "marker": {"symbol": SYMBOL[name], "size": 8, "color": color},
            "hovertemplate": f"{name}, %{{x:.0f}} samples: %{{y:.1%}}<extra></extra>"}, {
            "type": "scatter", "mode": "lines", "name": f"{name}, theory", "x": 10.0**ends, "y": [found.limit] * 2,
            "line": {"color": color, "width": 2, "dash": "dash"},
            "hovertemplate": f"{name}, large batches in theory: %{{y:.1%}}<extra></extra>"}]
        names.append(Name(name, ends[1], float(found.share[-1]), color))
    traces.append(_chance(10.0**ends, chance, GREY))
    lines = [{"type": "line", "layer": "below", "line": {"color": GREY, "width": 1.6}, "yref": "y domain", "y0": 0,
              "y1": 1, "x0": float(batch_size), "x1": float(batch_size)}]
    notes = [{**_note("yours", math.log10(batch_size), 1.05, GREY), "xanchor": "left", "xshift": 5}]
    notes += _placed(names, -0.04, 1.14)
    ticks = [size for size in raw.batch_sizes.tolist() if math.log2(size) % 2 == 0]
    return drawn(traces, title, HEIGHT, annotations=notes, shapes=lines,
                 subtitle="share of gradients with one sign; dashed: theory, dotted: by chance",
                 x={"title": {"text": "batch size"}, "type": "log", "tickvals": ticks,
                    "ticktext": [str(tick) for tick in ticks],
                    "range": [-0.08, ends[1] + 0.52 * (ends[1] - ends[0])], "zeroline": False},
                 y={"range": [-0.04, 1.14], "tickformat": ".0%", "tickvals": [0, 0.25, 0.5, 0.75, 1],
                    "zeroline": False})


def spectrum_figure(spectra: Mapping[str, Spectrum], with_bias: Mapping[str, Spectrum], independent: np.ndarray,
                    title: str) -> dict:
    """Eigenvalues, largest first, by name; thin dots: with the 1 of a bias; dashed: of independent features."""
    traces = [_curve(f"{name} with a bias", each, TWINS[name], faint=True) for name, each in with_bias.items()]
    traces += [_curve(name, each, TWINS[name]) for name, each in spectra.items()]
    count = len(independent)
    shown = thinned(count, MOST_POINTS)
    traces.append({"type": "scatter", "mode": "lines", "name": "independent features, theory", "x": shown + 1.0,
                   "y": independent[shown], "line": {"color": GREY, "width": 2, "dash": "dash"},
                   "hovertemplate": "independent features, direction %{x:.0f}: %{y:.3g}<extra></extra>"})
    values = np.concatenate([each.eigenvalues[each.eigenvalues > 0] for each in (*spectra.values(),
                                                                                  *with_bias.values())])
    log = count > MARKED_POINTS
    low, high = np.log10([values.min(), values.max()]) + np.array([-0.06, 0.06]) * max(np.ptp(np.log10(values)), 1.0)
    end = math.log10(count + 1) if log else count + 0.5
    start = -0.05 if log else 0.4
    names = [Name(name, _last(each, log), float(np.log10(each.eigenvalues[each.eigenvalues > 0][-1])), TWINS[name])
             for name, each in spectra.items()]
    return drawn(traces, title, HEIGHT, annotations=_placed(names, low, high, pixels=HEIGHT - 120),
                 subtitle="eigenvalues; thin dots: with a bias; dashed: theory for independent features",
                 x={"title": {"text": "direction, steepest first"}, "type": "log" if log else "linear",
                    "range": [start, start + (end - start) * 1.5], "zeroline": False, **({} if log else {
                        "tickvals": np.unique(np.linspace(1, count, min(count, 6)).round()).tolist()})},
                 y={"title": {"text": "curvature"}, "type": "log", "range": [low, high], "zeroline": False})


def _curve(name: str, found: Spectrum, color: str, faint: bool = False) -> dict:
    values = found.eigenvalues[found.eigenvalues > 0]  # null directions have no place on a logarithmic axis
    shown = thinned(len(values), MOST_POINTS)
    trace = {"type": "scatter", "mode": "lines" if faint or len(values) > MARKED_POINTS else "lines+markers",
             "name": name, "x": shown + 1.0, "y": values[shown],
             "line": {"color": color, "width": THIN if faint else 2.2, "dash": "dot" if faint else "solid"},
             "hovertemplate": f"{name}, direction %{{x:.0f}}: %{{y:.3g}}<extra></extra>"}
    kind = name.removesuffix(" with a bias")
    return trace | ({} if "markers" not in trace["mode"] else
                    {"marker": {"symbol": SYMBOL[kind], "size": 8, "color": color}})


def _last(found: Spectrum, log: bool) -> float:
    count = int((found.eigenvalues > 0).sum())
    return math.log10(count) if log else float(count)


def steps_figure(training: Training, title: str) -> dict:
    """A row a treatment: every seed, their median with its 95 % interval, and open the predictions."""
    most = max(run.limit for run in training.runs.values())
    everything = [step for run in training.runs.values() for step in (*run.steps, run.full_batch, run.expected)]
    finite = [step for step in everything if math.isfinite(step) and step <= 1e4 * most]
    edge = 2.5 * max([most, *finite])  # of the axis: what was not reached stands there
    rows = list(training.runs)[::-1]
    traces, notes = [], []
    for place, treatment in enumerate(rows):
        run, name = training.runs[treatment], TREATED[treatment]
        traces += _lane(run, name, float(place), edge)
        notes.append({**_note(f"{name}: {_steps(run)}", 0.0, place + 0.33, TWINS[name]), "xref": "x domain",
                      "xanchor": "left", "xshift": 6})
    if any(math.isinf(step) or step > edge for step in everything):
        notes.append({**_note("not reached", math.log10(edge), len(rows) - 0.6, GREY), "xanchor": "right"})
    return drawn(traces, title, HEIGHT, annotations=notes,
                 subtitle="● seeds, large their median; open: theory, ◇ full batch, ○ this batch size",
                 x={"title": {"text": "steps to 1 % of the excess loss"}, "type": "log", "zeroline": False,
                    "range": [-0.08, math.log10(edge) + 0.08]},
                 y={"range": [-0.5, len(rows) - 0.45], "tickvals": [], "zeroline": False, "showgrid": False})


def _lane(run: Trained, name: str, place: float, edge: float) -> list[dict]:
    color = TWINS[name]

    def capped(values: Sequence[float]) -> np.ndarray:
        return np.minimum(np.maximum(np.array(values, float), 1.0), edge)

    def marks(what: str, values: Sequence[float], symbol: str, size: int) -> dict:
        return {"type": "scatter", "mode": "markers", "name": f"{name}, {what}", "x": capped(values),
                "y": np.full(len(values), place),
                "marker": {"symbol": symbol, "size": size, "color": color},
                "customdata": [_count(value) for value in values],
                "hovertemplate": f"{name}, {what}: %{{customdata}}<extra></extra>"}

    line = {"type": "scatter", "mode": "lines", "name": f"{name}, 95 % interval", "x": capped(run.interval),
            "y": np.full(2, place), "line": {"color": color, "width": 2},
            "hoverinfo": "skip"}
    found = [line, marks("a seed", run.steps.tolist(), "circle", 6), marks("median", [run.median], "circle", 14),
             marks("theory for the full batch", [run.full_batch], "diamond-open", 12)]
    if not math.isnan(run.expected):
        found.append(marks("theory at this batch size", [run.expected], "circle-open", 15))
    return found


def _steps(run: Trained) -> str:
    return f"{run.median:,.0f}" if math.isfinite(run.median) else f"not within {run.limit:,}"


def _count(value: float) -> str:
    return f"{value:,.0f} steps" if math.isfinite(value) else "not reached"


def features_figure(names: Sequence[str], mean: np.ndarray, spread_: np.ndarray, title: str) -> dict:
    """A dot a feature, (D,): its mean's size against its spread; above the line the mean exceeds the spread."""
    shown = thinned(len(mean), MOST_POINTS)
    size, width = np.abs(mean)[shown], spread_[shown]
    floor = max(1e-3 * width.min(), size[size > 0].min(initial=width.min()))  # a mean of zero has no logarithm
    height = np.maximum(size, floor)
    x, y = _log_range(width), _log_range(np.concatenate([height, width]))
    diagonal = 10.0 ** np.array([max(x[0], y[0]), min(x[1], y[1])])
    traces = [{"type": "scatter", "mode": "lines", "name": "mean = spread", "x": diagonal, "y": diagonal,
               "line": {"color": GREY, "width": 2}, "hoverinfo": "skip"},
              {"type": "scatter", "mode": "markers", "name": "features", "x": width, "y": height,
               "marker": {"symbol": "circle", "size": 9 if len(shown) < 100 else 6, "color": RAW},
               "customdata": [f"{safe(names[k])}: mean {mean[k]:.3g}, spread {spread_[k]:.3g}" for k in shown],
               "hovertemplate": "%{customdata}<extra></extra>"}]
    note = {**_note("mean = spread", *[_clear(np.log10(diagonal), np.log10(width), np.log10(height), x, y)] * 2, GREY),
            "xanchor": "left", "yanchor": "top", "xshift": 8}
    return drawn(traces, title, HEIGHT, annotations=[note],
                 x={"title": {"text": "spread of the feature"}, "type": "log", "range": x, "zeroline": False},
                 y={"title": {"text": "size of its mean"}, "type": "log", "range": y, "zeroline": False})


def _clear(diagonal: np.ndarray, across: np.ndarray, up: np.ndarray, x: Sequence[float], y: Sequence[float]) -> float:
    """Where under the diagonal its name covers the fewest dots, the middle if it can; all in logarithms."""
    wide, high = NAME_SIZE * np.array([np.ptp(x), np.ptp(y)])
    middle = diagonal.mean()
    places = np.linspace(diagonal[0], max(diagonal[0], min(diagonal[1], x[1] - wide)), 24)

    def covered(at: float) -> int:
        return int(((across > at) & (across < at + wide) & (up < at) & (up > at - high)).sum())

    return float(min(sorted([middle, *places], key=lambda at: abs(at - middle)), key=covered))


def layers_figure(names: Sequence[str], head_room: Sequence[float], chosen: int, threshold: float,
                  title: str) -> dict:
    """Head-room layer by layer; the layer shown above is filled."""
    places, rooms = np.arange(len(names), dtype=float), np.array(head_room)
    symbols = ["circle" if k == chosen else "circle-open" for k in range(len(names))]
    trace = {"type": "scatter", "mode": "lines+markers", "name": "head-room", "x": places, "y": rooms,
             "line": {"color": RAW, "width": THIN},
             "marker": {"symbol": symbols, "size": 13, "color": RAW},
             "customdata": [safe(name) for name in names],
             "hovertemplate": "%{customdata}: %{y:.2f}x<extra></extra>"}
    top = math.log10(max(rooms.max(), threshold)) + 0.15
    note = {**_note(f"from {threshold:g} on it costs something", 1.0, math.log10(threshold), GREY), "xref": "x domain",
            "xanchor": "right", "yanchor": "bottom", "yshift": 2}
    return drawn([trace], title, HEIGHT, annotations=[note], shapes=[_level(threshold)],
                 x={"title": {"text": "layer"}, "tickvals": places.tolist(), "ticktext": [_short(n) for n in names],
                    "range": [-0.5, len(names) - 0.5], "zeroline": False},
                 y={"title": {"text": "λ₁ raw / λ₁ zero-centered"}, "type": "log", "range": [-0.08, top],
                    "zeroline": False})


def rows_figure(found: Mapping[str, GradientSigns], title: str) -> dict:
    """Share of each layer's rows with one sign over the recorded steps, with its chance level."""
    traces, names = [], []
    steps = max(len(each.unanimous_rows) for each in found.values())
    for k, (name, each) in enumerate(list(found.items())[:MOST_LINES]):
        shown, color = thinned(len(each.unanimous_rows), MOST_POINTS), LAYERS[k]
        mode = "lines" if steps > 1 else "markers"  # of a single step there is no line
        traces.append({"type": "scatter", "mode": mode, "name": safe(name), "x": shown + 1.0,
                       "y": each.unanimous_rows[shown], "line": {"color": color, "width": 2},
                       "marker": {"color": color, "size": 8},
                       "hovertemplate": f"{safe(name)}, step %{{x:.0f}}: %{{y:.0%}}<extra></extra>"})
        known = np.flatnonzero(np.isfinite(each.unanimous_rows))
        if len(known):
            names.append(Name(_short(name), float(steps), float(each.unanimous_rows[known[-1]]), color))
        traces.append(_chance(np.array([1.0, steps]), each.chance, color))
    left_out = f"; the first {MOST_LINES} of {len(found)} layers" if len(found) > MOST_LINES else ""
    return drawn(traces, title, HEIGHT, annotations=_placed(names, -0.04, 1.06),
                 subtitle=f"share of rows with one sign; dotted: by chance{left_out}",
                 x={"title": {"text": "recorded step"}, "range": [0, 1.3 * steps], "zeroline": False,
                    "tickvals": np.unique(np.linspace(1, steps, 4).round()).tolist(), "tickformat": ".0f"},
                 y={"range": [-0.04, 1.06], "tickformat": ".0%", "tickvals": [0, 0.25, 0.5, 0.75, 1],
                    "zeroline": False})


def unit_figure(signs: np.ndarray, unit: int, title: str) -> dict:
    """Signs (T, out, in) of one unit's gradient over the recorded steps; thinned where they are too many to see."""
    steps, weights = thinned(len(signs), MOST_STEPS), min(signs.shape[2], MOST_WEIGHTS)
    figure = sign_heatmap_figure(signs[steps, unit, :weights].astype(float), title, "∂L/∂w")
    figure["layout"]["height"] = HEIGHT
    every = "" if len(steps) == len(signs) else f", {len(steps)} of {len(signs):,}"
    figure["layout"]["xaxis"]["title"]["text"] = f"recorded step{every}"
    if weights < signs.shape[2]:
        figure["layout"]["yaxis"]["title"]["text"] = f"the first {weights} of {signs.shape[2]:,} weights"
    if len(steps) < len(signs):  # columns are no longer counted one by one
        places = np.unique(np.linspace(1, len(steps), 4).round().astype(int))
        figure["layout"]["xaxis"] |= {"tickvals": places.tolist(), "ticktext": [str(steps[k - 1] + 1) for k in places]}
    return figure


def _band(x: np.ndarray, low: np.ndarray, high: np.ndarray, color: str, name: str) -> dict:
    return {"type": "scatter", "mode": "lines", "name": f"{name}, 95 % interval", "fill": "toself",
            "x": np.concatenate([x, x[::-1]]), "y": np.concatenate([low, high[::-1]]), "line": {"width": 0},
            "fillcolor": translucent(color), "hoverinfo": "skip"}


def _chance(x: np.ndarray, level: float, color: str) -> dict:
    return {"type": "scatter", "mode": "lines", "name": "by chance", "x": x, "y": np.full(2, level),
            "line": {"color": color, "width": 1.6, "dash": "dot"},
            "hovertemplate": "by chance: %{y:.2g}<extra></extra>"}


def _level(at: float) -> dict:
    return {"type": "line", "layer": "below", "line": {"color": GREY, "width": 1.6, "dash": "dot"}, "xref": "x domain",
            "x0": 0, "x1": 1, "y0": at, "y1": at}


def _note(text: str, x: float, y: float, color: str) -> dict:
    return {"text": text, "x": float(x), "y": float(y), "showarrow": False, "font": {"size": 14, "color": color}}


def _placed(names: Sequence[Name], low: float, high: float, pixels: float = HEIGHT - 120) -> list[dict]:
    """Names at the right ends of their lines, moved apart where they would touch."""
    scale, order = pixels / (high - low), sorted(names, key=lambda name: name.y)
    wanted = [scale * (min(max(name.y, low), high) - low) for name in order]
    return [{**_note(name.text, name.x, min(max(name.y, low), high), name.color), "xanchor": "left", "xshift": 9,
             "yshift": center - place}
            for name, place, center in zip(order, wanted, spread(wanted, LINE, pixels), strict=True)]


def _log_range(values: np.ndarray) -> list[float]:
    low, high = np.log10([values.min(), values.max()])
    pad = 0.08 * max(high - low, 1.0)
    return [float(low - pad), float(high + pad)]


def safe(name: str) -> str:
    """A visitor's name, which figures would read for markup."""
    return str(name).replace("<", "‹").replace(">", "›").replace("%{", "% {")[:60]


def _short(name: str) -> str:
    name = safe(name)
    return name if len(name) <= 14 else f"{name[:6]}…{name[-7:]}"
