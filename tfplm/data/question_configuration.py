"""Configuration of questions with the passages that answer them."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from tfplm.config import Config
from tfplm.data.bad_examples import OnBadExample
from tfplm.data.configuration import CleaningConfig, SplitDataConfig


class QuestionSource(Config):
    """Files of SQuAD's JSON, 1.1 or 2.0, or JSON lines with a question each; .gz, .zst, .xz and .bz2 too.

    A line holds ``question``, ``passage`` or ``context``, ``answers`` (SQuAD's list of ``text`` and ``answer_start``,
    or the object of two lists that the `datasets` package writes) or ``answer``, and if there is one an ``id``.
    ``title`` names the document that a passage is of.
    """

    type: Literal["questions"] = "questions"
    paths: Annotated[list[str], Field(min_length=1)]  # files or globs
    package: str | None = None  # an installed Python package that the paths are inside of
    format: Literal["squad", "jsonl"] | None = None  # None: by the file's suffix, .json or .jsonl


class QuestionDataConfig(SplitDataConfig):
    """Questions for extractive answers. Passages are taken as they stand: offsets would not fit cleaned ones."""

    training_limits = {"in_all": "max_train_examples"}

    train: QuestionSource
    validation: QuestionSource | None = None  # None: split from train
    test: QuestionSource | None = None  # None: split from train
    group: Literal["document", "passage"] = "document"  # what never parts in a split
    # What becomes of an answer that is not at its offset. search: it is taken where it stands nearest to that, and
    # what stands nowhere in the passage is a reference to judge by, which is not learned.
    answers_elsewhere: Literal["bad", "search"] = "bad"
    on_bad_example: OnBadExample = "stop"
    drop_repeats: bool = True  # of equal questions on a passage the first stays
    max_train_examples: PositiveInt | None = None  # None: all
    max_evaluation_examples: PositiveInt | None = None  # of validation, and of test

    @property
    def cleaning(self) -> CleaningConfig:
        """How passages are known to a corpus that leaves them out: the default of a corpus."""
        return CleaningConfig()
