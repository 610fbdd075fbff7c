"""Imports run one way, pages -> zz_view -> zz_core, and the core needs NumPy alone."""
import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ["zz_core", "zz_view", "pages", "dashboard", "benchmarks", "tests"]  # each may import itself and those before


def imported_modules(file: Path) -> list[str]:
    """Every module that a file imports, wherever in the file, relative imports written out."""
    package = file.relative_to(ROOT).parent.parts
    modules = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else ()
            modules.append(".".join([*base, *filter(None, [node.module])]))
    return modules


def sources(*names: str) -> list[Path]:
    """The Python files of these modules and folders."""
    return [file for name in names for file in [ROOT / f"{name}.py", *sorted((ROOT / name).rglob("*.py"))]
            if file.is_file()]


def forbidden_imports(files: list[Path], is_allowed) -> list[str]:
    return [f"{file.relative_to(ROOT).as_posix()} imports {module}"
            for file in files for module in imported_modules(file) if not is_allowed(module)]


def test_the_core_imports_only_numpy_the_standard_library_and_itself():
    allowed = {"numpy", "zz_core", *sys.stdlib_module_names}
    files = sources("zz_core")
    assert files
    # a cluster's client, inside one function
    assert forbidden_imports(files, lambda module: module.split(".")[0] in allowed) == [
        "zz_core/sweep/running.py imports distributed"]
    script = "import sys, zz_core, zz_core.sweep\nassert not {'distributed', 'dask'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("layer", LAYERS[:-1])
def test_no_layer_imports_one_above_it(layer):
    above = LAYERS[LAYERS.index(layer) + 1:]
    assert forbidden_imports(sources(layer), lambda module: module.split(".")[0] not in above) == []


def test_figures_are_drawn_without_streamlit():
    """Neither by their own imports nor by those of what they import."""
    files = sources("zz_view/figures")
    modules = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    script = "import importlib, sys\n" \
             f"for module in {modules}:\n" \
             "    importlib.import_module(module)\n" \
             "    assert 'streamlit' not in sys.modules, f'{module} imports Streamlit'\n"
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_no_file_points_outside_the_project():
    """The folder beside the checkout where the authors keep notes is not there for anyone else."""
    if not (shutil.which("git") and (ROOT / ".git").exists()):
        pytest.skip("which files are committed is known in a Git checkout only")
    # safe.directory: the checkout may belong to another user, as in a container; --others: before the commit, too
    listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    files = [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    assert Path(__file__) in files
    outside = b"../" + b"shared"  # in two pieces, or this file would find itself
    assert [str(file.relative_to(ROOT)) for file in files if outside in file.read_bytes()] == []
