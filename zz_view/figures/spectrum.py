"""The curvatures of the loss: eigenvalues of H, raw beside zero-centered."""
import numpy as np

from zz_view.theme import GREY, drawn

MARKS = (("circle", 14), ("diamond", 9))  # pixels: where both have a curvature in common, both are seen


def spectrum_figure(measured: dict[str, np.ndarray], expected: dict[str, np.ndarray], colors: dict[str, str],
                    title: str, height: int = 260) -> dict:
    """Eigenvalues (P,) by name, largest first, as points; dashed those of the closed form (P,) by name."""
    traces, names = [], []
    for (name, values), (symbol, size) in zip(measured.items(), MARKS, strict=False):
        kept = values[values > 0]  # flat directions have no place on a logarithmic axis
        index = np.arange(1, len(kept) + 1)
        if name in expected:
            line = expected[name]
            traces.append({"type": "scatter", "x": np.arange(1, len(line) + 1), "y": line.astype(np.float32),
                           "mode": "lines", "name": f"{name}, theory",
                           "line": {"color": GREY, "width": 2, "dash": "dash"},
                           "hovertemplate": f"{name}, closed form %{{x}}: %{{y:.3g}}<extra></extra>"})
        traces.append({"type": "scatter", "x": index, "y": kept.astype(np.float32), "mode": "markers", "name": name,
                       "marker": {"symbol": symbol, "size": size, "color": colors[name]},
                       "hovertemplate": f"{name}, eigenvalue %{{x}}: %{{y:.3g}}<extra></extra>"})
        if len(kept):
            names.append({"x": 1, "y": float(np.log10(kept[0])), "text": name, "showarrow": False, "xanchor": "left",
                          "yanchor": "bottom", "xshift": 10, "yshift": 4, "font": {"color": colors[name], "size": 14}})
    most = max((len(values) for values in measured.values()), default=1)
    return drawn(traces, title, height, annotations=names,
                 x={"title": {"text": "direction, steepest first"}, "range": [0.5, most + 0.5], "tickformat": "d",
                    "nticks": min(most, 10)},
                 y={"title": {"text": "curvature (eigenvalue of H)"}, "type": "log"})
