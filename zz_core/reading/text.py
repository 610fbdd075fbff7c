"""Tables of numbers as text: CSV and its cousins with semicolons, tabs or blanks."""
import csv
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple, NoReturn

import numpy as np

from zz_core.reading.checks import MOST_COLUMNS, UnfitColumns, listed, plural, refuse_duplicates

DELIMITERS = "\t;,"
MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}
REQUESTED = "left out on request"
MOST_CHARACTERS = 2**17  # of one cell
PIECE_CELLS = 2**13  # take NumPy's parser 1 to 3 ms: less than Python lets a thread work on when others wait
MOST_CELLS = 10 * MOST_COLUMNS  # of the first line; some may be text to be left out


class UnknownEncoding(ValueError):
    """The bytes are no text in the encoding that was expected; another one may do."""


class Table(NamedTuple):
    """A table as read: values (N, D), the columns' names, and the columns left out with the reason."""

    values: np.ndarray
    names: tuple[str, ...]
    left_out: dict[str, str]


class Layout(NamedTuple):
    """How a text is cut into cells, and which of its columns are wanted."""

    delimiter: str
    header: bool
    names: tuple[str, ...]
    kept: tuple[int, ...]


def parse_table(data: bytes, what: str, encoding: str = "utf-8", leave_out: Sequence[str] = ()) -> Table:
    """The table in `data`, without the columns `leave_out`.

    The first line is a header where one of its cells is no number; else columns are named x1, x2, ... Raises
    UnfitColumns where columns hold text or missing values, ValueError for everything else that is no table.
    """
    text = _decoded(data, what, encoding)
    layout = _layout(text, what, leave_out)
    values = _fast(text, layout)
    if values is None:
        _refuse(text, layout, what)
    names, left_out = [layout.names[k] for k in layout.kept], dict.fromkeys(leave_out, REQUESTED)
    if names[0] == "" and len(names) > 1 and np.array_equal(np.diff(values[:, 0]), np.ones(len(values) - 1)):
        values, names = values[:, 1:], names[1:]
        left_out["the first column"] = "it has no name and only counts the rows"
    return Table(values, tuple(name or f"x{k + 1}" for k, name in enumerate(names)), left_out)


def _decoded(data: bytes, what: str, encoding: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # what spreadsheets call Unicode text
        encoding = "utf-16"
    try:
        text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except (UnicodeError, LookupError) as error:
        place = getattr(error, "start", 0)
        raise UnknownEncoding(f"{what}: its bytes are not {encoding.upper()} text (the first that is not, 0x"
                              f"{data[place : place + 1].hex()}, in line {data[:place].count(10) + 1:,}): save it as "
                              "UTF-8, which spreadsheets call \"CSV UTF-8\", or say in which encoding it is, for "
                              "example latin-1") from None
    if "\0" in text:
        raise ValueError(f"{what}: this is no text, and no kind of file that is known here: save a table as CSV, "
                         "arrays with numpy.save or numpy.savez")
    return text


def _layout(text: str, what: str, leave_out: Sequence[str]) -> Layout:
    first = _first_record(text)
    delimiter = max(DELIMITERS, key=first.count) if any(map(first.count, DELIMITERS)) else " "
    if first.count(delimiter) > MOST_CELLS:  # before each becomes an object
        raise ValueError(f"{what}: about {first.count(delimiter):,} cells in the first line: must be at most "
                         f"{MOST_COLUMNS:,} columns; keep some of them, or transpose the table")
    _, cells = next(_rows(io.StringIO(text), delimiter, what), (0, []))
    if not cells:
        raise ValueError(f"{what}: there is nothing in it: must be a table with a row for each sample and a column for "
                         "each feature")
    header = not all(_is_number(cell) or _is_missing(cell) for cell in cells)
    names = tuple(cell.strip() if header else f"x{k + 1}" for k, cell in enumerate(cells))
    refuse_duplicates(names, what)
    unknown = [name for name in leave_out if name not in names]
    if unknown:
        raise ValueError(f"{what}: there is no column {listed(unknown)}: must be one of {listed(names)}")
    kept = tuple(k for k, name in enumerate(names) if name not in leave_out)
    if not kept:
        raise ValueError(f"{what}: {'its only column is' if len(names) == 1 else f'all {len(names)} columns are'} left "
                         "out: must keep at least one")
    return Layout(delimiter, header, names, kept)


def _first_record(text: str) -> str:
    """The first line that is not blank, and more where a quoted name holds a line break."""
    record = ""
    for line in io.StringIO(text):
        record += line
        if record.strip() and record.count('"') % 2 == 0 or len(record) > MOST_CHARACTERS:
            break
    return record if record.strip() else ""


def _rows(lines: io.StringIO, delimiter: str, what: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of each line that is not blank."""
    csv.field_size_limit(MOST_CHARACTERS)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row) or len(row) > 1:
                yield reader.line_num, [cell for cell in row if cell] if delimiter == " " else row
    except csv.Error as error:
        raise ValueError(f"{what}, line {reader.line_num:,}: {error}: must be a table with one line a sample") from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # Python's own spelling of large numbers


def _is_missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def _fast(text: str, layout: Layout) -> np.ndarray | None:
    """The numbers (N, kept), by NumPy's parser; None where something is no number or a line has another length."""
    lines, some = io.StringIO(text), len(layout.kept) < len(layout.names)
    if layout.header:
        next(_rows(lines, layout.delimiter, ""))
    if some and any(len(row) != len(layout.names) for _, row in _rows(io.StringIO(text), layout.delimiter, "")):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there are no rows
            parts = [part for part in _parsed(lines, layout, some) if len(part)]
    except ValueError:
        return None
    if not parts or any(part.shape[1] != len(layout.kept) for part in parts):
        return None
    return np.concatenate(parts)


def _parsed(lines: io.StringIO, layout: Layout, some: bool) -> Iterator[np.ndarray]:
    """Piece by piece: NumPy's parser lets no other thread work while it is at one, and a server has other visitors."""
    rows = max(PIECE_CELLS // len(layout.names), 1)
    while True:
        part = np.loadtxt(lines, delimiter=None if layout.delimiter == " " else layout.delimiter, comments=None,
                          quotechar='"', ndmin=2, usecols=layout.kept if some else None, max_rows=rows)
        yield part
        if len(part) < rows:
            return


def _refuse(text: str, layout: Layout, what: str) -> NoReturn:
    """Say what kept NumPy from reading it, cell by cell."""
    missing, texts = ([0] * len(layout.names) for _ in range(2))
    example: tuple[str, int, int] | None = None  # the first text: cell, line, column
    count = 0
    for line, row in _rows(io.StringIO(text), layout.delimiter, what):
        count += 1
        if len(row) != len(layout.names):
            raise ValueError(f"{what}, line {line:,}: {plural(len(row), 'cell')}, and the first line has "
                             f"{len(layout.names):,}: must be a table with as many cells in every line")
        if count == 1 and layout.header:
            continue
        for k in layout.kept:
            if _is_missing(row[k]):
                missing[k] += 1
            elif not _is_number(row[k]):
                texts[k] += 1
                example = example or (row[k].strip(), line, k)
    if count == layout.header:
        raise ValueError(f"{what}: there is a header and nothing under it: must have a row for each sample")
    if example:
        cell, line, column = example
        raise UnfitColumns(text_sentence(what, [name for name, found in zip(layout.names, texts, strict=True) if found],
                                         cell, f"line {line:,}, column {layout.names[column]!r}"),
                           [name for name, found in zip(layout.names, texts, strict=True) if found])
    gaps = [name for name, found in zip(layout.names, missing, strict=True) if found]
    if gaps:
        raise UnfitColumns(missing_sentence(what, gaps, sum(missing)), gaps)
    raise ValueError(f"{what}: NumPy cannot read it as a table of numbers: must hold numbers such as 1.5 or 2e-3, "
                     "separated by commas, semicolons, tabs or blanks")


def text_sentence(what: str, columns: Sequence[str], cell: str, place: str) -> str:
    """That columns hold something else than numbers; `cell` is the first."""
    comma = " (a decimal comma? numbers need a decimal point)" if re.fullmatch(r"[-+]?\d+,\d+", cell) else ""
    hold = "holds" if len(columns) == 1 else "hold"
    return (f"{what}: {plural(len(columns), 'column')} {hold} text ({listed(columns)}; the first, {cell[:40]!r}, in "
            f"{place}){comma}: must be numbers; leave such columns out, or write them as numbers")


def missing_sentence(what: str, columns: Sequence[str], count: int) -> str:
    """That columns have gaps."""
    return (f"{what}: {plural(count, 'missing value')} in {plural(len(columns), 'column')} ({listed(columns)}): must "
            "be finite numbers; fill them in or leave those rows or columns out")
