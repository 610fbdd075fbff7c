"""What a preset's card shows: a small picture of its own run, and one number measured on it."""
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from zz_core import Experiment, NetworkExperiment, Run, simulate, train
from zz_core.geometry import simulate_moved
from zz_core.measures import turning
from zz_core.planes import plane_of
from zz_core.saturation import sweep_start_bias
from zz_core.stability import condition, eigenvalues
from zz_core.summary import summarize, summarize_twins
from zz_view.figures.signs import sign_codes
from zz_view.figures.thumbnails import Line, curves_svg, plane_svg, signs_svg
from zz_view.page import in_steps, percent, two_digits
from zz_view.runs import twins
from zz_view.theme import CENTERED, RAW

SHOWN_STEPS, SHOWN_WEIGHTS = 16, 8  # of a picture of signs
HIDDEN = NetworkExperiment(steps=200, batch_size=1)
SHOWN_AT = 100  # step of the network
ZERO_CODE = 1


class Preview(NamedTuple):
    svg: str
    measured: str  # one sentence without a full stop


Draw = Callable[[Experiment], Preview]


def _color(experiment: Experiment) -> str:
    return RAW if experiment.treatment == "none" else CENTERED


def path(words: Callable[[Run], str], beside: Callable[[Experiment], Experiment] | None = None) -> Draw:
    """The path on the rings of its loss; `beside`: another run of the same task, drawn faintly under it."""
    def draw(experiment: Experiment) -> Preview:
        run = simulate(experiment)
        plane = plane_of(run)
        inputs = run.task.evaluated @ plane.axes.T
        lines = [Line(plane.project(run.weights[0]), _color(experiment))]
        if beside is not None:
            other = simulate(beside(experiment))
            lines.insert(0, Line(plane.project(other.weights[0]), _color(other.experiment), faint=True))
        return Preview(plane_svg(lines, plane.project(run.optimum)[None], inputs.T @ inputs / len(inputs)), words(run))

    return draw


def twin_paths(experiment: Experiment) -> Preview:
    """Raw and zero-centered paths to the same target, on the raw rings."""
    raw, twin = map(simulate, twins(experiment))
    plane = plane_of(raw)
    lines = [Line(plane.project(run.weights[0]), color) for run, color in ((raw, RAW), (twin, CENTERED))]
    inputs = raw.task.evaluated @ plane.axes.T
    ratios = [two_digits(each.path_ratio[0], "x") for each in summarize_twins(raw, twin)]
    return Preview(plane_svg(lines, plane.project(raw.optimum)[None], inputs.T @ inputs / len(inputs)),
                   f"Path {ratios[0]} the straight line, zero-centered {ratios[1]}")


def twin_losses(experiment: Experiment) -> Preview:
    """Excess losses, raw and zero-centered or treated."""
    pair = [simulate(twin) for twin in twins(experiment)]
    names = ("raw", "zero-centered")
    lines = [Line(np.column_stack([run.step_index, run.excess_losses()[0]]), color, name)
             for run, name, color in zip(pair, names, (RAW, CENTERED), strict=True)]
    steps = [in_steps(each.steps[0]) for each in summarize_twins(*pair)]
    return Preview(curves_svg(lines), f"Within 1 %: {steps[0]}, zero-centered {steps[1]}")


def changed_losses(name: str, field: str, value: str) -> Draw:
    """Excess losses of the experiment, called `name`, and of the same with raw sigmoid inputs and no treatment."""
    def draw(experiment: Experiment) -> Preview:
        pair = [simulate(replace(experiment, **{field: value})), simulate(experiment)]
        label = {"none": "raw"}.get(value, value)
        lines = [Line(np.column_stack([run.step_index, run.excess_losses()[0]]), color, each)
                 for run, each, color in zip(pair, (label, name), (RAW, CENTERED), strict=True)]
        steps = [in_steps(each.steps[0]) for each in summarize_twins(*pair)]
        return Preview(curves_svg(lines), f"Within 1 %: {steps[1]}, {label} {steps[0]}")

    return draw


def signs(words: Callable[[Run], str]) -> Draw:
    """Signs of the first steps' gradients."""
    def draw(experiment: Experiment) -> Preview:
        run = simulate(experiment)
        return Preview(signs_svg(run.gradients()[0, :SHOWN_STEPS]), words(run))

    return draw


def flipped(experiment: Experiment) -> Preview:
    """The path, and its mirror image for inputs whose first feature has the other sign."""
    run = simulate(experiment)
    other = simulate_moved(experiment, run.task, 0.0, flip=True)
    lines = [Line(each.weights[0], color) for each, color in ((run, RAW), (other, CENTERED))]
    one, two = (summarize(each) for each in (run, other))
    return Preview(plane_svg(lines, np.stack([run.optimum, other.optimum])),
                   f"Gradients with one sign: {percent(one.same_sign[0])}, flipped {percent(two.same_sign[0])}; path "
                   f"{two_digits(one.path_ratio[0], 'x')} and {two_digits(two.path_ratio[0], 'x')}")


def waiting(experiment: Experiment) -> Preview:
    """The mean output over the steps from an open and from a saturated start, zero-centered inputs."""
    starts = np.array([0.0, 8.0])
    escapes = sweep_start_bias(experiment, ("sigmoid_squared",), starts)["sigmoid_squared"].twin
    steps = np.arange(len(escapes.outputs))
    lines = [Line(np.column_stack([steps, escapes.outputs[:, k]]), color, f"start {start:.0f}")
             for k, (start, color) in enumerate(zip(starts, (CENTERED, RAW), strict=True))]
    wait = escapes.steps[1] - escapes.steps[0]
    return Preview(curves_svg(lines, log=False), f"The wait: {in_steps(wait)}, beside {in_steps(escapes.steps[0])} of "
                                                  "learning")


def hidden_layer(_: Experiment) -> Preview:
    """The gradient of the last layer but one for a single sample, unit by unit, in a network on real data."""
    run = train(HIDDEN)
    layer = len(run.unanimous_rows[0, 0]) - 2
    shown = run.gradient_signs(layer, SHOWN_AT)
    share = float(np.nanmean(run.unanimous_rows[..., layer]))
    return Preview(signs_svg(shown[:SHOWN_WEIGHTS, :SHOWN_STEPS].T.astype(float)),
                   f"Units whose weights all move together: {percent(share)}")


def ratio(run: Run) -> str:
    return f"Path {two_digits(summarize(run).path_ratio[0], 'x')} the straight line"


def ratio_and_steps(run: Run) -> str:
    return f"{ratio(run)}, 1 % after {in_steps(summarize(run).steps[0])}"


def valley(run: Run) -> str:
    twin = simulate(replace(run.experiment, treatment="center"))
    first, second = (in_steps(each.steps[0]) for each in summarize_twins(run, twin))
    return f"{ratio(run)}; 1 % after {first}, zero-centered {second}"


def moves(run: Run) -> str:
    return f"Within 1 % after {in_steps(summarize(run).steps[0])}"


def beside_north_west(run: Run) -> str:
    other = simulate(replace(run.experiment, target_angle=90.0))
    return f"{ratio(run)}; to the north-west {two_digits(summarize(other).path_ratio[0], 'x')}"


def one_sign(run: Run) -> str:
    return f"Gradients with one sign: {percent(summarize(run).same_sign[0])}"


def one_sign_yet_fast(run: Run) -> str:
    found, kappa = summarize(run), condition(eigenvalues(run.experiment, run.task))
    return f"One sign in {percent(found.same_sign[0])}, κ = {two_digits(kappa)}, 1 % after {in_steps(found.steps[0])}"


def zeros(run: Run) -> str:
    share = float((sign_codes(run.gradients()[0]) == ZERO_CODE).mean())
    return f"{percent(share)} of the components are zero, {one_sign(run)[0].lower()}{one_sign(run)[1:]}"


def first_step(run: Run) -> str:
    step = run.updates()[0, 0]
    return f"First step at {np.degrees(np.arctan2(step[1], step[0])) % 180:.0f}°; p{ratio(run)[1:]}"


def right_angles(run: Run) -> str:
    steps = summarize(run).steps[0]
    cosine = float(turning(run.weights[0, : int(steps) + 1]))
    return f"Each turn {np.degrees(np.arccos(cosine)):.0f}°, 1 % after {in_steps(steps)}"


def jitter(run: Run) -> str:
    excess = run.excess_losses()[0]
    late = float(np.median(excess[len(excess) // 2 :]))
    return f"Excess loss in the second half: {two_digits(100 * late / excess[0])} % of the start's, and no lower"


def shapes(run: Run) -> str:
    twin = simulate(replace(run.experiment, treatment="center"))
    kappas = [two_digits(condition(eigenvalues(each.experiment, each.task))) for each in (run, twin)]
    return f"κ = {kappas[0]}, zero-centered {kappas[1]}"
