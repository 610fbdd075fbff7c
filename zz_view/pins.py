"""Pinned experiments of a visit: which there are, what their runs came to, and how they differ."""
import threading
from typing import NamedTuple

import numpy as np
import streamlit as st

from zz_core import Experiment, Run
from zz_core.experiment import DEFAULTS, ignored_fields
from zz_core.planes import Plane, mean_plane, plane_of
from zz_core.specs import written
from zz_core.summary import judged_by_loss, summarize
from zz_view import runs
from zz_view.fields import label
from zz_view.figures.compare import STYLES
from zz_view.figures.trajectories import along, thinned
from zz_view.pictures import points_to_show

LETTERS = "ABCDEFGHIJKL"
KEPT_POINTS = 800  # of a path
MOST_MEASURED = 256  # experiments whose measures a server keeps, of some kilobytes each


class Pin(NamedTuple):
    """A pinned experiment; style: an index of STYLES while its path is drawn, else None."""

    letter: str
    experiment: Experiment
    style: int | None


class Drawing(NamedTuple):
    """A path on one plane: points (n, 2), the corners (2, 2) of what must be seen of it, its optimum (2,)."""

    points: np.ndarray
    box: np.ndarray
    optimum: np.ndarray | None


class Measured(NamedTuple):
    """What a run came to; steps against the distance to the optimum, and against the excess loss."""

    path_ratio: float
    same_sign: float
    steps: tuple[float, float]
    by_loss: bool  # whether only the excess loss can judge it
    final_excess: float
    steps_kept: np.ndarray  # (n,)
    losses: np.ndarray  # (n,) at these steps
    least: float  # the smallest loss there is; NaN where there is no optimum
    own: Drawing | None  # on its two weights, or on the plane of the mean beyond two; None for one weight
    mean: Drawing | None  # on the plane of the mean, in any dimension


def pinned() -> list[Pin]:
    """The visitor's pins, oldest first."""
    return st.session_state.setdefault("_pins", [])


def pin(experiment: Experiment) -> None:
    """Keep the experiment under the first free letter; drawn while there is a style left."""
    pins = pinned()
    free = [letter for letter in LETTERS if letter not in {each.letter for each in pins}]
    if free and pin_of(experiment) is None:
        pins.append(Pin(free[0], experiment, _free_style(pins)))


def pin_of(experiment: Experiment) -> Pin | None:
    return next((each for each in pinned() if each.experiment == experiment), None)


def find(letter: str) -> Pin | None:
    return next((each for each in pinned() if each.letter == letter), None)


def remove(letter: str) -> None:
    st.session_state["_pins"] = [each for each in pinned() if each.letter != letter]


def toggle_drawn(letter: str) -> None:
    """Draw a pin's path or stop drawing it; nothing where all styles are taken."""
    pins = pinned()
    st.session_state["_pins"] = [
        each if each.letter != letter else each._replace(style=_free_style(pins) if each.style is None else None)
        for each in pins]


def _free_style(pins: list[Pin]) -> int | None:
    taken = {each.style for each in pins}
    return next((style for style in range(len(STYLES)) if style not in taken), None)


def differences(experiment: Experiment, other: Experiment) -> list[tuple[str, str, str]]:
    """(label, value, the other's value) of each field that differs, and that matters to one of the two."""
    ignored = set(ignored_fields(experiment)) & set(ignored_fields(other))
    return [(label(name).lower(), _plain(getattr(experiment, name)), _plain(getattr(other, name)))
            for name in DEFAULTS if name not in ignored and getattr(experiment, name) != getattr(other, name)]


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else written(value).replace("_", " ")


@st.cache_resource(show_spinner=False)
def _kept() -> tuple[dict[Experiment, Measured], threading.Lock]:
    return {}, threading.Lock()


def measured(experiment: Experiment) -> Measured:
    """What the experiment's run came to. The run itself, which may be large, is not kept for it."""
    kept, lock = _kept()
    if (found := kept.get(experiment)) is None:
        found = _measure(runs.get(experiment))
        with lock:
            while len(kept) >= MOST_MEASURED:
                kept.pop(next(iter(kept)))
            kept[experiment] = found
    return found


def _measure(run: Run) -> Measured:
    found, by_loss = summarize(run), judged_by_loss(run.experiment)
    with_loss = found if by_loss else summarize(run, by_loss=True)
    plane, kept = run.weights.shape[-1] > 1, thinned(len(run.step_index), KEPT_POINTS)
    return Measured(float(found.path_ratio[0]), float(found.same_sign[0]),
                    (float(found.steps[0]), float(with_loss.steps[0])), by_loss, _last_excess(run),
                    run.step_index[kept], run.losses()[0, kept],
                    float("nan") if run.optimum is None else run.minimum_loss,
                    _drawing(run, plane_of(run)) if plane else None, _drawing(run, mean_plane(run)) if plane else None)


def _last_excess(run: Run) -> float:
    """NaN without an optimum; infinite for a run that has diverged."""
    if run.optimum is None:
        return float("nan")
    return float("inf") if run.diverged_at[0] >= 0 else float(run.excess_losses()[0, -1])


def _drawing(run: Run, plane: Plane) -> Drawing:
    show = points_to_show(run, plane)
    with np.errstate(invalid="ignore", over="ignore"):
        path = plane.project(run.weights[0])
        path = path[along(path, KEPT_POINTS)].astype(np.float32)
    return Drawing(path, np.array([show.min(axis=0), show.max(axis=0)]),
                   None if run.optimum is None else plane.project(run.optimum))
