"""Configurations of data sources, cleaning, labelled tables and splits."""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from tfplm.config import Config

Document = Literal["file", "paragraph", "line"]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]


class PathLabel(Config):
    """A label taken from the file's path: the first group of ``pattern``, or the range that its number falls into."""

    pattern: str  # searched in the path, '/' between the parts
    ranges: dict[str, Annotated[list[int], Field(min_length=2, max_length=2)]] | None = None  # label: [first, last]

    @field_validator("pattern")
    @classmethod
    def _is_regex_with_group(cls, pattern: str) -> str:
        try:
            if re.compile(pattern).groups < 1:
                raise ValueError(f"'{pattern}' has no group (…) to take the label from")
        except re.error as error:
            raise ValueError(f"'{pattern}' is not a regular expression: {error}") from error
        return pattern

    @field_validator("ranges")
    @classmethod
    def _ranges_are_apart(cls, ranges: dict[str, list[int]] | None) -> dict[str, list[int]] | None:
        before: tuple[str, int] | None = None
        for label, (first, last) in sorted((ranges or {}).items(), key=lambda item: item[1]):
            if first > last:
                raise ValueError(f"the range of '{label}' begins with {first}, behind its end {last}")
            if before is not None and first <= before[1]:
                raise ValueError(f"the ranges of '{before[0]}' and '{label}' overlap")
            before = (label, last)
        return ranges


class TextSource(Config):
    """Plain text files; .gz, .zst, .xz and .bz2 are read as they are."""

    type: Literal["text"] = "text"
    paths: Annotated[list[str], Field(min_length=1)]  # files or globs (** too), relative to the working directory
    document: Document = "file"  # what one document is
    label: str | PathLabel | None = None


class PackageSource(Config):
    """Text files inside an installed Python package, which is located and not imported."""

    type: Literal["package"] = "package"
    package: str
    paths: Annotated[list[str], Field(min_length=1)]  # files or globs inside the package
    document: Document = "file"
    label: str | PathLabel | None = None


class TableSource(Config):
    """CSV, TSV, JSON lines or Parquet with named columns; .gz, .zst, .xz and .bz2 too except for Parquet."""

    type: Literal["table"] = "table"
    paths: Annotated[list[str], Field(min_length=1)]
    format: Literal["csv", "tsv", "jsonl", "parquet"] | None = None  # None: by the file's suffix
    layout: Literal["named", "glue"] = "named"  # glue: texts and labels are known by the names that GLUE gives them
    quotes: bool | None = None  # fields may stand in quotes; None: yes, but not in GLUE's TSV, where they mean nothing
    text_column: str = "text"
    text_pair_column: str | None = None  # of the second text, where an example is a pair
    label_column: str | None = None
    group_column: str | None = None  # rows of one group never part in a split
    label_separator: str | None = None  # multi-label: "sports|politics"
    keep_columns: list[str] = []  # by whose values the evaluation groups its examples


class HuggingFaceSource(Config):
    """A dataset of the `datasets` package, which is asked to fetch nothing unless ``download`` is set."""

    type: Literal["huggingface"] = "huggingface"
    name: str  # a name on the Hub or a local folder
    subset: str | None = None
    split: str = "train"
    revision: str | None = None
    download: bool = False
    text_column: str = "text"
    text_pair_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None
    label_separator: str | None = None
    keep_columns: list[str] = []


class TfdsSource(Config):
    """A dataset of the `tensorflow-datasets` package, prepared on disk unless ``download`` is set."""

    type: Literal["tfds"] = "tfds"
    name: str
    split: str = "train"
    data_dir: str | None = None
    download: bool = False
    text_column: str = "text"
    text_pair_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None
    label_separator: str | None = None
    keep_columns: list[str] = []


Source = Annotated[
    TextSource | PackageSource | TableSource | HuggingFaceSource | TfdsSource, Field(discriminator="type")
]


class CleaningConfig(Config):
    """What is done to a document's text before anything else; language-neutral."""

    normalization: Literal["NFC", "NFKC", "none"] = "NFC"
    max_line_bytes: PositiveInt = 10_000_000  # a longer line is taken for binary data or a damaged file
    invalid_utf8: Literal["error", "replace"] = "error"


class CorpusConfig(Config):
    """Unlabelled text to learn a vocabulary and a language model from."""

    sources: Annotated[list[Source], Field(min_length=1)]
    cleaning: CleaningConfig = CleaningConfig()
    drop_repeated_documents: bool = True
    hold_out_evaluation: bool = True  # leave out the documents that finetune.data keeps for validation and test
    validation_fraction: Fraction = 0.01  # of the documents, to watch pretraining with
    tokens_per_shard: PositiveInt = 2**24


class SplitConfig(Config):
    """How one labelled source is split; a document (or a group) never parts."""

    validation: Fraction = 0.15
    test: Fraction = 0.15
    folds: Annotated[int, Field(ge=2)] | None = None  # cut into so many, of which one is the test; `test` is not read
    fold: NonNegativeInt = 0  # which one

    @model_validator(mode="after")
    def _leaves_training_data(self) -> "SplitConfig":
        test = 1.0 / self.folds if self.folds is not None else self.test
        if self.validation + test >= 1.0:
            raise ValueError("validation and test together leave nothing to train on")
        return self

    @model_validator(mode="after")
    def _fold_is_one_of_them(self) -> "SplitConfig":
        if self.fold >= (self.folds or 1):
            raise ValueError(f"fold {self.fold} is not one of {self.folds or 'no'} folds, which count from 0")
        return self


def _names_its_columns(source: Source) -> bool:
    """Whether its settings say if it gives pairs; with ``layout: glue`` the table does."""
    return not isinstance(source, TextSource | PackageSource) and getattr(source, "layout", "named") == "named"


class SplitDataConfig(Config):
    """What every set of examples has, whatever they are."""

    training_limits: ClassVar[dict[str, str]] = {}  # "in_all", "per_class": the setting that limits the training so

    split: SplitConfig = SplitConfig()
    choice_seed: NonNegativeInt | None = None  # of training examples, where some are chosen; None: that of the split

    @model_validator(mode="after")
    def _folds_are_the_test(self) -> "SplitDataConfig":
        if self.split.folds is not None and getattr(self, "test", None) is not None:
            raise ValueError("split.folds makes the test out of the training data: leave test out")
        return self

    @property
    def sources(self) -> list[Any]:
        """All that are given."""
        return [source for source in (self.train, self.validation, self.test) if source is not None]

    def seed_of_choice(self, seed: int) -> int:
        """The seed of the choice of training examples, where ``seed`` is that of the split."""
        return seed if self.choice_seed is None else self.choice_seed


class TextDataConfig(SplitDataConfig):
    """Texts, or pairs of them, with something that is said of each."""

    train: Source
    validation: Source | None = None  # None: split from train
    test: Source | None = None  # None: split from train
    cleaning: CleaningConfig = CleaningConfig()
    unit: Literal["document", "paragraph"] = "document"  # what one example is
    min_characters: NonNegativeInt = 1  # shorter examples are dropped and counted
    drop_repeats: bool = True
    train_examples: PositiveInt | None = None  # in all, the classes in the proportions that they have

    @model_validator(mode="after")
    def _examples_are_of_one_kind(self) -> "TextDataConfig":
        pairs = {source.text_pair_column is not None for source in self.sources if _names_its_columns(source)}
        if len(pairs) > 1:
            raise ValueError("text_pair_column is set for some of train, validation and test: set it for all or none")
        if True in pairs and self.unit == "paragraph":
            raise ValueError("unit: paragraph parts texts, and pairs must stay whole: leave it out")
        return self


class LabelledDataConfig(TextDataConfig):
    """Labelled text for a task."""

    training_limits = {"in_all": "train_examples", "per_class": "train_examples_per_class"}

    labels: list[str] | None = None  # None: those of the training data, sorted
    train_examples_per_class: PositiveInt | None = None
    evaluation_examples_per_class: PositiveInt | None = None

    @model_validator(mode="after")
    def _training_examples_are_limited_once(self) -> "LabelledDataConfig":
        if self.train_examples is not None and self.train_examples_per_class is not None:
            raise ValueError("give train_examples or train_examples_per_class, not both")
        return self


class ScoredDataConfig(TextDataConfig):
    """Texts, or pairs of them, with a number each, in the column of the labels."""

    training_limits = {"in_all": "train_examples"}

    score_range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None  # the least and the largest
    on_bad_example: Literal["stop", "skip"] = "stop"  # where a score is no number, or out of its range

    @model_validator(mode="after")
    def _range_is_one(self) -> "ScoredDataConfig":
        if self.score_range is not None and self.score_range[0] >= self.score_range[1]:
            raise ValueError(f"score_range {self.score_range} is empty: give the least score, then the largest")
        return self
