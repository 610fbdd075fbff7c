"""The exported NumPy programs are run, and have to arrive at the weights of the run that they claim to repeat."""
import itertools
import sys
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis.strategies import sampled_from

from tests.programs import REAL, assert_repeats, data_sets  # noqa: F401
from tests.strategies import experiments
from zz_core import Experiment, simulate
from zz_core.activations import ACTIVATIONS
from zz_core.experiment import CHOICES
from zz_core.inputs import INPUTS
from zz_core.losses import LOSSES
from zz_core.optimizers import OPTIMIZERS
from zz_core.schedules import SCHEDULES
from zz_core.treatments import TREATMENTS
from zz_view.exports import pieces
from zz_view.exports.programs import numpy_script

pytestmark = pytest.mark.usefixtures("data_sets")


@pytest.mark.parametrize("registry, table", [
    (INPUTS, pieces.SOURCES), (ACTIVATIONS, pieces.ACTIVATIONS), (TREATMENTS, pieces.TREATMENTS),
    (LOSSES, pieces.LOSSES), (OPTIMIZERS, pieces.OPTIMIZERS), (SCHEDULES, pieces.SCHEDULES),
], ids=["inputs", "activations", "treatments", "losses", "optimizers", "schedules"])
def test_every_choice_has_its_piece_of_code(registry, table):
    missing, left_over = set(registry) - set(table), set(table) - set(registry)
    assert not missing, f"zz_view/exports/pieces.py has no code for {', '.join(sorted(missing))}: add it there"
    assert not left_over, f"zz_view/exports/pieces.py has code for {', '.join(sorted(left_over))}, which is gone"


BATCHES = (1, 5, 24)


@pytest.mark.parametrize("batch_size", BATCHES)
@pytest.mark.parametrize("field, value", [(field, value) for field in
                                          ("inputs", "activation", "treatment", "loss", "optimizer", "schedule",
                                           "sampling", "rate_unit") for value in CHOICES[field]])
def test_every_choice_is_repeated(field, value, batch_size):
    experiment = Experiment(dimensions=3, samples=24, steps=40, seed=5, data_seed=2)
    experiment = replace(experiment, **{field: value})
    assert_repeats(replace(experiment, batch_size=min(batch_size, experiment.rows)))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("treatment, optimizer, loss", list(itertools.product(TREATMENTS, OPTIMIZERS, LOSSES)))
def test_every_treatment_rule_and_loss_go_together(treatment, optimizer, loss, bias):
    experiment = Experiment(dimensions=3, samples=24, steps=25, treatment=treatment, optimizer=optimizer, loss=loss,
                            bias=bias, start_bias=0.5, noise=0.2,
                            learning_rate=0.25 if OPTIMIZERS[optimizer].critical else 0.05)
    for batch_size in BATCHES:
        # Gauss-Newton divides by the curvature, which may be singular but for the rounding
        assert_repeats(replace(experiment, batch_size=batch_size), forgiving=optimizer == "gauss_newton")


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("more", [{}, {"target": "labels"}, {"target": "labels", "treatment": "standardize"},
                                  {"noise": 0.3, "treatment": "center"}, {"samples": 65536, "data_seed": 4},
                                  {"target": "labels", "loss": "logistic", "treatment": "batch_norm",
                                   "batch_size": 16}])
def test_real_data_are_repeated(name, more):
    assert_repeats(Experiment(inputs=name, dimensions=REAL[name], steps=60, **{"samples": 100, **more}))


@pytest.mark.parametrize("name", REAL)
def test_real_data_are_those_of_scikit_learn(name, monkeypatch):
    monkeypatch.delitem(sys.modules, "sklearn")
    monkeypatch.delitem(sys.modules, "sklearn.datasets")
    pytest.importorskip("sklearn.datasets", exc_type=ImportError)
    assert_repeats(Experiment(inputs=name, dimensions=REAL[name], target="labels", steps=20, samples=120))


@pytest.mark.parametrize("angle", [0.0, 45.0, 90.0, 180.0, 270.0])
@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_every_target_is_repeated(angle, dimensions):
    if dimensions > 1 or angle in (0.0, 180.0):
        assert_repeats(Experiment(dimensions=dimensions, target_angle=angle, distance=1.5))


def test_columns_and_directions_without_spread_are_repeated():
    """relu far to the left leaves only zeros, and one-hot inputs add up to one."""
    for treatment in ("standardize", "whiten", "batch_norm"):
        assert_repeats(Experiment(inputs="one_hot", dimensions=4, samples=16, treatment=treatment, batch_size=4))
        assert_repeats(Experiment(activation="relu", input_mean=-1.5, dimensions=8, samples=12, data_seed=3,
                                  treatment=treatment, batch_size=4))


def test_a_diverging_run_is_repeated_to_its_end():
    experiment = Experiment(learning_rate=3.0, batch_size=256, steps=1000)
    assert simulate(experiment).diverged_at[0] > 0
    assert_repeats(experiment)
    assert "diverged" not in numpy_script(simulate(Experiment()))


def test_samples_without_any_ink_have_no_mean_direction():
    experiment = Experiment(inputs="digits", dimensions=2, samples=2, data_seed=2562, rate_unit="absolute")
    assert not simulate(experiment).inputs.any()
    assert_repeats(experiment)


# the fixture only answers for scikit-learn: it need not be new for each example
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(experiments(inputs=sampled_from(list(INPUTS))))
def test_any_run_is_repeated(experiment):
    try:
        simulate(experiment)
    except ValueError:  # inputs that are all zero, or that fit any targets
        assume(False)
    assert_repeats(experiment, forgiving=True)
