"""Figures of signs: a step x weight heatmap of +, − and 0, and the share of same-sign steps along a run."""
import numpy as np

from zz_core import measures
from zz_view.theme import CENTERED, GREY, MINUS, PLUS, RAW, ZERO, drawn

SIGN_SCALE = [[0, MINUS], [1 / 3, MINUS], [1 / 3, ZERO], [2 / 3, ZERO], [2 / 3, PLUS], [1, PLUS]]
GLYPHS = np.array(["−", "0", "+"])  # of the codes 0, 1, 2
KEY = "  ".join(f"<span style='color:{color}'>■</span> {word}"
                for color, word in ((PLUS, "+"), (MINUS, "−"), (ZERO, "0")))
GLYPH_COLUMNS, GLYPH_ROWS = 25, 16  # more cells than that are too small to write into
MOST_CELLS = 2**15  # of a heatmap: each cell also carries its hover text
GAP_ROWS = 32  # more rows leave no room for a line between them
MOST_TICKS = 12
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
STRETCHES, LEAST_STEPS = 20, 10  # of the running share: at most so many points, each over at least so many steps


def sign_codes(vectors: np.ndarray) -> np.ndarray:
    """Signs of vectors (T, D) as uint8: 0 negative, 1 zero (below 1e-12 of the vector's largest), 2 positive."""
    size = np.abs(vectors).max(axis=-1, keepdims=True, initial=0.0)
    return (1 + (vectors > measures.ZERO * size) - (vectors < -measures.ZERO * size)).astype(np.uint8)


def sign_heatmap_figure(vectors: np.ndarray, title: str, what: str, first_step: int = 1, columns: int | None = None,
                        arrived: int | None = None) -> dict:
    """Signs of vectors (n, D): columns are the steps from `first_step` on, rows the weights.

    what: whose signs they are, in words. columns: width of the step axis, so that twins share it. Steps after a row
    that is not finite stay empty; those after step `arrived` lie under a grey veil.
    """
    vectors = np.asarray(vectors, float)
    good = np.isfinite(vectors).all(axis=-1)
    codes = sign_codes(vectors if good.all() else vectors[: good.argmin()])
    dimensions, columns = vectors.shape[1], columns or len(vectors)
    end, veil = first_step + columns - 0.5, []
    if arrived is not None and arrived + 0.5 < end:
        veil = [{"type": "rect", "x0": max(arrived, first_step - 1) + 0.5, "x1": end, "yref": "y domain", "y0": 0,
                 "y1": 1, "fillcolor": GREY, "opacity": 0.65, "line": {"width": 0}, "layer": "above"}]
    ticks = list(range(1, dimensions + 1, -(-dimensions // MOST_TICKS)))
    cells = _cells(codes.T, first_step, written=columns <= GLYPH_COLUMNS and dimensions <= GLYPH_ROWS)
    return drawn([cells], title, min(130 + 44 * dimensions, 480), shapes=veil, subtitle=f"sign of {what}:  {KEY}",
                 x={"title": {"text": "step"}, "range": [first_step - 0.5, end], "showgrid": False, "zeroline": False,
                    "tickformat": "d", "nticks": 8},
                 y={"title": {"text": "weight"}, "range": [dimensions + 0.5, 0.5], "showgrid": False, "zeroline": False,
                    "tickvals": ticks, "ticktext": [weight_name(tick) for tick in ticks]})


def weight_name(number: int) -> str:
    return f"w{number}".translate(SUBSCRIPTS)


def _cells(codes: np.ndarray, first_step: int, written: bool) -> dict:
    """The cells (D, n), each with its glyph in the hover text and, where cells are few, written into it."""
    return {"type": "heatmap", "z": codes, "x0": first_step, "dx": 1, "y0": 1, "dy": 1, "zmin": 0, "zmax": 2,
            "colorscale": SIGN_SCALE, "showscale": False, "text": GLYPHS[codes], "name": "signs",
            "texttemplate": "%{text}" if written else None, "textfont": {"size": 14},
            "hovertemplate": "step %{x}, w%{y}: %{text}<extra></extra>", "xgap": int(written),
            "ygap": int(len(codes) <= GAP_ROWS)}


def running_share(same_sign: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of same_sign (T,), 1, 0 or NaN a step, over successive stretches of equal length.

    Returns the last defined step of each stretch counted from 1, its share, and how many of its steps are defined.
    The share of a stretch with less than half of its steps is NaN: one or two steps would draw a spike.
    """
    total = len(same_sign)
    width = max(LEAST_STEPS, -(-total // STRETCHES))
    starts = np.arange(0, total, width)
    if total == 0:
        return starts, np.empty(0), starts
    defined = np.isfinite(same_sign)
    counts = np.add.reduceat(defined.astype(int), starts)
    sums = np.add.reduceat(np.where(defined, same_sign, 0.0), starts)
    ends = np.maximum.reduceat(np.where(defined, np.arange(1, total + 1), 0), starts)
    enough = np.maximum(1, min(width, counts.sum()) / 2)
    return ends, np.divide(sums, counts, out=np.full(len(starts), np.nan), where=counts >= enough), counts


def same_sign_figure(series: dict[str, np.ndarray], chance: float, what: str,
                     arrived: dict[str, int | None] | None = None) -> dict:
    """Share of same-sign steps along the run for the raw twin and the other, each (T,), beside its chance level.

    what: whose signs they are. arrived: the step at which a run is at its optimum, where its line ends and says so.
    """
    traces, notes = [], []
    for (name, values), color, symbol in zip(series.items(), (RAW, CENTERED), ("circle", "diamond"), strict=False):
        ends, share, counts = running_share(np.asarray(values, float))
        traces.append({"type": "scatter", "x": ends, "y": share.astype(np.float32), "name": name,
                       "mode": "lines+markers", "customdata": counts, "line": {"color": color, "width": 2},
                       "marker": {"symbol": symbol, "size": 8, "color": color},
                       "hovertemplate": name + ", up to step %{x}: %{y:.0%} of %{customdata} steps<extra></extra>"})
        if (arrived or {}).get(name) and np.isfinite(share).any():
            last = np.flatnonzero(np.isfinite(share))[-1]
            notes.append({"x": int(ends[last]), "y": float(share[last]), "text": "arrived", "showarrow": False,
                          "yanchor": "bottom", "xanchor": "right" if ends[last] > 0.8 * len(values) else "left",
                          "yshift": 8, "font": {"size": 14, "color": color}})
    # the chance level is named below its line, since "arrived" stands above the points
    notes.append({"x": 1, "xref": "x domain", "y": chance, "text": "by chance", "showarrow": False, "xanchor": "right",
                  "yanchor": "top", "yshift": -3, "font": {"size": 14, "color": GREY}})
    level = {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "y0": chance, "y1": chance, "layer": "below",
             "line": {"color": GREY, "dash": "dot", "width": 2}}
    steps = max(map(len, series.values()), default=0)
    return drawn(traces, _share_title(series), 300, annotations=notes, shapes=[level],
                 subtitle=f"{what}s with one sign:  {_share_key(series)}",
                 x={"title": {"text": "step"}, "range": [0, 1.02 * max(steps, LEAST_STEPS)]},
                 y={"title": {"text": "share of steps"}, "range": [-0.16, 1.12], "tickformat": ".0%",
                    "tickvals": [0, 0.5, 1]})


def _mean(values: np.ndarray) -> str:
    defined = values[np.isfinite(values)]
    return f"{100 * defined.mean():.0f}\N{NO-BREAK SPACE}%" if len(defined) else "undefined"


def _share_title(series: dict[str, np.ndarray]) -> str:
    """A sentence with the mean over all steps that count."""
    parts = [f"{name} {_mean(np.asarray(values, float))}" for name, values in series.items()]
    text = ", ".join(parts) or "nothing to show"
    return f"One sign for all: {text}"


def _share_key(series: dict[str, np.ndarray]) -> str:
    marks = zip(series, (RAW, CENTERED), "●◆", strict=False)
    return "   ".join(f"<span style='color:{color}'>{mark}</span> {name}" for name, color, mark in marks)
