"""train: gradients against finite differences, measures against slow loops, its promises, and what theory says."""
import dataclasses
import math
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zz_core.activations import ACTIVATIONS
from zz_core.costs import MAX_HISTORY_BYTES
from zz_core.network import NetworkExperiment, history_bytes, train, training
from zz_core.network.data import SOURCES, build_data
from zz_core.network.experiment import BOUNDS, CHOICES, DEFAULTS, FIELD_TYPES
from zz_core.network.kernels import KERNELS, erf
from zz_core.network.layers import Architecture, start_parameters
from zz_core.network.passes import Stack, extended, loss_slopes, mean_losses, target_matrix
from zz_core.network.recording import sign_measures
from zz_core.network.training import draw_batches

SMALL = {"data": "wine", "layers": "5-4", "batch_size": 8, "steps": 90}

# --- functions and gradients -------------------------------------------------------------------------------------


def test_every_activation_of_the_core_has_a_kernel():
    assert list(KERNELS) == list(ACTIVATIONS)


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_is_its_activation(name):
    z = np.append(np.linspace(-40, 40, 8001), [0.0, 1e-9, -1e-9])
    value = KERNELS[name].value(z, np.empty_like(z))
    slope = KERNELS[name].slope(z, value, np.empty_like(z))
    np.testing.assert_allclose(value, ACTIVATIONS[name].value(z), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(slope, ACTIVATIONS[name].slope(z), rtol=1e-14, atol=1e-14)


def test_erf_is_that_of_the_standard_library():
    x = np.append(np.linspace(-7, 7, 20001), [np.inf, -np.inf])
    np.testing.assert_allclose(erf(x), [math.erf(value) for value in x], rtol=0, atol=4e-16)
    assert np.isnan(erf(np.array([np.nan]))).all()


@pytest.mark.parametrize("loss", CHOICES["loss"])
@pytest.mark.parametrize("place", CHOICES["normalization_place"])
@pytest.mark.parametrize("normalization", CHOICES["normalization"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_central_differences(activation, normalization, place, loss):
    architecture = Architecture((3, 4, 3, 2), activation, normalization, place == "before", True)
    rng = np.random.default_rng(3)
    theta = start_parameters(architecture, "plain", rng) + 0.2 * rng.normal(size=architecture.size)
    x = extended(rng.normal(size=(5, 3))).T[None]
    y = target_matrix(np.array([0, 1, 1, 0, 1]), 2).T[None]
    stack = Stack(architecture, 1, 5)

    def value(parameters: np.ndarray) -> float:
        return mean_losses(loss, stack.forward(architecture.views(parameters[None]), x), y)[0]

    numeric = [(value(theta + step) - value(theta - step)) / 2e-6 for step in 1e-6 * np.eye(architecture.size)]
    layers, gradient = architecture.views(theta[None]), np.empty((1, architecture.size))
    stack.backward(layers, x, loss_slopes(loss, stack.forward(layers, x), y), architecture.views(gradient))
    assert np.abs(numeric).max() > 1e-3
    np.testing.assert_allclose(gradient[0], numeric, rtol=0, atol=2e-8)


def test_unflatten_gives_views_of_every_parameter():
    run = train(NetworkExperiment(**SMALL, normalization="layer_norm"))
    vector = np.arange(float(run.architecture.size))
    layers = run.unflatten(vector)
    assert [layer["weight"].shape for layer in layers] == [(5, 13), (4, 5), (3, 4)]
    assert [sorted(layer) for layer in layers] == [["beta", "bias", "gamma", "weight"]] * 2 + [["bias", "weight"]]
    found = np.concatenate([part.ravel() for layer in layers for part in layer.values()])
    assert np.array_equal(np.sort(found), vector)
    assert all(np.shares_memory(part, vector) for layer in layers for part in layer.values())


@pytest.mark.parametrize(("name", "bias", "variance"), [("xavier", 0.0, 2 / 70), ("he", 0.0, 2 / 50),
                                                        ("plain", 1 / 150, 1 / 150)])
def test_weights_start_with_the_variance_of_their_rule(name, bias, variance):
    architecture = Architecture((50, 20), "tanh", "none", True, True)
    starts = np.array([start_parameters(architecture, name, np.random.default_rng(k)) for k in range(40)])
    layer = architecture.views(starts)[0]
    assert layer.weight[..., :-1].var() == pytest.approx(variance, rel=0.03)  # 40,000 values
    assert np.square(layer.weight[..., -1]).mean() == pytest.approx(bias, rel=0.2)


# --- data --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOURCES)
def test_data_are_split_without_loss(name):
    data, source = build_data(name, 40, "none", 0.0, 1), SOURCES[name]
    rows = source.rows(40)
    assert data.inputs.shape[1] == source.inputs and data.outputs == source.classes
    assert len(data.inputs) + len(data.test_inputs) == rows and len(data.test_inputs) == round(rows / 4)
    assert set(data.targets) == set(range(source.classes))
    drawn = source.draw(40, np.random.default_rng(1))[0]
    together = np.concatenate([data.inputs, data.test_inputs])
    assert np.array_equal(np.sort(together, axis=0), np.sort(drawn, axis=0))


def test_inputs_are_treated_by_the_training_rows_and_shifted_by_their_spread():
    raw, data = build_data("wine", 40, "none", 0.0, 0), build_data("wine", 40, "standardize", 3.0, 0)
    mean, std = raw.inputs.mean(axis=0), raw.inputs.std(axis=0)
    np.testing.assert_allclose(data.inputs, (raw.inputs - mean) / std + 3.0, atol=1e-12)
    np.testing.assert_allclose(data.test_inputs, (raw.test_inputs - mean) / std + 3.0, atol=1e-12)
    shifted = build_data("wine", 40, "none", 2.0, 0)
    np.testing.assert_allclose(shifted.inputs, raw.inputs + 2 * std, atol=1e-12)


# --- replicates, checkpoints, replay -----------------------------------------------------------------------------


@pytest.mark.parametrize("values", [{}, {"optimizer": "adam", "learning_rate": 0.01}, {"normalization": "batch_norm"},
                                    {"normalization": "layer_norm", "optimizer": "momentum"}, {"batch_size": 134}])
def test_a_replicate_is_the_single_run_with_its_seed(values):
    experiment = NetworkExperiment(**SMALL | values, seed=5)
    together = train(experiment, 3)
    for r in range(3):
        alone = train(dataclasses.replace(experiment, seed=5 + r))
        assert np.array_equal(alone.batches[0], together.batches[r])
        np.testing.assert_allclose(alone.checkpoints[0], together.checkpoints[r], rtol=0, atol=1e-12)
        np.testing.assert_allclose(alone.checkpoint_statistics[0], together.checkpoint_statistics[r], atol=1e-12)
        np.testing.assert_allclose(alone.losses[0], together.losses[r], rtol=1e-5)


@pytest.mark.parametrize("optimizer", CHOICES["optimizer"])
@pytest.mark.parametrize("normalization", CHOICES["normalization"])
def test_a_step_is_repeated_to_the_last_bit(optimizer, normalization):
    """Against a run that ends at that step: its last checkpoint was made by the training itself."""
    experiment = NetworkExperiment(**SMALL | {"steps": 150}, optimizer=optimizer, normalization=normalization,
                                   learning_rate=0.02)
    run = train(experiment, 2)
    assert run.checkpoint_steps[0] == 0 and run.checkpoint_steps[-1] == 150 and len(run.checkpoint_steps) < 70
    for step in (0, 1, 2, 76, 149):
        shorter = train(dataclasses.replace(experiment, steps=max(step, 1)), 2)
        for r in range(2):
            assert np.array_equal(run.parameters(step, r), shorter.checkpoints[r, -1 if step else 0])


@pytest.mark.parametrize("values", [{}, {"normalization": "batch_norm", "optimizer": "adam"},
                                    {"activation": "relu", "learning_rate": 9.0, "loss": "squared"}])
def test_threads_change_nothing(monkeypatch, values):
    """Not even where some replicates diverge."""
    experiment = NetworkExperiment(**SMALL | values)
    monkeypatch.setattr(training, "FEW", 1)
    runs = []
    for cores in (1, 3):
        monkeypatch.setattr(training, "cores", lambda cores=cores: cores)
        runs.append(train(experiment, 7))
    one, three = runs
    for name in ("checkpoints", "checkpoint_statistics", "losses", "mean_direction_energy", "coherence", "diverged_at",
                 "positive", "negative", "input_mean"):
        for a, b in zip(getattr(one, name), getattr(three, name), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-9)
    assert (one.diverged_at >= 0).any() == ("learning_rate" in values)


def test_draws_do_not_depend_on_the_network_nor_the_start_on_the_steps():
    first = train(NetworkExperiment(**SMALL))
    second = train(NetworkExperiment(**SMALL | {"layers": "3", "steps": 30}))
    assert np.array_equal(first.batches[:, :30], second.batches)
    third = train(NetworkExperiment(**SMALL | {"steps": 7, "batch_size": 3}))
    assert np.array_equal(first.checkpoints[:, 0], third.checkpoints[:, 0])


def test_the_full_batch_takes_every_row_once():
    batches = draw_batches(NetworkExperiment(**SMALL | {"batch_size": 134}), 134, 2)
    assert (batches == np.arange(134)).all()


# --- measures ----------------------------------------------------------------------------------------------------


def slow_forward(run, layers, x: np.ndarray) -> list[np.ndarray]:
    """The inputs of each layer for one sample, and the outputs, without a normalization."""
    passed = [x]
    for k, layer in enumerate(layers):
        z = np.array([math.fsum(w * a for w, a in zip(row, passed[-1], strict=True)) + b
                      for row, b in zip(layer["weight"], layer["bias"], strict=True)])
        passed.append(z if k == len(layers) - 1 else ACTIVATIONS[run.experiment.activation].value(z))
    return passed


def slow_gradients(run, step: int) -> list[np.ndarray]:
    """dL/dW of each sample, (B, out, in) per layer, sample by sample by the chain rule."""
    layers, per_sample = run.unflatten(run.parameters(step)), []
    for row in run.batches[0, step]:
        passed = slow_forward(run, layers, run.inputs[row])
        shares = np.exp(passed[-1]) / np.exp(passed[-1]).sum()
        delta, found = shares - np.eye(len(shares))[run.targets[row]], []
        for k in range(len(layers) - 1, -1, -1):
            found.append(np.outer(delta, passed[k]))
            if k:
                z = layers[k - 1]["weight"] @ passed[k - 1] + layers[k - 1]["bias"]
                delta = ACTIVATIONS[run.experiment.activation].slope(z) * (layers[k]["weight"].T @ delta)
        per_sample.append(found[::-1])
    return [np.array(layer) for layer in zip(*per_sample, strict=True)]


@pytest.fixture(scope="module", params=["sigmoid", "tanh", "relu"])
def recorded(request):
    return train(NetworkExperiment(**SMALL | {"steps": 12}, activation=request.param, shift=0.5, learning_rate=0.3))


def test_gradients_of_a_step_are_those_of_the_chain_rule(recorded):
    for step in (0, 7, 11):
        for layer, slow in enumerate(slow_gradients(recorded, step)):
            np.testing.assert_allclose(recorded.gradients(layer, step, samples=True), slow, rtol=0, atol=1e-12)
            np.testing.assert_allclose(recorded.gradients(layer, step), slow.mean(axis=0), rtol=0, atol=1e-12)


def test_recorded_signs_are_those_of_the_chain_rule(recorded):
    for step in (0, 7, 11):
        for layer, slow in enumerate(slow_gradients(recorded, step)):
            mean = slow.mean(axis=0)
            tiny = np.abs(mean) <= 1e-12 * np.abs(mean).sum(axis=1, keepdims=True)
            signs = np.where(tiny, 0, np.sign(mean))
            assert np.array_equal(recorded.gradient_signs(layer, step), signs)
            assert np.array_equal(recorded.positive[layer][0, step], (signs > 0).sum(axis=1))
            assert np.array_equal(recorded.negative[layer][0, step], (signs < 0).sum(axis=1))
            used = [row for row in signs if row.any()]
            unanimous = np.mean([not ((row > 0).any() and (row < 0).any()) for row in used])
            assert recorded.unanimous_rows[0, step, layer] == pytest.approx(unanimous)
            ratios = [abs(row.sum()) / np.abs(row).sum() for row in mean if row.any()]
            assert recorded.coherence[0, step, layer] == pytest.approx(np.mean(ratios), abs=1e-5)


def test_recorded_inputs_and_losses_are_those_of_the_evaluated_rows(recorded):
    for step in (0, 7, 11):
        layers, rows = recorded.unflatten(recorded.parameters(step)), recorded.evaluated_rows
        assert rows == 64
        passed = [np.array(part) for part in zip(*(slow_forward(recorded, layers, x) for x in recorded.inputs[:rows]),
                                                 strict=True)]
        passed[0] = recorded.inputs  # the data's own moments are those of all training rows
        slow = slow_gradients(recorded, step)
        for layer, inputs in enumerate(passed[:-1]):
            mean, gradient = inputs.mean(axis=0), slow[layer].mean(axis=0)
            assert recorded.input_mean[0, step, layer] == pytest.approx(mean.mean(), abs=1e-5)
            assert recorded.input_std[0, step, layer] == pytest.approx(np.sqrt(inputs.var(axis=0).mean()), rel=1e-4)
            energy = np.square(gradient @ mean).sum() / np.square(mean).sum() / np.square(gradient).sum()
            assert recorded.mean_direction_energy[0, step, layer] == pytest.approx(energy, abs=1e-4)
        outputs, labels = passed[-1], recorded.targets[:rows]
        losses = np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(rows), labels]
        assert recorded.losses[0, step] == pytest.approx(losses.mean(), rel=1e-5)
        assert recorded.accuracies[0, step] == pytest.approx((outputs.argmax(axis=1) == labels).mean())


def test_what_checkpoints_say_is_said_on_all_rows(recorded):
    layers = recorded.unflatten(recorded.checkpoints[0, -1])
    for inputs, labels, losses, shares in [
            (recorded.inputs, recorded.targets, recorded.training_losses, recorded.training_accuracies),
            (recorded.test_inputs, recorded.test_targets, recorded.test_losses, recorded.test_accuracies)]:
        passed = [slow_forward(recorded, layers, x) for x in inputs]
        outputs = np.array([row[-1] for row in passed])
        expected = np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(len(labels)), labels]
        assert losses[0, -1] == pytest.approx(expected.mean(), rel=1e-12)
        assert shares[0, -1] == (outputs.argmax(axis=1) == labels).mean()
    for layer, inputs in enumerate(recorded.layer_inputs(0, -1)):
        ones = np.ones((len(inputs), 1))
        raw, centered = (np.linalg.svd(np.hstack([rows, ones]), compute_uv=False)[0] ** 2 / len(rows)
                         for rows in (inputs, inputs - inputs.mean(axis=0)))
        assert recorded.eigenvalues_raw[0, -1, layer] == pytest.approx(raw, rel=1e-10)
        assert recorded.eigenvalues_centered[0, -1, layer] == pytest.approx(centered, rel=1e-10)
        assert recorded.head_room[0, -1, layer] == pytest.approx(raw / centered, rel=1e-10)


def test_tiny_gradients_are_measured_as_large_ones_and_zero_rows_left_out():
    rng = np.random.default_rng(0)
    gradient, direction = rng.normal(size=(1, 3, 5)), np.full((1, 4), 0.5)
    gradient[0, 1] = 0.0
    gradient[0, 2, 0] = 1e-14
    first, second = sign_measures(gradient, direction), sign_measures(1e-200 * gradient, direction)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert first.positive[0, 1] == first.negative[0, 1] == 0
    assert first.positive[0, 2] + first.negative[0, 2] == 3
    weights = gradient[0, [0, 2], :-1]
    assert first.coherence[0] == pytest.approx((np.abs(weights.sum(axis=1)) / np.abs(weights).sum(axis=1)).mean())


def test_inputs_without_a_mean_have_no_mean_direction():
    run = train(NetworkExperiment(**SMALL, treatment="center"))
    assert np.isnan(run.mean_direction_energy[..., 0]).all() and np.isfinite(run.mean_direction_energy[..., 1:]).all()
    assert (train(NetworkExperiment(**SMALL, treatment="none")).mean_direction_energy[..., 0] > 0).all()


# --- what theory says of deep networks ---------------------------------------------------------------------------


def mean_unanimity(activation: str, batch_size: int, layer: int = 1) -> float:
    """Share of unanimous rows at the start of 40 random 16-16-16-4 networks, standard normal inputs."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(1200, 16)), rng.integers(0, 4, 1200)
    experiment = NetworkExperiment(layers="16-16", activation=activation, treatment="none", batch_size=batch_size,
                                   steps=1)
    return train(experiment, 40, data=data).unanimous_rows[:, 0, layer].mean()


def test_batching_first_lowers_and_then_raises_unanimity_of_a_deeper_sigmoid_layer():
    shares = {B: mean_unanimity("sigmoid", B) for B in (1, 4, 16, 256)}
    assert shares[1] == 1.0
    assert shares[4] < 0.95 and shares[256] > shares[4] + 0.1 and shares[256] > 0.85


def test_rows_of_a_tanh_layer_are_never_unanimous_nor_those_of_standardized_data():
    assert mean_unanimity("tanh", 1) < 0.01 and mean_unanimity("tanh", 64) < 0.01
    assert mean_unanimity("sigmoid", 1, layer=0) < 0.01


def test_relu_rows_are_weakly_unanimous_for_one_sample_and_not_for_a_batch():
    assert mean_unanimity("relu", 1) == 1.0
    assert mean_unanimity("relu", 16) < 0.8


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_a_batch_gradient_has_at_most_the_rank_of_its_batch(batch_size):
    run = train(NetworkExperiment(**SMALL | {"batch_size": batch_size, "steps": 3, "layers": "8-8"}))
    for layer in (0, 1):
        values = np.linalg.svd(run.gradients(layer, 2), compute_uv=False)
        assert values[batch_size - 1] > 1e-12 * values[0] and (values[batch_size:] < 1e-12 * values[0]).all()


def test_one_sample_gives_the_sign_of_its_residual_times_the_sign_of_its_input():
    run = train(NetworkExperiment(**SMALL, activation="tanh"))
    for signs in run.gradient_signs(1, 40, samples=True):
        assert np.linalg.matrix_rank(signs) == 1


# --- divergence, cancelling, bad input ---------------------------------------------------------------------------


def test_a_divergence_is_reported_and_leaves_nan():
    run = train(NetworkExperiment(**SMALL, activation="relu", loss="squared", learning_rate=10.0), 2)
    assert (run.diverged_at > 0).all()
    for r, at in enumerate(run.diverged_at):
        assert np.isnan(run.losses[r, at + 1 :]).all() and np.isfinite(run.losses[r, : at // 2]).all()
        assert np.isnan(run.checkpoints[r, run.checkpoint_steps > at]).all()
        assert np.isfinite(run.checkpoints[r, run.checkpoint_steps < at]).all()
        assert np.isnan(run.coherence[r, at:]).all() and not run.positive[0][r, at:].any()
        assert np.isnan(run.parameters(at + 1, r)).all() and not np.isnan(run.parameters(at - 1, r)).any()
        assert not run.gradient_signs(0, at + 1, r).any()
    assert np.isnan(run.head_room[:, -1, 1:]).all() and np.isnan(run.test_losses[:, -1]).all()


def test_a_cancelled_run_is_returned_as_far_as_it_came():
    experiment, seen = NetworkExperiment(**SMALL | {"steps": 1000}), []

    def progress(step, so_far):
        seen.append((step, so_far.losses.shape, np.isfinite(so_far.losses).all()))
        return step < 300

    run, whole = train(experiment, 2, progress), train(experiment, 2)
    assert run.experiment == experiment and 300 <= run.steps < 1000 and seen[-1][0] == run.steps
    assert all(shape == (2, step) and finite for step, shape, finite in seen) and len(seen) > 1
    assert run.checkpoint_steps[-1] == run.steps and run.losses.shape == (2, run.steps + 1)
    assert np.array_equal(run.checkpoints[0, -1], whole.parameters(run.steps))
    assert np.array_equal(run.positive[1], whole.positive[1][:, : run.steps])
    np.testing.assert_allclose(run.losses, whole.losses[:, : run.steps + 1], rtol=1e-5)
    assert np.array_equal(run.gradient_signs(1, run.steps - 1), whole.gradient_signs(1, run.steps - 1))


def test_progress_that_returns_nothing_does_not_cancel():
    assert train(NetworkExperiment(**SMALL), progress=lambda step, so_far: None).steps == 90


@pytest.mark.parametrize(("name", "value", "words"), [
    ("data", "iris", "one of digits"), ("layers", "32--32", "joined by hyphens"), ("layers", "0", "in [1, 256]"),
    ("layers", "1-2-3-4-5-6-7", "at most 6"), ("layers", "257", "in [1, 256]"), ("layers", 32, "joined by hyphens"),
    ("layers", "+3", "whole numbers"), ("layers", "1_0", "whole numbers"), ("steps", 0, "whole number in [1, 100000]"),
    ("steps", 2.5, "whole number"), ("steps", True, "whole number"), ("learning_rate", math.nan, "number in"),
    ("learning_rate", "fast", "number in"), ("affine", 1, "true or false"), ("activation", "step", "must be one of"),
    ("batch_size", 1349, "at most 1348, the number of training rows")])
def test_a_bad_value_is_refused_by_name(name, value, words):
    with pytest.raises(ValueError) as caught:
        NetworkExperiment(**{name: value})
    assert str(caught.value).startswith(f"{name}={value}: ") and words in str(caught.value)


def test_layer_norm_of_one_unit_is_refused():
    with pytest.raises(ValueError, match="layers=4-1: must be widths of at least 2"):
        NetworkExperiment(layers="4-1", normalization="layer_norm")


@pytest.mark.parametrize(("data", "words"), [
    ((np.zeros(4), np.zeros(4)), "must be"), ((np.zeros((4, 2)), np.zeros(3)), "must be inputs"),
    ((np.full((4, 2), np.nan), np.zeros(4)), "finite"), ((np.zeros((4, 2)), np.zeros(4, int)), "of 2 to 256")])
def test_bad_data_are_refused(data, words):
    with pytest.raises(ValueError, match=words):
        train(NetworkExperiment(batch_size=1, loss="squared"), data=data)


def test_what_does_not_fit_the_given_data_is_refused():
    data = np.zeros((8, 2)), np.arange(8) % 2
    with pytest.raises(ValueError, match="batch_size=7: must be at most 6"):
        train(NetworkExperiment(batch_size=7), data=data)
    with pytest.raises(ValueError, match="loss=cross_entropy: must be squared for a regression"):
        train(NetworkExperiment(batch_size=2), data=(data[0], np.linspace(0, 1, 8)))
    with pytest.raises(ValueError, match="replicates=0"):
        train(NetworkExperiment(), 0)
    run = train(NetworkExperiment(**SMALL))
    for arguments, words in [((3, 0), "layer=3"), ((0, 90), "step=90"), ((0, 0, 1), "replicate=1")]:
        with pytest.raises(ValueError, match=words):
            run.gradient_signs(*arguments)


def test_a_run_that_would_not_fit_is_refused_before_anything_is_allocated():
    experiment = NetworkExperiment(steps=100000, batch_size=1024)
    tracemalloc.start()
    with pytest.raises(ValueError, match="steps=100000: must be at most") as caught:
        train(experiment, 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
    fitting = int(str(caught.value).split("at most ")[1].split()[0])
    sizes = [history_bytes(dataclasses.replace(experiment, steps=steps), 5) for steps in (fitting, fitting + 1)]
    assert sizes[0] <= MAX_HISTORY_BYTES < sizes[1]


@pytest.mark.parametrize("values", [{}, {"optimizer": "adam", "normalization": "batch_norm"}, {"batch_size": 134}])
def test_the_memory_of_a_run_is_known_beforehand(values):
    experiment = NetworkExperiment(**SMALL | values)
    run = train(experiment, 3)
    kept = [run.batches, run.checkpoints, *run.checkpoint_states, run.checkpoint_statistics, run.losses,
            run.accuracies, *run.positive, *run.negative, run.mean_direction_energy, run.coherence, run.input_mean,
            run.input_std]
    assert sum(array.nbytes for array in kept) == pytest.approx(history_bytes(experiment, 3), rel=0.01)


# --- the record --------------------------------------------------------------------------------------------------

LAYERS = st.lists(st.integers(2, 256), max_size=6).map(lambda widths: "-".join(map(str, widths)))


def _values(name: str) -> st.SearchStrategy:
    if name == "layers":
        return LAYERS
    if FIELD_TYPES[name] is str:
        return st.sampled_from(CHOICES[name])
    if FIELD_TYPES[name] is bool:
        return st.booleans()
    low, high = BOUNDS[name]
    if name == "batch_size":
        return st.integers(1, 6)
    return st.integers(int(low), int(high)) if FIELD_TYPES[name] is int else st.floats(low, high)


EXPERIMENTS = st.fixed_dictionaries({name: _values(name) for name in DEFAULTS}).map(lambda v: NetworkExperiment(**v))


@given(EXPERIMENTS)
def test_an_experiment_survives_its_query(experiment):
    query = experiment.to_query()
    assert all(key.startswith("net_") and isinstance(text, str) for key, text in query.items())
    again = NetworkExperiment.from_query(query | {"steps": "nonsense", "layers": "of another owner"})
    assert again == experiment and hash(again) == hash(experiment)


def test_only_what_differs_from_the_defaults_is_written():
    assert NetworkExperiment().to_query() == {}
    assert NetworkExperiment(layers="", affine=False).to_query() == {"net_layers": "", "net_affine": "false"}
    assert NetworkExperiment(layers="032-8") == NetworkExperiment(layers="32-8")
    with pytest.raises(ValueError, match="steps=many: must be a whole number"):
        NetworkExperiment.from_query({"net_steps": "many"})


@given(EXPERIMENTS, st.sampled_from(["", "3", "4-2"]))
@settings(max_examples=60)
def test_any_experiment_trains(experiment, layers):
    """Without a warning or an error; a divergence is a result."""
    small = dataclasses.replace(experiment, layers=layers, steps=5, samples=min(experiment.samples, 30))
    run = train(small, 2)
    assert run.losses.shape == (2, 6) and run.unanimous_rows.shape == (2, 5, len(small.widths) + 1)
    finite = run.diverged_at < 0
    assert np.isfinite(run.checkpoints[finite]).all()


def test_a_run_survives_pickling():
    run = train(NetworkExperiment(**SMALL, normalization="batch_norm", optimizer="adam", learning_rate=0.01))
    again = pickle.loads(pickle.dumps(run))
    assert np.array_equal(again.checkpoints, run.checkpoints)
    assert np.array_equal(again.gradient_signs(1, 50), run.gradient_signs(1, 50))
    assert np.array_equal(again.test_losses, run.test_losses)


def test_networks_learn_what_a_linear_one_cannot():
    experiment = NetworkExperiment(data="circles", layers="16-16", activation="tanh", learning_rate=0.3)
    assert train(experiment).test_accuracies[0, -1] > 0.95
    assert train(dataclasses.replace(experiment, layers="")).test_accuracies[0, -1] < 0.75


def test_a_regression_has_losses_and_no_accuracy():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(100, 3))
    experiment = NetworkExperiment(layers="8", activation="tanh", loss="squared", batch_size=8)
    run = train(experiment, data=(inputs, inputs @ [0.2, -0.1, 0.3]))
    assert np.isnan(run.accuracies).all() and np.isnan(run.test_accuracies).all()
    assert run.test_losses[0, -1] < 0.1 * run.test_losses[0, 0]
