"""Figures of batch averaging: one batch as arrows, mixed signs and whole runs against the batch size."""
import textwrap

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from zz_core.batching import BatchSweep, MixedShares
from zz_core.measures import unanimous
from zz_core.planes import double_wedge
from zz_view.theme import CENTERED, GREY, RAW, WEDGE, framed, translucent

MOST_ARROWS = 64
SHORTEST_MEAN = 0.4  # of the longest arrow: a mean below this is drawn longer, by a round factor that is said
STRETCHES = np.array([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])
TITLE_WIDTH = 46  # characters a line, so that a title fits on a phone
REGIME_MARKS = {"across": ("●", "circle", "error across the mean"), "along": ("■", "square", "along it, noisy"),
                "optimum": ("◆", "diamond", "at the optimum, noisy")}
LABEL_GAP = 19  # pixels between two labels


def wrapped(text: str, width: int = TITLE_WIDTH) -> str:
    return "<br>".join(textwrap.wrap(text, width))


def drawn_arrows(count: int) -> np.ndarray:
    """Which of `count` arrows are drawn: all, or MOST_ARROWS of them evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_ARROWS)).round().astype(int))


def arrow_reach(gradients: np.ndarray) -> float:
    """Half the side of a square window about the origin that holds these arrows (n, 2)."""
    return 1.12 * float(np.abs(gradients).max(initial=0.0)) or 1.0


def stretch_of(mean: np.ndarray, gradients: np.ndarray) -> int:
    """The round factor by which a mean (2,) that is short beside its arrows (n, 2) is drawn longer, 1 if it is not."""
    longest, length = np.linalg.norm(gradients, axis=-1).max(initial=0.0), np.linalg.norm(mean)
    short = 0 < length < SHORTEST_MEAN * longest
    return int(STRETCHES[STRETCHES * length <= longest][-1]) if short else 1


def batch_arrows_figure(gradients: np.ndarray, mean: np.ndarray, rows: np.ndarray, slopes: np.ndarray, color: str,
                        wedge: tuple[float, float] | None, reach: float, title: str, axis_titles: tuple[str, str],
                        height: int = 390) -> go.Figure:
    """Gradients (n, 2) of single samples as thin arrows, and their mean (2,) as a thick one, on equal scales.

    rows (n,) and slopes (n,), dL/df, are for the hover text. wedge: the angles that a single sample's gradient can
    have, shaded; None where it can have any. reach: half the window's side, the same for twins that are compared.
    """
    figure = go.Figure()
    if wedge is not None:
        outline = double_wedge(wedge, 2 * reach).astype(np.float32)
        figure.add_scatter(x=outline[:, 0], y=outline[:, 1], mode="lines", fill="toself", fillcolor=translucent(WEDGE),
                           line_width=0, hoverinfo="skip", name="allowed by one sample")
    _add_arrows(figure, gradients, color, rows, slopes)
    _add_mean(figure, mean, stretch_of(mean, gradients), color, reach)
    framed(figure, wrapped(title), height)
    figure.update_layout(margin={"t": 68, "l": 64, "b": 44})
    limits = [-reach, reach]
    figure.update_xaxes(range=limits, title=axis_titles[0], constrain="domain", nticks=7)
    figure.update_yaxes(range=limits, title=axis_titles[1], scaleanchor="x", constrain="domain", nticks=7)
    return figure


def _add_arrows(figure: go.Figure, gradients: np.ndarray, color: str, rows: np.ndarray, slopes: np.ndarray) -> None:
    """All arrows in two traces: shafts, separated by gaps, and tips."""
    shafts = np.full((len(gradients), 3, 2), np.nan, np.float32)
    shafts[:, 0], shafts[:, 1] = 0.0, gradients
    shafts = shafts.reshape(-1, 2)
    figure.add_scatter(x=shafts[:, 0], y=shafts[:, 1], mode="lines", line={"color": color, "width": 1.2}, opacity=0.6,
                       hoverinfo="skip", name="shafts")
    tips = np.asarray(gradients, np.float32).reshape(-1, 2)
    figure.add_scatter(x=tips[:, 0], y=tips[:, 1], mode="markers", name="samples' gradients",
                       customdata=np.column_stack([rows, slopes]).astype(np.float32),
                       marker={"symbol": "arrow", "size": 9, "color": color, "angle": _heading(tips)},
                       hovertemplate="sample %{customdata[0]:.0f}, ∂L/∂f = %{customdata[1]:+.2g}<br>"
                                     "gradient %{x:+.2g}, %{y:+.2g}<extra></extra>")


def _heading(vectors: np.ndarray) -> np.ndarray:
    """Degrees clockwise from north, which is how Plotly turns a marker."""
    return np.rad2deg(np.arctan2(vectors[..., 0], vectors[..., 1])).astype(np.float32)


def _add_mean(figure: go.Figure, mean: np.ndarray, stretch: int, color: str, reach: float) -> None:
    tip = (stretch * np.asarray(mean)).astype(np.float32)
    line = np.stack([np.zeros(2, np.float32), tip])
    figure.add_scatter(x=line[:, 0], y=line[:, 1], mode="lines", line={"color": color, "width": 5}, name="mean shaft",
                       hoverinfo="skip")
    figure.add_scatter(x=tip[:1], y=tip[1:], mode="markers", name="mean gradient", customdata=np.asarray(mean)[None],
                       marker={"symbol": "arrow", "size": 18, "color": color, "angle": _heading(tip[None])},
                       hovertemplate="mean gradient %{customdata[0]:+.2g}, %{customdata[1]:+.2g}<extra></extra>")
    label = "<b>mean</b>" if stretch == 1 else f"<b>mean</b>, {stretch}x longer"
    outward = tip[0] >= 0 if abs(tip[0]) < 0.3 * reach else tip[0] < 0  # on the side where the words have room
    figure.add_annotation(x=tip[0], y=tip[1], text=label, showarrow=False, font_size=14,
                          xanchor="left" if outward else "right", xshift=12 if outward else -12,
                          yshift=14 if tip[1] >= 0 else -14)


def mixed_share_figure(shares: dict[str, MixedShares], color: str, chance: float, title: str,
                       expected: dict[str, np.ndarray] | None = None, mixing_size: float | None = None,
                       height: int = 430) -> go.Figure:
    """Share of gradients with mixed signs against the batch size, a line a regime; chance is 1 - 2^(1-D).

    Dashed the shares that the theory expects (K,), and the batch size from which it expects an error across to show.
    """
    figure, ends = go.Figure(), {}
    for name, found in shares.items():
        known = np.isfinite(found.share)
        glyph, symbol, label = REGIME_MARKS[name]
        sizes, share = found.batch_sizes[known], (100 * found.share[known]).astype(np.float32)
        _add_band(figure, sizes, 100 * found.low[known], 100 * found.high[known], color)
        figure.add_scatter(x=sizes, y=share, mode="lines+markers", name=label, line={"color": color, "width": 2},
                           marker={"symbol": symbol, "size": 9}, customdata=found.draws[known],
                           hovertemplate="B = %{x}: %{y:.1f} % mixed<br>of %{customdata} gradients")
        if len(sizes):
            ends[f"{marked(glyph, color)} {label}"] = (sizes[-1], share[-1])
        if name in (expected or {}):
            figure.add_scatter(x=found.batch_sizes, y=(100 * expected[name]).astype(np.float32), mode="lines",
                               name="theory", line={"color": GREY, "width": 2, "dash": "dash"},
                               hovertemplate="B = %{x}: %{y:.1f} % expected<extra></extra>")
    framed(figure, wrapped(title), height)
    sizes_shown = next((found.batch_sizes for found in shares.values()), np.array([1]))
    _batch_axis(figure, sizes_shown, row=None)
    figure.update_yaxes(title="gradients with mixed signs (%)", range=[-4, 126], tickvals=[0, 25, 50, 75, 100])
    crowded = any((np.abs(found.share[:2] - chance) < 0.12).any() for found in shares.values())
    figure.add_hline(y=100 * chance, line={"color": GREY, "width": 1.2, "dash": "dot"}, annotation={
        "text": f"signs by chance: {100 * chance:.0f} %", "font": {"size": 14, "color": GREY},
        "yshift": -22 if crowded else 0}, annotation_position="bottom left" if crowded else "top left")
    if mixing_size is not None and mixing_size < sizes_shown[-1]:
        figure.add_vline(x=mixing_size, line={"color": GREY, "width": 1.2, "dash": "dash"}, layer="below")
        figure.add_annotation(x=np.log10(mixing_size), y=126, text=f"B* = {mixing_size:.0f}", showarrow=False,
                              xanchor="left", yanchor="top", xshift=4, font={"size": 14, "color": GREY})
    _label_ends(figure, ends, pixels=(height - 104) / 130)
    return figure


def marked(glyph: str, color: str) -> str:
    """A glyph in a line's color before its name: the hues themselves are too faint for small letters."""
    return f"<span style='color:{color}'>{glyph}</span>"


def _add_band(figure: go.Figure, sizes: np.ndarray, low: np.ndarray, high: np.ndarray, color: str, **place) -> None:
    figure.add_scatter(x=np.concatenate([sizes, sizes[::-1]]), y=np.concatenate([low, high[::-1]]).astype(np.float32),
                       fill="toself", fillcolor=translucent(color), line_width=0, mode="lines", hoverinfo="skip",
                       name="interval", **place)


def _batch_axis(figure: go.Figure, sizes: np.ndarray, row: int | None) -> None:
    figure.update_xaxes(type="log", tickvals=sizes, ticktext=[str(size) for size in sizes],
                        range=[-0.04, np.log10(max(sizes[-1], 2)) + 0.04], tickangle=0)
    figure.update_xaxes(title="batch size (samples a step)", row=row)


def _label_ends(figure: go.Figure, ends: dict[str, tuple[float, float]], pixels: float) -> None:
    """Name each line above its end; pixels: of one unit of y. Labels that would touch are moved apart."""
    names = sorted(ends, key=lambda name: ends[name][1])
    wanted = [pixels * ends[name][1] + 14 for name in names]
    for name, center in zip(names, spread(wanted, LABEL_GAP, 122 * pixels), strict=True):
        x, y = ends[name]
        figure.add_annotation(x=np.log10(x), y=float(y), text=name, showarrow=False, xanchor="right", xshift=8,
                              yshift=center - pixels * y, font_size=14)


def spread(wanted: list[float], gap: float, top: float) -> list[float]:
    """Ascending positions moved apart to at least `gap`, and all down where the last would pass `top`."""
    centers = wanted[:1]
    for position in wanted[1:]:
        centers.append(max(position, centers[-1] + gap))
    return [center - max(0.0, centers[-1] - top) for center in centers]


LOG_TICKS = np.outer(10.0 ** np.arange(6), [1, 2, 3, 5]).ravel()
PANELS = {"mixed_updates": "updates with<br>mixed signs (%)", "path_ratio": "path / straight line",
          "steps": "steps to 1 %"}


def batch_sweep_figure(sweeps: dict[str, BatchSweep], longest: int, title: str, height: int = 760) -> go.Figure:
    """Three panels on one axis of batch sizes: the update's mixed signs, the path ratio, the steps to the tolerance.

    Medians with interquartile bands, a line a twin; `longest` is the number of steps of each run. Where half of the
    runs or more do not arrive, the marker is open; in the last panel it stands at the top.
    """
    figure = make_subplots(rows=len(PANELS), cols=1, shared_xaxes=True, vertical_spacing=0.06)
    for row, (name, axis) in enumerate(PANELS.items(), start=1):
        figure.update_yaxes(title=axis, type="log", tickvals=LOG_TICKS, row=row)
        for (twin, sweep), color in zip(sweeps.items(), (RAW, CENTERED), strict=False):
            _add_median(figure, sweep, name, longest, twin, color, row)
        _label_starts(figure, row)
    if any((np.isinf(sweep.steps).mean(axis=1) >= 0.5).any() for sweep in sweeps.values()):
        figure.add_annotation(x=1, xref="x domain", y=np.log10(1.5 * longest), text=f"not reached in {longest} steps",
                              font_size=14, showarrow=False, xanchor="right", yshift=14, row=3, col=1)
    framed(figure, wrapped(title), height)
    figure.update_yaxes(tickvals=LOG_TICKS[LOG_TICKS <= longest], row=3)  # above: runs that do not arrive
    figure.update_yaxes(type="linear", range=[-6, 112], tickvals=[0, 50, 100], row=1)
    _batch_axis(figure, next((sweep.batch_sizes for sweep in sweeps.values()), np.array([1])), row=len(PANELS))
    return figure


def _add_median(figure: go.Figure, sweep: BatchSweep, name: str, longest: int, twin: str, color: str, row: int) -> None:
    values = getattr(sweep, name) * (100 if name == "mixed_updates" else 1)
    known = (values > 0).any(axis=1) if row > 1 else np.isfinite(values).any(axis=1)  # no zero on a logarithmic axis
    values, sizes = values[known], sweep.batch_sizes[known]
    if not len(sizes):
        return
    # no interpolation, or one run that never arrives would make a quartile infinite or undefined
    low, high = np.nanquantile(values, [0.25, 0.75], axis=1, method="closest_observation")
    middle = np.nanmedian(values, axis=1)
    arrived = np.isfinite(sweep.steps[known]).mean(axis=1)
    top = 1.5 * longest
    _add_band(figure, sizes, np.minimum(low, top), np.minimum(high, top), color, row=row, col=1)
    figure.add_scatter(x=sizes, y=np.minimum(middle, top).astype(np.float32), mode="lines+markers", name=twin,
                       line={"color": color, "width": 2}, row=row, col=1,
                       customdata=np.round(100 * arrived).astype(np.uint8),
                       marker={"size": 9, "symbol": np.where(arrived > 0.5, "circle", "circle-open")},
                       hovertemplate="B = %{x}: %{y:.3g}<br>%{customdata} % of the runs arrive")


def _label_starts(figure: go.Figure, row: int) -> None:
    """Name each line of a panel at its first point, on the side that it turns away from."""
    lines = [trace for trace in figure.select_traces(row=row, col=1) if trace.name != "interval"]
    heights = [np.asarray(line.y if row == 1 else 100 * np.log10(line.y), float) for line in lines]
    above = [height[min(2, len(height) - 1)] <= height[0] for height in heights]
    span = np.ptp(np.concatenate(heights)) if lines else 0.0
    if len(lines) == 2 and abs(heights[0][0] - heights[1][0]) <= 0.3 * span:  # no room for both on one side
        above = [heights[0][0] >= heights[1][0], heights[0][0] < heights[1][0]]
    for line, height, over in zip(lines, heights, above, strict=True):
        figure.add_annotation(x=np.log10(line.x[0]), y=height[0] / (1 if row == 1 else 100), showarrow=False,
                              text=f"{marked('●', line.line.color)} {line.name}", xanchor="left", font_size=14,
                              yshift=18 if over else -18, row=row, col=1)


def arrows_title(name: str, gradients: np.ndarray, mean: np.ndarray) -> str:
    """What the arrows show: how many samples (B, D) push all weights one way, and whether their mean (D,) does."""
    weights = "both weights" if len(mean) == 2 else f"all {len(mean)} weights"
    alike, same = np.nansum(unanimous(gradients)), unanimous(mean)
    end = "their mean is zero" if np.isnan(same) else "so does their mean" if same else "their mean does not"
    return f"{name.capitalize()}: {alike:.0f} of {len(gradients)} samples push {weights} one way; {end}"


def sweep_title(sweeps: dict[str, BatchSweep]) -> str:
    """The verdict of a raw sweep and its twin, from their medians at one sample a step and at the full batch."""
    raw, other = sweeps.values()
    ratio, steps, better = (np.median(values, axis=1) for values in (raw.path_ratio, raw.steps, other.steps))
    zigzag = "The zig-zag goes" if ratio[0] >= 1.2 * ratio[-1] else "There is hardly a zig-zag to mend"
    if np.isnan(steps).any():
        return zigzag
    if np.isinf(steps).all() and np.isinf(better).all():
        return f"{zigzag}; no batch size brings a run to 1 %"
    return f"{zigzag}, the slowness stays" if steps[-1] >= 2 * better[-1] else (
        f"{zigzag}; {list(sweeps)[1]} inputs are hardly faster")


def shares_title(name: str, shares: dict[str, MixedShares]) -> str:
    """The verdict on signs at fixed weights, from the shares at one sample and at the largest batch sizes."""
    ends = {regime: found.share[three_points(found.share)] for regime, found in shares.items()}
    verdict = "how often a batch's gradient has mixed signs"
    if all(len(ends.get(regime, ())) for regime in ("across", "optimum")):
        mends, too = (ends[regime][-1] - ends[regime][0] > 0.2 for regime in ("across", "optimum"))
        verdict = "averaging mixes signs" if mends else "averaging hardly mixes signs"
        verdict += " where the error lies across the mean" if mends and not too else ""
        if min(ends["across"][0], ends["optimum"][0]) > 0.25:
            verdict = "a single sample's gradient already has mixed signs"
    return f"{name.capitalize()}: {verdict}"


def three_points(shares: np.ndarray) -> list[int]:
    """Which of the shares (K,) to name in words: the first, the middle and the last that are known."""
    known = np.flatnonzero(np.isfinite(shares)).tolist()
    return list(dict.fromkeys([known[0], known[len(known) // 2], known[-1]])) if known else []
