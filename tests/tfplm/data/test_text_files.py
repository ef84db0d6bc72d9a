import bz2
import gzip
import lzma
import os
import tracemalloc

import pytest
import zstandard

from tfplm.data.configuration import CleaningConfig
from tfplm.data.text_files import read_blocks, read_lines
from tfplm.errors import UserError

CONFIG = CleaningConfig()
TEXT = "first line\nsecond line\n\nfourth, 第四行 😀\n"


def read(path, config=CONFIG):
    return "".join(text for _, text in read_blocks(path, config))


def error_of(path, config=CONFIG):
    with pytest.raises(UserError) as caught:
        read(path, config)
    return str(caught.value)


def write(path, data):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


PACKED = [(".gz", gzip.compress), (".zst", zstandard.compress), (".xz", lzma.compress), (".bz2", bz2.compress)]


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), *PACKED])
def test_compressed_and_plain_files_read_the_same(tmp_path, suffix, pack):
    path = write(tmp_path / f"a.txt{suffix}", pack(TEXT.encode() * 60_000))
    assert read(path) == TEXT * 60_000


def test_several_frames_in_one_file_are_read_on(tmp_path):
    frames = zstandard.compress(b"one\n") + zstandard.compress(b"two\n")
    assert read(write(tmp_path / "a.zst", frames)) == "one\ntwo\n"
    members = gzip.compress(b"one\n") + gzip.compress(b"two\n")
    assert read(write(tmp_path / "a.gz", members)) == "one\ntwo\n"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_blocks_end_at_line_ends_and_lines_are_numbered(tmp_path, line_end):
    lines = [f"line {number} 中文" for number in range(1, 200_001)]
    path = write(tmp_path / "a.txt", line_end.join(lines))
    assert list(read_lines(path, CONFIG)) == list(enumerate(lines, start=1))
    assert len(list(read_blocks(path, CONFIG))) > 2


def test_a_byte_order_mark_is_taken_away(tmp_path):
    assert read(write(tmp_path / "a.txt", b"\xef\xbb\xbfhello\n")) == "hello\n"


def test_an_empty_file_has_no_block(tmp_path):
    assert list(read_blocks(write(tmp_path / "a.txt", ""), CONFIG)) == []


def test_a_missing_file_and_a_directory_are_named(tmp_path):
    assert f"There is no file {tmp_path / 'no.txt'}" in error_of(tmp_path / "no.txt")
    assert "is a directory" in error_of(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(tmp_path):
    path = write(tmp_path / "a.txt", TEXT)
    path.chmod(0)
    assert "permission denied" in error_of(path)


def test_invalid_utf8_is_placed_by_line_and_byte(tmp_path):
    path = write(tmp_path / "a.txt", "eins\nzwei\nüber ".encode() + b"\xff drei\n")
    message = error_of(path)
    assert f"{path}, line 3, byte 16: not valid UTF-8 (0xff" in message
    assert "invalid_utf8: replace" in message


def test_invalid_utf8_is_placed_in_a_later_block_too(tmp_path):
    text = ("x" * 99 + "\r\n").encode() * 30_000
    assert "line 30001, byte 3,030,002:" in error_of(write(tmp_path / "a.txt", text + b"ab\xe4\xb8\n"))


def test_invalid_utf8_is_replaced_on_request(tmp_path):
    path = write(tmp_path / "a.txt", b"caf\xe9 au lait\n")
    assert read(path, CleaningConfig(invalid_utf8="replace")) == "caf\ufffd au lait\n"


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        ("我喜欢这本书，写得很好。\n".encode("gb18030") * 100, "iconv -f GB18030 -t UTF-8"),
        ("Größe, Äpfel und “Zitat”\n".encode("cp1252") * 10, "iconv -f WINDOWS-1252 -t UTF-8"),
        (b"How did the fa\xe7ade of the caf\xe9 look ?\n", "iconv -f WINDOWS-1252 -t UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a NUL byte: binary data"),
        ("hello 你好\n".encode("utf-16"), "iconv -f UTF-16 -t UTF-8"),
        ("hello, this is text\n".encode("utf-16-le") * 10, "iconv -f UTF-16LE -t UTF-8"),
        ("hello, this is text\n".encode("utf-16-be") * 10, "iconv -f UTF-16BE -t UTF-8"),
        (gzip.compress(TEXT.encode() * 100), "End its name in .gz"),
        (zstandard.compress(TEXT.encode() * 100), "End its name in .zst"),
        (lzma.compress(TEXT.encode() * 100), "End its name in .xz"),
        (b"%PDF-1.7\n", "pdftotext"),
    ],
)
def test_text_that_is_no_utf8_is_recognised(tmp_path, data, hint):
    assert hint in error_of(write(tmp_path / "a.txt", data))


def test_binary_data_is_refused_even_when_replacing(tmp_path):
    config = CleaningConfig(invalid_utf8="replace")
    message = error_of(write(tmp_path / "a.txt", b"some text\nmore\0text\n"), config)
    assert "line 2, byte 14: a NUL byte: binary data" in message
    assert "control characters" in error_of(write(tmp_path / "b.txt", bytes(range(1, 32)) * 40), config)


def test_a_stray_control_character_is_no_binary_data(tmp_path):
    assert read(write(tmp_path / "a.txt", TEXT + "\x07\x1b[0m")) == TEXT + "\x07\x1b[0m"


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".zst", zstandard.compress)])
def test_a_line_that_is_too_long_is_refused_in_little_memory(tmp_path, suffix, pack):
    path = write(tmp_path / f"a.txt{suffix}", pack(b"short\n" + b"x" * 50_000_000 + b"\nshort\n"))
    tracemalloc.start()
    message = error_of(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert f"{path}, line 2 is longer than 10,000,000 bytes" in message
    assert peak < 60_000_000


def test_the_limit_of_a_line_is_exact(tmp_path):
    path = write(tmp_path / "a.txt", "short\n" + "x" * 100 + "\r\n" + "y" * 100)
    assert read(path, CleaningConfig(max_line_bytes=100)).count("x") == 100
    assert "line 2 is longer than 99 bytes" in error_of(path, CleaningConfig(max_line_bytes=99))


@pytest.mark.parametrize(("suffix", "pack"), PACKED)
@pytest.mark.parametrize("damage", ["cut", "foreign", "flipped"])
def test_damaged_compressed_files_are_named(tmp_path, suffix, pack, damage):
    data = pack(bytes(TEXT, "utf-8") * 1000 + os.urandom(2000).hex().encode())
    flipped = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 0xFF]) + data[len(data) // 2 + 1 :]
    damaged = {"cut": data[:-9], "foreign": b"no such format at all\n", "flipped": flipped}[damage]
    if suffix == ".zst" and damage == "flipped":
        damaged = data[:4] + b"\xff\xff\xff" + data[7:]  # Zstandard writes no checksum unless asked: break the header
    path = write(tmp_path / f"a.txt{suffix}", damaged)
    assert f"{path} is damaged or incomplete" in error_of(path)
