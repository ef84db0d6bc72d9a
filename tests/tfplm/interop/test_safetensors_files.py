import json
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from tfplm.errors import UserError
from tfplm.interop.safetensors_files import INDEX, SINGLE, open_safetensors, write_safetensors
from tfplm.interop.safetensors_header import DTYPES

VALUES = {
    "kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
    "half": np.arange(5, dtype=np.float16),
    "brain": np.arange(4, dtype=np.float32).astype(ml_dtypes.bfloat16),
    "ids": np.arange(3, dtype=np.int64),
    "flags": np.array([True, False]),
    "scalar": np.array(2.5),
    "nothing": np.zeros((0, 4), np.float32),
}


def specs_of(values):
    return {name: (value.dtype, value.shape) for name, value in values.items()}


def write_raw(path, header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def assert_equal(tensors, values):
    assert sorted(tensors.names()) == sorted(values)
    for name, value in values.items():
        read = tensors.read(name)
        assert read.dtype == tensors.dtype(name) == value.dtype
        assert read.shape == tensors.shape(name) == value.shape
        np.testing.assert_array_equal(read, value)


def test_every_dtype_is_read_as_it_was_written(tmp_path):
    write_safetensors(VALUES.items(), specs_of(VALUES), tmp_path)
    assert_equal(open_safetensors(tmp_path), VALUES)


def test_the_reference_reads_what_we_write_and_we_what_it_writes(tmp_path):
    values = {name: value for name, value in VALUES.items() if name != "brain"}
    write_safetensors(values.items(), specs_of(values), tmp_path)
    for name, value in safetensors.numpy.load_file(tmp_path / SINGLE).items():
        np.testing.assert_array_equal(value, values[name])
    with safetensors.safe_open(tmp_path / SINGLE, "np") as file:
        assert file.metadata() == {"format": "pt"}
    safetensors.numpy.save_file(values, tmp_path / SINGLE)
    assert_equal(open_safetensors(tmp_path), values)


def test_tensors_that_are_not_aligned_are_read(tmp_path):
    header = {"b": entry("U8", (1,), (0, 1)), "w": entry("BF16", (3,), (1, 7)), "f": entry("F32", (2,), (7, 15))}
    values = np.array([1, 2, 3]).astype(ml_dtypes.bfloat16), np.array([4, 5], np.float32)
    write_raw(tmp_path / SINGLE, header, b"\x01" + values[0].tobytes() + values[1].tobytes())
    tensors = open_safetensors(tmp_path)
    np.testing.assert_array_equal(tensors.read("w").astype(np.float32), [1, 2, 3])
    np.testing.assert_array_equal(tensors.read("f"), [4, 5])


def test_equal_tensors_give_equal_bytes_in_whatever_order_they_come(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write_safetensors(VALUES.items(), specs_of(VALUES), tmp_path / "a")
    write_safetensors(reversed(VALUES.items()), specs_of(VALUES), tmp_path / "b")
    assert (tmp_path / "a" / SINGLE).read_bytes() == (tmp_path / "b" / SINGLE).read_bytes()


def test_shards_are_written_with_an_index_and_read_back(tmp_path):
    paths = write_safetensors(VALUES.items(), specs_of(VALUES), tmp_path, max_shard_bytes=30)
    assert [path.name for path in paths] == [f"model-0000{number}-of-00004.safetensors" for number in (1, 2, 3, 4)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*(path.name for path in paths), INDEX])
    assert json.loads((tmp_path / INDEX).read_text())["metadata"]["total_size"] == sum(
        v.nbytes for v in VALUES.values()
    )
    tensors = open_safetensors(tmp_path)
    assert_equal(tensors, VALUES)
    assert tensors.paths == tuple(paths)


@pytest.mark.parametrize(
    "given",
    [
        {"a": np.zeros(2, np.float32)},
        {"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)},
        {"a": np.zeros(2, np.float64), "b": np.zeros(2, np.float32)},
        {"a": np.zeros(2, np.float32), "b": np.zeros(2, np.float32), "c": np.zeros(2, np.float32)},
    ],
)
def test_tensors_that_do_not_fit_their_specs_leave_no_file(tmp_path, given):
    specs = {"a": (np.dtype(np.float32), (2,)), "b": (np.dtype(np.float32), (2,))}
    with pytest.raises(ValueError, match="got"):
        write_safetensors(given.items(), specs, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_tensor_costs_no_memory_until_it_is_touched(tmp_path):
    values = {name: np.zeros((1 << 20,), np.float32) for name in "abcd"}
    write_safetensors(values.items(), specs_of(values), tmp_path)
    tracemalloc.start()
    tensors = open_safetensors(tmp_path)
    for name in tensors.names():
        assert tensors.read(name)[-1] == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


BAD_HEADERS = {
    "overlaps": {"a": entry(), "b": entry(offsets=(4, 12))},
    "leaves a hole": {"a": entry(), "b": entry(offsets=(12, 20))},
    "leaves a hole before it": {"a": entry(offsets=(8, 16))},
    "is cut off": {"a": entry(shape=(1000,), offsets=(0, 4000))},
    "no tensor owns": {"a": entry(shape=(1,), offsets=(0, 4))},
    "has 8 bytes": {"a": entry(shape=(3,))},
    "of F64": {"a": entry("F64")},
    "has the dtype 'F8_E4M3'": {"a": entry("F8_E4M3", (8,))},
    r"has the dtype \['F32'\]": {"a": entry(["F32"])},
    "the data_offsets": {"a": entry(offsets=(8, 0))},
    r"the data_offsets \[-8, 0\]": {"a": entry(offsets=(-8, 0))},
    r"the data_offsets \[0, 8.0\]": {"a": entry(offsets=(0, 8.0))},
    r"the data_offsets \[0\]": {"a": entry(offsets=(0,))},
    r"the shape \[True, 2\]": {"a": entry(shape=(True, 2))},
    r"the shape \[-2, -1\]": {"a": entry(shape=(-2, -1))},
    r"the shape \[2, 1, 1": {"a": entry(shape=(2, *[1] * 40))},
    r"of F32 \[0, 4611686018427387904\] has": {"a": entry(shape=(0, 1 << 62), offsets=(0, 0)), "b": entry()},
    "told by dtype": {"a": [1]},
    "is not told by": {"a": {"dtype": "F32", "shape": [2]}},
    "__metadata__": {"__metadata__": {"format": 1}, "a": entry()},
    "twice": b'{"a": %b, "a": %b}' % ((json.dumps(entry()).encode(),) * 2),
    "no valid JSON": b'{"a": ',
    "no valid JSON: .*recursion": b'{"a":' + b"[" * 200_000,
    "NaN is no number": b'{"a": NaN}',
    "no JSON object": b"[1, 2]",
}


@pytest.mark.parametrize("message", BAD_HEADERS)
def test_a_header_that_lies_is_told_before_anything_is_allocated(tmp_path, message):
    write_raw(tmp_path / SINGLE, BAD_HEADERS[message], bytes(8))
    with pytest.raises(UserError, match=message):
        open_safetensors(tmp_path)


@pytest.mark.parametrize("claim", [9, 1 << 32, 1 << 63, (1 << 64) - 1])
def test_a_header_longer_than_the_file_allocates_nothing(tmp_path, claim):
    write_raw(tmp_path / SINGLE, b"{}      ", length=claim)
    tracemalloc.start()
    with pytest.raises(UserError, match=f"claims {claim:,} bytes, and the file has 16"):
        open_safetensors(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_huge_header_of_a_file_with_holes_is_refused(tmp_path):
    path = write_raw(tmp_path / SINGLE, b"{}", length=1 << 32)
    with path.open("r+b") as file:
        file.truncate((1 << 32) + 100)  # sparse: it takes no room on the disk
    with pytest.raises(UserError, match="100,000,000 are the most"):
        open_safetensors(tmp_path)


def write_shards(folder, weight_map, **shards):
    for shard, names in shards.items():
        header = {name: entry(offsets=(8 * place, 8 * place + 8)) for place, name in enumerate(names)}
        write_raw(folder / f"{shard}.safetensors", header, bytes(8 * len(names)))
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))


@pytest.mark.parametrize(
    "name", ["../x.safetensors", "/x.safetensors", "sub/x.safetensors", "..\\x.safetensors", "x.bin", 3]
)
def test_an_index_names_no_file_outside_its_folder(tmp_path, name):
    (tmp_path / "folder").mkdir()
    write_shards(tmp_path, {"a": "x.safetensors"}, x=["a"])
    (tmp_path / "folder" / INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(UserError, match="right in the folder of the index"):
        open_safetensors(tmp_path / "folder")


@pytest.mark.parametrize(
    ("weight_map", "shards", "message"),
    [
        ({"a": "x.safetensors", "b": "x.safetensors"}, {"x": ["a"]}, "'b' lies in x.safetensors, where it is not"),
        ({"a": "x.safetensors", "b": "y.safetensors"}, {"x": ["a"], "y": ["a", "b"]}, "'a' lies in .*x.* and in .*y"),
        ({"a": "y.safetensors", "b": "x.safetensors"}, {"x": ["a"], "y": ["b"]}, "lies in y.safetensors, where it is"),
        ({"a": "x.safetensors", "b": "y.safetensors"}, {"x": ["a"]}, "There is no .*y.safetensors"),
        ({}, {}, "has no 'weight_map'"),
        ([], {}, "has no 'weight_map'"),
    ],
)
def test_an_index_that_does_not_fit_its_shards_is_a_user_error(tmp_path, weight_map, shards, message):
    write_shards(tmp_path, weight_map, **shards)
    with pytest.raises(UserError, match=message):
        open_safetensors(tmp_path)


def test_what_a_shard_holds_beyond_the_index_is_read_too(tmp_path):
    write_shards(tmp_path, {"a": "x.safetensors"}, x=["a", "b"])
    assert open_safetensors(tmp_path).names() == ("a", "b")


def test_shards_may_be_links_as_in_the_cache_of_the_hub(tmp_path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    write_safetensors(VALUES.items(), specs_of(VALUES), tmp_path / "blobs")
    (tmp_path / "snapshot" / SINGLE).symlink_to("../blobs/model.safetensors")
    assert_equal(open_safetensors(tmp_path / "snapshot"), VALUES)


def test_a_file_that_was_cut_after_it_was_opened_is_a_user_error(tmp_path):
    write_safetensors(VALUES.items(), specs_of(VALUES), tmp_path)
    tensors = open_safetensors(tmp_path)
    (tmp_path / SINGLE).write_bytes(b"")
    with pytest.raises(UserError, match="cannot be read any more"):
        tensors.read("kernel")


def test_damaged_bytes_end_in_a_user_error_or_in_tensors(tmp_path):
    write_safetensors(VALUES.items(), specs_of(VALUES), tmp_path)
    path = tmp_path / SINGLE
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    header_end = 8 + int.from_bytes(whole[:8], "little")
    refused = 0
    for case in range(400):
        data = bytearray(whole[: random.integers(len(whole))] if case % 2 else whole)
        for _ in range(random.integers(1, 4) if data and case % 4 != 1 else 0):
            data[random.integers(min(len(data), header_end))] = random.integers(256)
        path.write_bytes(data)
        try:
            tensors = open_safetensors(tmp_path)
        except UserError:
            refused += 1
            continue
        for name in tensors.names():
            read = tensors.read(name)
            assert read.shape == tensors.shape(name)
            assert read.dtype in DTYPES.values()
    assert refused > 200
