"""How a task learns from its data and is judged, whatever trains it."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfplm import feature_names as names
from tfplm.answering.answerer import Answerer
from tfplm.config import Config
from tfplm.data.batches import Order
from tfplm.data.example_batches import ExampleRows
from tfplm.models.build import Encoder
from tfplm.tasks.task import Task
from tfplm.tokenizers.tokenizer import Tokenizer
from trainers.candidates import cell, table

_ENCODE_AT_ONCE = 1024  # texts
_MANY_CUT = 0.1  # of the training texts


@dataclass(frozen=True)
class TaskData:
    """The three splits of a task; no group, and unless repeats are kept no text, is in two of them.

    A split has a length, ``texts``, by whose length examples are grouped, ``columns``, further values by name, and
    ``select(rows)``, which takes the examples of the given numbers.

    Args:
        train: to learn from.
        validation: to choose by; may be empty.
        test: to judge by; may be empty.
        class_names: in the order of the class ids; empty where the task has no classes.
        figures: what was read, and what was left out; JSON-able.
    """

    train: Any
    validation: Any
    test: Any
    class_names: list[str]
    figures: dict[str, Any]


class TaskKind(ABC):
    """One kind of task.

    Args:
        data: its section ``data``.
        task: its section ``task``.

    Attributes:
        task_type: of the task in ``model.json``.
        figure_names: the figures that compare candidates, and what they are called; the first says who is ahead, and of
            all but "loss" more is better.
        answers_epochs: whether the validation examples are answered behind every epoch, see `epoch_figures`.
        cuts_texts: whether what is longer than a row is cut, and what is shorter padded.
        scale: points of the first figure's 1, for people: 100 where it is a share.
    """

    task_type: ClassVar[str]
    figure_names: ClassVar[dict[str, str]]
    scale: ClassVar[float] = 100.0
    cuts_texts: ClassVar[bool] = True
    answers_epochs: ClassVar[bool] = False

    def __init__(self, data: Config, task: Config):
        self.data, self.task = data, task

    @abstractmethod
    def load(self, seed: int) -> TaskData:
        """Reads, splits and counts the data; equal seeds give equal data. Raises UserError."""

    @abstractmethod
    def held_out(self, seed: int) -> set[str]:
        """What pretraining must not see; see `tfplm.data.labelled.held_out_groups`."""

    @abstractmethod
    def paths(self) -> list[Path]:
        """The files of the data."""

    @abstractmethod
    def training_texts(self, data: TaskData) -> Iterable[str]:
        """What a vocabulary may be learned from, where there is no corpus."""

    @abstractmethod
    def inputs(self, data: TaskData) -> tuple[str, ...]:
        """The names of the strings that an answer is made of."""

    @abstractmethod
    def answer_inputs(self, examples: Any) -> dict[str, list]:
        """The strings of examples, by the name of the input."""

    @abstractmethod
    def build_task(self, encoder: Encoder, data: TaskData) -> Task:
        """The encoder, pretrained or new, under a new head."""

    @abstractmethod
    def rows(self, examples: Any, answerer: Answerer, is_training: bool) -> ExampleRows:
        """Examples as rows with targets and weights."""

    def row_notes(self, rows: ExampleRows) -> list[str]:
        """What people should know of the training rows, in sentences: what was cut."""
        length = rows.features[names.TOKEN_IDS].shape[-1]
        share = float((rows.lengths == length).mean())
        if share <= _MANY_CUT:
            return []
        return [f"{share:.0%} of the training texts fill finetune.sequence_length {length}, and what is longer is cut."]

    def num_rows(self, data: TaskData, sequence_length: int) -> int:
        """How many training rows there are, or about how many where only the tokenizer could tell."""
        return len(data.train)

    def row_lengths(self, data: TaskData, tokenizer: Tokenizer) -> np.ndarray:
        """Tokens of every training example's longest row before it is cut, special ids included: int (examples,)."""
        columns = self.answer_inputs(data.train).values()
        edges = len(tokenizer.prefix_ids) + len(tokenizer.suffix_ids)
        return edges + sum(np.array([len(ids) for ids in tokenizer.encode(column)]) for column in columns)

    def order(self, data: TaskData, seed: int) -> Order | None:
        """The order of the training examples; None: a permutation every epoch."""
        return None

    def outcomes(self, answers: Mapping[str, np.ndarray], examples: Any) -> Mapping[str, np.ndarray]:
        """What is judged of the answers: arrays that begin with the examples, so that groups of these can be taken."""
        return answers

    def epoch_figures(self, answerer: Answerer, examples: Any) -> dict[str, float]:
        """Figures of the validation examples behind an epoch, beside those of training; where ``answers_epochs``."""
        return {}

    def tuned(self, answerer: Answerer, examples: Any) -> dict[str, Any]:
        """The settings of the trained task that are chosen on the validation examples, of which there may be none."""
        return {}

    @abstractmethod
    def figures(self, answers: Mapping[str, np.ndarray], examples: Any, class_names: Sequence[str]) -> dict:
        """The figures of outcomes, JSON-able; those of ``figure_names`` are among them."""

    def intervals(self, answers: Mapping[str, np.ndarray], examples: Any, class_names: Sequence[str]) -> dict:
        """Bootstrap intervals ``[low, high]`` of some of the figures, by name."""
        return {}

    def errors(self, answers: Mapping[str, np.ndarray], examples: Any, class_names: Sequence[str]) -> list[dict]:
        """The worst errors, as `trainers.metrics.errors` records them."""
        return []

    def pictures(self, figures: dict, answers: Mapping[str, np.ndarray], examples: Any, class_names: Sequence[str]):
        """Figures of matplotlib by name, drawn from the figures and the answers."""
        return {}

    @classmethod
    @abstractmethod
    def default_data(cls, path: Path) -> dict[str, Any]:
        """The section ``data`` for a file, where a model comes without one, as an imported checkpoint does."""

    @abstractmethod
    def evaluation_source(self, path: Path, columns: Mapping[str, str]) -> Config:
        """A file to evaluate on, read as the training data was but for the columns named. Raises UserError."""

    @abstractmethod
    def read_examples(self, source: Config, class_names: Sequence[str], dropped: Counter[str]) -> Any:
        """Every example of a source, to evaluate on; ``dropped`` counts, by reason, what is left out."""

    @abstractmethod
    def data_lines(self, figures: dict) -> list[str]:
        """Markdown that says what the data is, from the figures of `load`."""

    def detail_lines(self, figures: dict) -> list[str]:
        """Markdown that says more of one run's figures on a split; none where there is nothing to say."""
        return []


def encode_rows(answerer: Answerer, texts: Mapping[str, Sequence]) -> dict[str, np.ndarray]:
    """All that the answerer's rows hold, for many texts."""
    count = len(texts[answerer.inputs[0]])
    chunks = []
    for start in range(0, max(count, 1), _ENCODE_AT_ONCE):
        chunk = {name: tf.constant(list(part[start : start + _ENCODE_AT_ONCE])) for name, part in texts.items()}
        chunk = {name: tf.cast(part, tf.string) if not count else part for name, part in chunk.items()}
        chunks.append({name: value.numpy() for name, value in answerer.encode(chunk).items()})
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def shown_texts(inputs: Mapping[str, Sequence[str]]) -> list[str]:
    """The strings of every example in one, for people."""
    return [" ‖ ".join(strings) for strings in zip(*inputs.values(), strict=True)]


def per_class_lines(figures: Mapping[str, Mapping], name: str, examples: str) -> list[str]:
    """Markdown: precision, recall and F1 of every class.

    Args:
        figures: by class.
        name: what a class is called.
        examples: what is counted of it.
    """
    rows = [
        [cell(of), *(f"{row[key]:.3f}" for key in ("precision", "recall", "f1")), row["examples"]]
        for of, row in figures.items()
    ]
    return table([name, "precision", "recall", "F1", examples], rows)


def dropped_lines(dropped: Mapping[str, int], what: str = "Left out") -> list[str]:
    """Markdown that counts what was left out, or whatever else was done, by reason."""
    counts = {reason: count for reason, count in dropped.items() if count}
    if not counts:
        return []
    return ["", f"{what}: " + ", ".join(f"{count:,} {reason}" for reason, count in counts.items()) + "."]
