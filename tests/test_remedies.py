"""The race of remedies: its search against plain simulation, its lanes against closed forms, its censoring."""
from dataclasses import replace

import numpy as np
import pytest

from zz_core import Experiment, simulate
from zz_core.experiment import DEFAULTS
from zz_core.measures import steps_to_level
from zz_core.optimizers import OPTIMIZERS
from zz_core.remedies import (
    REMEDIES,
    goal_of,
    lane_cost,
    lane_experiment,
    normalized,
    race,
    run_lane,
    traps_of,
    why_left_out,
)
from zz_core.remedies.search import (
    CHOOSING_SEEDS,
    FRACTIONS,
    SEEDS_APART,
    arrivals,
    excess_loss,
    middle,
    most_arrived,
    search_rate,
)
from zz_core.summary import SETTLED
from zz_core.task import build_task
from zz_core.treatments import TREATMENTS

INF = np.inf
P8 = Experiment(inputs="factorial", dimensions=8, batch_size=256, target_angle=45.0)  # eigenvalues 2.0625 and 1/16
MANY = Experiment(dimensions=3, batch_size=4, target_angle=40.0)
STEPPED = {  # each on its own way through the search's stepping
    "plain": MANY, "single samples": replace(MANY, batch_size=1, dimensions=2), "noise": replace(MANY, noise=0.1),
    "bias": replace(MANY, bias=True, start_bias=0.5), "momentum": replace(MANY, optimizer="momentum", momentum=0.5),
    "adam": replace(MANY, optimizer="adam"), "rmsprop": replace(MANY, optimizer="rmsprop", decay=0.9),
    "gauss-newton": replace(MANY, optimizer="gauss_newton"),
    "damped": replace(MANY, optimizer="levenberg_marquardt"), "decaying": replace(MANY, schedule="inverse_sqrt"),
    "batch norm": replace(MANY, treatment="batch_norm", batch_size=8), "layer norm": replace(MANY,
                                                                                           treatment="layer_norm"),
    "input bias": replace(MANY, treatment="input_bias"), "epochs": replace(MANY, sampling="epoch"),
    "full batch": replace(MANY, batch_size=256), "full batch, bias per input": replace(
        MANY, batch_size=256, treatment="input_bias"),
    "full batch, damped": replace(MANY, batch_size=256, optimizer="levenberg_marquardt"),
    "digits": replace(MANY, inputs="digits", dimensions=6),
}


def lane(key: str, experiment: Experiment, horizon: int = 600, fraction: float | None = None):
    return run_lane(experiment, key, goal_of(experiment), horizon, fraction)


def simulated(experiment: Experiment, rate: float, horizon: int) -> np.ndarray:
    """Excess losses (S, T+1) of the choosing seeds, by the engine that all pages use."""
    seeds = 1 if experiment.full_batch else CHOOSING_SEEDS
    spec = replace(experiment, learning_rate=rate, rate_unit="absolute", steps=horizon,
                   seed=experiment.seed + SEEDS_APART)
    return simulate(spec, seeds).excess_losses()


@pytest.mark.parametrize("name", STEPPED)
def test_the_search_steps_as_simulate_does(name):
    experiment, horizon, rates = STEPPED[name], 150, np.array([0.05, 0.2, 0.6])
    task = build_task(experiment)
    expected = [simulated(experiment, rate, horizon) for rate in rates]
    goal = 1.001 * float(np.nanmedian(expected[1][:, 20]))  # off the value itself, or rounding would decide
    steps, _, _ = arrivals(experiment, task, rates, goal, horizon)
    for found, excess in zip(steps, expected, strict=True):
        arrived = steps_to_level(excess, goal, SETTLED)
        there = arrived <= 8 * np.nanmin(most_arrived(steps))  # later ones are given up
        np.testing.assert_array_equal(found[there], arrived[there])
    assert np.isfinite(steps).any()


def test_losses_that_are_not_quadratic_are_looked_at_every_fourth_step():
    experiment = replace(MANY, loss="logistic", learning_rate=1.0)
    excess = simulated(experiment, 2.0, 400)
    goal = float(np.median(excess[:, 100]))
    steps, _, _ = arrivals(experiment, build_task(experiment), np.array([2.0]), goal, 400)
    np.testing.assert_array_equal(steps[0], 4 * steps_to_level(excess[:, ::4], goal, 5))


@pytest.mark.parametrize("changes", [{}, {"bias": True}, {"treatment": "input_bias"}, {"treatment": "batch_norm"},
                                     {"loss": "logistic", "noise": 0.3}, {"treatment": "whiten", "noise": 0.5}])
def test_excess_loss_is_that_of_the_run(changes):
    run = simulate(replace(MANY, **changes, steps=30), 2)
    parts = [run.weights, run.input_biases, None if run.biases is None else run.biases[..., None]]
    parameters = np.concatenate([part for part in parts if part is not None], axis=-1)
    found = excess_loss(run.experiment, run.task)(parameters)
    np.testing.assert_allclose(found, run.excess_losses(), rtol=1e-9, atol=1e-15)


def test_a_rate_that_diverges_does_not_arrive_and_leaves_infinitely_much():
    task = build_task(P8)
    steps, left, _ = arrivals(P8, task, np.array([0.5, 1.2]), 1e-3, 300)  # the limit is 2 / 2.0625
    assert np.isfinite(steps[0, 0]) and np.isinf(steps[1, 0]) and np.isinf(left[1, 0])


def test_not_reached_is_censored():
    assert middle(np.array([3.0, 1, 2])) == 2
    assert middle(np.array([1.0, 2, INF, INF])) == 2  # half of them: reached
    assert middle(np.array([1.0, INF, INF])) == INF  # more than half: not
    assert most_arrived(np.array([[1.0, 2, 3, INF], [1, 2, INF, INF]])).tolist() == [3, INF]


def test_the_goal_is_the_zero_centered_twins():
    goal = goal_of(P8)
    assert goal.start == pytest.approx(0.5 * 4 / 16)  # half the variance times the squared distance
    assert goal.level == pytest.approx(0.01 * goal.start)
    assert goal_of(replace(P8, target_angle=0.0)).start == pytest.approx(goal.start)  # raw inputs would start at 33x


def test_descent_finds_its_best_rate_and_takes_the_steps_of_the_closed_form():
    found, values, goal = lane("nothing", P8), np.array([2.0625, 0.0625]), goal_of(P8)
    best = 2 / values.sum()  # 2 / (largest + smallest)
    rate = found.search.rate * 2 / values[0]
    assert rate == pytest.approx(best, rel=0.1)
    components = np.full(2, np.sqrt(2.0))  # the error of length 2 at 45 degrees

    def predicted(rate: float) -> int:
        steps = np.arange(600)[:, None]
        return int((0.5 * (values * components**2 * (1 - rate * values) ** (2 * steps)).sum(1) <= goal.level).argmax())

    assert found.median == predicted(rate) and found.interval == (found.median, found.median)
    every = [predicted(each) for each in np.linspace(0.05, 0.999, 400) * 2 / values[0] if predicted(each)]
    assert found.median <= 1.05 * min(every)


@pytest.mark.parametrize("key", ["whiten", "gauss_newton", "center", "standardize"])
def test_one_step_is_enough_where_all_directions_are_alike(key):
    found = lane(key, P8)
    assert found.median == 1 and found.path_ratio[0] == pytest.approx(1)


def test_a_rate_is_chosen_on_other_seeds_than_those_reported():
    found = lane("center", MANY)
    assert found.experiment.seed == MANY.seed and len(found.steps) == 20
    spec = replace(found.experiment, steps=600)
    run = simulate(spec, 20)
    np.testing.assert_array_equal(found.steps, steps_to_level(run.excess_losses(), goal_of(MANY).level, SETTLED))
    other = search_rate(replace(spec, seed=spec.seed + 50), run.task, goal_of(MANY).level, 600)
    assert other.steps[other.best] != found.search.steps[found.search.best]  # other seeds, other luck


def test_the_chosen_rate_is_the_best_of_its_curve_and_no_edge():
    search = lane("nothing", MANY).search
    assert search.steps[search.best] == search.steps.min() and 0 < search.best < len(search.rates) - 1
    assert (np.diff(search.rates) > 0).all()


def test_the_grid_is_widened_where_the_best_rate_lies_beyond_it():
    search = lane("decaying_rate", Experiment(dimensions=8, batch_size=256, target_angle=45.0)).search
    assert search.rate > FRACTIONS[1] and search.best < len(search.rates) - 1
    noisy = search_rate(replace(MANY, noise=2.0), build_task(replace(MANY, noise=2.0)), goal_of(MANY).level / 3, 4000)
    assert noisy.rates[0] < FRACTIONS[0]  # so much jitter that only small rates get there


def test_swinging_through_the_goal_is_no_arrival():
    swinging = Experiment(dimensions=8, batch_size=256, target_angle=45.0, optimizer="momentum", learning_rate=0.28)
    excess = simulate(replace(swinging, steps=600)).excess_losses()[0]
    found = lane("momentum", swinging, fraction=0.28)
    below = excess <= goal_of(swinging).level
    assert below.argmax() < found.median and below[int(found.median):].all()


def test_path_and_signs_are_measured_up_to_the_arrival():
    found = lane("nothing", MANY)
    run = simulate(replace(found.experiment, steps=found.horizon), 20)
    gradients = run.gradients()
    for seed in (0, 7):
        way = run.weights[seed, : int(found.steps[seed]) + 1]
        length = np.linalg.norm(np.diff(way, axis=0), axis=1).sum()
        assert found.path_ratio[seed] == pytest.approx(length / np.linalg.norm(way[-1] - way[0]))
        signs = np.sign(gradients[seed, : int(found.steps[seed])])
        assert found.same_sign[seed] == pytest.approx((abs(signs.sum(1)) == 3).mean())


def test_curvatures_as_the_steps_meet_them():
    kappa = {key: lane(key, P8).condition for key in ("nothing", "center", "momentum", "gauss_newton")}
    assert kappa == pytest.approx({"nothing": 33, "center": 1, "momentum": 33, "gauss_newton": 1})
    damped = replace(P8, damping=0.0625)
    assert lane("levenberg_marquardt", damped).condition == pytest.approx((2.0625 / 2.125) / 0.5)
    # the curvature of one sample has one direction: nothing is undone
    assert lane("gauss_newton", replace(P8, batch_size=1), 100).condition == pytest.approx(33)
    assert lane("bias", P8).condition > 33


def test_batch_norm_never_moves_on_single_samples():
    found = lane("batch_norm", replace(MANY, batch_size=1))
    assert found.stuck and not found.reached and not found.path.any()
    assert lane("batch_norm", replace(MANY, batch_size=8)).reached


def test_a_lane_that_reaches_another_optimum_says_so():
    found = lane("layer_norm", P8)
    run = simulate(replace(P8, treatment="layer_norm", steps=1))
    assert found.misses and found.floor == pytest.approx(run.minimum_loss / goal_of(P8).start)
    assert not lane("center", P8).misses


@pytest.mark.parametrize(("key", "experiment"), [
    ("tanh", Experiment(inputs="wine")), ("centered_sigmoid", Experiment(activation="centered_sigmoid")),
    ("larger_batch", P8), ("bias", Experiment(bias=True)),
    ("layer_norm", Experiment(dimensions=1, target_angle=0.0))])
def test_what_does_not_apply_is_left_out_with_a_reason(key, experiment):
    found = lane(key, experiment)
    assert found.why_not == why_left_out(experiment, REMEDIES[key]) != ""
    assert lane_cost(experiment, key, 500).seconds == 0


def test_raw_weights_are_those_that_do_the_same():
    for key in ("whiten", "standardize", "center"):
        found = lane(key, replace(MANY, batch_size=256))
        run = simulate(replace(found.experiment, steps=int(found.median)))
        np.testing.assert_allclose(run.inputs @ found.path[-1],
                                   (run.task.raw - run.task.raw.mean(0)) @ found.raw_path[-1], atol=1e-9)
    assert lane("layer_norm", MANY).raw_path is None


def test_all_at_one_fraction_need_no_search_where_there_is_a_limit():
    found = lane("center", MANY, fraction=0.3)
    assert found.search is None and found.experiment.learning_rate == 0.3
    assert lane("adam", MANY, fraction=0.3).search is not None


def test_a_race_runs_its_lanes_in_order_and_leaves_its_base_alone():
    found = list(race(MANY, ["nothing", "center", "line_search"], 600))
    assert [each.key for each in found] == ["nothing", "center", "line_search"]
    assert found[2].search is None and found[2].reached
    assert found[1].median < found[0].median


def test_what_a_race_sets_itself_does_not_matter():
    other = replace(MANY, optimizer="adam", learning_rate=0.7, rate_unit="absolute", steps=7, treatment="whiten",
                    schedule="cosine")
    assert normalized(other) == normalized(MANY)
    for field in ("momentum", "damping", "batch_size", "noise", "seed"):
        assert normalized(replace(MANY, **{field: type(DEFAULTS[field])(3 if field != "momentum" else 0.5)})
                          ) != normalized(MANY)


@pytest.mark.parametrize(("changes", "word"), [
    ({"distance": 0.0}, "distance"), ({"activation": "relu", "input_mean": -100.0}, "inputs"),
    ({"inputs": "wine", "target": "labels", "loss": "sigmoid_squared"}, "target"),
    ({"loss": "sigmoid_squared", "noise": 0.2}, "loss")])
def test_no_race_without_a_goal(changes, word):
    with pytest.raises(ValueError, match=rf"^{word}="):
        goal_of(Experiment(**changes))


def test_every_treatment_and_optimizer_is_a_remedy():
    specs = [lane_experiment(Experiment(), remedy) for remedy in REMEDIES.values()]
    assert {spec.treatment for spec in specs} == set(TREATMENTS)
    assert {spec.optimizer for spec in specs} == set(OPTIMIZERS)
    assert all(remedy.what_it_changes.endswith(".") and remedy.what_it_costs.endswith(".")
               for remedy in REMEDIES.values())


@pytest.mark.parametrize(("key", "step", "before"), [
    ("nothing", 27, 0), ("center", 27, 600), ("whiten", 27, 600 + 1800 + 270), ("batch_norm", 27 + 60, 0),
    ("adam", 27 + 24, 0), ("line_search", 36 + 8 + 6, 0), ("gauss_newton", 27 + 36 + 270, 0)])
def test_operations_are_counted_as_written(key, step, before):
    counts = 100, 4, 3  # samples, batch, parameters: 2*4*3 + 3 = 27
    assert REMEDIES[key].operations(*counts) == step and REMEDIES[key].setup(*counts) == before


def test_work_counts_what_is_done_in_advance():
    found = lane("center", P8)
    assert found.work == 2 * 256 * 8 + found.median * (2 * 256 * 8 + 8)


def test_traps_on_the_textbook_design():
    traps = traps_of(replace(P8, batch_size=1))
    assert traps.batch_norm_moved == 0 and traps.layer_norm_moved < 1e-12
    assert traps.layer_norm_left > 0.9 > traps.layer_norm_left_across
    assert traps.adam_along == pytest.approx(1) and traps.plain_along < 0.999
    assert traps.input_bias_left > 0.2
    assert (traps.raw_condition, traps.centered_condition) == pytest.approx((33, 1))
    assert traps.raw_condition_with_bias == pytest.approx(148.0557457873)
    assert traps.centered_condition_with_bias == pytest.approx(16)
    assert traps.harmed[1] > 2 * traps.harmed[0]


def test_traps_that_cannot_be_shown_are_undefined():
    assert np.isnan(traps_of(Experiment(dimensions=1, target_angle=0.0)).layer_norm_left)
