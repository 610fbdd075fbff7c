"""The sidebar: every field has its control, the URL its say, and every sentence its cause."""
import json

import pytest
from streamlit.testing.v1 import AppTest

from zz_core import Experiment
from zz_core.experiment import BOUNDS, CHOICES, DEFAULTS, FIELD_TYPES
from zz_view.fields import COMMON, FOLDED, HELP, TRACKS, help_text, label, on_track
from zz_view.rate_zone import zone, zone_words

EVERY_FIELD = {  # one value each that is not the default, possible together with all the others
    "inputs": "digits", "activation": "tanh", "input_mean": 0.3, "input_std": 2.0, "dimensions": 5, "samples": 100,
    "treatment": "center", "target": "labels", "target_angle": 33.0, "distance": 1.5, "noise": 0.2, "bias": True,
    "start_bias": -1.0, "start_along": 0.5, "start_across": -0.25, "loss": "logistic", "optimizer": "adam",
    "learning_rate": 0.0123, "rate_unit": "absolute",
    "momentum": 0.8, "decay": 0.99, "damping": 2.0, "batch_size": 10, "sampling": "epoch", "schedule": "cosine",
    "steps": 50, "seed": 7, "data_seed": 8,
}


def a_page():
    import json

    import streamlit as st

    from zz_view import controls

    experiment = controls.current()
    st.text(json.dumps(experiment.to_query()))


def visit(**query: str) -> AppTest:
    at = AppTest.from_function(a_page, default_timeout=30)
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    return at


def experiment_of(at: AppTest) -> Experiment:
    return Experiment.from_query(json.loads(at.text[0].value))


def control(at: AppTest, name: str):
    """Whatever widget draws this field."""
    kinds = (at.slider, at.number_input, at.selectbox, at.button_group, at.toggle)
    found = [widget for kind in kinds for widget in kind if widget.key == name]
    assert len(found) == 1, name
    return found[0]


def sentences(at: AppTest) -> str:
    return "\n".join(alert.value for kind in (at.info, at.warning) for alert in kind)


def test_every_field_has_one_place_a_help_text_and_a_control():
    placed = [name for rows in (COMMON, *FOLDED.values()) for row in rows for name in row]
    assert sorted(placed) == sorted(DEFAULTS) == sorted(HELP) == sorted(EVERY_FIELD)
    at = visit()
    for name in DEFAULTS:
        assert control(at, name).value == DEFAULTS[name]
        assert control(at, name).label == label(name)
    assert experiment_of(at) == Experiment()


def test_sliders_hold_their_defaults_and_stay_within_the_bounds():
    for name, (low, high, _) in TRACKS.items():
        assert BOUNDS[name][0] <= low < high <= BOUNDS[name][1]
        assert on_track(name, DEFAULTS[name]) and on_track(name, low) and on_track(name, high)
    assert not on_track("target_angle", 33.0)  # between two steps
    assert not on_track("learning_rate", 5.0)


@pytest.mark.parametrize("name", [name for name in CHOICES if name in ("inputs", "activation", "treatment", "loss")])
def test_options_show_their_keys_and_explain_them_in_the_help(name):
    at = visit()
    assert tuple(control(at, name).options) == CHOICES[name]
    assert all(f"`{key}`" in help_text(name) for key in CHOICES[name])


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_link_sets_the_field(name):
    value = EVERY_FIELD[name]
    query = {name: str(value).lower() if isinstance(value, bool) else str(value)}
    at = visit(**query)
    assert experiment_of(at) == Experiment(**{name: value})
    assert sentences(at) == ""


def test_a_link_sets_all_fields_together():
    experiment = Experiment(**EVERY_FIELD)
    at = visit(**experiment.to_query())
    assert experiment_of(at) == experiment
    assert sentences(at) == ""


@pytest.mark.parametrize("name", [name for name in BOUNDS if name not in ("dimensions", "samples", "batch_size")])
@pytest.mark.parametrize("end", [0, 1])
def test_a_link_reaches_both_ends_of_the_bounds(name, end):
    value = FIELD_TYPES[name](BOUNDS[name][end])
    at = visit(**{name: str(value)})
    assert experiment_of(at) == Experiment(**{name: value})


@pytest.mark.parametrize("name, text, used", [
    ("steps", "abc", "200"), ("learning_rate", "99", "0.25"), ("learning_rate", "nan", "0.25"),
    ("activation", "foo", "sigmoid"), ("bias", "maybe", "false"), ("seed", "-1", "0"), ("batch_size", "8.5", "8"),
    ("target_angle", "400", "90.0"), ("rate_unit", "furlongs", "critical"), ("noise", "", "0.0"),
])
def test_a_bad_value_of_a_link_is_replaced_with_a_sentence(name, text, used):
    at = visit(**{name: text})
    assert str(getattr(experiment_of(at), name)) == {"false": "False"}.get(used, used)  # said as a link spells it
    assert label(name).lower() in sentences(at) and f"`{used}` is used instead" in sentences(at)


def test_every_bad_value_has_its_sentence_and_good_ones_are_taken():
    at = visit(steps="abc", learning_rate="99", batch_size="8", unknown="1")
    assert experiment_of(at) == Experiment(batch_size=8)
    assert sentences(at).count("is used instead") == 2


def test_the_sentence_stays_until_its_field_changes():
    at = visit(steps="abc")
    control(at, "seed").set_value(3)
    at.run()
    assert "steps `abc`" in sentences(at)
    control(at, "steps").set_value(300)
    at.run()
    assert sentences(at) == ""
    control(at, "steps").set_value(200)
    at.run()
    assert sentences(at) == ""


def test_markup_in_a_link_is_shown_as_text():
    at = visit(activation="[click](http://x.example)`**`")
    assert "`[click](http://x.example)**`" in sentences(at)


def test_numbers_written_in_other_ways_are_not_bad():
    at = visit(learning_rate="5e-1", target_angle="45.0", bias="TRUE", steps="1000.0")
    assert experiment_of(at) == Experiment(learning_rate=0.5, target_angle=45.0, bias=True, steps=1000)
    assert sentences(at) == ""


@pytest.mark.parametrize("query, words", [
    ({"samples": "16", "batch_size": "64"}, "**Batch size** is `64`, but it must be at most 16"),
    ({"inputs": "wine", "dimensions": "40"}, "**Dimensions** is `40`, but it must lie between 1 and 13"),
    ({"dimensions": "1"}, "**Target angle** is `90`, but it must be 0 or 180"),
])
def test_an_impossible_combination_gives_a_sentence_and_changes_nothing(query, words):
    at = visit(**query)
    assert words in sentences(at)
    assert len(at.text) == 0  # the page stopped
    for name, text in query.items():
        assert str(control(at, name).value) == text


def test_an_impossible_combination_can_be_left_again():
    at = visit(samples="16", batch_size="64")
    control(at, "samples").set_value(128)
    at.run()
    assert experiment_of(at) == Experiment(samples=128, batch_size=64)


def test_what_does_not_apply_is_disabled_with_its_reason_and_keeps_its_value():
    at = visit(activation="tanh", momentum="0.5")
    assert control(at, "momentum").disabled and "does not use it" in control(at, "momentum").help
    assert control(at, "target").disabled and not control(at, "activation").disabled
    control(at, "inputs").set_value("wine")
    at.run()
    assert control(at, "activation").disabled and not control(at, "target").disabled
    control(at, "optimizer").set_value("momentum")
    control(at, "inputs").set_value("gaussian")
    at.run()
    assert not control(at, "momentum").disabled
    assert experiment_of(at) == Experiment(activation="tanh", momentum=0.5, optimizer="momentum")


def test_numbers_can_be_typed_instead_of_dragged():
    at = visit(target_angle="45", momentum="0.5")
    at.toggle(key="_typed").set_value(True)
    at.run()
    assert experiment_of(at) == Experiment(target_angle=45.0, momentum=0.5)
    at.number_input(key="learning_rate").set_value(0.001)
    at.run()
    assert experiment_of(at).learning_rate == 0.001


def test_reset_restores_every_default():
    at = visit(**(Experiment(**EVERY_FIELD).to_query() | {"steps": "abc"}))
    at.button(key="_reset_button").click()
    at.run()
    assert experiment_of(at) == Experiment()
    assert sentences(at) == ""


@pytest.mark.parametrize("fraction, word", [(0.25, "Calm"), (0.5, "Zig-zag"), (1.0, "Zig-zag"), (1.01, "Can diverge")])
def test_the_zones_meet_at_half_the_limit_and_at_the_limit(fraction, word):
    assert word in zone(fraction)


def test_the_zone_of_an_absolute_rate_is_that_of_its_fraction():
    fraction = zone_words(Experiment(learning_rate=0.8))
    rate = float(fraction.split("rate is ")[1].split(",")[0])
    absolute = zone_words(Experiment(learning_rate=rate, rate_unit="absolute"))
    assert "Zig-zag" in fraction and "Zig-zag" in absolute and "80 % of the stability limit" in absolute


@pytest.mark.parametrize("optimizer, words", [
    ("adam", "0.05"), ("rmsprop", "0.05"), ("gauss_newton", "full step"), ("levenberg_marquardt", "full step"),
    ("steepest_descent", "finds its own"),
])
def test_rules_without_a_stability_limit_say_so(optimizer, words):
    assert words in zone_words(Experiment(optimizer=optimizer))


def test_no_zone_is_claimed_for_what_the_page_refuses():
    at = visit(samples="16", batch_size="64")
    assert not any("limit" in markdown.value for markdown in at.markdown)
