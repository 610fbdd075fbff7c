"""The ratios to the peers as one chart."""
from collections.abc import Mapping

import plotly.graph_objects as go

from benchmarks.comparisons import COMPARISONS
from benchmarks.peers import PEERS

# Okabe and Ito's, without the two that mean signs on the pages
COLORS = ("#999999", "#000000", "#E69F00", "#CC79A7", "#56B4E9", "#009E73", "#F0E442")
SYMBOLS = ("circle", "circle-open", "square", "square-open", "diamond", "diamond-open", "x")


def ratios_figure(results: Mapping[str, list[dict[str, object]]]) -> go.Figure:
    """results: the rows of each comparison that was measured. A peer is a trace; what is wanted of it a bar."""
    figure = go.Figure()
    for peer, color, symbol in zip(PEERS.values(), COLORS, SYMBOLS, strict=True):
        found = [(COMPARISONS[name].work, row) for name, rows in results.items() for row in rows
                 if row["peer"] == peer.label]
        wanted = [(work, row["wanted"]) for work, row in found if row["wanted"] is not None]
        if found:
            figure.add_scatter(
                x=[row["ratio"] for _, row in found], y=[work for work, _ in found], name=peer.label, mode="markers",
                marker={"color": color, "symbol": symbol, "size": 11}, legendgroup=peer.label,
                customdata=[[1000 * row["seconds"], 1000 * row["our_seconds"]] for _, row in found],
                hovertemplate="%{x:.3g} times ours: %{customdata[0]:.3g} ms against %{customdata[1]:.3g} ms")
        if wanted:
            figure.add_scatter(
                x=[value for _, value in wanted], y=[work for work, _ in wanted], name=f"{peer.label}: wanted",
                mode="markers", legendgroup=peer.label, showlegend=False, hovertemplate="wanted: %{x:g}",
                marker={"color": color, "symbol": "line-ns-open", "size": 18, "line": {"width": 3}})
    figure.add_vline(x=1, line={"color": "#999999", "width": 1})
    figure.update_layout(
        title="How many times as long the peers take: right of 1 this core is faster, bars show what is wanted",
        template="plotly_white", height=300 + 50 * len(results),
        legend={"orientation": "h", "yref": "container", "y": 0},
        xaxis={"type": "log", "title": "their time / ours", "dtick": 1},
        yaxis={"autorange": "reversed", "automargin": True,
               "categoryorder": "array", "categoryarray": [COMPARISONS[name].work for name in results]})
    return figure
