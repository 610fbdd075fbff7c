"""What a page that ran without a browser has drawn: Plotly's charts and the charts of its boards, as dictionaries."""
import json

from streamlit.testing.v1 import AppTest


def boards(app: AppTest) -> list[dict]:
    return [json.loads(board.proto.json) for board in app.main.get("bidi_component")]


def figures(app: AppTest) -> list[dict]:
    """The figures of the boards, then Plotly's."""
    drawn = [chart["figure"] for board in boards(app) for chart in board["charts"]]
    return drawn + [json.loads(chart.proto.spec) for chart in app.main.get("plotly_chart")]
