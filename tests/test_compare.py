"""Pins: what is kept and for how long, what the pictures and the table say, and what a click in the table does."""
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.charts import boards, open_page, values
from zz_core import Experiment, simulate
from zz_core.planes import mean_plane
from zz_core.summary import summarize
from zz_view import compare, pins
from zz_view.compare import Row, cells, heads, notes, table, title
from zz_view.figures.compare import STYLES, Track, losses_figure, overlay_figure, shared_window
from zz_view.figures.trajectories import GRID_POINTS
from zz_view.pins import LETTERS, Pin, differences, measured

PAGE = Path(__file__).parents[1] / "pages" / "trajectories.py"
BASE = Experiment()
BATCH = Experiment(batch_size=16, learning_rate=0.5)


def row(letter: str | None, experiment: Experiment, style: int | None = 0) -> Row:
    return Row(None if letter is None else Pin(letter, experiment, style), experiment, measured(experiment))


def track(letter: str, points: np.ndarray, style: int | None = 0, losses: np.ndarray | None = None) -> Track:
    points = np.asarray(points, float)
    losses = np.linspace(1.0, 0.1, len(points)) if losses is None else losses
    box = np.array([points.min(axis=0), points.max(axis=0)])
    return Track(letter, points, box, points[-1], style, np.arange(len(points)), losses)


def fan(count: int) -> list[Track]:
    """Tracks that all start and all end together."""
    shares = np.linspace(0, 1, 50)[:, None]
    return [track(LETTERS[k], shares * (1, 1) + shares * (1 - shares) * (k, -k), k) for k in range(count)]


# ------------------------------------------------------------------------------------------------- measures and words
@pytest.mark.parametrize("experiment", [BASE, BATCH, Experiment(inputs="digits", dimensions=5, steps=300)])
def test_a_pin_s_measures_are_those_of_its_run(experiment):
    run, found = simulate(experiment), measured(experiment)
    by_distance, by_loss = summarize(run), summarize(run, by_loss=True)
    assert (found.path_ratio, found.same_sign) == (by_distance.path_ratio[0], by_distance.same_sign[0])
    assert found.steps == (by_distance.steps[0], by_loss.steps[0]) and found.by_loss == by_distance.by_loss
    assert found.final_excess == run.excess_losses()[0, -1]
    np.testing.assert_allclose(found.losses - found.least, run.excess_losses()[0, found.steps_kept], rtol=1e-12)


def test_a_path_is_kept_on_its_weights_and_on_the_plane_of_the_mean():
    run, found = simulate(BASE), measured(BASE)
    np.testing.assert_allclose(found.own.points, run.weights[0], rtol=1e-6)
    np.testing.assert_allclose(found.mean.points, mean_plane(run).project(run.weights[0]), rtol=1e-5, atol=1e-6)
    # a target across the mean has its whole distance on the second axis, whatever the dimensions
    for dimensions in (2, 7):
        optimum = measured(replace(BASE, dimensions=dimensions)).mean.optimum
        assert optimum == pytest.approx([0.0, BASE.distance], abs=1e-9)


def test_one_weight_has_no_plane_and_a_diverged_run_no_loss_at_the_end():
    assert measured(Experiment(dimensions=1, target_angle=0.0)).own is None
    assert np.isinf(measured(Experiment(learning_rate=5.0, steps=2000)).final_excess)
    separable = Experiment(inputs="wine", dimensions=13, target="labels", loss="logistic", steps=50)
    assert simulate(separable).optimum is None  # so that this tests what it says
    assert np.isnan(measured(separable).final_excess) and np.isnan(measured(separable).least)


def test_a_run_is_measured_once_and_the_store_is_bounded(monkeypatch):
    store = pins._kept()[0]
    monkeypatch.setattr(pins, "MOST_MEASURED", 3)
    store.clear()
    first = measured(Experiment(steps=5))
    assert measured(Experiment(steps=5)) is first
    for seed in range(1, 5):
        measured(Experiment(steps=5, seed=seed))
    assert len(store) == 3 and Experiment(steps=5) not in store


def test_differences_are_those_that_matter_to_one_of_the_two():
    assert differences(BASE, BASE) == []
    assert differences(BATCH, BASE) == [("learning rate", "0.5", "0.25"), ("batch size", "16", "1")]
    full = Experiment(batch_size=256, seed=3)
    assert differences(full, replace(full, seed=9)) == []  # nothing is drawn: the seed does nothing
    assert ("seed", "3", "0") in differences(full, BASE)  # but it does there
    assert differences(Experiment(bias=True, start_bias=2.0), BASE) == [("bias", "yes", "no"), ("start bias", "2", "0")]
    assert differences(Experiment(start_bias=2.0), BASE) == []
    assert ("treatment", "layer norm", "none") in differences(Experiment(treatment="layer_norm"), BASE)


def test_the_title_names_the_straightest_and_the_longest_path():
    rows = [row("A", BASE), row(None, BATCH), row("B", Experiment(batch_size=256))]
    ratios = {each.letter: each.found.path_ratio for each in rows}
    assert min(ratios, key=ratios.get) == "B" and max(ratios, key=ratios.get) == "A"
    assert title(rows).startswith("B takes the straightest way (1.0x), A the longest (3.4x)")
    assert title(rows[:2]).startswith("The run on the screen takes the straightest way")
    assert title(rows[:1]) == "The paths of the pinned runs"


def test_notes_say_what_the_picture_projects_and_why_there_are_several_stars():
    same, other = row("A", BASE), row("B", replace(BASE, target_angle=45.0))
    assert notes([same, row("B", BATCH)], plain=True) == ""
    assert "Each star" in notes([same, other], plain=True)
    assert "projected" in notes([same], plain=False)


def test_the_table_s_rows_say_what_differs_and_what_was_measured():
    rows = [row(None, BATCH), row("A", BASE, 2), row("B", Experiment(noise=0.5), None)]
    now, first, second = cells(rows, BATCH, by_loss=False)
    assert now["here"] and not now["pinned"] and now["letter"] == "Now"
    assert (first["symbol"], first["color"]) == STYLES[2]
    assert second["symbol"] is None and second["drawable"]
    assert ["batch size", "1", "16"] in first["differences"] and ["noise", "0.5", "0"] in second["differences"]
    found = summarize(simulate(BASE))
    assert first["measures"][:3] == ["3.4x", f"{found.steps[0]:.0f}", "100\xa0%"]
    assert len(heads(False)) == 2 + len(first["measures"]) and "distance" in heads(False)[3]
    assert "excess loss" in heads(True)[3]


@pytest.mark.parametrize(("value", "words"), [(np.nan, "unknown"), (np.inf, "diverged"), (0.0, "0"), (-1e-20, "0"),
                                              (2.1e-6, "2.1e−06")])
def test_the_loss_at_the_end_in_words(value, words):
    assert compare._excess(value) == words


def test_the_file_holds_every_field_and_measure():
    rows = [row("A", BASE), row("B", BATCH)]
    frame = table(rows, by_loss=True)
    assert list(frame["run"]) == ["A", "B"] and set(frame["judged_by"]) == {"excess loss"}
    for each, (_, line) in zip(rows, frame.iterrows(), strict=True):
        assert Experiment(**{name: line[name] for name in vars(each.experiment)}) == each.experiment
        assert line["path_ratio"] == each.found.path_ratio and line["steps_to_1_percent"] == each.found.steps[1]
        assert line["final_excess_loss"] == each.found.final_excess


# ------------------------------------------------------------------------------------------------------------ figures
def test_each_path_has_its_own_symbol_and_color_along_its_line_and_its_letter():
    tracks = [*fan(6), track("Now", np.array([[0.0, 0.0], [1.0, 2.0]]), None)]
    figure = overlay_figure(tracks, shared_window(tracks), None, ("w₁", "w₂"), "title", "below")
    looks = set()
    for each in tracks:
        line, beads, letter = [t for t in figure["data"] if t["name"] == each.letter]
        assert np.array_equal(line["x"], each.points[:, 0]) and "dash" not in line["line"]  # dashes mean theory
        assert beads["marker"]["symbol"] == letter["marker"]["symbol"] == each.symbol
        assert line["line"]["color"] == beads["marker"]["color"] == each.color
        assert letter["text"] == [each.letter]
        looks.add((each.symbol, each.color))
    assert len(looks) == len(tracks) and len({symbol for symbol, _ in looks}) == len(tracks)
    assert figure["layout"]["yaxis"]["scaleanchor"] == "x" and figure["layout"]["xaxis"]["title"]["text"] == "w₁"


def test_symbols_lie_on_their_path_and_those_of_equal_paths_beside_each_other():
    points = np.cumsum(np.random.default_rng(3).normal(size=(40, 2)), axis=0)
    tracks = [track("A", points, 0), track("B", points, 1)]
    figure = overlay_figure(tracks, shared_window(tracks), None, ("x", "y"), "", "")
    beads = [np.column_stack([t["x"], t["y"]]) for t in figure["data"] if t["mode"] == "markers" and t["name"] in "AB"]
    for spot in np.concatenate(beads):
        start, step = points[:-1], np.diff(points, axis=0)
        share = np.clip(np.einsum("nd,nd->n", spot - start, step) / np.einsum("nd,nd->n", step, step), 0, 1)
        assert np.linalg.norm(start + share[:, None] * step - spot, axis=1).min() < 1e-9
    assert np.linalg.norm(beads[0][:, None] - beads[1], axis=-1).min() > 1e-3


@pytest.mark.parametrize("count", [1, 2, 6])
def test_letters_are_apart_and_inside(count):
    tracks = fan(count)
    window = shared_window(tracks)
    figure = overlay_figure(tracks, window, None, ("x", "y"), "", "")
    spots = np.array([[t["x"][0], t["y"][0]] for t in figure["data"] if t["mode"] == "markers+text"])
    side = window.x[1] - window.x[0]
    assert len(spots) == count and (spots >= np.array(window)[:, 0]).all() and (spots <= np.array(window)[:, 1]).all()
    for k, spot in enumerate(spots):
        assert all(np.linalg.norm(spot - other) > 0.05 * side for other in spots[:k])
        assert np.linalg.norm(spot - tracks[0].points[0]) > 0.03 * side


def test_a_star_for_each_optimum_and_only_one_where_it_is_shared():
    shared = fan(3)
    other = track("D", [[0.0, 0.0], [-1.0, 1.0]], 3)
    for tracks, stars in ((shared, 1), ([*shared, other], 2), ([shared[0]._replace(optimum=None)], 0)):
        figure = overlay_figure(tracks, shared_window(tracks), None, ("x", "y"), "", "")
        (ends,) = [t for t in figure["data"] if t["name"] == "start and optimum"]
        assert ends["marker"]["symbol"] == ["circle-open", *["star"] * stars]


def test_the_rings_are_those_that_are_given():
    tracks, excess = fan(2), np.arange(GRID_POINTS**2, dtype=float).reshape(GRID_POINTS, GRID_POINTS)
    figure = overlay_figure(tracks, shared_window(tracks), excess, ("x", "y"), "", "")
    assert figure["data"][0]["type"] == "contour"
    np.testing.assert_allclose(figure["data"][0]["z"], np.sqrt(excess), rtol=1e-6)


def test_a_path_that_leaves_or_stands_still_is_drawn_without_an_error():
    leaving = np.array([[0.0, 0.0], [1.0, 1.0], [1e30, np.inf], [np.nan, np.nan]])
    tracks = [track("A", [[0.0, 0.0], [1.0, 1.0]], 0), track("B", leaving, 1)._replace(box=np.array([[0, 0], [1, 1]])),
              track("C", np.zeros((3, 2)), 2)]
    window = shared_window(tracks)
    assert window.x[1] < 2
    figure = overlay_figure(tracks, window, None, ("x", "y"), "", "")
    assert sum(t["mode"] == "markers+text" for t in figure["data"]) == 3


def test_losses_carry_the_same_letters_and_a_loss_of_zero_leaves_a_gap():
    falling = track("A", np.zeros((5, 2)), 0, np.array([1.0, 0.1, 0.0, np.nan, 1e-3]))
    nothing = track("B", np.zeros((3, 2)), 1, np.zeros(3))
    figure = losses_figure([falling, nothing], "excess loss", "title", "below")
    line = next(t for t in figure["data"] if t["name"] == "A" and t["mode"] == "lines")
    np.testing.assert_allclose(line["y"], [1.0, 0.1, np.nan, np.nan, 1e-3])
    letters = [t for t in figure["data"] if t["mode"] == "markers+text"]
    assert [t["text"] for t in letters] == [["A"]] and letters[0]["y"][0] in line["y"]
    beads = next(t for t in figure["data"] if t["name"] == "A" and t["mode"] == "markers")
    assert set(np.asarray(beads["y"]).round(9)) <= {1.0, 0.1, 1e-3} and figure["layout"]["yaxis"]["type"] == "log"


# ---------------------------------------------------------------------------------------------------------- the panel
def a_visit():
    import streamlit as st

    from zz_core import Experiment
    from zz_view import compare, controls, pins

    controls.current()
    if (act := st.session_state.pop("wanted_act", None)) is not None:
        st.session_state["pins"] = {"act": act}
        compare._act()
        del st.session_state["pins"]
    for query in st.session_state.pop("wanted_pins", []):
        pins.pin(Experiment.from_query(query))
    st.json([[pin.letter, pin.style, pin.experiment.to_query()] for pin in pins.pinned()])


def visit(*queries: dict[str, str]) -> AppTest:
    app = AppTest.from_function(a_visit, default_timeout=60)
    app.session_state["wanted_pins"] = list(queries)
    return app.run()


def kept(app: AppTest) -> list[tuple[str, int | None]]:
    assert not app.exception
    return [(letter, style) for letter, style, _ in json.loads(app.json[0].value)]


def seeds(count: int) -> list[dict[str, str]]:
    return [{"seed": str(seed)} for seed in range(1, count + 1)]


def act(app: AppTest, what: object) -> list[tuple[str, int | None]]:
    app.session_state["wanted_act"] = what
    return kept(app.run())


def test_pins_are_bounded_and_only_some_are_drawn():
    found = kept(visit(*seeds(20)))
    assert [letter for letter, _ in found] == list(LETTERS) and len(LETTERS) == 12
    assert [style for _, style in found] == [*range(6), *[None] * 6]


def test_a_run_is_pinned_once():
    assert len(kept(visit({"seed": "1"}, {"seed": "1"}))) == 1


def test_what_is_removed_frees_its_letter_and_its_look():
    app = visit(*seeds(7))
    found = act(app, {"do": "remove", "letter": "B"})
    assert [letter for letter, _ in found] == list("ACDEFG") and found[-1] == ("G", None)
    assert act(app, {"do": "draw", "letter": "G"})[-1] == ("G", 1)
    app.session_state["wanted_pins"] = [{"seed": "99"}]
    assert kept(app.run())[-1] == ("B", None)


def test_a_seventh_path_waits_until_one_is_hidden():
    app = visit(*seeds(7))
    assert dict(act(app, {"do": "draw", "letter": "G"}))["G"] is None
    assert dict(act(app, {"do": "draw", "letter": "A"}))["A"] is None
    assert dict(act(app, {"do": "draw", "letter": "G"}))["G"] == 0


@pytest.mark.parametrize("nonsense", ["A", None, 7, [], {}, {"do": "remove"}, {"do": "remove", "letter": "Z"},
                                      {"do": "launch", "letter": "A"}, {"letter": ["A"]}])
def test_nonsense_from_a_browser_changes_nothing(nonsense):
    app = visit(*seeds(2))
    assert act(app, nonsense) == [("A", 0), ("B", 1)]


def component(app: AppTest, wanted: str) -> dict | None:
    found = [json.loads(each.proto.json or each.proto.bytes) for each in app.main.get("bidi_component")]
    return next((each for each in found if wanted in each), None)


def drawn_keys(app: AppTest) -> list[str]:
    return [chart["key"] for board in boards(app) if "charts" in board for chart in board["charts"]]


def test_without_pins_there_is_one_button_and_no_more():
    app = open_page(PAGE)
    assert app.button(key="pin_run").label == "Pin this run" and not app.button(key="pin_run").disabled
    assert "pinned_paths" not in drawn_keys(app) and component(app, "rows") is None
    assert not [header for header in app.header if header.value == "Pinned runs"]


def test_pinning_shows_the_run_and_later_the_one_on_the_screen_beside_it():
    app = open_page(PAGE)
    app.button(key="pin_run").click().run()
    assert app.button(key="pin_run").label == "This run is pinned as A" and app.button(key="pin_run").disabled
    assert [line["letter"] for line in component(app, "rows")["rows"]] == ["A"]
    app.number_input(key="batch_size").set_value(16).run()
    assert not app.exception
    lines = component(app, "rows")["rows"]
    assert [line["letter"] for line in lines] == ["Now", "A"]
    assert lines[1]["differences"] == [["batch size", "1", "16"]]
    paths = next(chart for board in boards(app) if "charts" in board for chart in board["charts"]
                 if chart["key"] == "pinned_paths")
    traces = {t["name"]: t for t in paths["figure"]["data"] if t.get("mode") == "lines"}
    np.testing.assert_allclose(values(traces["A"]["x"]), simulate(BASE).weights[0, :, 0], rtol=1e-5, atol=1e-7)
    now = simulate(replace(BASE, batch_size=16)).weights[0, :, 0]
    np.testing.assert_allclose(values(traces["Now"]["x"]), now, rtol=1e-5, atol=1e-7)
    assert "A 3.4x" in paths["alt"]
    app.button(key="pins_clear").click().run()
    assert component(app, "rows") is None and app.button(key="pin_run").label == "Pin this run"


@pytest.mark.parametrize("first, then", [
    ({"dimensions": "5"}, {"dimensions": "2"}), ({"dimensions": "2"}, {"dimensions": "1", "target_angle": "0.0"}),
    ({"inputs": "wine", "target": "labels", "loss": "logistic", "dimensions": "13"}, {}),
    ({"learning_rate": "5.0"}, {"treatment": "whiten"}), ({"dimensions": "1", "target_angle": "0.0"}, {}),
])
def test_runs_of_all_kinds_can_stand_beside_each_other(first, then):
    app = open_page(PAGE, **first)
    app.session_state["_pins"] = [Pin("A", Experiment.from_query(first), 0), Pin("B", Experiment.from_query(then), 1)]
    app.run()
    assert not app.exception
    assert [line["letter"] for line in component(app, "rows")["rows"]] == ["A", "B"]
    assert "pinned_paths" in drawn_keys(app)


def a_return():
    import streamlit as st

    from zz_view import controls, pins

    experiment = controls.current()
    st.button("return", key="return", on_click=lambda: controls.adopt(pins.find("A").experiment))
    st.json(experiment.to_query())


def test_returning_sets_the_controls_of_the_sidebar():
    odd = Experiment(inputs="digits", dimensions=5, noise=0.3, learning_rate=0.0123, sampling="epoch", batch_size=4)
    app = AppTest.from_function(a_return, default_timeout=60)
    app.session_state["_pins"] = [Pin("A", odd, 0)]
    app.run()
    app.button(key="return").click().run()
    assert not app.exception
    assert Experiment.from_query(json.loads(app.json[0].value)) == odd
