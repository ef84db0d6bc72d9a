"""Texts with partners, one at a time, from every source that gives them."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tfplm.data.adjacent_sentences import no_adjacent_sentences, read_adjacent_sentences
from tfplm.data.bad_examples import BadExamples
from tfplm.data.cleaning import clean_text
from tfplm.data.configuration import CleaningConfig
from tfplm.data.embedding_configuration import EmbeddingDataConfig, EmbeddingSource, EmbeddingTableSource, has_partners
from tfplm.data.file_paths import expand_package_paths, expand_paths
from tfplm.data.pair_configuration import AdjacentSentencesSource, AlignedHtmlSource, DebianDescriptionsSource
from tfplm.data.pair_sources import describe_pair_source, read_pairs
from tfplm.data.sources import Document, describe_source, read_documents, source_paths, text_digest
from tfplm.data.tables import Row, read_columns, scalar_text
from tfplm.errors import UserError

_SETTING = "finetune.data.on_bad_example"
_OF_TEXTS = ("text_column", "text_pair_column", "negative_column")
_COLUMNS = "text_column, text_pair_column, negative_column, score_column, group_column or keep_columns"


@dataclass(frozen=True, slots=True)
class EmbeddingExample:
    """A text, and what is near to it or not.

    Args:
        text: clean.
        partner: clean; None where the text stands alone.
        origin: the file and line, or the row of the dataset; for messages.
        group: what it must not part from in a split.
        negative: a text that is no partner, though it seems to be one.
        score: of the likeness of the pair, as the source gives it.
        is_partner: whether the pair is near, which a low score denies.
        columns: further values by name, where the source keeps some.
    """

    text: str
    partner: str | None
    origin: str
    group: str
    negative: str | None = None
    score: float | None = None
    is_partner: bool = True
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def asked(self) -> str:
        """What is looked for partners of."""
        return self.text

    @property
    def texts(self) -> tuple[str, ...]:
        """All that it holds."""
        return tuple(text for text in (self.text, self.partner, self.negative) if text is not None)

    @property
    def key(self) -> str:
        """Of equal examples it is equal, whatever their score."""
        return "\0".join(self.texts)


class _Entry(NamedTuple):
    """Where a row stands, its cells by the setting that names their column, and further values by name."""

    origin: str
    cells: dict[str, str]
    columns: tuple[tuple[str, str], ...]


class _BadEntry(Exception):
    """What makes an example useless: a reason for counting, and its details."""

    def __init__(self, reason: str, details: str = ""):
        super().__init__(reason)
        self.reason, self.details = reason, details


def read_embedding_examples(
    source: EmbeddingSource, config: EmbeddingDataConfig, dropped: Counter[str]
) -> list[EmbeddingExample]:
    """Reads every example of one source in its order; nothing is split, and repeats stay.

    Args:
        source: where they are.
        config: what is bad, and which scores make partners; its sources are not read.
        dropped: counts, by reason, what is left out; added to.

    Raises:
        UserError: the source cannot be read, an example is bad and may not be left out, or none is left.
    """
    if isinstance(source, AlignedHtmlSource | DebianDescriptionsSource):
        pairs = read_pairs(source, config.cleaning, dropped)
        return [EmbeddingExample(pair.source, pair.target, pair.origin, pair.group) for pair in pairs]
    if isinstance(source, AdjacentSentencesSource):
        return _adjacent_examples(source, config)
    bad = BadExamples(config.on_bad_example, _SETTING)
    examples = []
    for entry in _entries(source, config):
        try:
            examples.append(_example(entry, config))
        except _BadEntry as error:
            bad.add(entry.origin, error.reason, error.details)
    bad.finish()
    dropped.update(bad.counts)
    if not examples:
        left_out = f"Left out: {dict(bad.counts)}." if bad.counts else ""
        raise UserError(f"There is no text to learn from in {describe_embedding_source(source)}.", left_out)
    return examples


def _adjacent_examples(source: AdjacentSentencesSource, config: EmbeddingDataConfig) -> list[EmbeddingExample]:
    examples = [EmbeddingExample(*pair) for pair in read_adjacent_sentences(source, config.cleaning)]
    if not examples:
        raise no_adjacent_sentences(source)
    return examples


def describe_embedding_source(source: EmbeddingSource) -> str:
    """The source in a few words, for messages."""
    if isinstance(source, AdjacentSentencesSource):
        return describe_source(source.text)
    if isinstance(source, AlignedHtmlSource | DebianDescriptionsSource):
        return describe_pair_source(source)
    if isinstance(source, EmbeddingTableSource):
        return (f"the package '{source.package}': " if source.package else "") + ", ".join(source.paths)
    return describe_source(source)


def embedding_source_paths(source: EmbeddingSource) -> list[Path]:
    """The files of a source; none for a dataset that another package keeps."""
    if isinstance(source, AdjacentSentencesSource):
        return source_paths(source.text)
    if isinstance(source, AlignedHtmlSource):
        folders = (source.source_folder, source.target_folder)
        return [path for folder in folders for path in expand_paths([str(Path(folder).expanduser() / source.pattern)])]
    if isinstance(source, EmbeddingTableSource) and source.package is not None:
        return [path for path, _ in expand_package_paths(source.package, source.paths)]
    if isinstance(source, EmbeddingTableSource | DebianDescriptionsSource):
        return expand_paths(source.paths)
    return source_paths(source)


def _entries(source: EmbeddingSource, config: EmbeddingDataConfig) -> Iterator[_Entry]:
    if not isinstance(source, EmbeddingTableSource):
        is_table = hasattr(source, "text_column")  # elsewhere an empty line is no example
        for document in read_documents(source, config.cleaning, keep_empty=is_table):
            yield _entry_of(document, has_partners(source))
        return
    columns = [*source.columns.values(), *source.keep_columns]
    for path in embedding_source_paths(source):
        for origin, row in read_columns(path, source.format, columns, config.cleaning, settings=_COLUMNS):
            yield _entry_of_row(row, origin, source, config.cleaning)


def _entry_of(document: Document, is_pair: bool) -> _Entry:
    cells = {"text_column": document.text, "group_column": document.group}
    if is_pair:
        cells["text_pair_column"] = document.text_pair or ""
    if is_pair and document.label is not None:
        cells["score_column"] = document.label if isinstance(document.label, str) else " ".join(document.label)
    return _Entry(document.origin, cells, document.columns)


def _entry_of_row(row: Row, origin: str, source: EmbeddingTableSource, cleaning: CleaningConfig) -> _Entry:
    texts = {setting: scalar_text(row[column], origin, column) for setting, column in source.columns.items()}
    cells = {name: clean_text(text, cleaning) if name in _OF_TEXTS else text.strip() for name, text in texts.items()}
    return _Entry(origin, cells, tuple((name, scalar_text(row[name], origin, name)) for name in source.keep_columns))


def _example(entry: _Entry, config: EmbeddingDataConfig) -> EmbeddingExample:
    cells = entry.cells
    text, partner = cells["text_column"], cells.get("text_pair_column")
    if not text:
        raise _BadEntry("an empty text")
    if partner == "":
        raise _BadEntry("a text without its partner")
    score = _score(cells["score_column"], config) if "score_column" in cells else None
    is_partner = score is None or (config.partner_score is not None and score >= config.partner_score)
    group = cells.get("group_column") or text_digest(text)
    negative = cells.get("negative_column") or None
    return EmbeddingExample(text, partner, entry.origin, group, negative, score, is_partner, entry.columns)


def _score(cell: str, config: EmbeddingDataConfig) -> float:
    try:
        score = float(cell)
    except ValueError as error:
        raise _BadEntry("a score that is no number", f"the score is {cell!r}") from error
    if not math.isfinite(score):
        raise _BadEntry("a score that is no number", f"the score is {cell!r}")
    if config.score_range is not None and not config.score_range[0] <= score <= config.score_range[1]:
        low, high = config.score_range
        raise _BadEntry("a score out of range", f"the score is {cell}, and score_range is {low:g} to {high:g}")
    return score
