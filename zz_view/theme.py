"""One meaning per color on every page, and the frame that all figures share.

All hues reach 3:1 against both the light and the dark background, so a figure needs no knowledge of the theme;
surfaces, grid lines and contours are translucent greys for the same reason.
"""
PLUS, MINUS, ZERO = "#D55E00", "#0072B2", "#8A8F98"  # signs, always with a glyph or a word beside the color
RAW, CENTERED = "#A6418F", "#00875F"  # the twins
WEDGE = "#E69F00"  # what one sample allows; always translucent
GREY = "#7F8791"  # everything that only supports
DRAWING = "drawing"  # a trace's `meta`: it repeats or shades, and does not belong into a table of the data
FAINT = "rgba(127,135,145,0.25)"
GRID = "rgba(127,135,145,0.18)"
CLEAR = "rgba(0,0,0,0)"
SIGN_GLYPHS = {1: "+", -1: "−", 0: "0"}
MARGIN = {"l": 56, "r": 16, "t": 56, "b": 48}


def translucent(color: str, opacity: float = 0.2) -> str:
    return f"rgba({','.join(str(int(color[k : k + 2], 16)) for k in (1, 3, 5))},{opacity:.3g})"


def drawn(traces: list[dict], title: str, height: int, x: dict, y: dict, annotations: list[dict] = (),
          shapes: list[dict] = (), subtitle: str = "") -> dict:
    """A figure of one pair of axes in the house's frame, as the dictionary that plotly.graph_objects.Figure takes.

    Plotly's objects check every property, which takes longer than simulating the run and is felt with every move of a
    slider; the tests do that check instead.
    """
    axis = {"gridcolor": GRID, "zerolinecolor": GRID}
    head = {"text": title, "x": 0, "xanchor": "left", "font": {"size": 16}}
    if subtitle:
        head["subtitle"] = {"text": subtitle, "font": {"size": 14}}
    return {"data": traces, "layout": {
        "title": head, "height": height, "margin": {**MARGIN, "t": MARGIN["t"] + (16 if subtitle else 0)},
        "shapes": list(shapes),
        "showlegend": False, "hoverlabel": {"namelength": -1}, "paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR,
        "annotations": list(annotations), "xaxis": {**axis, **x}, "yaxis": {**axis, **y}}}
