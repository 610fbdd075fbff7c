"""Exported programs, executed and compared with the run that they claim to repeat."""
import contextlib
import io
import sys
import types
from collections.abc import Callable
from importlib.machinery import ModuleSpec

import numpy as np
import pytest

from zz_core import Experiment, Run, datasets, simulate
from zz_view.exports.programs import numpy_script

CLOSE = 1e-10
LINK = "http://localhost:8501/trajectories?seed=3"
REAL = {"digits": 61, "breast_cancer": 30, "wine": 13}


@pytest.fixture
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
    """How far rounding carries: the same program with the last digits of every step changed, by `difference`."""
    name = "theta" if run.input_biases is not None else "w"
    jitter = f"{name} = {name} + 1e-16 * (1 + np.abs({name})) * jitter.standard_normal(len({name}))"
    shaken = program.replace(f"    path.append({name})", f"    {jitter}\n    path.append({name})")
    assert shaken != program
    worst = 0.0
    for seed in range(3):
        path = execute(f"import numpy as np\njitter = np.random.default_rng({seed})", shaken)["path"]
        worst = max(worst, difference(path, run))
    return worst


def assert_repeats(experiment: Experiment, make: Callable[..., str] = numpy_script,
                   forgiving: bool = False) -> None:
    """forgiving: a run that any rounding turns into another one, in the core as well, need not be closer than that."""
    run = simulate(experiment)
    program = make(run, LINK)
    with np.errstate(all="ignore"):  # a diverging run overflows
        off = difference(execute(program)["path"], run)
        limit = CLOSE if off <= CLOSE or not forgiving else 100 * sensitivity(program, run)
    assert off <= limit, f"{off:.2g} off\n{program}"
