"""The exported programs are run, and have to arrive at the weights of the run that they claim to repeat."""
import contextlib
import io
import itertools
import json
import sys
import types
from dataclasses import replace
from importlib.machinery import ModuleSpec
from unittest.mock import MagicMock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis.strategies import sampled_from

from tests.strategies import experiments
from zz_core import Experiment, Run, __version__, datasets, simulate
from zz_core.activations import ACTIVATIONS
from zz_core.experiment import CHOICES
from zz_core.inputs import INPUTS
from zz_core.losses import LOSSES
from zz_core.optimizers import OPTIMIZERS
from zz_core.schedules import SCHEDULES
from zz_core.treatments import TREATMENTS
from zz_view.exports import pieces
from zz_view.exports.programs import notebook, numpy_script, torch_script

CLOSE = 1e-10
LINK = "http://localhost:8501/trajectories?seed=3"
REAL = {"digits": 61, "breast_cancer": 30, "wine": 13}


@pytest.fixture(autouse=True)
def data_sets(monkeypatch):
    """scikit-learn's loaders, answered by the same values in this project: programs need scikit-learn, tests do not."""
    def loader(name: str):
        return lambda: types.SimpleNamespace(data=datasets.load(name)[0], target=datasets.load(name)[1])

    package, module = (types.ModuleType(name) for name in ("sklearn", "sklearn.datasets"))
    for name in REAL:
        setattr(module, f"load_{name}", loader(name))
    for each in (package, module):
        each.__spec__ = ModuleSpec(each.__name__, None)  # PyTorch asks whether it is installed
        monkeypatch.setitem(sys.modules, each.__name__, each)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # pictures are another test


def execute(*programs: str) -> dict:
    """The variables that the programs leave, run one after another as a notebook's cells are."""
    names: dict = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        for number, program in enumerate(programs):
            exec(compile(program, f"<cell {number}>", "exec"), names)
    return names


def expected(run: Run) -> np.ndarray:
    """The parameters as the programs order them: weights, input biases, bias."""
    parts = [run.weights[0]]
    if run.input_biases is not None:
        parts.append(run.input_biases[0])
    if run.biases is not None:
        parts.append(run.biases[0][:, None])
    return np.column_stack(parts)


def difference(path: np.ndarray, run: Run) -> float:
    """The largest difference from the run's parameters, as a share of the largest of them (at least 1).

    Infinite where one of the two diverged at another step.
    """
    wanted, gone = expected(run), run.diverged_at[0]
    if gone >= 0:
        if len(path) != gone + 1:  # the program stops at the step that the core calls diverged
            return np.inf
        path, wanted = path[:gone], wanted[:gone]
    if path.shape != wanted.shape:
        return np.inf
    with np.errstate(over="ignore"):
        return float(np.abs(path - wanted).max() / max(1.0, np.abs(wanted).max()))


def sensitivity(program: str, run: Run) -> float:
    """How far rounding carries: the same program with every step's last digits changed, in the units of `difference`."""
    name = "theta" if run.input_biases is not None else "w"
    jitter = f"{name} = {name} + 1e-16 * (1 + np.abs({name})) * jitter.standard_normal(len({name}))"
    shaken = program.replace(f"    path.append({name})", f"    {jitter}\n    path.append({name})")
    assert shaken != program
    worst = 0.0
    for seed in range(3):
        path = execute(f"import numpy as np\njitter = np.random.default_rng({seed})", shaken)["path"]
        worst = max(worst, difference(path, run))
    return worst


def assert_repeats(experiment: Experiment, make=numpy_script, forgiving: bool = False) -> None:
    """forgiving: a run that any rounding turns into another one, in the core as well, need not be closer than that."""
    run = simulate(experiment)
    program = make(run, LINK)
    with np.errstate(all="ignore"):  # a diverging run overflows
        off = difference(execute(program)["path"], run)
        limit = CLOSE if off <= CLOSE or not forgiving else 100 * sensitivity(program, run)
    assert off <= limit, f"{off:.2g} off\n{program}"


@pytest.mark.parametrize("registry, table", [
    (INPUTS, pieces.SOURCES), (ACTIVATIONS, pieces.ACTIVATIONS), (TREATMENTS, pieces.TREATMENTS),
    (LOSSES, pieces.LOSSES), (OPTIMIZERS, pieces.OPTIMIZERS), (SCHEDULES, pieces.SCHEDULES),
], ids=["inputs", "activations", "treatments", "losses", "optimizers", "schedules"])
def test_every_choice_has_its_piece_of_code(registry, table):
    missing, left_over = set(registry) - set(table), set(table) - set(registry)
    assert not missing, f"zz_view/exports/pieces.py has no code for {', '.join(sorted(missing))}: add it there"
    assert not left_over, f"zz_view/exports/pieces.py has code for {', '.join(sorted(left_over))}, which is gone"


BATCHES = (1, 5, 24)


@pytest.mark.parametrize("batch_size", BATCHES)
@pytest.mark.parametrize("field, value", [(field, value) for field in
                                          ("inputs", "activation", "treatment", "loss", "optimizer", "schedule",
                                           "sampling", "rate_unit") for value in CHOICES[field]])
def test_every_choice_is_repeated(field, value, batch_size):
    experiment = Experiment(dimensions=3, samples=24, steps=40, seed=5, data_seed=2)
    experiment = replace(experiment, **{field: value})
    assert_repeats(replace(experiment, batch_size=min(batch_size, experiment.rows)))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("treatment, optimizer, loss", list(itertools.product(TREATMENTS, OPTIMIZERS, LOSSES)))
def test_every_treatment_rule_and_loss_go_together(treatment, optimizer, loss, bias):
    experiment = Experiment(dimensions=3, samples=24, steps=25, treatment=treatment, optimizer=optimizer, loss=loss,
                            bias=bias, start_bias=0.5, noise=0.2,
                            learning_rate=0.25 if OPTIMIZERS[optimizer].critical else 0.05)
    for batch_size in BATCHES:
        # Gauss-Newton divides by the curvature, which may be singular but for the rounding
        assert_repeats(replace(experiment, batch_size=batch_size), forgiving=optimizer == "gauss_newton")


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("more", [{}, {"target": "labels"}, {"target": "labels", "treatment": "standardize"},
                                  {"noise": 0.3, "treatment": "center"}, {"samples": 65536, "data_seed": 4},
                                  {"target": "labels", "loss": "logistic", "treatment": "batch_norm", "batch_size": 16}])
def test_real_data_are_repeated(name, more):
    assert_repeats(Experiment(inputs=name, dimensions=REAL[name], steps=60, **{"samples": 100, **more}))


@pytest.mark.parametrize("name", REAL)
def test_real_data_are_those_of_scikit_learn(name, monkeypatch):
    monkeypatch.delitem(sys.modules, "sklearn")
    monkeypatch.delitem(sys.modules, "sklearn.datasets")
    pytest.importorskip("sklearn.datasets", exc_type=ImportError)
    assert_repeats(Experiment(inputs=name, dimensions=REAL[name], target="labels", steps=20, samples=120))


@pytest.mark.parametrize("angle", [0.0, 45.0, 90.0, 180.0, 270.0])
@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_every_target_is_repeated(angle, dimensions):
    if dimensions > 1 or angle in (0.0, 180.0):
        assert_repeats(Experiment(dimensions=dimensions, target_angle=angle, distance=1.5))


def test_columns_and_directions_without_spread_are_repeated():
    """relu far to the left leaves only zeros, and one-hot inputs add up to one."""
    for treatment in ("standardize", "whiten", "batch_norm"):
        assert_repeats(Experiment(inputs="one_hot", dimensions=4, samples=16, treatment=treatment, batch_size=4))
        assert_repeats(Experiment(activation="relu", input_mean=-1.5, dimensions=8, samples=12, data_seed=3,
                                  treatment=treatment, batch_size=4))


def test_a_diverging_run_is_repeated_to_its_end():
    experiment = Experiment(learning_rate=3.0, batch_size=256, steps=1000)
    assert simulate(experiment).diverged_at[0] > 0
    assert_repeats(experiment)
    assert "diverged" not in numpy_script(simulate(Experiment()))


@settings(max_examples=300)
@given(experiments(inputs=sampled_from(list(INPUTS))))
def test_any_run_is_repeated(experiment):
    try:
        simulate(experiment)
    except ValueError:  # inputs that are all zero, or that fit any targets
        assume(False)
    assert_repeats(experiment, forgiving=True)


TORCH_GRID = [{}, {"batch_size": 5}, {"batch_size": 24}, {"bias": True, "start_bias": 0.5}, {"loss": "logistic"},
              {"loss": "sigmoid_squared", "batch_size": 5}, {"schedule": "cosine"}, {"schedule": "inverse_sqrt"},
              {"sampling": "epoch", "batch_size": 5}, {"treatment": "input_bias", "bias": True, "batch_size": 5},
              {"treatment": "input_bias", "batch_size": 24}, {"treatment": "batch_norm", "batch_size": 5, "bias": True},
              {"treatment": "batch_norm"}, {"treatment": "batch_norm", "batch_size": 24}, {"treatment": "layer_norm"},
              {"treatment": "input_bias", "loss": "sigmoid_squared"}, {"treatment": "whiten", "loss": "logistic"}]


@pytest.mark.parametrize("more", TORCH_GRID, ids=str)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_pytorch_arrives_at_the_same_weights(optimizer, more):
    torch = pytest.importorskip("torch")
    experiment = Experiment(dimensions=3, samples=24, steps=25, optimizer=optimizer, noise=0.2,
                            learning_rate=0.25 if OPTIMIZERS[optimizer].critical else 0.05)
    before = torch.get_default_dtype()
    try:
        assert_repeats(replace(experiment, **more), torch_script, forgiving=optimizer == "gauss_newton")
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("more", [{"momentum": 0.0, "optimizer": "nesterov"}, {"momentum": 0.0, "optimizer": "adam"},
                                  {"learning_rate": 3.0, "batch_size": 256, "steps": 1000}], ids=str)
def test_pytorch_s_edges(more):
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    try:
        assert_repeats(Experiment(**more), torch_script)
    finally:
        torch.set_default_dtype(before)
