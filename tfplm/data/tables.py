"""Rows of CSV, TSV, JSON lines and Parquet files, read as a stream."""

import csv
import difflib
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tfplm.data.configuration import CleaningConfig, HuggingFaceSource, TableSource, TfdsSource
from tfplm.data.text_files import COMPRESSIONS, read_lines, unreadable
from tfplm.errors import UserError

_FORMATS = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_DELIMITERS = {"csv": ",", "tsv": "\t"}
_PARQUET_ROWS = 256  # a batch; their texts are in memory at once

_JSON_LINES = 'Expected JSON lines: one object in each line, such as {"text": "…", "label": "…"}.'

_LABELLED_COLUMNS = "text_column, text_pair_column, label_column or group_column"

Row = dict[str, Any]


def read_rows(path: Path, source: TableSource, cleaning: CleaningConfig) -> Iterator[tuple[str, Row]]:
    """Reads the rows of one table.

    Yields:
        Where the row stands ("reviews.csv, line 12"), and the values of the columns that the source names.

    Raises:
        UserError: the file cannot be read, is malformed, or lacks a column.
    """
    return read_columns(path, source.format, named_columns(source), cleaning, quotes=_quotes(path, source))


def column_names(path: Path, source: TableSource, cleaning: CleaningConfig) -> list[str]:
    """The columns of a table, as its first row has them. Raises UserError as `read_rows`."""
    table_format = source.format or _format_by_suffix(path)
    if table_format == "parquet":
        return _parquet_columns(path)
    line = next((line for _, line in read_lines(path, cleaning) if line.strip()), "")
    if table_format != "jsonl":
        quoting = csv.QUOTE_MINIMAL if _quotes(path, source) else csv.QUOTE_NONE
        record = next(csv.reader([line], delimiter=_DELIMITERS[table_format], quoting=quoting), [])
        return [name.strip() for name in record]
    return list(_json_object(line, f"{path}, line 1"))


def _quotes(path: Path, source: TableSource) -> bool:
    if source.quotes is not None:
        return source.quotes
    return source.layout != "glue" or (source.format or _format_by_suffix(path)) != "tsv"


def named_columns(source: TableSource | HuggingFaceSource | TfdsSource) -> list[str]:
    """The columns that a source names, each once."""
    columns = (
        source.text_column,
        source.text_pair_column,
        source.label_column,
        source.group_column,
        *source.keep_columns,
    )
    return list(dict.fromkeys(name for name in columns if name is not None))


def read_columns(
    path: Path,
    table_format: str | None,
    columns: list[str],
    cleaning: CleaningConfig,
    settings: str = _LABELLED_COLUMNS,
    quotes: bool = True,
) -> Iterator[tuple[str, Row]]:
    """Reads some columns of one table.

    Args:
        path: the table.
        table_format: csv, tsv, jsonl or parquet; None: by the file's suffix.
        columns: their names.
        cleaning: how lines are read.
        settings: the settings that name columns, for the message where one is not there.
        quotes: whether fields of CSV and TSV may stand in quotes.

    Yields:
        As `read_rows`, and raises as it does.
    """
    table_format = table_format or _format_by_suffix(path)
    if table_format == "parquet":
        yield from _read_parquet(path, columns, settings)
    elif table_format == "jsonl":
        yield from _read_json_lines(path, columns, cleaning, settings)
    else:
        yield from _read_separated(path, columns, cleaning, settings, _DELIMITERS[table_format], quotes)


def require_columns(
    origin: str, found: Iterable[str], wanted: Iterable[str], remedy: str = "", settings: str = _LABELLED_COLUMNS
) -> None:
    """Raises UserError, which names the columns found and a close match, where a wanted column is not there."""
    found = list(found)
    for name in wanted:
        if name not in found:
            close = difflib.get_close_matches(name, found, n=1)
            close = [other for other in found if other.strip().lower() == name.strip().lower()] or close
            hint = f"Did you mean '{close[0]}'? " if close else ""
            raise UserError(
                f"{origin} has no column '{name}'.",
                f"Columns found: {', '.join(repr(column) for column in found) or 'none'}.",
                remedy or f"{hint}Set {settings}.",
            )


def scalar_text(value: Any, origin: str, column: str) -> str:
    """A cell as text: numbers as people write them, true and false, nothing for null. Raises UserError for the rest."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and not value.is_integer()):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{origin}: column '{column}' holds bytes that are not UTF-8: {error}.") from error
    raise UserError(f"{origin}: column '{column}' holds a {type(value).__name__}.", "Expected text or a number.")


def _format_by_suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in COMPRESSIONS]
    found = _FORMATS.get(suffixes[-1]) if suffixes else None
    if found is None:
        raise UserError(
            f"The name of {path} does not say what kind of table it is.",
            f"Expected one of {', '.join(_FORMATS)} ({', '.join(COMPRESSIONS)} may follow).",
            "Set format: csv, tsv, jsonl or parquet.",
        )
    return found


def _read_separated(
    path: Path, columns: list[str], cleaning: CleaningConfig, settings: str, delimiter: str, quotes: bool
) -> Iterator[tuple[str, Row]]:
    csv.field_size_limit(max(csv.field_size_limit(), cleaning.max_line_bytes))
    lines = (line + "\n" for _, line in read_lines(path, cleaning))
    quoting = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    records = csv.reader(lines, delimiter=delimiter, strict=True, quoting=quoting)
    header, start = None, 1
    try:
        for record in records:
            origin, start = f"{path}, line {start}", records.line_num + 1
            if header is None and record:
                header = _check_header(record, path, columns, settings, delimiter)
            elif record:
                if len(record) != len(header):
                    raise _uneven(origin, len(record), len(header))
                yield origin, {name: record[header.index(name)] for name in columns}
    except csv.Error as error:
        raise UserError(
            f"{path}, line {start}: malformed table: {error}.",
            "Expected a field in quotes to end with its quote, and quotes inside it to be doubled.",
            "Mend the quotes of the record that starts in this line.",
        ) from error


def _check_header(header: list[str], path: Path, columns: list[str], settings: str, delimiter: str) -> list[str]:
    header = [name.strip() for name in header]
    other = next((mark for mark in "\t;|," if mark != delimiter and mark in header[0]), None)
    wrong_separator = other is not None and len(header) == 1
    remedy = f"Its columns seem to be parted by {other!r}: expected {delimiter!r}." if wrong_separator else ""
    require_columns(str(path), header, columns, remedy, settings)
    twice = [name for name in columns if header.count(name) > 1]
    if twice:
        raise UserError(f"{path}: the column '{twice[0]}' stands twice in the header.", remedy="Rename one of them.")
    return header


def _uneven(origin: str, found: int, expected: int) -> UserError:
    return UserError(
        f"{origin}: {found} fields.",
        f"Expected {expected}, as in the header.",
        'Put fields that hold separators, quotes or line ends in quotes: "like, this".',
    )


def _read_json_lines(
    path: Path, columns: list[str], cleaning: CleaningConfig, settings: str
) -> Iterator[tuple[str, Row]]:
    for origin, row in read_json_objects(path, cleaning):
        require_columns(origin, row, columns, settings=settings)
        yield origin, {name: row[name] for name in columns}


def read_json_objects(path: Path, cleaning: CleaningConfig) -> Iterator[tuple[str, Row]]:
    """Reads JSON lines, an object in each.

    Yields:
        Where the object stands, and all that it holds.

    Raises:
        UserError: the file cannot be read, or a line is no JSON object.
    """
    for number, line in read_lines(path, cleaning):
        if not line or line.isspace():
            continue
        origin = f"{path}, line {number}"
        yield origin, _json_object(line, origin)


def _json_object(line: str, origin: str) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{origin}: not valid JSON: {error}.", _JSON_LINES) from error
    if not isinstance(row, dict):
        raise UserError(f"{origin}: holds a {type(row).__name__}.", _JSON_LINES)
    return row


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.read_schema(path).names
    except (OSError, pyarrow.ArrowException) as error:
        raise unreadable(path, error) from error


def _read_parquet(path: Path, columns: list[str], settings: str) -> Iterator[tuple[str, Row]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with path.open("rb") as file, parquet.ParquetFile(file) as table:
            require_columns(str(path), table.schema_arrow.names, columns, settings=settings)
            number = 0
            for batch in table.iter_batches(batch_size=_PARQUET_ROWS, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", row
    except (OSError, pyarrow.ArrowException) as error:
        raise unreadable(path, error) from error
