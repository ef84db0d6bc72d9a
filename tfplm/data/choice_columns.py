"""The columns of a table of choices, known by the names that data sets give them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tfplm.data.choice_configuration import ChoiceTableSource
from tfplm.data.configuration import CleaningConfig, TableSource
from tfplm.data.tables import column_names
from tfplm.errors import UserError

# Source: Zellers et al. 2018, "SWAG"; Zellers et al. 2019, "HellaSwag"; Lai et al. 2017, "RACE"; Clark et al. 2018,
# "ARC"; Talmor et al. 2019, "CommonsenseQA"; Huang et al. 2023, "C-Eval"; and their own tables.
_CONTEXTS = ("context", "passage", "article", "ctx", "sent1")
_QUESTIONS = ("question", "sent2")
_LISTS = ("choices", "options", "endings")
_LABELS = ("label", "answer", "answerKey", "gold")
_NUMBERED = re.compile(r"(?:(?:choice|option|ending|sol)_?)?([0-9]+|[A-H])")


@dataclass(frozen=True)
class ChoiceColumns:
    """Where the parts of an example stand.

    Args:
        context: the column of what is asked, or of what it is asked about.
        question: of what stands before every choice, if there is such a column.
        choices: one column of lists, or a column a choice.
        are_lists: which of both.
        label: of the right choice.
    """

    context: str
    question: str | None
    choices: tuple[str, ...]
    are_lists: bool
    label: str

    @property
    def names(self) -> list[str]:
        """All of them."""
        question = [] if self.question is None else [self.question]
        return list(dict.fromkeys([self.context, *question, *self.choices, self.label]))


def find_columns(path: Path, source: ChoiceTableSource, cleaning: CleaningConfig) -> ChoiceColumns:
    """The columns of one table: as the source names them, else by their names.

    Raises:
        UserError: one cannot be told, or the table cannot be read.
    """
    found = column_names(path, TableSource(paths=[str(path)], format=source.format), cleaning)
    context = source.context_column or _first(_CONTEXTS, found)
    question = source.question_column or _first(_QUESTIONS, found)
    if context is None:
        context, question = question, None
    label = source.label_column or _first(_LABELS, found)
    choices, are_lists = _choices(source, found)
    missing = [name for name, column in (("context_column", context), ("label_column", label)) if column is None]
    missing += [] if choices else ["choices_column or choice_columns"]
    if missing:
        raise UserError(
            f"{path}: its columns are {', '.join(map(repr, found)) or 'none'}.",
            f"Expected a context ({', '.join(_CONTEXTS)} or question), choices ({', '.join(_LISTS)}, or choice_0, "
            f"choice_1 …) and a label ({', '.join(_LABELS)}).",
            f"Set {', '.join(missing)} of the source.",
        )
    return ChoiceColumns(context, question if question != context else None, choices, are_lists, label)


def _first(known: Sequence[str], found: Sequence[str]) -> str | None:
    return next((name for name in known if name in found), None)


def _choices(source: ChoiceTableSource, found: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """The columns of the choices, and whether each holds lists."""
    if source.choice_columns is not None:
        return tuple(source.choice_columns), False
    lists = source.choices_column or _first(_LISTS, found)
    if lists is not None:
        return (lists,), True
    numbered = [name for name in found if _NUMBERED.fullmatch(name)]
    numbered.sort(key=lambda name: (not _number(name).isdigit(), _number(name).zfill(3)))
    return tuple(numbered) if len(numbered) > 1 else (), False


def _number(name: str) -> str:
    return _NUMBERED.fullmatch(name).group(1)
