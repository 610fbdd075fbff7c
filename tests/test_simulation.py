"""simulate: every rule, treatment, loss and bias against a slow run written from the definitions; and its promises."""
import dataclasses
import itertools
import math
import pickle
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import experiments
from zz_core import Experiment, Run, simulate
from zz_core.losses import LOSSES
from zz_core.optimizers import OPTIMIZERS
from zz_core.simulation import MAX_HISTORY_BYTES, history_bytes
from zz_core.treatments import TREATMENTS

# --- a slow run: plain Python, one sample and one weight at a time -----------------------------------------------


def dot(a, b) -> float:
    return math.fsum(p * q for p, q in zip(a, b, strict=True))


def transposed(rows):
    return [list(column) for column in zip(*rows, strict=True)]


def standardized(values, epsilon):
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
    return [(value - mean) / math.sqrt(variance + epsilon) for value in values]


def slow_treatment(name: str, rows: list[list[float]]) -> list[list[float]]:
    """The inputs as the neuron sees them; for batch_norm the rows are one batch."""
    if name == "center":
        means = [math.fsum(column) / len(column) for column in transposed(rows)]
        return [[value - mean for value, mean in zip(row, means, strict=True)] for row in rows]
    if name in ("standardize", "batch_norm"):
        return transposed([standardized(column, 1e-5 if name == "batch_norm" else 0.0) for column in transposed(rows)])
    if name == "whiten":
        centered = np.array(slow_treatment("center", rows))
        values, vectors = np.linalg.eigh(centered.T @ centered / len(rows))
        return (centered @ vectors @ np.diag(values**-0.5) @ vectors.T).tolist()
    if name == "layer_norm":
        return [standardized(row, 1e-5) for row in rows]
    if name == "rms_norm":
        return [[value / math.sqrt(dot(row, row) / len(row) + 1e-5) for value in row] for row in rows]
    return rows


class SlowNeuron:
    """f = sum w_i (x_i + b_i) + c on one sample; parameters are a flat list: w, then b, then c, as far as learned."""

    def __init__(self, experiment: Experiment):
        self.learned, self.bias = experiment.treatment == "input_bias", experiment.bias
        self.dimensions, self.loss = experiment.dimensions, experiment.loss
        self.start = [0.0] * (self.dimensions * (1 + self.learned)) + [experiment.start_bias] * self.bias

    def output(self, theta, x) -> float:
        shifts = theta[self.dimensions : 2 * self.dimensions] if self.learned else [0.0] * self.dimensions
        shifted = [value + shift for value, shift in zip(x, shifts, strict=True)]
        return dot(theta[: self.dimensions], shifted) + (theta[-1] if self.bias else 0.0)

    def jacobian(self, theta, x) -> list[float]:
        row = list(x)
        if self.learned:
            row = [value + shift for value, shift in zip(x, theta[self.dimensions :], strict=False)]
            row += theta[: self.dimensions]
        return row + [1.0] * self.bias

    def value(self, f: float, y: float) -> float:
        if self.loss == "squared":
            return 0.5 * (f - y) ** 2
        s = 1 / (1 + math.exp(-f))
        return -y * math.log(s) - (1 - y) * math.log(1 - s) if self.loss == "logistic" else 0.5 * (s - y) ** 2

    def slope(self, f: float, y: float) -> float:
        if self.loss == "squared":
            return f - y
        s = 1 / (1 + math.exp(-f))
        return s - y if self.loss == "logistic" else (s - y) * s * (1 - s)

    def curvature(self, f: float) -> float:
        """Gauss-Newton's."""
        if self.loss == "squared":
            return 1.0
        s = 1 / (1 + math.exp(-f))
        return s * (1 - s) if self.loss == "logistic" else (s * (1 - s)) ** 2


def mean_of(vectors) -> list[float]:
    return [math.fsum(column) / len(column) for column in transposed(vectors)]


def gauss_newton_matrix(neuron: SlowNeuron, theta, batch) -> np.ndarray:
    size = len(theta)
    matrix = np.zeros((size, size))
    for x, _ in batch:
        row, weight = neuron.jacobian(theta, x), neuron.curvature(neuron.output(theta, x))
        for i, j in itertools.product(range(size), repeat=2):
            matrix[i, j] += row[i] * weight * row[j] / len(batch)
    return matrix


def line_minimum(neuron: SlowNeuron, theta, gradient, batch) -> float:
    """The first length at which the mean loss along -gradient stops falling: found by walking, then bisected."""
    if not any(gradient):
        return 0.0

    def slope(length: float) -> float:
        point = [p - length * g for p, g in zip(theta, gradient, strict=True)]
        return -math.fsum(neuron.slope(neuron.output(point, x), y) * dot(neuron.jacobian(point, x), gradient)
                          for x, y in batch) / len(batch)

    curved = math.fsum(dot(neuron.jacobian(theta, x), gradient) ** 2 for x, _ in batch) / len(batch)
    stride = dot(gradient, gradient) / curved / 4
    low = 0.0
    while slope(low + stride) < 0:
        low += stride
    high = low + stride
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return (low + high) / 2


def slow_step(experiment: Experiment, neuron: SlowNeuron, theta, gradient, batch, t: int, state: dict) -> list[float]:
    """What is subtracted from the parameters, but for the learning rate; t counts from 1."""
    name, beta, alpha = experiment.optimizer, experiment.momentum, experiment.decay
    if name == "steepest_descent":
        length = line_minimum(neuron, theta, gradient, batch)
        return [length * g for g in gradient]
    if name in ("gauss_newton", "levenberg_marquardt"):
        matrix = gauss_newton_matrix(neuron, theta, batch)
        if name == "gauss_newton":
            return (np.linalg.pinv(matrix, rcond=1e-10) @ gradient).tolist()
        return (np.linalg.inv(matrix + experiment.damping * np.eye(len(theta))) @ gradient).tolist()
    step = []
    for i, g in enumerate(gradient):
        v, m, s = state.get(i, (0.0, 0.0, 0.0))
        v, m = beta * v + g, beta * m + (1 - beta) * g
        s = alpha * s + (1 - alpha) * g * g
        state[i] = v, m, s
        step.append({"sgd": g, "momentum": v, "nesterov": g + beta * v, "rmsprop": g / (math.sqrt(s) + 1e-8),
                     "adam": m / (1 - beta**t) / (math.sqrt(s / (1 - alpha**t)) + 1e-8)}[name])
    return step


def slow_factor(schedule: str, t: int, steps: int) -> float:
    cosine = (1 + math.cos(math.pi * t / steps)) / 2
    return {"constant": 1.0, "cosine": cosine, "inverse_sqrt": (1 + t) ** -0.5}[schedule]


def slow_run(run: Run, replicate: int = 0) -> dict[str, np.ndarray]:
    """The same run again, on its untreated inputs, targets and draws."""
    experiment, neuron = run.experiment, SlowNeuron(run.experiment)
    raw, targets = run.task.raw.tolist(), run.targets.tolist()
    per_batch = experiment.treatment == "batch_norm"
    whole = slow_treatment(experiment.treatment, raw)
    theta, state = neuron.start, {}
    found = {name: [] for name in ("parameters", "gradients", "samples", "residuals", "losses")}
    for t in range(experiment.steps + 1):
        found["parameters"].append(theta)
        found["losses"].append(math.fsum(neuron.value(neuron.output(theta, x), y)
                                         for x, y in zip(whole, targets, strict=True)) / len(whole))
        if t == experiment.steps:
            break
        chosen = list(range(len(raw))) if run.batches is None else run.batches[replicate, t].tolist()
        rows = slow_treatment("batch_norm", [raw[n] for n in chosen]) if per_batch else [whole[n] for n in chosen]
        batch = list(zip(rows, [targets[n] for n in chosen], strict=True))
        slopes = [neuron.slope(neuron.output(theta, x), y) for x, y in batch]
        samples = [[slope * j for j in neuron.jacobian(theta, x)] for slope, (x, _) in zip(slopes, batch, strict=True)]
        gradient = mean_of(samples)
        rate = 1.0 if math.isnan(run.learning_rate) else run.learning_rate
        rate *= slow_factor(experiment.schedule, t, experiment.steps) if not math.isnan(run.learning_rate) else 1.0
        step = slow_step(experiment, neuron, theta, gradient, batch, t + 1, state)
        theta = [p - rate * s for p, s in zip(theta, step, strict=True)]
        found["gradients"].append(gradient)
        found["samples"].append(samples)
        found["residuals"].append(slopes)
    return {name: np.array(values) for name, values in found.items()}


def small(**values) -> Experiment:
    """A tiny, noisy, asymmetric problem."""
    return Experiment(**{"samples": 7, "dimensions": 3, "target_angle": 50.0, "noise": 0.3, "steps": 6,
                         "learning_rate": 0.4, "momentum": 0.8, "decay": 0.9, "start_bias": 0.4, "seed": 3,
                         "damping": 0.2} | values)


def parameters(run: Run, replicate: int = 0) -> np.ndarray:
    parts = [run.weights[replicate]]
    parts += [] if run.input_biases is None else [run.input_biases[replicate]]
    parts += [] if run.biases is None else [run.biases[replicate][:, None]]
    return np.concatenate(parts, axis=1)


# Gauss-Newton divides by its curvature's eigenvalues, which amplifies the difference in rounding
TOLERANCE = {"gauss_newton": 1e-8, "steepest_descent": 1e-9}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("treatment", TREATMENTS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_run_equals_the_slow_one(optimizer, treatment, loss):
    for bias, batch_size in itertools.product((False, True), (1, 3, 7)):
        case = small(optimizer=optimizer, treatment=treatment, loss=loss, bias=bias, batch_size=batch_size)
        run = simulate(case)
        slow = slow_run(run)
        tolerance = TOLERANCE.get(optimizer, 1e-10)
        np.testing.assert_allclose(parameters(run), slow["parameters"], rtol=tolerance, atol=tolerance,
                                   err_msg=f"bias={bias}, batch_size={batch_size}")


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "inverse_sqrt"])
@pytest.mark.parametrize("sampling", ["replacement", "epoch"])
@pytest.mark.parametrize("inputs", ["uniform", "factorial", "one_hot", "wine"])
def test_schedules_sampling_and_inputs_equal_the_slow_run(optimizer, schedule, sampling, inputs):
    run = simulate(small(optimizer=optimizer, schedule=schedule, sampling=sampling, inputs=inputs, steps=9,
                         batch_size=2, noise=0.0), 2)
    for replicate in range(2):
        np.testing.assert_allclose(run.weights[replicate], slow_run(run, replicate)["parameters"], atol=1e-11)


# --- what is derived from a run ----------------------------------------------------------------------------------

every_neuron = pytest.mark.parametrize(("treatment", "bias"), list(itertools.product(TREATMENTS, [False, True])))


@every_neuron
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_gradients_residuals_and_losses_equal_the_slow_ones(treatment, bias, loss, batch_size):
    run = simulate(small(treatment=treatment, bias=bias, loss=loss, batch_size=batch_size), 2)
    for r in range(2):
        slow = slow_run(run, r)
        np.testing.assert_allclose(run.gradients()[r], slow["gradients"][:, :3], atol=1e-12)
        np.testing.assert_allclose(run.residuals()[r], slow["residuals"], atol=1e-12)
        np.testing.assert_allclose(run.updates()[r], np.diff(slow["parameters"][:, :3], axis=0), atol=1e-12)
        np.testing.assert_allclose(run.losses()[r], slow["losses"], atol=1e-12)
        for t in range(6):
            np.testing.assert_allclose(run.sample_gradients(r, t), slow["samples"][t][:, :3], atol=1e-12)
            np.testing.assert_allclose(run.sample_gradients(r, t).mean(axis=0), run.gradients()[r, t], atol=1e-12)


@every_neuron
@pytest.mark.parametrize("loss", LOSSES)
def test_excess_losses_equal_the_slow_ones(treatment, bias, loss):
    """The mean loss above that at the optimum; unknown where there is no optimum."""
    run = simulate(small(treatment=treatment, bias=bias, loss=loss))
    if loss == "sigmoid_squared":
        assert run.optimum is None and np.isnan(run.excess_losses()).all() and math.isnan(run.minimum_loss)
        return
    neuron = SlowNeuron(dataclasses.replace(run.experiment, treatment="none", bias=True))
    best = [*run.optimum, run.optimum_bias or 0.0]
    rows = slow_treatment(treatment, run.task.raw.tolist())
    least = math.fsum(neuron.value(neuron.output(best, x), y) for x, y in zip(rows, run.targets, strict=True)) / 7
    assert run.minimum_loss == pytest.approx(least, rel=1e-12)
    np.testing.assert_allclose(run.excess_losses()[0], slow_run(run)["losses"] - least, atol=1e-12)
    assert (run.excess_losses() >= 0).all()


def test_the_excess_of_the_squared_loss_is_exact_far_below_rounding():
    """As a difference of losses it would stop at 1e-16 of the noise's loss."""
    run = simulate(Experiment(inputs="factorial", dimensions=4, batch_size=16, noise=1.0, steps=400, learning_rate=0.5,
                              target_angle=0.0))
    assert run.excess_losses()[0, -1] < 1e-25
    run = simulate(Experiment(inputs="factorial", dimensions=4, batch_size=16, noise=1.0, steps=200, learning_rate=0.25,
                              target_angle=0.0))
    ratios = run.excess_losses()[0, 1:40] / run.excess_losses()[0, :39]
    np.testing.assert_allclose(ratios[:20], 0.25, rtol=1e-9)  # half of 1/l1, along the top eigenvector, squared
    np.testing.assert_allclose(ratios, 0.25, rtol=1e-4)  # in the end the weights' own rounding is 3e-5 of the error


def test_updates_of_plain_descent_are_the_negative_gradients_times_the_rate():
    run = simulate(small(steps=50))
    np.testing.assert_allclose(run.updates(), -run.learning_rate * run.gradients(), atol=1e-15)


def test_shapes():
    run = simulate(small(treatment="input_bias", bias=True, batch_size=3, dimensions=4, samples=9, steps=5), 2)
    assert run.weights.shape == (2, 6, 4) and run.biases.shape == (2, 6) and run.input_biases.shape == (2, 6, 4)
    assert run.batches.shape == (2, 5, 3) and run.batches.dtype == np.int32
    assert run.inputs.shape == (9, 4) and run.targets.shape == (9,) and run.optimum.shape == (4,)
    assert run.diverged_at.shape == (2,) and run.step_index.tolist() == [0, 1, 2, 3, 4, 5]
    assert run.gradients().shape == run.updates().shape == (2, 5, 4)
    assert run.residuals().shape == (2, 5, 3) and run.sample_gradients(1, 4).shape == (3, 4)
    assert run.losses().shape == run.excess_losses().shape == (2, 6)
    assert (run.weights[:, 0] == 0).all() and (run.biases[:, 0] == 0.4).all() and (run.input_biases[:, 0] == 0).all()
    plain = simulate(small())
    assert plain.biases is None and plain.input_biases is None and plain.optimum_bias is None


# --- replicates and draws ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("treatment", ["none", "batch_norm", "input_bias"])
@pytest.mark.parametrize(("loss", "batch_size"), [("squared", 1), ("squared", 3), ("logistic", 1),
                                                  ("sigmoid_squared", 3)])
def test_a_replicate_equals_the_single_run_with_its_seed(optimizer, treatment, loss, batch_size):
    experiment = small(optimizer=optimizer, treatment=treatment, loss=loss, batch_size=batch_size, bias=True, steps=40,
                       learning_rate=0.2, samples=20)
    several = simulate(experiment, 4)
    for r in range(4):
        single = simulate(dataclasses.replace(experiment, seed=experiment.seed + r))
        np.testing.assert_array_equal(several.batches[r], single.batches[0])
        np.testing.assert_allclose(parameters(several, r), parameters(single), rtol=1e-12, atol=1e-12)


def test_many_replicates_are_independent_draws_on_one_data_set():
    run = simulate(Experiment(samples=16, steps=40, batch_size=2), 500)
    assert len({tuple(batch.ravel()) for batch in run.batches}) == 500
    counts = np.bincount(run.batches.ravel(), minlength=16) / run.batches.size
    np.testing.assert_allclose(counts, 1 / 16, rtol=0.05)  # each row as often as any other
    # with replacement: a pair of draws is the same row once in 16
    assert (run.batches[..., 0] == run.batches[..., 1]).mean() == pytest.approx(1 / 16, abs=0.006)


def test_the_seed_decides_the_draws_and_the_data_seed_does_not():
    first, other_data, other_seed = (simulate(Experiment(steps=9, **values)) for values in
                                     ({}, {"data_seed": 5}, {"seed": 5}))
    np.testing.assert_array_equal(first.batches, other_data.batches)
    assert not np.array_equal(first.batches, other_seed.batches)
    np.testing.assert_array_equal(first.inputs, other_seed.inputs)


def test_runs_repeat_bit_by_bit():
    experiment = small(optimizer="adam", treatment="batch_norm", batch_size=3, steps=50)
    np.testing.assert_array_equal(simulate(experiment, 3).weights, simulate(experiment, 3).weights)


@pytest.mark.parametrize(("rows", "size"), [(10, 3), (10, 1), (7, 6), (16, 8)])
def test_an_epoch_uses_each_sample_at_most_once_and_drops_the_incomplete_batch(rows, size):
    per_epoch = rows // size
    steps = per_epoch * 30 + per_epoch // 2
    run = simulate(Experiment(samples=rows, batch_size=size, sampling="epoch", steps=steps), 3)
    for batches in run.batches:
        passes = [batches[k : k + per_epoch].ravel() for k in range(0, len(batches), per_epoch)]
        for one in passes:
            assert len(np.unique(one)) == len(one)
        assert len({tuple(one) for one in passes}) > 25  # reshuffled each time
        assert set(batches.ravel()) == set(range(rows))  # and what is dropped differs
    counts = np.bincount(run.batches[:, : per_epoch * 30].ravel(), minlength=rows)
    assert counts.sum() == 3 * 30 * per_epoch * size


def test_the_full_batch_draws_nothing():
    run = simulate(small(batch_size=7, steps=20), 3)
    assert run.batches is None
    assert run.weights.shape == (3, 21, 3) and run.residuals().shape == (3, 20, 7)
    np.testing.assert_array_equal(run.weights[1], run.weights[0])
    np.testing.assert_array_equal(run.weights, simulate(small(batch_size=7, steps=20, seed=99, sampling="epoch"),
                                                        3).weights)


def test_batch_norm_with_one_sample_never_moves():
    run = simulate(small(treatment="batch_norm", batch_size=1, steps=30))
    assert (run.weights == 0).all()
    assert (simulate(small(treatment="batch_norm", batch_size=2, steps=30)).weights[:, 1:] != 0).any()


# --- thinning, precision, given data -----------------------------------------------------------------------------

@pytest.mark.parametrize("every", [2, 3, 7, 20, 1000])
@pytest.mark.parametrize("steps", [20, 3000])  # 3000 takes several blocks of samples
def test_a_thinned_history_holds_the_same_rows(every, steps):
    experiment = small(steps=steps, treatment="input_bias", bias=True, batch_size=2)
    whole, thinned = simulate(experiment, 2), simulate(experiment, 2, every=every)
    assert thinned.step_index.tolist() == sorted({*range(0, steps + 1, every), steps})
    for r in range(2):
        np.testing.assert_array_equal(parameters(thinned, r), parameters(whole, r)[thinned.step_index])
    np.testing.assert_allclose(thinned.losses(), whole.losses()[:, thinned.step_index], rtol=1e-13)


def test_a_thinned_history_has_no_gradients():
    run = simulate(small(steps=20), every=2)
    for derived in (run.gradients, run.updates, run.residuals, lambda: run.sample_gradients(0, 3)):
        with pytest.raises(ValueError, match="every"):
            derived()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_single_precision_runs_stay_close(optimizer):
    experiment = small(optimizer=optimizer, batch_size=3, learning_rate=0.1, steps=30)
    double, single = simulate(experiment), simulate(experiment, dtype=np.float32)
    assert single.weights.dtype == np.float32 and double.weights.dtype == np.float64
    np.testing.assert_allclose(single.weights, double.weights, atol=2e-4)
    assert not np.array_equal(single.weights, double.weights)  # it was not computed in double precision


@pytest.mark.parametrize("treatment", ["none", "center", "standardize", "whiten", "batch_norm"])
def test_flipped_features_mirror_the_path(treatment):
    """The sign of a feature is a matter of coordinates: same losses, same lengths, other signs."""
    plain = simulate(Experiment(dimensions=4, batch_size=2, treatment=treatment, steps=80, target_angle=35.0))
    flip = np.array([1.0, -1.0, -1.0, 1.0])
    raw, experiment = plain.task.raw, dataclasses.replace(plain.experiment)
    flipped = simulate(experiment, data=(raw * flip, plain.task.raw @ np.array([1.0, 2.0, -1.0, 0.5])))
    again = simulate(experiment, data=(raw, plain.task.raw @ np.array([1.0, 2.0, -1.0, 0.5])))
    assert flipped.learning_rate == pytest.approx(again.learning_rate)
    np.testing.assert_allclose(flipped.weights * flip, again.weights, atol=1e-9)
    np.testing.assert_allclose(flipped.optimum * flip, again.optimum, atol=1e-9)
    np.testing.assert_allclose(flipped.losses(), again.losses(), atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(flipped.updates(), axis=-1), np.linalg.norm(again.updates(), axis=-1),
                               atol=1e-9)


def test_given_data_replace_the_inputs_and_the_targets():
    rng = np.random.default_rng(0)
    x, y = rng.random((11, 3)), rng.random(11)
    run = simulate(small(batch_size=4), data=(x, y))
    np.testing.assert_array_equal(run.inputs, x)
    np.testing.assert_array_equal(run.targets, y)
    assert run.batches.max() <= 10 and run.weights.shape == (1, 7, 3)
    np.testing.assert_allclose(run.optimum, np.linalg.lstsq(x, y, rcond=None)[0])
    np.testing.assert_allclose(run.weights[0], slow_run_with_width(run)["parameters"], atol=1e-11)
    assert simulate(small(batch_size=11, samples=20), data=(x, y)).batches is None  # the full batch of what was given
    np.testing.assert_array_equal(simulate(small(batch_size=4), data=(x.tolist(), y.tolist())).weights, run.weights)


def slow_run_with_width(run: Run) -> dict[str, np.ndarray]:
    width = run.inputs.shape[1]
    return slow_run(dataclasses.replace(run, experiment=dataclasses.replace(run.experiment, dimensions=width)))


# --- divergence --------------------------------------------------------------------------------------------------

def assert_divergence_is_reported(run: Run):
    for r, row in enumerate(run.diverged_at):
        values = parameters(run, r)
        if row < 0:
            assert np.abs(values).max() <= 1e30
            continue
        assert (np.abs(values[:row]) <= 1e30).all()  # false for NaN as well
        assert not (np.abs(values[row]) <= 1e30).all()
        assert np.isnan(values[row + 1 :]).all()


@pytest.mark.parametrize("values", [
    {}, {"batch_size": 7}, {"treatment": "input_bias", "bias": True}, {"optimizer": "momentum", "batch_size": 3},
    {"optimizer": "gauss_newton", "batch_size": 7}, {"optimizer": "levenberg_marquardt", "batch_size": 7}])
def test_divergence_is_reported_and_nothing_follows_it(values):
    run = simulate(small(learning_rate=10.0, steps=4000, **values), 3)
    assert (run.diverged_at > 0).all() and (run.diverged_at < 4000).all()
    assert_divergence_is_reported(run)
    for r in range(3):
        single = simulate(dataclasses.replace(run.experiment, seed=3 + r))
        assert single.diverged_at[0] == run.diverged_at[r]


def test_replicates_that_diverge_leave_the_others_alone():
    """Around the limit some draws diverge and others do not."""
    experiment = Experiment(learning_rate=1.6, steps=1600, seed=0, samples=32, inputs="exponential", dimensions=3)
    run = simulate(experiment, 24)
    assert 0 < (run.diverged_at < 0).sum() < 24
    assert_divergence_is_reported(run)
    for r in (int(np.argmax(run.diverged_at < 0)), int(np.argmax(run.diverged_at >= 0))):
        single = simulate(dataclasses.replace(experiment, seed=r))
        assert single.diverged_at[0] == run.diverged_at[r]
        np.testing.assert_allclose(single.weights[0], run.weights[r], rtol=1e-6)


def test_the_first_row_beyond_1e30_counts():
    """Full batch, one dimension: the error grows by exactly 1 - 2 * 10 a step."""
    run = simulate(Experiment(inputs="factorial", dimensions=1, target_angle=0.0, batch_size=2, learning_rate=10.0))
    expected = next(t for t in range(200) if 2.0 * (19**t - (-1) ** t) > 1e30)
    assert run.diverged_at[0] == expected
    np.testing.assert_allclose(run.weights[0, : expected + 1, 0], [2 * (1 - (-19.0) ** t) for t in range(expected + 1)],
                               rtol=1e-12)


@pytest.mark.parametrize("every", [2, 5, 50])
def test_a_thinned_history_reports_the_row_of_the_divergence(every):
    experiment = small(learning_rate=10.0, steps=400, batch_size=2)
    whole, thinned = simulate(experiment, 3), simulate(experiment, 3, every=every)
    for r in range(3):
        row, step = thinned.diverged_at[r], whole.diverged_at[r]
        assert thinned.step_index[row] >= step > thinned.step_index[row - 1]
        np.testing.assert_array_equal(thinned.weights[r, :row], whole.weights[r, thinned.step_index[:row]])
        assert not (np.abs(thinned.weights[r, row]) <= 1e30).all()
        assert np.isnan(thinned.weights[r, row + 1 :]).all()


def test_training_stops_where_all_replicates_are_gone(monkeypatch):
    calls = []
    rule = OPTIMIZERS["momentum"]
    counted = rule._replace(update=lambda *arguments: calls.append(1) or rule.update(*arguments))
    monkeypatch.setitem(OPTIMIZERS, "momentum", counted)
    run = simulate(small(optimizer="momentum", learning_rate=10.0, steps=100_000), 2)
    assert (run.diverged_at >= 0).all()
    assert len(calls) < 5000


def test_what_is_derived_from_a_diverged_run_is_nan_after_it():
    run = simulate(small(learning_rate=10.0, steps=400, batch_size=2, treatment="input_bias", bias=True))
    row = run.diverged_at[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        derived = [run.losses(), run.excess_losses(), run.gradients(), run.updates(), run.residuals()]
    for values in derived:
        assert np.isfinite(values[0, : row - 1]).all()
        assert np.isnan(values[0, row + 1 :]).all()


# --- memory, pickling, arguments ---------------------------------------------------------------------------------

TOO_LARGE = [
    ({"steps": 100_000, "dimensions": 1024}, 1, None),
    ({"steps": 100_000, "dimensions": 16, "batch_size": 200}, 10, None),
    ({"steps": 100_000, "samples": 65536, "batch_size": 65536}, 100, (65537, 2)),
    ({"steps": 100_000, "samples": 256, "batch_size": 256}, 50, (300, 2)),  # not the full batch of what is given
    ({"steps": 100_000}, 1, (10, 800)),
    ({"steps": 100_000, "treatment": "input_bias", "dimensions": 400, "batch_size": 256}, 1, None),
]


@pytest.mark.parametrize(("values", "replicates", "shape"), TOO_LARGE)
def test_a_history_that_does_not_fit_is_refused_before_anything_is_allocated(values, replicates, shape):
    experiment = Experiment(**values)
    data = None if shape is None else (np.ones(shape), None)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"steps=100000: must be at most about \d+"):
            simulate(experiment, replicates, data=data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_the_number_of_steps_that_the_refusal_names_fits():
    experiment = Experiment(steps=100_000, dimensions=1024)
    with pytest.raises(ValueError) as caught:
        simulate(experiment)
    fitting = int(str(caught.value).split("about ")[1].split()[0])
    assert 0.98 * MAX_HISTORY_BYTES < history_bytes(dataclasses.replace(experiment, steps=fitting)) <= MAX_HISTORY_BYTES


@given(experiments(), st.integers(1, 3), st.sampled_from([1, 4]))
@settings(max_examples=40)
def test_the_predicted_size_is_that_of_the_history(experiment, replicates, every):
    try:
        run = simulate(experiment, replicates, every=every)
    except ValueError:
        return
    shared = replicates if run.batches is None else 1  # replicates of the full batch are one run, shown several times
    arrays = [array for array in (run.weights, run.biases, run.input_biases) if array is not None]
    size = sum(array.nbytes // shared for array in arrays) + (0 if run.batches is None else run.batches.nbytes)
    assert history_bytes(experiment, replicates, every) == size


def test_runs_can_be_pickled():
    for experiment in (small(), small(treatment="batch_norm", bias=True, batch_size=7), small(treatment="whiten")):
        run = simulate(experiment, 2)
        again = pickle.loads(pickle.dumps(run))
        np.testing.assert_array_equal(again.weights, run.weights)
        np.testing.assert_array_equal(again.gradients(), run.gradients())
        np.testing.assert_array_equal(again.losses(), run.losses())
        assert again.experiment == experiment


@pytest.mark.parametrize("values", [{"replicates": 0}, {"every": 0}, {"dtype": np.float16}, {"dtype": int}])
def test_arguments_out_of_range_are_refused_by_name(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        simulate(Experiment(), **values)


def test_the_arguments_are_left_alone():
    x, y = np.random.default_rng(0).random((9, 2)), np.arange(9.0)
    before = x.copy(), y.copy()
    for treatment in TREATMENTS:
        simulate(small(treatment=treatment), data=(x, y))
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


# --- anything at all ---------------------------------------------------------------------------------------------

@given(experiments(), st.sampled_from([1, 1, 3]), st.sampled_from([1, 1, 5]), st.sampled_from([np.float64, np.float32]))
@settings(max_examples=300)
def test_any_experiment_gives_finite_numbers_reports_divergence_or_is_refused(experiment, replicates, every, dtype):
    """Without a single warning: overflow is what divergence looks like, and it is reported, not warned about."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            run = simulate(experiment, replicates, every=every, dtype=dtype)
        except ValueError as error:
            assert "=" in str(error).split()[0]  # it names a field
            return
        derived = [run.losses(), run.excess_losses()]
        if len(run.step_index) == experiment.steps + 1:
            derived += [run.gradients(), run.updates(), run.residuals()]
    assert np.isfinite(run.inputs).all() and np.isfinite(run.targets).all()
    assert_divergence_is_reported(run)
    for r, values in itertools.product(range(replicates), derived):
        if run.diverged_at[r] < 0 and not (values is derived[1] and run.optimum is None):
            assert np.isfinite(values[r]).all()
    if run.optimum is None:
        assert np.isnan(derived[1]).all()
    else:
        assert np.isfinite(run.optimum).all()
