"""What a contender's process is given: a set, where to start, a seed, and a folder for what it makes."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.tasks.sets import METRICS, Kind, Recipe, Start

ANSWERS_FILE, TRAINING_FILE = "answers.jsonl", "training.json"


@dataclass(frozen=True)
class Assignment:
    """One training of one contender.

    Args:
        kind: what is learned.
        start: the checkpoint, or a model from scratch.
        recipe: how.
        seed: of new weights, the order and dropout.
        threads: of the process.
        train: the file to learn from.
        test: the file to answer.
        checkpoint: the pretrained checkpoint as its folder came.
        imported: the same as `tfplm import` wrote it.
        vocabulary: the folder of the `tfplm tokenizer` run for a model from scratch.
        vocabulary_size: of that.
        sizes: of a model from scratch: num_layers, num_heads, hidden_dim, intermediate_dim.
        folder: for everything that is made. There is the model when the training has ended, with TRAINING_FILE, and
            ANSWERS_FILE when the test file has been answered: an object a line, ``label`` of a text or a pair,
            ``tags`` of a sentence's words, ``id`` and ``text`` of an answer.
    """

    kind: Kind
    start: Start
    recipe: Recipe
    seed: int
    threads: int
    train: str
    test: str
    checkpoint: str
    imported: str
    vocabulary: str
    vocabulary_size: int
    sizes: dict[str, int]
    folder: str

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the figures."""
        return METRICS[self.kind]

    def values(self) -> dict[str, Any]:
        """Plain values, from which `from_json` makes it again."""
        return asdict(self)

    @classmethod
    def from_json(cls, text: str) -> "Assignment":
        """The assignment of the values."""
        values = json.loads(text)
        return cls(**values | {"recipe": Recipe(**values["recipe"])})

    def write_training(self, figures: dict[str, Any]) -> None:
        """Says how the training went."""
        (Path(self.folder) / TRAINING_FILE).write_text(json.dumps(figures) + "\n", encoding="utf-8")

    def write_answers(self, answers: list[dict]) -> None:
        """Writes what was answered, in the order of the test file."""
        lines = [json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers]
        (Path(self.folder) / ANSWERS_FILE).write_text("".join(lines), encoding="utf-8")


def read_json_lines(path: str | Path) -> list[dict]:
    """The objects of the lines."""
    with Path(path).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read_columns(path: str | Path) -> list[list[tuple[str, str]]]:
    """The sentences of a file of words and tags."""
    parts = Path(path).read_text(encoding="utf-8").split("\n\n")
    sentences = [[tuple(line.split("\t")) for line in part.split("\n") if line] for part in parts]
    return [sentence for sentence in sentences if sentence]


def read_questions(path: str | Path) -> list[dict]:
    """``id``, ``question``, ``context`` and ``answers`` of every question of a file in SQuAD's format."""
    articles = json.loads(Path(path).read_text(encoding="utf-8"))["data"]
    return [
        {**question, "context": paragraph["context"]}
        for article in articles
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
