"""From runs to what the figures and the player of the plane need."""
import numpy as np

from zz_core import Run
from zz_core.measures import sign_counts
from zz_core.planes import Plane, allowed_wedge, double_wedge, loss_grid, plane_of
from zz_core.prediction import why_unpredicted
from zz_view.board import arrow, outline, point
from zz_view.figures.trajectories import PlanePicture, Window, along, window_around
from zz_view.page import percent
from zz_view.runs import BAND_SEEDS, BAND_SHARE
from zz_view.theme import WEDGE

MARGIN, SMALLEST = 0.04, 0.25  # of a kept window: what its points must leave free, and what they must fill
POSITIONS = 400  # places at which the player stops
SHORTEST, LONGEST = 0.08, 0.35  # of an arrow, as shares of the window


def plane_pictures(runs: dict[str, Run], colors: dict[str, str],
                   expected: dict[str, np.ndarray] | None = None,
                   kept: dict[str, Window] | None = None) -> dict[str, PlanePicture]:
    """One picture a run, on the same axes where the runs share their optimum; expected: weights (T+1, D) by theory.

    kept: the windows of the pictures before, which stay where all of it can be seen in them.
    """
    planes = {name: plane_of(run) for name, run in runs.items()}
    points = {name: points_to_show(run, planes[name]) for name, run in runs.items()}
    shared = _same_optimum(list(runs.values()))
    seen = {name: list(points.values()) if shared else [points[name]] for name in runs}
    windows = {name: _kept((kept or {}).get(name), parts) or window_around(*parts) for name, parts in seen.items()}
    return {name: _picture(name, colors[name], run, planes[name], windows[name], (expected or {}).get(name))
            for name, run in runs.items()}


def _kept(window: Window | None, parts: list[np.ndarray]) -> Window | None:
    """The window, if it shows all these points (n, 2) with a margin, and not too small; else None."""
    if window is None:
        return None
    points, (low, high) = np.concatenate(parts), np.array(window).T
    points = points[np.isfinite(points).all(axis=-1)]
    margin = MARGIN * (high - low)
    fits = (points >= low + margin).all() and (points <= high - margin).all()
    return window if fits and (np.ptp(points, axis=0) >= SMALLEST * (high - low)).any() else None


def points_to_show(run: Run, plane: Plane) -> np.ndarray:
    """The points (n, 2) that the window must hold: of a run that leaves, only the part near start and optimum."""
    path, ends = plane.project(run.weights[0]), plane.project(np.stack([run.weights[0, 0], plane.base]))
    reach = 3 * max(np.linalg.norm(ends[1] - ends[0]), 1e-6)
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.linalg.norm(path - ends.mean(axis=0), axis=-1) < reach
    return np.concatenate([ends, path[near]])


def _same_optimum(runs: list[Run]) -> bool:
    if any(run.optimum is None for run in runs):
        return False
    return all(np.linalg.norm(run.optimum - runs[0].optimum) <= 1e-6 * np.linalg.norm(run.optimum) for run in runs)


def _picture(name: str, color: str, run: Run, plane: Plane, window: Window,
             expected: np.ndarray | None) -> PlanePicture:
    grid = loss_grid(run, plane, *window.grid())
    floor = run.minimum_loss if run.optimum is not None else grid.min()
    titles = ("w₁", "w₂") if plane.exact else ("along the mean input", "across the mean input")
    return PlanePicture(name, color, plane.project(run.weights), run.step_index,
                        plane.project(run.optimum) if run.optimum is not None else None, grid - floor, window,
                        titles, None if expected is None else plane.project(expected))


def _arrows(run: Run, plane: Plane, side: float) -> np.ndarray:
    """(T+1, 2): minus the batch's gradient on the plane, as long as the step that was taken, within readable bounds."""
    with np.errstate(all="ignore"):
        downhill = -plane.project(run.gradients()[0])
        lengths = np.linalg.norm(plane.project(run.updates()[0]), axis=-1)
        arrows = downhill / np.linalg.norm(downhill, axis=-1, keepdims=True)
    arrows *= np.clip(lengths, SHORTEST * side, LONGEST * side)[:, None]
    return np.append(arrows, [[np.nan, np.nan]], axis=0)  # no step follows the last point



def positions(run: Run) -> np.ndarray:
    """The rows of the history at which the player stops."""
    path = run.weights[0]
    return along(plane_of(run).project(path) if path.shape[1] > 2 else path, POSITIONS)


def plane_marks(run: Run, picture: PlanePicture, rows: np.ndarray) -> list[dict]:
    """What the player draws on a plane: what one sample allows, the way downhill, the present point."""
    plane, points, side = plane_of(run), picture.paths[0][rows], picture.window.x[1] - picture.window.x[0]
    marks = [arrow(points, _arrows(run, plane, side)[rows], picture.color), point(points, picture.color)]
    # a learned shift of the inputs turns the wedge at every step, so none is drawn for it
    wedge = allowed_wedge(plane.project(run.task.evaluated)) if run.input_biases is None else None
    return marks if wedge is None else [outline(points, double_wedge(wedge, 0.2 * side), WEDGE), *marks]


def step_words(runs: dict[str, Run], rows: np.ndarray) -> list[str]:
    """One sentence a row: what the step that starts there does in each run, and why. Steps count from 1."""
    last = len(next(iter(runs.values())).step_index) - 1
    starts = [f"Step {row + 1}." if row < last else f"After {last} steps." for row in rows.tolist()]
    parts = (_run_words(name, run, rows) for name, run in runs.items())
    return [" ".join(words) for words in zip(starts, *parts, strict=True)]


def _run_words(name: str, run: Run, rows: np.ndarray) -> list[str]:
    """One sentence a row, the last of which may be the run's last; columns at a time, since there are hundreds."""
    updates, capital = run.updates()[0], name.capitalize()
    steps = rows[rows < len(updates)]
    updates = updates[steps]
    up, down = (counts.tolist() for counts in sign_counts(updates))
    moving, there = (np.isfinite(values).all(axis=-1).tolist() for values in (updates, run.weights[0][rows]))
    words = [f"{capital}: {cause} {_moves(rises, falls, updates.shape[1])}." if moves else None
             for cause, rises, falls, moves in zip(_causes(run, steps), up, down, moving, strict=True)]
    words += [None] * (len(rows) - len(steps))
    return [said or f"The {name} run {'ends here' if is_there else 'has diverged'}."
            for said, is_there in zip(words, there, strict=True)]


def _causes(run: Run, steps: np.ndarray) -> list[str]:
    """What each of these steps comes from."""
    errors = run.residuals()[0][steps]
    if run.batches is None:
        return [f"all {errors.shape[1]} samples,"] * len(errors)
    if errors.shape[1] == 1:
        return [f"sample {sample}, ∂L/∂f = {error}:"
                for sample, error in zip(run.batches[0, steps, 0].tolist(), _signed(errors[:, 0]), strict=True)]
    return [f"{errors.shape[1]} samples, ∂L/∂f from {low} to {high}:"
            for low, high in zip(_signed(errors.min(axis=1)), _signed(errors.max(axis=1)), strict=True)]


def _signed(values: np.ndarray) -> list[str]:
    """Each number with its sign, all written at once."""
    return ("%+.2g " * len(values) % tuple(values.tolist())).replace("-", "−").split()


def _moves(up: int, down: int, dimensions: int) -> str:
    if up + down == 0:
        return "no weight moves"
    if down == 0 or up == 0:
        every = "both weights" if dimensions == 2 and up + down == 2 else f"all {up + down} weights that move"
        return f"{every} go {'up' if down == 0 else 'down'}"
    if dimensions == 2:
        return "one weight goes up, the other down"
    return f"{up} weights go up, {down} down"


def theory_words(runs: dict[str, Run], bands: bool) -> str:
    """What is dashed in the pictures, or why nothing is."""
    reasons = {name: why_unpredicted(run) for name, run in runs.items()}
    first = next(iter(runs.values()))
    if all(reasons.values()):
        return f"No theory is drawn, {next(iter(reasons.values()))}."
    shown = "" if not any(reasons.values()) else "".join(
        f" None is drawn for {name}, {reason}." for name, reason in reasons.items() if reason)
    if first.batches is None:
        return f"Dashed: the theory, which gives a full-batch run step by step.{shown}"
    most = f" The bands hold {percent(BAND_SHARE)} of {BAND_SEEDS} draws of the samples." if bands else ""
    return ("Dashed: what the theory expects on average over all draws of the samples. On average the weights go the "
            "way of the full batch at the same rate, and a few unlucky draws pull the expected loss above the usual "
            f"one.{most}{shown}")
