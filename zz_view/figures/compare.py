"""Paths of several experiments on one plane, told apart by letter, symbol and color. Arrays in, dictionaries out."""
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zz_view.figures.trajectories import Window, contours, for_log_axis, window_around
from zz_view.theme import DRAWING, GREY, drawn

# Three-to-one against both backgrounds, and none that means a sign or a twin elsewhere
STYLES = (("circle", "#6C6FD8"), ("square", "#A67C00"), ("triangle-up", "#1A91A3"), ("diamond", "#C4566B"),
          ("x", "#7A8A2E"), ("star", "#A8705A"))
BEADS = 7  # symbols along a path
SPOTS = 24  # of a path, among which its letter finds its place
LETTER_SIZE = 16
CROWD = 3  # times the distance to another line counts as much as that to a letter


class Track(NamedTuple):
    """One path (n, 2) to its optimum (2,); style: an index of STYLES, or None for the run on the screen, in grey.

    box: (2, 2) lowest and highest corner of what the picture must show, which a run that leaves exceeds. losses: (n,)
    at each of the steps (n,).
    """

    letter: str
    points: np.ndarray
    box: np.ndarray
    optimum: np.ndarray | None
    style: int | None
    steps: np.ndarray
    losses: np.ndarray

    @property
    def color(self) -> str:
        return GREY if self.style is None else STYLES[self.style][1]

    @property
    def symbol(self) -> str:
        return "circle-open" if self.style is None else STYLES[self.style][0]


def shared_window(tracks: Sequence[Track]) -> Window:
    """The square that shows all tracks."""
    return window_around(*(track.box for track in tracks))


def overlay_figure(tracks: Sequence[Track], window: Window, excess: np.ndarray | None, axis_titles: tuple[str, str],
                   title: str, subtitle: str, height: int = 460) -> dict:
    """All tracks over the rings of one loss: excess (80, 80) on the window's grid, or None for no rings."""
    rings = [] if excess is None else [contours(window, excess)]
    paths = [_finite(track.points) for track in tracks]
    spots = _letter_spots(paths, [track.points[0] for track in tracks] + [t.optimum for t in tracks if t.optimum is not
                                                                          None], np.array(window))
    traces = [*rings, *(_line(track, track.points) for track in tracks), _optima(tracks)]
    for k, (track, path, spot) in enumerate(zip(tracks, paths, spots, strict=True)):
        traces += [_beads(track, _along(path, _bead_shares(k))), _letter(track, spot)]
    axes = [{"range": side, "title": {"text": name, "standoff": 6}, "constrain": "domain", "zeroline": False}
            for side, name in zip(window, axis_titles, strict=True)]
    return drawn(traces, title, height, x=axes[0], y={**axes[1], "scaleanchor": "x"}, subtitle=subtitle)


def losses_figure(tracks: Sequence[Track], what: str, title: str, subtitle: str, height: int = 460) -> dict:
    """The losses of all tracks against the step, with the same letters, symbols and colors; what is no number on a
    logarithmic axis leaves a gap."""
    curves = [np.column_stack([track.steps, for_log_axis(track.losses)]) for track in tracks]
    with np.errstate(divide="ignore"):
        placed = [_finite(np.column_stack([curve[:, 0], np.log10(curve[:, 1])])) for curve in curves]
    seen = np.concatenate([curve for curve in placed if len(curve)] or [np.zeros((1, 2))])
    spots = _letter_spots(placed, [], np.array([seen.min(axis=0), seen.max(axis=0)]).T)
    traces = [_line(track, curve) for track, curve in zip(tracks, curves, strict=True)]
    for k, (track, curve, spot) in enumerate(zip(tracks, placed, spots, strict=True)):
        if len(curve):
            beads = curve[((len(curve) - 1) * _bead_shares(k)).round().astype(int)]
            traces += [_beads(track, beads * (1, 0) + 10 ** (beads * (0, 1)) * (0, 1)),
                       _letter(track, np.array([spot[0], 10 ** spot[1]]))]
    return drawn(traces, title, height, subtitle=subtitle,
                 x={"title": {"text": "step", "standoff": 6}, "rangemode": "tozero"},
                 y={"title": {"text": what, "standoff": 6}, "type": "log", "exponentformat": "power"})


def _bead_shares(place: int) -> np.ndarray:
    """Where on its path a track has its symbols: not where the next one has, so that none hides another."""
    return (np.arange(BEADS) + (0.3 + 0.37 * place) % 1) / BEADS


def _line(track: Track, points: np.ndarray) -> dict:
    x, y = points.T
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "name": track.letter, "opacity": 0.85,
            "line": {"color": track.color, "width": 1.8}, "hovertemplate": f"{track.letter}<br>%{{x:.3g}}, %{{y:.3g}}"
                                                                           "<extra></extra>"}


def _beads(track: Track, spots: np.ndarray) -> dict:
    return _marks(track, spots, 8) | {"hoverinfo": "skip", "meta": DRAWING}


def _letter(track: Track, spot: np.ndarray) -> dict:
    return {**_marks(track, spot[None], 12), "mode": "markers+text", "text": [track.letter], "hoverinfo": "skip",
            "textposition": "middle right", "textfont": {"size": LETTER_SIZE}, "meta": DRAWING}


def _marks(track: Track, spots: np.ndarray, size: int) -> dict:
    return {"type": "scatter", "mode": "markers", "x": spots[:, 0], "y": spots[:, 1], "name": track.letter,
            "marker": {"symbol": track.symbol, "size": size, "color": track.color, "line": {"width": 2}}}


def _optima(tracks: Sequence[Track]) -> dict:
    """Where the tracks start, and a star at each optimum: one for those that share it."""
    found = [track.points[0] for track in tracks[:1]]
    for track in tracks:
        if track.optimum is not None and not any(np.allclose(track.optimum, other, atol=1e-6) for other in found[1:]):
            found.append(track.optimum)
    points = np.array(found, float)
    return {"type": "scatter", "mode": "markers", "x": points[:, 0], "y": points[:, 1], "name": "start and optimum",
            "marker": {"symbol": ["circle-open", *["star"] * (len(points) - 1)], "size": 13, "color": GREY,
                       "line": {"width": 2, "color": GREY}}, "hovertemplate": "%{x:.3g}, %{y:.3g}<extra></extra>"}


def _letter_spots(paths: Sequence[np.ndarray], taken: Sequence[np.ndarray], window: np.ndarray) -> list[np.ndarray]:
    """For each path (n, 2) the spot on it that is farthest from letters, from what is taken, and from other paths.

    Distances are shares of the window (2, 2).
    """
    low, size = window[:, 0], np.maximum(window[:, 1] - window[:, 0], 1e-12)
    scaled, taken = [(path - low) / size for path in paths], [(point - low) / size for point in taken]
    found = []
    for k, path in enumerate(scaled):
        spots = _along(path, np.linspace(0, 1, SPOTS)) if len(path) else np.zeros((1, 2))
        inside = spots[((spots >= 0) & (spots <= 1)).all(axis=1)]
        spots = inside if len(inside) else spots[:1]
        others = [other[:: max(1, len(other) // 200)] for other in scaled[:k] + scaled[k + 1 :]]
        crowd = CROWD * _nearest(spots, np.concatenate(others or [path[:0]]))
        apart = np.minimum(_nearest(spots, np.reshape(taken, (-1, 2))), crowd)
        best = spots[apart.argmax()]
        taken.append(best)
        found.append(low + best * size)
    return found


def _nearest(spots: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance (n,) of each spot to the nearest of the others; 1 where there are none."""
    if not len(others):
        return np.ones(len(spots))
    return np.linalg.norm(spots[:, None] - others, axis=-1).min(axis=1)


def _finite(points: np.ndarray) -> np.ndarray:
    return points[np.isfinite(points).all(axis=1)]


def _along(points: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The points of a path (n, 2), all finite, at these shares of its length: (len(shares), 2)."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points.astype(float), axis=0), axis=1))])
    if lengths[-1] == 0:
        return np.repeat(points[:1], len(shares), axis=0)
    return np.column_stack([np.interp(shares * lengths[-1], lengths, points[:, k]) for k in range(2)])
