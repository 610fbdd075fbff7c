"""What a network is trained on: real data and two-dimensional classics, split, treated and shifted."""
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from zz_core.datasets import REAL, load
from zz_core.treatments import TREATMENTS

HELD_OUT = 0.25  # share of the rows that is held out
MAX_CLASSES = 256  # of given data
SPREAD = 0.1  # standard deviation of the noise on the two-dimensional classics

Points = tuple[np.ndarray, np.ndarray]  # (N, 2) and labels (N,)


class Source(NamedTuple):
    """A data set: `draw` makes its inputs (N, D) and labels (N,) from 0 on; fixed_rows is None for generated data."""

    label: str
    draw: Callable[[int, np.random.Generator], Points]
    inputs: int = 2
    classes: int = 2
    fixed_rows: int | None = None

    def rows(self, samples: int) -> int:
        return self.fixed_rows or samples


class NetworkData(NamedTuple):
    """Treated rows; labels are whole numbers, the targets of a regression are floats."""

    inputs: np.ndarray  # (N, D)
    targets: np.ndarray  # (N,)
    test_inputs: np.ndarray  # (M, D)
    test_targets: np.ndarray  # (M,)
    outputs: int  # the number of classes, 1 for a regression


def _real(name: str) -> Source:
    def draw(samples: int, rng: np.random.Generator) -> Points:
        values, labels = load(name)
        largest = values.max(axis=0)
        return values / np.where(largest == 0, 1.0, largest), labels  # in [0, 1]; a few pixels are always dark

    found = REAL[name]
    return Source(found.label, draw, found.columns, found.classes, found.rows)


def _spirals(samples: int, rng: np.random.Generator) -> Points:
    labels = np.arange(samples) % 2
    radius = np.sqrt(rng.random(samples))
    angle = 3 * np.pi * radius + np.pi * labels
    return _noisy(2 * radius * np.cos(angle), 2 * radius * np.sin(angle), rng), labels


def _moons(samples: int, rng: np.random.Generator) -> Points:
    labels = np.arange(samples) % 2
    angle = np.pi * rng.random(samples)
    return _noisy(np.where(labels, 1 - np.cos(angle), np.cos(angle)) - 0.5,
                  np.where(labels, 0.5 - np.sin(angle), np.sin(angle)) - 0.25, rng), labels


def _circles(samples: int, rng: np.random.Generator) -> Points:
    labels = np.arange(samples) % 2
    angle, radius = 2 * np.pi * rng.random(samples), np.where(labels, 0.5, 1.5)
    return _noisy(radius * np.cos(angle), radius * np.sin(angle), rng), labels


def _xor(samples: int, rng: np.random.Generator) -> Points:
    points = rng.uniform(-1, 1, (samples, 2))
    return points, (points[:, 0] * points[:, 1] < 0).astype(np.int64)


def _blobs(samples: int, rng: np.random.Generator) -> Points:
    labels = np.arange(samples) % 2
    points = rng.normal(0, 0.5, (samples, 2))
    return points + np.where(labels[:, None], 1.0, -1.0), labels


def _noisy(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.stack([x, y], axis=1) + rng.normal(0, SPREAD, (len(x), 2))


SOURCES: dict[str, Source] = {
    **{name: _real(name) for name in REAL},
    "spirals": Source("Two spirals", _spirals),
    "moons": Source("Two moons", _moons),
    "circles": Source("Circle in a ring", _circles),
    "xor": Source("Exclusive or", _xor),
    "blobs": Source("Two blobs", _blobs),
}


def training_rows(rows: int) -> int:
    """How many of `rows` are trained on; at least one is held out."""
    return rows - max(1, round(HELD_OUT * rows))


def build_data(name: str, samples: int, treatment: str, shift: float, data_seed: int,
               given: tuple[np.ndarray, np.ndarray] | None = None) -> NetworkData:
    """Draw the data (or take those `given`), hold out a random quarter, treat and shift all by the training rows.

    given: inputs (N, D) and targets (N,), labels 0, 1, ... of an integer type or the real targets of a regression.
    """
    rng = np.random.default_rng(data_seed)
    inputs, targets = SOURCES[name].draw(samples, rng) if given is None else _checked(*given)
    order = rng.permutation(len(inputs))
    training, held_out = np.split(order, [training_rows(len(inputs))])
    treated = TREATMENTS[treatment].apply(inputs[training])
    offset = shift * treated.inputs.std(axis=0)
    test = (inputs[held_out] - treated.shift) * treated.matrix + offset
    labeled = np.issubdtype(targets.dtype, np.integer)
    outputs = SOURCES[name].classes if given is None else int(targets.max()) + 1 if labeled else 1
    return NetworkData(treated.inputs + offset, targets[training], test, targets[held_out], outputs)


def _checked(inputs: np.ndarray, targets: np.ndarray) -> Points:
    inputs, targets = np.asarray(inputs, float), np.asarray(targets)
    if inputs.ndim != 2 or len(inputs) < 2 or targets.shape != inputs.shape[:1]:
        raise ValueError(f"data: must be inputs (N, D) and targets (N,) with N >= 2, "
                         f"not {inputs.shape} and {targets.shape}")
    if not (np.isfinite(inputs).all() and np.isfinite(targets).all()):
        raise ValueError("data: must be finite numbers")
    if np.issubdtype(targets.dtype, np.integer):
        if targets.min() < 0 or not 1 <= targets.max() < MAX_CLASSES:
            raise ValueError(f"data: labels must be whole numbers from 0 on, of 2 to {MAX_CLASSES} classes")
        return inputs, targets.astype(np.int64)
    return inputs, targets.astype(float)
