"""What a visitor writes as an axis of a sweep becomes its values, or a sentence."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zz_core import Experiment
from zz_core.sweep import Grid
from zz_view.sweep_axes import FIELDS, is_log, parsed, shown, usual


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_has_usual_values_that_a_grid_takes_and_that_can_be_written(name):
    values = usual(name, Experiment())
    assert len(values) >= 2 and Grid(Experiment(), {name: values}, 1).axes[name] == values
    assert parsed(name, shown(values)) == values


@pytest.mark.parametrize("name, text, values", [
    ("batch_size", "1, 4,16", [1, 4, 16]), ("batch_size", "1 to 9, 3 values", [1, 5, 9]),
    ("batch_size", "1 to 256, 9 values, log", [1, 2, 4, 8, 16, 32, 64, 128, 256]),
    ("learning_rate", "0.01 to 1, 3, log", [0.01, 0.1, 1.0]), ("learning_rate", "0.1 to 0.3 3", [0.1, 0.2, 0.3]),
    ("activation", "relu, tanh", ["relu", "tanh"]), ("bias", "True,false", [True, False]),
    ("seed", "3, 3, 3", [3]), ("input_mean", "-1 to 1, 3", [-1.0, 0.0, 1.0])])
def test_lists_and_ranges_are_read(name, text, values):
    assert parsed(name, text) == values


@pytest.mark.parametrize("name, text, words", [
    ("batch_size", "1, x", "batch_size=x: must be"), ("batch_size", "0", "must be a whole number"),
    ("batch_size", " , ", "at least one|must be"), ("learning_rate", "a to b", "a range is written like"),
    ("learning_rate", "0 to 1, 5, log", "above 0"), ("learning_rate", "0.1 to 99", "learning_rate=12.4625"),
    ("activation", "magic", "must be one of"), ("data_seed", ",".join(map(str, range(60))), "at most 50"),
    ("learning_rate", "0.1 to 1, 99", "1 to 50")])
def test_what_cannot_be_read_is_a_sentence(name, text, words):
    with pytest.raises(ValueError, match=words):
        parsed(name, text)


@given(st.sampled_from(FIELDS), st.text(max_size=30))
def test_nothing_that_is_typed_is_anything_but_values_or_a_value_error(name, text):
    try:
        assert Grid(Experiment(), {name: parsed(name, text)}, 1)
    except ValueError:
        pass


def test_wide_ranges_of_positive_numbers_are_drawn_on_a_log_axis():
    assert is_log([1, 4, 16]) and not is_log([1, 2, 3]) and not is_log([0, 10, 100]) and not is_log(["a", "b", "c"])
