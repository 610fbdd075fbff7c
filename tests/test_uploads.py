"""Uploads: Parquet and safetensors are read exactly or refused with a sentence; the core's formats pass through."""
import io
import json
import pickle

import numpy as np
import pandas as pd
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from safetensors.numpy import save

from zz_core.reading import UnfitColumns, UnknownEncoding
from zz_view.uploads import UNPACKED, parse_upload

MOST = 2**20
VALUES = np.array([[1.5, -2.0, 1e-3], [4.0, 1e6, 0.0], [7.0, 8.0, -0.0]])
FRAME = pd.DataFrame(VALUES, columns=["a", "b", "c"])


def packed(table, **options) -> bytes:
    """A Parquet file."""
    stream = io.BytesIO()
    table = pyarrow.Table.from_pandas(table, preserve_index=False) if isinstance(table, pd.DataFrame) else table
    parquet.write_table(table, stream, **options)
    return stream.getvalue()


def arrow(**columns) -> bytes:
    return packed(pyarrow.table(columns))


def npy(values: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, **options)
    return stream.getvalue()


def tensors(header: dict, data: bytes = b"") -> bytes:
    """A safetensors file of any header."""
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


# --- what is right ---

@pytest.mark.parametrize("compression", ["snappy", "zstd", "gzip", "none"])
def test_parquet_is_read_exactly(compression):
    held = parse_upload(packed(FRAME, compression=compression, row_group_size=2), "t.parquet", MOST)
    np.testing.assert_array_equal(held.layers["t"], VALUES)
    assert held.names["t"] == ("a", "b", "c") and not held.gradients and not held.left_out


def test_every_kind_of_number_in_parquet_is_one():
    large = 2**60 + 1  # no double has it
    held = parse_upload(arrow(
        byte=pyarrow.array([1, -2], pyarrow.int8()), large=pyarrow.array([large, 0], pyarrow.int64()),
        whole=pyarrow.array([2**64 - 1, 0], pyarrow.uint64()), half=pyarrow.array(np.array([0.5, 2.0], np.float16)),
        single=pyarrow.array([0.1, 2.0], pyarrow.float32()), yes=pyarrow.array([True, False]),
        price=pyarrow.array([1, 2], pyarrow.decimal128(9, 2))), "t.parquet", MOST)
    np.testing.assert_array_equal(held.layers["t"], [[1, large, 2**64 - 1, 0.5, np.float32(0.1), 1, 1],
                                                     [-2, 0, 0, 2, 2, 0, 2]])


def test_columns_of_parquet_are_left_out_and_no_others():
    table = FRAME.assign(**{"a.b": ["x", "y", "z"]})
    with pytest.raises(UnfitColumns) as refused:
        parse_upload(packed(table), "t.parquet", MOST)
    assert refused.value.columns == ("a.b",)
    held = parse_upload(packed(table), "t.parquet", MOST, leave_out=["a.b"])
    np.testing.assert_array_equal(held.layers["t"], VALUES)
    assert list(held.left_out) == ["a.b"]


def test_safetensors_is_sorted_into_layers_gradients_and_targets():
    inputs, gradients = VALUES.astype(np.float32), np.arange(24.0).reshape(4, 2, 3)
    held = parse_upload(save({"inputs/fc1": inputs, "gradients/fc1": gradients, "y": np.arange(3)}), "n.safetensors",
                        MOST)
    np.testing.assert_array_equal(held.layers["fc1"], inputs)
    np.testing.assert_array_equal(held.gradients["fc1"], gradients)
    np.testing.assert_array_equal(held.targets, [0, 1, 2])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, np.int32, np.int16, np.int8, np.uint8,
                                   np.uint16, np.uint32, np.uint64, bool])
def test_every_kind_of_number_in_safetensors_is_read_exactly(dtype):
    values = np.array([[0, 1], [1, 0], [1, 1]]).astype(dtype)
    np.testing.assert_array_equal(parse_upload(save({"x": values}), "n.safetensors", MOST).layers["x"], values)


def test_bfloat16_is_the_upper_half_of_a_float():
    exact = np.array([[1.0, -2.5], [0.15625, 3e38], [0.0, -1e-30]], np.float32)
    halves = (exact.view(np.uint32) >> 16).astype("<u2")
    data = tensors({"x": {"dtype": "BF16", "shape": [3, 2], "data_offsets": [0, 12]}}, halves.tobytes())
    np.testing.assert_allclose(parse_upload(data, "n.safetensors", MOST).layers["x"], exact, rtol=2**-7)


@pytest.mark.parametrize("name, data", [
    ("a.csv", b"a,b\n1,2\n3,4\n"), ("a.tsv", b"a\tb\n1\t2\n3\t4\n"), ("a.npy", npy(np.array([[1, 2], [3, 4]]))),
    ("a.parquet", arrow(a=[1, 3], b=[2, 4])), ("a.safetensors", save({"a": np.array([[1, 2], [3, 4]])}))])
def test_what_a_file_is_does_not_depend_on_its_name(name, data):
    for other in (name, "a.txt", "a"):
        (values,) = parse_upload(data, other, MOST).layers.values()
        np.testing.assert_array_equal(values, [[1, 2], [3, 4]])


# --- what is wrong: (bytes, words of what was found, words of what to do) ---

GOOD = packed(FRAME)
FOOTER = int.from_bytes(GOOD[-8:-4], "little")  # its length stands before the closing mark
WIDE = packed(pd.DataFrame(np.zeros((2, 5000), np.int8), columns=[str(k) for k in range(5000)]))
SAFE = save({"inputs/fc1": VALUES})
BAD = {
    "empty": (b"", "0 bytes", "upload it again"),
    "text column": (arrow(a=[1, 2], kind=["red", "blue"]), "1 column of other things than numbers ('kind'",
                    "leave such columns out"),
    "dates": (packed(pd.DataFrame({"a": [1, 2], "day": pd.to_datetime(["2024-01-01", "2024-01-02"])})),
              "'day'; the first of type timestamp", "leave such columns out"),
    "lists": (arrow(a=[1, 2], row=[[1.0], [2.0]]), "'row'; the first of type list", "leave such columns out"),
    "only text": (arrow(kind=["red", "blue"]), "'kind'", "write them as numbers"),
    "single row": (arrow(a=[1], b=[2]), "shape (1, 2)", "more samples"),
    "no rows": (packed(FRAME[:0]), "shape (0, 3)", "at least 2 samples"),
    "no columns": (packed(pyarrow.table({})), "shape (0, 0)", "at least 2 samples"),
    "too wide": (WIDE, "shape (2, 5000)", "keep some"),
    "twice": (packed(pyarrow.Table.from_arrays([pyarrow.array([1, 2])] * 2, ["a", "a"])), "more than once ('a')",
              "rename"),
    "cut off": (GOOD[:-20], "cannot be read as Parquet", "upload it again"),
    "only the magic": (b"PAR1", "cannot be read as Parquet", "upload it again"),
    "damaged footer": (GOOD[:-8 - FOOTER] + bytes(FOOTER) + GOOD[-8:], "cannot be read as Parquet", "upload it again"),
    "damaged name": (GOOD.replace(b"\x18\x01a", b"\x18\x01\xc3"), "cannot be read as Parquet", "upload it again"),
    "cut off tensors": (SAFE[:-8], "cannot be read as safetensors", "save it again"),
    "tensors overlap": (tensors({"x": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 999]}}),
                        "cannot be read as safetensors", "save it again"),
    "no header": (tensors({"x": {}}), "cannot be read as safetensors", "save it again"),
    "eight bits": (tensors({"x": {"dtype": "F8_E4M3", "shape": [2, 2], "data_offsets": [0, 4]}}, bytes(4)), "F8_E4M3",
                   "as float32"),
    "two tensors of a name": (b"*\0\0\0\0\0\0\0" + b'{"x": %b, "x": %b}' % ((b'{"dtype":"F32"}',) * 2),
                              "cannot be read as safetensors", "save it again"),
    "no tensors": (tensors({}), "no array in it", "save activations"),
    "vector of tensors": (save({"a": np.ones(3), "b": np.ones((2, 2, 2))}), "none of 2 arrays", "inputs/LAYER"),
    "too large": (b"1" * (4 * MOST + 2**20), "5 MB, and 4 are allowed", "in a shell"),
    "object array": (npy(np.array([[None]], object), allow_pickle=True), "Python objects", "save plain numbers"),
    "pickle": (pickle.dumps([1, 2]), "a Python pickle", "numpy.save"),
}


@pytest.mark.parametrize("data, found, advice", BAD.values(), ids=BAD.keys())
def test_bad_files_get_a_sentence_that_says_what_was_found_and_what_to_do(data, found, advice):
    with pytest.raises(ValueError) as refused:
        parse_upload(data, "a.file", 4 * MOST)
    message = str(refused.value)
    assert message.startswith("a.file") and found in message and advice in message, message
    assert "\n" not in message and len(message) < 500


def test_missing_and_infinite_values_in_parquet_are_told_when_it_is_diagnosed():
    from zz_core import diagnose

    held = parse_upload(arrow(a=[1.0, None, 2.0], b=[1.0, 2.0, np.inf], c=[1, 2, 4]), "t.parquet", MOST)
    with pytest.raises(UnfitColumns, match="1 missing value in 1 column and 1 infinite value") as refused:
        diagnose(held.layers["t"], names=held.names["t"], seeds=0)
    assert refused.value.columns == ("a", "b")


def test_text_in_another_encoding_can_be_read_when_it_is_named():
    data = "größe;b\n1;2\n3;4\n".encode("cp1252")
    with pytest.raises(UnknownEncoding, match="UTF-8"):
        parse_upload(data, "t.csv", MOST)
    assert parse_upload(data, "t.csv", MOST, encoding="cp1252").names["t"] == ("größe", "b")


def test_a_table_that_would_unpack_to_too_much_is_refused_before_it_is_unpacked(monkeypatch):
    bomb = arrow(**{f"x{k}": pyarrow.array(np.zeros(UNPACKED * MOST // 32), pyarrow.float64()) for k in range(5)})
    assert len(bomb) < MOST / 8
    monkeypatch.setattr(parquet.ParquetFile, "read", lambda *_, **__: pytest.fail("it was unpacked"))
    allowed = f"{UNPACKED * MOST:,} are allowed: keep fewer"
    with pytest.raises(ValueError, match=f"would unpack to 10,485,760, and {allowed}"):
        parse_upload(bomb, "t.parquet", MOST)


def test_an_archive_may_unpack_to_as_much_and_no_more():
    stream = io.BytesIO()
    np.savez_compressed(stream, a=np.zeros((UNPACKED * MOST // 80 + 1, 10)))
    assert len(stream.getvalue()) < MOST / 8
    with pytest.raises(ValueError, match=f"{UNPACKED * MOST:,} are allowed"):
        parse_upload(stream.getvalue(), "a.npz", MOST)


def test_a_table_of_left_out_columns_only_is_refused():
    with pytest.raises(ValueError, match="all 3 columns are left out: must keep at least one"):
        parse_upload(GOOD, "t.parquet", MOST, leave_out=["a", "b", "c"])


@settings(max_examples=60)
@given(st.sampled_from([GOOD, SAFE]), st.data())
def test_damaged_files_are_read_or_refused_with_a_sentence(data, draw):
    damaged = bytearray(data)
    for place in draw.draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=4)):
        damaged[place] = draw.draw(st.integers(0, 255))
    cut = draw.draw(st.integers(1, len(data)))
    try:
        parse_upload(bytes(damaged[:cut]), "a.file", MOST)
    except ValueError as error:
        assert str(error).startswith("a.file") and "\n" not in str(error)
