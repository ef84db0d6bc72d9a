"""Finding out what a file is that is no UTF-8 text, so that the message can say how to convert it."""

from collections.abc import Callable

_MAGIC = {  # first bytes: (what it is, what to do)
    b"\x1f\x8b": ("gzip data", "End its name in .gz and it is read as it is."),
    b"\x28\xb5\x2f\xfd": ("Zstandard data", "End its name in .zst and it is read as it is."),
    b"\xfd7zXZ\x00": ("xz data", "End its name in .xz and it is read as it is."),
    b"\x04\x22\x4d\x18": ("LZ4 data", "Unpack it first: lz4 -d FILE.lz4 FILE"),
    b"PK\x03\x04": ("a zip archive (or an office document)", "Unpack it, or save its text as a plain text file."),
    b"%PDF": ("a PDF document", "Extract its text first, for example with pdftotext."),
    b"PAR1": ("Parquet data", "Read it with a source of type: table and format: parquet."),
    b"\xff\xfe": ("UTF-16 text", "Convert it: iconv -f UTF-16 -t UTF-8 FILE > FILE.utf8"),
    b"\xfe\xff": ("UTF-16 text", "Convert it: iconv -f UTF-16 -t UTF-8 FILE > FILE.utf8"),
}
_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b")) + b"\x7f"
_MAX_CONTROL_SHARE = 0.01  # of a block: text that somebody typed has none, or a stray one


def foreign_format(start: bytes) -> tuple[str, str] | None:
    """Recognises the first bytes of a file; returns what it is and what to do, or None where it may be text."""
    return next((answer for magic, answer in _MAGIC.items() if start.startswith(magic)), None)


def find_binary(block: bytes) -> tuple[int, str, str] | None:
    """Looks for bytes that no text holds.

    Returns:
        None for text, else the offset of the first such byte, what was found and what to do.
    """
    nul = block.find(b"\0")
    if nul >= 0:
        if (encoding := _likely_utf16(block)) is not None:
            remedy = f"Convert it: iconv -f {encoding} -t UTF-8 FILE > FILE.utf8"
            return nul, "UTF-16 text without a byte-order mark", remedy
        return nul, "a NUL byte: binary data", "Name text files only."
    text_bytes = len(block.translate(None, _CONTROL_BYTES))
    if len(block) - text_bytes > max(2, _MAX_CONTROL_SHARE * len(block)):
        first = next(offset for offset, byte in enumerate(block) if byte in _CONTROL_BYTES)
        return first, f"{len(block) - text_bytes} control characters: binary data", "Name text files only."
    return None


def encoding_remedy(block: bytes) -> str:
    """Says what to do with bytes that are not valid UTF-8, by the encoding that they look like."""
    lenient = block.decode("utf-8", errors="replace")
    num_broken = lenient.count("\ufffd")
    num_valid = sum(not character.isascii() for character in lenient) - num_broken
    if num_valid >= num_broken:
        return "It is UTF-8 otherwise: mend the file, or set cleaning.invalid_utf8: replace."
    encoding = next(
        (name for name, looks_right in _LIKELY_ENCODINGS.items() if _decodes(block, name, looks_right)), None
    )
    if encoding is None:
        return (
            "Convert it to UTF-8 (iconv -f ENCODING -t UTF-8 FILE > FILE.utf8), or set cleaning.invalid_utf8: replace."
        )
    return f"It looks like {encoding}; convert it: iconv -f {encoding} -t UTF-8 FILE > FILE.utf8"


def _is_common_chinese(character: str) -> bool:
    """Whether it is in GB 2312, the common part: almost any two bytes are something in GB18030."""
    try:
        return bool(character.encode("gb2312"))
    except UnicodeEncodeError:
        return False


def _is_western(character: str) -> bool:
    return character.isalpha() or character in "‘’“”–—…€£«»°¿¡•\xa0"


_LIKELY_ENCODINGS: dict[str, Callable[[str], bool]] = {"GB18030": _is_common_chinese, "WINDOWS-1252": _is_western}


def _decodes(block: bytes, encoding: str, looks_right: Callable[[str], bool]) -> bool:
    """Whether the bytes decode, an incomplete end aside, to characters most of which belong to the encoding's users."""
    sample = block[:65536]
    for cut in range(4):
        try:
            text = sample[: len(sample) - cut].decode(encoding)
        except UnicodeDecodeError:
            continue
        foreign = [character for character in text if not character.isascii()]
        return bool(foreign) and sum(map(looks_right, foreign)) >= 0.8 * len(foreign)
    return False


def _likely_utf16(block: bytes) -> str | None:
    """Western text in UTF-16 has a NUL in every second byte, and none in the others."""
    sample = block[:4096]
    nul_at_even, nul_at_odd = sample[::2].count(0), sample[1::2].count(0)
    if max(nul_at_even, nul_at_odd) < 0.15 * len(sample) or min(nul_at_even, nul_at_odd) > 0:
        return None
    return "UTF-16BE" if nul_at_even else "UTF-16LE"
