"""Figures of saturation: steps against the start bias, the slope of the sigmoid, and the escape from the plateau."""
import math
from collections.abc import Mapping

import numpy as np

from zz_core.activations import sigmoid, sigmoid_slope
from zz_core.saturation import AWAKE, Escapes, SaturationSweep, time_to_output
from zz_view.figures.trajectories import thinned
from zz_view.theme import CENTERED, GREY, RAW, drawn

KEY = "solid: simulated, dashed: predicted"
TOP = 1.6  # times the most steps that any run took: where runs that do not arrive are marked
ABOVE = 0.3  # powers of ten over that
DRAWN_POINTS = 400


def step_range(sweeps: Mapping[str, SaturationSweep]) -> tuple[float, float]:
    """The range of steps, as exponents of 10, in which all runs of these sweeps have room, and a label above them."""
    runs = [escapes for sweep in sweeps.values() for escapes in (sweep.raw, sweep.twin)]
    steps = np.maximum([step for escapes in runs for step in escapes.steps if math.isfinite(step)], 1)
    given_up = [escapes.given_up for escapes in runs if math.isfinite(escapes.given_up)]
    high = max([*steps, *given_up])
    return float(np.log10(min(steps, default=high))) - 0.35, float(np.log10(TOP * high if given_up else high)) + ABOVE


def steps_figure(sweep: SaturationSweep, names: tuple[str, str], title: str, limits: tuple[float, float],
                 shown: float | None = None, height: int = 360) -> dict:
    """Steps to the tolerance against the start bias, a line a twin, with the predictions and the break-even.

    Runs that do not arrive are open markers at the top. shown: the start bias that the other figures are about.
    """
    traces, notes, top = [], [], 10 ** (limits[1] - ABOVE)
    for escapes, name, color in zip((sweep.raw, sweep.twin), names, (RAW, CENTERED), strict=True):
        traces += _lines(sweep, escapes, name, color, top)
    notes += _names(sweep, names, top)
    if any(np.isinf(escapes.steps).any() for escapes in (sweep.raw, sweep.twin)):
        notes.append(_note(f"not reached in {sweep.most_steps:,} steps", sweep.starts[-1], math.log10(top),
                           xanchor="right", yshift=15))
    start = sweep.break_even()
    shapes = []
    if math.isfinite(start):
        level = float(sweep.raw.steps[0])
        shapes = [_dotted(0, start, level, level), _dotted(start, start, 10 ** limits[0], level)]
        traces.append({"type": "scatter", "name": "break-even", "x": [start], "y": [level], "mode": "markers",
                       "marker": {"symbol": "diamond", "size": 10, "color": GREY},
                       "hovertemplate": "break-even at start bias %{x:.1f}<extra></extra>"})
        right = start < 0.6 * sweep.starts[-1]
        notes.append(_note(f"break-even {start:.1f}", start, limits[0], xanchor="left" if right else "right",
                           xshift=7 if right else -7, yshift=12))
    figure = drawn(traces, title, height,
                   x={"title": {"text": "start bias z₀", "standoff": 6}, "range": [-0.4, sweep.starts[-1] + 0.4],
                      "zeroline": False},
                   y={"title": {"text": "steps to 0.1 % of the loss", "standoff": 6}, "type": "log",
                      "range": list(limits)}, annotations=notes)
    figure["layout"]["title"]["subtitle"] = {"text": KEY, "font": {"size": 14}}
    if shown is not None:
        shapes.append({**_dotted(shown, shown, 10 ** limits[0], 10 ** limits[1]), "opacity": 0.14,
                       "line": {"color": GREY, "width": 14}})
    figure["layout"]["shapes"] = shapes
    return figure


def _lines(sweep: SaturationSweep, escapes: Escapes, name: str, color: str, top: float) -> list[dict]:
    """What was measured, what was predicted, and what did not arrive; never joined with each other."""
    there, predicted = np.isfinite(escapes.steps), escapes.predicted
    drawable = (predicted > 0) & (predicted < min(sweep.most_steps, 2 * top))  # above are those that do not arrive
    hover = name + ", start bias %{x:g}: "
    traces = [{"type": "scatter", "name": f"{name}, predicted", "x": sweep.starts,
               "y": np.where(drawable, predicted, np.nan), "mode": "lines",
               "line": {"color": color, "width": 1.8, "dash": "dash"}, "opacity": 0.8,
               "hovertemplate": hover + "%{y:.0f} steps predicted<extra></extra>"},
              {"type": "scatter", "name": name, "x": sweep.starts, "y": np.where(there, escapes.steps, np.nan),
               "mode": "lines+markers", "line": {"color": color, "width": 2.2}, "marker": {"size": 7, "color": color},
               "hovertemplate": hover + "%{y:.0f} steps<extra></extra>"}]
    if not there.all():
        lost = sweep.starts[~there]
        traces.append({"type": "scatter", "name": f"{name}, not reached", "x": lost,
                       "y": np.full(len(lost), top), "mode": "markers",
                       "marker": {"symbol": "circle-open", "size": 9, "color": color},
                       "customdata": [_count(steps) for steps in predicted[~there]],
                       "hovertemplate": hover + f"not reached in {escapes.given_up:,} steps, "
                                                "%{customdata} predicted<extra></extra>"})
    return traces


def _names(sweep: SaturationSweep, names: tuple[str, str], top: float) -> list[dict]:
    """Each line's name where it begins, outside of the space between the two; one for both where neither arrives."""
    if np.isinf([sweep.raw.steps[0], sweep.twin.steps[0]]).all():
        return [_note(_both(names), sweep.starts[0], math.log10(top), xanchor="left", xshift=4, yshift=-18)]
    firsts = [np.maximum([*run.steps[:3], *run.predicted[:3]], 1) if np.isfinite(run.steps[:3]).all() else
              np.array([top]) for run in (sweep.raw, sweep.twin)]
    raw_above = firsts[0][0] >= firsts[1][0]
    notes = []
    for name, first, color, above in zip(names, firsts, (RAW, CENTERED), (raw_above, not raw_above), strict=True):
        above = above and first.max() < top  # up there it would leave the picture
        notes.append(_note(name, sweep.starts[0], math.log10(first.max() if above else first.min()), color=color,
                           xanchor="left", xshift=4, yshift=18 if above else -18))
    return notes


def _both(names: tuple[str, str]) -> str:
    return f"<span style='color:{RAW}'>{names[0]}</span> and <span style='color:{CENTERED}'>{names[1]}</span>"


def _note(text: str, x: float, y: float, color: str = GREY, **place) -> dict:
    return {"text": text, "x": float(x), "y": float(y), "showarrow": False, "font": {"size": 14, "color": color},
            **place}


def _dotted(x0: float, x1: float, y0: float, y1: float) -> dict:
    return {"type": "line", "x0": x0, "x1": x1, "y0": y0, "y1": y1, "layer": "below",
            "line": {"color": GREY, "width": 1.5, "dash": "dot"}}


def slope_figure(start: float, title: str, height: int = 320) -> dict:
    """The sigmoid, its slope, and where on both the neuron starts."""
    z = np.linspace(-12, 12, 241).astype(np.float32)
    ends = np.array([sigmoid(start), sigmoid_slope(start)], float)
    lines = (("σ(z)", sigmoid(z), 1.6, 0.6), ("σ′(z)", sigmoid_slope(z), 3, 1))
    traces = [{"type": "scatter", "name": name, "x": z, "y": y.astype(np.float32), "mode": "lines", "opacity": opacity,
               "line": {"color": GREY, "width": width}, "hovertemplate": f"{name}: %{{y:.3g}} at z = %{{x:.1f}}"}
              for name, y, width, opacity in lines]
    traces.append({"type": "scatter", "name": "start", "x": [start, start], "y": ends, "mode": "markers",
                   "marker": {"size": 10, "color": CENTERED}, "hovertemplate": "start, z = %{x:g}: %{y:.3g}"})
    side = {"xanchor": "right" if start > 6 else "left", "xshift": 6 if start > 6 else 0}
    notes = [_note("σ(z)", 2.2, 0.82, xanchor="left"),
             _note("σ′(z)", -1.3, 0.22, xanchor="right"),
             _note(f"σ′({start:g}) = {_small_number(ends[1])}", start, ends[1], yshift=16, **side)]
    return drawn(traces, title, height, x={"title": {"text": "output z before the sigmoid", "standoff": 6},
                                           "range": [-12, 12], "zeroline": False},
                 y={"range": [-0.06, 1.08], "tickvals": [0, 0.25, 0.5, 1], "zeroline": False}, annotations=notes)


def _count(steps: float) -> str:
    return f"{steps:.0f}" if math.isfinite(steps) else "none"


def _small_number(value: float) -> str:
    return f"{value:.2g}" if value >= 0.001 else f"{value:.5f}"


def escape_figure(sweeps: Mapping[str, SaturationSweep], names: tuple[str, str], index: int, title: str,
                  height: int = 320) -> dict:
    """The mean output over the steps from start `index`: squared loss in color, zero-centered cross-entropy in grey."""
    squared, entropy = sweeps["sigmoid_squared"], sweeps["logistic"]
    start, last = float(squared.starts[index]), _last_step(squared, index)
    lines = (("cross-entropy", entropy.twin, GREY), (names[0], squared.raw, RAW), (names[1], squared.twin, CENTERED))
    traces = [_output_line(name, escapes.outputs[:, index], color, last) for name, escapes, color in lines]
    if start > AWAKE:
        z = np.linspace(start, AWAKE, 60)
        time = time_to_output("sigmoid_squared", start, z) / squared.twin.gain
        seen = time <= last
        traces.append({"type": "scatter", "name": "predicted", "x": time[seen], "y": z[seen], "mode": "lines",
                       "line": {"color": CENTERED, "width": 1.8, "dash": "dash"}, "hoverinfo": "skip"})
    notes = [_note(f"{_both(names)}, squared loss", 0.04 * last, start, xanchor="left", yshift=14),
             _note("cross-entropy", 0.02 * last, 0.0, xanchor="left", yshift=-14),
             _note("z = 1", last, AWAKE, xanchor="right", yshift=11)]
    figure = drawn(traces, title, height, x={"title": {"text": "step", "standoff": 6}, "range": [0, last]},
                   y={"title": {"text": "mean output z", "standoff": 6}, "zeroline": False,
                      "range": [-0.25 * max(start, 2), 1.3 * max(start, 2)]}, annotations=notes)
    figure["layout"]["shapes"] = [_dotted(0, last, AWAKE, AWAKE)]
    return figure


def _last_step(sweep: SaturationSweep, index: int) -> float:
    """The end of the picture: well after both runs have woken, or as far as they went."""
    wakes = [escapes.wakes(index) for escapes in (sweep.raw, sweep.twin)]
    return 1.6 * max(8.0, *wakes) if np.isfinite(wakes).all() else float(max(len(sweep.raw.outputs),
                                                                              len(sweep.twin.outputs)))


def _output_line(name: str, outputs: np.ndarray, color: str, last: float) -> dict:
    there = outputs[np.isfinite(outputs)][: int(last) + 2]
    kept = thinned(len(there), DRAWN_POINTS)
    return {"type": "scatter", "name": name, "x": kept.astype(np.int32), "y": there[kept].astype(np.float32),
            "mode": "lines", "line": {"color": color, "width": 2.2},
            "hovertemplate": f"{name}, step %{{x}}: z = %{{y:.2f}}<extra></extra>"}
