"""The sweep of start biases: known steps, whole runs of simulate, and what is predicted."""
import math
from dataclasses import replace

import numpy as np
import pytest

from zz_core import Experiment, simulate
from zz_core import saturation as module
from zz_core.activations import sigmoid
from zz_core.measures import steps_to_level
from zz_core.saturation import (
    AWAKE,
    Escapes,
    SaturationSweep,
    escape_time,
    sweep_start_bias,
    teaching,
    time_to_output,
    underflow,
)
from zz_core.theory import saturation_delay

TEXTBOOK = Experiment(inputs="factorial", dimensions=8, distance=6, target_angle=45)
LOSSES = ("sigmoid_squared", "logistic")
EVEN = np.arange(0.0, 11.0, 2)
# rate * largest eigenvalue = 16 and 4, as fractions of 2 / bound
FRACTIONS = {"sigmoid_squared": 8 * 0.07702928506067525, "logistic": 0.5}


@pytest.fixture(scope="module")
def textbook():
    return {loss: sweep_start_bias(replace(TEXTBOOK, learning_rate=fraction), (loss,), EVEN)[loss]
            for loss, fraction in FRACTIONS.items()}


@pytest.fixture(scope="module")
def default():
    return sweep_start_bias(Experiment(), LOSSES, EVEN)


@pytest.mark.parametrize(("loss", "raw", "centered"), [
    ("sigmoid_squared", [1105, 1144, 1187, 1270, 1658, 4277], [157, 158, 165, 208, 524, 2857]),
    ("logistic", [807, 844, 875, 901, 925, 947], [109, 109, 109, 109, 109, 108])])
def test_golden_steps(textbook, loss, raw, centered):
    assert list(textbook[loss].raw.steps) == raw and list(textbook[loss].twin.steps) == centered


@pytest.mark.parametrize(("loss", "ratio"), [("sigmoid_squared", 6.68), ("logistic", 7.15)])
def test_golden_ratio_of_the_predictions(textbook, loss, ratio):
    """Measured are 7.04 and 7.40; both predictions are high: on the way the curvature is larger."""
    sweep = textbook[loss]
    assert sweep.raw.predicted[0] / sweep.twin.predicted[0] == pytest.approx(ratio, abs=0.03)
    assert (sweep.raw.predicted > sweep.raw.steps).all() and (sweep.twin.predicted > sweep.twin.steps).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_prediction_is_exact_for_a_near_target(loss):
    """Linearized at the optimum, which then is near: what is left is the rounding to whole steps."""
    near = replace(TEXTBOOK, distance=0.05, learning_rate=0.1)
    sweep = sweep_start_bias(near, (loss,), np.array([0.0, 0.001]), most_steps=20_000)[loss]
    for escapes in (sweep.raw, sweep.twin):
        np.testing.assert_allclose(escapes.predicted, escapes.steps, rtol=2e-3, atol=1)


def test_the_delay_of_centered_runs_is_predicted(textbook):
    added = textbook["sigmoid_squared"].twin.steps - 157
    np.testing.assert_allclose(added[3:], textbook["sigmoid_squared"].twin.delays[3:], rtol=0.05)
    assert textbook["sigmoid_squared"].twin.gain == pytest.approx(16)
    assert textbook["sigmoid_squared"].twin.delays[4] == pytest.approx(saturation_delay(8, 1, 0.5) / 16)


def test_where_outputs_are_less_spread_the_prediction_is_close(default):
    for sweep in default.values():
        np.testing.assert_allclose(sweep.raw.predicted, sweep.raw.steps, rtol=0.07)
        np.testing.assert_allclose(sweep.twin.predicted, sweep.twin.steps, rtol=0.1)


def test_break_even_is_where_the_delay_has_eaten_what_centering_saves(textbook):
    fine = sweep_start_bias(replace(TEXTBOOK, learning_rate=FRACTIONS["sigmoid_squared"]), ("sigmoid_squared",),
                            np.array([0, 8.5, 8.8, 9.1]))["sigmoid_squared"].break_even()
    by_formula = [z for z in np.arange(8, 10, 0.001) if escape_time("sigmoid_squared", z) / 16 >= 1105 - 157][0]
    assert fine == pytest.approx(by_formula, abs=0.05)
    assert textbook["sigmoid_squared"].break_even() == pytest.approx(fine, abs=0.15)  # two units between starts
    assert textbook["logistic"].break_even() == math.inf == textbook["logistic"].break_even(predicted=True)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("experiment", "name"), [
    (Experiment(dimensions=3, samples=40), "none"), (Experiment(dimensions=3, samples=40), "center"),
    (Experiment(dimensions=60, samples=20, activation="relu", treatment="batch_norm"), "batch_norm"),
    (Experiment(inputs="digits", dimensions=5, samples=50, treatment="whiten"), "whiten")])
def test_every_step_is_that_of_a_run(loss, experiment, name):
    """Also with more weights than samples, where the sweep follows another matrix."""
    sweep = sweep_start_bias(experiment, (loss,), np.array([0.0, 3.0, 6.0]), most_steps=150)[loss]
    spec, inputs, outputs = teaching(experiment)
    escapes = sweep.raw if name == "none" else sweep.twin
    for k, start in enumerate(sweep.starts):
        run = simulate(replace(spec, treatment=name, loss=loss, start_bias=start, steps=150),
                       data=(inputs, sigmoid(outputs)))
        mean = run.task.evaluated.mean(axis=0)
        seen = np.isfinite(escapes.outputs[:, k])
        assert seen.sum() == min(escapes.steps[k], 150) + 1
        np.testing.assert_allclose(escapes.outputs[seen, k], (run.weights[0] @ mean + run.biases[0])[: seen.sum()],
                                   rtol=1e-8, atol=1e-9)
        value = module.LOSSES[loss].value
        least = value(outputs, sigmoid(outputs)).mean()
        level = least + 1e-3 * (value(0.0, sigmoid(outputs)).mean() - least)
        assert escapes.steps[k] == steps_to_level(run.losses()[0], level)


def test_the_sweep_sets_what_it_says():
    noisy = Experiment(noise=0.5, optimizer="adam", batch_size=4, schedule="cosine", loss="squared", start_bias=3.0,
                       samples=5000, rate_unit="absolute", learning_rate=0.1)
    spec, inputs, outputs = teaching(noisy)
    assert len(inputs) == 256 == spec.batch_size and abs(outputs.mean()) < 1e-12
    assert (spec.noise, spec.optimizer, spec.schedule, spec.bias) == (0, "sgd", "constant", True)
    sweep = sweep_start_bias(noisy, ("logistic",), np.array([0.0, 1.0]), most_steps=3)["logistic"]
    features = np.column_stack([inputs, np.ones(256)])
    limit = 8 / np.linalg.eigvalsh(features.T @ features / 256)[-1]
    assert sweep.raw.fraction == pytest.approx(0.1 / limit) and np.isinf(sweep.raw.steps).all()
    assert sweep.raw.gain == pytest.approx(0.1 * np.square(features.mean(axis=0)).sum())


def test_a_large_design_is_sampled():
    assert teaching(Experiment(inputs="factorial", dimensions=10))[1].shape == (256, 10)


def test_escape_times_are_those_of_small_steps():
    for loss in LOSSES:
        z, step, count = 6.0, 0.01, 0
        while z > AWAKE:
            slope = module.LOSSES[loss].slope(np.float64(z), 0.5)
            z, count = z - step * slope, count + 1
        assert escape_time(loss, 6.0) == pytest.approx(count * step, rel=0.01)
        assert escape_time(loss, AWAKE) == escape_time(loss, 0.0) == 0
        times = time_to_output(loss, 6.0, np.array([6.0, 3.0, AWAKE]))
        assert times[0] == 0 and times[2] == escape_time(loss, 6.0) and 0 < times[1] < times[2]
    assert escape_time("logistic", 700.0) == pytest.approx(1400, rel=0.01)


def escapes(steps, delays=None) -> Escapes:
    steps = np.array(steps, float)
    return Escapes(steps, np.array([[5.0] * len(steps), [0.5] * len(steps)]), np.zeros(len(steps)),
                   steps if delays is None else np.array(delays, float), 1.0, 0.5,
                   math.inf if np.isfinite(steps).all() else 1000)


@pytest.mark.parametrize(("raw", "twin", "expected"), [
    ([100, 100, 100], [10, 10, 1000], 3.0), ([100, 100, 100], [10, 20, 30], math.inf),
    ([10, 100, 100], [10, 20, 30], math.nan), ([math.inf] * 3, [10, 20, 30], math.nan),
    ([100, 100, 100], [math.inf] * 3, math.nan), ([100, 100, 100], [10, 10, math.inf], 3.0)])
def test_break_even_between_two_starts(raw, twin, expected):
    sweep = SaturationSweep(np.array([0.0, 2, 4]), escapes(raw), escapes(twin))
    assert sweep.break_even() == pytest.approx(expected, nan_ok=True)
    assert sweep.break_even() == pytest.approx(sweep.break_even(predicted=True), nan_ok=True)


def test_a_run_wakes_where_its_output_comes_down_to_one():
    assert escapes([3, 4]).wakes(1) == 1
    assert Escapes(*escapes([3])[:1], np.full((4, 1), 5.0), *escapes([3])[2:]).wakes(0) == math.inf


def test_underflow_is_where_the_next_number_down_is_not_zero():
    for dtype in (np.float32, np.float64):
        high, low = underflow(dtype)
        one = dtype(1)
        slopes = [s * (one - s) for s in (one / (one + np.exp(dtype(-z))) for z in (high, high - 0.02))]
        assert slopes[0] == 0 < slopes[1]
        assert np.exp(dtype(low)) == 0 < np.exp(dtype(low + 0.02))
    assert underflow(np.float32) == pytest.approx((17, -104), abs=0.5)
    assert underflow(np.float64) == pytest.approx((37, -745), abs=0.5)


@pytest.mark.parametrize(("experiment", "sentence"), [
    (Experiment(distance=0), "distance=0"), (Experiment(treatment="input_bias"), "treatment=input_bias"),
    (Experiment(treatment="layer_norm", dimensions=3), "treatment=layer_norm"),
    (Experiment(treatment="rms_norm"), "treatment=rms_norm"),
    (Experiment(activation="relu", input_mean=-100.0), "inputs=gaussian")])
def test_what_cannot_be_compared_is_refused(experiment, sentence):
    with pytest.raises(ValueError, match=sentence):
        sweep_start_bias(experiment, LOSSES, EVEN)


@pytest.mark.parametrize("starts", [[0], [1, 2], [0, 2, 2], [0, math.nan]])
def test_starts_ascend_from_zero(starts):
    with pytest.raises(ValueError, match="ascending from 0"):
        sweep_start_bias(Experiment(), LOSSES, np.array(starts))
