"""The first half of every exported program: the inputs, the targets and the treatment, in NumPy."""
from typing import NamedTuple

import numpy as np

from zz_core import Experiment, Run
from zz_core.activations import ACTIVATIONS
from zz_core.datasets import REAL
from zz_core.inputs import INPUTS
from zz_core.losses import LOSSES
from zz_core.task import build_task
from zz_core.treatments import TREATMENTS
from zz_view.exports import pieces

ACROSS = ["across = np.where(np.arange(D) % 2, 1.0, -1.0)  # signs -, +, -, ...",
          "across = across - (across @ along) * along",
          "across = across / np.linalg.norm(across)"]


class Cell(NamedTuple):
    """A part of a program: a cell of the notebook, a section of the script."""

    title: str
    text: str  # what it does, in a sentence or two: Markdown without markup
    code: str


def number(value: float) -> str:
    """As Python code, exactly."""
    return repr(float(value))


def data_cells(run: Run) -> list[Cell]:
    cells = [Cell("Inputs", _inputs_text(run), _inputs(run.experiment)),
             Cell("Targets", _targets_text(run.experiment), _targets(run.experiment))]
    treatment = _treatment(run)
    if treatment:
        cells.append(Cell("Treatment", f"{TREATMENTS[run.experiment.treatment].label}.", treatment))
    return cells


def _inputs_text(run: Run) -> str:
    experiment, raw = run.experiment, run.task.raw
    source = INPUTS[experiment.inputs]
    what = source.label
    if source.activated and experiment.activation != "identity":
        what += f" values through an activation: {ACTIVATIONS[experiment.activation].label}"
    signs = "All are positive" if (raw > 0).all() else "None is negative" if (raw >= 0).all() else \
        "They have both signs"
    return f"{len(raw)} samples of {raw.shape[1]} input{'s' * (raw.shape[1] > 1)}. {what}. {signs}."


def _inputs(experiment: Experiment) -> str:
    source, piece = INPUTS[experiment.inputs], pieces.SOURCES[experiment.inputs]
    lines = [f"N, D = {experiment.rows}, {experiment.dimensions}"]
    if source.activated:
        lines += [f"rng = np.random.default_rng({experiment.data_seed})", *_activated(experiment, piece.values)]
    else:
        lines.append(piece.inputs)
    if experiment.uses_labels:
        lines.append("labels = data.target")
    if source.real and experiment.rows < REAL[experiment.inputs].rows:
        lines += [f"rng = np.random.default_rng({experiment.data_seed})",
                  "chosen = np.sort(rng.permutation(len(X))[:N])",
                  "X, labels = X[chosen], labels[chosen]" if experiment.uses_labels else "X = X[chosen]"]
    return "\n".join(lines)


def _activated(experiment: Experiment, values: str) -> list[str]:
    if experiment.input_std != 1:
        values = f"{number(experiment.input_std)} * {values}"
    if experiment.input_mean != 0:
        values = f"{number(experiment.input_mean)} + {values}"
    if experiment.activation == "identity":
        return [f"X = {values}"]
    return [f"z = {values}", f"X = {pieces.ACTIVATIONS[experiment.activation].code}"]


def _targets_text(experiment: Experiment) -> str:
    if experiment.uses_labels:
        return "1 for the first class of the data, 0 for all others."
    text = (f"A teacher w_star, {experiment.distance:g} from the start, {experiment.target_angle:g} degrees from the "
            "direction of the inputs' mean.")
    if experiment.noise:
        text += " Its noise is made orthogonal to the inputs and to the constant, so that it moves no minimum."
    return text


def _targets(experiment: Experiment) -> str:
    recenter = TREATMENTS[experiment.treatment].recenters and not experiment.bias
    quadratic = LOSSES[experiment.loss].quadratic
    if experiment.uses_labels:
        lines = [*_start(experiment), "y = (labels == 0).astype(float)"]
        return "\n".join([*lines, "y = y - y.mean()  # as the inputs will"] if recenter and quadratic else lines)
    name = "y" if quadratic else "logits"
    lines = [*_teacher(experiment), f"{name} = X @ w_star"]
    if experiment.noise:
        lines += _noise(experiment, name)
    if recenter:
        lines.append(f"{name} = {name} - {name}.mean()  # as the inputs will")
    return "\n".join(lines if quadratic else [*lines, "y = sigmoid(logits)"])


def _teacher(experiment: Experiment) -> list[str]:
    angle, distance = number(experiment.target_angle), number(experiment.distance)
    start, origin = _start(experiment), "w_start + " if starts_elsewhere(experiment) else ""
    if experiment.dimensions == 1:
        return [*start, f"w_star = {origin}np.array([{'-' if experiment.target_angle == 180 else ''}{distance}])"]
    lines = start or _along(experiment)
    if experiment.target_angle == 0:
        return [*lines, f"w_star = {origin}{distance} * along"]
    lines += [] if start else ACROSS
    if experiment.target_angle == 90:
        return [*lines, f"w_star = {origin}{distance} * across"]
    return [*lines, f"angle = np.deg2rad({angle})",
            f"w_star = {origin}{distance} * (np.cos(angle) * along + np.sin(angle) * across)"]


def _along(experiment: Experiment) -> list[str]:
    # a few pixels of a few digits can all be zero: then there is no mean to go along
    has_mean = INPUTS[experiment.inputs].real and build_task(experiment).raw.any()
    along = "X.mean(axis=0)" if has_mean else "np.ones(D)"
    return [f"along = {along}", "along = along / np.linalg.norm(along)"]


def starts_elsewhere(experiment: Experiment) -> bool:
    """Whether the weights start anywhere but at zero."""
    return experiment.start_along != 0 or (experiment.start_across != 0 and experiment.dimensions > 1)


def _start(experiment: Experiment) -> list[str]:
    if not starts_elsewhere(experiment):
        return []
    along, across = number(experiment.start_along), number(experiment.start_across)
    if experiment.dimensions == 1:
        return [f"w_start = np.array([{along}])"]
    return [*_along(experiment), *ACROSS, f"w_start = {along} * along + {across} * across"]


def _noise(experiment: Experiment, name: str) -> list[str]:
    return [f"noise = np.random.default_rng([{experiment.data_seed}, 1]).standard_normal(N)",
            "columns = X - X.mean(axis=0)",
            "columns = columns / np.maximum(np.abs(columns).max(axis=0), 1e-300)",
            "columns = np.column_stack([columns, np.ones(N)])",
            "noise = noise - columns @ np.linalg.lstsq(columns, noise)[0]",
            f"{name} = {name} + {number(experiment.noise)} * noise / np.sqrt(np.mean(noise**2))"]


def _treatment(run: Run) -> str:
    """Lines that change X. The full batch is normalized once, since every step would do the same."""
    experiment, raw = run.experiment, run.task.raw
    start = pieces.STARTS.get(experiment.treatment, "") if starts_elsewhere(experiment) else ""
    if TREATMENTS[experiment.treatment].per_batch:
        return "\n".join(filter(None, [start, experiment.full_batch and pieces.BATCH_NORM.format(x="X", X="X")]))
    constant = (raw.std(axis=0) <= 1e-12 * np.abs(raw).max(axis=0)).any()
    code = pieces.TREATMENTS[experiment.treatment].format(constant=pieces.CONSTANT if constant else "",
                                                          null=pieces.NULL if _drops_directions(run) else "")
    return f"{code}\n{start}" if start else code


def _drops_directions(run: Run) -> bool:
    """Whether whitening finds directions without spread: its matrix maps them to zero."""
    matrix = run.task.treated.matrix
    return run.experiment.treatment == "whiten" and np.linalg.matrix_rank(matrix, hermitian=True) < len(matrix)
