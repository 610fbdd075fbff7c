"""Where the weights start: what it moves, what it leaves, and what the exported programs make of it."""
from dataclasses import replace

import numpy as np
import pytest

from tests.programs import assert_repeats, data_sets  # noqa: F401
from zz_core import Experiment, simulate
from zz_core.geometry import simulate_moved
from zz_core.optimizers import OPTIMIZERS
from zz_core.remedies.race import goal_of
from zz_core.remedies.search import arrivals
from zz_core.stability import stability_limit
from zz_core.task import build_task
from zz_core.treatments import TREATMENTS

BASE = Experiment(dimensions=3, samples=24, steps=30, target_angle=70.0)
ELSEWHERE = {"start_along": 1.5, "start_across": -0.75}
SHIFT = 1.5 / np.sqrt(3) * np.ones(3) - 0.75 * np.array([-2.0, 4.0, -2.0]) / np.sqrt(24)


def test_the_start_lies_along_and_across_the_mean_and_the_target_at_its_distance_from_it():
    run = simulate(replace(BASE, **ELSEWHERE))
    np.testing.assert_allclose(run.weights[0, 0], SHIFT, atol=1e-12)
    way = run.optimum - SHIFT
    assert np.linalg.norm(way) == pytest.approx(2.0)
    assert way @ np.ones(3) / np.sqrt(3) == pytest.approx(2 * np.cos(np.deg2rad(70)))


@pytest.mark.parametrize("batch_size", [1, 5, 24])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_on_the_squared_loss_the_whole_path_moves_with_its_start(optimizer, batch_size):
    """Outputs and targets change by the same amount, so no gradient does: only the way to the target matters."""
    spec = replace(BASE, optimizer=optimizer, batch_size=batch_size, bias=True,
                   learning_rate=0.25 if OPTIMIZERS[optimizer].critical else 0.05)
    here, there = simulate(spec), simulate(replace(spec, **ELSEWHERE))
    np.testing.assert_allclose(there.weights, here.weights + SHIFT, atol=1e-7)


@pytest.mark.parametrize("treatment", ["center", "standardize", "whiten", "batch_norm"])
def test_an_affine_treatment_keeps_the_function_at_the_start_but_for_an_offset(treatment):
    spec = replace(BASE, treatment=treatment, batch_size=5, **ELSEWHERE)
    run, raw = simulate(spec), simulate(replace(spec, treatment="none"))
    outputs, plain = (each.task.evaluated @ each.weights[0, 0] for each in (run, raw))
    np.testing.assert_allclose(outputs - outputs.mean(), plain - plain.mean(), atol=1e-4)
    if treatment != "batch_norm":  # whose batches disagree about the function, the more the further out they start
        unmoved = simulate(replace(spec, start_along=0.0, start_across=0.0))
        np.testing.assert_allclose(run.weights - run.weights[0, 0], unmoved.weights, atol=1e-8)


def test_a_saturated_start_is_not_the_same_task_moved():
    spec = replace(BASE, loss="sigmoid_squared", batch_size=24)
    here, there = simulate(spec), simulate(replace(spec, start_along=12.0))
    assert np.linalg.norm(there.updates()[0, 0]) < 0.1 * np.linalg.norm(here.updates()[0, 0])


def test_the_start_belongs_to_labels_too_and_leaves_the_optimum():
    spec = Experiment(inputs="wine", target="labels", steps=5)
    here, there = simulate(spec), simulate(replace(spec, **ELSEWHERE))
    np.testing.assert_allclose(there.optimum, here.optimum, atol=1e-9)
    assert not np.allclose(there.weights[0, 0], here.weights[0, 0])


@pytest.mark.parametrize("treatment", ["none", "standardize", "input_bias"])
def test_moving_the_inputs_mean_or_flipping_one_leaves_the_start(treatment):
    experiment = replace(BASE, treatment=treatment, **ELSEWHERE)
    task = build_task(experiment)
    np.testing.assert_allclose(simulate_moved(experiment, task, -2.0).weights[0, 0], task.start)
    flipped = simulate_moved(experiment, task, 0.0, flip=True)
    np.testing.assert_allclose(flipped.weights[0] * [-1, 1, 1], simulate(experiment).weights[0], atol=1e-9)


def test_the_search_for_the_best_rate_starts_there():
    spec = replace(BASE, batch_size=24)
    moved = replace(spec, **ELSEWHERE)
    found = [arrivals(each, build_task(each), np.array([0.5]) * stability_limit(each, build_task(each)),
                      goal_of(spec).level, 500)[0] for each in (spec, moved)]
    np.testing.assert_array_equal(*found)


@pytest.mark.usefixtures("data_sets")
@pytest.mark.parametrize("batch_size", [5, 24])
@pytest.mark.parametrize("treatment", TREATMENTS)
def test_the_exported_program_starts_there(treatment, batch_size):
    assert_repeats(replace(BASE, treatment=treatment, batch_size=batch_size, loss="logistic", bias=True, **ELSEWHERE))


@pytest.mark.usefixtures("data_sets")
@pytest.mark.parametrize("more", [{"inputs": "wine", "target": "labels", "treatment": "center"}, {"target_angle": 0.0},
                                  {"dimensions": 1, "target_angle": 180.0}, {"target_angle": 90.0}], ids=str)
def test_the_exported_program_of_other_tasks_starts_there(more):
    assert_repeats(replace(BASE, **ELSEWHERE, **more))
