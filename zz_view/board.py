"""A board: figures drawn on canvases in one component, linked to a player that steps through a run in the browser.

A changed Plotly chart costs the browser 100 to 170 ms; a board draws the same figures, of the few kinds of traces that
this dashboard uses, in a tenth of that, keeps the visitor's zoom over reruns, and steps without a server round trip.
"""
import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

_HERE = Path(__file__).parent / "canvas"
_STATIC = Path(__file__).parents[1] / "static"


def _text(*names: str) -> str:
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)


def _script(*names: str) -> str:
    """Without indentation and comments: Streamlit sends it along with each board, at every rerun."""
    lines = (re.sub(r"  // .*", "", line).strip() for line in _text(*names).split("\n"))
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/*", "* ")))


def _version() -> str:
    """Of the files that the browser fetches: an upgrade must not meet those that it kept."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(_STATIC.glob("*.js")))).hexdigest()[:12]


_component = st.components.v2.component(
    "zigzag_board", html=_script("board.html"), css=_text("board.css"),
    js=f'const TOOLS = "chart_tools.js?v={_version()}";\n{_script("colors.js", "figure.js", "board.js")}')


@dataclass(frozen=True)
class Chart:
    """One figure of a board. `alt` says in words, with the run's numbers, what the picture shows."""

    figure: dict
    key: str
    alt: str
    marks: Sequence[dict] = field(default=())  # what the player moves: point, arrow, outline
    link: str | None = None  # charts of one link zoom together


def point(path: np.ndarray, color: str) -> dict:
    """A ring that follows the path (n, 2), in the chart's units."""
    return {"kind": "point", "color": color, "x": _packed(path[:, 0]), "y": _packed(path[:, 1])}


def arrow(path: np.ndarray, arrows: np.ndarray, color: str) -> dict:
    """An arrow (n, 2) that starts where the path (n, 2) is."""
    return {**point(path, color), "kind": "arrow", "dx": _packed(arrows[:, 0]), "dy": _packed(arrows[:, 1])}


def outline(path: np.ndarray, shape: np.ndarray, color: str) -> dict:
    """A filled shape (m, 2) about the present point of the path (n, 2)."""
    return {**point(path, color), "kind": "outline", "dx": _packed(shape[:, 0]), "dy": _packed(shape[:, 1])}


def _packed(values: np.ndarray) -> dict:
    """Single precision in base64, as Plotly packs arrays: a tenth of the bytes and of the time of JSON, with NaN."""
    with np.errstate(over="ignore"):  # a run that leaves the plane becomes infinite, which is not drawn either
        return _array(np.asarray(values).astype("<f4"))


def board(charts: Sequence[Chart], key: str, words: Sequence[str] | None = None, positions: int = 1,
          group: str = "run", narrowest: int = 300) -> None:
    """Draw charts side by side, as many in a row as have `narrowest` pixels; with `words`, the player under them.

    words: one sentence a position of the player; boards of one `group` share the position, which is kept over reruns
    as long as the run still has it.
    """
    last = (len(words) if words else positions) - 1
    _component(key=key, height="content", data={
        "group": group, "last": last, "words": None if words is None else list(words), "narrowest": narrowest,
        "charts": [{"key": chart.key, "alt": chart.alt, "marks": list(chart.marks), "link": chart.link,
                    "figure": {"data": _plain(chart.figure["data"]), "layout": _plain(
                        {name: part for name, part in chart.figure["layout"].items() if name != "template"})}}
                   for chart in charts]})


def _plain(value: Any) -> Any:
    """A figure, or a part of one, as JSON takes it: arrays packed as Plotly packs them."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.ndarray):
        return _array(value) if value.dtype.kind in "iuf" else value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def _array(values: np.ndarray) -> dict:
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8:
        values = values.astype(float)  # the browser's own integers of that size are no numbers
    values = values.astype(values.dtype.newbyteorder("<"))
    return {"dtype": f"{values.dtype.kind}{values.dtype.itemsize}", "shape": ", ".join(map(str, values.shape)),
            "bdata": base64.b64encode(values.tobytes()).decode()}
