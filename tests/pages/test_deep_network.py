"""The Deep network page on its own, without a browser."""
from functools import partial
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from tests.charts import boards, figures, open_page, values
from zz_core.network import NetworkExperiment, train
from zz_core.network.experiment import DEFAULTS, PREFIX
from zz_core.network_sweeps import reasons, shares_by_batch
from zz_view import network_controls, network_runs
from zz_view import network_words as words

PAGE = Path(__file__).parents[2] / "pages" / "deep_network.py"
SMALL = {"net_data": "wine", "net_layers": "8-6", "net_steps": "60", "net_batch_size": "16"}
SPEC = NetworkExperiment(data="wine", layers="8-6", steps=60, batch_size=16)


opened = partial(open_page, PAGE)


def trace(figure: dict, name: str, place: int = 0) -> dict:
    return [found for found in figure["data"] if found["name"] == name][place]


def text(app: AppTest) -> str:
    return "\n".join(part.value for part in app.markdown)


def test_the_page_shows_the_run_of_the_url():
    app, run = opened(**SMALL, net_shown="50"), train(SPEC)
    loss, accuracy, one, batch, unanimous, energy, mean, spread, room = figures(app)
    np.testing.assert_allclose(values(trace(loss, "each step, 64 rows")["y"]), run.losses[0], rtol=1e-6)
    kept = values(trace(accuracy, "held out")["x"]).astype(int)
    np.testing.assert_allclose(values(trace(accuracy, "held out")["y"]), run.test_accuracies[0, kept], rtol=1e-6)
    step = 30
    np.testing.assert_array_equal(values(batch["data"][0]["z"]), run.gradient_signs(1, step) + 1)
    np.testing.assert_array_equal(values(one["data"][0]["z"]),
                                  run.gradient_signs(1, step, samples=True)[0] + 1)
    shares = shares_by_batch(run, step)
    np.testing.assert_allclose(values(trace(unanimous, "layer 3")["y"]), shares.unanimous[:, 2], rtol=1e-6)
    np.testing.assert_allclose(values(trace(energy, "layer 2")["y"]), shares.energy[:, 1], rtol=1e-5)
    np.testing.assert_allclose(values(trace(mean, "layer 2")["y"]), run.input_mean[0, :, 1], rtol=1e-6)
    np.testing.assert_allclose(values(trace(room, "layer 2")["y"])[-1], run.head_room[0, -1, 1], rtol=1e-6)
    for figure in figures(app):
        go.Figure(figure)
    assert all(len(chart["alt"]) > 40 for board in boards(app) for chart in board["charts"])


def test_the_answer_and_the_numbers_are_those_of_the_run():
    app, run = opened(**SMALL), train(SPEC)
    shares, room = np.nanmean(run.unanimous_rows[0], axis=0), run.head_room[0, -1]
    layer = int((shares - 2.0 ** (1 - np.array([13, 8, 6]))).argmax())
    assert app.markdown[0].value.startswith("**Yes, both harms are here.**")
    assert f"**{100 * shares[layer]:.0f}\xa0%**" in app.markdown[0].value
    assert f"**{room.max():.1f}x**" in app.markdown[0].value
    assert [metric.value for metric in app.metric] == [
        f"{100 * shares[layer]:.0f}\xa0%", f"{room.max():.1f}x", f"{100 * run.test_accuracies[0, -1]:.0f}\xa0%"]


def test_tanh_gets_another_answer():
    assert opened(**SMALL, net_activation="tanh").markdown[0].value.startswith("**Hardly.**")


def test_the_step_and_the_layer_shown_move_their_pictures_and_not_the_run():
    app = opened(**SMALL)
    before = figures(app)
    app.slider(key="net_shown").set_value(100).run()
    app.segmented_control(key="net_layer").set_value("3").run()
    after = figures(app)
    assert not app.exception and after[:2] == before[:2] and after[2] != before[2]
    assert "layer 3 (6 → 3), step 60" in after[2]["layout"]["title"]["subtitle"]["text"]


def test_fewer_layers_than_the_one_shown():
    app = opened(**SMALL, net_layer="3")
    app.text_input(key="net_layers").set_value("").run()
    assert not app.exception and len(figures(app)) == 9
    app.text_input(key="net_layers").set_value("4-4-4").run()
    assert not app.exception and len(figures(app)) == 9


def test_every_field_has_a_control_with_help():
    app = opened(**SMALL)
    assert set(network_controls.HELP) == set(DEFAULTS)
    assert {*network_controls.COMMON, *network_controls.FOLDED} == set(DEFAULTS)
    kinds = [*app.selectbox, *app.number_input, *app.text_input, *app.toggle]
    assert {PREFIX + name for name in DEFAULTS} <= {widget.key for widget in kinds}


def test_controls_that_do_nothing_are_disabled():
    app = opened(**SMALL)
    off = {name for name in ("net_samples", "net_momentum", "net_decay") if app.number_input(key=name).disabled}
    assert off == {"net_samples", "net_momentum", "net_decay"} and app.toggle(key="net_affine").disabled
    app = opened(net_data="moons", net_steps="20", net_optimizer="adam", net_normalization="layer_norm")
    assert not any(app.number_input(key=name).disabled for name in ("net_samples", "net_momentum", "net_decay"))
    assert not app.toggle(key="net_affine").disabled


@pytest.mark.parametrize("query, words_of_it", [
    ({"net_layers": "abc"}, "**Layers** is `abc`"), ({"net_layers": "999"}, "**Layers** is `999`"),
    ({"net_layers": "2-2-2-2-2-2-2"}, "**Layers**"), ({"net_batch_size": "2000"}, "it must be at most 1348"),
    ({"net_layers": "256-256-256-256-256-256", "net_steps": "100000"}, "MiB of 128 that one visitor gets"),
    ({"net_layers": "128-128", "net_steps": "100000", "net_batch_size": "8"}, "**Steps** to"),
    ({"net_layers": "1", "net_normalization": "layer_norm"}, "at least 2")])
def test_what_is_impossible_gets_a_sentence(query, words_of_it):
    app = opened(**query)
    assert words_of_it in app.warning[0].value and not figures(app)


@pytest.mark.parametrize("query", [
    {"net_layers": ""}, {"net_layers": "1"}, {"net_normalization": "layer_norm", "net_activation": "relu"},
    {"net_normalization": "batch_norm", "net_normalization_place": "after"}, {"net_batch_size": "133"},
    {"net_data": "spirals", "net_samples": "8", "net_batch_size": "6"}, {"net_steps": "1"}, {"net_data": "nothing"},
    {"net_steps": "-4"}, {"net_shown": "37"}, {"net_layer": "9"}, {"net_treatment": "none", "net_shift": "100"},
    {"net_optimizer": "adam", "net_learning_rate": "10"}, {"net_initialization": "he", "net_loss": "squared"}])
def test_every_kind_of_network_is_drawn(query):
    app = opened(**{**SMALL, **query})
    assert len(figures(app)) == 9
    for figure in figures(app):
        go.Figure(figure)


def test_the_steps_proposed_are_within_the_budget():
    query = {"net_layers": "128-128", "net_steps": "100000", "net_batch_size": "64"}
    largest = int(opened(**query).warning[0].value.split("**Steps** to ")[1].split()[0])
    spec = NetworkExperiment(layers="128-128", batch_size=64)
    assert network_runs._within_budget(spec, largest)
    assert not network_runs._within_budget(spec, round(1.11 * largest) + 1)


def test_batch_norm_of_one_sample_gets_a_warning():
    app = opened(**{**SMALL, "net_normalization": "batch_norm", "net_batch_size": "1"})
    assert "all samples look alike" in app.warning[0].value and len(figures(app)) == 9


def test_a_diverged_run_says_when():
    app = opened(**{**SMALL, "net_loss": "squared", "net_activation": "identity", "net_learning_rate": "10",
                    "net_shown": "100", "net_steps": "400"})
    assert "Diverged at step" in app.warning[0].value and "It diverges at step" in str(figures(app)[0]["layout"])
    assert any("has diverged" in part.value for part in app.info)


def test_the_sidebar_changes_nothing():
    assert figures(opened(**SMALL)) == figures(opened(**SMALL, activation="tanh", steps="77", batch_size="3"))


def test_the_activations_are_compared_when_asked_for(monkeypatch):
    monkeypatch.setattr(network_runs, "COMPARED_STEPS", 20)
    app = opened(**SMALL, net_seed="5")
    assert "76 trainings" in text(app)
    next(button for button in app.button if button.label == "Compare the activations").click().run()
    assert not app.exception and len(figures(app)) == 11
    assert "After 20 steps at its own best rate" in text(app) and "Zero-centering alone" in text(app)
    assert list(app.dataframe[0].value["activation"]) == ["sigmoid", "sigmoid − ½", "tanh", "ReLU"]
    assert not any(button.label == "Compare the activations" for button in app.button)


def test_the_calculator_says_one_line():
    app = opened(**SMALL, calc_width="64", calc_batch="16")
    line = next(part.value for part in app.markdown if part.value.startswith("**κ"))
    assert "**κ = 370**" in line and "**3.2** with one sample" in line and "**22** with 16" in line
    app.selectbox(key="calc_activation").set_value("tanh").run()
    assert any("**κ = 1**" in part.value for part in app.markdown)
    assert "independent features" in "".join(caption.value for caption in app.caption)


def test_a_link_carries_the_networks_own_fields(monkeypatch):
    monkeypatch.setattr(network_runs.st, "query_params", _Query(steps="7", net_steps="9", calc_width="8",
                                                                         net_shown="70"))
    link = network_runs.permalink(SPEC)
    assert "net_data=wine" in link and "net_steps=60" in link and "calc_width=8" in link and "net_shown=70" in link
    assert "&steps=" not in link and "?steps=" not in link and "net_steps=9" not in link


class _Query(dict):
    def get_all(self, name: str) -> list[str]:
        return [self[name]]


def test_the_code_and_the_table_repeat_the_run():
    names = {}
    exec(network_runs.code(SPEC).replace("\nrun.losses", "\n_ = run.losses"), names)
    run = train(SPEC)
    np.testing.assert_array_equal(names["run"].losses, run.losses)
    table = network_runs.table(run)
    assert len(table) == 60 and np.array_equal(table["layer2_unanimous_rows"], run.unanimous_rows[0, :, 1])


def test_a_stopped_training_shows_what_is_there():
    ticket = network_runs.Ticket(SPEC)
    ticket.run, ticket.stopped = train(SPEC, progress=lambda step, so_far: False), True
    ticket.ended.set()
    app = AppTest.from_file(PAGE, default_timeout=60)
    for name, value in SMALL.items():
        app.query_params[name] = value
    app.session_state["_net_ticket"] = ticket
    app.run()
    assert not app.exception and "stopped at step" in app.info[0].value and len(figures(app)) == 9
    next(button for button in app.button if button.label == "Train to the end").click().run()
    assert not app.exception and not app.info


def test_rising_and_falling_shares_are_told_apart():
    start = train(NetworkExperiment(data="breast_cancer", layers="16-16-16", steps=1))
    shares = shares_by_batch(start, 0)
    assert "agree again" in words.share_title(shares)
    tanh = train(NetworkExperiment(data="wine", activation="tanh", steps=1))
    assert words.share_title(shares_by_batch(tanh, 0)) == "The signs of a row are mixed at every batch size"


def test_the_start_is_told_with_its_own_reason():
    run = train(NetworkExperiment(data="breast_cancer", layers="16-16-16", steps=100))
    start, later, why = shares_by_batch(run, 0), shares_by_batch(run, 96), reasons(run, 0)
    sentence = words.start_sentence(start, later, why, 96)
    assert sentence.startswith("**At the start averaging raises it**: in layer 2")
    assert ("By step 96" in sentence) == (later.unanimous[-1, 1] < start.unanimous[-1, 1] - 0.05)
    tanh = shares_by_batch(train(NetworkExperiment(data="wine", activation="tanh", steps=1)), 0)
    assert words.start_sentence(tanh, tanh, why, 1) == ""
    # a mean residual as large as its spread decides at once, not "from 0.28 samples on"
    at_once = words.start_sentence(start, later, [each._replace(offset=1.9) for each in why], 96)
    assert "enough from a single sample on" in at_once
    large = words.start_sentence(start, later, [each._replace(offset=0.0283) for each in why], 96)
    assert "enough from about 1,200 samples on" in large
