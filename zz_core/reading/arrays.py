"""NPY and NPZ, without unpickling: sizes are checked before memory is taken, and again as the data are read."""
import math
import zipfile
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy

from zz_core.reading.checks import listed, refuse_duplicates

MAGIC = b"\x93NUMPY"
MOST_MEMBERS = 10_000
PIECE = 2**20


class Header(NamedTuple):
    """What an NPY file says of itself; `start` is where its data begin."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    start: int

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: BinaryIO, what: str) -> Header:
    """The header of an NPY file; ValueError where it is damaged or announces Python objects."""
    try:
        version = npy.read_magic(stream)
        reader = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if reader is None:
            raise ValueError(f"version {version} is for named fields")
        shape, fortran, dtype = reader(stream)
        if any(size < 0 for size in shape):
            raise ValueError(f"shape {shape}")
    except Exception as error:  # NumPy hands the header to Python's parsers, which raise errors of a dozen kinds
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise ValueError(f"{what}: its header cannot be read ({reason}): the file is damaged, or cut off; save it "
                         "again with numpy.save") from None
    if dtype.hasobject:
        raise ValueError(f"{what}: holds Python objects, which only unpickling could read, and that may run any code, "
                         "so nothing of it was read: save plain numbers, numpy.save(file, numpy.asarray(values, "
                         "float))")
    return Header(shape, fortran, dtype, stream.tell())


def read_npy(stream: BinaryIO, size: int, what: str, path: Path | None = None) -> np.ndarray:
    """The array of an NPY file of `size` bytes; with `path` mapped into memory instead of read, so its size is free."""
    header = read_header(stream, what)
    there = size - header.start
    if header.bytes > there:
        raise ValueError(f"{what}: its header announces {header.bytes:,} bytes of numbers, and {there:,} are there: "
                         "the file is cut off; save or upload it again")
    if path is not None and header.bytes:
        return np.memmap(path, header.dtype, "r", header.start, header.shape, "F" if header.fortran else "C")
    return _shaped(np.frombuffer(stream.read(header.bytes), header.dtype), header)


def _shaped(flat: np.ndarray, header: Header) -> np.ndarray:
    return flat.reshape(header.shape, order="F" if header.fortran else "C")


def read_npz(stream: BinaryIO, what: str, limit: int) -> dict[str, np.ndarray]:
    """The arrays of an NPZ file by name; ValueError before any is read where together they exceed `limit` bytes."""
    try:
        with zipfile.ZipFile(stream) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            _check_members(members, what, limit)
            return {info.filename.removesuffix(".npy"): _member(archive, info, what) for info in members}
    except Exception as error:  # zipfile stumbles over damaged archives in a dozen ways, IndexError among them
        if isinstance(error, ValueError) and str(error).startswith(what):
            raise  # our own sentence
        raise ValueError(f"{what}: its archive cannot be read ({error}): the file is damaged, cut off or encrypted; "
                         "save it again with numpy.savez") from None


def _check_members(members: list[zipfile.ZipInfo], what: str, limit: int) -> None:
    names = [info.filename for info in members]
    others = [name for name in names if not name.endswith(".npy")]
    if not names:
        raise ValueError(f"{what}: there is no array in it; save arrays with numpy.savez(file, fc1=values)")
    if others:
        workbook = "[Content_Types].xml" in others
        raise ValueError(f"{what}: " + ("this is a workbook: save the sheet as CSV" if workbook else
                         f"the archive holds files that are no arrays ({listed(others)}): save arrays alone, with "
                         "numpy.savez"))
    if len(names) > MOST_MEMBERS:
        raise ValueError(f"{what}: {len(names):,} arrays: must be at most {MOST_MEMBERS:,}; stack the steps of a layer "
                         "into one array")
    refuse_duplicates([name.removesuffix(".npy") for name in names], what)
    total = sum(info.file_size for info in members)
    if total > limit:
        packed = sum(info.compress_size for info in members)
        raise ValueError(f"{what}: its {packed:,} bytes would unpack to {total:,}, and {limit:,} are allowed: record "
                         "fewer samples or steps, or save the arrays one by one as NPY")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, what: str) -> np.ndarray:
    """One array. The archive's promise bounds what is unpacked, and must agree with the array's own header."""
    name = f"{what}, array {info.filename.removesuffix('.npy')!r}"
    with archive.open(info) as stream:
        header = read_header(stream, name)
        announced = info.file_size - header.start
        if header.bytes != announced:
            raise ValueError(f"{name}: its header announces {header.bytes:,} bytes of numbers and the archive "
                             f"{announced:,}: the file is damaged, or made to do harm; save it again with numpy.savez")
        data = np.empty(header.bytes, np.uint8)  # not touched, so not taken, before the data come
        read = 0
        while piece := stream.read(PIECE):
            if read + len(piece) > len(data):
                raise ValueError(f"{name}: there is more in it than it announces: save it again with numpy.savez")
            data[read : read + len(piece)] = np.frombuffer(piece, np.uint8)
            read += len(piece)
    if read < len(data):
        raise ValueError(f"{name}: {read:,} of {len(data):,} bytes are there: the file is cut off; save or upload it "
                         "again")
    return _shaped(data.view(header.dtype), header)
