"""Configuration of texts with partners: what sentence embeddings are learned from."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from tfplm.config import Config
from tfplm.data.bad_examples import OnBadExample
from tfplm.data.configuration import (
    CleaningConfig,
    HuggingFaceSource,
    PackageSource,
    SplitDataConfig,
    TextSource,
    TfdsSource,
)
from tfplm.data.pair_configuration import AdjacentSentencesSource, AlignedHtmlSource, DebianDescriptionsSource


class EmbeddingTableSource(Config):
    """CSV, TSV, JSON lines or Parquet with a text a row, and what is near to it or not.

    Without ``text_pair_column`` a text is its own partner, under another dropout.
    """

    type: Literal["table"] = "table"
    paths: Annotated[list[str], Field(min_length=1)]  # files or globs
    package: str | None = None  # an installed Python package that the paths are inside of
    format: Literal["csv", "tsv", "jsonl", "parquet"] | None = None  # None: by the file's suffix
    text_column: str = "text"
    text_pair_column: str | None = None  # of the partner
    negative_column: str | None = None  # of a text that seems to be the partner and is not; a cell may be empty
    score_column: str | None = None  # of the likeness that people see in the pair
    group_column: str | None = None  # rows of one group never part in a split
    keep_columns: list[str] = []  # by whose values the evaluation groups its examples

    @property
    def columns(self) -> dict[str, str]:
        """The columns that are named, by their settings."""
        settings = ("text_column", "text_pair_column", "negative_column", "score_column", "group_column")
        named = {name: getattr(self, name) for name in settings}
        return {name: column for name, column in named.items() if column is not None}

    @model_validator(mode="after")
    def _columns_make_pairs(self) -> "EmbeddingTableSource":
        if len(set(self.columns.values())) < len(self.columns):
            raise ValueError(f"two settings name the same column: {self.columns}")
        for name in ("negative_column", "score_column"):
            if getattr(self, name) is not None and self.text_pair_column is None:
                raise ValueError(f"{name} is of a pair: set text_pair_column")
        return self


EmbeddingSource = Annotated[
    EmbeddingTableSource
    | TextSource
    | PackageSource
    | HuggingFaceSource
    | TfdsSource
    | AdjacentSentencesSource
    | AlignedHtmlSource
    | DebianDescriptionsSource,
    Field(discriminator="type"),
]


def has_partners(source: EmbeddingSource) -> bool:
    """Whether a source gives pairs, and not texts alone."""
    if isinstance(source, AdjacentSentencesSource | AlignedHtmlSource | DebianDescriptionsSource):
        return True
    return getattr(source, "text_pair_column", None) is not None


def has_scores(source: EmbeddingSource) -> bool:
    """Whether a source says how alike the texts of a pair are; the labels of a dataset are such scores."""
    columns = (getattr(source, name, None) for name in ("score_column", "label_column"))
    return has_partners(source) and any(column is not None for column in columns)


class EmbeddingDataConfig(SplitDataConfig):
    """Texts with partners, with scores, or alone. Texts alone are all learned, and cannot be judged by."""

    training_limits = {"in_all": "max_train_examples"}

    train: EmbeddingSource
    validation: EmbeddingSource | None = None  # None: split from train where that has pairs
    test: EmbeddingSource | None = None  # None: split from train where that has pairs
    cleaning: CleaningConfig = CleaningConfig()
    score_range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None  # lowest and highest score
    partner_score: float | None = None  # pairs are of partners from this score on; None: no pair that has a score is
    on_bad_example: OnBadExample = "stop"
    drop_repeats: bool = True  # of equal pairs the first stays
    max_train_examples: PositiveInt | None = None  # None: all
    max_evaluation_examples: PositiveInt | None = None  # of validation, and of test

    @property
    def can_be_split(self) -> bool:
        """Whether validation and test can be taken out of the training data."""
        return has_partners(self.train)

    @model_validator(mode="after")
    def _what_judges_has_partners(self) -> "EmbeddingDataConfig":
        for name in ("validation", "test"):
            source = getattr(self, name)
            if source is not None and not has_partners(source):
                raise ValueError(f"{name} has texts alone, by which nothing can be judged: name the column of partners")
        return self

    @model_validator(mode="after")
    def _range_is_known(self) -> "EmbeddingDataConfig":
        if self.score_range is not None and self.score_range[0] >= self.score_range[1]:
            raise ValueError(f"score_range {self.score_range} is empty: give the lowest and the highest score")
        if self.score_range is None and any(has_scores(source) for source in self.sources):
            raise ValueError("there are scores: set score_range to the lowest and the highest, such as [0, 5]")
        return self
