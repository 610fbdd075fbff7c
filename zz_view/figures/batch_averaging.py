"""Figures of batch averaging: one batch as arrows, mixed signs and whole runs against the batch size."""
import numpy as np

from zz_core.batching import BatchSweep, MixedShares
from zz_core.measures import quartiles, unanimous
from zz_core.planes import double_wedge
from zz_view.theme import CENTERED, DRAWING, GREY, RAW, WEDGE, drawn, translucent

MOST_ARROWS = 64
SHORTEST_MEAN = 0.4  # of the longest arrow: a mean below this is drawn longer, by a round factor that is said
STRETCHES = np.array([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])
REGIME_MARKS = {"across": ("●", "circle", "error across the mean"), "along": ("■", "square", "along it, noisy"),
                "optimum": ("◆", "diamond", "at the optimum, noisy")}
BENT = 1.5  # a path longer than this many straight lines is not merely bent
LABEL_GAP = 19  # pixels between two labels


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
    # by the coordinates, as the square window is: the length of a diagonal arrow would lead out of it
    return int(STRETCHES[STRETCHES * np.abs(mean).max() <= np.abs(gradients).max()][-1]) if short else 1


def batch_arrows_figure(gradients: np.ndarray, mean: np.ndarray, rows: np.ndarray, slopes: np.ndarray, color: str,
                        wedge: tuple[float, float] | None, reach: float, title: str, axis_titles: tuple[str, str],
                        height: int = 390) -> dict:
    """Gradients (n, 2) of single samples as thin arrows, and their mean (2,) as a thick one, on equal scales.

    rows (n,) and slopes (n,), dL/df, are for the hover text. wedge: the angles that a single sample's gradient can
    have, shaded; None where it can have any. reach: half the window's side, the same for twins that are compared.
    """
    traces = []
    if wedge is not None:
        outline = double_wedge(wedge, 2 * reach).astype(np.float32)
        traces.append({"type": "scatter", "x": outline[:, 0], "y": outline[:, 1], "mode": "lines", "fill": "toself",
                       "fillcolor": translucent(WEDGE), "line": {"width": 0}, "hoverinfo": "skip",
                       "meta": DRAWING, "name": "allowed by one sample"})
    shafts, label = _mean(mean, stretch_of(mean, gradients), color, reach)
    limits = {"range": [-reach, reach], "constrain": "domain", "nticks": 7}
    figure = drawn([*traces, *_arrows(gradients, color, rows, slopes), *shafts], title, height,
                   {**limits, "title": _axis_title(axis_titles[0])},
                   {**limits, "title": _axis_title(axis_titles[1]), "scaleanchor": "x"}, [label])
    figure["layout"]["margin"] |= {"t": 68, "l": 64, "b": 44}
    return figure


def _axis_title(text: str) -> dict:
    return {"text": text, "standoff": 8}


def _arrows(gradients: np.ndarray, color: str, rows: np.ndarray, slopes: np.ndarray) -> list[dict]:
    """All arrows in two traces: shafts, separated by gaps, and tips."""
    shafts = np.full((len(gradients), 3, 2), np.nan, np.float32)
    shafts[:, 0], shafts[:, 1] = 0.0, gradients
    shafts = shafts.reshape(-1, 2)
    tips = np.asarray(gradients, np.float32).reshape(-1, 2)
    return [{"type": "scatter", "x": shafts[:, 0], "y": shafts[:, 1], "mode": "lines", "opacity": 0.6,
             "line": {"color": color, "width": 1.2}, "hoverinfo": "skip", "name": "shafts",
             "meta": DRAWING},
            {"type": "scatter", "x": tips[:, 0], "y": tips[:, 1], "mode": "markers", "name": "samples' gradients",
             "customdata": np.column_stack([rows, slopes]).astype(np.float32),
             "marker": {"symbol": "arrow", "size": 9, "color": color, "angle": _heading(tips)},
             "hovertemplate": "sample %{customdata[0]:.0f}, ∂L/∂f = %{customdata[1]:+.2g}<br>"
                              "gradient %{x:+.2g}, %{y:+.2g}<extra></extra>"}]


def _heading(vectors: np.ndarray) -> np.ndarray:
    """Degrees clockwise from north, which is how Plotly turns a marker."""
    return np.rad2deg(np.arctan2(vectors[..., 0], vectors[..., 1])).astype(np.float32)


def _mean(mean: np.ndarray, stretch: int, color: str, reach: float) -> tuple[list[dict], dict]:
    """The thick arrow, and its label."""
    tip = (stretch * np.asarray(mean)).astype(np.float32)
    line = np.stack([np.zeros(2, np.float32), tip])
    traces = [{"type": "scatter", "x": line[:, 0], "y": line[:, 1], "mode": "lines", "name": "mean shaft",
               "line": {"color": color, "width": 5}, "hoverinfo": "skip", "meta": DRAWING},
              {"type": "scatter", "x": tip[:1], "y": tip[1:], "mode": "markers", "name": "mean gradient",
               "customdata": np.asarray(mean)[None],
               "marker": {"symbol": "arrow", "size": 18, "color": color, "angle": _heading(tip[None])},
               "hovertemplate": "mean gradient %{customdata[0]:+.2g}, %{customdata[1]:+.2g}<extra></extra>"}]
    outward = tip[0] >= 0 if abs(tip[0]) < 0.3 * reach else tip[0] < 0  # on the side where the words have room
    return traces, {"x": float(tip[0]), "y": float(tip[1]), "showarrow": False, "font": {"size": 14},
                    "text": "<b>mean</b>" if stretch == 1 else f"<b>mean</b>, {stretch}x longer",
                    "xanchor": "left" if outward else "right", "xshift": 12 if outward else -12,
                    "yshift": 14 if tip[1] >= 0 else -14}


def mixed_share_figure(shares: dict[str, MixedShares], color: str, chance: float, title: str,
                       expected: dict[str, np.ndarray] | None = None, mixing_size: float | None = None,
                       height: int = 430) -> dict:
    """Share of gradients with mixed signs against the batch size, a line a regime; chance is 1 - 2^(1-D).

    Dashed the shares that the theory expects (K,), and the batch size from which it expects an error across to show.
    """
    traces, ends = [], {}
    for name, found in shares.items():
        known = np.isfinite(found.share)
        glyph, symbol, label = REGIME_MARKS[name]
        sizes, share = found.batch_sizes[known], (100 * found.share[known]).astype(np.float32)
        traces += [_band(sizes, 100 * found.low[known], 100 * found.high[known], color, f"{label}, 95 % interval"), {
            "type": "scatter", "x": sizes, "y": share, "mode": "lines+markers", "name": label,
            "line": {"color": color, "width": 2}, "marker": {"symbol": symbol, "size": 9, "color": color},
            "customdata": found.draws[known],
            "hovertemplate": "B = %{x}: %{y:.1f} % mixed<br>of %{customdata} gradients"}]
        if len(sizes):
            ends[f"{marked(glyph, color)} {label}"] = (sizes[-1], share[-1])
        if name in (expected or {}):
            traces.append({"type": "scatter", "x": found.batch_sizes, "y": (100 * expected[name]).astype(np.float32),
                           "mode": "lines", "name": f"{label}, theory",
                           "line": {"color": GREY, "width": 2, "dash": "dash"},
                           "hovertemplate": "B = %{x}: %{y:.1f} % expected<extra></extra>"})
    sizes = next((found.batch_sizes for found in shares.values()), np.array([1]))
    crowded = any((np.abs(found.share[:2] - chance) < 0.12).any() for found in shares.values())
    shapes, notes = _levels(100 * chance, crowded, mixing_size if (mixing_size or np.inf) < sizes[-1] else None)
    return drawn(traces, title, height, _batch_axis(sizes),
                 {"title": _axis_title("gradients with mixed signs (%)"), "range": [-4, 126],
                  "tickvals": [0, 25, 50, 75, 100]}, [*notes, *_end_labels(ends, (height - 104) / 130)], shapes)


def _levels(chance: float, crowded: bool, mixing_size: float | None) -> tuple[list[dict], list[dict]]:
    """Lines and their words: the level of chance in percent, and B*."""
    shapes = [{"type": "line", "xref": "x domain", "yref": "y", "x0": 0, "x1": 1, "y0": chance, "y1": chance,
               "line": {"color": GREY, "width": 1.2, "dash": "dot"}}]
    notes = [{"text": f"signs by chance: {chance:.0f} %", "xref": "x domain", "x": 0, "y": chance, "showarrow": False,
              "xanchor": "left", "yanchor": "top" if crowded else "bottom", "yshift": -22 if crowded else 0,
              "font": {"size": 14, "color": GREY}}]
    if mixing_size is not None:
        shapes.append({"type": "line", "xref": "x", "yref": "y domain", "x0": mixing_size, "x1": mixing_size, "y0": 0,
                       "y1": 1, "line": {"color": GREY, "width": 1.2, "dash": "dash"}, "layer": "below"})
        notes.append({"x": float(np.log10(mixing_size)), "y": 126, "text": f"B* = {mixing_size:.0f}",
                      "showarrow": False, "xanchor": "left", "yanchor": "top", "xshift": 4,
                      "font": {"size": 14, "color": GREY}})
    return shapes, notes


def marked(glyph: str, color: str) -> str:
    """A glyph in a line's color before its name: the hues themselves are too faint for small letters."""
    return f"<span style='color:{color}'>{glyph}</span>"


def _band(sizes: np.ndarray, low: np.ndarray, high: np.ndarray, color: str, name: str) -> dict:
    return {"type": "scatter", "x": np.concatenate([sizes, sizes[::-1]]),
            "y": np.concatenate([low, high[::-1]]).astype(np.float32), "fill": "toself",
            "fillcolor": translucent(color), "line": {"width": 0}, "mode": "lines", "hoverinfo": "skip",
            "name": name}


def _batch_axis(sizes: np.ndarray) -> dict:
    return {"type": "log", "tickvals": sizes, "ticktext": [str(size) for size in sizes], "tickangle": 0,
            "range": [-0.04, float(np.log10(max(sizes[-1], 2))) + 0.04],
            "title": _axis_title("batch size (samples a step)")}


def _end_labels(ends: dict[str, tuple[float, float]], pixels: float) -> list[dict]:
    """Name each line above its end; pixels: of one unit of y. Labels that would touch are moved apart."""
    names = sorted(ends, key=lambda name: ends[name][1])
    wanted = [pixels * ends[name][1] + 14 for name in names]
    return [{"x": float(np.log10(ends[name][0])), "y": float(ends[name][1]), "text": name, "showarrow": False,
             "xanchor": "right", "xshift": 8, "yshift": float(center - pixels * ends[name][1]), "font": {"size": 14}}
            for name, center in zip(names, spread(wanted, LABEL_GAP, 122 * pixels), strict=True)]


def spread(wanted: list[float], gap: float, top: float) -> list[float]:
    """Ascending positions moved apart to at least `gap`, and all down where the last would pass `top`."""
    centers = wanted[:1]
    for position in wanted[1:]:
        centers.append(max(position, centers[-1] + gap))
    return [center - max(0.0, centers[-1] - top) for center in centers]


LOG_TICKS = np.outer(10.0 ** np.arange(6), [1, 2, 3, 5]).ravel()
PANELS = {"mixed_updates": "updates with<br>mixed signs (%)", "path_ratio": "path / straight line",
          "steps": "steps to 1 %"}
PANEL_GAP = 0.06  # of the height, between two panels


def batch_sweep_figure(sweeps: dict[str, BatchSweep], longest: int, title: str, height: int = 760) -> dict:
    """Three panels on one axis of batch sizes: the update's mixed signs, the path ratio, the steps to the tolerance.

    Medians with interquartile bands, a line a twin; `longest` is the number of steps of each run. Where half of the
    runs or more do not arrive, the marker is open; in the last panel it stands at the top.
    """
    sizes = next((sweep.batch_sizes for sweep in sweeps.values()), np.array([1]))
    figure = drawn([], title, height, {}, {})
    layout, axis = figure["layout"], {**figure["layout"]["xaxis"], **_batch_axis(sizes)}
    side = (1 - PANEL_GAP * (len(PANELS) - 1)) / len(PANELS)
    for row, (name, words) in enumerate(PANELS.items(), start=1):
        ending = "" if row == 1 else str(row)
        pairs = [_median(sweep, name, longest, twin, color, row) for (twin, sweep), color
                 in zip(sweeps.items(), (RAW, CENTERED), strict=False)]
        on = {"xaxis": f"x{ending}", "yaxis": f"y{ending}"}
        figure["data"] += [trace | on for pair in pairs for trace in pair]
        layout["annotations"] += [note | {"xref": on["xaxis"], "yref": on["yaxis"]}
                                  for note in _start_labels([pair[1] for pair in pairs if pair], row)]
        low = (len(PANELS) - row) * (side + PANEL_GAP)
        bare = {} if row == len(PANELS) else {"title": None, "showticklabels": False}
        matches = {} if row == len(PANELS) else {"matches": f"x{len(PANELS)}"}
        layout[f"xaxis{ending}"] = {**axis, **bare, **matches, "anchor": on["yaxis"]}
        ticks = {"type": "log", "tickvals": LOG_TICKS if row == 2 else LOG_TICKS[LOG_TICKS <= longest]}
        layout[f"yaxis{ending}"] = {
            **layout["yaxis"], "range": None, "title": _axis_title(words), "anchor": on["xaxis"],
            "domain": [low, low + side], **({"range": [-6, 112], "tickvals": [0, 50, 100]} if row == 1 else ticks)}
        if layout[f"yaxis{ending}"]["range"] is None:
            del layout[f"yaxis{ending}"]["range"]
    if any((np.isinf(sweep.steps).mean(axis=1) >= 0.5).any() for sweep in sweeps.values()):
        layout["annotations"].append({
            "x": 1, "xref": "x3 domain", "yref": "y3", "y": float(np.log10(1.5 * longest)), "font": {"size": 14},
            "text": f"not reached in {longest:,} steps", "showarrow": False, "xanchor": "right", "yshift": 14})
    return figure


def _median(sweep: BatchSweep, name: str, longest: int, twin: str, color: str, row: int) -> list[dict]:
    """A band and the line of medians; nothing where nothing is defined."""
    values = getattr(sweep, name) * (100 if name == "mixed_updates" else 1)
    known = (values > 0).any(axis=1) if row > 1 else np.isfinite(values).any(axis=1)  # no zero on a logarithmic axis
    values, sizes = values[known], sweep.batch_sizes[known]
    if not len(sizes):
        return []
    # no interpolation, or one run that never arrives would make a quartile infinite or undefined
    low, middle, high = quartiles(values)
    arrived = np.isfinite(sweep.steps[known]).mean(axis=1)
    top = 1.5 * longest
    return [_band(sizes, np.minimum(low, top), np.minimum(high, top), color, f"{twin}, middle half of the seeds"), {
        "type": "scatter", "x": sizes, "y": np.minimum(middle, top).astype(np.float32), "mode": "lines+markers",
        "name": twin, "line": {"color": color, "width": 2}, "customdata": np.round(100 * arrived).astype(np.uint8),
        "marker": {"size": 9, "symbol": np.where(arrived > 0.5, "circle", "circle-open"), "color": color},
        "hovertemplate": "B = %{x}: %{y:.3g}<br>%{customdata} % of the runs arrive"}]


def _start_labels(lines: list[dict], row: int) -> list[dict]:
    """Name each line of a panel at its first point, on the side that it turns away from."""
    heights = [np.asarray(line["y"] if row == 1 else 100 * np.log10(line["y"]), float) for line in lines]
    above = [height[min(2, len(height) - 1)] <= height[0] for height in heights]
    span = np.ptp(np.concatenate(heights)) if lines else 0.0
    if len(lines) == 2 and abs(heights[0][0] - heights[1][0]) <= 0.3 * span:  # no room for both on one side
        above = [heights[0][0] >= heights[1][0], heights[0][0] < heights[1][0]]
    return [{"x": float(np.log10(line["x"][0])), "y": float(height[0] / (1 if row == 1 else 100)), "showarrow": False,
             "text": f"{marked('●', line['line']['color'])} {line['name']}", "xanchor": "left", "font": {"size": 14},
             "yshift": 18 if over else -18} for line, height, over in zip(lines, heights, above, strict=True)]


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
    if np.isnan(ratio).all():
        return "No weight of the raw runs moves"
    shorter = ratio[0] >= 1.2 * ratio[-1]
    # without a zig-zag the full batch still turns a corner, of up to √2
    zigzag = ("The zig-zag shrinks" if shorter else "The zig-zag stays") if ratio[-1] > BENT else (
        "The zig-zag goes" if shorter else "There is hardly a zig-zag to mend")
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
