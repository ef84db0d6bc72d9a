"""Configurations of texts with labelled spans: entities, chunks, parts of speech."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator

from tfplm.config import Config
from tfplm.data.bad_examples import OnBadExample
from tfplm.data.configuration import CleaningConfig, SplitDataConfig
from tfplm.data.tag_schemes import OUTSIDE

# iob1: I-X begins a span too, and B-X only one that touches another X; iob2 (BIO): B-X begins every span.
# iobes: E-X ends a span, S-X is one word; BILOU, BMES and BMEWO are read alike. io: neighbouring words of one tag are
# one span. plain: every word is a span of its own, as of parts of speech. O: outside of spans, in all of them.
TagScheme = Literal["auto", "iob1", "iob2", "iobes", "io", "plain"]
Paths = Annotated[list[str], Field(min_length=1)]
LongTexts = Literal["window", "cut", "stop"]


class _TaggedWords(Config):
    """Files of words with their tags; .gz, .zst, .xz and .bz2 are read as they are."""

    paths: Paths  # files or globs
    package: str | None = None  # an installed Python package that the paths are inside of
    scheme: TagScheme = "auto"  # auto: told from the tags; never io
    joiner: str = "auto"  # between words; auto: nothing beside a script without spaces (Chinese), else a space


class TaggedColumnsSource(_TaggedWords):
    """CoNLL columns: a word a line with its tag, an empty line behind every sentence."""

    type: Literal["columns"] = "columns"
    word_column: int | str = 1  # a number from 1 on, or from -1 backwards; a name: the first line names the columns
    tag_column: int | str = -1
    separator: Literal["auto", "tab", "space"] = (
        "auto"  # space: any number of spaces and tabs; auto: tab if there is one
    )
    comment_prefix: str | None = None  # None: lines that begin with # and have another number of columns
    group: Literal["sentence", "document"] = "sentence"  # what never parts in a split; -DOCSTART- begins a document

    @field_validator("word_column", "tag_column")
    @classmethod
    def _counts_from_one(cls, column: int | str) -> int | str:
        if column == 0:
            raise ValueError("columns are numbered from 1 on, or backwards from -1 on")
        return column


class TaggedLinesSource(_TaggedWords):
    """A sentence a line, each word with its tag behind it: ``We/PRON met/VERB her/PRON``."""

    type: Literal["lines"] = "lines"
    tag_separator: Annotated[str, Field(min_length=1)] = "/"  # the last one in a word counts


class SpansSource(Config):
    """JSON lines of a text and its spans by offset: ``{"text": …, "spans": [{"start", "end", "label"}]}``.

    Also read are spans as lists ``[start, end, label]``. Offsets count characters (Unicode code points).
    """

    type: Literal["spans"] = "spans"
    paths: Paths  # files or globs; .gz, .zst, .xz and .bz2 too
    text_column: str = "text"
    spans_column: str | None = None  # None: spans, entities or label, whichever is there
    group_column: str | None = None  # texts of one group never part in a split
    keep_columns: list[str] = []  # by whose values the evaluation groups its examples


TaggedSource = Annotated[TaggedColumnsSource | TaggedLinesSource | SpansSource, Field(discriminator="type")]


class TaggedDataConfig(SplitDataConfig):
    """Texts with labelled spans for a task. They are taken as they stand: what shifts offsets is not done to them."""

    training_limits = {"in_all": "max_train_examples"}

    train: TaggedSource
    validation: TaggedSource | None = None  # None: split from train
    test: TaggedSource | None = None  # None: split from train
    only_labels: list[str] | None = None  # spans of other labels are left out and counted
    labels: list[str] | None = None  # None: those of the training data, sorted
    drop_repeats: bool = False  # of equal texts the first stays; training leaves out what evaluation has
    max_train_examples: PositiveInt | None = None  # None: all
    max_evaluation_examples: PositiveInt | None = None  # of validation, and of test
    on_bad_example: OnBadExample = "stop"
    long_texts: LongTexts = "window"  # window: read piece by piece; cut: the end is lost; stop: as a bad example

    @field_validator("only_labels", "labels")
    @classmethod
    def _name_what_is_in_spans(cls, labels: list[str] | None) -> list[str] | None:
        if labels is not None and OUTSIDE in labels:
            raise ValueError(f"'{OUTSIDE}' is the tag of words outside of spans, and no label: leave it out")
        return labels

    @property
    def cleaning(self) -> CleaningConfig:
        """How texts are known to a corpus that leaves them out: the default of a corpus."""
        return CleaningConfig()
