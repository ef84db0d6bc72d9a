"""Pairs from the lists of package descriptions that Debian publishes: summaries that people wrote."""

from collections.abc import Iterator
from pathlib import Path

from tfplm.data.configuration import CleaningConfig
from tfplm.data.pair import Pair
from tfplm.data.sources import text_digest
from tfplm.data.text_files import read_lines
from tfplm.errors import UserError

_EXPECTED = "Expected stanzas such as 'Package: hello', 'Description-en: example package', ' A longer text …'."


def read_package_descriptions(path: Path, cleaning: CleaningConfig) -> Iterator[Pair]:
    """Reads the descriptions of one list.

    Source: Debian Policy Manual, sections 5.1 (syntax of control files) and 5.6.13 (Description).

    Yields:
        The long description, its wrapped lines joined and its paragraphs parted by blank lines, with the synopsis as
        the target. The group is the first paragraph: packages built from the same source share it.

    Raises:
        UserError: the file cannot be read or is no such list.
    """
    empty = True
    for line, synopsis, lines in _descriptions(path, cleaning):
        empty = False
        text = _unwrapped(lines)
        yield Pair(text, synopsis, f"{path}, line {line}", text_digest(text.split("\n\n")[0]) if text else "")
    if empty:
        raise UserError(f"{path} has no package descriptions.", _EXPECTED)


def _descriptions(path: Path, cleaning: CleaningConfig) -> Iterator[tuple[int, str, list[str]]]:
    """The number of the first line, the synopsis and the other lines, less the space that they begin with."""
    found: tuple[int, str, list[str]] | None = None
    field = ""
    for number, line in read_lines(path, cleaning):
        if line.startswith((" ", "\t")) and line.strip():
            if not field:
                raise _malformed(path, number, line)
            if found is not None:
                found[2].append(line[1:])
            continue
        if found is not None:
            yield found
        field, colon, value = line.partition(":")
        if line.strip() and not (colon and field.strip()):
            raise _malformed(path, number, line)
        found = (number, value.strip(), []) if _is_description(field.lower()) else None
    if found is not None:
        yield found


def _is_description(field: str) -> bool:
    """Whether a field is Description or, in a translation, Description-en."""
    return field == "description" or (field.startswith("description-") and field != "description-md5")


def _unwrapped(lines: list[str]) -> str:
    """A line that begins with one more space is shown as it stands, and a lone dot is a blank line."""
    text = ""
    for line in lines:
        content, verbatim = line.strip(), line[:1].isspace()
        if content == ".":
            text += "\n\n"
            continue
        joint = "" if not text or text.endswith("\n") else "\n" if verbatim else " "
        text += joint + content + ("\n" if verbatim else "")
    return text


def _malformed(path: Path, number: int, line: str) -> UserError:
    return UserError(f"{path}, line {number}: no field of a package: {line[:60]!r}.", _EXPECTED)
