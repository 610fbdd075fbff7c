"""Small pictures of runs as SVG: paths on the rings of their loss, signs as cells, curves. Arrays in, text out."""
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zz_view.figures.signs import sign_codes
from zz_view.theme import GREY, MINUS, PLUS, ZERO

WIDTH, HEIGHT = 320, 180
EDGE = 18  # pixels around what must be seen
POINTS = 400  # more points of a line cannot be told apart at this size
RINGS = 5
FLAT = 1e-9  # a curvature below this share of the steepest is a valley without end
SIGN_COLORS = (MINUS, ZERO, PLUS)  # of the codes 0, 1, 2
NAME_SIZE = 14  # pixels, the smallest type of the dashboard
NAME_GAP = 17  # pixels between the names of two curves


class Line(NamedTuple):
    """A path or a curve (n, 2) in its own units."""

    points: np.ndarray
    color: str
    name: str = ""
    faint: bool = False


def plane_svg(paths: Sequence[Line], targets: np.ndarray, curvature: np.ndarray | None = None) -> str:
    """Paths from a ring to their targets (k, 2); curvature (2, 2): of the loss around the first target, as rings."""
    starts = np.array([path.points[0] for path in paths])
    seen = _finite(np.concatenate([starts, targets, *(path.points for path in paths if not path.faint)]))
    low, high = seen.min(axis=0), seen.max(axis=0)
    scale = min((np.array([WIDTH, HEIGHT]) - 2 * EDGE) / np.maximum(high - low, 1e-9))

    def place(points: np.ndarray) -> np.ndarray:
        return (points - (low + high) / 2) * (scale, -scale) + (WIDTH / 2, HEIGHT / 2)

    rings = "" if curvature is None else _rings(place(targets[:1])[0], curvature)
    lines = [_polyline(place(path.points), path.color, path.faint) for path in paths]
    marks = [_ring(*point) for point in np.unique(place(starts), axis=0)] + [_star(*point) for point in place(targets)]
    return _svg(rings, *lines, *marks)


def _rings(center: np.ndarray, curvature: np.ndarray) -> str:
    """Ellipses of equal loss, evenly spaced in its square root as on the pages, up to the far corner."""
    values, vectors = np.linalg.eigh(curvature)
    values = np.maximum(values, FLAT * values[-1])
    reach = np.abs(center - (WIDTH / 2, HEIGHT / 2)) + (WIDTH / 2, HEIGHT / 2)
    corners = reach * [[1, 1], [1, -1]]
    turn = -math.degrees(math.atan2(vectors[1, 0], vectors[0, 0]))  # pixels count downward
    top = math.sqrt(max(float(corner @ curvature @ corner) for corner in corners))
    radii = np.outer(np.linspace(1, 0, RINGS, endpoint=False), top / np.sqrt(values))
    ellipses = [f'<ellipse rx="{_px(x)}" ry="{_px(y)}"/>' for x, y in radii]
    return (f'<g transform="translate({_px(center[0])} {_px(center[1])}) rotate({turn:.2f})" fill="none" '
            f'stroke="{GREY}" stroke-opacity="0.5">{"".join(ellipses)}</g>')


def signs_svg(vectors: np.ndarray) -> str:
    """Signs of vectors (n, D): a column a vector, a row a component, each cell with its glyph."""
    codes = sign_codes(vectors)
    columns, rows = codes.shape
    size = min((WIDTH - 2) / columns, (HEIGHT - 2) / rows)
    left, top = (WIDTH - size * columns) / 2, (HEIGHT - size * rows) / 2
    cells, glyphs = [[], [], []], []
    for column, row in np.ndindex(columns, rows):
        x, y, code = left + size * column, top + size * row, int(codes[column, row])
        cells[code].append(f"M{_px(x)} {_px(y)}h{_px(size - 1)}v{_px(size - 1)}h{_px(1 - size)}z")
        glyphs.append(_glyph(x + (size - 1) / 2, y + (size - 1) / 2, min(5.0, size / 4), code))
    filled = [f'<path fill="{color}" d="{"".join(squares)}"/>'
              for color, squares in zip(SIGN_COLORS, cells, strict=True) if squares]
    return _svg(*filled, f'<path stroke="#fff" stroke-width="2" fill="none" d="{"".join(glyphs)}"/>')


def _glyph(x: float, y: float, reach: float, code: int) -> str:
    """−, 0 or + as strokes: a letter would need a font size of its own."""
    if code == 1:
        return (f"M{_px(x - reach)} {_px(y)}a{_px(reach)} {_px(reach)} 0 1 0 {_px(2 * reach)} 0"
                f"a{_px(reach)} {_px(reach)} 0 1 0 {_px(-2 * reach)} 0")
    across = f"M{_px(x - reach)} {_px(y)}h{_px(2 * reach)}"
    return across if code == 0 else f"{across}M{_px(x)} {_px(y - reach)}v{_px(2 * reach)}"


def curves_svg(curves: Sequence[Line], log: bool = True) -> str:
    """Curves over common axes, each with its name; log: on a logarithmic vertical axis, where zeros are gaps."""
    drawn = [curve._replace(points=_drawable(curve.points, log)) for curve in curves]
    everything = _finite(np.concatenate([curve.points for curve in drawn]))
    low, high = everything.min(axis=0), everything.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    room = (WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE)

    def place(points: np.ndarray) -> np.ndarray:
        share = (points - low) / span
        return np.column_stack([EDGE + share[:, 0] * room[0], HEIGHT - EDGE - share[:, 1] * room[1]])

    placed = [place(curve.points) for curve in drawn]
    axes = f'<path d="M{EDGE} {EDGE / 2}V{HEIGHT - EDGE / 2}H{WIDTH - EDGE}" fill="none" stroke="{GREY}"/>'
    lines = [_polyline(points, curve.color, False) for points, curve in zip(placed, drawn, strict=True)]
    return _svg(axes, *lines, *_names([curve.name for curve in drawn], placed))


def _drawable(points: np.ndarray, log: bool) -> np.ndarray:
    points = np.asarray(points, float)
    if not log:
        return points
    with np.errstate(divide="ignore", invalid="ignore"):
        height = np.log10(np.where(points[:, 1] > 1e-10 * points[0, 1], points[:, 1], np.nan))
    return np.column_stack([points[:, 0], height])


def _names(names: Sequence[str], placed: Sequence[np.ndarray]) -> list[str]:
    """Each curve's name above or below it, where it is farthest from all curves and from the other names."""
    taken = np.concatenate([_finite(points)[:: max(1, len(points) // 60)] for points in placed])
    found = []
    for name, points in zip(names, placed, strict=True):
        half = 0.27 * NAME_SIZE * len(name)
        on = _finite(points)
        on = on[np.linspace(0, len(on) - 1, 24).astype(int)]
        spots = np.concatenate([on + (0, shift) for shift in (-NAME_GAP, NAME_GAP)])
        spots = np.clip(spots, (EDGE + half + 4, NAME_SIZE), (WIDTH - EDGE - half, HEIGHT - EDGE - NAME_SIZE / 2))
        apart = np.abs(spots[:, None] - taken) / (half + 6, NAME_SIZE)
        # a name belongs to its own curve: what lies nearer to another is worse
        own = np.abs(spots[:, None] - on).max(axis=2).min(axis=1)
        best = spots[np.argmax(apart.max(axis=2).min(axis=1) - 0.02 * own)]
        taken = np.concatenate([taken, best + [(-half, 0), (0, 0), (half, 0)]])
        found.append(f'<text x="{_px(best[0])}" y="{_px(best[1])}" text-anchor="middle" dominant-baseline="central" '
                     f'font-size="{NAME_SIZE}" fill="currentColor" class="halo">{name}</text>')
    return found


def _finite(points: np.ndarray) -> np.ndarray:
    return points[np.isfinite(points).all(axis=1)]


def _polyline(points: np.ndarray, color: str, faint: bool) -> str:
    """A line through the points (n, 2) that are finite and near the picture."""
    points = points[(np.abs(points) < 10 * WIDTH).all(axis=1)]  # NaN is not
    kept = np.unique(np.linspace(0, len(points) - 1, min(len(points), POINTS)).round().astype(int))
    text = " ".join(f"{_px(x)},{_px(y)}" for x, y in points[kept])
    look = 'stroke-width="1.2" stroke-opacity="0.35"' if faint else 'stroke-width="1.8"'
    return f'<polyline points="{text}" fill="none" stroke="{color}" {look} stroke-linejoin="round"/>'


def _ring(x: float, y: float) -> str:
    return f'<circle cx="{_px(x)}" cy="{_px(y)}" r="5" fill="none" stroke="currentColor" stroke-width="2"/>'


def _star(x: float, y: float) -> str:
    angles = np.pi * np.arange(10) / 5
    size = np.where(np.arange(10) % 2, 3.4, 8.0)
    corners = " ".join(f"{_px(x + r * math.sin(a))},{_px(y - r * math.cos(a))}"
                       for r, a in zip(size, angles, strict=True))
    return f'<polygon points="{corners}" fill="currentColor"/>'


def _px(value: float) -> str:
    """A number of pixels, as short as it can be."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _svg(*parts: str) -> str:
    return (f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true" focusable="false" '
            f'preserveAspectRatio="xMidYMid slice">{"".join(parts)}</svg>')
