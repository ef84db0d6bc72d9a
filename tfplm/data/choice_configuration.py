"""Configuration of questions with choices of which one is right."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from tfplm.config import Config
from tfplm.data.bad_examples import OnBadExample
from tfplm.data.configuration import CleaningConfig, SplitDataConfig
from tfplm.data.pair_configuration import AdjacentSentencesSource


class ChoiceTableSource(Config):
    """CSV, TSV, JSON lines or Parquet with a context, its choices and which of them is right, a row each.

    The choices are a list in one column, or stand in columns of their own (choice_0, choice_1 …). A column that is not
    named is known by its name, as SWAG, HellaSwag, RACE, ARC, CommonsenseQA and C-Eval call it.
    """

    type: Literal["choices"] = "choices"
    paths: Annotated[list[str], Field(min_length=1)]  # files or globs
    package: str | None = None  # an installed Python package that the paths are inside of
    format: Literal["csv", "tsv", "jsonl", "parquet"] | None = None  # None: by the file's suffix
    context_column: str | None = None  # None: context, passage, article, ctx or sent1, else the question
    question_column: str | None = None  # of what stands before every choice; None: question or sent2, beside a context
    choices_column: str | None = None  # of lists; None: choices, options or endings
    choice_columns: Annotated[list[str], Field(min_length=2)] | None = None  # of a choice each; None: choice_0 …
    label_column: str | None = None  # None: label, answer, answerKey or gold
    # index: from first_index on; letter: A is the first; text: the choice itself; auto: whichever it can be
    label_format: Literal["auto", "index", "letter", "text"] = "auto"
    first_index: Literal[0, 1] = 0
    group_column: str | None = None  # rows of one group never part in a split; None: rows with the same context
    keep_columns: list[str] = []  # by whose values the evaluation groups its examples

    @model_validator(mode="after")
    def _choices_stand_in_one_way(self) -> "ChoiceTableSource":
        if self.choices_column is not None and self.choice_columns is not None:
            raise ValueError("choices_column is of lists and choice_columns of a choice each: give one of them")
        return self


ChoiceSource = Annotated[ChoiceTableSource | AdjacentSentencesSource, Field(discriminator="type")]


class ChoiceDataConfig(SplitDataConfig):
    """Questions with choices; of adjacent sentences the choice is which one follows, among others of the document."""

    training_limits = {"in_all": "max_train_examples"}

    train: ChoiceSource
    validation: ChoiceSource | None = None  # None: split from train
    test: ChoiceSource | None = None  # None: split from train
    cleaning: CleaningConfig = CleaningConfig()
    on_bad_example: OnBadExample = "stop"
    drop_repeats: bool = True  # of equal questions with equal choices the first stays
    max_train_examples: PositiveInt | None = None  # None: all
    max_evaluation_examples: PositiveInt | None = None  # of validation, and of test
