"""Figures and words of the race: what is drawn, what did not arrive, and answers that can come out either way."""
import numpy as np
import plotly.graph_objects as go
import pytest

from zz_core import Experiment
from zz_core.remedies import REMEDIES, Lane, Search, lane_experiment
from zz_view import remedies_words as words
from zz_view.figures import remedies as figures
from zz_view.figures.remedies import RateCurve
from zz_view.figures.trajectories import Window
from zz_view.theme import CENTERED, GREY, RAW

INF = np.inf


def made(key: str, steps, floor: float = 0.0, stuck: str = "", ratio: float = 2.0) -> Lane:
    spec = lane_experiment(Experiment(), REMEDIES[key])
    losses = np.array([100.0, 30, 5, 0.5]) if np.isfinite(np.sort(steps)[(len(steps) - 1) // 2]) else np.full(4, 50.0)
    search = Search(np.array([0.1, 0.5, 1.5]), np.array([40.0, 20, INF]), np.array([0.9, 0.9, INF]),
                    np.array([160, 160, 160]), True)
    return Lane(key, "", spec, search, np.array(steps, float), np.array([ratio]), np.array([1.0]), 0.0, 2000,
                np.array([1.0, 0.1]), floor, 100.0, np.array([0, 2, 4, 8]), losses, np.zeros((4, 2)), np.zeros((4, 2)),
                6.0, 0.0, 1.0, stuck)


PLAIN, CENTER = made("nothing", [38, 40, 42], ratio=9.0), made("center", [8, 9, 10])
LOST, STUCK = made("adam", [50, INF, INF]), made("batch_norm", [INF], stuck="a single sample is its own mean")
OTHER = made("layer_norm", [3, 3, 3], floor=0.33)
ALL = [PLAIN, LOST, STUCK, CENTER, OTHER]
COLORS = figures.lane_colors(["nothing", "center", "adam"])


def checked(figure: dict) -> go.Figure:
    return go.Figure(figure)  # which checks every property


def trace(figure, name):
    return next(found for found in figure.data if found.name == name)


def texts(figure):
    return [note.text for note in figure.layout.annotations]


def test_raw_and_zero_centered_keep_their_colors_and_all_lanes_have_their_own():
    colors = figures.lane_colors(["nothing", "center", "adam", "momentum", "whiten", "bias"])
    assert colors["nothing"] == RAW and colors["center"] == CENTERED and len(set(colors.values())) == 6


def test_fewest_steps_first_and_what_does_not_arrive_last():
    assert [lane.key for lane in figures.sorted_lanes(ALL)] == ["center", "nothing", "layer_norm", "adam", "batch_norm"]


def test_a_dot_is_the_median_its_line_the_interval():
    figure = checked(figures.dots_figure(ALL, COLORS, "A sentence", 2000, focus="center"))
    dot = trace(figure, "Zero-centering")
    assert list(dot.x) == [9] and list(dot.y) == [0] and dot.marker.color == CENTERED
    assert list(trace(figure, "Zero-centering, interval").x) == [8, 10]
    assert figure.layout.xaxis.type == "log" and "steps" in figure.layout.xaxis.title.text
    assert {"Zero-centering", "Nothing", "9", "40"} <= set(texts(figure))
    assert len(figure.layout.shapes) == 1  # the row in focus


def test_what_does_not_arrive_is_a_ring_at_the_edge_and_never_a_number():
    figure = checked(figures.dots_figure(ALL, COLORS, "A sentence", 2000))
    edge = 10 ** figure.layout.xaxis.range[1]
    for name, word in (("Adam", "not in 2,000"), ("Batch norm", "never moves")):
        assert trace(figure, name).marker.symbol == "circle-open"
        assert max(trace(figure, "Nothing").x) < trace(figure, name).x[0] < edge
        assert word in texts(figure)
    assert trace(figure, "Layer norm").marker.symbol == "diamond" and "3, leaves 33 %" in texts(figure)


def test_an_interval_that_ends_at_infinity_reaches_the_edge():
    figure = checked(figures.dots_figure([PLAIN, made("adam", [50, 60, INF])], COLORS, "A sentence", 2000))
    low, high = trace(figure, "Adam, interval").x
    assert low == 50 and np.isfinite(high) and high > 1000


def test_lanes_that_still_run_keep_their_rows():
    few = checked(figures.dots_figure([CENTER], COLORS, "Running", 2000, waiting=["adam", "whiten"]))
    assert {"Adam", "Whitening", "…"} <= set(texts(few)) and few.layout.yaxis.range[0] < -2
    checked(figures.dots_figure([], COLORS, "Running", 2000, waiting=["adam"]))


def test_the_search_is_drawn_with_its_choice_and_its_failures():
    curve = RateCurve("Nothing", RAW, *PLAIN.search[:2], PLAIN.search.given_up, PLAIN.search.best)
    figure = checked(figures.rates_figure([curve], True, "A sentence", 400))
    np.testing.assert_array_equal(trace(figure, "Nothing").y, [40, 20, np.nan])
    assert list(trace(figure, "Nothing, chosen").x) == [0.5]
    assert list(trace(figure, "Nothing, not reached").x) == [1.5]
    assert "stability limit" in figure.layout.xaxis.title.text
    assert "stability" not in checked(figures.rates_figure([curve], False, "", 400)).layout.xaxis.title.text
    lost = curve._replace(steps=np.full(3, INF))
    assert "Nothing, chosen" not in [found.name for found in checked(figures.rates_figure([lost], True, "", 400)).data]


def test_losses_end_where_they_arrive_and_are_named_there():
    figure = checked(figures.losses_figure([PLAIN, CENTER, LOST], COLORS, "A sentence"))
    np.testing.assert_allclose(trace(figure, "Nothing").y, [100, 30, 5, 0.5])
    assert list(trace(figure, "Nothing").customdata) == [0, 2, 4, 8]
    assert {"Nothing", "Zero-centering", "Adam", "goal"} == set(texts(figure))
    assert figure.layout.title.subtitle.text.startswith("median over the seeds")
    checked(figures.losses_figure([], {}, "Nothing to draw"))


def test_paths_lie_on_one_ground_in_their_colors():
    ground = figures.Ground(Window((-1, 1), (-1, 1)), np.ones((80, 80)), np.zeros(2), np.ones(2), ("w₁", "w₂"))
    path = np.array([[0.0, 0], [0.5, 0.2], [1, 1]])
    figure = checked(figures.paths_figure(ground, {"nothing": path, "center": path}, COLORS, "A sentence"))
    np.testing.assert_allclose(trace(figure, "Zero-centering").x, path[:, 0])
    assert trace(figure, "Nothing").line.color == RAW and figure.layout.yaxis.scaleanchor == "x"
    assert RAW in figure.layout.title.subtitle.text and trace(figure, "loss").type == "contour"
    assert list(trace(figure, "start and optimum").text) == ["start", "optimum"]


def test_the_window_holds_start_and_optimum_and_not_what_flies_away():
    ends = np.array([[0.0, 0], [2, 0]])
    window = figures.path_window([np.array([[0.0, 0], [1e6, 0], [np.nan, 0], [2, 0.5]])], ends)
    assert window.x[0] < 0 < 2 < window.x[1] < 10


@pytest.mark.parametrize(("lanes", "part"), [
    (ALL, "**Zero-centering takes 9 steps** where plain descent on raw inputs takes 40"),
    (ALL, "No faster than doing nothing: Adam (not reached)"),
    ([PLAIN, made("center", [50])], "**Nothing to mend here**"),
    ([PLAIN, LOST], "**None of these remedies arrives**"),
    ([PLAIN, CENTER, made("whiten", [9])], "**Zero-centering and whitening take 9 steps**"),
    ([PLAIN, CENTER, made("whiten", [1])], "**Whitening takes 1 step** where"),
    ([PLAIN, CENTER, made("whiten", [1])], "Zero-centering takes 9."),
    ([made("nothing", [INF]), CENTER], "does not arrive in 2,000")])
def test_the_answer_follows_the_race(lanes, part):
    assert part in words.answer(lanes, None)
    assert "at 0.25 of their stability limit" in words.answer(lanes, 0.25)


def test_a_lane_with_another_optimum_never_wins():
    assert "Layer norm" not in words.answer(ALL, None) and "Zero-centering" in words.dots_title(ALL)
    assert "33\xa0%" in words.comparability(OTHER)
    assert "leaves 25 times the" in words.comparability(made("layer_norm", [3], floor=24.8))


def test_titles_say_what_was_measured():
    assert words.dots_title(ALL) == "Zero-centering needs 4.4x fewer steps than nothing"
    assert words.dots_title([STUCK]) == "No lane has reached the goal"
    assert words.rates_title(CENTER) == "Zero-centering: rates from 0.5 to 0.5 cost at most half as much again"
    # as the picture has it, which ends where the median loss is first at the goal, and not at the median arrival
    late = CENTER._replace(losses=np.array([100.0, 0.9, 5, 0.5]))
    assert words.losses_title([PLAIN, late]) == "Zero-centering touches the goal at step 2, nothing at 8"
    assert words.losses_title([PLAIN, LOST]) == "The loss on the way to the goal"
    assert words.paths_title([PLAIN, CENTER]) == "Zero-centering walks 2.0x the straight line, nothing 9.0x"
    assert words.spectrum_title(PLAIN, made("momentum", [3])) == "Momentum leaves the curvatures alone: κ = 10"


@pytest.mark.parametrize(("operations", "text"), [(54, "54"), (51_234, "51 k"), (2.5e6, "2.5 M"), (INF, "not reached")])
def test_amounts_have_two_digits(operations, text):
    assert words.amount(operations) == text


def test_grey_is_for_lanes_that_are_not_in_the_pictures():
    figure = checked(figures.dots_figure([PLAIN, made("momentum", [5])], COLORS, "A sentence", 2000))
    assert trace(figure, "Momentum").marker.color == GREY
