"""Experiment: what it refuses and how it says so, its form as a URL query, and the fields that do not matter."""
import dataclasses
import math
import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.strategies import MOSTLY, as_numpy, experiments, fields
from zz_core import Experiment, simulate
from zz_core.datasets import REAL
from zz_core.experiment import BOUNDS, CHOICES, DEFAULTS, FIELD_TYPES, ignored_fields, parse

DESIGNED = {  # the defaults that links and other programs rely on
    "inputs": "gaussian", "activation": "sigmoid", "input_mean": 0.0, "input_std": 1.0, "dimensions": 2, "samples": 256,
    "treatment": "none", "target": "teacher", "target_angle": 90.0, "distance": 2.0, "noise": 0.0, "bias": False,
    "start_bias": 0.0, "start_along": 0.0, "start_across": 0.0, "loss": "squared", "optimizer": "sgd",
    "learning_rate": 0.25, "rate_unit": "critical", "momentum": 0.9, "decay": 0.999, "damping": 0.1,
    "batch_size": 1, "sampling": "replacement",
    "schedule": "constant", "steps": 200, "seed": 0, "data_seed": 0}
DESIGNED_CHOICES = {
    "inputs": {"gaussian", "uniform", "exponential", "factorial", "one_hot", "digits", "breast_cancer", "wine"},
    "activation": {"identity", "sigmoid", "centered_sigmoid", "tanh", "scaled_tanh", "relu", "leaky_relu", "elu",
                   "gelu", "silu", "softplus"},
    "treatment": {"none", "center", "standardize", "whiten", "batch_norm", "layer_norm", "rms_norm", "input_bias"},
    "target": {"teacher", "labels"},
    "loss": {"squared", "logistic", "sigmoid_squared"},
    "optimizer": {"sgd", "momentum", "nesterov", "rmsprop", "adam", "steepest_descent", "gauss_newton",
                  "levenberg_marquardt"},
    "rate_unit": {"critical", "absolute"},
    "sampling": {"replacement", "epoch"},
    "schedule": {"constant", "cosine", "inverse_sqrt"}}
NUMBERS = [name for name, kind in FIELD_TYPES.items() if kind in (int, float)]


def refusal(**values) -> str:
    """The message with which an experiment is refused."""
    with pytest.raises(ValueError) as caught:
        Experiment(**values)
    return str(caught.value)


def test_fields_and_defaults_are_the_designed_ones():
    assert dataclasses.asdict(Experiment()) == DESIGNED
    assert list(DEFAULTS) == list(DESIGNED)
    assert set(MOSTLY) == set(DESIGNED)  # the random experiments cover every field


def test_all_designed_choices_exist():
    for name, options in DESIGNED_CHOICES.items():
        assert options <= set(CHOICES[name]), name


@pytest.mark.parametrize("name", CHOICES)
def test_an_unknown_choice_is_refused_by_name_value_and_options(name):
    message = refusal(**{name: "nonsense"})
    assert message.startswith(f"{name}=nonsense: must be one of ")
    assert all(option in message for option in CHOICES[name])


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("side", [0, 1])
def test_a_number_out_of_bounds_is_refused_by_name_value_and_range(name, side):
    end = BOUNDS[name][side]
    whole = FIELD_TYPES[name] is int
    beyond = int(end) + 2 * side - 1 if whole else float(np.nextafter(end, math.inf * (side - 0.5)))
    message = refusal(**{name: beyond})
    assert message.startswith(f"{name}={beyond}: must be a ")
    assert f"{BOUNDS[name][0]:g}" in message and f"{BOUNDS[name][1]:.10g}" in message
    assert ("whole" in message) == whole


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "1", True, [1], 1j, np.nan, np.array([1, 2])])
def test_what_is_no_number_is_refused(name, value):
    assert refusal(**{name: value}).startswith(f"{name}=")


@pytest.mark.parametrize("name", [name for name, kind in FIELD_TYPES.items() if kind is int])
def test_a_fraction_is_no_whole_number(name):
    for value in (BOUNDS[name][0] + 0.5, float(BOUNDS[name][0] + 1), np.float64(BOUNDS[name][0] + 1)):
        assert "whole number" in refusal(**{name: value})


@pytest.mark.parametrize("value", [0, 1, "true", None, 1.0])
def test_only_booleans_are_booleans(value):
    assert "bias=" in refusal(bias=value) and "true or false" in refusal(bias=value)


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("value", [None, 3, ["sgd"], "", "SGD", b"sgd", np.array(["sgd", "adam"])])
def test_what_is_no_option_is_refused(name, value):
    assert refusal(**{name: value}).startswith(f"{name}=")


@pytest.mark.parametrize(("values", "field", "words"), [
    ({"batch_size": 300}, "batch_size=300", "256"),
    ({"inputs": "factorial", "dimensions": 3, "batch_size": 9}, "batch_size=9", "8"),
    ({"inputs": "one_hot", "dimensions": 5, "samples": 12, "batch_size": 11}, "batch_size=11", "10"),
    ({"inputs": "wine", "samples": 500, "batch_size": 179}, "batch_size=179", "178"),
    ({"inputs": "factorial", "dimensions": 13}, "dimensions=13", "12"),
    ({"inputs": "digits", "dimensions": 62}, "dimensions=62", "61"),
    ({"inputs": "breast_cancer", "dimensions": 31}, "dimensions=31", "30"),
    ({"inputs": "wine", "dimensions": 14}, "dimensions=14", "13"),
    ({"inputs": "one_hot", "dimensions": 5, "samples": 4}, "samples=4", "5"),
    ({"dimensions": 1, "target_angle": 90.0}, "target_angle=90", "0 or 180"),
    ({"dimensions": 1, "target_angle": 0.0, "treatment": "layer_norm"}, "dimensions=1", "2"),
    ({"dimensions": 3, "samples": 4, "noise": 0.5}, "noise=0.5", "4"),
    ({"dimensions": 1024, "samples": 65536}, "samples=65536", "32768"),
])
def test_impossible_combinations_name_a_field_its_value_and_what_would_do(values, field, words):
    message = refusal(**values)
    assert message.startswith(field) and words in message


@pytest.mark.parametrize("inputs", REAL)
def test_all_columns_and_rows_of_real_data_can_be_used(inputs):
    data = REAL[inputs]
    whole = Experiment(inputs=inputs, dimensions=data.varying, samples=65536, batch_size=data.rows)
    assert whole.rows == data.rows and whole.full_batch


def test_labels_free_the_fields_of_the_teacher():
    """One dimension has no angle, four samples no room for noise; labels need neither."""
    Experiment(inputs="wine", target="labels", dimensions=1)
    Experiment(inputs="wine", target="labels", dimensions=3, samples=4, noise=0.5)


def test_experiments_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Experiment().steps = 3


@given(experiments())
def test_equal_experiments_hash_equal_and_pickle(experiment):
    twin = Experiment(**dataclasses.asdict(experiment))
    assert twin == experiment and hash(twin) == hash(experiment) and len({twin, experiment}) == 1
    assert pickle.loads(pickle.dumps(experiment)) == experiment


@given(experiments())
def test_numpy_scalars_become_plain_ones(experiment):
    """Or a cache would hold the same experiment twice."""
    values = dataclasses.asdict(experiment)
    twin = Experiment(**{name: as_numpy(value) for name, value in values.items()})
    assert twin == experiment and hash(twin) == hash(experiment)
    assert {name: type(value) for name, value in dataclasses.asdict(twin).items()} == FIELD_TYPES


def test_whole_numbers_are_accepted_for_floats():
    assert Experiment(noise=1) == Experiment(noise=1.0)
    assert type(Experiment(noise=1).noise) is float


@given(experiments())
@settings(max_examples=300)
def test_query_round_trip(experiment):
    query = experiment.to_query()
    assert Experiment.from_query(query) == experiment
    assert all(type(key) is str and type(value) is str for key, value in query.items())
    assert set(query) == {name for name, value in dataclasses.asdict(experiment).items() if value != DEFAULTS[name]}


@given(fields())
@settings(max_examples=300)
def test_experiments_are_either_made_or_refused_by_a_field_that_exists(values):
    try:
        Experiment(**values)
    except ValueError as error:
        field, _, rest = str(error).partition("=")
        assert field in DESIGNED
        assert rest.partition(":")[2].startswith(" must be ") or rest.partition(":")[2].startswith(" must lie in ")


def test_the_query_of_the_defaults_is_empty():
    assert Experiment().to_query() == {}
    assert Experiment.from_query({}) == Experiment()


def test_the_query_is_plain_to_read():
    experiment = Experiment(inputs="digits", bias=True, learning_rate=0.1, steps=1000, target_angle=45)
    assert experiment.to_query() == {"inputs": "digits", "bias": "true", "learning_rate": "0.1", "steps": "1000",
                                     "target_angle": "45.0"}


def test_foreign_keys_are_left_to_their_owners():
    assert Experiment.from_query({"net_layers": "32-32", "page": "2", "steps": "7"}) == Experiment(steps=7)


@pytest.mark.parametrize(("name", "text", "words"), [
    ("steps", "many", "whole number in [1, 100000]"), ("steps", "1.5", "whole number"), ("steps", "", "whole number"),
    ("steps", "0", "[1, 100000]"), ("noise", "nan", "number in [0, 100]"), ("noise", "inf", "number in [0, 100]"),
    ("noise", "abc", "number in [0, 100]"), ("bias", "True", "true or false"), ("bias", "1", "true or false"),
    ("optimizer", "Adam", "sgd, momentum"), ("seed", "9" * 30, "2147483647")])
def test_a_bad_query_value_is_refused_by_name_value_and_range(name, text, words):
    for read in (lambda: parse(name, text), lambda: Experiment.from_query({name: text})):
        with pytest.raises(ValueError) as caught:
            read()
        assert str(caught.value).startswith(f"{name}={text}: ") and words in str(caught.value)


@given(st.sampled_from(list(FIELD_TYPES)), st.text(max_size=12))
def test_any_text_is_read_or_refused(name, text):
    try:
        assert type(parse(name, text)) is FIELD_TYPES[name]
    except ValueError as error:
        assert str(error).startswith(f"{name}=")


# --- fields that do not matter -----------------------------------------------------------------------------------

def same_run(first, second) -> bool:
    parts = [(run.weights, run.biases, run.input_biases, run.targets, run.inputs, run.optimum, run.diverged_at)
             for run in (first, second)]
    return all((a is None and b is None) or np.array_equal(a, b, equal_nan=True) for a, b in zip(*parts, strict=True))


@given(experiments(), st.data())
@settings(max_examples=120)
def test_changing_an_ignored_field_does_not_change_the_run(experiment, data):
    ignored = ignored_fields(experiment)
    assume(ignored)
    name = data.draw(st.sampled_from(sorted(ignored)))
    value = data.draw(MOSTLY[name])
    try:
        first = simulate(experiment, 2)
    except ValueError:
        assume(False)
    changed = dataclasses.replace(experiment, **{name: value})  # never refused: the field does not matter
    assert same_run(first, simulate(changed, 2)), f"{name}={value} changes the run"


@given(experiments())
def test_ignored_fields_are_fields_with_a_reason(experiment):
    for name, reason in ignored_fields(experiment).items():
        assert name in DESIGNED and len(reason) > 10


CHANGES = {  # one that matters to the ordinary run below
    "inputs": "uniform", "activation": "tanh", "input_mean": 0.5, "input_std": 2.0, "dimensions": 3, "samples": 20,
    "treatment": "center", "target_angle": 30.0, "distance": 1.0, "noise": 0.5, "bias": True, "start_bias": 1.0,
    "start_along": 1.0, "start_across": 1.0, "loss": "logistic", "optimizer": "adam",
    "learning_rate": 0.5, "rate_unit": "absolute", "momentum": 0.5,
    "decay": 0.9, "damping": 1.0, "batch_size": 2, "sampling": "epoch", "schedule": "cosine", "steps": 9, "seed": 5,
    "data_seed": 5, "target": "labels"}
SHOWN_BY = {"start_bias": {"bias": True}, "momentum": {"optimizer": "momentum"}, "decay": {"optimizer": "adam"},
            "damping": {"optimizer": "levenberg_marquardt"}, "target": {"inputs": "wine"}}


@pytest.mark.parametrize("name", DESIGNED)
def test_a_field_that_is_not_ignored_changes_the_run(name):
    base = Experiment(steps=8, samples=30, **SHOWN_BY.get(name, {}))
    assert name not in ignored_fields(base)
    assert not same_run(simulate(base), simulate(dataclasses.replace(base, **{name: CHANGES[name]})))


@pytest.mark.parametrize(("values", "names"), [
    ({}, {"target", "start_bias", "momentum", "decay", "damping"}),
    ({"inputs": "wine"}, {"activation", "input_mean", "input_std"}),
    ({"inputs": "factorial"}, {"samples", "data_seed"}),
    ({"inputs": "wine", "target": "labels"}, {"target_angle", "distance", "noise"}),
    ({"optimizer": "steepest_descent"}, {"learning_rate", "rate_unit", "schedule"}),
    ({"optimizer": "adam"}, {"rate_unit"}),
    ({"batch_size": 256}, {"seed", "sampling"})])
def test_the_known_reasons_to_ignore(values, names):
    assert names <= set(ignored_fields(Experiment(**values)))
