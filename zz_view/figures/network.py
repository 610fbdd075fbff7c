"""Figures of a trained network: its learning curves, the signs of a layer's gradient, and what its layers are fed."""
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zz_core.network_sweeps import BatchShares, Compared
from zz_view.figures.batch_averaging import spread
from zz_view.figures.signs import GLYPHS, KEY, SIGN_SCALE
from zz_view.figures.trajectories import thinned
from zz_view.theme import CENTERED, GREY, RAW, drawn

LAYERS = ("#7F8791", "#7A68D8", "#A87900", "#B8607F", "#3F8FA3", "#8C6D46", "#6E8B3D")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "star", "circle-open")
GLYPH = ("●", "◆", "■", "▲", "✕", "★", "○")
TRAINING, HELD_OUT = LAYERS[1], LAYERS[2]
COMPARED_COLORS = {"sigmoid": RAW, "centered_sigmoid": CENTERED, "tanh": LAYERS[4], "relu": LAYERS[2]}
NAMES = {"centered_sigmoid": "sigmoid − ½", "relu": "ReLU"}
DRAWN_POINTS = 400
THIN = 1.0  # pixels
MOST_UNITS, MOST_INPUTS = 64, 128  # of a heatmap: more cells would be too small to see
LABEL_GAP = 18
ROOM = 0.24  # of the horizontal axis, beside the lines, for their names
MOST_TICKS = 6


class Line(NamedTuple):
    """x and y (n,); a name, how it is drawn, and its hover text."""

    name: str
    x: np.ndarray
    y: np.ndarray
    color: str
    hover: str
    symbol: str | None = None
    width: float = 2.2
    opacity: float = 1.0
    labeled: bool = True


def _trace(line: Line) -> dict:
    kept = thinned(len(line.x), DRAWN_POINTS)
    with np.errstate(over="ignore"):  # a diverging loss becomes infinite, which is not drawn either
        y = np.asarray(line.y, float)[kept].astype(np.float32)
    trace = {"type": "scatter", "name": line.name, "x": np.asarray(line.x)[kept].astype(np.float32),
             "y": y, "opacity": line.opacity,
             "mode": "lines+markers" if line.symbol else "lines", "line": {"color": line.color, "width": line.width},
             "hovertemplate": f"{line.name}, {line.hover}<extra></extra>"}
    if line.symbol:
        trace["marker"] = {"symbol": line.symbol, "size": 8 if line.width > THIN else 5, "color": line.color}
    return trace


def _figure(lines: Sequence[Line], title: str, height: int, x: dict, y: dict, shapes: Sequence[dict] = (),
            notes: Sequence[dict] = (), subtitle: str = "") -> dict:
    """Lines named at their right ends; the horizontal axis leaves room for the names."""
    return drawn([_trace(line) for line in lines], title, height, x=x, y=y, shapes=list(shapes), subtitle=subtitle,
                 annotations=[*notes, *_names(lines, x, y, height - (120 if subtitle else 104))])


def _names(lines: Sequence[Line], x: dict, y: dict, pixels: float) -> list[dict]:
    log, (low, high) = y.get("type") == "log", y["range"]
    ends = []
    for line in lines:
        values = np.asarray(line.y, float)
        known = np.flatnonzero(np.isfinite(values) & ((values > 0) | (not log)))
        if line.labeled and len(known):
            value = values[known[-1]]
            ends.append((float(np.clip(np.log10(value) if log else value, low, high)), line))
    ends.sort(key=lambda end: end[0])
    scale = pixels / (high - low)
    centers = spread([scale * (end - low) for end, _ in ends], LABEL_GAP, pixels)
    last = max((float(np.max(line.x)) for _, line in ends), default=1.0)
    return [_note(_named(line), np.log10(last) if x.get("type") == "log" else last, end, xanchor="left", xshift=9,
                  yshift=center - scale * (end - low), color=line.color)
            for (end, line), center in zip(ends, centers, strict=True)]


def _named(line: Line) -> str:
    glyph = GLYPH[SYMBOLS.index(line.symbol)] + " " if line.symbol else ""
    return f"{glyph}{line.name}"


def _note(text: str, x: float, y: float, color: str = GREY, **place) -> dict:
    return {"text": text, "x": float(x), "y": float(y), "showarrow": False, "font": {"size": 14, "color": color},
            **place}


def _level(y: float, color: str) -> dict:
    """A dotted line across: a chance level."""
    return {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "y0": float(y), "y1": float(y), "layer": "below",
            "line": {"color": color, "width": 1.6, "dash": "dot"}}


def _log_range(*series: np.ndarray, room: float = 0.08) -> list[float]:
    values = np.concatenate([np.ravel(values) for values in series]) if series else np.empty(0)
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        return [-1.0, 0.0]
    low, high = np.log10(values.min()), np.log10(values.max())
    pad = room * max(high - low, 0.3)
    return [float(low - pad), float(high + pad)]


def _range(*series: np.ndarray, room: float = 0.08) -> list[float]:
    values = np.concatenate([np.ravel(values) for values in series]) if series else np.empty(0)
    values = values[np.isfinite(values)]
    if not len(values):
        return [0.0, 1.0]
    pad = room * max(float(np.ptp(values)), 0.05)
    return [float(values.min() - pad), float(values.max() + pad)]


def _steps_axis(steps: int) -> dict:
    last = max(steps, 1)
    every = next(factor * power for power in 10 ** np.arange(9) for factor in (1, 2, 5)
                 if last <= MOST_TICKS * factor * power)
    return {"title": {"text": "step", "standoff": 6}, "range": [0, last * (1 + ROOM)], "zeroline": False,
            "tickvals": np.arange(0, last + 1, every), "tickformat": ".0f"}


def loss_figure(losses: np.ndarray, checkpoint_steps: np.ndarray, training: np.ndarray, held_out: np.ndarray,
                title: str, rows: int, height: int = 330) -> dict:
    """Loss (T+1,) of each step on `rows` training rows, and (K,) on all training rows and on those held out."""
    lines = [Line(f"each step, {rows} rows", np.arange(len(losses)), losses, GREY, "step %{x:.0f}: %{y:.3g}",
                  width=1.1, opacity=0.55, labeled=False),
             Line("training", checkpoint_steps, training, TRAINING, "step %{x:.0f}: %{y:.3g}"),
             Line("held out", checkpoint_steps, held_out, HELD_OUT, "step %{x:.0f}: %{y:.3g}")]
    return _figure(lines, title, height, _steps_axis(len(losses) - 1),
                   {"title": {"text": "mean loss", "standoff": 6}, "type": "log",
                    "range": _log_range(losses, training, held_out)})


def accuracy_figure(accuracies: np.ndarray, checkpoint_steps: np.ndarray, training: np.ndarray, held_out: np.ndarray,
                    title: str, rows: int, chance: float, height: int = 330) -> dict:
    """Share of rows classified correctly, as in loss_figure; chance: the share of the most frequent class."""
    lines = [Line(f"each step, {rows} rows", np.arange(len(accuracies)), accuracies, GREY, "step %{x:.0f}: %{y:.0%}",
                  width=1.1, opacity=0.55, labeled=False),
             Line("training", checkpoint_steps, training, TRAINING, "step %{x:.0f}: %{y:.1%}"),
             Line("held out", checkpoint_steps, held_out, HELD_OUT, "step %{x:.0f}: %{y:.1%}")]
    return _figure(lines, title, height, _steps_axis(len(accuracies) - 1),
                   {"title": {"text": "correctly classified", "standoff": 6}, "range": [-0.04, 1.06],
                    "tickformat": ".0%", "tickvals": [0, 0.25, 0.5, 0.75, 1]},
                   shapes=[_level(chance, GREY)],
                   notes=[_note("always the largest class", 0.8, chance, xref="x domain", xanchor="right",
                                yshift=12)])


def sign_map_figure(signs: np.ndarray, title: str, whose: str, height: int = 360) -> dict:
    """Signs (out, in) of a layer's dL/dW, -1, 0 or 1: rows are its units, columns its inputs."""
    shown = np.asarray(signs)[:MOST_UNITS, :MOST_INPUTS]
    codes = (shown + 1).astype(np.uint8)
    cut = [f"the first {part} of {all_} {word}" for part, all_, word in
           zip(shown.shape, np.shape(signs), ("units", "inputs"), strict=True) if part < all_]
    cells = {"type": "heatmap", "z": codes, "x0": 1, "dx": 1, "y0": 1, "dy": 1, "zmin": 0, "zmax": 2,
             "colorscale": SIGN_SCALE, "showscale": False, "text": GLYPHS[codes], "name": "signs",
             "hovertemplate": "unit %{y}, input %{x}: %{text}<extra></extra>", "xgap": 0,
             "ygap": int(len(codes) <= 40)}
    if codes.size <= 400 and max(codes.shape) <= 20:
        cells |= {"texttemplate": "%{text}", "textfont": {"size": 14}, "xgap": 1}
    return drawn([cells], title, height, subtitle=f"sign of {whose}:  {KEY}",
                 x={"title": {"text": "input of the layer" + (f" ({', '.join(cut)})" if cut else ""), "standoff": 6},
                    "range": [0.5, shown.shape[1] + 0.5], "showgrid": False, "zeroline": False, "tickformat": "d"},
                 y={"title": {"text": "unit", "standoff": 6}, "range": [shown.shape[0] + 0.5, 0.5], "showgrid": False,
                    "zeroline": False, "tickformat": "d"})


def batch_figures(start: BatchShares, shown: BatchShares, inputs: Sequence[int], step: int, titles: tuple[str, str],
                  height: int = 360) -> tuple[dict, dict]:
    """Unanimous-row share and mean-direction energy against the batch size, a line a layer, at two fixed weights.

    inputs: of each layer, for the chance levels 2^(1 - in) and 1 / in.
    """
    sizes = shown.batch_sizes
    x = {"title": {"text": "batch size (samples averaged)", "standoff": 6}, "type": "log", "zeroline": False,
         "range": [-0.06, float((1 + ROOM) * np.log10(max(sizes[-1], 2)))], "tickvals": sizes,
         "ticktext": [str(size) for size in sizes]}
    key = f"thick: at step {step}; thin: at the start; dotted: by chance"
    figures = []
    for name, title, chance in (("unanimous", titles[0], [2.0 ** (1 - count) for count in inputs]),
                                ("energy", titles[1], [1 / count for count in inputs])):
        lines = []
        for shares, width, when in ((start, THIN, ", at the start"), (shown, 2.2, "")):
            lines += [Line(f"layer {k + 1}{when}", sizes, getattr(shares, name)[:, k], LAYERS[k],
                           "B = %{x:.0f}: %{y:.0%}", SYMBOLS[k], width, labeled=width > THIN)
                      for k in range(len(inputs))]
        axis = "rows with one sign" if name == "unanimous" else "energy along the inputs' mean"
        shapes = [{**_level(level, LAYERS[k]), "xref": "x", "x0": sizes[0], "x1": sizes[-1]}  # no farther: the names
                  for k, level in enumerate(chance)]
        figures.append(_figure(lines, title, height, x, {
            "title": {"text": axis, "standoff": 6}, "range": [-0.05, 1.07], "tickformat": ".0%",
            "tickvals": [0, 0.25, 0.5, 0.75, 1]}, shapes, subtitle=key))
    return figures[0], figures[1]


def inputs_figures(mean: np.ndarray, spread_: np.ndarray, checkpoint_steps: np.ndarray, head_room: np.ndarray,
                   titles: tuple[str, str, str], height: int = 330) -> tuple[dict, dict, dict]:
    """Mean and spread (T, L) of every layer's inputs over the training, and the head-room (K, L) at the checkpoints."""
    steps = np.arange(len(mean))
    layers = range(mean.shape[1])
    series = ((mean, "mean input", _range(mean, np.zeros(1))),
              (spread_, "spread of an input", _range(spread_, np.zeros(1))))
    figures = [_figure([Line(f"layer {k + 1}", steps, values[:, k], LAYERS[k], "step %{x:.0f}: %{y:.2f}")
                        for k in layers], title, height, _steps_axis(len(mean)),
                       {"title": {"text": axis, "standoff": 6}, "range": limits})
               for (values, axis, limits), title in zip(series, titles[:2], strict=True)]
    limits = _log_range(head_room, np.array([1.0, 2.0]))
    room = _figure([Line(f"layer {k + 1}", checkpoint_steps, head_room[:, k], LAYERS[k], "step %{x:.0f}: %{y:.1f}x",
                         SYMBOLS[k]) for k in layers], titles[2], height, _steps_axis(len(mean)),
                   {"title": {"text": "λ₁ raw / λ₁ zero-centered", "standoff": 6}, "type": "log", "range": limits})
    return figures[0], figures[1], room


def comparison_figures(compared: Sequence[Compared], titles: tuple[str, str], height: int = 360) -> tuple[dict, dict]:
    """Median loss over the steps, each activation at its own best rate, with its seeds; and the search of the rates."""
    lines, searches = [], []
    for found in compared:
        color, steps = COMPARED_COLORS.get(found.activation, GREY), np.arange(found.losses.shape[1])
        lines += [Line(f"{found.activation}, one seed", steps, losses, color, "step %{x:.0f}: %{y:.3g}", width=1,
                       opacity=0.25, labeled=False) for losses in found.losses]
        lines.append(Line(NAMES.get(found.activation, found.activation), steps, np.median(found.losses, axis=0), color,
                          "median at step %{x:.0f}: %{y:.3g}"))
        there = np.isfinite(found.searched)
        searches.append(Line(NAMES.get(found.activation, found.activation), found.rates,
                             np.where(there, found.searched, np.nan), color, "rate %{x:.2g}: %{y:.3g}", "circle",
                             labeled=False))
    losses = [found.losses for found in compared]
    steps = max((values.shape[1] for values in losses), default=1) - 1
    y = {"title": {"text": "loss", "standoff": 6}, "type": "log"}
    curves = _figure(lines, titles[0], height, _steps_axis(steps), {**y, "range": _log_range(*losses)})
    rates = np.concatenate([found.rates for found in compared]) if compared else np.ones(1)
    limits = _log_range(*(np.minimum(found.searched, 10.0) for found in compared))
    notes = [_note("○ the rate taken", 0.02, 0.03, xref="x domain", yref="y domain", xanchor="left", yshift=8)]
    search = _figure(searches, titles[1], height,
                     {"title": {"text": "learning rate", "standoff": 6}, "type": "log", "range": _log_range(rates)},
                     {**y, "title": {"text": f"training loss after {steps} steps", "standoff": 6}, "range": limits},
                     notes=notes)
    for found in compared:
        best = found.searched.min()
        if np.isfinite(best):
            search["data"].append({"type": "scatter", "name": f"{found.activation}, best", "x": [found.rate],
                                   "y": [float(best)], "mode": "markers", "hoverinfo": "skip", "marker": {
                                       "symbol": "circle-open", "size": 17,
                                       "color": COMPARED_COLORS.get(found.activation, GREY)}})
    return curves, search
