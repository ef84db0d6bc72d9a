"""Reading text files in blocks: compressed or not, and with a message for everything that is not text."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path

from tfplm.data.configuration import CleaningConfig
from tfplm.data.foreign_text import encoding_remedy, find_binary, foreign_format
from tfplm.errors import UserError

COMPRESSIONS = {".gz": "gzip", ".zst": "Zstandard", ".xz": "xz", ".bz2": "bzip2"}  # by what a name ends in

_CHUNK_BYTES = 1 << 20
_OPENERS = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
_ZSTANDARD_INPUT_BYTES = 512  # decompresses to 16 MB at most, whatever the file holds


def read_blocks(path: Path, cleaning: CleaningConfig) -> Iterator[tuple[int, str]]:
    r"""Reads a file as text, in blocks of about 1 MB that end where a line ends.

    Args:
        path: a text file; what ends in .gz, .zst, .xz or .bz2 is decompressed.
        cleaning: says how long a line may be and what happens to invalid UTF-8.

    Yields:
        The number of the block's first line (from 1), and its text with "\n" at line ends and no byte-order mark.

    Raises:
        UserError: the file is missing, unreadable, damaged, binary, not UTF-8, or has a line that is too long.
    """
    line, offset = 1, 0
    for block in _whole_lines(path, cleaning.max_line_bytes):
        text = _decode(block, path, line, offset, cleaning)
        if offset == 0:
            text = text.removeprefix("\ufeff")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        yield line, text
        line += text.count("\n")
        offset += len(block)


def read_lines(path: Path, cleaning: CleaningConfig) -> Iterator[tuple[int, str]]:
    """Yields the number of every line (from 1) and its text, without the newline. Raises as ``read_blocks`` does."""
    for first_line, block in read_blocks(path, cleaning):
        yield from enumerate(block.removesuffix("\n").split("\n"), start=first_line)


def unreadable(path: Path, error: Exception) -> UserError:
    """The message for a file that cannot be opened or read."""
    if isinstance(error, FileNotFoundError):
        return UserError(f"There is no file {path}.")
    if isinstance(error, IsADirectoryError):
        return UserError(f"{path} is a directory.", "Expected a file.", f"Name its files, for example {path}/*.txt")
    if isinstance(error, PermissionError):
        return UserError(f"{path} cannot be read: permission denied.", remedy="Give this user the right to read it.")
    suffix = path.suffix.lower()
    damaged = isinstance(error, gzip.BadGzipFile) or (suffix == ".bz2" and getattr(error, "errno", None) is None)
    if isinstance(error, OSError) and not damaged:
        return UserError(f"{path} cannot be read: {error.strerror or error}.")
    kind = COMPRESSIONS.get(suffix, path.suffix.lstrip("."))
    return UserError(f"{path} is damaged or incomplete: {error}.", f"Expected {kind} data.", "Copy or pack it again.")


def _whole_lines(path: Path, max_line_bytes: int) -> Iterator[bytes]:
    """Cuts the file after line ends; holds one block and an unfinished line, which is never longer than allowed.

    A file of less than a block comes in one piece, so that what it is can be seen from all of it.
    """
    pending, num_lines = bytearray(), 0
    for chunk in _read_chunks(path):
        pending += chunk
        if len(pending) < _CHUNK_BYTES:
            continue
        cut = pending.rfind(b"\n") + 1 or pending.rfind(b"\r", 0, -1) + 1
        if cut:
            block = bytes(pending[:cut])
            del pending[:cut]
            _check_lines(block, path, num_lines, max_line_bytes)
            yield block
            num_lines += _count_lines(block)
        if len(pending) > max_line_bytes:
            raise _too_long(path, num_lines + 1, max_line_bytes)
    if pending:
        _check_lines(bytes(pending), path, num_lines, max_line_bytes)
        yield bytes(pending)


def _count_lines(block: bytes) -> int:
    return block.count(b"\n") + (block.count(b"\r") - block.count(b"\r\n") if b"\r" in block else 0)


def _check_lines(block: bytes, path: Path, lines_before: int, max_line_bytes: int) -> None:
    """A block is seldom longer than one line may be; where it is, its lines are measured."""
    if len(block) > max_line_bytes:
        for number, line in enumerate(block.splitlines(), start=lines_before + 1):
            if len(line) > max_line_bytes:
                raise _too_long(path, number, max_line_bytes)


def _too_long(path: Path, line: int, max_line_bytes: int) -> UserError:
    return UserError(
        f"{path}, line {line} is longer than {max_line_bytes:,} bytes.",
        "Expected text with line ends; so long a line is mostly binary data or a damaged file.",
        "Leave the file out, break its lines, or raise cleaning.max_line_bytes.",
    )


def _decode(block: bytes, path: Path, line: int, offset: int, cleaning: CleaningConfig) -> str:
    foreign = foreign_format(block) if offset == 0 else None
    if foreign is not None:
        raise UserError(f"{path} is {foreign[0]}.", "Expected UTF-8 text.", foreign[1])
    binary = find_binary(block)
    if binary is not None:
        where, found, remedy = binary
        raise UserError(_position(path, block, where, line, offset) + f": {found}.", "Expected UTF-8 text.", remedy)
    try:
        return block.decode("utf-8", errors="strict" if cleaning.invalid_utf8 == "error" else "replace")
    except UnicodeDecodeError as error:
        where = _position(path, block, error.start, line, offset)
        byte = f"0x{block[error.start]:02x}"
        raise UserError(f"{where}: not valid UTF-8 ({byte}: {error.reason}).", remedy=encoding_remedy(block)) from error


def _position(path: Path, block: bytes, start: int, line: int, offset: int) -> str:
    return f"{path}, line {line + _count_lines(block[:start])}, byte {offset + start:,}"


def _read_chunks(path: Path) -> Iterator[bytes]:
    """Yields the file's bytes, decompressed. Raises UserError when they cannot be had."""
    suffix = path.suffix.lower()
    if suffix == ".zst":
        yield from _read_zstandard(path)
        return
    try:
        with _OPENERS.get(suffix, open)(path, "rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise unreadable(path, error) from error


def _read_zstandard(path: Path) -> Iterator[bytes]:
    """Goes through one frame after the other and sees, unlike the package's own stream, when the last one is cut."""
    import zstandard

    decompressor = None
    try:
        with path.open("rb") as file:
            while compressed := file.read(_ZSTANDARD_INPUT_BYTES):
                while compressed:
                    decompressor = decompressor or zstandard.ZstdDecompressor().decompressobj()
                    if chunk := decompressor.decompress(compressed):
                        yield chunk
                    compressed = decompressor.unused_data if decompressor.eof else b""
                    decompressor = None if decompressor.eof else decompressor
    except (OSError, zstandard.ZstdError) as error:
        raise unreadable(path, error) from error
    if decompressor is not None:
        raise unreadable(path, EOFError("its last frame has no end"))
