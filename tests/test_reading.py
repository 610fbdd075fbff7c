"""Files of strangers: what is right is read exactly, what is wrong gets a sentence, and nothing in them is executed."""
import io
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from zz_core.reading import MOST_COLUMNS, UnfitColumns, checked_matrix, parse, read, refuse_gaps, sort_arrays

VALUES = np.arange(12.0).reshape(4, 3) ** 2


def npy(values: np.ndarray, **options) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, values, **options)
    return out.getvalue()


def npz(**named: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **named)
    return out.getvalue()


def archive(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


def header(shape: str, dtype: str = "<f8") -> bytes:
    """An NPY file without data whose header promises this shape."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}".encode()
    text += b" " * (64 - (len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


class Trap:
    """Unpickling it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


# --- what is right ---

@pytest.mark.parametrize("values", [VALUES, np.asfortranarray(VALUES), VALUES.astype(np.float32), VALUES > 9,
                                    VALUES.astype(">i2"), VALUES.astype(np.float16)], ids=lambda v: str(v.dtype))
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_npy_is_read_exactly_from_bytes_and_mapped_from_a_path(values, version, tmp_path):
    data = npy(values, version=version)
    (layer,) = parse(data, "acts.npy").layers.items()
    assert layer[0] == "acts" and layer[1].dtype == values.dtype
    np.testing.assert_array_equal(layer[1], values)
    (tmp_path / "acts.npy").write_bytes(data)
    mapped = read(tmp_path / "acts.npy").layers["acts"]
    assert isinstance(mapped, np.memmap)  # so that it may be larger than the memory
    np.testing.assert_array_equal(mapped, values)


def test_npz_is_sorted_into_layers_gradients_and_targets(tmp_path):
    steps = np.ones((5, 2, 3))
    data = npz(**{"inputs/fc1": VALUES, "activations/fc2": VALUES[:, :2], "gradients/fc1": steps, "grad_out": steps,
                  "labels": np.arange(4), "names": np.array(["a", "b"]), "extra": steps, "plain": VALUES})
    for held in (parse(data, "run.npz"), read(_written(tmp_path / "run.npz", data))):
        assert list(held.layers) == ["fc1", "fc2", "plain"] and list(held.gradients) == ["fc1", "grad_out"]
        np.testing.assert_array_equal(held.layers["fc1"], VALUES)
        np.testing.assert_array_equal(held.targets, np.arange(4))
        assert set(held.left_out) == {"names", "extra"} and "(5, 2, 3)" in held.left_out["extra"]


def _written(path, data: bytes):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("text", "names"), [
    ("a,b,c\n0,1,4\n9,16,25\n36,49,64\n81,100,121\n", ("a", "b", "c")),
    ("0,1,4\n9,16,25\n36,49,64\n81,100,121", ("x1", "x2", "x3")),
    ("a;b;c\r\n0;1;4\r\n9;16;25\r\n36;49;64\r\n81;100;121\r\n", ("a", "b", "c")),
    ("\ufeffa\tb\tc\n0\t1\t4\n\n9\t16\t25\n36\t49\t64\n81\t100\t121\n\n", ("a", "b", "c")),
    ('"a","b, or so","c"\n"0",1, 4\n9,16,25.0\n3.6e1,49,64\n81,100,121\n', ("a", "b, or so", "c")),
    ("a  b c\n0 1 4\n 9 16  25\n36 49 64\n81 100 121\n", ("a", "b", "c")),
    ("a,,c\n0,1,4\n9,16,25\n36,49,64\n81,100,121\n", ("a", "x2", "c")),
    ('"a\nb",c,d\n0,1,4\n9,16,25\n36,49,64\n81,100,121\n', ("a\nb", "c", "d")),
])
def test_tables_are_read_whatever_separates_their_cells(text, names):
    held = parse(text.encode(), "table.csv")
    assert held.names["table"] == names
    np.testing.assert_array_equal(held.layers["table"], VALUES)


@pytest.mark.parametrize("rows", [2, 7, 8, 9, 16])
def test_a_table_read_in_pieces_is_whole(monkeypatch, rows):
    monkeypatch.setattr("zz_core.reading.text.PIECE_CELLS", 8 * 3)  # eight rows
    values = np.arange(3.0 * rows).reshape(rows, 3)
    lines = [",".join(map(str, row)) for row in values.tolist()]
    np.testing.assert_array_equal(parse(("a,b,c\n" + "\n\n".join(lines)).encode(), "t.csv").layers["t"], values)
    np.testing.assert_array_equal(parse(("a,b,c\n" + "\n".join(lines)).encode(), "t.csv", leave_out=["b"]).layers["t"],
                                  values[:, [0, 2]])
    lines[-1] += ",5"
    with pytest.raises(ValueError, match="4 cells"):
        parse("\n".join(lines).encode(), "t.csv")


def test_encodings_that_say_what_they_are_or_are_named():
    text = "größe,b\n1,2\n3,5\n"
    assert parse(text.encode("utf-16"), "t.csv").names["t"] == ("größe", "b")
    assert parse(text.encode("latin-1"), "t.csv", encoding="latin-1").names["t"] == ("größe", "b")


def test_columns_are_left_out_and_one_becomes_the_target():
    held = parse(b"a,kind,b,y\n1,red,2,0\n3,blue,5,1\n", "t.csv", target="y", leave_out=["kind"])
    assert held.names["t"] == ("a", "b") and held.left_out == {"kind": "left out on request"}
    np.testing.assert_array_equal(held.layers["t"], [[1, 2], [3, 5]])
    np.testing.assert_array_equal(held.targets, [0, 1])


def test_a_column_that_only_counts_the_rows_is_left_out():
    """What pandas writes unless told otherwise: its mean and spread say nothing."""
    held = parse(b",a\n0,5\n1,3\n2,4\n", "t.csv")
    assert held.names["t"] == ("a",) and "the first column" in held.left_out
    assert parse(b",a\n0,5\n2,3\n1,4\n", "t.csv").names["t"] == ("x1", "a")  # this one is no counter


# --- what is wrong: (bytes, name, words of what was found, words of what to do) ---

MEMBER = npy(VALUES)
BAD = {
    "empty": (b"", "a.npy", "0 bytes", "upload it again"),
    "object array": (npy(np.array([[1, None], [2, 3]], object), allow_pickle=True), "a.npy", "Python objects",
                     "save plain numbers"),
    "object array in an archive": (archive(**{"x.npy": npy(np.array([None, 1], object), allow_pickle=True)}), "a.npz",
                                   "Python objects", "save plain numbers"),
    "pickle": (pickle.dumps({"w": [1, 2]}), "a.npy", "pickle", "numpy.save"),
    "old pickle": (pickle.dumps({"w": [1, 2]}, 2), "a.npz", "pickle", "numpy.save"),
    "cut off": (npy(np.ones((50, 50)))[:-7], "a.npy", "cut off", "upload it again"),
    "cut off in the header": (npy(VALUES)[:40], "a.npy", "damaged, or cut off", "numpy.save"),
    "cut off archive": (npz(a=VALUES)[:-30], "a.npz", "damaged, cut off or encrypted", "numpy.savez"),
    "promises too much": (header("(10**12, 4)".replace("10**12", "1000000000000")), "a.npy", "32,000,000,000,000 bytes",
                          "cut off"),
    "negative shape": (header("(-3, 4)"), "a.npy", "shape (-3, 4)", "numpy.save"),
    "code for a shape": (header("(__import__('os').getpid(), 4)"), "a.npy", "header cannot be read", "numpy.save"),
    "deep header": (header("(" * 5000 + ")" * 5000), "a.npy", "header cannot be read", "numpy.save"),
    "lying member": (archive(**{"x.npy": header("(1000000000, 1000000)")}), "a.npz", "made to do harm", "numpy.savez"),
    "no arrays": (archive(), "a.npz", "no array", "numpy.savez"),
    "other files": (archive(**{"notes.txt": b"hello"}), "a.npz", "no arrays ('notes.txt')", "numpy.savez"),
    "workbook": (archive(**{"[Content_Types].xml": b"<x/>"}), "a.xlsx", "workbook", "CSV"),
    "three axes": (npy(np.ones((2, 3, 4))), "a.npy", "shape (2, 3, 4)", "reshape(-1, 4)"),
    "one axis": (npy(np.ones(5)), "a.npy", "shape (5,)", "reshape(-1, 1)"),
    "no axis": (npy(np.float64(3)), "a.npy", "shape ()", "(samples, features)"),
    "no samples": (npy(np.ones((0, 4))), "a.npy", "shape (0, 4)", "at least 2 samples"),
    "single row": (npy(np.ones((1, 4))), "a.npy", "shape (1, 4)", "transpose"),
    "text array": (npy(np.array([["a", "b"]])), "a.npy", "type <U1", "real numbers"),
    "complex array": (npy(np.ones((3, 2), complex)), "a.npy", "type complex128", "real numbers"),
    "named fields": (npy(np.zeros(3, [("a", float), ("b", float)])), "a.npy", "'a', 'b'", "structured_to_unstructured"),
    "too wide": (npy(np.zeros((3, 5000), np.int8)), "a.npy", "shape (3, 5000)", "keep some"),
    "nothing useful": (npz(a=np.ones((2, 2, 2)), b=np.ones(3)), "a.npz", "none of 2 arrays", "inputs/LAYER"),
    "Parquet": (b"PAR1\x15\x04", "a.parquet", "Parquet", "Your data"),
    "gzip": (b"\x1f\x8b\x08\0", "a.csv.gz", "gzip", "unpack"),
    "binary": (b"\x07\0\0\1\2" * 40, "a.bin", "no text", "CSV"),
    "blank": (b"\n  \n", "a.csv", "nothing in it", "row for each sample"),
    "header only": (b"a,b\n", "a.csv", "nothing under it", "row for each sample"),
    "one row": (b"a,b\n1,2\n", "a.csv", "shape (1, 2)", "more samples"),
    "text column": (b"a,kind\n1,red\n2,blue\n", "a.csv", "'red', in line 2, column 'kind'", "leave such columns out"),
    "decimal comma": (b"a;b\n1,5;2\n2,5;3\n", "a.csv", "'1,5'", "decimal point"),
    "gaps": (b"a,b\n1,\n2,NA\n3,4\n", "a.csv", "2 missing values in 1 column ('b')", "fill them in"),
    "ragged": (b"a,b\n1,2\n3,4,5\n", "a.csv", "line 3: 3 cells", "as many cells"),
    "prose": (b"Hello, world.\nThis is no table.\n", "a.csv", "line 2: 1 cell", "as many cells"),
    "twice": (b"a,b,a\n1,2,3\n4,5,6\n", "a.csv", "more than once ('a')", "rename"),
    "Latin": ("größe,b\n1,2\n3,4\n".encode("latin-1"), "a.csv", "0xf6, in line 1", "UTF-8"),
    "one long line": (b"1," * 100_000, "a.csv", "about 100,000 cells", "transpose"),
    "huge cell": (b"a,b\n" + b"x" * 200_000 + b",2\n", "a.csv", "field larger than field limit", "one line a sample"),
}


@pytest.mark.parametrize("data, name, found, advice", BAD.values(), ids=BAD.keys())
def test_bad_files_get_a_sentence_that_says_what_was_found_and_what_to_do(data, name, found, advice, tmp_path):
    for attempt in (lambda: parse(data, name), lambda: read(_written(tmp_path / name, data))):
        with pytest.raises(ValueError) as refused:
            attempt()
        message = str(refused.value)
        assert message.startswith(name) and found in message and advice in message, message
        assert "\n" not in message and len(message) < 500


def test_what_cannot_be_read_says_which_columns_could_be_left_out():
    with pytest.raises(UnfitColumns) as refused:
        parse(b"a,kind,b,place\n1,red,2,x\n3,blue,4,y\n", "t.csv")
    assert refused.value.columns == ("kind", "place")
    assert parse(b"a,kind,b,place\n1,red,2,x\n3,blue,4,y\n", "t.csv", leave_out=refused.value.columns).layers
    with pytest.raises(ValueError, match="line 3: 3 cells"):  # also where the columns that are kept could be read
        parse(b"a,kind\n1,red\n3,blue,5\n", "t.csv", leave_out=["kind"])


def test_unknown_columns_are_refused_with_those_there_are():
    for options in ({"target": "z"}, {"leave_out": ["z"]}):
        with pytest.raises(ValueError, match="no column 'z'.*one of 'a', 'b'"):
            parse(b"a,b\n1,2\n3,4\n", "t.csv", **options)
    with pytest.raises(ValueError, match="at least one"):
        parse(b"a,b\n1,2\n3,4\n", "t.csv", leave_out=["a", "b"])
    with pytest.raises(ValueError, match="no inputs beside the target"):
        parse(b"a\n1\n3\n", "t.csv", target="a")


@pytest.mark.parametrize("make", ["npy", "npz", "pickle"])
def test_nothing_in_a_file_is_executed(make, tmp_path):
    sprung = tmp_path / "sprung"
    trap = np.array([Trap(sprung)], object)
    data = {"npy": lambda: npy(trap, allow_pickle=True), "pickle": lambda: pickle.dumps(Trap(sprung)),
            "npz": lambda: archive(**{"x.npy": npy(trap, allow_pickle=True)})}[make]()
    with pytest.raises(ValueError):
        parse(data, f"trap.{make}")
    assert not sprung.exists()


# --- bombs ---

def peak_bytes(action) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError) as refused:
            action()
        return tracemalloc.get_traced_memory()[1], str(refused.value)
    finally:
        tracemalloc.stop()


def test_an_archive_that_would_unpack_to_too_much_is_refused_before_anything_is_unpacked():
    bomb = npz(a=np.zeros((1000, 4096)), b=np.zeros((1000, 4096)))
    assert len(bomb) < 100_000
    peak, message = peak_bytes(lambda: parse(bomb, "bomb.npz", limit=2**25))
    assert peak < 2**20 and "would unpack to 65,536,256" in message and "33,554,432 are allowed" in message


def test_many_small_arrays_count_together_and_too_many_are_refused():
    small = npz(**{f"a{k}": np.zeros((100, 100)) for k in range(20)})
    with pytest.raises(ValueError, match="would unpack to"):
        parse(small, "many.npz", limit=10**6)
    members = io.BytesIO()
    with zipfile.ZipFile(members, "w") as file:
        for k in range(10_001):
            file.writestr(f"{k}.npy", b"")
    with pytest.raises(ValueError, match="10,001 arrays"):
        parse(members.getvalue(), "many.npz")


def test_an_archive_that_lies_about_its_size_is_found_out_while_it_is_read():
    """Both places where a zip file states the size of a member say 1,000 bytes; the data are 8 MB."""
    true = npy(np.zeros((1000, 1000)))
    data = bytearray(archive(**{"x.npy": true}))
    size, lie = struct.pack("<I", len(true)), struct.pack("<I", 1000)
    assert data.count(size) >= 2
    peak, message = peak_bytes(lambda: parse(bytes(data.replace(size, lie)), "lie.npz", limit=2**20))
    assert peak < 2**21 and "save it again" in message


def test_an_archive_with_less_in_it_than_promised_is_cut_off():
    true = npy(np.zeros((10, 10)))
    data = archive(zipfile.ZIP_STORED, **{"x.npy": true[:-80]})
    with pytest.raises(ValueError, match="header announces 800 bytes of numbers and the archive 720"):
        parse(data, "short.npz")


def test_two_arrays_of_one_name_are_refused():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file, pytest.warns(UserWarning):
        for _ in range(2):
            file.writestr("x.npy", MEMBER)
    with pytest.raises(ValueError, match="more than once"):
        parse(out.getvalue(), "a.npz")


# --- anything at all ---

SEEDS = [npy(VALUES), npz(fc1=VALUES, grad=np.ones((3, 2, 2))), b"a,b\n1,2\n3,4\n", "größe;b\n1;x\n".encode("latin-1")]


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"a,b\n"]))
def test_random_bytes_are_read_or_refused_with_a_sentence(data, start):
    _read_or_refused(start + data)


@given(st.data(), st.sampled_from(SEEDS))
def test_damaged_files_are_read_or_refused_with_a_sentence(data, seed):
    damaged = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 5))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    _read_or_refused(bytes(damaged[:cut] if data.draw(st.booleans()) else damaged))


def _read_or_refused(data: bytes) -> None:
    try:
        held = parse(data, "any", limit=2**20)
    except ValueError as refused:
        assert str(refused).startswith("any")
    else:
        assert held.layers or held.gradients
        for values in held.layers.values():
            assert values.ndim == 2 and values.dtype.kind in "biuf"


@given(arrays.arrays(np.float64, arrays.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=8),
                     elements=st.floats(-1e6, 1e6)))
def test_a_table_survives_the_way_through_text(values):
    out = io.StringIO()
    np.savetxt(out, values, delimiter=",", fmt="%.17g", header=",".join(f"c{k}" for k in range(values.shape[1])),
               comments="")
    np.testing.assert_array_equal(parse(out.getvalue().encode(), "t.csv").layers["t"], values)


# --- numbers that are none ---

@pytest.mark.parametrize(("value", "words"), [(np.nan, "1 missing value in 1 column ('b'; the first in row 3"),
                                              (-np.inf, "1 infinite value in 1 column ('b'; the first in row 3"),
                                              (1e200, "1 huge value in 1 column ('b'; the first in row 3")])
def test_values_that_are_not_finite_are_counted_and_placed(value, words):
    values = np.ones((5, 2))
    values[2, 1] = value
    with pytest.raises(UnfitColumns) as refused:
        refuse_gaps(values, ["a", "b"])
    assert words in str(refused.value) and refused.value.columns == ("b",)
    refuse_gaps(np.ones((3, 2)), ["a", "b"])


def test_lists_are_taken_and_ragged_ones_refused():
    np.testing.assert_array_equal(checked_matrix([[1, 2], [3, 4]]), [[1, 2], [3, 4]])
    with pytest.raises(ValueError, match="different lengths"):
        checked_matrix([[1, 2], [3]])


def test_the_widest_table_is_taken():
    assert checked_matrix(np.zeros((2, MOST_COLUMNS), np.int8)).shape == (2, MOST_COLUMNS)


@pytest.mark.parametrize("second, kind", [("activations/fc1", "inputs"), ("fc1", "inputs"), ("grads/fc1", "gradients")])
def test_two_arrays_for_one_layer_are_refused(second, kind):
    arrays = {"inputs/fc1": VALUES, "gradients/fc1": VALUES, second: VALUES}
    with pytest.raises(ValueError, match=f"'{second}' is the second array for the {kind} of layer 'fc1': rename"):
        sort_arrays(arrays, "a.npz")
    sort_arrays({**arrays, second: np.ones(3)}, "a.npz")  # a vector is none


def test_arrays_that_are_already_in_memory_are_sorted_the_same_way():
    held = sort_arrays({"inputs/a": VALUES, "gradients/a": np.ones((2, 4, 3))}, "run.safetensors")
    assert list(held.layers) == ["a"] and list(held.gradients) == ["a"]
