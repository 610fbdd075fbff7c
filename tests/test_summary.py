"""The three numbers of a run."""
from dataclasses import replace

import numpy as np
import pytest

from zz_core import Experiment, simulate
from zz_core.summary import summarize, summarize_twins

DEFAULT = Experiment(steps=600)


def test_the_sign_constraint_and_the_conditioning_are_two_things():
    """One sample zig-zags; the full batch is straight and just as slow; centering is what makes it fast."""
    full = {"batch_size": 256}
    raw, raw_full = summarize(simulate(DEFAULT, 25)), summarize(simulate(replace(DEFAULT, **full)))
    centered = summarize(simulate(replace(DEFAULT, treatment="center"), 25))
    centered_full = summarize(simulate(replace(DEFAULT, treatment="center", **full)))
    assert (raw.same_sign == 1).all() and (np.median(centered.same_sign) < 0.75)
    assert 2.5 < np.median(raw.path_ratio) < 4.5 and np.median(centered.path_ratio) < 1.6
    assert raw_full.path_ratio[0] < 1.05
    assert raw_full.steps[0] > 0.5 * np.median(raw.steps)
    assert np.median(centered.steps) < np.median(raw.steps) / 3
    assert centered_full.steps[0] < raw_full.steps[0] / 5


def test_steps_of_the_full_batch_follow_from_the_eigenvalue_across_the_mean():
    """Each step shrinks an eigenvector's error by 1 - rate * eigenvalue; the step count is solved from that."""
    run = simulate(replace(DEFAULT, batch_size=256))
    values, vectors = np.linalg.eigh(run.inputs.T @ run.inputs / 256)
    error = vectors.T @ run.optimum
    distance = [np.linalg.norm((1 - run.learning_rate * values) ** t * error) for t in range(601)]
    expected = next(t for t, d in enumerate(distance) if d <= 0.01 * distance[0])
    assert summarize(run).steps[0] == expected


def test_real_data_are_judged_by_the_excess_loss():
    run = simulate(Experiment(inputs="wine", samples=178, steps=1500, learning_rate=0.5))
    summary = summarize(run)
    assert summary.by_loss
    excess = run.excess_losses()[0]
    first = int(summary.steps[0])
    assert (excess[first : first + 21] <= 0.01 * excess[0]).all() and excess[first - 1] > 0.01 * excess[0]


def test_not_reached_is_infinite_and_no_optimum_is_undefined():
    assert np.isinf(summarize(simulate(replace(DEFAULT, steps=5))).steps[0])
    labels = Experiment(inputs="wine", samples=178, dimensions=13, target="labels", loss="logistic", steps=30)
    run = simulate(labels)
    assert run.optimum is None
    assert np.isnan(summarize(run).steps[0]) and np.isfinite(summarize(run).path_ratio[0])


def test_no_distance_to_go_is_no_path():
    summary = summarize(simulate(replace(DEFAULT, distance=0.0, steps=3, batch_size=256)))
    assert np.isnan(summary.path_ratio[0]) and np.isnan(summary.same_sign[0]) and summary.steps[0] == 0


@pytest.mark.parametrize("batch_size", [1, 256])
def test_a_diverging_run_has_a_summary(batch_size):
    run = simulate(replace(DEFAULT, learning_rate=5.0, batch_size=batch_size, noise=0.1))
    assert run.diverged_at[0] > 0
    assert np.isinf(summarize(run).steps[0])


def test_twins_are_judged_alike():
    raw, whitened = (simulate(replace(DEFAULT, treatment=name, batch_size=256)) for name in ("none", "whiten"))
    assert not summarize(raw).by_loss and summarize(whitened).by_loss
    both = summarize_twins(raw, whitened)
    assert both[0].by_loss and both[1].by_loss
    excess = raw.excess_losses()[0]
    assert both[0].steps[0] == np.flatnonzero(excess <= 0.01 * excess[0])[0]
