"""Figures of batch averaging: names, titles, values, empty input."""
import numpy as np
import plotly.graph_objects as go
import pytest

from zz_core.batching import BatchSweep, MixedShares
from zz_view.figures import batch_averaging as figures
from zz_view.theme import CENTERED, RAW

SIZES = np.array([1, 4, 16])
GRADIENTS = np.array([[0.5, 0.4], [-0.3, -0.4], [0.2, 0.3]])


def arrows(gradients=GRADIENTS, mean=(0.1, -0.02), wedge=(0.1, 1.4)):
    count = len(gradients)
    return go.Figure(figures.batch_arrows_figure(gradients, np.asarray(mean), np.arange(count), np.ones(count), RAW,
                                                 wedge, 1.0, "A sentence", ("∂L/∂w₁", "∂L/∂w₂")))


def shares(*values):
    values = np.array(values, float)
    return MixedShares(SIZES, values, values - 0.02, values + 0.02, np.array([4000, 4000, 1]))


def sweep(ratio, steps, mixed=(0.0, 0.5, 1.0)):
    columns = [np.repeat(np.array(values, float)[:, None], 5, axis=1) for values in (mixed, ratio, steps)]
    return BatchSweep(SIZES, *columns, by_loss=False)


def trace(figure, name, which=0):
    return [found for found in figure.data if found.name == name][which]


def test_arrows_have_the_gradients_as_tips_and_start_at_the_origin():
    figure = arrows()
    np.testing.assert_allclose(np.column_stack([trace(figure, "samples' gradients").x,
                                                trace(figure, "samples' gradients").y]), GRADIENTS, rtol=1e-6)
    shafts = trace(figure, "shafts")
    np.testing.assert_array_equal(shafts.x[::3], 0)
    np.testing.assert_allclose(shafts.y[1::3], GRADIENTS[:, 1], rtol=1e-6)
    assert np.isnan(shafts.x[2::3]).all()
    assert figure.layout.xaxis.title.text == "∂L/∂w₁" and figure.layout.yaxis.title.text == "∂L/∂w₂"
    assert figure.layout.yaxis.scaleanchor == "x" and figure.layout.xaxis.range == figure.layout.yaxis.range


def test_arrow_heads_point_along_their_arrows():
    head = trace(arrows(np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, -1.0]])), "samples' gradients")
    np.testing.assert_allclose(np.asarray(head.marker.angle) % 360, [0, 90, 225], atol=1e-4)


def test_a_short_mean_is_drawn_longer_and_says_so():
    figure = arrows(mean=(0.1, -0.02))
    mean = trace(figure, "mean gradient")
    np.testing.assert_allclose([mean.x[0], mean.y[0]], [0.5, -0.1], rtol=1e-6)
    np.testing.assert_allclose(mean.customdata[0], [0.1, -0.02])
    assert "5x longer" in figure.layout.annotations[0].text
    assert figures.stretch_of(np.array([0.4, 0.4]), GRADIENTS) == 1
    assert figures.stretch_of(np.zeros(2), GRADIENTS) == 1


def test_a_mean_beside_diagonal_arrows_is_not_drawn_out_of_the_window():
    diagonal = np.array([[0.7, 0.7], [-0.7, 0.7]])
    mean = np.array([0.0, 0.09])
    assert figures.stretch_of(mean, diagonal) * mean[1] <= figures.arrow_reach(diagonal)


def test_without_a_wedge_nothing_is_shaded():
    assert "allowed by one sample" in [found.name for found in arrows().data]
    assert "allowed by one sample" not in [found.name for found in arrows(wedge=None).data]


def test_no_arrows_are_drawn_of_nothing_and_few_of_many():
    assert len(trace(arrows(np.empty((0, 2)), (0.0, 0.0)), "samples' gradients").x) == 0
    assert figures.arrow_reach(np.empty((0, 2))) == 1.0
    assert list(figures.drawn_arrows(3)) == [0, 1, 2]
    kept = figures.drawn_arrows(1000)
    assert len(kept) == 64 and kept[0] == 0 and kept[-1] == 999


def test_shares_are_drawn_in_percent_with_their_intervals_and_gaps():
    found = {"across": shares(0.0, 0.5, 1.0), "optimum": shares(0.0, 0.15, np.nan)}
    figure = go.Figure(figures.mixed_share_figure(found, RAW, 0.5, "A sentence"))
    np.testing.assert_allclose(trace(figure, "error across the mean").y, [0, 50, 100])
    np.testing.assert_array_equal(trace(figure, "at the optimum, noisy").x, [1, 4])
    band = trace(figure, "error across the mean, 95 % interval")
    np.testing.assert_allclose(band.y, [-2, 48, 98, 102, 52, 2], atol=1e-4)
    assert figure.layout.xaxis.type == "log" and "batch size" in figure.layout.xaxis.title.text
    assert "gradients" in figure.layout.yaxis.title.text and "%" in figure.layout.yaxis.title.text
    texts = [note.text for note in figure.layout.annotations]
    assert any("signs by chance: 50 %" in text for text in texts)
    assert any("error across the mean" in text for text in texts)
    assert len({found.marker.symbol for found in figure.data if found.mode == "lines+markers"}) == 2


def test_no_shares_leave_the_chance_level():
    figure = go.Figure(figures.mixed_share_figure({}, RAW, 0.5, "A sentence"))
    assert len(figure.data) == 0 and len(figure.layout.shapes) == 1


def test_labels_are_moved_apart_and_stay_below_the_top():
    assert figures.spread([10, 100], 19, 200) == [10, 100]
    assert figures.spread([10, 12, 14], 19, 200) == [10, 29, 48]
    assert figures.spread([95, 97, 99], 19, 100) == [62, 81, 100]
    assert figures.spread([], 19, 100) == []


def test_a_sweep_has_three_panels_of_medians():
    pair = {"raw": sweep((3.4, 1.6, 1.0), (160, 120, 116)), "zero-centered": sweep((1.3, 1.1, 1.0), (24, 10, 8))}
    figure = go.Figure(figures.batch_sweep_figure(pair, 200, "A sentence"))
    for panel, values in enumerate([(0, 50, 100), (3.4, 1.6, 1.0), (160, 120, 116)]):
        np.testing.assert_allclose(trace(figure, "raw", panel).y, values, rtol=1e-6)
        assert trace(figure, "raw", panel).line.color == RAW
        assert trace(figure, "zero-centered", panel).line.color == CENTERED
    assert "updates" in figure.layout.yaxis.title.text
    assert figure.layout.yaxis2.title.text == "path / straight line"
    assert figure.layout.yaxis3.title.text == "steps to 1 %"
    assert "batch size" in figure.layout.xaxis3.title.text


def test_runs_that_do_not_arrive_have_open_markers_at_the_top():
    pair = {"raw": sweep((3.4, 1.6, 1.0), (np.inf, 120, 116)), "zero-centered": sweep((1.3, 1.1, 1.0), (24, 10, 8))}
    figure = go.Figure(figures.batch_sweep_figure(pair, 200, "A sentence"))
    for panel in range(3):
        assert list(trace(figure, "raw", panel).marker.symbol) == ["circle-open", "circle", "circle"]
    np.testing.assert_allclose(trace(figure, "raw", 2).y, [300, 120, 116])
    assert any("not reached in 200 steps" in note.text for note in figure.layout.annotations)


@pytest.mark.parametrize("nothing", [np.nan, 0.0])
def test_what_is_undefined_is_no_point(nothing):
    pair = {"raw": sweep([nothing] * 3, [nothing] * 3, [np.nan] * 3),
            "zero-centered": sweep((1.3, 1.1, 1.0), (24, 10, 8))}
    names = [found.name for found in go.Figure(figures.batch_sweep_figure(pair, 200, "A sentence")).data]
    assert "raw" not in names and names.count("zero-centered") == 3


def test_an_empty_sweep_draws_nothing():
    assert len(go.Figure(figures.batch_sweep_figure({}, 200, "A sentence")).data) == 0


def test_titles_say_what_the_numbers_say():
    slow, fast = sweep((3.4, 1.6, 1.0), (160, 120, 116)), sweep((1.3, 1.1, 1.0), (24, 10, 8))
    lost = sweep((1.5, 1.5, 1.5), [np.inf] * 3)
    assert figures.sweep_title({"raw": slow, "zero-centered": fast}) == "The zig-zag goes, the slowness stays"
    assert figures.sweep_title({"raw": slow, "zero-centered": slow}) == (
        "The zig-zag goes; zero-centered inputs are hardly faster")
    assert figures.sweep_title({"raw": lost, "zero-centered": lost}) == (
        "There is hardly a zig-zag to mend; no batch size brings a run to 1 %")
    wild, kept = sweep((6.0, 7.0, 8.6), (40, 30, 24)), sweep((82.0, 20.0, 5.2), [np.inf] * 3)
    assert figures.sweep_title({"raw": wild, "zero-centered": fast}).startswith("The zig-zag stays")
    assert figures.sweep_title({"raw": kept, "zero-centered": lost}).startswith("The zig-zag shrinks")
    still = sweep([np.nan] * 3, [0.0] * 3)
    assert figures.sweep_title({"raw": still, "zero-centered": still}) == "No weight of the raw runs moves"
    assert "one way; their mean does not" in figures.arrows_title("raw", GRADIENTS, np.array([0.1, -0.1]))
    assert figures.arrows_title("raw", GRADIENTS, np.ones(2)) == (
        "Raw: 3 of 3 samples push both weights one way; so does their mean")
    assert "their mean is zero" in figures.arrows_title("raw", GRADIENTS, np.zeros(2))
    across = {"across": shares(0, 0.5, 1), "along": shares(0, 0.1, 0), "optimum": shares(0, 0.15, np.nan)}
    assert figures.shares_title("raw", across) == "Raw: averaging mixes signs where the error lies across the mean"
    assert "hardly" in figures.shares_title("raw", across | {"across": shares(0, 0.1, 0.1)})
    assert "already" in figures.shares_title("raw", {name: shares(0.5, 0.5, 0.5) for name in across})
    assert "how often" in figures.shares_title("raw", {"across": across["across"]})


def test_three_points_are_the_known_ends_and_the_middle():
    assert figures.three_points(np.array([0.1, 0.2, 0.3, np.nan])) == [0, 1, 2]
    assert figures.three_points(np.array([np.nan, 0.2])) == [1]
    assert figures.three_points(np.full(3, np.nan)) == []
