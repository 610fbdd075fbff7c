"""What a table must be before it can be diagnosed, each refusal a sentence: what was found, and what to do."""
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

MOST_COLUMNS = 4096  # the eigenvalues of more take minutes and gigabytes
BLOCK_VALUES = 2**17  # of rows looked at together: 1 MiB in double precision stays in the cache
BLOCK_ROWS = 1024  # of wide matrices, whose products need that many to be fast
LARGEST = 1e100  # squares of more, summed up, leave the range of double precision
LISTED = 5  # names that a sentence lists


class UnfitColumns(ValueError):
    """Some columns cannot be used; without `columns` the table might do."""

    def __init__(self, message: str, columns: Sequence[str]):
        super().__init__(message)
        self.columns = tuple(columns)


def listed(names: Sequence[str]) -> str:
    """Names in a sentence, the first few of many."""
    shown = ", ".join(repr(str(name)) for name in names[:LISTED])
    return shown if len(names) <= LISTED else f"{shown} and {len(names) - LISTED:,} more"


def plural(count: int, what: str) -> str:
    return f"{count:,} {what}" + "s" * (count != 1)


def row_blocks(values: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, block of rows) of a matrix: a file mapped into memory is read piece by piece."""
    columns = max(values.shape[1], 1)
    size = max(BLOCK_VALUES // columns, min(columns, BLOCK_ROWS))
    for start in range(0, len(values), size):
        yield start, values[start : start + size]


def checked_matrix(values: object, what: str = "activations") -> np.ndarray:
    """`values` as a matrix (samples, features) of real numbers, uncopied where it is one.

    Not looked at are the numbers themselves: see `refuse_gaps`.
    """
    array = values if isinstance(values, np.ndarray) else _as_array(values, what)
    if array.dtype.names:
        raise ValueError(f"{what}: the array has named fields ({listed(array.dtype.names)}): must be plain numbers; "
                         "numpy.lib.recfunctions.structured_to_unstructured turns fields into columns")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{what}: holds values of type {array.dtype}: must be real numbers")
    if array.ndim != 2:
        raise ValueError(f"{what} of shape {array.shape}: must be (samples, features)" + _reshape_advice(array.shape))
    check_shape(array.shape, what)
    return array


def check_shape(shape: tuple[int, int], what: str = "activations") -> None:
    """ValueError where so many (rows, columns) cannot be diagnosed."""
    rows, columns = shape
    if columns < 1 or rows < 1:
        raise ValueError(f"{what} of shape {shape}: must have at least 2 samples and 1 feature; there is nothing "
                         "in it")
    if rows == 1:
        raise ValueError(f"{what} of shape {shape}: must have at least 2 rows, one a sample, since one row has "
                         "no spread; record more samples" + (", or transpose it" if columns > 1 else ""))
    if columns > MOST_COLUMNS:
        raise ValueError(f"{what} of shape {shape}: must have at most {MOST_COLUMNS:,} columns; keep some of "
                         f"them, for example a random choice of {MOST_COLUMNS:,}" +
                         (", or transpose it if its rows are the features" if rows <= MOST_COLUMNS else ""))


def _as_array(values: object, what: str) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError:  # rows of different lengths
        raise ValueError(f"{what}: the rows have different lengths: must be (samples, features)") from None


def _reshape_advice(shape: tuple[int, ...]) -> str:
    if len(shape) == 1:
        return "; a single feature is values.reshape(-1, 1)"
    if len(shape) > 2:
        return (f"; for a dense layer applied at every position use values.reshape(-1, {shape[-1]}), for a convolution "
                "the patches that it multiplies with its weights (examples/recorder_pytorch.py does)")
    return ""


def checked_names(names: Sequence[str] | None, columns: int, what: str = "activations") -> tuple[str, ...]:
    """The columns' names, made up where there are none; no two alike."""
    if names is None:
        return tuple(f"x{k + 1}" for k in range(columns))
    names = tuple(str(name) for name in names)
    if len(names) != columns:
        raise ValueError(f"{what}: there are {plural(len(names), 'name')} for {plural(columns, 'column')}: must be one "
                         "for each")
    refuse_duplicates(names, what)
    return names


def refuse_duplicates(names: Sequence[str], what: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{what}: {plural(len(twice), 'name')} of columns occur more than once ({listed(twice)}), so "
                         "that it is not clear which is meant: rename them in the header")


def refuse_gaps(values: np.ndarray, names: Sequence[str], what: str = "activations") -> None:
    """ValueError where a value is not finite (missing or infinite) or too large to be squared."""
    missing, infinite, large = (np.zeros(values.shape[1], int) for _ in range(3))
    first: tuple[int, int] | None = None
    for start, block in row_blocks(values):
        with np.errstate(invalid="ignore"):
            bad = ~(np.abs(block) <= LARGEST)  # NaN compares as false
        if bad.any():
            missing += np.isnan(block).sum(axis=0)
            infinite += np.isinf(block).sum(axis=0)
            large += (bad & np.isfinite(block)).sum(axis=0)
            if first is None:
                row, column = np.argwhere(bad)[0]
                first = start + int(row), int(column)
    if first is None:
        return
    counts = [f"{plural(int(count.sum()), kind + ' value')} in {plural(int((count > 0).sum()), 'column')}"
              for count, kind in ((missing, "missing"), (infinite, "infinite"), (large, "huge")) if count.any()]
    unfit = [names[k] for k in np.flatnonzero(missing + infinite + large)]
    advice = ("divide the columns by their scale" if large.any() and not (missing.any() or infinite.any()) else
              "fill them in or leave those rows or columns out")
    raise UnfitColumns(f"{what}: {' and '.join(counts)} ({listed(unfit)}; the first in row {first[0] + 1:,}, column "
                       f"{names[first[1]]!r}): must be finite numbers of at most {LARGEST:g}; {advice}", unfit)


def checked_targets(targets: object, rows: int, what: str = "targets") -> np.ndarray:
    """Targets as (rows,) numbers that are finite and not all the same."""
    array = np.asarray(targets)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{what}: hold values of type {array.dtype}: must be numbers, for classes for example 1 for "
                         "one of them and 0 for the others")
    if array.shape != (rows,):
        raise ValueError(f"{what} of shape {array.shape}: must be ({rows},), one number a sample")
    array = array.astype(float)
    if not (np.abs(array) <= LARGEST).all():
        raise ValueError(f"{what}: {plural(int((~(np.abs(array) <= LARGEST)).sum()), 'value')} missing, infinite or "
                         "huge: must be finite numbers; leave these samples out")
    if np.ptp(array) <= 1e-12 * np.abs(array).max():
        raise ValueError(f"{what}: all equal {array[0]:g}: must differ, or there is nothing to learn")
    return array
