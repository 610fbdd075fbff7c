"""The pictures of the Geometry page, each with the words that go with it."""
import math
from dataclasses import replace
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from zz_core import Experiment, Run, dimension_sweep, geometry
from zz_core.dimension_sweep import DimensionSweep
from zz_core.experiment import DEFAULTS
from zz_core.geometry import AngleSweep, Curvature, RateMap
from zz_core.inputs import INPUTS
from zz_core.losses import LOSSES
from zz_core.planes import allowed_wedge, plane_of
from zz_core.summary import Summary, judged_by_loss, summarize
from zz_core.task import Task
from zz_view import controls, handles, page, runs
from zz_view.board import Chart, board
from zz_view.figures import geometry as figures
from zz_view.figures.trajectories import plane_figure
from zz_view.geometry_words import cell_words, map_title
from zz_view.hosting.caches import Cache
from zz_view.page import size
from zz_view.pictures import plane_pictures
from zz_view.runs import BY_QUERY
from zz_view.theme import CENTERED, RAW

ANGLES = np.deg2rad(np.arange(0, 181, 5))
FRACTIONS = np.arange(1, 45) / 40  # of the stability limit, to a little beyond it
SWEEP_STEPS, SWEEP_SEEDS = 200, 20
SHIFTS = (-6.0, 6.0, 0.1)  # lowest, highest, step, in standard deviations
DATA = ("inputs", "activation", "input_mean", "input_std", "dimensions", "samples", "treatment", "data_seed")
MOVED_BYTES = 128 * 2**20  # of runs on moved inputs that are kept
TRAJECTORIES = "pages/trajectories.py"


def kept_fields(experiment: Experiment, *names: str) -> Experiment:
    """Only these fields, all others at their defaults: what does not matter may not miss the cache."""
    return replace(Experiment(), **{name: getattr(experiment, name) for name in names})


def moved_run(experiment: Experiment, shift: float, flip: bool = False) -> Run:
    """The run itself where nothing is moved or flipped, so that this page shows what the others do."""
    base = runs.get(experiment)
    if not shift and not flip:
        return base
    return _moved().get((experiment, shift, flip), lambda: geometry.simulate_moved(experiment, base.task, shift, flip))


@st.cache_resource(show_spinner=False)
def _moved() -> Cache[Run]:
    return Cache("moved_runs", MOVED_BYTES)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=BY_QUERY)
def measured(experiment: Experiment, shift: float, flip: bool = False) -> tuple[Summary, Curvature]:
    run = moved_run(experiment, shift, flip)
    # moved and flipped data no longer tell their treatment: all are judged as the run itself is
    return summarize(run, by_loss=judged_by_loss(experiment)), geometry.curvature_of(run)


def moved(experiment: Experiment, shift: float) -> tuple[Run, Summary, Curvature]:
    """The run on inputs whose mean has moved, and its measures. Stops the page where there is none."""
    try:
        return moved_run(experiment, shift), *measured(experiment, shift)
    except ValueError as error:
        runs.refuse(runs.readable(error))


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=BY_QUERY)
def angles_swept(spec: Experiment, shift: float, fraction: float, _task: Task,
                 _noise: np.ndarray | None) -> AngleSweep:
    """spec: the fields that matter, as the cache's key; the arrays of `_task` follow from them and the shift."""
    return geometry.sweep_angles(_task.evaluated, _task.direction, ANGLES, fraction, spec.steps, SWEEP_SEEDS,
                                 spec.seed, spec.distance, _noise)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=BY_QUERY)
def rates_mapped(spec: Experiment, shift: float, _task: Task) -> RateMap:
    return geometry.rate_map(_task.evaluated, _task.direction, FRACTIONS, ANGLES, spec.steps)


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs=BY_QUERY)
def dimensions_swept(spec: Experiment, treatment: str) -> DimensionSweep:
    return dimension_sweep.sweep_dimensions(spec, treatment)


def draw_cloud_and_plane(experiment: Experiment, run: Run, base: Run, color: str, summary: Summary) -> None:
    """What the neuron receives, with the cone that one sample allows, beside the path that the weights take."""
    plane, task = plane_of(run), run.task
    points, unmoved = plane.project(task.evaluated), plane.project(base.task.evaluated)
    spread = geometry.spread_of(base.task)
    # the same window while the mean moves, so that the cloud is what moves, until it would leave
    reach = 1.08 * max(np.abs(unmoved).max() + 1.5 * spread, np.abs(points).max())
    wedge = allowed_wedge(points) if run.input_biases is None else None
    opening = None if wedge is None else math.degrees(wedge[1] - wedge[0])
    one = "One sample" if plane.exact else "In this plane one sample"  # the cone itself can be wider than its picture
    allowed = f"{one} can step any way" if wedge is None else f"{one} allows a cone of {opening:.0f}°"
    titles = ("x₁", "x₂") if plane.exact else ("along the mean direction", "across the mean direction")
    ratio = page.two_digits(summary.path_ratio[0], "x")
    name = "raw" if run.experiment.treatment == "none" else "treated"
    kept = {name: handles.kept_windows(experiment).get("plane")}
    picture = plane_pictures({name: run}, {name: color}, kept=kept)[name]
    grip = handles.on_plane(experiment, run, base)
    walk = f"The weights take {ratio} the straight line" if np.isfinite(summary.path_ratio[0]) else \
        "The weights do not move"
    if run.diverged_at[0] >= 0:
        walk = f"The weights diverge at step {run.diverged_at[0]}"
    board([Chart(figures.cloud_figure(points, points.mean(axis=0), wedge, float(reach), color, titles, allowed),
                 "cloud", f"The inputs as a cloud of {len(points)} points with their mean. {allowed}."),
           Chart(plane_figure(picture, walk, height=400), "plane",
                 f"Path of the weights over {run.experiment.steps} steps on the contours of the loss. {walk}.",
                 handles=grip)],
          "cloud_and_plane", group="geometry", on_place=handles.placing(experiment, "cloud_and_plane"))
    st.caption(handles.words(experiment, {name: grip}))


def draw_angles(experiment: Experiment, run: Run, shift: float, fraction: float, color: str) -> None:
    """Path lengths against the target's angle, allowed and taken."""
    noise, exact = noise_of(run), experiment.dimensions == 2
    # without noise the distance changes nothing
    spec = kept_fields(experiment, *DATA, "seed", *(("noise", "distance") if noise is not None else ()))
    spec = replace(spec, steps=min(experiment.steps, SWEEP_STEPS))
    sweep = angles_swept(spec, shift, fraction, run.task, noise)
    cone = "the samples allow" if exact else "the data's cone allows"
    middle = figures.quartiles(sweep.single)[1]
    tops = {name: page.two_digits(np.nanmax(values, initial=1.0), "x") if np.isfinite(values).any() else None
            for name, values in (("sign", sweep.one_sign), ("data", sweep.data_cone), ("single", middle),
                                 ("full", sweep.full))}
    taken = [f"{who} take{s} up to {tops[name]}" for name, who, s in (("single", "single samples", ""),
                                                                     ("full", "the full batch", "s")) if tops[name]]
    title = f"Signs cost at most {tops['sign'] or 'nothing'}; {', '.join(taken) or 'at this rate all runs diverge'}"
    board([Chart(figures.angle_figure(sweep, color, cone, title), "angle_sweep",
                 f"Path length over straight line against the target's angle. {title}. What {cone}: up to "
                 f"{tops['data'] or 'undefined'}.")], "angle_board", group="geometry")
    st.markdown(f"Dashed: the shortest path with steps of one sign, and with steps along ± the samples (up to "
                f"{tops['data'] or 'undefined'}). Solid: plain descent, squared loss, {page.two_digits(fraction)} of "
                f"each stability limit, up to {spec.steps} steps; for single samples the median of {SWEEP_SEEDS} seeds "
                "and their middle half.")


def draw_dimensions(experiment: Experiment, fraction: float) -> None:
    treatment = runs.twins(experiment)[1].treatment
    names, colors = runs.twin_names(experiment), (RAW, CENTERED)
    spec = kept_fields(experiment, "inputs", "activation", "input_mean", "input_std", "data_seed")
    try:
        sweep = dimensions_swept(spec, treatment)
        steps = sweep.steps(fraction, math.radians(experiment.target_angle))
    except ValueError as error:
        st.info(f"There is no sweep over dimensions for these inputs: {error}.", icon=":material/info:")
        return
    last = sweep.dimensions[-1]
    kappa = [size(values[-1]) for values in sweep.condition]
    title = f"At {last} dimensions κ is {kappa[0]} {names[0]}, {kappa[1]} {names[1]}"
    counts = [page.count(values[-1]) if values[-1] < 1000 else size(values[-1]) for values in steps]
    walk = (f"A full batch then needs {counts[0]} steps {names[0]}, {counts[1]} {names[1]}"
            if fraction < 1 else f"At {page.two_digits(fraction)} of its limit the full batch does not arrive")
    board([Chart(figures.condition_figure(sweep, names, colors, title), "condition",
                 f"Condition number against dimensions, of the data and of the closed form. {title}."),
           Chart(figures.steps_figure(sweep.dimensions, steps, names, colors, walk), "dimension_steps",
                 f"Predicted steps against dimensions. {walk}.")], "dimension_board", group="geometry")
    st.markdown(_dimension_words(experiment, sweep, fraction))


def _dimension_words(experiment: Experiment, sweep: DimensionSweep, fraction: float) -> str:
    rows, last = sweep.samples[-1], sweep.dimensions[-1]
    per, (found, formula) = rows / last, (sweep.condition[0, -1], sweep.closed_form[0, -1])
    words = ["Dashed beside κ: the closed form 1 + D·m²/v for independent inputs of mean m and variance v. The steps "
             "to 1 % of the distance are predicted from the data's own curvatures, at "
             f"{page.two_digits(fraction)} of the stability limit. The mean shift is left out here."]
    if not INPUTS[experiment.inputs].activated:
        return " ".join([*words, "The features of these inputs depend on each other, or differ, so the closed form "
                                 "need not hold."])
    alone = dimension_sweep.sampling_condition(rows, last)
    words.append(f"**Sampling alone makes κ:** with {per:.0f} samples for each weight even inputs without any mean "
                 f"have κ ≈ {size(alone)} in high dimensions, since chance makes some directions flatter than others."
                 + (f" For the same reason the raw κ is {size(found / formula, 'x')} its closed form at D = {last}."
                    if np.isfinite(found / formula) else ""))
    return " ".join(words)


def draw_map(experiment: Experiment, run: Run, shift: float, color: str) -> None:
    """The map of rate and target, the chosen cell's numbers, and the way to its run."""
    spec = replace(kept_fields(experiment, *DATA), steps=max(2, min(experiment.steps, SWEEP_STEPS)))
    found = rates_mapped(spec, shift, run.task)
    measure = st.segmented_control("Color", ["turning", "efficiency"], default="turning", required=True,
                                   key="map_color", bind="query-params",
                                   help="turning: the mean cosine between successive steps, 1 straight on, −1 back "
                                        "and forth. efficiency: straight line / path.")
    picture = st.container()
    left, middle, right = st.columns([3, 3, 2], vertical_alignment="bottom")
    fraction = left.slider("Rate shown, of the limit", 0.05, 1.1, 0.9, 0.05, key="map_rate", bind="query-params")
    angle = middle.slider("Target angle shown, degrees", 0, 180, 45, 5, key="map_angle", bind="query-params")
    cell = int(np.abs(FRACTIONS - fraction).argmin()), int(np.abs(ANGLES - math.radians(angle)).argmin())
    told = cell_words(fraction, angle, found.turning[cell], found.efficiency[cell])
    with picture:
        title = map_title(found, measure)
        board([Chart(figures.map_figure(found, measure, (fraction, angle), color, title), "rate_map",
                     f"{measure.capitalize()} of full-batch descent by rate and target angle. {title}. "
                     + told.replace("*", ""))],
              "map_board", group="geometry")
    st.markdown(told + (
        " Trajectories has no mean shift: it opens the run on the unmoved inputs." if shift else ""))
    with right:
        _open(_chosen(experiment, fraction, float(angle)))


def _chosen(experiment: Experiment, fraction: float, angle: float) -> Experiment:
    """The full-batch run of a cell of the map."""
    treatment = "none" if experiment.treatment == "input_bias" else experiment.treatment
    return replace(experiment, learning_rate=round(fraction, 2), target_angle=angle, batch_size=experiment.rows,
                   optimizer="sgd", rate_unit="critical", schedule="constant", loss="squared", target="teacher",
                   bias=False, treatment=treatment)


def _open(chosen: Experiment) -> None:
    label, icon = "Open in Trajectories", ":material/timeline:"
    if not controls.in_dashboard():  # which has the other pages
        st.markdown(f"[{label}](/trajectories?{urlencode(chosen.to_query())})")
        return
    fields = {name: getattr(chosen, name) for name in DEFAULTS}
    if st.button(label, icon=icon, key="open_in_trajectories", on_click=st.session_state.update, args=(fields,)):
        st.switch_page(TRAJECTORIES, query_params={})


def draw_invariance(experiment: Experiment, shift: float) -> None:
    """The same run with one feature's sign flipped, number by number."""
    st.header("“Same sign” depends on how you count, the path does not", anchor=False)
    try:
        pairs = [measured(experiment, shift, flip) for flip in (False, True)]
    except ValueError as error:
        st.info(f"The flipped run is not possible: {error}.", icon=":material/info:")
        return
    run, flipped = moved_run(experiment, shift), moved_run(experiment, shift, True)
    mirror = np.where(np.arange(run.weights.shape[-1]) == 0, -1.0, 1.0)
    with np.errstate(all="ignore"):
        apart = np.abs(flipped.weights - run.weights * mirror)
        apart = np.nanmax(apart, initial=0.0) / max(np.nanmax(np.abs(run.weights), initial=0.0), 1e-300)
        losses = [each.losses()[0] for each in (run, flipped)]
        # what is left of rounding is no loss
        ends = [0.0 if each[-1] < 1e-20 * each[0] else float(each[-1]) for each in losses]
    (plain, curve), (other, turned) = pairs
    exactly = "exactly" if apart == 0 else f"but for rounding ({apart:.0e} of their size)"
    rows = [("Gradients with one sign", *(page.percent(each.same_sign[0]) for each in (plain, other))),
            ("Path / straight line", *(page.two_digits(each.path_ratio[0], "x") for each in (plain, other))),
            ("Steps to 1 %", *(page.count(each.steps[0]) for each in (plain, other))),
            ("κ", *(size(each.condition) for each in (curve, turned))),
            ("Loss at the end", *(f"{value:.3g}" if np.isfinite(value) else "diverged" for value in ends))]
    alike = ", though here as many gradients share one as before" if rows[0][1] == rows[0][2] else ""
    lines = (("measure", "as it is", "x₁ flipped"), ("---",) * 3, *rows)
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    st.markdown(f"{table}\n\nOne feature counted with the other sign, x₁ → −x₁: the weights walk the mirror image, "
                f"{exactly}, and no length, angle or loss changes. Only the signs do{alike}: what "
                "slows training is a mean away from zero, in whatever direction.")


def noise_of(run: Run) -> np.ndarray | None:
    """The targets' part (N,) that no weights fit, where the task is a noisy teacher; else None."""
    experiment = run.experiment
    if experiment.noise == 0 or experiment.uses_labels or not LOSSES[experiment.loss].quadratic:
        return None
    return run.targets - run.task.evaluated @ run.optimum - (run.optimum_bias or 0.0)
