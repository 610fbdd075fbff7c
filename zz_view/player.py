"""The player: steps through a run in the browser and draws the present step over the charts. No server round trip."""
import base64
from pathlib import Path

import numpy as np
import streamlit as st

_HERE = Path(__file__).parent
_component = st.components.v2.component("zigzag_player", html=(_HERE / "player.html").read_text(encoding="utf-8"),
                                        css=(_HERE / "player.css").read_text(encoding="utf-8"),
                                        js=(_HERE / "player.js").read_text(encoding="utf-8"))


def point(path: np.ndarray, color: str) -> dict:
    """A ring that follows the path (n, 2), in the chart's units."""
    return {"kind": "point", "color": color, "x": _packed(path[:, 0]), "y": _packed(path[:, 1])}


def arrow(path: np.ndarray, arrows: np.ndarray, color: str) -> dict:
    """An arrow (n, 2) that starts where the path (n, 2) is."""
    return {**point(path, color), "kind": "arrow", "dx": _packed(arrows[:, 0]), "dy": _packed(arrows[:, 1])}


def outline(path: np.ndarray, shape: np.ndarray, color: str) -> dict:
    """A filled shape (m, 2) about the present point of the path (n, 2)."""
    return {**point(path, color), "kind": "outline", "dx": _packed(shape[:, 0]), "dy": _packed(shape[:, 1])}


def _packed(values: np.ndarray) -> str:
    """Single-precision values in base64: a tenth of the bytes and of the time of JSON, and it has NaN."""
    with np.errstate(over="ignore"):  # a run that leaves the plane becomes infinite, which is not drawn either
        return base64.b64encode(np.asarray(values).astype("<f4").tobytes()).decode()


def player(charts: dict[str, list[dict]], words: list[str], key: str = "player") -> None:
    """Draw the controls. charts: the key of each chart with its marks; words: one sentence a position.

    The player keeps its position over reruns, as long as the run still has it.
    """
    _component(key=key, data={"name": key, "charts": charts, "words": words}, height="content")
