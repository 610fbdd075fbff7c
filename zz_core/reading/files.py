"""A file to a `Recording`, by what its first bytes say it is."""
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from zz_core.reading.arrays import MAGIC, read_npy, read_npz
from zz_core.reading.checks import checked_matrix, listed
from zz_core.reading.recording import Recording, sort_arrays
from zz_core.reading.text import Table, parse_table

MOST_BYTES = 2**31  # of what an NPZ file unpacks to
# the first bytes of kinds of files, and what to do where they cannot be read here
KINDS: dict[bytes, str] = {MAGIC: "npy", b"PK\x03\x04": "npz", b"PK\x05\x06": "npz"}
ELSEWHERE: dict[bytes, str] = {
    b"PAR1": "a Parquet file: open it on the page Your data, or save it as CSV",
    b"\x89HDF": "an HDF5 file: save its arrays with numpy.savez",
    b"\x1f\x8b": "compressed with gzip: unpack it first",
    b"BZh": "compressed with bzip2: unpack it first",
    b"\x80\x02": "a Python pickle, and opening one may run any code, so nothing of it was read: save plain numbers "
                 "with numpy.save or numpy.savez",
    b"%PDF": "a PDF: save its table as CSV",
    b"\x89PNG": "an image: save its pixels with numpy.save",
    b"\xff\xd8\xff": "an image: save its pixels with numpy.save",
}
ELSEWHERE |= {bytes([0x80, protocol]): ELSEWHERE[b"\x80\x02"] for protocol in (3, 4, 5)}


def kind_of(head: bytes, what: str) -> str:
    """npy, npz or text, from the first bytes; ValueError for an empty file, and for what is known to be another kind.
    """
    if not head:
        raise ValueError(f"{what}: the file is empty, 0 bytes: save or upload it again")
    for magic, kind in KINDS.items():
        if head.startswith(magic):
            return kind
    for magic, advice in ELSEWHERE.items():
        if head.startswith(magic):
            raise ValueError(f"{what}: this is {advice}")
    return "text"


def read(path: Path | str, target: str | None = None, leave_out: Sequence[str] = (), encoding: str = "utf-8",
         limit: int = MOST_BYTES) -> Recording:
    """What the file holds. NPY is mapped into memory, so that it may be larger than that."""
    path = Path(path)
    with path.open("rb") as stream:
        head = stream.read(8)
        stream.seek(0)
        if kind_of(head, path.name) == "npy":
            array = read_npy(stream, path.stat().st_size, path.name, path)
            return _one_array(array, path.stem, path.name)
        if kind_of(head, path.name) == "npz":
            return sort_arrays(read_npz(stream, path.name, limit), path.name)
        return _from_table(parse_table(stream.read(), path.name, encoding, leave_out), path.stem, path.name, target)


def parse(data: bytes, name: str, target: str | None = None, leave_out: Sequence[str] = (), encoding: str = "utf-8",
          limit: int = MOST_BYTES) -> Recording:
    """What the bytes of a file of this name hold."""
    stem, kind = Path(name).stem, kind_of(data[:8], name)
    if kind == "npy":
        return _one_array(read_npy(io.BytesIO(data), len(data), name), stem, name)
    if kind == "npz":
        return sort_arrays(read_npz(io.BytesIO(data), name, limit), name)
    return _from_table(parse_table(data, name, encoding, leave_out), stem, name, target)


def _one_array(values: np.ndarray, stem: str, what: str) -> Recording:
    return sort_arrays({stem: values}, what)


def _from_table(table: Table, layer: str, what: str, target: str | None) -> Recording:
    held = Recording({layer: checked_matrix(table.values, what)}, {}, None, {layer: table.names}, table.left_out)
    return held if target is None else with_target(held, layer, target, what)


def with_target(held: Recording, layer: str, target: str, what: str) -> Recording:
    """The recording with one column of a layer taken for the targets."""
    names, values = held.names[layer], held.layers[layer]
    if target not in names:
        raise ValueError(f"{what}: there is no column {target!r} for the target: must be one of {listed(names)}")
    if len(names) == 1:
        raise ValueError(f"{what}: {target!r} is the only column, so there are no inputs beside the target")
    index = names.index(target)
    return replace(held, targets=values[:, index], layers={**held.layers, layer: np.delete(values, index, axis=1)},
                   names={**held.names, layer: names[:index] + names[index + 1 :]})
