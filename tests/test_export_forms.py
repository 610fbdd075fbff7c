"""What the exported programs look like, and the notebook."""
import ast
import json
import re
import sys
from unittest.mock import MagicMock

import numpy as np
import pytest

from tests.programs import CLOSE, LINK, data_sets, difference, execute  # noqa: F401
from zz_core import Experiment, __version__, simulate
from zz_view.exports.programs import notebook, numpy_script, torch_script

pytestmark = pytest.mark.usefixtures("data_sets")

MIXED = [Experiment(), Experiment(inputs="wine", dimensions=13, target="labels", loss="logistic", bias=True, steps=50),
         # after 200 steps of these, any rounding is 5e-10
         Experiment(optimizer="steepest_descent", loss="sigmoid_squared", batch_size=16, dimensions=4, steps=100),
         Experiment(treatment="input_bias", activation="gelu", optimizer="adam", learning_rate=0.05, bias=True),
         Experiment(optimizer="gauss_newton", batch_size=8, treatment="batch_norm", schedule="cosine", noise=0.2),
         Experiment(treatment="whiten", batch_size=256, inputs="uniform", input_mean=1.0, input_std=0.5)]


@pytest.mark.parametrize("experiment", MIXED)
def test_the_notebook_s_cells_in_order_arrive_at_the_same_weights(experiment):
    run = simulate(experiment)
    book = json.loads(notebook(run, LINK))
    code = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
    assert difference(execute(*code)["path"], run) <= CLOSE
    assert LINK in "".join(book["cells"][0]["source"]) and __version__ in "".join(book["cells"][0]["source"])


@pytest.mark.parametrize("experiment", MIXED)
def test_the_notebook_is_one(experiment):
    """What the schema of nbformat 4.5 asks for."""
    book = json.loads(notebook(simulate(experiment)))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5) and set(book) == {"nbformat", "nbformat_minor",
                                                                                "metadata", "cells"}
    names = [cell["id"] for cell in book["cells"]]
    assert len(set(names)) == len(names) and all(re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", name) for name in names)
    for cell in book["cells"]:
        code = {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | code
        assert cell["source"] and all(isinstance(line, str) for line in cell["source"])


@pytest.mark.parametrize("make", [numpy_script, torch_script])
@pytest.mark.parametrize("experiment", MIXED)
def test_a_program_needs_nothing_of_this_project_and_is_well_written(experiment, make):
    program = make(simulate(experiment), LINK)
    imports = {name.split(".")[0] for node in ast.walk(ast.parse(program))
               for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else
                            [node.module] if isinstance(node, ast.ImportFrom) else [])}
    assert imports <= {"numpy", "torch", "math", "sklearn", "matplotlib"}
    assert LINK in program and __version__ in program
    assert max(map(len, program.splitlines())) <= 120 and not re.search(r"[ \t]+$", program, flags=re.M)
    assert not re.search(r"\{[a-z_]+\}", re.sub(r'f"[^"]*"', "", program))  # no placeholder was forgotten
    assert len(program.splitlines()) < 120


def test_a_program_holds_only_the_code_of_its_run():
    program = numpy_script(simulate(Experiment()))
    for other in ("velocity", "momentum", "theta", "noise", "rates", "bias", "treatment", "scikit", "permutation"):
        assert other not in program.lower()
    loop = program.split("for i in samples:\n")[1].split("\npath = ")[0]
    assert [line.strip() for line in loop.splitlines()] == [
        "x, target = X[i], y[i]", "f = x @ w", "slope = f - target  # dL/df", "gradient = slope * x",
        "w = w - rate * gradient", "path.append(w)"]


def test_a_link_cannot_bring_code_into_a_program():
    run = simulate(Experiment(steps=5))
    for make in (numpy_script, torch_script):
        program = make(run, 'http://x/\n"""\nimport os\r\nos.abort()')
        assert "os.abort()" in program and all(
            line.startswith("#") for line in program.splitlines() if "os.abort" in line)


def test_a_program_prints_its_weights(capsys):
    run = simulate(Experiment(steps=20, bias=True))
    exec(compile(numpy_script(run), "script", "exec"), {})
    printed = capsys.readouterr().out
    assert f"after 20 steps: w = {run.weights[0, -1]}" in printed and f"bias = {run.biases[0, -1]}"[:12] in printed
    assert "100% of the steps" in printed


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_program_draws_its_path_where_matplotlib_is_installed(dimensions, monkeypatch):
    pyplot = MagicMock()
    monkeypatch.setitem(sys.modules, "matplotlib", MagicMock(pyplot=pyplot))
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", pyplot)
    run = simulate(Experiment(steps=20, dimensions=dimensions))
    execute(numpy_script(run))
    drawn = [np.asarray(value) for call in pyplot.plot.call_args_list for value in call.args
             if not isinstance(value, str)]
    if dimensions == 2:
        assert np.allclose(np.column_stack(drawn[:2]), run.weights[0])
        assert np.allclose(drawn[2:], run.optimum, rtol=1e-5)
    else:
        assert np.allclose(drawn[0], run.weights[0])
    pyplot.show.assert_called_once()
