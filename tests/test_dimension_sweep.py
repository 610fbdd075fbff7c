"""Condition numbers and steps by dimension, against the closed form, the data sets themselves and real runs."""
import math

import numpy as np
import pytest

from zz_core import Experiment, dimension_sweep, simulate
from zz_core.dimension_sweep import sweep_dimensions
from zz_core.measures import steps_to_tolerance
from zz_core.stability import condition, eigenvalues
from zz_core.task import build_task


@pytest.mark.parametrize("fields", [{}, {"inputs": "uniform", "activation": "relu", "input_mean": 1.0},
                                    {"inputs": "factorial"}, {"inputs": "digits", "dimensions": 9}], ids=str)
def test_raw_inputs_are_those_of_the_task(fields):
    experiment = Experiment(data_seed=3, **fields)
    np.testing.assert_array_equal(dimension_sweep.raw_inputs(experiment), build_task(experiment).raw)


def test_the_factorial_design_has_the_closed_form_in_every_dimension():
    found = sweep_dimensions(Experiment(inputs="factorial"), "center")
    np.testing.assert_array_equal(found.dimensions, [2, 4, 8])
    np.testing.assert_allclose(found.condition, [[9, 17, 33], [1, 1, 1]])
    np.testing.assert_allclose(found.closed_form, found.condition)


@pytest.mark.parametrize("angle", [0.0, 45.0, 90.0])
def test_predicted_steps_are_those_of_the_full_batch(angle):
    found = sweep_dimensions(Experiment(inputs="factorial"), "center").steps(0.25, math.radians(angle))
    for k, treatment in enumerate(("none", "center")):
        experiment = Experiment(inputs="factorial", dimensions=8, treatment=treatment, batch_size=256, steps=400,
                                target_angle=angle)
        run = simulate(experiment)
        assert found[k, -1] == steps_to_tolerance(run.weights, run.optimum, 0.01)[0]


def test_random_inputs_have_the_condition_of_their_data(monkeypatch):
    monkeypatch.setattr(dimension_sweep, "LARGEST_DIMENSION", 8)
    found = sweep_dimensions(Experiment(activation="relu"), "center")
    for k, treatment in enumerate(("none", "center")):
        experiment = Experiment(activation="relu", dimensions=8, samples=128, treatment=treatment)
        assert found.condition[k, -1] == pytest.approx(condition(eigenvalues(experiment, build_task(experiment))))
    np.testing.assert_allclose(found.closed_form[0], 1 + found.dimensions / (math.pi - 1))  # of a rectified normal


def test_sampling_alone_makes_a_condition_number():
    """Sixteen samples a dimension: the data's eigenvalues spread from (3/4)² to (5/4)² times the variance."""
    found = sweep_dimensions(Experiment(), "center")
    assert dimension_sweep.sampling_condition(16, 1) == pytest.approx(25 / 9)
    assert found.condition[1, -1] == pytest.approx(25 / 9, rel=0.05)
    assert found.condition[0, -1] / found.closed_form[0, -1] == pytest.approx(16 / 9, rel=0.05)
    assert dimension_sweep.sampling_condition(4, 4) == math.inf


@pytest.mark.parametrize("inputs, last", [("digits", 32), ("wine", 8), ("breast_cancer", 16)])
def test_real_data_end_where_their_columns_do(inputs, last):
    found = sweep_dimensions(Experiment(inputs=inputs), "standardize")
    assert found.dimensions[-1] == last and (found.condition[0] >= 1).all()
    experiment = Experiment(inputs=inputs, dimensions=last, samples=16 * last)
    assert found.condition[0, -1] == pytest.approx(condition(eigenvalues(experiment, build_task(experiment))), rel=1e-6)
