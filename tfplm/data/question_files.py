"""Questions as they stand in files: SQuAD's JSON and JSON lines, nothing checked but what can be read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfplm.data.configuration import CleaningConfig
from tfplm.data.file_paths import expand_package_paths, expand_paths
from tfplm.data.question_configuration import QuestionSource
from tfplm.data.tables import read_json_objects
from tfplm.data.text_files import COMPRESSIONS, read_blocks
from tfplm.errors import UserError

_FORMATS = {".json": "squad", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_ONE_LINE = CleaningConfig(max_line_bytes=1 << 30)  # SQuAD's files are a line each
_PASSAGE_KEYS = ("passage", "context")
_SQUAD = 'Expected SQuAD\'s JSON: {"data": [{"paragraphs": [{"context": "…", "qas": [{"question": "…", …}]}]}]}.'


@dataclass(frozen=True, slots=True)
class QuestionEntry:
    """What stands in a file for one question; values are of any JSON type, None where there is none.

    Args:
        origin: the file and the place in it, which serve as an id where there is none.
        values: id, question, answers, answer, is_impossible by these names.
        passage: what it is asked about.
        document: the name of what the passage is of; "" where it is not told.
        says_impossible: whether an empty list of answers says that there is none.
    """

    origin: str
    values: Any
    passage: Any
    document: str
    says_impossible: bool


def question_paths(source: QuestionSource) -> list[Path]:
    """The files of a source, in the order in which they are read. Raises UserError where one is missing."""
    if source.package is not None:
        return [path for path, _ in expand_package_paths(source.package, source.paths)]
    return expand_paths(source.paths)


def read_entries(source: QuestionSource) -> Iterator[QuestionEntry]:
    """Reads every question of a source. Raises UserError where a file cannot be read or is of another form."""
    for path in question_paths(source):
        kind = source.format or _format_by_suffix(path)
        yield from _read_squad(path) if kind == "squad" else _read_json_lines(path)


def _format_by_suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in COMPRESSIONS]
    found = _FORMATS.get(suffixes[-1]) if suffixes else None
    if found is None:
        raise UserError(
            f"The name of {path} does not say whether it holds SQuAD's JSON or JSON lines.",
            f"Expected one of {', '.join(_FORMATS)} ({', '.join(COMPRESSIONS)} may follow).",
            "Set format: squad or jsonl.",
        )
    return found


def _read_squad(path: Path) -> Iterator[QuestionEntry]:
    text = "".join(block for _, block in read_blocks(path, _ONE_LINE))
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        lines = "It looks like JSON lines: set format: jsonl." if _is_json_line(text) else ""
        raise UserError(f"{path} is not valid JSON: {error}.", _SQUAD, lines) from error
    for document, article in _items(whole, "data", path, ""):
        title = article.get("title") if isinstance(article, dict) else None
        name = f"{path.name}: {title if isinstance(title, str) and title else document}"
        for where, paragraph in _items(article, "paragraphs", path, document):
            for place, question in _items(paragraph, "qas", path, where):
                origin = f"{path}, {place}{_id_in_words(question)}"
                yield QuestionEntry(origin, question, paragraph.get("context"), name, says_impossible=False)


def _items(holder: Any, key: str, path: Path, where: str) -> Iterator[tuple[str, Any]]:
    """The items of a list, with the place of each; raises UserError where there is no such list."""
    items = holder.get(key) if isinstance(holder, dict) else None
    place = f"{where}.{key}" if where else key
    if not isinstance(items, list):
        raise UserError(f"{path} is not of SQuAD's form: {place} is no list.", _SQUAD)
    for number, item in enumerate(items):
        yield f"{place}[{number}]", item


def _id_in_words(question: Any) -> str:
    found = question.get("id") if isinstance(question, dict) else None
    return f" (id {found})" if isinstance(found, str | int) and found != "" else ""


def _is_json_line(text: str) -> bool:
    try:
        return isinstance(json.loads(text.partition("\n")[0]), dict)
    except (ValueError, RecursionError):
        return False


def _read_json_lines(path: Path) -> Iterator[QuestionEntry]:
    for origin, values in read_json_objects(path, _ONE_LINE):
        passage = next((values[key] for key in _PASSAGE_KEYS if key in values), None)
        title = values.get("title")
        document = f"{path.name}: {title}" if isinstance(title, str) and title else ""
        yield QuestionEntry(origin + _id_in_words(values), values, passage, document, says_impossible=True)
