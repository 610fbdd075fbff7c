"""A weight plane as a small SVG for paper: contours, path, start and optimum, without a plotting library."""
from html import escape
from itertools import count
from typing import NamedTuple

import numpy as np

from zz_view.figures.trajectories import RINGS, PlanePicture, along

LEFT, TOP, BOTTOM = 46, 30, 40  # around the square, in the SVG's own units
COARSER = 2  # every second grid point: on paper nobody sees the difference
MOST_POINTS = 800
INK, PALE = "#333", "#a9aeb7"


class Sheet(NamedTuple):
    """Where a picture's weights come to lie: a square of `edge` units."""

    picture: PlanePicture
    edge: int

    def placed(self, points: np.ndarray) -> np.ndarray:
        """From weights (..., 2) to the SVG's units, y downward."""
        window = self.picture.window
        scale = self.edge / (window.x[1] - window.x[0])
        return (np.asarray(points, float) - [window.x[0], window.y[1]]) * [scale, -scale] + [LEFT, TOP]


def plane_svg(picture: PlanePicture, title: str, words: str, key: str, edge: int = 300) -> str:
    """An <svg> with the title above and `words` as its description; `key` is its own among those of a document.

    The smaller the square's edge, the larger the text beside it.
    """
    sheet = Sheet(picture, edge)
    return (f'<svg viewBox="0 0 {LEFT + edge + 8} {TOP + edge + BOTTOM}" role="img" aria-label="{escape(words)}" '
            f'font-family="sans-serif" font-size="13" fill="{INK}">'
            f'<text x="{LEFT if edge > 200 else 0}" y="18" font-size="{15 if edge > 200 else 12}" font-weight="600" '
            f'fill="{picture.color}">{escape(title)}</text>'
            f'<clipPath id="{key}"><rect x="{LEFT}" y="{TOP}" width="{edge}" height="{edge}"/></clipPath>'
            f'<g clip-path="url(#{key})">{_rings(sheet)}{_path(sheet)}{_ends(sheet)}</g>{_frame(sheet)}</svg>')


def contour(x: np.ndarray, y: np.ndarray, z: np.ndarray, level: float) -> np.ndarray:
    """The line z = level on a grid, z (m, n) at y (m,) and x (n,), as pieces (k, 2, 2): marching squares.

    Linear between grid points. In a saddle's cell, where two pairings are possible, one is chosen.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        across = (level - z[:, :-1]) / (z[:, 1:] - z[:, :-1])
        up = (level - z[:-1]) / (z[1:] - z[:-1])
    rows = np.stack([x[:-1] + across * np.diff(x), np.broadcast_to(y[:, None], across.shape)], axis=-1)
    columns = np.stack([np.broadcast_to(x, up.shape), y[:-1, None] + up * np.diff(y)[:, None]], axis=-1)
    above = z > level
    cut_rows, cut_columns = above[:, 1:] != above[:, :-1], above[1:] != above[:-1]
    # the four sides of each cell, in turn: bottom, right, top, left
    sides = np.stack([rows[:-1], columns[:, 1:], rows[1:], columns[:, :-1]], axis=2).reshape(-1, 4, 2)
    cut = np.stack([cut_rows[:-1], cut_columns[:, 1:], cut_rows[1:], cut_columns[:, :-1]], axis=2).reshape(-1, 4)
    crossed = cut.sum(axis=1)
    order = np.argsort(~cut[crossed == 2], axis=1, kind="stable")[:, :2, None]
    simple = np.take_along_axis(sides[crossed == 2], order, axis=1)
    return np.concatenate([simple, sides[crossed == 4].reshape(-1, 2, 2)])


def _rings(sheet: Sheet) -> str:
    picture = sheet.picture
    x, y = picture.window.grid()
    # the square root of a quadratic loss is linear in the distance: its rings are evenly spaced
    height = np.sqrt(np.maximum(picture.excess, 0))[::COARSER, ::COARSER]
    top = float(np.nanmax(height)) or 1.0
    lines = [contour(x[::COARSER], y[::COARSER], height, top * (k + 1) / RINGS) for k in range(RINGS)]
    pieces = sheet.placed(np.concatenate(lines))
    data = "".join(f"M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}" for a, b in pieces)
    return f'<path d="{data}" fill="none" stroke="{PALE}" stroke-width="0.8"/>'


def _path(sheet: Sheet) -> str:
    picture = sheet.picture
    path = picture.paths[0][along(picture.paths[0], MOST_POINTS)]
    points = sheet.placed(path[np.isfinite(path).all(axis=-1)])
    points = points[: _first_far(points)]
    # dots show the single steps as long as they can be told apart
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.6"/>' for x, y in points) if len(points) <= 250 else ""
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (f'<polyline points="{line}" fill="none" stroke="{picture.color}" stroke-width="1.3" '
            f'stroke-linejoin="round"/><g fill="{picture.color}">{dots}</g>')


def _first_far(points: np.ndarray) -> int:
    """How many points there are before one so far away that no drawing program can place it."""
    far = np.abs(points).max(axis=-1) > 1e5
    return int(far.argmax()) + 1 if far.any() and not far[0] else len(points)


def _ends(sheet: Sheet) -> str:
    picture, middle = sheet.picture, LEFT + sheet.edge / 2
    ring = "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0"
    drawn = [_labeled(middle, sheet.placed(picture.paths[0, 0]), "start", ring, "#fff")]
    if picture.optimum is not None:
        angles = np.pi * np.arange(10) / 5
        radii = np.where(np.arange(10) % 2, 3.2, 8.0)
        star = "L".join(f"{r * np.sin(a):.1f} {-r * np.cos(a):.1f}" for r, a in zip(radii, angles, strict=True))
        drawn.append(_labeled(middle, sheet.placed(picture.optimum), "optimum", f"M{star}Z", INK))
    return "".join(drawn)


def _labeled(middle: float, point: np.ndarray, word: str, shape: str, fill: str) -> str:
    # toward the middle of the picture, so that no label is cut off
    left = point[0] > middle
    halo = 'stroke="#fff" stroke-width="3" paint-order="stroke"'
    return (f'<g transform="translate({point[0]:.1f} {point[1]:.1f})"><path d="{shape}" fill="{fill}" stroke="{INK}" '
            f'stroke-width="1.5"/><text x="{-11 if left else 11}" y="4" {halo} '
            f'text-anchor="{"end" if left else "start"}">{word}</text></g>')


def _frame(sheet: Sheet) -> str:
    picture, edge, low, most = sheet.picture, sheet.edge, TOP + sheet.edge, 5 if sheet.edge > 200 else 3
    parts = [f'<rect x="{LEFT}" y="{TOP}" width="{edge}" height="{edge}" fill="none" stroke="{INK}"/>']
    for value in ticks(*picture.window.x, most):
        x = sheet.placed([value, picture.window.y[0]])[0]
        parts.append(f'<path d="M{x:.1f} {low}v4" stroke="{INK}"/>'
                     f'<text x="{x:.1f}" y="{low + 17}" text-anchor="middle">{_number(value)}</text>')
    for value in ticks(*picture.window.y, most):
        y = sheet.placed([picture.window.x[0], value])[1]
        parts.append(f'<path d="M{LEFT} {y:.1f}h-4" stroke="{INK}"/>'
                     f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>')
    across, up = map(escape, picture.axis_titles)
    middle = TOP + edge / 2
    parts += [f'<text x="{LEFT + edge / 2}" y="{low + 34}" text-anchor="middle">{across}</text>',
              f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">{up}</text>']
    return "".join(parts)


def ticks(low: float, high: float, most: int) -> np.ndarray:
    """Round numbers in [low, high], at most `most` of them and as many as that allows."""
    smallest = int(np.floor(np.log10(high - low))) - 2
    steps = (unit * 10.0**exponent for exponent in count(smallest) for unit in (1, 2, 5))
    first, last, step = next((first, last, step) for step in steps
                             if (last := np.floor(high / step)) - (first := np.ceil(low / step)) < most)
    return step * np.arange(first, last + 1)


def _number(value: float) -> str:
    return f"{value + 0.0:.4g}".replace("-", "−")  # + 0.0: there is no minus zero
