"""The update rules: first steps by hand, PyTorch's definitions written out, and what defines each second-order rule."""
import math

import numpy as np
import pytest

from zz_core import Experiment, simulate
from zz_core.optimizers import OPTIMIZERS

ONE_SAMPLE = (np.array([[1.0, 2.0]] * 3), np.array([5.0] * 3))  # whichever row is drawn, x = (1, 2) and y = 5
FIRST_ORDER = ["sgd", "momentum", "nesterov", "rmsprop", "adam"]


def train(data=None, replicates=1, **values):
    """A run at the absolute rate 0.1, whatever `values` do not say otherwise."""
    return simulate(Experiment(**{"rate_unit": "absolute", "learning_rate": 0.1, "steps": 2} | values), replicates,
                    data=data)


BY_HAND = {  # options, and the first two iterates from w = 0
    "sgd": ({}, [(0.5, 1.0), (0.75, 1.5)]),  # residuals -5, -2.5
    # v = g = (-5, -10); then v = 0.9 v + g = (-7, -14)
    "momentum": ({}, [(0.5, 1.0), (1.2, 2.4)]),
    # g + 0.9 v = 1.9 g; then residual -0.25, v = (-4.75, -9.5), g + 0.9 v = (-4.525, -9.05)
    "nesterov": ({}, [(0.95, 1.9), (1.4025, 2.805)]),
    # 0.1 / sqrt(1 - 0.99) = 1 in each coordinate; then residual -2, mean squares 0.2875 and 1.15
    "rmsprop": ({"decay": 0.99}, [(1.0, 1.0), (1 + 0.2 / math.sqrt(0.2875), 1 + 0.4 / math.sqrt(1.15))]),
    # the sign of g; then residual -4.7, corrected means 0.92/0.19 and 0.047065/0.001999 (twice, four times for w2)
    "adam": ({}, [(0.1, 0.1), (0.1 + 0.1 * (0.92 / 0.19) / math.sqrt(0.047065 / 0.001999),) * 2]),
    "steepest_descent": ({}, [(1.0, 2.0), (1.0, 2.0)]),  # one sample is fitted by one step, and stays so
    "gauss_newton": ({"learning_rate": 0.5}, [(0.5, 1.0), (0.75, 1.5)]),  # half of x d / |x|², |x|² = 5
    # x d / (|x|² + 1): residuals -5, -5/6
    "levenberg_marquardt": ({"learning_rate": 1.0, "damping": 1.0}, [(5 / 6, 5 / 3), (35 / 36, 35 / 18)]),
}


def test_every_rule_is_computed_by_hand():
    assert set(BY_HAND) == set(OPTIMIZERS)


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("batch_size", [1, 2, 3])  # equal rows: the mean gradient is the sample's
def test_first_two_steps_by_hand(name, batch_size):
    options, expected = BY_HAND[name]
    run = train(ONE_SAMPLE, optimizer=name, samples=3, batch_size=batch_size, **options)
    # 1e-8 in the denominators of RMSprop and Adam shows in the ninth digit
    np.testing.assert_allclose(run.weights[0], [(0, 0), *expected], rtol=2e-8 if name in ("rmsprop", "adam") else 1e-12)


# --- the first-order rules against PyTorch -----------------------------------------------------------------------

def torch_steps(name: str, gradients: list[list[float]], lr: float, beta: float, alpha: float) -> list[list[float]]:
    """torch.optim's documented pseudocode, one scalar at a time: what is added to each parameter at each step."""
    columns = []
    for column in zip(*gradients, strict=True):
        buffer = mean = square = 0.0
        steps = []
        for t, g in enumerate(column, start=1):
            if name == "sgd":
                step = g
            elif name in ("momentum", "nesterov"):
                buffer = g if t == 1 else beta * buffer + g  # dampening 0
                step = g + beta * buffer if name == "nesterov" else buffer
            elif name == "rmsprop":
                square = alpha * square + (1 - alpha) * g**2
                step = g / (math.sqrt(square) + 1e-8)
            else:
                mean, square = beta * mean + (1 - beta) * g, alpha * square + (1 - alpha) * g**2
                step = mean / (1 - beta**t) / (math.sqrt(square / (1 - alpha**t)) + 1e-8)
            steps.append(-lr * step)
        columns.append(steps)
    return [list(row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize("name", FIRST_ORDER)
@pytest.mark.parametrize(("beta", "alpha"), [(0.9, 0.999), (0.0, 0.0), (0.5, 0.9)])
@pytest.mark.parametrize("treatment", ["none", "input_bias"])
def test_updates_equal_pytorchs_definition_written_out(name, beta, alpha, treatment):
    run = train(optimizer=name, momentum=beta, decay=alpha, treatment=treatment, dimensions=3, steps=12, noise=0.3,
                learning_rate=0.02)
    expected = torch_steps(name, run.gradients()[0].tolist(), 0.02, beta, alpha)
    np.testing.assert_allclose(run.updates()[0], expected, atol=1e-14)


@pytest.mark.parametrize("name", FIRST_ORDER)
@pytest.mark.parametrize(("loss", "bias"), [("squared", True), ("logistic", False)])
def test_a_run_can_be_repeated_in_pytorch_step_by_step(name, loss, bias):
    torch = pytest.importorskip("torch")
    run = train(optimizer=name, momentum=0.8, decay=0.95, loss=loss, bias=bias, start_bias=0.5, dimensions=3,
                batch_size=4, steps=25, learning_rate=0.05)
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    b = torch.full((1,), 0.5, dtype=torch.float64, requires_grad=True)
    parameters = [w, b] if bias else [w]
    rule = {"sgd": lambda: torch.optim.SGD(parameters, lr=0.05),
            "momentum": lambda: torch.optim.SGD(parameters, lr=0.05, momentum=0.8),
            "nesterov": lambda: torch.optim.SGD(parameters, lr=0.05, momentum=0.8, nesterov=True),
            "rmsprop": lambda: torch.optim.RMSprop(parameters, lr=0.05, alpha=0.95, eps=1e-8),
            "adam": lambda: torch.optim.Adam(parameters, lr=0.05, betas=(0.8, 0.95), eps=1e-8)}[name]()
    inputs, targets = torch.tensor(run.inputs), torch.tensor(run.targets)
    for t, batch in enumerate(run.batches[0].tolist()):
        f, y = inputs[batch] @ w + (b if bias else 0.0), targets[batch]
        value = 0.5 * (f - y) ** 2 if loss == "squared" else torch.nn.functional.binary_cross_entropy_with_logits(
            f, y, reduction="none")
        rule.zero_grad()
        value.mean().backward()
        rule.step()
        np.testing.assert_allclose(run.weights[0, t + 1], w.detach(), atol=1e-11)
        if bias:
            np.testing.assert_allclose(run.biases[0, t + 1], b.item(), atol=1e-11)


def test_cosine_and_inverse_sqrt_schedules_multiply_the_rate():
    """As torch's CosineAnnealingLR and a LambdaLR of 1/sqrt(1 + t)."""
    for schedule, factor in [("constant", lambda t: 1.0), ("cosine", lambda t: (1 + math.cos(math.pi * t / 20)) / 2),
                             ("inverse_sqrt", lambda t: 1 / math.sqrt(1 + t))]:
        run = train(schedule=schedule, steps=20, noise=0.2)
        expected = [-0.1 * factor(t) * gradient for t, gradient in enumerate(run.gradients()[0])]
        np.testing.assert_allclose(run.updates()[0], expected, atol=1e-15)


# --- what the first steps look like ------------------------------------------------------------------------------

def test_adams_first_step_lies_exactly_on_the_diagonal():
    """With positive inputs all signs agree: length lr sqrt(D), whatever the gradient's shape."""
    run = train(optimizer="adam", dimensions=6, steps=1, learning_rate=0.05)
    step = run.updates()[0, 0]
    np.testing.assert_allclose(step, -0.05 * np.sign(run.gradients()[0, 0]), rtol=1e-6)
    assert np.ptp(np.sign(step)) == 0
    assert np.linalg.norm(step) == pytest.approx(0.05 * math.sqrt(6), rel=1e-6)


@pytest.mark.parametrize(("decay", "factor"), [(0.9, 3.16227766), (0.99, 10.0)])
def test_rmsprops_first_step_is_the_rate_over_the_root_of_one_minus_alpha(decay, factor):
    run = train(optimizer="rmsprop", decay=decay, dimensions=4, steps=1, learning_rate=0.01)
    np.testing.assert_allclose(np.abs(run.updates()[0, 0]), 0.01 * factor, rtol=1e-5)


def test_momentum_and_nesterov_without_momentum_are_plain_descent():
    plain = train(optimizer="sgd", steps=30)
    for name in ("momentum", "nesterov"):
        np.testing.assert_allclose(train(optimizer=name, momentum=0.0, steps=30).weights, plain.weights, atol=1e-15)


# --- Gauss-Newton and Levenberg-Marquardt ------------------------------------------------------------------------

def test_gauss_newton_on_one_sample_is_the_kaczmarz_projection():
    """Each step lands on the hyperplane where its sample is fitted, by the shortest way."""
    run = train(optimizer="gauss_newton", learning_rate=1.0, steps=40, dimensions=3)
    for t in range(40):
        x, y = run.inputs[run.batches[0, t, 0]], run.targets[run.batches[0, t, 0]]
        w, after = run.weights[0, t], run.weights[0, t + 1]
        assert after @ x == pytest.approx(y, abs=1e-12)
        np.testing.assert_allclose(after - w, (y - w @ x) / (x @ x) * x, atol=1e-12)


def test_levenberg_marquardt_on_one_sample_is_a_damped_same_sign_step():
    run = train(optimizer="levenberg_marquardt", learning_rate=1.0, damping=0.3, steps=40, dimensions=3, noise=0.2)
    x, delta = run.inputs[run.batches[0, :, 0]], run.residuals()[0]
    np.testing.assert_allclose(run.updates()[0], -x * delta / ((x**2).sum(axis=1, keepdims=True) + 0.3), atol=1e-13)


def test_kaczmarz_contracts_by_the_cosine_of_the_angle():
    """Two samples 10° apart, used in turn, from a start straight across: "parallel parking", 0.92 left after 6."""
    half = math.radians(5)
    x = np.array([[math.cos(half), math.sin(half)], [math.cos(half), -math.sin(half)]])
    run = train((x, x @ np.array([0.0, 1.0])), optimizer="gauss_newton", learning_rate=1.0, samples=2, batch_size=1,
                sampling="epoch", steps=400)
    used = run.batches[0, :, 0]
    # a second projection onto the same sample changes nothing: count the changes
    turns = np.flatnonzero(np.diff(used, prepend=-1))
    assert len(turns) > 6
    left = np.linalg.norm(run.weights[0, turns[5] + 1] - run.optimum)
    assert left == pytest.approx(math.cos(half) * math.cos(2 * half) ** 5) == pytest.approx(0.9227871131)


def test_full_batch_gauss_newton_arrives_in_one_step():
    run = train(optimizer="gauss_newton", learning_rate=1.0, batch_size=256, steps=1, dimensions=4, bias=True)
    np.testing.assert_allclose(run.weights[0, 1], run.optimum, atol=1e-9)
    assert run.biases[0, 1] == pytest.approx(run.optimum_bias, abs=1e-9)


@pytest.mark.parametrize(("small", "found"), [(1e-2, 3.0), (1e-4, 3.0), (1e-6, 0.0)])
def test_gauss_newton_counts_eigenvalues_below_1e_10_of_the_largest_as_zero(small, found):
    """Features of sizes 1 and `small` have eigenvalues 1 and `small`²; the target is (2, 3)."""
    x = np.diag([1.0, small])
    run = train((x, x @ np.array([2.0, 3.0])), optimizer="gauss_newton", learning_rate=1.0, samples=2, batch_size=2,
                steps=1)
    np.testing.assert_allclose(run.weights[0, 1], [2.0, found], atol=1e-6)


def test_levenberg_marquardt_shrinks_every_mode_and_never_alternates():
    """Factor mu / (l + mu) per eigenvalue: l1 = 2.0625 along the mean, 0.0625 across it."""
    run = train(inputs="factorial", dimensions=8, batch_size=256, optimizer="levenberg_marquardt", learning_rate=1.0,
                damping=0.00625, target_angle=45.0, steps=4)
    error = run.weights[0] - run.optimum
    along = error @ np.ones(8) / math.sqrt(8)
    across = np.linalg.norm(error - np.outer(along, np.ones(8)) / math.sqrt(8), axis=1)
    np.testing.assert_allclose(along[1:] / along[:-1], 0.00625 / (2.0625 + 0.00625), rtol=1e-4)
    np.testing.assert_allclose(across[1:] / across[:-1], 0.00625 / (0.0625 + 0.00625), rtol=1e-6)


@pytest.mark.parametrize("loss", ["logistic", "sigmoid_squared"])
def test_gauss_newton_of_a_saturating_loss_weighs_samples_by_their_slope(loss):
    """J'CJ with C = s(1-s), or its square: written out, solved by least squares, on a batch of rank 2."""
    run = train(optimizer="gauss_newton", loss=loss, learning_rate=0.7, batch_size=2, dimensions=4, steps=10)
    for t in range(10):
        x, y, w = run.inputs[run.batches[0, t]], run.targets[run.batches[0, t]], run.weights[0, t]
        s = 1 / (1 + np.exp(-x @ w))
        slope = s * (1 - s)
        gradient = x.T @ ((s - y) * (slope if loss == "sigmoid_squared" else 1.0)) / 2
        curvature = x.T @ np.diag(slope**2 if loss == "sigmoid_squared" else slope) @ x / 2
        np.testing.assert_allclose(run.updates()[0, t], -0.7 * np.linalg.pinv(curvature, rcond=1e-10) @ gradient,
                                   atol=1e-7)


@pytest.mark.parametrize("loss", ["squared", "logistic", "sigmoid_squared"])
def test_single_precision_gauss_newton_does_not_invert_rounding_errors(loss):
    """A batch of one has rank one; the other eigenvalues are rounding errors, 1e-7 of it in single precision.

    They used to pass the cutoff of 1e-10, which threw the weights as far as 1e14.
    """
    experiment = Experiment(optimizer="gauss_newton", loss=loss, learning_rate=1.0, dimensions=3, steps=40,
                            batch_size=2)
    double, single = simulate(experiment), simulate(experiment, dtype=np.float32)
    np.testing.assert_allclose(single.weights, double.weights, atol=0.02)


@pytest.mark.parametrize("x", [np.full((10, 2), 1e9), np.zeros((10, 2))])
def test_levenberg_marquardt_survives_a_curvature_that_swallows_its_damping(x):
    """1e18 + 1e-6 is 1e18: the matrix to solve is singular in floating point, which LAPACK refuses."""
    run = train((x, np.arange(10.0)), optimizer="levenberg_marquardt", damping=1e-6, learning_rate=1.0, steps=5)
    assert np.isfinite(run.weights).all()


def test_a_levenberg_marquardt_run_that_diverges_is_reported():
    """Its curvature grows with the weights of a learned input bias until the damping is lost in it."""
    run = train(treatment="input_bias", optimizer="levenberg_marquardt", learning_rate=10.0, damping=1e-6, batch_size=8,
                steps=200)
    assert run.diverged_at[0] > 0


# --- steepest descent with exact line search ---------------------------------------------------------------------

def test_the_line_search_needs_no_rate():
    assert math.isnan(simulate(Experiment(optimizer="steepest_descent", steps=1)).learning_rate)
    assert not any(math.isnan(simulate(Experiment(optimizer=name, steps=1)).learning_rate)
                   for name in OPTIMIZERS if name != "steepest_descent")


@pytest.mark.parametrize(("bottom", "ratio"), [(9.0, 0.64), (18.0, 256 / 481)])
def test_the_exact_step_on_a_quadratic(bottom, ratio):
    """Eigenvalues 9 and 1: the loss shrinks by a constant ratio, Kantorovich's bound from the worst start."""
    x = math.sqrt(2) * np.diag([3.0, 1.0])
    run = train((x, x @ np.array([1.0, bottom])), samples=2, batch_size=2, optimizer="steepest_descent", steps=12)
    losses, gradients = run.losses()[0], run.gradients()[0]
    np.testing.assert_allclose(losses[1:] / losses[:-1], ratio, rtol=1e-9)
    turn = (gradients[1:] * gradients[:-1]).sum(axis=1) / (gradients[1:] ** 2).sum(axis=1)
    np.testing.assert_allclose(turn, 0.0, atol=1e-9)  # right angles, the zig-zag of the textbooks


def mean_loss(loss: str, f: np.ndarray, y: np.ndarray) -> float:
    if loss == "squared":
        return float((0.5 * (f - y) ** 2).mean())
    s = 1 / (1 + np.exp(-f))
    if loss == "logistic":
        return float(-(y * np.log(s) + (1 - y) * np.log1p(-s)).mean())
    return float((0.5 * (s - y) ** 2).mean())


@pytest.mark.parametrize("loss", ["squared", "logistic", "sigmoid_squared"])
@pytest.mark.parametrize("treatment", ["none", "center", "input_bias"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batch_size", [8, 64])
def test_the_searched_step_is_a_minimum_along_the_gradient(loss, treatment, bias, batch_size):
    run = train(loss=loss, treatment=treatment, bias=bias, batch_size=batch_size, samples=64, dimensions=3,
                optimizer="steepest_descent", steps=6, target_angle=50.0, noise=0.4)
    for t in range(6):
        batch = np.arange(64) if run.batches is None else run.batches[0, t]
        x, y = run.inputs[batch], run.targets[batch]

        def along(length, t=t, x=x, y=y):
            """The batch's loss at a multiple of the step that was taken."""
            def at(history):
                return history[0, t] + length * (history[0, t + 1] - history[0, t])
            shifts = at(run.input_biases) if treatment == "input_bias" else 0.0
            return mean_loss(loss, (x + shifts) @ at(run.weights) + (at(run.biases) if bias else 0.0), y)

        h = 1e-3
        slope, start_slope = (along(1 + h) - along(1 - h)) / (2 * h), (along(h) - along(-h)) / (2 * h)
        if t >= 2 and start_slope > -1e-6:
            break  # arrived: what is left is rounding
        assert start_slope < 0 and along(1.0) < along(0.0)
        assert abs(slope) < 1e-5 * abs(start_slope)
        assert along(1 + 0.05) > along(1.0) < along(1 - 0.05)


@pytest.mark.parametrize("seed", range(4))
def test_the_search_is_not_put_off_by_rounding_beside_the_minimum(seed):
    """There the losses of two points differ by rounding alone: such a step used to be halved, and not to turn at right
    angles any more."""
    run = train(loss="logistic", treatment="whiten", samples=20, batch_size=20, dimensions=3, noise=0.4, data_seed=seed,
                optimizer="steepest_descent", steps=60)
    gradients = run.gradients()[0]
    sizes = np.linalg.norm(gradients, axis=1)
    cosines = (gradients[1:] * gradients[:-1]).sum(axis=1) / (sizes[1:] * sizes[:-1])
    assert np.abs(cosines[sizes[1:] > 1e-12]).max() < 0.02


def test_the_line_search_stays_put_at_the_optimum():
    run = train(ONE_SAMPLE[:1] + (np.zeros(3),), optimizer="steepest_descent", steps=3)
    np.testing.assert_array_equal(run.weights, 0.0)


# --- the interface -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", FIRST_ORDER)
def test_an_update_is_a_pure_function(name):
    """The same call twice gives the same step: nothing that it was given has changed."""
    from zz_core.optimizers import Settings
    gradient = np.random.default_rng(0).standard_normal((2, 3))
    _, state = OPTIMIZERS[name].update(gradient, OPTIMIZERS[name].init(np.zeros((2, 3))), Settings(), None)
    before = gradient.copy(), [np.copy(part) for part in state]
    first, _ = OPTIMIZERS[name].update(gradient, state, Settings(), None)
    first = first.copy()
    second, _ = OPTIMIZERS[name].update(gradient, state, Settings(), None)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(gradient, before[0])
    for part, kept in zip(state, before[1], strict=True):
        np.testing.assert_array_equal(part, kept)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_rule_uses_fields_that_exist(name):
    optimizer = OPTIMIZERS[name]
    assert set(optimizer.uses) <= {"learning_rate", "rate_unit", "schedule", "momentum", "decay", "damping"}
    # only a rule that has a stability limit can be given a fraction of it
    assert optimizer.critical == ("rate_unit" in optimizer.uses)


def test_only_plain_descent_and_its_momenta_take_a_fraction_of_the_limit():
    assert [name for name in OPTIMIZERS if OPTIMIZERS[name].critical] == ["sgd", "momentum", "nesterov"]
