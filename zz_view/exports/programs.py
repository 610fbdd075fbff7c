"""This very run as a program that needs nothing of this project: a NumPy script, a notebook, a PyTorch script.

Each draws the same data and the same samples and takes the same steps. What the stability limit made of the learning
rate, and where the optimum lies, is written in as a number. Only the code that this run needs is there.
"""
import json
import textwrap

from zz_core import Run, __version__
from zz_core.inputs import INPUTS
from zz_core.optimizers import OPTIMIZERS
from zz_view.exports import pieces
from zz_view.exports import training_code as training
from zz_view.exports.data_code import Cell, data_cells, number, starts_elsewhere
from zz_view.exports.training_code import Names

WIDTH = 100
PLOT = """\
try:
    import matplotlib.pyplot as plt
except ImportError:
    print("With matplotlib installed there would be a picture here.")
else:
    {lines}
    plt.show()"""


def numpy_cells(run: Run) -> list[Cell]:
    """The parts of the program; the last one draws, where matplotlib is installed."""
    names = Names(run)
    cells = [*data_cells(run), *_search_cell(names), *_last_cells(names, _numpy_training(names))]
    return [Cell("Packages", "", _head(run, ["import numpy as np"], cells)), *cells]


def numpy_script(run: Run, link: str = "") -> str:
    return _script(run, numpy_cells(run), link)


def torch_script(run: Run, link: str = "") -> str:
    """The same with autograd, and torch.optim where it has the rule."""
    names, data = Names(run, torch=True), data_cells(run)
    rest = [*_search_cell(names), *_last_cells(names, _torch_training(names))]
    imports = ["import numpy as np", "import torch"]
    if any("F." in cell.code for cell in rest):
        imports.append("import torch.nn.functional as F")
    precision = Cell("Precision", "The same as NumPy's.", "torch.set_default_dtype(torch.float64)")
    return _script(run, [Cell("Packages", "", _head(run, imports, data)), *data, precision, *rest], link)


def notebook(run: Run, link: str = "") -> str:
    """The NumPy program as a Jupyter notebook (nbformat 4.5)."""
    cells = [_markdown("title", f"# {_title(run)}\n\n{_origin(link)}")]
    for k, cell in enumerate(numpy_cells(run)):
        cells.append(_markdown(f"text-{k}", f"## {cell.title}\n\n{cell.text}".strip()))
        cells.append({"cell_type": "code", "id": f"code-{k}", "metadata": {}, "execution_count": None, "outputs": [],
                      "source": cell.code.splitlines(keepends=True)})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
                       "nbformat": 4, "nbformat_minor": 5}, indent=1, ensure_ascii=False)


def _markdown(name: str, text: str) -> dict:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text.splitlines(keepends=True)}


def _title(run: Run) -> str:
    experiment = run.experiment
    source = INPUTS[experiment.inputs]
    what = source.label.lower() if source.real else f"{source.label} inputs"
    return f"One neuron on {what}: {OPTIMIZERS[experiment.optimizer].label}"


def _origin(link: str) -> str:
    words = f"Written by Zig-Zag Lab {__version__}. It needs nothing of that project and repeats one of its runs"
    return f"{words}: {''.join(link.split())}" if link else f"{words}."


def _script(run: Run, cells: list[Cell], link: str) -> str:
    text = "\n".join(_comment(line) for line in (f"{_title(run)}.", _origin(link))) + f"\n\n{cells[0].code}"
    for cell in cells[1:]:
        words = f"{cell.title}. {cell.text}" if cell.text else f"{cell.title}."
        gap = "\n\n" if text.rsplit("\n", 1)[-1].startswith("    ") else "\n"
        text += f"\n{gap}{_comment(words)}\n{cell.code}"
    return text + "\n"


def _comment(text: str) -> str:
    # a link stays in one piece, or it could not be clicked
    return textwrap.fill(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False,
                         break_on_hyphens=False)


def _head(run: Run, imports: list[str], cells: list[Cell]) -> str:
    """Imports and the small functions that the cells call."""
    code = "\n".join(cell.code for cell in cells)
    helpers = [name for name in pieces.HELPERS if f"{name}(" in code.replace(f"torch.{name}(", "")]
    imports = [*(pieces.HELPER_IMPORTS[name] for name in helpers if name in pieces.HELPER_IMPORTS), "", *imports]
    source = pieces.SOURCES[run.experiment.inputs].imports
    lines = "\n".join([*imports, *([source] if source else [])]).strip()
    return "\n\n\n".join([lines, *(pieces.HELPERS[name] for name in helpers)])


def _start(names: Names) -> list[str]:
    """The parameters before the first step; a bias is the weight of an input that is always 1."""
    lines, experiment = [], names.run.experiment
    if names.bias and not names.input_bias and not names.normalizes:
        lines.append("X = np.column_stack([X, np.ones(N)])  # the bias is the weight of an input that is always 1")
    lines.append(f"{names.w} = {names.np}.zeros({names.parameters})")
    if starts_elsewhere(experiment):
        lines.append(f"{names.w}[:D] = {'torch.from_numpy(w_start)' if names.torch else 'w_start'}")
    if names.bias and experiment.start_bias:
        lines.append(f"{names.w}[-1] = {number(experiment.start_bias)}")
    return lines


def _search_cell(names: Names) -> list[Cell]:
    if not training.searches(names):
        return []
    return [Cell("Line search", "The loss is not quadratic along the gradient, so the best length is searched.",
                 training.line_search(names))]


def _last_cells(names: Names, train: list[str]) -> list[Cell]:
    return [Cell("Training", training.training_text(names), "\n".join(train)),
            Cell("Result", "", "\n".join(_result(names))), Cell("Picture", _picture_text(names.run), _picture(names))]


def _numpy_training(names: Names) -> list[str]:
    rule, slope = pieces.OPTIMIZERS[names.run.experiment.optimizer], pieces.LOSSES[names.run.experiment.loss].slope
    body = [*training.samples_of_step(names), *training.outputs(names),
            f"slope = {slope.format(f='f', y=names.y)}  # dL/df", *_gradient(names), *training.rule_step(names),
            f"path.append({names.w})", *_leave(names)]
    state = [rule.state.format(w=names.w)] if rule.state else []
    return [*training.settings(names), "", *training.draws(names), *_start(names), *state,
            f"path = [{names.w}]", training.loop_head(names), *_indented(body), "path = np.array(path)"]


def _gradient(names: Names) -> list[str]:
    if not names.single:
        j = "J" if names.input_bias else names.x
        return [*training.jacobian(names), f"gradient = slope @ {j} / {names.size}"]
    if not names.input_bias:
        return ["gradient = slope * x"]
    return [f"gradient = slope * np.concatenate([x + b, w{', [1.0]' * names.bias}])"]


def _torch_training(names: Names) -> list[str]:
    experiment, rule = names.run.experiment, names.torch_rule
    loss = pieces.LOSSES[experiment.loss].torch.format(f="f", y=names.y)
    lines = [*training.settings(names), "", *training.draws(names), *_start(names), f"{names.w}.requires_grad_()"]
    body = [*training.samples_of_step(names), *training.outputs(names), f"loss = {loss}"]
    if rule:
        lines.append(f"optimizer = {rule.format(w=names.w)}")
        if names.scheduled:
            factor = pieces.SCHEDULES[experiment.schedule].format(t="t")
            lines.append(f"schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: {factor})")
        body += ["optimizer.zero_grad()", "loss.backward()", "optimizer.step()"]
        body += ["schedule.step()"] * names.scheduled
    else:
        body += [f"(gradient,) = torch.autograd.grad(loss, {names.w})", "with torch.no_grad():",
                 *_indented([*training.jacobian(names), *_in_place(names)])]
    body += [f"path.append({names.w}.detach().clone())", *_leave(names)]
    return [*lines, "X, y = torch.from_numpy(X), torch.from_numpy(y)", f"path = [{names.w}.detach().clone()]",
            training.loop_head(names), *_indented(body), "path = torch.stack(path).numpy()"]


def _in_place(names: Names) -> list[str]:
    """The same step on a tensor that autograd follows."""
    return [line.replace(f"{names.w} = {names.w} - ", f"{names.w} -= ") for line in training.rule_step(names)]


def _indented(lines: list[str]) -> list[str]:
    return [textwrap.indent(line, "    ") for line in lines]


def _leave(names: Names) -> list[str]:
    """Only in the program of a run that diverges."""
    if names.run.diverged_at[0] < 0:
        return []
    size = f"{names.w}.abs().max()" if names.torch else f"np.abs({names.w}).max()"
    return [f"if not {size} <= 1e30:  # the run has diverged", "    break"]


def _result(names: Names) -> list[str]:
    lines = ['print(f"after {len(path) - 1} steps: w = {path[-1, :D]}")']
    if names.input_bias:
        lines.append('print(f"input biases b = {path[-1, D : 2 * D]}")')
    if names.bias:
        lines.append('print(f"bias = {path[-1, -1]}")')
    return [*lines, "steps = np.diff(path[:, :D], axis=0)",
            "together = np.all(steps >= 0, axis=1) | np.all(steps <= 0, axis=1)",
            'print(f"no two weights move against each other in {together.mean():.0%} of the steps")']


def _picture_text(run: Run) -> str:
    return ("The path of the two weights, with the optimum as a star." if run.weights.shape[-1] == 2 else
            "Every weight against the step.")


def _picture(names: Names) -> str:
    run = names.run
    if run.weights.shape[-1] != 2:
        lines = ["plt.plot(path[:, :D])", 'plt.xlabel("step")', 'plt.ylabel("weights")']
    else:
        lines = ['plt.plot(path[:, 0], path[:, 1], ".-")']
        if run.optimum is not None:
            lines.append(f'plt.plot({run.optimum[0]:.6g}, {run.optimum[1]:.6g}, "*", markersize=14)')
        lines += ['plt.axis("equal")', 'plt.xlabel("w1")', 'plt.ylabel("w2")']
    return PLOT.format(lines="\n    ".join(lines))
