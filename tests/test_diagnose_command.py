"""python -m zz_core.diagnose, and the name it shares with the function."""
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zz_core.datasets import load
from zz_core.diagnose import BAD_INPUT, OK, PROBLEM, main
from zz_core.diagnosis.report import HEADINGS

ROOT = Path(__file__).parents[1]


@pytest.fixture
def sigmoids(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "fc1.npy", 1 / (1 + np.exp(-rng.standard_normal((500, 64)))).astype(np.float32))
    return tmp_path / "fc1.npy"


@pytest.mark.parametrize("imports", [
    "from zz_core import diagnose",
    "import zz_core.diagnose; from zz_core import diagnose",
    "from zz_core import diagnose; import zz_core.diagnose",
    "import zz_core.diagnose as diagnose",
    "from zz_core.diagnose import diagnose",
    "import zz_core; from zz_core.diagnose import main; diagnose = zz_core.diagnose",
    "import importlib; importlib.import_module('zz_core.diagnose'); import zz_core; diagnose = zz_core.diagnose"])
def test_diagnose_can_be_called_whatever_was_imported_first(imports):
    """Importing the module `zz_core.diagnose` puts it in the place of the function of that name."""
    script = f"{imports}\nprint(diagnose([[1.0, 0.0], [2.0, 1.0], [4.0, 5.0]], batch_size=2, seeds=1).level)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() in ("none", "some", "strong") and done.stderr == ""


def test_the_command_prints_a_table_and_the_verdict(sigmoids):
    done = subprocess.run([sys.executable, "-W", "error", "-m", "zz_core.diagnose", str(sigmoids), "--seeds", "2"],
                          cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == OK and done.stderr == ""
    table, row, *rest = done.stdout.splitlines()
    assert table.split("  ")[0] == "layer" and all(heading in table for heading in HEADINGS)
    assert row.startswith("fc1") and "500" in row and len(row) == len(table)
    assert any(line.startswith("fc1: The mean of these inputs is expensive") for line in rest)
    assert "Judged by the head-room" in rest[-1]


def test_json_is_the_whole_diagnosis_and_valid(sigmoids, capsys):
    assert main([str(sigmoids), "--json", "--seeds", "1", "--batch-size", "8"]) == OK
    data = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))  # NaN is not JSON
    layer = data["layers"]["fc1"]
    assert layer["level"] == "strong" and layer["batch_size"] == 8 and len(layer["mean"]) == 64
    values = np.load(sigmoids).astype(float)
    np.testing.assert_allclose(layer["spectra"]["raw"]["eigenvalues"][0],
                               np.linalg.eigvalsh(values.T @ values / 500)[-1])


def test_the_exit_code_tells_a_problem_from_none_and_from_bad_input(sigmoids, tmp_path, capsys):
    np.save(tmp_path / "fine.npy", np.random.default_rng(0).standard_normal((300, 4)))
    np.save(tmp_path / "objects.npy", np.array([None]), allow_pickle=True)
    assert main([str(sigmoids), "--check", "--seeds", "0"]) == PROBLEM
    assert main([str(tmp_path / "fine.npy"), "--check", "--seeds", "0"]) == OK
    capsys.readouterr()
    for bad, words in ((tmp_path / "objects.npy", "Python objects"), (tmp_path / "nowhere.npy", "No such file")):
        assert main([str(bad)]) == BAD_INPUT
        shown = capsys.readouterr()
        assert words in shown.err and "Traceback" not in shown.err and not shown.out
    assert main([str(sigmoids), "--batch-size", "0"]) == BAD_INPUT and "batch_size=0" in capsys.readouterr().err


def test_a_table_with_a_target_and_text(tmp_path, capsys):
    values, labels = load("wine")
    lines = ["a,b,maker,class"] + [f"{row[0]},{row[1]},x{k},{label}" for k, (row, label) in
                                   enumerate(zip(values, labels, strict=True))]
    (tmp_path / "wine.csv").write_text("\n".join(lines))
    call = [str(tmp_path / "wine.csv"), "--target", "class", "--seeds", "1", "--json"]
    assert main(call) == BAD_INPUT and "'maker'" in capsys.readouterr().err
    assert main([*call, "--leave-out", "maker"]) == OK
    data = json.loads(capsys.readouterr().out)
    assert data["layers"]["wine"]["names"] == ["a", "b"] and "maker" in data["left_out"]


def test_a_recording_of_layers_and_gradients(tmp_path, capsys):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "run.npz", **{
        "inputs/fc1": rng.standard_normal((200, 3)), "inputs/fc2": 3 + rng.random((200, 2)), "names": np.array(["x"]),
        "gradients/fc2": rng.random((6, 4, 2)), "targets": rng.random(150)})
    assert main([str(tmp_path / "run.npz"), "--seeds", "1"]) == OK
    shown = capsys.readouterr().out
    assert "fc1: There is no problem here" in shown and "fc2: The mean of these inputs" in shown
    assert "fc2: over 6 steps, 100 % of the rows of its gradient have one sign (by chance 50 %)." in shown
    assert "Left out: names, since" in shown
