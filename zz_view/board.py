"""A board: figures drawn on canvases in one component, linked to a player that steps through a run in the browser.

A changed Plotly chart costs the browser 100 to 170 ms; a board draws the same figures, of the few kinds of traces that
this dashboard uses, in a tenth of that, keeps the visitor's zoom over reruns, and steps without a server round trip.
"""
import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
import streamlit as st

from zz_view import assets
from zz_view.rooms import HEAD, WINDOW

_components: dict[str, Callable] = {}
_making = Lock()
_SCRIPTS = "colors.js", "figure.js", "follow.js", "handles.js", "board.js"


@dataclass(frozen=True)
class Chart:
    """One figure of a board. `alt` says in words, with the run's numbers, what the picture shows."""

    figure: dict
    key: str
    alt: str
    marks: Sequence[dict] = field(default=())  # what the player moves: point, arrow, outline
    link: str | None = None  # charts of one link zoom together
    handles: dict | None = None  # places that can be dragged, of zz_view.handles


def point(path: np.ndarray, color: str) -> dict:
    """A ring that follows the path (n, 2), in the chart's units."""
    return {"kind": "point", "color": color, "x": packed(path[:, 0]), "y": packed(path[:, 1])}


def arrow(path: np.ndarray, arrows: np.ndarray, color: str) -> dict:
    """An arrow (n, 2) that starts where the path (n, 2) is."""
    return {**point(path, color), "kind": "arrow", "dx": packed(arrows[:, 0]), "dy": packed(arrows[:, 1])}


def outline(path: np.ndarray, shape: np.ndarray, color: str) -> dict:
    """A filled shape (m, 2) about the present point of the path (n, 2)."""
    return {**point(path, color), "kind": "outline", "dx": packed(shape[:, 0]), "dy": packed(shape[:, 1])}


def packed(values: np.ndarray) -> dict:
    """Single precision in base64, as Plotly packs arrays: a tenth of the bytes and of the time of JSON, with NaN."""
    with np.errstate(over="ignore"):  # a run that leaves the plane becomes infinite, which is not drawn either
        return exactly(np.asarray(values).astype("<f4"))


def exactly(values: np.ndarray) -> dict:
    """The same with the digits that they have."""
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8:
        values = values.astype(float)  # the browser's own integers of that size are no numbers
    values = values.astype(values.dtype.newbyteorder("<"))
    return {"dtype": f"{values.dtype.kind}{values.dtype.itemsize}", "shape": ", ".join(map(str, values.shape)),
            "bdata": base64.b64encode(values.tobytes()).decode()}


def board(charts: Sequence[Chart], key: str, words: Sequence[str] | None = None, positions: int = 1,
          group: str = "run", narrowest: int = 300, on_place: Callable[[], None] | None = None) -> None:
    """Draw charts side by side, as many in a row as have `narrowest` pixels; with `words`, the player under them.

    words: one sentence a position of the player; boards of one `group` share the position, which is kept over reruns
    as long as the run still has it. on_place is called when a handle was dropped, with the place in the session.
    """
    last = (len(words) if words else positions) - 1
    placing = {} if on_place is None else {"on_place_change": on_place}
    _component(charts, key, bool(words), narrowest)(key=key, height="content", **placing, data=assets.sent({
        "group": group, "last": last, "words": None if words is None else list(words), "narrowest": narrowest,
        "charts": [{"key": chart.key, "alt": chart.alt, "marks": list(chart.marks), "link": chart.link,
                    "handles": chart.handles,
                    "figure": {"data": _plain(chart.figure["data"]), "layout": _plain(
                        {name: part for name, part in chart.figure["layout"].items() if name != "template"})}}
                   for chart in charts]}))
    if on_place is None:
        st.session_state.pop(key, None)  # it holds nothing, but Streamlit makes a class for it with each number box


def _component(charts: Sequence[Chart], key: str, player: bool, narrowest: int) -> Callable:
    """The component of a board, which takes as much room as its pictures before the browser has their script.

    Made when the board is drawn for the first time: with other room it would be another component, and begin anew.
    """
    name = f"board_{key}_{len(charts)}"
    with _making:
        if name not in _components:
            layouts = [chart.figure["layout"] for chart in charts]
            rooms = "".join(_room(layout, all(map(_is_plane, layouts))) for layout in layouts)
            html = assets.text("board.html").replace("ROOMS", rooms)
            html = html.replace("NARROWEST", f"{narrowest / 16:g}rem").replace("PLAYER", "" if player else "hidden")
            _components[name] = assets.component(name, html, "board.css", *_SCRIPTS)
        return _components[name]


def _is_plane(layout: dict) -> bool:
    return any(name.startswith("yaxis") and "scaleanchor" in part for name, part in layout.items())


def _room(layout: dict, grows: bool) -> str:
    """Where a figure will be, in type sizes as board.js draws it: planes with equal scales are no higher than wide,
    and grow with the window where they stand alone."""
    margin = layout["margin"]
    height = f"{(layout['height'] - margin['t'] + HEAD) / 16:g}rem"
    if _is_plane(layout):
        other = (HEAD + margin["b"] - margin["l"] - margin["r"]) / 16
        height = f"min({f'max({height}, {WINDOW})' if grows else height}, 100cqi + {other:g}rem)"
    return ('<figure class="chart room"><figcaption></figcaption>'
            f'<div class="stage" style="block-size: {height}"></div></figure>')


def _plain(value: Any) -> Any:
    """A figure, or a part of one, as JSON takes it: arrays packed as Plotly packs them."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.ndarray):
        return exactly(value) if value.dtype.kind in "iuf" else value.tolist()
    return value.item() if isinstance(value, np.generic) else value
