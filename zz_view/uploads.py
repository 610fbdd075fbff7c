"""What visitors bring, to a `Recording`: the core's own formats, and Parquet and safetensors. Nothing is executed.

Refused with the core's sentences, before memory is taken for what a file only promises.
"""
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zz_core.reading import Recording, UnfitColumns, check_shape, checked_matrix, parse, sort_arrays
from zz_core.reading.checks import listed, plural, refuse_duplicates
from zz_core.reading.text import REQUESTED

if TYPE_CHECKING:
    import pyarrow

TYPES = ("npz", "npy", "csv", "tsv", "txt", "parquet", "safetensors")
UNPACKED = 8  # times the largest upload: what a file may unpack to
TENSOR_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BOOL": "?", **{
    f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)}}
PARQUET, LONGEST_HEADER = b"PAR1", 100_000_000


def parse_upload(data: bytes, name: str, most: int, leave_out: Sequence[str] = (),
                 encoding: str = "utf-8") -> Recording:
    """What the file holds; `most` bytes are the largest upload. ValueError says what was found and what to do."""
    if len(data) > most:
        raise ValueError(f"{name}: {len(data) / 2**20:.0f} MB, and {most / 2**20:.0f} are allowed: record fewer "
                         "samples or steps, or diagnose it in a shell, with python -m zz_core.diagnose")
    if data.startswith(PARQUET):
        return _parquet(data, name, UNPACKED * most, leave_out)
    if _is_safetensors(data):
        return _safetensors(data, name)
    return parse(data, name, leave_out=leave_out, encoding=encoding, limit=UNPACKED * most)


def _is_safetensors(data: bytes) -> bool:
    """Eight bytes with the length of a header, then the header, which is JSON."""
    return data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= LONGEST_HEADER


def _safetensors(data: bytes, name: str) -> Recording:
    from safetensors import SafetensorError, deserialize

    try:
        arrays = {key: _tensor(part) for key, part in deserialize(data)}
    except (SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"{name}: it cannot be read as safetensors ({str(error)[:100]}): the file is damaged, cut off "
                         "or holds another kind of numbers; save it again, as float32") from None
    if not arrays:
        raise ValueError(f"{name}: there is no array in it: save activations with safetensors.numpy.save_file")
    return sort_arrays(arrays, name)


def _tensor(part: dict) -> np.ndarray:
    if part["dtype"] == "BF16":  # the upper half of a float32, which NumPy lacks
        halves = np.frombuffer(part["data"], "<u2").astype("<u4") << 16
        return halves.view("<f4").reshape(part["shape"])
    return np.frombuffer(part["data"], TENSOR_TYPES[part["dtype"]]).reshape(part["shape"])


def _parquet(data: bytes, name: str, limit: int, leave_out: Sequence[str]) -> Recording:
    """Only columns of numbers are read, after their promised size is checked."""
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(io.BytesIO(data))
        kept = _kept(file.schema_arrow, leave_out, name)
        check_shape((file.metadata.num_rows, len(kept)), name)
        needed = 8 * file.metadata.num_rows * len(kept)
        if needed > limit:
            raise ValueError(f"{name}: its {len(data):,} bytes would unpack to {needed:,}, and {limit:,} are allowed: "
                             "keep fewer rows or columns")
        table = file.read(columns=kept).select(kept)  # reading "a" brings "a.b", too
        # not safe: a whole number beyond 2**53 is rounded, as everywhere in double precision
        values = np.column_stack([column.cast(pyarrow.float64(), safe=False).to_numpy() for column in table.columns])
    except (pyarrow.ArrowException, OSError, UnicodeError) as error:
        raise ValueError(f"{name}: it cannot be read as Parquet ({str(error).splitlines()[0][:100]}): the file is "
                         "damaged or cut off; save or upload it again") from None
    layer = Path(name).stem
    return Recording({layer: checked_matrix(values, name)}, names={layer: tuple(table.column_names)},
                     left_out=dict.fromkeys(leave_out, REQUESTED))


def _kept(schema: "pyarrow.Schema", leave_out: Sequence[str], name: str) -> list[str]:
    """The columns to be read: all that are not left out, which must be numbers."""
    from pyarrow import types

    refuse_duplicates(schema.names, name)
    fields = [field for field in schema if field.name not in leave_out]
    if schema.names and not fields:
        raise ValueError(f"{name}: all {plural(len(schema), 'column')} are left out: must keep at least one")
    others = [field for field in fields if not (types.is_integer(field.type) or types.is_floating(field.type) or
                                                types.is_boolean(field.type) or types.is_decimal(field.type))]
    if others:
        raise UnfitColumns(f"{name}: {plural(len(others), 'column')} of other things than numbers "
                           f"({listed([field.name for field in others])}; the first of type {others[0].type}): must be "
                           "numbers; leave such columns out, or write them as numbers",
                           [field.name for field in others])
    return [field.name for field in fields]
