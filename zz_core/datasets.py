"""The real data sets: small classics, shipped in zz_core/data (SOURCES.md there says where they come from)."""
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

FOLDER = Path(__file__).parent / "data"


class DataSet(NamedTuple):
    """What is known of a data set before its file is read."""

    label: str
    rows: int
    columns: int
    classes: int  # labels run from 0; the first class is digit 0, malignant, cultivar 1
    varying: int  # columns that are not the same in every row


REAL: dict[str, DataSet] = {
    "digits": DataSet("Handwritten digits", rows=1797, columns=64, classes=10, varying=61),
    "breast_cancer": DataSet("Breast cancer", rows=569, columns=30, classes=2, varying=30),
    "wine": DataSet("Wine", rows=178, columns=13, classes=3, varying=13),
}


@lru_cache
def load(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The raw values (N, columns) float64 and the labels (N,) int64; both read-only, for all callers share them."""
    with np.load(_path(name)) as file:
        values = np.ascontiguousarray(file["values"], dtype=np.float64)
        labels = file["labels"].astype(np.int64)
    values.flags.writeable = labels.flags.writeable = False
    return values, labels


@lru_cache
def feature_names(name: str) -> tuple[str, ...]:
    """The name of each column, in the order of `load`; `varying_columns` picks those that `scaled` uses."""
    with np.load(_path(name)) as file:
        return tuple(file["names"].tolist())


@lru_cache
def varying_columns(name: str) -> tuple[int, ...]:
    """The indices of the columns that are not the same in every row."""
    return tuple(np.flatnonzero(np.ptp(load(name)[0], axis=0)).tolist())


def scaled(name: str, dimensions: int) -> np.ndarray:
    """The first `dimensions` columns that vary, each divided by its maximum over all rows: (N, dimensions) in [0, 1].

    Raises ValueError when fewer columns vary.
    """
    columns = varying_columns(name)
    if not 1 <= dimensions <= len(columns):
        raise ValueError(f"dimensions={dimensions!r}: must lie in [1, {len(columns)}], the columns of {name} that vary")
    values = load(name)[0][:, columns[:dimensions]]
    return values / values.max(axis=0)  # never 0/0: no value is negative, so a column that varies has a maximum above 0


def _path(name: str) -> Path:
    if name not in REAL:
        raise ValueError(f"inputs={name!r}: must be one of {', '.join(REAL)}")
    return FOLDER / f"{name}.npz"
