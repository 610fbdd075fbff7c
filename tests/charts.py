"""Pages without a browser, and what they have drawn: Plotly's charts and the charts of boards, as dictionaries."""
import base64
import json
from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest


def boards(app: AppTest) -> list[dict]:
    return [json.loads(board.proto.bytes or board.proto.json) for board in app.main.get("bidi_component")]


def figures(app: AppTest) -> list[dict]:
    """The figures of the boards, then Plotly's."""
    drawn = [chart["figure"] for board in boards(app) for chart in board["charts"]]
    return drawn + [json.loads(chart.proto.spec) for chart in app.main.get("plotly_chart")]


def open_page(page: Path, **query: str | list[str]) -> AppTest:
    """A page run alone with these parameters in its URL; it must not raise."""
    app = AppTest.from_file(page, default_timeout=120)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def values(array: dict | list) -> np.ndarray:
    """An array of a figure, packed or not."""
    if isinstance(array, list):
        return np.array(array, float)
    shape = [int(part) for part in str(array.get("shape", -1)).split(",")]
    return np.frombuffer(base64.b64decode(array["bdata"]), array["dtype"]).reshape(shape)
