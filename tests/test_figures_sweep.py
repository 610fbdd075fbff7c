"""Figures of a sweep: values, names, theory dashed, what is not reached, and empty input."""
import math

import numpy as np
import plotly.graph_objects as go

from zz_core.sweep import Summary
from zz_view.figures.sweep import Axis, Line, lines_figure, map_figure
from zz_view.theme import CENTERED, RAW

SIZES = Axis("Batch size", [1, 16, 256], log=True)
RISING = [Summary(10.0, 8.0, 12.0), Summary(20.0, 18.0, 25.0), Summary(40.0, 40.0, 40.0)]
NOTHING = np.full(3, np.nan)


def drawn(lines, log=True, axis=SIZES) -> go.Figure:
    return go.Figure(lines_figure(axis, lines, "A sentence", "steps to 1 %", log))


def named(figure: go.Figure, name: str):
    return next(trace for trace in figure.data if trace.name == name)


def test_lines_are_the_medians_and_bands_their_intervals():
    figure = drawn([Line("raw", RISING, NOTHING), Line("zero-centered", RISING[::-1], NOTHING)])
    assert list(named(figure, "raw").y) == [10, 20, 40] and list(named(figure, "raw").x) == [1, 16, 256]
    band = named(figure, "raw, 95 % interval")
    assert list(band.y) == [8, 18, 40, 40, 25, 12] and list(band.x) == [1, 16, 256, 256, 16, 1]
    assert named(figure, "raw").line.color == RAW and named(figure, "zero-centered").line.color == CENTERED
    assert figure.layout.xaxis.title.text == "Batch size" and figure.layout.yaxis.title.text == "steps to 1 %"
    assert {note.text for note in figure.layout.annotations} == {"raw", "zero-centered"}
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"


def test_lines_are_told_apart_by_more_than_color():
    figure = drawn([Line(f"line {k}", RISING, NOTHING) for k in range(6)])
    marks = [(named(figure, f"line {k}").marker.symbol[0], named(figure, f"line {k}").line.dash) for k in range(6)]
    assert len({symbol for symbol, _ in marks}) == 6


def test_theory_is_dashed_and_only_where_there_is_one():
    figure = drawn([Line("raw", RISING, np.array([9.0, np.nan, 41.0])), Line("other", RISING, NOTHING)])
    assert named(figure, "raw, theory").line.dash == "dash" and named(figure, "raw, theory").y[2] == 41.0
    assert not [trace for trace in figure.data if trace.name == "other, theory"]


def test_what_is_not_reached_is_open_at_the_top_and_what_failed_a_gap():
    lines = [Line("raw", [RISING[0], Summary(math.inf, 12.0, math.inf), None], NOTHING)]
    trace = named(drawn(lines), "raw")
    assert trace.marker.symbol == ("circle", "circle-open", "circle")
    assert trace.y[1] > 12 and math.isnan(trace.y[2])
    assert "more than half" in trace.customdata[1] and trace.customdata[2] == "failed"


def test_words_stand_under_the_points():
    figure = drawn([Line("raw", RISING, NOTHING)], axis=Axis("Treatment", ["none", "center", "whiten"]))
    assert list(figure.layout.xaxis.ticktext) == ["none", "center", "whiten"]
    assert list(named(figure, "raw").x) == [0, 1, 2]


def test_nothing_to_draw_is_an_empty_picture():
    assert drawn([]).layout.title.text == "A sentence" and len(drawn([]).data) == 1  # the axes stand on it
    assert drawn([Line("raw", [None, None, None], NOTHING)]).layout.annotations == ()


def test_a_map_has_a_cell_a_task_with_its_number():
    values = np.array([[1.0, 234.0, np.nan], [np.inf, 0.5, 2.0]])
    figure = go.Figure(map_figure(SIZES, Axis("Rate", [0.1, 0.2]), values, "A sentence", "steps", True))
    heat = figure.data[0]
    assert [list(row) for row in heat.text] == [["1", "234", ""], ["–", "0.5", "2"]]
    assert heat.z[0][1] == np.log10(234) and np.isnan(heat.z[1][0])
    assert list(figure.layout.yaxis.ticktext) == ["0.1", "0.2"]
