"""Figures on their way to the canvas: packed as Plotly packs them, and nothing that the browser cannot read."""
import base64

import numpy as np
import plotly.graph_objects as go
import pytest

from zz_view.board import _plain, arrow, outline, point

READABLE = {"f4", "f8", "i1", "i2", "i4", "u1", "u2", "u4"}  # of zz_view/canvas/figure.js


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64, np.uint8, np.uint64])
def test_arrays_arrive_as_they_are_in_a_type_that_the_browser_knows(dtype):
    values = np.array([[0, 1, 2], [3, 4, 250]], dtype)
    packed = _plain({"x": [values]})["x"][0]
    assert packed["dtype"] in READABLE and packed["shape"] == "2, 3"
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"]), values.ravel())


def test_a_packed_figure_is_still_plotlys():
    figure = {"data": [{"type": "scatter", "x": np.arange(3, dtype=np.float32), "y": np.arange(3)}],
              "layout": {"height": np.int64(300), "xaxis": {"range": (0.0, np.float64(2.0))}}}
    drawn = go.Figure(_plain(figure))
    assert drawn.layout.height == 300 and drawn.layout.xaxis.range == (0, 2)
    assert drawn.data[0].x["dtype"] == "f4"


def test_words_stay_words():
    assert _plain({"text": np.array(["+", "−"]), "flag": True, "none": None}) == {
        "text": ["+", "−"], "flag": True, "none": None}


def test_marks_follow_their_path_in_single_precision_with_gaps():
    path = np.array([[0.0, 1.0], [np.nan, 2.0], [1e300, 3.0]])
    for mark in (point(path, "red"), arrow(path, path, "red"), outline(path, path, "red")):
        x = np.frombuffer(base64.b64decode(mark["x"]["bdata"]), "f4")
        assert x[0] == 0 and np.isnan(x[1]) and np.isinf(x[2])
