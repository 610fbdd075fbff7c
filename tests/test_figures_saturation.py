"""Figures and words of saturation: names, values, what did not arrive, and verdicts that can come out either way."""
import math

import numpy as np
import plotly.graph_objects as go
import pytest

from zz_core.saturation import Escapes, SaturationSweep
from zz_view import saturation_words as words
from zz_view.figures import saturation as figures
from zz_view.theme import CENTERED, RAW

STARTS, NAMES = np.array([0.0, 2, 4, 6]), ("raw", "zero-centered")


def escapes(steps, predicted=None, wakes=30) -> Escapes:
    steps = np.array(steps, float)
    outputs = np.tile(np.where(np.arange(90) < wakes, 5.0, 0.4)[:, None], (1, len(STARTS)))
    slides = np.array(steps if predicted is None else predicted, float)
    given_up = math.inf if np.isfinite(steps).all() else 1000
    return Escapes(steps, outputs, np.zeros(len(STARTS)), slides, 2.0, 0.25, given_up)


def sweep(raw, twin, **more) -> SaturationSweep:
    return SaturationSweep(STARTS, escapes(raw, **more), escapes(twin, **more))


DEEP = sweep([100, 110, 130, 500], [10, 20, 80, 400])
FLAT = sweep([100, 120, 140, 160], [20, 20, 20, 21])
LOST = sweep([math.inf] * 4, [20, 20, 30, math.inf])
NEVER = sweep([math.inf] * 4, [math.inf] * 4, wakes=99)
PAIR = {"sigmoid_squared": DEEP, "logistic": FLAT}


def drawn(found: SaturationSweep, shown=4.0) -> go.Figure:
    limits = figures.step_range({"one": found, "two": FLAT})
    return go.Figure(figures.steps_figure(found, NAMES, "A sentence", limits, shown))  # which checks every property


def trace(figure, name):
    return next(found for found in figure.data if found.name == name)


def texts(figure):
    return [note.text for note in figure.layout.annotations]


def test_steps_are_solid_predictions_dashed_and_twins_in_their_colors():
    figure = drawn(sweep([100, 110, 130, 500], [10, 20, 80, 400], predicted=[9, 19, 79, 399]))
    for name, color, steps in (("raw", RAW, [100, 110, 130, 500]), ("zero-centered", CENTERED, [10, 20, 80, 400])):
        assert list(trace(figure, name).y) == steps and list(trace(figure, name).x) == list(STARTS)
        assert trace(figure, name).line.color == color and trace(figure, name).line.dash is None
        assert list(trace(figure, f"{name}, predicted").y) == [9, 19, 79, 399]
        assert trace(figure, f"{name}, predicted").line.dash == "dash"
    assert figure.layout.yaxis.type == "log" and "steps" in figure.layout.yaxis.title.text
    assert "start bias" in figure.layout.xaxis.title.text and figure.layout.title.text == "A sentence"
    assert {"raw", "zero-centered"} <= set(texts(figure))


def test_twins_share_their_axis_and_all_points_lie_on_it():
    low, high = figures.step_range(PAIR)
    assert 10**low < 10 and 10**high > 500
    assert 10 ** figures.step_range({"one": LOST})[1] > figures.TOP * 1000
    assert figures.step_range({"one": NEVER})[0] < 3 < figures.step_range({"one": NEVER})[1]


def test_the_break_even_is_marked_where_the_twin_takes_as_long_as_the_raw_run_from_zero():
    figure = drawn(DEEP)
    mark, shapes = trace(figure, "break-even"), figure.layout.shapes
    assert mark.x[0] == DEEP.break_even() and mark.y[0] == 100
    assert 4 < mark.x[0] < 6 and f"break-even {mark.x[0]:.1f}" in texts(figure)
    assert any(shape.x0 == shape.x1 == mark.x[0] and shape.y1 == 100 for shape in shapes)
    assert "break-even" not in [found.name for found in drawn(FLAT).data]


def test_runs_that_do_not_arrive_are_open_markers_at_the_top_and_in_no_line():
    figure = drawn(LOST)
    lost = trace(figure, "raw, not reached")
    assert lost.marker.symbol == "circle-open" and list(lost.x) == list(STARTS)
    assert list(lost.y) == pytest.approx([figures.TOP * 1000] * 4) and np.isnan(trace(figure, "raw").y).all()
    assert list(trace(figure, "zero-centered, not reached").x) == [6]
    assert list(trace(figure, "zero-centered").y[:3]) == [20, 20, 30]
    assert "not reached in 1,000 steps" in texts(figure)
    assert "not reached in 1,000 steps" not in texts(drawn(FLAT))
    never = drawn(NEVER)
    assert np.isnan(trace(never, "raw, predicted").y).all()
    assert "raw" not in texts(never) and any("raw</span> and" in text for text in texts(never))


def test_the_slope_marks_the_start_on_both_curves():
    figure = go.Figure(figures.slope_figure(8, words.slope_title(8)))
    start = trace(figure, "start")
    assert list(start.x) == [8, 8]
    np.testing.assert_allclose(start.y, [0.99966465, 0.00033524], rtol=1e-4)
    assert trace(figure, "σ′(z)").y.max() == pytest.approx(0.25)
    assert words.slope_title(8) == "At z = 8 the slope has 0.13\xa0% of its full height"
    assert words.slope_title(0) == "At z = 0 the slope has 100\xa0% of its full height"


def test_the_escape_shows_both_twins_and_the_prediction():
    figure = go.Figure(figures.escape_figure(PAIR, NAMES, 3, "A sentence"))
    assert list(trace(figure, "raw").y[29:31]) == pytest.approx([5, 0.4])
    predicted = trace(figure, "predicted")
    assert predicted.line.dash == "dash" and predicted.y[0] == 6 and predicted.x[0] == 0
    assert (np.diff(predicted.x) > 0).all() and figure.layout.xaxis.title.text == "step"
    assert figure.layout.xaxis.range[1] == pytest.approx(48)  # 1.6 times the steps until both are awake
    assert "predicted" not in [found.name for found in figures_of_unsaturated().data]


def figures_of_unsaturated() -> go.Figure:
    return go.Figure(figures.escape_figure(PAIR, NAMES, 0, "A sentence"))


def test_titles_say_what_the_numbers_say():
    assert words.squared_title(DEEP) == f"Squared loss: from z₀ = {DEEP.break_even():.1f} on, saturation is worse"
    assert words.squared_title(FLAT) == "Squared loss: up to z₀ = 6, saturation is not worse"
    assert words.squared_title(LOST) == "Squared loss: the wait grows exponentially with z₀"
    assert "not even" in words.squared_title(NEVER) and "not even" in words.entropy_title(NEVER, "x")
    assert words.entropy_title(FLAT, "zero-centered") == "Cross-entropy: no start bias slows zero-centered runs down"
    assert words.entropy_title(DEEP, "x") == "Cross-entropy: a start far out costs few steps"
    assert "1,000 steps are not enough" in words.entropy_title(LOST, "x")
    assert words.escape_title(DEEP, NAMES, 0) == "From z₀ = 0 there is no plateau to leave"
    assert words.escape_title(DEEP, NAMES, 3) == "Both wait alike until z = 1: 30 steps raw, 30 steps zero-centered"
    assert "stays on its plateau for 1000 steps" in words.escape_title(NEVER, NAMES, 3)


@pytest.mark.parametrize(("squared", "start"), [
    (DEEP, "**Yes in deep saturation"), (FLAT, "**No, not up to a start bias of 6**"),
    (LOST, "**No, as far as can be seen here**"), (NEVER, "No comparison"),
    (sweep([10, 20, 30, 40], [10, 20, 30, 40]), "**Nothing to compare with")])
def test_the_verdict_follows_the_numbers(squared, start):
    assert words.verdict({"sigmoid_squared": squared, "logistic": FLAT}, NAMES).startswith(start)


def test_the_verdict_on_cross_entropy_is_void_only_where_starts_do_not_matter():
    def said(logistic):
        return words.verdict({"sigmoid_squared": DEEP, "logistic": logistic}, NAMES)

    assert ("**With cross-entropy there is no such wait**: from z₀ = 0 to 6, the zero-centered steps go from 20 to 21."
            in said(FLAT))
    assert "steps stay at 20." in said(sweep([100] * 4, [20] * 4))
    assert "no such wait" not in said(DEEP) and "go from 10 to 400" in said(DEEP)
    assert "cross-entropy" not in said(LOST)


def test_the_valley_is_named_only_where_raw_runs_change_by_it():
    assert "100 to 160 steps" in words.valley_sentence(FLAT) and "farther" in words.valley_sentence(FLAT)
    assert "nearer" in words.valley_sentence(sweep([100, 90, 80, 70], [20] * 4))
    assert words.valley_sentence(sweep([100] * 4, [20] * 4)) == ""
    assert words.valley_sentence(LOST) == words.valley_sentence(NEVER) == ""
    assert words.valley_sentence(sweep([100, 120, 140, 160], [20, 40, 60, 80])) == ""  # both are slowed alike


def test_growth_is_the_factor_a_unit():
    assert words.growth(DEEP) == pytest.approx((390 / 70) ** 0.5)
    assert math.isnan(words.growth(FLAT)) and math.isnan(words.growth(NEVER))


def test_numbers_say_what_is_compared():
    zigzag, wait, even = words.numbers(PAIR, NAMES, 2)
    assert zigzag[1] == "10x" and "from 4: 1.6x" in zigzag[2]
    assert wait[1] == "+70" and "cross-entropy 0" in wait[2] and "z₀ = 4" in wait[0]
    assert even[1] == f"{DEEP.break_even():.1f}" and "cross-entropy beyond 6" in even[2]
    lost = words.numbers({"sigmoid_squared": NEVER, "logistic": NEVER}, NAMES, 2)
    assert [number[1] for number in lost] == ["not reached"] * 3
