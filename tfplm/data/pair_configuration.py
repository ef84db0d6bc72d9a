"""Configurations of source-and-target pairs: what models that write are fine-tuned on."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from tfplm.config import Config
from tfplm.data.configuration import CleaningConfig, Source, SplitDataConfig


class _LengthLimits(Config):
    """Pairs of which the source or the target is shorter or longer are left out and counted."""

    min_characters: PositiveInt = 1
    max_characters: PositiveInt | None = None  # None: any; what a model cannot take in is cut when it is encoded

    @model_validator(mode="after")
    def _limits_are_in_order(self) -> "_LengthLimits":
        if self.max_characters is not None and self.max_characters < self.min_characters:
            raise ValueError(f"max_characters {self.max_characters} is less than min_characters {self.min_characters}")
        return self


class PairTableSource(_LengthLimits):
    """CSV, TSV, JSON lines or Parquet with a column for each side; .gz, .zst, .xz and .bz2 too except for Parquet."""

    type: Literal["table"] = "table"
    paths: Annotated[list[str], Field(min_length=1)]  # files or globs
    package: str | None = None  # an installed Python package that the paths are inside of
    format: Literal["csv", "tsv", "jsonl", "parquet"] | None = None  # None: by the file's suffix
    source_column: str = "source"
    target_column: str = "target"
    group_column: str | None = None  # rows of one group never part in a split

    @model_validator(mode="after")
    def _sides_differ(self) -> "PairTableSource":
        if self.source_column == self.target_column:
            raise ValueError(f"source_column and target_column are both '{self.source_column}'")
        return self


class AlignedHtmlSource(_LengthLimits):
    """Two folders of the same pages in two languages: elements with the same `id` in files with the same name.

    Taken are paragraphs, headings, cells and the like that have an `id` and hold none that has one too. What is equal
    on both sides is not translated and left out. A page is a group.
    """

    type: Literal["aligned_html"] = "aligned_html"
    source_folder: str
    target_folder: str
    pattern: str = "**/*.html"  # of the files below both folders

    @field_validator("pattern")
    @classmethod
    def _stays_below_the_folders(cls, pattern: str) -> str:
        if not pattern or pattern.startswith("/") or ".." in pattern.split("/"):
            raise ValueError("expected a pattern of files below both folders, such as '**/*.html'")
        return pattern


class DebianDescriptionsSource(_LengthLimits):
    """Lists of package descriptions as Debian publishes them (`Translation-en`): the long one, and its synopsis.

    Packages whose descriptions begin with the same paragraph are a group.
    """

    type: Literal["debian_descriptions"] = "debian_descriptions"
    paths: Annotated[list[str], Field(min_length=1)]  # files or globs; .gz, .zst, .xz and .bz2 too


class RestorationSource(_LengthLimits):
    """Sentences of any text: without capitals and punctuation, and as they were written. A document is a group."""

    type: Literal["restoration"] = "restoration"
    text: Source
    min_characters: PositiveInt = 20
    max_characters: PositiveInt | None = 300


class AdjacentSentencesSource(_LengthLimits):
    """Sentences of any text that follow one another in a paragraph, no sentence in two pairs. A document is a group."""

    type: Literal["adjacent_sentences"] = "adjacent_sentences"
    text: Source
    min_characters: PositiveInt = 20
    max_characters: PositiveInt | None = 300


PairSource = Annotated[
    PairTableSource | AlignedHtmlSource | DebianDescriptionsSource | RestorationSource, Field(discriminator="type")
]


class PairDataConfig(SplitDataConfig):
    """The pairs of one task."""

    training_limits = {"in_all": "max_train_examples"}

    train: PairSource
    validation: PairSource | None = None  # None: split from train
    test: PairSource | None = None  # None: split from train
    cleaning: CleaningConfig = CleaningConfig()
    drop_repeats: bool = True  # of equal pairs the first stays; a source may have several targets
    max_train_examples: PositiveInt | None = None  # None: all
    max_evaluation_examples: PositiveInt | None = None  # of validation, and of test


class GenerationTaskConfig(Config):
    """One task of a model that writes: it learns to answer ``prefix`` and a source with the target."""

    prefix: str = ""  # in front of every source: "translate English to Chinese: "
    data: PairDataConfig
