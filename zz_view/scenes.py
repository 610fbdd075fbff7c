"""The overview's argument in six scenes: each one picture, one question to predict, and the run's own answer."""
import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import streamlit as st

from zz_core import Run
from zz_core.measures import unanimous
from zz_core.planes import allowed_wedge, double_wedge, plane_of
from zz_core.prediction import expected_spectrum
from zz_core.stability import condition, eigenvalues
from zz_core.summary import Summary, summarize_twins
from zz_core.theory import cone_detour
from zz_view import page, runs
from zz_view.batch_views import draw_batches
from zz_view.board import Chart, board, outline
from zz_view.figures.spectrum import spectrum_figure
from zz_view.figures.trajectories import loss_figure, plane_figure
from zz_view.pictures import plane_marks, plane_pictures, positions, step_words
from zz_view.predict import Question, ask, guessed
from zz_view.questions import changes_of_sign
from zz_view.theme import CENTERED, RAW, WEDGE

SHOWN_SAMPLES = 64
BATCH, MOMENTUM = 16, 0.9  # of the last scene's changes
BATCH_COLOR, MOMENTUM_COLOR = "#1A91A3", "#6C6FD8"
REACH = 0.42  # of the wedge, as a share of the window


class Story(NamedTuple):
    """What the scenes are about: (raw, twin) with few samples a step, then (raw, twin) with the full batch."""

    raw: str
    twin: str
    each: str  # "1 sample a step"
    runs: tuple[Run, Run, Run, Run]
    sums: tuple[Summary, Summary, Summary, Summary]
    guessed: bool = False  # whether the scene's question is answered: before, no title gives its answer away

    def titled(self, name: str, found: str) -> str:
        return f"{name}: {found}" if self.guessed else name

    def ratio(self, k: int) -> str:
        return page.two_digits(self.sums[k].path_ratio[0], "x")

    def steps(self, k: int) -> str:
        return page.in_steps(self.sums[k].steps[0])


def _one_sign(told: Story) -> Question:
    """Arrows: the gradients of single samples at the start."""
    draw = {told.raw: told.runs[0], told.twin: told.runs[1]}
    st.caption(draw_batches(draw, 0, min(SHOWN_SAMPLES, len(told.runs[0].targets)), counted=told.guessed))
    one, other = (_agreeing(run.sample_gradients(0, 0)) for run in told.runs[2:])
    options = ("About half of them", "Most, not all", "All of them")
    positive = bool((told.runs[0].task.evaluated > 0).all())
    return Question(
        f"Before training: of {len(told.runs[0].targets)} samples, how many have a gradient that pushes all weights of "
        f"the {told.raw} neuron the same way?", options,
        None if math.isnan(one) else options[2 if one == 1 else 1 if one > 0.6 else 0],
        f"{page.percent(one)} of the {told.raw} gradients, {page.percent(other)} of the {told.twin} ones.",
        "A sample's gradient is its inputs times one number, the slope of the loss ∂L/∂f" + (
            ", and these are all positive: the number's sign is everyone's sign." if positive else
            "; these inputs are not all positive, so its components need not agree."))


def _agreeing(gradients: np.ndarray) -> float:
    """Share of the vectors (N, D) with one sign, of those that are not zero; NaN where all are."""
    same = unanimous(gradients)
    return float(same[np.isfinite(same)].mean()) if np.isfinite(same).any() else math.nan


def _two_quadrants(told: Story) -> Question:
    """The plane with nothing on it but the start, the target, and where a single sample can push from the start."""
    run = told.runs[0]
    whole = plane_pictures({told.raw: run}, {told.raw: RAW})[told.raw]
    picture, plane = whole._replace(paths=whole.paths[:1, :1], steps=whole.steps[:1]), plane_of(run)
    wedge = None if run.input_biases is not None else allowed_wedge(plane.project(run.task.evaluated))
    side = picture.window.x[1] - picture.window.x[0]
    marks = [] if wedge is None else [outline(picture.paths[0], double_wedge(wedge, REACH * side), WEDGE)]
    title = "Shaded: where one sample can push" if marks else "One sample can push anywhere"
    board([Chart(plane_figure(picture, title), "scene_wedge", f"{title}, from the start, on the contours of the loss.",
                 marks)], "scene_wedge")
    options = ("No", "Yes, by a detour of at most √2", "Yes, but the detour has no bound")
    if run.optimum is None:
        return Question("Can steps of one sign reach any target?", options, None, "this task has no finite optimum.",
                        "")
    way = run.optimum - run.task.start
    bound = float(cone_detour(way)) if way.any() else 1.0
    return Question(
        "Every step may only raise all weights or lower all weights. Can such steps reach this target?", options,
        options[1], f"the shortest way is {page.two_digits(bound, 'x')} the straight line; this run walks "
        f"{told.ratio(0)} and needs {told.steps(0)}.",
        "One step up and one step down add up to any direction, and two sides of a right-angled triangle are at most "
        "√2 times the third. The run walks further than it must, since it does not choose its steps.")


def _zigzag(told: Story) -> Question:
    """The raw path under the player."""
    run = told.runs[0]
    picture, rows = plane_pictures({told.raw: run}, {told.raw: RAW})[told.raw], positions(run)
    length = f"{told.ratio(0)} the straight line"
    board([Chart(plane_figure(picture, told.titled(f"{told.raw.capitalize()}, {told.each}", length)), "scene_path",
                 told.titled(f"The {told.raw} path on the contours of the loss", length) + ".",
                 plane_marks(run, picture, rows))], "scene_path", step_words({told.raw: run}, rows), group="scene")
    ratio, options = float(told.sums[0].path_ratio[0]), ("At most 1.4x", "Between 1.4x and 2.5x", "More than 2.5x")
    turns, steps = changes_of_sign(run)
    return Question(
        f"With {told.each}, how long is the {told.raw} path beside the straight line?", options,
        None if math.isnan(ratio) else options[0 if ratio <= 1.4 else 1 if ratio <= 2.5 else 2],
        f"{told.ratio(0)} the straight line; {told.twin} it is {told.ratio(1)}.",
        "Each step serves its own samples and overshoots what the others want. The slope ∂L/∂f belongs to a sample, "
        f"not to the loss: its sign changed {turns} times in {steps} steps, and with it the way that all weights go.")


def _batch(told: Story) -> Question:
    """Few samples a step beside all of them, on the same axes."""
    named = {told.each: told.runs[0], "the full batch": told.runs[2]}
    pictures = plane_pictures(named, dict.fromkeys(named, RAW))
    rows = positions(told.runs[0])
    titles = [told.titled(name.capitalize(), f"<br>{told.ratio(k)} the straight line, {told.steps(k)}")
              for k, name in zip((0, 2), named, strict=True)]
    board([Chart(plane_figure(pictures[name], title), f"scene_batch_{k}", f"The {told.raw} path. {title}",
                 plane_marks(run, pictures[name], rows), link="scene_batch")
           for k, (title, (name, run)) in enumerate(zip(titles, named.items(), strict=True))],
          "scene_batch", step_words(named, rows), group="scene")
    options = ("A shorter path and far fewer steps", "A shorter path, about as many steps", "Neither")
    few, many = told.sums[0], told.sums[2]
    shorter = many.path_ratio[0] < 0.8 * few.path_ratio[0]
    faster = many.steps[0] < few.steps[0] / 3
    known = math.isfinite(few.path_ratio[0]) and math.isfinite(many.path_ratio[0])
    return Question(
        f"Average all {len(told.runs[0].targets)} samples in every step, at the same fraction of the stability limit. "
        "What do you get?", options, options[0 if faster else 1 if shorter else 2] if known else None,
        f"the path goes from {told.ratio(0)} to {told.ratio(2)}. To within 1 %: before {told.steps(0)}, now "
        f"{told.steps(2)}.",
        "Averaging mixes the signs, so the path need not go to and fro. The valley it walks in is the same.")


def _valley(told: Story) -> Question:
    """The curvatures of the loss beside their closed form."""
    names = (told.raw, told.twin)
    spectra = [eigenvalues(run.experiment, run.task) for run in told.runs[:2]]
    expected = {name: found for name, run in zip(names, told.runs[:2], strict=True)
                if (found := expected_spectrum(run.experiment, run.task)) is not None}
    shape = " ".join(["κ =", ", ".join(f"{page.size(condition(values))} {name}"
                                       for name, values in zip(names, spectra, strict=True))])
    figure = spectrum_figure(dict(zip(names, spectra, strict=True)), expected, dict(zip(names, (RAW, CENTERED),
                             strict=True)), f"The shape of the valley: {shape}")
    board([Chart(figure, "spectrum", "Curvatures of the loss, steepest direction first. Largest over smallest: "
                                     f"{shape}.")], "spectrum_board", group="spectrum")
    st.caption("κ, the condition number, is the largest curvature over the smallest that is not zero. " + (
        "Dashed: the closed form for independent features of one mean m and one variance v, v + D·m² once and v "
        "elsewhere." if expected else "No closed form is drawn, since these features depend on each other."))
    full, single = float(told.sums[2].steps[0]), float(told.sums[1].steps[0])
    options = (f"{told.raw.capitalize()}, full batch", f"{told.twin.capitalize()}, {told.each}", "About the same")
    alike = full == single or (math.isfinite(full) and math.isfinite(single) and 2 / 3 < full / single < 1.5)
    return Question(
        "Which run comes within 1 % first?", options,
        None if math.isnan(full) or math.isnan(single) else options[2 if alike else 0 if full < single else 1],
        f"{told.raw}, full batch: {told.steps(2)}; {told.twin}, {told.each}: {told.steps(1)}.",
        "One rate must suit the steepest and the flattest direction of the valley, and κ says how far apart they are. "
        "It is a matter of the inputs, and no batch size changes it.")


def _what_to_do(told: Story) -> Question:
    """The excess loss of three single changes beside the raw run."""
    spec = told.runs[0].experiment
    rows = spec.rows
    changes = {"as it is": (told.runs[0], RAW), told.twin: (told.runs[1], CENTERED)}
    if not spec.full_batch and rows > spec.batch_size:
        size = min(rows, BATCH * spec.batch_size)
        changes[f"{size} samples"] = (runs.get(replace(spec, batch_size=size)), BATCH_COLOR)
    if spec.optimizer == "sgd":
        changes["momentum"] = (runs.get(replace(spec, optimizer="momentum", momentum=MOMENTUM)), MOMENTUM_COLOR)
    found = dict(zip(changes, summarize_twins(*(run for run, _ in changes.values())), strict=True))
    known = all(run.optimum is not None for run, _ in changes.values())
    losses = {name: (run.excess_losses() if known else run.losses())[0] for name, (run, _) in changes.items()}
    steps = {name: float(each.steps[0]) for name, each in found.items()}
    words = ", ".join(f"{name} {page.in_steps(steps[name])}" for name in sorted(steps, key=steps.get))
    figure = loss_figure(told.runs[0].step_index, losses, {name: color for name, (_, color) in changes.items()},
                         "excess loss" if known else "loss", "One change at a time", height=340)
    board([Chart(figure, "scene_changes", f"Loss against the step. Within 1 %: {words}.")], "scene_changes")
    options = tuple(name.capitalize() for name in changes if name != "as it is")
    best = min((name for name in steps if name != "as it is"), key=steps.get)
    return Question(
        "Change one thing, each run at the same fraction of its own stability limit. Which change saves the most "
        "steps?", options, best.capitalize() if math.isfinite(steps[best]) else None, f"{words}.",
        "Subtracting the mean makes the valley round, which helps every step; the other changes help a run live with "
        "the valley. **Remedies** races many of them, each at its own best rate and with its price."
        if best == told.twin else "Here another change saves more than the inputs' shape does. **Remedies** races "
                                  "many of them, each at its own best rate and with its price.")


SCENES: dict[str, Callable[[Story], Question]] = {
    "One sample": _one_sign,
    "Two quadrants": _two_quadrants,
    "Zig-zag": _zigzag,
    "The batch": _batch,
    "What is slow": _valley,
    "What to do": _what_to_do,
}


def scenes(told: Story) -> None:
    """The scene that the visitor has chosen; the others cost nothing."""
    st.header("The argument in six scenes", anchor=False)
    names = list(SCENES)
    chosen = st.segmented_control("Scene", names, default=names[0], required=True, key="scene", bind="query-params",
                                  label_visibility="collapsed")
    place = names.index(chosen)
    key = f"scene_{place + 1}"
    ask(key, SCENES[chosen](told._replace(guessed=guessed(key))))
    if place + 1 < len(names):
        st.button(f"Next: {names[place + 1]}", icon=":material/arrow_forward:", key="next_scene",
                  on_click=st.session_state.update, args=({"scene": names[place + 1]},))
