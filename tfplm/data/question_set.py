"""Questions with passages that answer them."""

from dataclasses import dataclass
from typing import NamedTuple

from tfplm.data.example_list import ExampleList
from tfplm.data.sources import text_digest


class Answer(NamedTuple):
    """What answers a question.

    Args:
        text: as the file has it, to judge by.
        start: the first character of its place in the passage; None where the passage does not hold it.
        end: the character behind it.
    """

    text: str
    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the passage that it is asked about.

    Args:
        id: as its file has it, or its origin.
        question: as it stands there.
        passage: as it stands there: answers are parts of it.
        answers: of equal right; none where the passage does not answer it.
        origin: the file and the place in it.
        group: what must not part in a split.
    """

    id: str
    question: str
    passage: str
    answers: tuple[Answer, ...]
    origin: str
    group: str

    @property
    def key(self) -> str:
        """Of equal questions about equal passages it is equal."""
        return f"{self.question}\0{text_digest(self.passage)}"

    @property
    def is_impossible(self) -> bool:
        """Whether the passage does not answer it."""
        return not self.answers

    @property
    def place(self) -> Answer | None:
        """The first answer that stands in the passage, which is what is learned; None where there is none."""
        return next((answer for answer in self.answers if answer.start is not None), None)


class Questions(ExampleList[Question]):
    """The questions of a split, in order."""

    @property
    def texts(self) -> list[str]:
        """The passages, by whose length questions are grouped."""
        return [question.passage for question in self]

    @property
    def columns(self) -> dict[str, list[str]]:
        """None are kept."""
        return {}

    @property
    def references(self) -> list[list[str]]:
        """The texts of the answers to every question."""
        return [[answer.text for answer in question.answers] for question in self]

    @property
    def any_impossible(self) -> bool:
        """Whether some passage does not answer its question."""
        return any(question.is_impossible for question in self)
