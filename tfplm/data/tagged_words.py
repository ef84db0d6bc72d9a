"""Sentences of words with tags: CoNLL columns, and a sentence a line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tfplm.data.bad_examples import BadExamples
from tfplm.data.configuration import CleaningConfig
from tfplm.data.tables import require_columns
from tfplm.data.tagged_configuration import TaggedColumnsSource, TaggedLinesSource
from tfplm.data.text_files import read_lines
from tfplm.errors import UserError

_MAX_WORD_CHARACTERS = 1000
_SPACES = re.compile(r"[ \t]+")
_NOT_A_WORD = re.compile(r"\d+[-.]\d+")  # CoNLL-U's number of a contraction or of a word that is not there
_DOCUMENT = "-DOCSTART-"
_EMPTY = "an empty word"
_LONG = f"a word of more than {_MAX_WORD_CHARACTERS:,} characters"
_COLUMNS = "another number of columns"


@dataclass(slots=True)
class TaggedSentence:
    """Words with a tag each.

    Args:
        origin: the file and the first line.
        document: the number of its document in the file.
        lines: where each word stands.
    """

    origin: str
    document: int = 0
    words: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def read_columns_file(path: Path, source: TaggedColumnsSource, bad: BadExamples) -> Iterator[TaggedSentence]:
    """Reads CoNLL columns.

    Args:
        path: of the file.
        source: says which columns count.
        bad: takes the sentences with a line that cannot be read; the first such line of each is told.

    Yields:
        The other sentences in order.

    Raises:
        UserError: the file cannot be read, or lacks a column.
    """
    reader = _ColumnReader(path, source)
    sentence, problem, document = TaggedSentence(""), None, 0
    for number, line in read_lines(path, CleaningConfig()):
        origin = f"{path}, line {number}"
        if not line.strip(" \t"):
            yield from _finished(sentence, problem, bad)
            sentence, problem = TaggedSentence("", document), None
        elif line.startswith(_DOCUMENT):
            document += 1
            sentence.document = document
        elif (cells := reader.cells(line, origin, is_first=not sentence.lines)) is not None:
            sentence.origin = sentence.origin or origin
            sentence.lines.append(number)
            problem = problem or reader.problem(cells, origin)
            if not problem:
                sentence.words.append(cells[reader.word])
                sentence.tags.append(cells[reader.tag])
    yield from _finished(sentence, problem, bad)


def read_lines_file(path: Path, source: TaggedLinesSource, bad: BadExamples) -> Iterator[TaggedSentence]:
    """Reads a sentence a line, each word with its tag behind it; otherwise as `read_columns_file`."""
    for number, line in read_lines(path, CleaningConfig()):
        sentence, problem = TaggedSentence(f"{path}, line {number}"), None
        for part in _SPACES.split(line.strip(" \t")) if line.strip(" \t") else ():
            word, found, tag = part.rpartition(source.tag_separator)
            if not problem and not (found and tag):
                problem = (
                    sentence.origin,
                    "a word without a tag",
                    f"'{part[:40]}' has no '{source.tag_separator}' TAG",
                )
            problem = problem or _word_problem(word, sentence.origin)
            sentence.words.append(word)
            sentence.tags.append(tag)
            sentence.lines.append(number)
        yield from _finished(sentence, problem, bad)


Problem = tuple[str, str, str]  # origin, reason, details


def _finished(sentence: TaggedSentence, problem: Problem | None, bad: BadExamples) -> Iterator[TaggedSentence]:
    if problem:
        bad.add(*problem)
    elif sentence.words:
        yield sentence


class _ColumnReader:
    """Cuts the lines of one file into cells; its first line says how many there are, or what their names are.

    Attributes:
        word: the place of the word's cell.
        tag: the place of the tag's cell.
    """

    def __init__(self, path: Path, source: TaggedColumnsSource):
        self._path, self._source = path, source
        self._num_columns: int | None = None
        self._is_tabbed = source.separator == "tab"
        self._has_header = isinstance(source.word_column, str) or isinstance(source.tag_column, str)
        self.word = self.tag = 0

    def cells(self, line: str, origin: str, is_first: bool) -> list[str] | None:
        """The cells of a line; None where it is a comment, the header, or a line of CoNLL-U that is no word."""
        prefix = self._source.comment_prefix
        if prefix is not None and line.startswith(prefix):
            return None
        if self._num_columns is None:
            if prefix is None and self._looks_like_comment(line):
                return None
            self._start(line, origin)
            if self._has_header:
                return None
        cells = self._cut(line)
        if prefix is None and is_first and line.startswith("#") and len(cells) != self._num_columns:
            return None
        return None if self._num_columns == 10 and _NOT_A_WORD.fullmatch(cells[0]) else cells

    def problem(self, cells: list[str], origin: str) -> Problem | None:
        if len(cells) != self._num_columns:
            return origin, _COLUMNS, f"{len(cells)} columns, and {self._num_columns} in the file's first line"
        if not cells[self.tag].strip():
            return origin, "an empty tag", f"the word '{cells[self.word][:40]}' has no tag"
        return _word_problem(cells[self.word], origin)

    def _cut(self, line: str) -> list[str]:
        if self._is_tabbed:
            return [cell.strip(" ") for cell in line.split("\t")]
        return _SPACES.split(line.strip(" \t"))

    def _looks_like_comment(self, line: str) -> bool:
        """Whether a line before the first word is one: CoNLL-U's ``# text = …``."""
        return line.startswith("# ") and "\t" not in line and len(_SPACES.split(line.strip())) > 2

    def _start(self, line: str, origin: str) -> None:
        self._is_tabbed = self._is_tabbed or (self._source.separator == "auto" and "\t" in line)
        first = self._cut(line)
        self._num_columns = len(first)
        self.word, self.tag = (self._place(column, first, origin) for column in self._wanted)
        if self.word == self.tag:
            raise UserError(
                f"{origin}: the word and its tag are both taken from column {self.word + 1} of {len(first)}.",
                "Expected a column for each.",
                "Set word_column and tag_column, or separator.",
            )

    @property
    def _wanted(self) -> tuple[int | str, int | str]:
        return self._source.word_column, self._source.tag_column

    def _place(self, column: int | str, first: list[str], origin: str) -> int:
        if isinstance(column, str):
            require_columns(str(self._path), first, [column], settings="word_column or tag_column")
            return first.index(column)
        if abs(column) > len(first):
            raise UserError(
                f"{origin}: there is no column {column}: the line has {len(first)}.",
                "Expected columns parted by spaces or tabs.",
                "Set word_column and tag_column, or separator.",
            )
        return column % len(first) if column < 0 else column - 1


def _word_problem(word: str, origin: str) -> Problem | None:
    if not word.strip():
        return origin, _EMPTY, _EMPTY
    if len(word) > _MAX_WORD_CHARACTERS:
        return origin, _LONG, f"a word of {len(word):,} characters: '{word[:20]}…'"
    return None
