"""The losses: exact derivatives, and the curvature bound that the stability limit divides by."""
import math

import numpy as np
import pytest

from zz_core.losses import LOSSES

every_loss = pytest.mark.parametrize("name", LOSSES)
OUTPUTS, TARGETS = (grid.ravel() for grid in np.meshgrid(np.linspace(-7, 7, 57), np.linspace(0, 1, 11)))


def derivative(function, f: np.ndarray, h: float = 1e-3) -> np.ndarray:
    """Fourth-order central difference."""
    return (8 * (function(f + h) - function(f - h)) - (function(f + 2 * h) - function(f - 2 * h))) / (12 * h)


def definition(name: str, f: float, y: float) -> float:
    s = 1 / (1 + math.exp(-f))
    return {"squared": lambda: 0.5 * (f - y) ** 2,
            "logistic": lambda: -y * math.log(s) - (1 - y) * math.log(1 - s),
            "sigmoid_squared": lambda: 0.5 * (s - y) ** 2}[name]()


@every_loss
def test_value_is_the_textbook_formula(name):
    np.testing.assert_allclose(LOSSES[name].value(OUTPUTS, TARGETS),
                               [definition(name, f, y) for f, y in zip(OUTPUTS, TARGETS, strict=True)],
                               rtol=1e-12, atol=1e-15)


@every_loss
def test_slope_is_the_derivative_of_value(name):
    loss = LOSSES[name]
    np.testing.assert_allclose(loss.slope(OUTPUTS, TARGETS), derivative(lambda f: loss.value(f, TARGETS), OUTPUTS),
                               atol=1e-10)


@every_loss
def test_curvature_is_the_derivative_of_slope(name):
    loss = LOSSES[name]
    np.testing.assert_allclose(loss.curvature(OUTPUTS, TARGETS), derivative(lambda f: loss.slope(f, TARGETS), OUTPUTS),
                               atol=1e-10)


@every_loss
def test_bound_is_the_largest_curvature_for_targets_between_0_and_1(name):
    f, y = np.meshgrid(np.linspace(-9, 9, 18001), np.linspace(0, 1, 3))  # linear in y: the ends decide
    curvature = LOSSES[name].curvature(f, y)
    assert curvature.max() <= LOSSES[name].bound * (1 + 1e-12)
    assert curvature.max() == pytest.approx(LOSSES[name].bound, rel=1e-6)


def test_the_bound_of_the_squared_sigmoid_is_the_maximum_of_its_polynomial():
    s = (15 - math.sqrt(33)) / 24
    assert LOSSES["sigmoid_squared"].bound == pytest.approx(s * s * (1 - s) * (2 - 3 * s), rel=1e-14)


@every_loss
def test_the_gauss_newton_curvature_is_the_curvature_where_the_targets_are_met(name):
    """It drops the term in the residual, so it is exact without one, and never negative."""
    loss, f = LOSSES[name], np.linspace(-6, 6, 121)
    met = f if name == "squared" else 1 / (1 + np.exp(-f))
    np.testing.assert_allclose(loss.slope(f, met), 0.0, atol=1e-15)
    np.testing.assert_allclose(loss.gauss_newton(f, met), loss.curvature(f, met), atol=1e-15)
    assert (loss.gauss_newton(OUTPUTS, TARGETS) >= 0).all()


@every_loss
def test_far_outputs_give_finite_values(name):
    f, y = np.array([-800.0, 800.0]), np.array([1.0, 0.0])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        values = [part(f, y) for part in (LOSSES[name].value, LOSSES[name].slope, LOSSES[name].curvature)]
    assert np.isfinite(values).all()


def test_a_confidently_wrong_answer_costs_its_logit_and_keeps_its_slope():
    """Cross-entropy does not saturate, the squared loss on a sigmoid does."""
    assert LOSSES["logistic"].value(np.array(-800.0), np.array(1.0)) == 800.0
    assert LOSSES["logistic"].slope(np.array(-800.0), np.array(1.0)) == -1.0
    assert abs(LOSSES["sigmoid_squared"].slope(np.array(-40.0), np.array(1.0))) == pytest.approx(math.exp(-40))


def test_only_the_squared_loss_has_an_exact_line_search():
    assert [name for name in LOSSES if LOSSES[name].quadratic] == ["squared"]
    assert all(LOSSES[name].curvature(OUTPUTS, TARGETS).std() > 0.01 for name in LOSSES if name != "squared")
