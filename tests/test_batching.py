"""Batch averaging: the fast measurements against slow independent loops and against exact values."""
import math
from dataclasses import replace

import numpy as np
import pytest

from zz_core import Experiment, batching, simulate
from zz_core.batching import (
    affordable_replicates,
    batch_at_step,
    batch_size_options,
    mixed_share_at_step,
    mixed_sign_shares,
    regimes,
    sweep_batch_sizes,
    with_fraction,
)
from zz_core.inputs import INPUTS
from zz_core.measures import steps_to_level
from zz_core.simulation import Run
from zz_core.stability import absolute_rate
from zz_core.summary import summarize
from zz_core.task import build_task
from zz_core.treatments import TREATMENTS, normalize_batch

UNIFORM = Experiment(inputs="uniform", activation="identity", input_mean=0.5, input_std=12**-0.5)  # U(0, 1)
FEW = {"samples": 40, "steps": 30}


def shares_of(experiment: Experiment, regime: str, sizes: list[int], draws: int = 4000):
    return mixed_sign_shares(*regimes(experiment)[regime], sizes, draws)


def test_batch_sizes_hold_one_and_all_and_no_two_that_touch():
    assert batch_size_options(256) == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert batch_size_options(178) == [1, 2, 4, 8, 16, 32, 64, 178]
    assert batch_size_options(2048) == [1, 4, 16, 64, 256, 2048]
    for rows in (2, 3, 5, 569, 1797, 65536):
        options = batch_size_options(rows)
        assert options[0] == 1 and options[-1] == rows and len(options) <= 9
        assert sorted(set(options)) == options


# --- one batch

@pytest.mark.parametrize("treatment", TREATMENTS)
@pytest.mark.parametrize("bias", [False, True])
def test_the_batch_at_a_step_is_the_runs_own(treatment, bias):
    run = simulate(Experiment(treatment=treatment, batch_size=8, dimensions=3, noise=0.2, bias=bias, **FEW))
    batch = batch_at_step(run, 7, 8)
    np.testing.assert_array_equal(batch.rows, run.batches[0, 7])
    np.testing.assert_allclose(batch.gradients, run.sample_gradients(0, 7), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(batch.mean, run.gradients()[0, 7], rtol=1e-9, atol=1e-12)


def test_a_run_on_single_samples_lends_its_own_sample_and_draws_the_others():
    run = simulate(Experiment(**FEW))
    batch = batch_at_step(run, 3, 8)
    assert len(batch.rows) == 8 and batch.rows[0] == run.batches[0, 3, 0]
    for row, gradient in zip(batch.rows, batch.gradients, strict=True):
        residual = run.inputs[row] @ run.weights[0, 3] - run.targets[row]
        np.testing.assert_allclose(gradient, residual * run.inputs[row], atol=1e-15)
    np.testing.assert_array_equal(batch_at_step(run, 3, 40).rows, np.arange(40))


def test_the_full_batch_mean_at_the_optimum_is_zero_and_not_rounding():
    run = simulate(Experiment(batch_size=40, distance=0.0, noise=0.5, **FEW))
    assert (batch_at_step(run, 0, 40).mean == 0).all()


# --- shares at fixed weights

def slowly_counted(experiment, task, weights, offset, size, draws, seed):
    """Draw batch by batch, add up sample by sample, look at the signs one by one."""
    rng, mixed = np.random.default_rng(seed), 0
    for _ in range(draws):
        rows = rng.integers(0, len(task.targets), size)
        x = normalize_batch(task.inputs[rows]) if experiment.treatment == "batch_norm" else task.inputs[rows]
        total = sum((w @ weights + offset - y) * w for w, y in zip(x, task.targets[rows], strict=True))
        mixed += total.min() < 0 < total.max()
    return mixed / draws


@pytest.mark.parametrize("treatment", ["none", "center", "batch_norm", "layer_norm"])
@pytest.mark.parametrize("regime", ["across", "along", "optimum"])
def test_shares_agree_with_a_slow_loop(treatment, regime):
    place = regimes(Experiment(treatment=treatment, dimensions=3, samples=64, bias=True))[regime]
    fast = mixed_sign_shares(*place, [2, 8], draws=4000)
    for k, size in enumerate(fast.batch_sizes):
        slow = slowly_counted(*place, size, 1500, seed=99)
        error = math.sqrt(max(slow * (1 - slow), 0.001) * (1 / 1500 + 1 / 4000))
        assert abs(fast.share[k] - slow) < 4 * error


@pytest.mark.parametrize("regime", ["across", "along", "optimum"])
def test_one_sample_of_positive_inputs_never_mixes_signs(regime):
    found = shares_of(Experiment(dimensions=8), regime, [1])
    assert found.share[0] == 0 and found.low[0] == 0 and 0 < found.high[0] < 0.01
    assert found.draws[0] == 4000


@pytest.mark.parametrize(("size", "one_sign"), [(2, 0.8476742860), (4, 0.799), (16, 0.775)])
def test_at_the_optimum_uniform_inputs_reach_the_exact_shares(size, one_sign):
    """1 - (ln 2 - 1 + pi/4)/pi for a batch of two; the others from an independent simulation, good to 0.001."""
    found = shares_of(replace(UNIFORM, samples=20000), "optimum", [size], draws=40000)
    assert abs(1 - found.share[0] - one_sign) < 4 * math.sqrt(one_sign * (1 - one_sign) / 40000) + 0.002


def test_at_the_optimum_the_share_stays_at_a_plateau():
    """Its limit in two dimensions is 1/2 - asin(rho)/pi, rho = 3/4 for U(0, 1)."""
    found = shares_of(replace(UNIFORM, samples=20000), "optimum", [8, 64, 256], draws=20000)
    np.testing.assert_allclose(found.share, 0.5 - math.asin(0.75) / math.pi, atol=0.02)


def test_across_the_mean_the_share_rises_and_along_it_falls():
    sizes = [2, 8, 64, 256]
    across, along = (shares_of(Experiment(), regime, sizes).share for regime in ("across", "along"))
    assert (np.diff(across) > 0).all() and across[-1] == 1
    assert along[0] > 0.05 and along[-1] == 0


def test_the_full_batch_is_one_gradient_without_an_interval():
    across = shares_of(Experiment(), "across", [256])
    assert (across.share[0], across.low[0], across.high[0], across.draws[0]) == (1, 1, 1, 1)
    optimum = shares_of(Experiment(), "optimum", [256])
    assert np.isnan(optimum.share[0]) and optimum.draws[0] == 0


def test_large_batches_are_drawn_less_often_and_say_so():
    found = shares_of(Experiment(samples=65536), "optimum", [1, 32768])
    assert found.draws[0] == 4000 and found.draws[1] == 200
    assert found.high[1] - found.low[1] > 0.05


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("treatment", TREATMENTS)
def test_every_input_and_treatment_has_shares(inputs, treatment):
    experiment = Experiment(inputs=inputs, treatment=treatment, dimensions=4, samples=64)
    found = regimes(experiment)
    assert "across" in found
    for place in found.values():
        shares = mixed_sign_shares(*place, [2, 4], draws=50)
        known = np.isfinite(shares.share)
        inside = (shares.low <= shares.share + 1e-12) & (shares.share <= shares.high + 1e-12)
        assert inside[known].all()


def test_regimes_lie_where_they_say():
    experiment = Experiment(dimensions=5, treatment="center")
    found = regimes(experiment)
    error = {name: place.weights - place.task.optimum for name, place in found.items()}
    direction = found["across"].task.direction
    assert abs(error["across"] @ direction) < 1e-12
    np.testing.assert_allclose(np.linalg.norm(error["across"]), experiment.distance)
    np.testing.assert_allclose(error["along"], 0.3 * direction)
    assert not error["optimum"].any()
    assert found["across"].experiment.noise == 0 and found["optimum"].experiment.noise == 0.5


@pytest.mark.parametrize("bias", [False, True])
def test_input_biases_add_up_to_the_offset_at_the_optimum(bias):
    """So that the full batch's gradient vanishes there."""
    place = regimes(Experiment(treatment="input_bias", bias=bias))["optimum"]
    assert np.isnan(mixed_sign_shares(*place, [256]).share[0])


def test_what_cannot_be_measured_is_left_out():
    assert regimes(Experiment(inputs="wine", target="labels", loss="sigmoid_squared")) == {}
    assert list(regimes(Experiment(samples=3))) == ["across"]  # no room for noise beside a fit
    assert list(regimes(Experiment(dimensions=1, target_angle=0.0))) == ["along", "optimum"]


def test_the_share_at_a_step_is_that_of_its_weights():
    run = simulate(Experiment(**FEW))
    expected = mixed_sign_shares(run.experiment, run.task, run.weights[0, 2], 0.0, [8], seed=2).share[0]
    assert mixed_share_at_step(run, 2, 8) == expected


# --- whole runs

def test_a_sweep_measures_each_batch_size_as_a_single_run():
    [sweep] = sweep_batch_sizes([Experiment(samples=32)], [1, 8, 32], replicates=3)
    assert sweep.path_ratio.shape == sweep.steps.shape == sweep.mixed_updates.shape == (3, 3)
    for k, size in enumerate((1, 8, 32)):
        run: Run = simulate(Experiment(samples=32, batch_size=size, seed=2))
        path = run.weights[0]
        distance = np.linalg.norm(path - run.optimum, axis=1)
        until = path[: 1 + int((distance <= 1e-3 * distance[0]).argmax() or 200)]
        steps = np.diff(until, axis=0)
        length = np.linalg.norm(steps, axis=1).sum() / np.linalg.norm(until[-1] - until[0])
        np.testing.assert_allclose(sweep.path_ratio[k, 2], length, rtol=1e-9)
        mixed = [step.min() < -1e-12 * np.abs(step).max() < 1e-12 * np.abs(step).max() < step.max() for step in steps]
        np.testing.assert_allclose(sweep.mixed_updates[k, 2], np.mean(mixed))


@pytest.mark.parametrize("experiment", [
    Experiment(noise=0.2), Experiment(inputs="wine", target="labels", loss="logistic"), Experiment(bias=True),
    Experiment(inputs="wine", target="labels", loss="sigmoid_squared"), Experiment(learning_rate=3.0)], ids=repr)
def test_a_sweep_measures_what_the_other_pages_show(experiment):
    summary = summarize(simulate(replace(experiment, batch_size=4), 2))
    [sweep] = sweep_batch_sizes([experiment], [4], 2)
    np.testing.assert_allclose(sweep.path_ratio[0], summary.path_ratio, rtol=1e-9)
    np.testing.assert_array_equal(sweep.steps[0], summary.steps)
    assert sweep.by_loss == summary.by_loss


def test_the_zig_zag_goes_and_the_slowness_stays():
    """The page's message, on its default experiment."""
    raw, centered = sweep_batch_sizes([Experiment(), Experiment(treatment="center")], [1, 256])
    ratio, steps = np.median(raw.path_ratio, axis=1), np.median(raw.steps, axis=1)
    assert ratio[0] > 2.5 and ratio[1] < 1.1
    assert steps[1] > 0.6 * steps[0]
    assert steps[1] > 10 * np.median(centered.steps, axis=1)[1]


def test_runs_that_never_arrive_are_infinite_and_not_averaged():
    assert np.isinf(sweep_batch_sizes([Experiment(steps=20)], [1, 8], replicates=2)[0].steps).all()


def test_a_twin_can_be_judged_by_the_loss_too():
    [sweep] = sweep_batch_sizes([Experiment()], [256], 1, by_loss=True)
    excess = simulate(Experiment(batch_size=256)).excess_losses()
    assert sweep.by_loss and sweep.steps[0, 0] == steps_to_level(excess, 0.01 * excess[:, 0])[0]
    assert not sweep_batch_sizes([Experiment()], [256], 1)[0].by_loss


def test_an_absolute_rate_becomes_the_fraction_that_it_is():
    experiment = Experiment(rate_unit="absolute", learning_rate=0.5)
    fraction = with_fraction(experiment)
    assert fraction.rate_unit == "critical"
    np.testing.assert_allclose(absolute_rate(fraction, build_task(fraction)), 0.5)
    adam = replace(experiment, optimizer="adam")
    assert with_fraction(adam) == adam
    tiny = replace(experiment, learning_rate=0.0001)  # a fraction below the bound of the field
    assert with_fraction(tiny) == tiny


def test_fewer_replicates_where_time_or_memory_is_short():
    experiments, sizes = [Experiment()], [1, 16, 256]
    assert affordable_replicates(experiments, sizes, seconds=60, memory=2**30)[0] == 20
    assert affordable_replicates(experiments, sizes, seconds=60, memory=0)[0] == 0
    replicates, seconds = affordable_replicates(experiments, sizes, seconds=0, memory=2**30)
    assert replicates == 0 and seconds > 0


@pytest.mark.parametrize("by_loss", [False, True])
@pytest.mark.parametrize("fields", [{}, {"bias": True}, {"treatment": "input_bias"}, {"learning_rate": 3.0},
                                    {"inputs": "wine", "target": "labels", "dimensions": 3}], ids=str)
def test_runs_that_are_measured_together_are_measured_as_alone(fields, by_loss):
    base = Experiment(steps=60, **fields)
    specs = [replace(base, batch_size=size, treatment=treatment) for treatment in {base.treatment, "center"}
             for size in (1, 8, base.rows)]
    runs = [simulate(spec, 1 if spec.full_batch else 3) for spec in specs]
    for run, found in zip(runs, batching._all_measured(runs, by_loss), strict=True):
        np.testing.assert_array_equal(found, batching._measured(run, by_loss))
