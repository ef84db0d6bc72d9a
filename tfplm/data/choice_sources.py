"""Questions with choices, read from tables."""

import string
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfplm.data.adjacent_sentences import no_adjacent_sentences, read_following_sentences
from tfplm.data.bad_examples import BadExamples
from tfplm.data.choice_columns import ChoiceColumns, find_columns
from tfplm.data.choice_configuration import ChoiceDataConfig, ChoiceSource, ChoiceTableSource
from tfplm.data.cleaning import clean_text
from tfplm.data.configuration import CleaningConfig
from tfplm.data.file_paths import expand_package_paths, expand_paths
from tfplm.data.pair_configuration import AdjacentSentencesSource
from tfplm.data.sources import describe_source, source_paths, text_digest
from tfplm.data.tables import Row, read_columns, scalar_text
from tfplm.errors import UserError

_SETTING = "finetune.data.on_bad_example"
_COLUMNS = "context_column, question_column, choices_column, choice_columns, label_column, group_column or keep_columns"


@dataclass(frozen=True, slots=True)
class ChoiceExample:
    """A question with choices.

    Args:
        context: clean; what is asked, or what it is asked about.
        question: clean; what stands before every choice; "" where there is no such part.
        choices: clean; two or more.
        label: the number of the right one, from 0.
        origin: the file and line; for messages.
        group: what it must not part from in a split.
        columns: further values by name, where the source keeps some.
    """

    context: str
    question: str
    choices: tuple[str, ...]
    label: int
    origin: str
    group: str
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def asked(self) -> str:
        """Context and question."""
        return f"{self.context} {self.question}".rstrip()

    @property
    def texts(self) -> tuple[str, ...]:
        """What a model that learns from it knows the answer to."""
        return (self.asked,)

    @property
    def key(self) -> str:
        """Of equal examples it is equal, whatever their label."""
        return "\0".join((self.context, self.question, *self.choices))


class _BadEntry(Exception):
    """What makes an example useless: a reason for counting, and its details."""

    def __init__(self, reason: str, details: str = ""):
        super().__init__(reason)
        self.reason, self.details = reason, details


def read_choice_examples(
    source: ChoiceSource, config: ChoiceDataConfig, num_choices: int, dropped: Counter[str]
) -> list[ChoiceExample]:
    """Reads every example of one source in its order; nothing is split, and repeats stay.

    Args:
        source: where they are.
        config: what is bad; its sources are not read.
        num_choices: the most choices of an example.
        dropped: counts, by reason, what is left out; added to.

    Raises:
        UserError: a table cannot be read, an example is bad and may not be left out, or none is left.
    """
    if isinstance(source, AdjacentSentencesSource):
        return _following_examples(source, config, num_choices)
    bad = BadExamples(config.on_bad_example, _SETTING)
    examples = []
    for path in choice_source_paths(source):
        columns = find_columns(path, source, config.cleaning)
        more = [source.group_column] if source.group_column is not None else []
        wanted = list(dict.fromkeys([*columns.names, *more, *source.keep_columns]))
        for origin, row in read_columns(path, source.format, wanted, config.cleaning, settings=_COLUMNS):
            try:
                examples.append(_example(row, origin, source, columns, config.cleaning, num_choices))
            except _BadEntry as error:
                bad.add(origin, error.reason, error.details)
    bad.finish()
    dropped.update(bad.counts)
    if not examples:
        left_out = f"Left out: {dict(bad.counts)}." if bad.counts else ""
        raise UserError(f"There is no question in {describe_choice_source(source)}.", left_out)
    return examples


def _following_examples(
    source: AdjacentSentencesSource, config: ChoiceDataConfig, num_choices: int
) -> list[ChoiceExample]:
    found = read_following_sentences(source, config.cleaning, num_choices)
    examples = [ChoiceExample(e.first, "", e.choices, e.label, e.origin, e.group) for e in found]
    if not examples:
        raise no_adjacent_sentences(source)
    return examples


def describe_choice_source(source: ChoiceSource) -> str:
    """The source in a few words, for messages."""
    if isinstance(source, AdjacentSentencesSource):
        return describe_source(source.text)
    return (f"the package '{source.package}': " if source.package else "") + ", ".join(source.paths)


def choice_source_paths(source: ChoiceSource) -> list[Path]:
    """The files of a source."""
    if isinstance(source, AdjacentSentencesSource):
        return source_paths(source.text)
    if source.package is not None:
        return [path for path, _ in expand_package_paths(source.package, source.paths)]
    return expand_paths(source.paths)


def _example(
    row: Row, origin: str, source: ChoiceTableSource, columns: ChoiceColumns, cleaning: CleaningConfig, num_choices: int
) -> ChoiceExample:
    def text(column: str | None) -> str:
        return "" if column is None else clean_text(scalar_text(row[column], origin, column), cleaning)

    context, question = text(columns.context), text(columns.question)
    if not context:
        raise _BadEntry("an empty context")
    if columns.question is not None and not question:
        raise _BadEntry("an empty question")
    choices, letters = _choices(row, origin, columns, cleaning)
    if len(choices) < 2 or "" in choices:
        number = choices.index("") if "" in choices else len(choices)
        raise _BadEntry("a choice missing", f"choice number {number + 1} of {max(2, len(choices))} is empty")
    if len(choices) > num_choices:
        details = f"{len(choices)} choices, and finetune.task.num_choices is {num_choices}"
        raise _BadEntry("too many choices", details)
    label = _label(scalar_text(row[columns.label], origin, columns.label).strip(), choices, letters, source)
    group = scalar_text(row[source.group_column], origin, source.group_column) if source.group_column else ""
    kept = tuple((name, scalar_text(row[name], origin, name)) for name in source.keep_columns)
    return ChoiceExample(context, question, choices, label, origin, group or text_digest(context), kept)


def _choices(
    row: Row, origin: str, columns: ChoiceColumns, cleaning: CleaningConfig
) -> tuple[tuple[str, ...], list[str]]:
    """The choices, and what each is called where the list says so. Columns that are empty at the end are no choices."""
    letters: list[str] = []
    values: Any = [row[column] for column in columns.choices]
    if columns.are_lists:
        values = values[0]
        if isinstance(values, dict):  # as the `datasets` package has ARC and CommonsenseQA
            letters, values = [str(letter) for letter in values.get("label") or []], values.get("text")
        if not isinstance(values, list):
            raise _BadEntry("choices that are no list", f"'{columns.choices[0]}' holds a {type(values).__name__}")
    texts = [clean_text(scalar_text(value, origin, "choices"), cleaning) for value in values]
    while not columns.are_lists and texts and not texts[-1]:
        texts.pop()
    return tuple(texts), letters


def _label(cell: str, choices: tuple[str, ...], letters: list[str], source: ChoiceTableSource) -> int:
    """The number of the right choice, from 0."""
    if not cell:
        raise _BadEntry("no label")
    found = _readings(cell, choices, letters, source)
    if not found:
        raise _BadEntry(
            "a label that is none of the choices",
            f"the label is {cell!r}, and there are {len(choices)} choices, counted from {source.first_index}",
        )
    if len(found) > 1:
        raise _BadEntry("a label of several choices", f"the label {cell!r} fits the choices {sorted(found)}")
    return found.pop()


def _readings(cell: str, choices: tuple[str, ...], letters: list[str], source: ChoiceTableSource) -> set[int]:
    """The numbers of the choices that a label can mean."""
    ways = {"index", "letter", "text"} if source.label_format == "auto" else {source.label_format}
    if letters and "letter" in ways:
        return {number for number, letter in enumerate(letters[: len(choices)]) if letter == cell}
    found = set()
    if "index" in ways and cell.isdecimal():
        found.add(int(cell) - source.first_index)
    if "letter" in ways and len(cell) == 1 and cell.upper() in string.ascii_uppercase:
        found.add(string.ascii_uppercase.index(cell.upper()))
    if "text" in ways:
        found |= {number for number, choice in enumerate(choices) if choice == cell}
    return {number for number in found if 0 <= number < len(choices)}
