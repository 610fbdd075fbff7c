"""Handles on a plane: the start and the target, where the visitor drags them, and what that sets in the sidebar.

Both lie in the plane of the mean direction and the direction across it, whatever the number of dimensions. A place is
given there, for the untreated inputs: `frame` (2, 2) takes the coordinates of the picture to it.
"""
import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import streamlit as st

from zz_core import Experiment, Run
from zz_core.experiment import BOUNDS
from zz_core.planes import Plane, plane_of
from zz_core.specs import Value
from zz_core.task import across
from zz_view import controls
from zz_view.figures.trajectories import Window
from zz_view.following import recursion

FIELDS = ("start_along", "start_across", "target_angle", "distance")
CLOSE = 1e-6
MOST_DECIMALS = 6


def on_plane(experiment: Experiment, run: Run, base: Run | None = None) -> dict | None:
    """The handles of a run's picture as the board takes them, or None where its plane does not hold the places.

    experiment: that of the sidebar; base: the run before its inputs were moved, where they were.
    """
    plane, base = plane_of(run), base or run
    frame = _frame(run, plane, base.task.treated.matrix)
    if frame is None or not _lies(run.weights[0, 0], start_of(experiment), plane, frame):
        return None
    target = target_of(experiment).tolist()
    places = [{"name": "start", "label": "Start", "at": start_of(experiment).tolist()}]
    if _target_moves(experiment, run, plane, frame):
        places.append({"name": "target", "label": "Target", "at": target})
    return {"frame": frame.tolist(), "places": places, "fields": {name: getattr(experiment, name) for name in FIELDS},
            "target": target, "count": st.session_state.get("_placed", 0),
            "run": recursion(run, plane, frame, base)}


def start_of(experiment: Experiment) -> np.ndarray:
    return np.array([experiment.start_along, experiment.start_across])


def target_of(experiment: Experiment) -> np.ndarray:
    angle = math.radians(experiment.target_angle)
    return start_of(experiment) + experiment.distance * np.array([math.cos(angle), math.sin(angle)])


def _frame(run: Run, plane: Plane, matrix: np.ndarray | None) -> np.ndarray | None:
    """(2, 2) from the picture's coordinates to those along and across the mean; None where the plane is another."""
    wanted = np.stack([run.direction, across(run.direction)])
    if not plane.exact:
        same = np.allclose(plane.axes, wanted, atol=CLOSE) and (matrix is None or bool((matrix == 1).all()))
        return np.eye(2) if same else None
    if matrix is not None:
        wanted = wanted @ (np.diag(matrix) if matrix.ndim == 1 else matrix)
    return wanted if abs(np.linalg.det(wanted)) > 1e-9 else None


def _lies(weights: np.ndarray, place: np.ndarray, plane: Plane, frame: np.ndarray) -> bool:
    """Whether these weights (D,) are in the plane, at this place of it."""
    spot, scale = plane.project(weights), 1 + np.abs(weights).max()
    return bool(np.abs(spot @ plane.axes - weights).max() <= CLOSE * scale
                and np.abs(frame @ spot - place).max() <= CLOSE * scale)


def _target_moves(experiment: Experiment, run: Run, plane: Plane, frame: np.ndarray) -> bool:
    return (not experiment.uses_labels and run.optimum is not None
            and _lies(run.optimum, target_of(experiment), plane, frame))


def words(experiment: Experiment, grips: Mapping[str, dict | None]) -> str:
    """What can be dragged in the pictures, by their names, and why not what cannot."""
    movable = {name: {place["name"] for place in grip["places"]} if grip else set() for name, grip in grips.items()}
    all_of = set().union(*movable.values())
    if not all_of:
        return ("The start and the target cannot be dragged here, since this picture shows another plane than theirs. "
                "The sidebar sets them.")
    what = "the start or the target" if "target" in all_of else "the start"
    follows = ": the run follows your hand" if any(grip and grip.get("run") for grip in grips.values()) else ""
    told = [f"Drag {what} to another place{follows}. Or click it and then the place; by keyboard, Tab to it, then the "
            "arrow keys. Escape takes the last move back."]
    if experiment.uses_labels:
        told.append("The target stays where it is: the labels decide it.")
    elif "target" not in all_of:
        told.append("The target stays where it is: the optimum of this task is not where its teacher is.")
    elif still := [name for name, places in movable.items() if "target" not in places]:
        told.append(f"The {still[0]} picture follows, since its target cannot be dragged by itself.")
    return " ".join(told)


def placing(experiment: Experiment, key: str) -> Callable[[], None]:
    """The callback of the board `key`: what was dropped on it goes to the sidebar's controls."""
    return partial(_place, experiment, key)


def _place(experiment: Experiment, key: str) -> None:
    told = st.session_state[key]["place"]
    values = _asked(experiment, told) if isinstance(told, dict) else None
    st.session_state["_placed"] = st.session_state.get("_placed", 0) + 1  # the board hears of every drop
    if values is None:
        return  # what a browser sends may be anything
    controls.put(values)
    st.session_state["_kept_windows"] = (_fields(values), told.get("windows"))


def _asked(experiment: Experiment, told: dict) -> dict[str, Value] | None:
    if "undo" in told:
        before = told["undo"]
        good = isinstance(before, dict) and set(before) == set(FIELDS) and all(map(_is_number, before.values()))
        return {name: _within(name, float(before[name])) for name in FIELDS} if good else None
    at, grain = told.get("at"), told.get("grain")
    good = told.get("name") in ("start", "target") and isinstance(at, list) and len(at) == 2 and all(
        map(_is_number, [*at, grain])) and grain > 0
    return placed(experiment, told["name"], np.array(at, float), float(grain)) if good else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def placed(experiment: Experiment, name: str, at: np.ndarray, grain: float) -> dict[str, Value]:
    """The fields that put the start or the target at `at` (2,), and leave the other one where it is.

    Rounded to what the eye can tell: `grain` is the size of a pixel. Beyond the allowed range it is the range's end.
    """
    start, target = start_of(experiment), target_of(experiment)
    if name == "start":
        start = np.array([_within(field, _rounded(value, grain))
                          for field, value in zip(FIELDS[:2], at.tolist(), strict=True)])
    else:
        target = at
    values = {"start_along": float(start[0]), "start_across": float(start[1]),
              "target_angle": experiment.target_angle, "distance": experiment.distance}
    if experiment.uses_labels:
        return values
    way = target - start
    distance = _within("distance", _rounded(float(np.hypot(*way)), grain))
    if distance == 0:  # without a way there is no direction: the old one stays
        return values | {"distance": 0.0}
    angle = _rounded(math.degrees(math.atan2(way[1], way[0])) % 360, math.degrees(grain / distance))
    return values | {"target_angle": angle % 360, "distance": distance}


def _rounded(value: float, grain: float) -> float:
    decimals = min(MOST_DECIMALS, max(0, math.ceil(-math.log10(grain))))
    return round(value, decimals) + 0.0  # no minus zero


def _within(name: str, value: float) -> float:
    low, high = BOUNDS[name]
    return min(max(value, low), high)


def _fields(values: Mapping[str, Value]) -> tuple[Value, ...]:
    return tuple(values[name] for name in FIELDS)


def kept_windows(experiment: Experiment) -> dict[str, Window]:
    """The windows of the charts in which the last drop was made: what is dropped should stay under the pointer."""
    fields, windows = st.session_state.get("_kept_windows", (None, None))
    if fields != _fields(vars(experiment)) or not isinstance(windows, dict):
        return {}
    found = {key: ends for key, ends in windows.items() if isinstance(ends, list) and len(ends) == 4
             and all(map(_is_number, ends)) and ends[0] < ends[1] and ends[2] < ends[3]}
    return {key: Window(tuple(map(float, ends[:2])), tuple(map(float, ends[2:]))) for key, ends in found.items()}
