"""Figures of a network: what is drawn is what was measured, and Plotly takes it."""
import numpy as np
import plotly.graph_objects as go
import pytest

from zz_core.network_sweeps import BatchShares, Compared
from zz_view.figures import network as figures
from zz_view.theme import MINUS, PLUS, ZERO


def names(figure: dict) -> list[str]:
    go.Figure(figure)  # checks every property
    return [trace["name"] for trace in figure["data"]]


def labels(figure: dict) -> list[str]:
    return [note["text"] for note in figure["layout"]["annotations"]]


def test_the_loss_is_drawn_as_measured():
    steps, training, held_out = np.array([0, 5, 10]), np.array([2.0, 1.0, 0.5]), np.array([2.1, 1.2, 0.9])
    figure = figures.loss_figure(np.geomspace(2, 0.4, 11), steps, training, held_out, "Title", 64)
    assert names(figure) == ["each step, 64 rows", "training", "held out"]
    np.testing.assert_allclose(figure["data"][1]["y"], training)
    np.testing.assert_allclose(figure["data"][2]["y"], held_out, rtol=1e-6)
    assert figure["layout"]["yaxis"]["type"] == "log" and "training" in labels(figure)
    assert all("dash" not in trace["line"] for trace in figure["data"])  # measured lines are solid


def test_the_accuracy_has_the_largest_class_dotted():
    figure = figures.accuracy_figure(np.linspace(0, 1, 11), np.array([0, 10]), np.array([0, 1.0]), np.array([0, 0.9]),
                                     "Title", 64, 0.25)
    level, = figure["layout"]["shapes"]
    assert level["y0"] == level["y1"] == 0.25 and level["line"]["dash"] == "dot"
    assert names(figure)[-1] == "held out"


@pytest.mark.parametrize("losses", [np.full(5, np.nan), np.array([1.0, np.nan]), np.array([1.0, 1e300]), np.zeros(3)])
def test_a_diverged_run_is_drawn_as_far_as_it_goes(losses):
    steps = np.array([0, len(losses) - 1])
    names(figures.loss_figure(losses, steps, losses[[0, -1]], losses[[0, -1]], "Title", 8))


def test_signs_have_their_colors_and_their_glyphs():
    figure = figures.sign_map_figure(np.array([[1, -1, 0], [1, 1, 1]]), "Title", "∂L/∂W")
    cells, = figure["data"]
    assert names(figure) == ["signs"]
    np.testing.assert_array_equal(cells["z"], [[2, 0, 1], [2, 2, 2]])
    assert cells["text"].tolist() == [["+", "−", "0"], ["+", "+", "+"]]
    assert [color for _, color in cells["colorscale"]] == [MINUS, MINUS, ZERO, ZERO, PLUS, PLUS]
    assert "texttemplate" in cells


def test_a_wide_layer_is_cut_and_says_so():
    figure = figures.sign_map_figure(np.ones((100, 300)), "Title", "∂L/∂W")
    assert figure["data"][0]["z"].shape == (figures.MOST_UNITS, figures.MOST_INPUTS)
    assert "the first 64 of 100 units" in figure["layout"]["xaxis"]["title"]["text"]


def test_shares_against_the_batch_size_with_chance_levels():
    sizes = np.array([1, 4, 10])
    start = BatchShares(sizes, np.full((3, 2), 0.5), np.full((3, 2), np.nan))
    shown = BatchShares(sizes, np.array([[0, 1], [0, 0.5], [0, 0.7]]), np.full((3, 2), 0.3))
    unanimous, energy = figures.batch_figures(start, shown, (4, 2), 30, ("Signs", "Energy"))
    assert names(unanimous) == ["layer 1, at the start", "layer 2, at the start", "layer 1", "layer 2"]
    np.testing.assert_allclose(unanimous["data"][3]["y"], shown.unanimous[:, 1])
    assert [shape["y0"] for shape in unanimous["layout"]["shapes"]] == [2**-3, 2**-1]
    assert [shape["y0"] for shape in energy["layout"]["shapes"]] == [1 / 4, 1 / 2]
    assert sum(label.endswith("layer 2") for label in labels(unanimous)) == 1


def test_inputs_and_head_room_have_a_line_a_layer():
    mean, room = np.linspace(0, 1, 20).reshape(10, 2), np.array([[1.0, 9.0], [1.0, 8.0]])
    drawn = figures.inputs_figures(mean, 1 - mean, np.array([0, 10]), room, ("Mean", "Spread", "Room"))
    for figure in drawn:
        assert names(figure) == ["layer 1", "layer 2"]
    np.testing.assert_allclose(drawn[2]["data"][1]["y"], [9, 8])


def compared(name: str, searched: list[float]) -> Compared:
    rates = np.array([0.1, 1.0, 10.0])
    return Compared(name, rates, np.array(searched), float(rates[np.argmin(searched)]), np.full((2, 11), 0.5),
                    np.array([0.4, 0.5]), np.array([0.9, 0.8]), 0.3)


def test_the_comparison_draws_every_seed_and_marks_the_rate_taken():
    found = [compared("sigmoid", [2, 1, np.inf]), compared("tanh", [1, 2, 3])]
    curves, search = figures.comparison_figures(found, ("Curves", "Search"))
    assert names(curves) == ["sigmoid, one seed"] * 2 + ["sigmoid"] + ["tanh, one seed"] * 2 + ["tanh"]
    assert names(search) == ["sigmoid", "tanh", "sigmoid, best", "tanh, best"]
    assert search["data"][2]["x"] == [1.0] and np.isnan(search["data"][0]["y"][-1])


def test_nothing_to_compare_is_drawn_too():
    for figure in figures.comparison_figures([], ("Curves", "Search")):
        assert names(figure) == []
