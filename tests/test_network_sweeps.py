"""Sweeps of networks: signs against the batch size, their reason, activations at their own best rates."""
from dataclasses import replace

import numpy as np
import pytest

from zz_core.network import NetworkExperiment, train
from zz_core.network_sweeps import (
    at_checkpoints,
    batch_gain,
    batch_sizes,
    compare_activations,
    layer_pieces,
    rates_for,
    reasons,
    shares_by_batch,
)
from zz_core.theory import centering_gain

SMALL = NetworkExperiment(data="wine", layers="8-6", steps=40, batch_size=16)


@pytest.fixture(scope="module")
def run():
    return train(SMALL)


@pytest.mark.parametrize("more", [{}, {"normalization": "batch_norm"}, {"normalization": "layer_norm"},
                                  {"loss": "squared", "activation": "relu", "normalization_place": "after"}])
def test_pieces_multiply_to_the_gradients_of_the_run(more):
    found = train(replace(SMALL, **more))
    pieces = layer_pieces(found, found.parameters(20), found.batches[0, 20][None])
    for layer, part in enumerate(pieces):
        np.testing.assert_allclose(part.gradients()[0], found.gradients(layer, 20), rtol=1e-9, atol=1e-14)


def test_at_checkpoints_keeps_the_first_and_those_asked_for(run):
    few = at_checkpoints(run, [7, 40])
    assert few.checkpoint_steps.tolist() == [0, 7, 40]
    np.testing.assert_array_equal(few.test_losses[0], run.test_losses[0, [0, 7, 40]])
    np.testing.assert_array_equal(few.parameters(33), run.parameters(33))


def test_batch_sizes_end_with_all_rows():
    assert batch_sizes(100).tolist() == [1, 4, 16, 64, 100]
    assert batch_sizes(64).tolist() == [1, 4, 16, 64]
    assert batch_sizes(1).tolist() == [1]


def test_one_sample_stripes_the_rows_behind_positive_inputs_and_not_those_of_standardized_data(run):
    shares = shares_by_batch(run, 20)
    assert shares.unanimous[0, 0] < 0.05
    np.testing.assert_array_equal(shares.unanimous[0, 1:], 1.0)


def test_shares_agree_with_a_plain_count_over_every_row(run):
    """One sample at a time, and all rows at once, from the gradients themselves."""
    rows, theta = np.arange(len(run.inputs)), run.parameters(20)
    full = layer_pieces(run, theta, rows[None])
    shares = shares_by_batch(run, 20)
    for layer, part in enumerate(full):
        gradient = part.gradients()[0]
        plain = np.mean([(row > 0).all() or (row < 0).all() for row in gradient])
        assert shares.unanimous[-1, layer] == pytest.approx(plain)
        inputs = part.inputs[0].mean(axis=1)
        if layer:
            unit = inputs / np.linalg.norm(inputs)
            energy = np.square(gradient @ unit).sum() / np.square(gradient).sum()
            assert shares.energy[-1, layer] == pytest.approx(energy, rel=1e-5)
    assert np.isnan(shares.energy[:, 0]).all()  # standardized data have no mean direction


def test_batching_raises_unanimity_in_deeper_sigmoid_layers_at_the_start():
    """Random sigmoid networks: the mean residual of a unit is not zero. Not so with tanh, whose inputs are mixed."""
    sigmoid = shares_by_batch(train(NetworkExperiment(data="breast_cancer", layers="16-16-16", steps=1)), 0)
    deeper = sigmoid.unanimous[:, 1:]
    assert (deeper[-1] > deeper[1] + 0.05).any() and (deeper[-1] > 0.8).all()
    tanh = shares_by_batch(train(NetworkExperiment(data="breast_cancer", layers="16-16-16", activation="tanh",
                                                   steps=1)), 0)
    assert tanh.unanimous[:, 1:].max() < 0.05


def test_the_mean_residual_is_the_reason():
    start = train(NetworkExperiment(data="breast_cancer", layers="16-16-16", steps=1))
    for layer, reason in enumerate(reasons(start, 0)[1:], 1):
        assert reason.unanimous > 0.8 and reason.without < 0.2
        part = layer_pieces(start, start.parameters(0), np.arange(len(start.inputs))[None])[layer]
        ratios = np.abs(part.residuals[0].mean(axis=1)) / part.residuals[0].std(axis=1)
        assert reason.offset == pytest.approx(np.median(ratios))
        assert reason.batch_size == pytest.approx(reason.offset**-2)


def test_batch_norm_of_one_sample_has_no_gradient_before_the_last_layer():
    shares = shares_by_batch(train(replace(SMALL, normalization="batch_norm")), 10)
    assert np.isnan(shares.unanimous[0, :-1]).all() and np.isfinite(shares.unanimous[1:]).all()


@pytest.mark.parametrize("batch_size, steps", [(1, 208.1 / 65.5), (16, 98.4 / 4.54), (64, 93.9 / 1.46)])
def test_batch_gain_of_sigmoid_inputs(batch_size, steps):
    assert batch_gain(64, 0.5, 0.04337903586, batch_size) == pytest.approx(steps, rel=0.01)


def test_batch_gain_lies_between_one_sample_and_the_full_batch():
    mean, variance = 0.5, 0.04337903586
    assert batch_gain(4000, mean, variance, 1) == pytest.approx(centering_gain(mean, variance), rel=0.01)
    gains = [batch_gain(32, mean, variance, size) for size in (1, 4, 16, 64, 256, 10**6)]
    assert gains == sorted(gains) and gains[-1] == pytest.approx(1 + 32 * mean**2 / variance)
    assert batch_gain(8, 0.0, 1.0, 4) == 1.0


def test_activations_are_compared_at_their_own_best_rates():
    spec, told = replace(SMALL, steps=30), []
    found = compare_activations(spec, ("sigmoid", "tanh"), 3, 2, lambda share, what: told.append(share))
    assert [each.activation for each in found] == ["sigmoid", "tanh"]
    assert told == sorted(told) and 0 <= told[0] < told[-1] < 1
    for each in found:
        assert each.rate == each.rates[each.searched.argmin()]
        assert each.losses.shape == (3, 31)
        again = train(replace(spec, activation=each.activation, learning_rate=each.rate), 3)
        np.testing.assert_allclose(each.final_losses, again.training_losses[:, -1])
        np.testing.assert_allclose(each.test_accuracies, again.test_accuracies[:, -1])


def test_a_comparison_ends_where_it_is_told_to():
    assert compare_activations(replace(SMALL, steps=2), ("sigmoid", "tanh"), 1, 1, lambda share, what: share < 0.5,
                               )[0].activation == "sigmoid"


def test_a_diverged_rate_is_never_the_best():
    found = compare_activations(replace(SMALL, steps=60, loss="squared", activation="relu"), ("relu",), 1, 1)[0]
    assert np.isinf(found.searched[-1]) and np.isfinite(found.searched.min())


def test_rates_are_half_a_power_of_ten_apart():
    rates = rates_for("adam")
    assert rates[-1] == 0.1 and np.allclose(np.diff(np.log10(rates)), 0.5)
