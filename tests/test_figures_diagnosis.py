"""Figures of a diagnosis: what is drawn is what was measured, theory is dashed, and Plotly takes it."""
import numpy as np
import plotly.graph_objects as go
import pytest

from zz_core import diagnose
from zz_core.diagnosis import Trained, Training, gradient_signs
from zz_core.theory import spectrum
from zz_view.figures import diagnosis as figures

RNG = np.random.default_rng(0)
SIGMOIDS = 1 / (1 + np.exp(-RNG.standard_normal((200, 5))))
FOUND = diagnose(SIGMOIDS, seeds=3, batch_size=6)
INF = np.inf


def names(figure: dict) -> list[str]:
    go.Figure(figure)  # checks every property
    return [trace["name"] for trace in figure["data"]]


def trace(figure: dict, name: str) -> dict:
    return figure["data"][names(figure).index(name)]


def labels(figure: dict) -> list[str]:
    return [note["text"] for note in figure["layout"]["annotations"]]


def every_figure(found) -> list[dict]:
    """As the page draws them."""
    kept, signs = np.flatnonzero(found.kept), found.signs_by_batch
    spectra = {"raw": found.spectra.raw, "zero-centered": found.spectra.centered}
    named, spread = [found.names[k] for k in kept], np.sqrt(found.variance[kept])
    return [figures.signs_figure(signs["raw"], signs["centered"], 0.5, found.batch_size, "T"),
            figures.spectrum_figure(spectra, {"raw": found.spectra.raw_bias}, spectrum(found.features, 1.0, 1.0), "T"),
            figures.steps_figure(found.training, "T"),
            figures.features_figure(named, found.mean[kept], spread, "T")]


@pytest.mark.parametrize("values", [
    [[1.0], [2.0]], [[1, 1], [2, 2], [4, 4]], [[0, 5, 1], [0, 5, 2], [0, 5, 4]], RNG.standard_normal((8, 30)),
    1e-60 * RNG.standard_normal((9, 2)), 1e60 + 1e58 * RNG.standard_normal((9, 2)), [[-1, 0], [1, 0], [0, 3], [0, -3]]],
    ids=["one feature", "null directions", "constants", "more features than samples", "tiny", "huge", "mean zero"])
def test_every_diagnosis_can_be_drawn_and_stays_within_its_axes(values):
    for figure in every_figure(diagnose(values, seeds=1, batch_size=2)):
        names(figure)
        for axis in ("xaxis", "yaxis"):
            assert np.all(np.isfinite(figure["layout"][axis]["range"]))


def test_signs_are_drawn_by_batch_size_with_the_limit_dashed_and_the_visitors_size_marked():
    raw, centered = FOUND.signs_by_batch["raw"], FOUND.signs_by_batch["centered"]
    figure = figures.signs_figure(raw, centered, 1 / 16, 6, "Title")
    for name, found in (("raw", raw), ("zero-centered", centered)):
        np.testing.assert_array_equal(trace(figure, name)["x"], found.batch_sizes)
        np.testing.assert_array_equal(trace(figure, name)["y"], found.share)
        np.testing.assert_array_equal(trace(figure, f"{name}, 95 % interval")["y"],
                                      np.concatenate([found.low, found.high[::-1]]))
        assert trace(figure, f"{name}, theory")["line"]["dash"] == "dash"
        assert trace(figure, f"{name}, theory")["y"] == [found.limit] * 2
    assert trace(figure, "by chance")["y"].tolist() == [1 / 16] * 2
    assert figure["layout"]["shapes"][0]["x0"] == 6 and "yours" in labels(figure)


def test_the_spectrum_has_no_place_for_null_directions():
    found = diagnose(np.column_stack([SIGMOIDS, SIGMOIDS[:, 0]]), seeds=0)
    figure = figures.spectrum_figure({"raw": found.spectra.raw}, {"raw": found.spectra.raw_bias}, np.ones(6), "Title")
    np.testing.assert_array_equal(trace(figure, "raw")["y"], found.eigenvalues_raw[:5])
    assert trace(figure, "independent features, theory")["line"]["dash"] == "dash"
    assert trace(figure, "raw with a bias")["line"]["dash"] == "dot" and figure["layout"]["yaxis"]["type"] == "log"


def test_steps_are_drawn_seed_by_seed_and_those_never_reached_at_the_edge():
    raw = Trained(0.5, np.array([100.0, INF, INF]), 4000, 80.0, np.nan)
    centered = Trained(0.95, np.array([5.0, 7.0, 9.0]), 400, 4.0, 6.5)
    figure = figures.steps_figure(Training({"none": raw, "center": centered, "standardize": centered}, 8, 64, 5, 1.0),
                                  "Title")
    edge = 2.5 * 4000
    np.testing.assert_array_equal(trace(figure, "raw, a seed")["x"], [100, edge, edge])
    assert trace(figure, "raw, a seed")["customdata"] == ["100 steps", "not reached", "not reached"]
    assert trace(figure, "raw, median")["customdata"] == ["not reached"]
    np.testing.assert_array_equal(trace(figure, "zero-centered, a seed")["x"], [5, 7, 9])
    assert trace(figure, "zero-centered, theory at this batch size")["x"].tolist() == [6.5]
    assert "raw, theory at this batch size" not in names(figure)  # it is not known there
    assert all("open" in part["marker"]["symbol"] for part in figure["data"] if "theory" in part["name"])
    assert "not reached" in labels(figure) and "raw: not within 4,000" in labels(figure)


def test_a_feature_without_a_mean_stands_at_the_floor():
    figure = figures.features_figure(["a", "<b>"], np.array([0.0, -3.0]), np.array([1.0, 2.0]), "Title")
    dots = trace(figure, "features")
    assert dots["y"][1] == 3.0 and 0 < dots["y"][0] <= 1.0
    assert dots["customdata"] == ["a: mean 0, spread 1", "‹b›: mean -3, spread 2"]
    assert trace(figure, "mean = spread")["x"].tolist() == trace(figure, "mean = spread")["y"].tolist()


def test_many_features_are_thinned():
    count = 5 * figures.MOST_POINTS
    figure = figures.features_figure([str(k) for k in range(count)], np.ones(count), np.ones(count), "Title")
    assert len(trace(figure, "features")["x"]) <= figures.MOST_POINTS + 1


def test_layers_are_named_and_the_one_shown_is_filled():
    figure = figures.layers_figure(["fc1", "a_very_long_name_of_a_layer"], [1.0, 30.0], 1, 2.0, "Title")
    assert trace(figure, "head-room")["marker"]["symbol"] == ["circle-open", "circle"]
    np.testing.assert_array_equal(trace(figure, "head-room")["y"], [1, 30])
    assert figure["layout"]["xaxis"]["ticktext"] == ["fc1", "a_very…a_layer"]
    assert figure["layout"]["shapes"][0]["y0"] == 2.0


def test_rows_with_one_sign_are_drawn_step_by_step_for_the_first_layers():
    found = {f"fc{k}": gradient_signs(RNG.standard_normal((9, 4, 3))) for k in range(figures.MOST_LINES + 2)}
    figure = figures.rows_figure(found, "Title")
    assert [name for name in names(figure) if name != "by chance"] == list(found)[:figures.MOST_LINES]
    np.testing.assert_array_equal(trace(figure, "fc0")["y"], found["fc0"].unanimous_rows)
    assert "the first 7 of 9 layers" in figure["layout"]["title"]["subtitle"]["text"]
    assert figures.rows_figure({"fc": gradient_signs(np.zeros((1, 2, 3)))}, "Title")["data"]  # one step, no gradient


def test_a_long_training_of_a_wide_unit_is_thinned_and_says_so():
    signs = gradient_signs(RNG.standard_normal((1000, 2, 100))).signs
    figure = figures.unit_figure(signs, 1, "Title")
    go.Figure(figure)
    shown = figure["data"][0]["z"]
    assert shown.shape[0] == figures.MOST_WEIGHTS and shown.shape[1] <= figures.MOST_STEPS + 1
    np.testing.assert_array_equal(shown[:, [0, -1]], signs[[0, -1], 1, :figures.MOST_WEIGHTS].T + 1)
    assert "of 1,000" in figure["layout"]["xaxis"]["title"]["text"]
    assert figure["layout"]["yaxis"]["title"]["text"] == "the first 64 of 100 weights"
    assert figure["layout"]["xaxis"]["ticktext"][0] == "1" and figure["layout"]["xaxis"]["ticktext"][-1] == "1000"


def test_the_name_of_the_diagonal_covers_no_dots_where_there_is_room():
    ends = np.array([0.1, 10.0])  # so the line's middle is at 1, or 0 in logarithms
    alone = figures.features_figure(["a", "b"], ends, ends, "Title")
    assert alone["layout"]["annotations"][0]["x"] == pytest.approx(0.0)
    row = np.geomspace(1.0, 2.2, 30)  # just under it
    figure = figures.features_figure(["x"] * 32, np.append(ends, 0.9 * row), np.append(ends, row), "Title")
    assert figure["layout"]["annotations"][0]["x"] < np.log10(0.9)  # it hangs below all of them


def test_a_single_recorded_step_is_seen():
    one = figures.rows_figure({"fc1": gradient_signs(RNG.standard_normal((1, 4, 3)))}, "Title")
    assert trace(one, "fc1")["mode"] == "markers"
    two = figures.rows_figure({"fc1": gradient_signs(RNG.standard_normal((2, 4, 3)))}, "Title")
    assert trace(two, "fc1")["mode"] == "lines"
