"""Documents from every kind of source, one at a time."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tfplm.data.cleaning import clean_lines, clean_text
from tfplm.data.configuration import (
    CleaningConfig,
    HuggingFaceSource,
    PackageSource,
    PathLabel,
    Source,
    TableSource,
    TextSource,
    TfdsSource,
)
from tfplm.data.dataset_packages import read_huggingface_rows, read_tfds_rows
from tfplm.data.file_paths import expand_package_paths, expand_paths
from tfplm.data.glue import with_known_columns
from tfplm.data.tables import Row, read_rows, scalar_text
from tfplm.data.text_files import read_blocks
from tfplm.errors import UserError

MAX_DOCUMENT_CHARACTERS = 1 << 24  # a longer file goes on as another document, so that memory stays bounded


@dataclass(frozen=True, slots=True)
class Document:
    """A clean text and where it comes from.

    Args:
        text: clean.
        origin: the file and line, or the row of the dataset; for messages.
        label: one label, several (multi-label), or None where the source gives none.
        group: what must not part in a split: the group column's value, else the digest of the text.
        text_pair: the second text, where the source gives pairs.
        columns: further values by name, where the source keeps some.
    """

    text: str
    origin: str
    label: str | list[str] | None
    group: str
    text_pair: str | None = None
    columns: tuple[tuple[str, str], ...] = ()


def text_digest(text: str) -> str:
    """16 hexadecimal digits that tell texts apart."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def pair_key(text: str, text_pair: str | None) -> str:
    """What tells texts and pairs apart: the text, or both with a mark in between that clean text cannot hold."""
    return text if text_pair is None else f"{text}\0{text_pair}"


def part_digests(text: str) -> set[str]:
    """Digests of a document and of its parts, which another source may read as documents: paragraphs and lines."""
    return {text_digest(part) for part in (text, *text.split("\n\n"), *text.split("\n"))}


def source_paths(source: Source) -> list[Path]:
    """The files of a source, in the order in which they are read; none for a dataset that another package keeps."""
    if isinstance(source, PackageSource):
        return [path for path, _ in expand_package_paths(source.package, source.paths)]
    return expand_paths(source.paths) if isinstance(source, TextSource | TableSource) else []


def read_documents(source: Source, cleaning: CleaningConfig, keep_empty: bool = False) -> Iterator[Document]:
    """Reads a source as a stream: memory holds one block of a file, or one document, whatever the source's size.

    Args:
        source: where the documents are.
        cleaning: what is done to them.
        keep_empty: whether documents without text come too, for somebody who counts them.

    Yields:
        The documents, clean, in the same order every time.

    Raises:
        UserError: the source cannot be found or read, is malformed, or has no text at all.
    """
    empty = True
    for document in _read(source, cleaning):
        empty = empty and not document.text
        if document.text or keep_empty:
            yield document
    if empty:
        raise UserError(f"There is no text in {describe_source(source)}.", "Expected at least one document.")


def describe_source(source: Source) -> str:
    """The source in a few words, for messages."""
    if isinstance(source, HuggingFaceSource | TfdsSource):
        return f"the dataset '{source.name}', split '{source.split}'"
    inside = f"the package '{source.package}': " if isinstance(source, PackageSource) else ""
    return inside + ", ".join(source.paths)


def _read(source: Source, cleaning: CleaningConfig) -> Iterator[Document]:
    if isinstance(source, TextSource):
        files = [(path, path.as_posix()) for path in expand_paths(source.paths)]
        yield from _read_text_files(files, source, cleaning)
    elif isinstance(source, PackageSource):
        yield from _read_text_files(expand_package_paths(source.package, source.paths), source, cleaning)
    elif isinstance(source, TableSource):
        for path in expand_paths(source.paths):
            named = with_known_columns(path, source, cleaning)
            yield from _documents_of_rows(read_rows(path, named, cleaning), named, cleaning)
    elif isinstance(source, HuggingFaceSource):
        yield from _documents_of_rows(read_huggingface_rows(source), source, cleaning)
    else:
        yield from _documents_of_rows(read_tfds_rows(source), source, cleaning)


def _read_text_files(
    files: list[tuple[Path, str]], source: TextSource | PackageSource, cleaning: CleaningConfig
) -> Iterator[Document]:
    read = {"file": _file_texts, "paragraph": _paragraph_texts, "line": _line_texts}[source.document]
    for path, name in files:
        label = path_label(name, source.label)
        for line, text in read(path, cleaning):
            origin = name if source.document == "file" else f"{name}, line {line}"
            yield Document(text, origin, label, text_digest(text))


def path_label(name: str, label: str | PathLabel | None) -> str | None:
    """The label of a file: fixed, or taken from its path; None where the path says nothing."""
    if not isinstance(label, PathLabel):
        return label
    match = re.search(label.pattern, name)
    if match is None or not match.group(1):
        return None
    if label.ranges is None:
        return match.group(1)
    try:
        number = int(match.group(1))
    except ValueError as error:
        raise UserError(
            f"{name}: '{match.group(1)}', found by label.pattern '{label.pattern}', is not a number.",
            "With label.ranges the first group is a number.",
        ) from error
    return next((name for name, (first, last) in label.ranges.items() if first <= number <= last), None)


def _file_texts(path: Path, cleaning: CleaningConfig) -> Iterator[tuple[int, str]]:
    parts, num_characters = [], 0
    for line, block in read_blocks(path, cleaning):
        parts.append(block)
        num_characters += len(block)
        if num_characters >= MAX_DOCUMENT_CHARACTERS:
            yield line, clean_text("".join(parts), cleaning)
            parts, num_characters = [], 0
    yield 1, clean_text("".join(parts), cleaning)


def _line_texts(path: Path, cleaning: CleaningConfig) -> Iterator[tuple[int, str]]:
    for first_line, block in read_blocks(path, cleaning):
        lines = block.removesuffix("\n").split("\n")
        tidy = clean_lines(block, cleaning).removesuffix("\n").split("\n")  # at once: many times faster
        if len(tidy) != len(lines):  # a line holds a rarer line end, of which only the file's own count
            tidy = (clean_text(line, cleaning) for line in lines)
        yield from enumerate(tidy, start=first_line)


def _paragraph_texts(path: Path, cleaning: CleaningConfig) -> Iterator[tuple[int, str]]:
    paragraph: list[str] = []
    first_line = 1
    for number, line in _line_texts(path, cleaning):
        if line:
            first_line = first_line if paragraph else number
            paragraph.append(line)
        elif paragraph:
            yield first_line, "\n".join(paragraph)
            paragraph = []
    yield first_line, "\n".join(paragraph)


def _documents_of_rows(
    rows: Iterable[tuple[str, Row]], source: TableSource | HuggingFaceSource | TfdsSource, cleaning: CleaningConfig
) -> Iterator[Document]:
    for origin, row in rows:
        text = _cell_text(row, origin, source.text_column, cleaning)
        pair = _cell_text(row, origin, source.text_pair_column, cleaning) if source.text_pair_column else None
        label = _row_label(row, origin, source) if source.label_column is not None else None
        group = scalar_text(row[source.group_column], origin, source.group_column) if source.group_column else ""
        columns = tuple((name, scalar_text(row[name], origin, name)) for name in source.keep_columns)
        yield Document(text, origin, label, group or text_digest(pair_key(text, pair)), pair, columns)


def _cell_text(row: Row, origin: str, column: str, cleaning: CleaningConfig) -> str:
    return clean_text(scalar_text(row[column], origin, column), cleaning)


def _row_label(row: Row, origin: str, source: TableSource | HuggingFaceSource | TfdsSource) -> str | list[str]:
    value = row[source.label_column]
    if isinstance(value, list):
        return [scalar_text(item, origin, source.label_column).strip() for item in value]
    label = scalar_text(value, origin, source.label_column).strip()
    if source.label_separator is None:
        return label
    return [part.strip() for part in label.split(source.label_separator) if part.strip()]
