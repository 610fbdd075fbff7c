"""What the remedies do, in closed form, on the standard problem: the full 2^8 factorial design of ±1/4 about 1/2."""
import itertools

import numpy as np
import pytest

from zz_core import Experiment, simulate
from zz_core.measures import unanimous
from zz_core.theory import condition_number
from zz_core.treatments import normalize_batch

DESIGN = np.array(list(itertools.product([0.25, 0.75], repeat=8)))
EXTENDED = np.column_stack([DESIGN, np.ones(256)])


def condition(features: np.ndarray) -> float:
    values = np.linalg.eigvalsh(features.T @ features / len(features))
    return values[-1] / values[0]


@pytest.mark.parametrize(("features", "bias", "expected"), [(DESIGN, False, 33.0), (EXTENDED, True, 148.0557457873)])
def test_the_raw_design_has_the_condition_number_of_the_closed_form(features, bias, expected):
    assert condition(features) == pytest.approx(expected, rel=1e-10)
    assert condition_number(8, 0.5, 1 / 16, bias=bias) == pytest.approx(expected, rel=1e-10)


def test_a_diagonal_rescaling_cannot_help_and_hurts_beside_a_bias():
    """Jacobi's preconditioner, what RMSprop and Adam come to: each coordinate by its own size."""
    assert condition(DESIGN / np.sqrt((DESIGN**2).mean(axis=0))) == pytest.approx(33.0, rel=1e-10)
    assert condition(EXTENDED / np.sqrt((EXTENDED**2).mean(axis=0))) == pytest.approx(286.80, abs=0.005)


def test_centered_and_standardized_designs_beside_a_bias():
    centered = np.column_stack([DESIGN - 0.5, np.ones(256)])
    assert condition(centered) == pytest.approx(16.0)
    assert condition(np.column_stack([(DESIGN - 0.5) * 4, np.ones(256)])) == pytest.approx(1.0)
    steps = [np.log(1e3) / np.log((kappa + 1) / (kappa - 1)) for kappa in (condition(EXTENDED), 16, 33)]
    np.testing.assert_allclose(steps, [511.36, 55.2, 113.9], atol=0.05)  # at the best rate, to a thousandth


def test_layer_norm_leaves_one_curvature_and_none_along_the_mean():
    """E x x' = D/(D - 1) (I - 11'/D) for exchangeable features; and the components of each gradient add up to zero."""
    normalized = simulate(Experiment(treatment="layer_norm", dimensions=5, samples=4096, steps=40)).inputs
    second = normalized.T @ normalized / len(normalized)
    np.testing.assert_allclose(second, 5 / 4 * (np.eye(5) - 0.2), atol=0.06)
    np.testing.assert_allclose(normalized.sum(axis=1), 0, atol=1e-12)
    run = simulate(Experiment(treatment="layer_norm", dimensions=5, noise=0.5, steps=40))
    np.testing.assert_allclose(run.gradients().sum(axis=-1), 0, atol=1e-12)
    assert not np.nansum(unanimous(run.gradients()))


def test_layer_norm_of_two_features_is_plus_and_minus_one():
    inputs = simulate(Experiment(treatment="layer_norm", activation="identity", input_std=50.0, steps=1)).inputs
    np.testing.assert_allclose(np.abs(np.median(inputs, axis=0)), 1, atol=1e-3)
    np.testing.assert_allclose(inputs[:, 0], -inputs[:, 1], atol=1e-12)


def test_batch_norm_of_two_samples_has_one_sign_as_rarely_as_chance():
    """At B = 2 they are ±1, so a noisy gradient at the optimum has one sign with probability 2^(1-D)."""
    rng = np.random.default_rng(0)
    samples = rng.normal(5.0, 1.0, (4000, 2, 4))  # far from zero before the normalization
    normalized = np.stack([normalize_batch(pair) for pair in samples])
    gradients = np.einsum("nb,nbd->nd", rng.normal(size=(4000, 2)), normalized)
    share, chance = unanimous(gradients).mean(), 2.0 ** (1 - 4)
    assert abs(share - chance) < 4 * np.sqrt(chance * (1 - chance) / 4000)


def test_the_first_step_of_adam_goes_along_the_diagonal():
    run = simulate(Experiment(optimizer="adam", learning_rate=0.01, dimensions=8, steps=1))
    (first,) = run.updates()[0]
    np.testing.assert_allclose(first, first[0], rtol=1e-6)
    assert np.linalg.norm(first) == pytest.approx(0.01 * np.sqrt(8), rel=1e-6)


def test_a_bias_for_every_input_moves_along_the_weights():
    """dL/db = dL/df w: driven by one scalar, not by the inputs' mean."""
    run = simulate(Experiment(treatment="input_bias", dimensions=4, batch_size=8, steps=30))
    moves, weights = np.diff(run.input_biases[0], axis=0), run.weights[0, :-1]
    residuals = run.residuals()[0].mean(axis=1)
    np.testing.assert_allclose(moves, -run.learning_rate * residuals[:, None] * weights, rtol=1e-9, atol=1e-15)
