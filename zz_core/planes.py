"""The plane on which a path is drawn: the weights themselves in two dimensions, a projection beyond."""
from typing import NamedTuple

import numpy as np

from zz_core.losses import LOSSES
from zz_core.simulation import Run
from zz_core.task import across


class Plane(NamedTuple):
    """axes (2, D), orthonormal; base (D,) the point of weight space through which the plane is laid.

    exact says that nothing is lost: two weights, drawn as they are.
    """

    axes: np.ndarray
    base: np.ndarray
    exact: bool

    def project(self, points: np.ndarray) -> np.ndarray:
        """Coordinates (..., 2) of weights (..., D)."""
        return points @ self.axes.T


def plane_of(run: Run) -> Plane:
    """The two weights, or the plane of the mean direction and the start error's part orthogonal to it."""
    if run.weights.shape[-1] == 2:
        return Plane(np.eye(2), _base(run), exact=True)
    return mean_plane(run)


def _base(run: Run) -> np.ndarray:
    return run.optimum if run.optimum is not None else last_finite(run.weights[0])


def mean_plane(run: Run) -> Plane:
    """The plane of the mean direction and the start error's part orthogonal to it: what runs of different dimensions
    can share. Needs two dimensions or more."""
    base = _base(run)
    error = base - run.weights[0, 0]
    rest = error - (error @ run.direction) * run.direction
    length = np.linalg.norm(rest)
    aside = across(run.direction)
    second = rest / length if length > 1e-9 * max(np.linalg.norm(error), 1e-300) else aside
    if second @ aside < 0:  # always the same side up: a target that crosses the mean direction crosses the picture
        second = -second
    return Plane(np.stack([run.direction, second]), base, exact=False)


def last_finite(path: np.ndarray) -> np.ndarray:
    """The last point (D,) of a path (T+1, D) before it diverged."""
    return path[np.isfinite(path).all(axis=-1)][-1]


def loss_grid(run: Run, plane: Plane, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean loss of the data set on the plane at coordinates x (n,) and y (m,), as (m, n).

    The other directions, and a learned offset, stay where the plane's base has them: contours in a projection are a
    slice through the optimum, and a path does not stay on it.
    """
    inputs, loss = run.task.evaluated, LOSSES[run.experiment.loss]
    offset = run.optimum_bias if run.optimum_bias is not None else float(run.offsets()[0, -1])
    origin = plane.project(plane.base)
    outputs = inputs @ plane.base + (offset if np.isfinite(offset) else 0.0)
    first, second = inputs @ plane.axes.T[:, 0], inputs @ plane.axes.T[:, 1]
    if loss.quadratic:  # a polynomial of degree two: six means instead of a value per sample and cell
        residual, a, b = outputs - run.targets, (x - origin[0])[None, :], (y - origin[1])[:, None]
        return 0.5 * (np.mean(residual**2) + a * a * np.mean(first**2) + b * b * np.mean(second**2)
                      + 2 * a * b * np.mean(first * second) + 2 * a * np.mean(residual * first)
                      + 2 * b * np.mean(residual * second))
    grid = np.empty((len(y), len(x)))
    for row, height in enumerate(y - origin[1]):
        along = outputs + height * second
        grid[row] = loss.value(along + np.multiply.outer(x - origin[0], first), run.targets).mean(axis=-1)
    return grid


def allowed_wedge(directions: np.ndarray, widest_gap: float = np.deg2rad(15)) -> tuple[float, float] | None:
    """The angles (from, to), radians, of the smallest double wedge that holds the lines along `directions` (N, 2).

    One sample moves the weights along plus or minus its own inputs, so this is all that one step can do. None where
    the lines leave no gap wider than `widest_gap`: then single samples can move the weights any way.
    """
    lengths = np.linalg.norm(directions, axis=-1)
    lines = directions[lengths > 1e-9 * lengths.max(initial=0.0)]
    if not len(lines):
        return None
    angles = np.sort(np.arctan2(lines[:, 1], lines[:, 0]) % np.pi)
    gaps = np.diff(angles, append=angles[0] + np.pi)
    widest = int(gaps.argmax())
    if gaps[widest] <= widest_gap:
        return None
    start = angles[(widest + 1) % len(angles)]
    return float(start), float(start + np.pi - gaps[widest])


def double_wedge(wedge: tuple[float, float], radius: float) -> np.ndarray:
    """The outline (n, 2), closed, of a wedge of directions about the origin and of its opposite."""
    angles = np.linspace(*wedge, 9)
    rim, corner = radius * np.column_stack([np.cos(angles), np.sin(angles)]), np.zeros((1, 2))
    return np.concatenate([corner, rim, corner, -rim, corner])
