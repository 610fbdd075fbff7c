"""Predictions of runs: exact for the full batch, the mean over many replicates for single samples and batches."""
import numpy as np
import pytest

from zz_core import Experiment, batching, simulate
from zz_core.prediction import expected_spectrum, mixed_shares, mixing_size, predict, why_no_shares, why_unpredicted
from zz_core.stability import eigenvalues
from zz_core.task import build_task


@pytest.mark.parametrize("fields", [
    {}, {"treatment": "center"}, {"bias": True, "noise": 0.3}, {"inputs": "digits", "dimensions": 16, "samples": 100},
    {"schedule": "cosine"}, {"learning_rate": 0.9}, {"treatment": "layer_norm", "dimensions": 3},
], ids=str)
def test_full_batch_descent_is_predicted_step_by_step(fields):
    rows = fields.get("samples", 256)
    run = simulate(Experiment(**{**fields, "batch_size": rows, "steps": 60}))
    assert why_unpredicted(run) is None
    found = predict(run)
    np.testing.assert_allclose(found.weights, run.weights[0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.excess, run.excess_losses()[0], rtol=1e-7, atol=1e-15)


@pytest.mark.parametrize("fields", [{}, {"batch_size": 4, "noise": 0.5, "bias": True}, {"schedule": "inverse_sqrt"},
                                    {"treatment": "center", "dimensions": 5, "noise": 0.2}], ids=str)
def test_descent_on_drawn_samples_is_predicted_in_the_mean(fields):
    run = simulate(Experiment(**{**fields, "steps": 40, "learning_rate": 0.2}), 2000)
    found, losses = predict(run), run.excess_losses()
    error = losses.std(axis=0) / np.sqrt(len(losses))
    assert (np.abs(losses.mean(axis=0) - found.excess) <= 4.5 * error + 1e-12).all()
    spread = run.weights.std(axis=0) / np.sqrt(len(losses))
    assert (np.abs(run.weights.mean(axis=0) - found.weights) <= 4.5 * spread + 1e-12).all()


@pytest.mark.parametrize(("fields", "word"), [
    ({"loss": "logistic"}, "squared loss"), ({"optimizer": "adam"}, "plain gradient descent"),
    ({"treatment": "batch_norm", "batch_size": 8}, "changes during the run"),
    ({"treatment": "input_bias"}, "changes during the run"), ({"sampling": "epoch"}, "shuffled epoch"),
    ({"dimensions": 64, "steps": 2000, "samples": 512}, "too long"),
])
def test_other_runs_get_a_reason(fields, word):
    assert word in why_unpredicted(simulate(Experiment(**fields)))


def test_a_diverging_run_is_predicted_to_diverge():
    run = simulate(Experiment(batch_size=256, learning_rate=1.5, steps=400))
    excess = predict(run).excess
    assert excess[-1] > 1e3 * excess[0]


@pytest.mark.parametrize("fields", [{"dimensions": 2}, {"dimensions": 8}, {"dimensions": 5, "noise": 0.3}], ids=str)
def test_mixed_signs_at_fixed_weights_are_expected_for_normal_features(fields):
    """The features are normal here, but batch means only about so: hence a tolerance beside the draws' own error."""
    experiment = Experiment(**fields, activation="identity", input_mean=2.0, samples=4096)
    for name, regime in batching.regimes(experiment).items():
        sizes = [2, 32, 128, 4096]
        expected, found = mixed_shares(regime, sizes), batching.mixed_sign_shares(*regime, sizes)
        assert np.isnan(expected[[0, 3]]).all()
        np.testing.assert_allclose(expected[1:3], found.share[1:3], atol=0.03, err_msg=name)


def test_the_mixing_batch_size_is_that_of_the_features():
    regime = batching.regimes(Experiment(dimensions=16, samples=4096))["across"]
    assert mixing_size(regime) == pytest.approx(16 / (1 - 0.85214), rel=0.05)  # sigmoid of standard normals


def test_dependent_features_and_other_losses_have_no_theory_of_mixed_signs():
    assert "depend" in why_no_shares(Experiment(inputs="digits", dimensions=4))
    assert "squared" in why_no_shares(Experiment(loss="logistic"))
    assert why_no_shares(Experiment(treatment="center")) is None


def test_the_closed_form_is_near_the_spectrum_of_many_samples():
    for fields in ({"dimensions": 6}, {"dimensions": 6, "treatment": "center", "bias": True}):
        experiment = Experiment(**fields, samples=4096)
        task = build_task(experiment)
        np.testing.assert_allclose(expected_spectrum(experiment, task), eigenvalues(experiment, task), rtol=0.12)
    digits = Experiment(inputs="digits", dimensions=4)
    assert expected_spectrum(digits, build_task(digits)) is None
