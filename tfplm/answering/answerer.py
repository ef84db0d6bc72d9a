"""What every task that answers strings offers to predict, evaluate and the exports."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
import tensorflow as tf

from tfplm import feature_names as names
from tfplm.answering.answer_names import TEXT
from tfplm.tasks.task import Task
from tfplm.tokenizers.tokenizer import Tokenizer

Tensors = dict[str, tf.Tensor]


class Answerer(ABC):
    """A task with its tokenizer: strings in, answers out, as one graph without Python in between.

    Texts are encoded to rows, which the task scores, and the scores are turned into answers. Rows are what the model
    reads, and what the answer needs besides, such as offsets; there may be more rows than texts, or fewer.

    Subclasses set the class attributes and give `score`, `decide` and what else differs.

    Args:
        task: float32 where it is to be exported.
        tokenizer: that the task was trained with.
        sequence_length: columns of a row of token ids, special ones included.

    Attributes:
        inputs: the names of the strings that an answer is made of, each (batch,).
        descriptions: what each output is, in a sentence.
        row_layout: how a row is made, in sentences for people without this package; PREFIX, SEPARATOR, SUFFIX and
            PADDING stand for the tokenizer's ids.
        class_output: the output whose last axis are the classes, if there is one.
    """

    inputs: ClassVar[tuple[str, ...]] = (TEXT,)
    descriptions: ClassVar[dict[str, str]]
    row_layout: ClassVar[str] = "A row of one text is PREFIX, the ids of the text, SUFFIX, then PADDING to the end."
    class_output: ClassVar[str | None] = None

    def __init__(self, task: Task, tokenizer: Tokenizer, sequence_length: int):
        self.task, self.tokenizer, self.sequence_length = task, tokenizer, sequence_length

    @property
    def class_names(self) -> list[str]:
        """The classes in the order of the columns; empty where there are none."""
        return list(getattr(self.task, "class_names", None) or [])

    @property
    def text_specs(self) -> dict[str, tf.TensorSpec]:
        """The shapes of the inputs."""
        return {name: tf.TensorSpec([None], tf.string, name) for name in self.inputs}

    def row_specs(self, num_rows: int | None) -> dict[str, tf.TensorSpec]:
        """The features that `score` takes, of so many rows."""
        return {names.TOKEN_IDS: tf.TensorSpec([num_rows, self.sequence_length], tf.int32, names.TOKEN_IDS)}

    def completed(self, texts: Mapping[str, Sequence]) -> dict[str, list]:
        """The strings of many answers as `encode` takes them, by the name of the input. Raises UserError."""
        return {name: list(values) for name, values in texts.items()}

    def encode(self, texts: Tensors) -> Tensors:
        """Rows for texts; every entry begins with the row axis."""
        return {names.TOKEN_IDS: self.tokenizer.encode_rows(texts[TEXT], self.sequence_length)}

    def encode_single(self, texts: Tensors) -> Tensors:
        """The row of one text, each string of shape (1,), without ragged ops, which TFLite lacks."""
        return {names.TOKEN_IDS: self.tokenizer.encode_flat(texts[TEXT], self.sequence_length)}

    @property
    def runs_from_text_in_tflite(self) -> bool:
        """Whether TFLite has the ops of `encode_single`."""
        return self.tokenizer.runs_in_tflite

    @abstractmethod
    def score(self, rows: Tensors) -> Tensors:
        """What the model says of rows, as floats; with ops of TFLite only."""

    @abstractmethod
    def decide(self, rows: Tensors, scores: Tensors, texts: Tensors) -> Tensors:
        """The answers; every entry begins with the batch axis of the texts."""

    def answer(self, texts: Tensors) -> Tensors:
        """From strings to answers."""
        rows = self.encode(texts)
        return self.decide(rows, self.score(rows), texts)

    @cached_property
    def compiled_answer(self) -> Callable[[Tensors], Tensors]:
        """`answer` as a graph, made once: the settings of the task are those of its first call."""
        return tf.function(self.answer, input_signature=[self.text_specs], autograph=False)

    def answer_rows(self, rows: Tensors) -> Tensors:
        """From rows to what can be said without their texts."""
        return self.decide_rows(rows, self.score(rows))

    def decide_rows(self, rows: Tensors, scores: Tensors) -> Tensors:
        """What can be said of scored rows without their texts."""
        return scores

    def answer_single(self, texts: Tensors) -> Tensors:
        """From the strings of one text to answers, in TFLite; its token ids are among them."""
        rows = self.encode_single(texts)
        return {**self.score(rows), names.TOKEN_IDS: rows[names.TOKEN_IDS]}

    @abstractmethod
    def agreement(self, expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> float:
        """How far two models agree on rows that both have scored, from 0 to 1: the share of equal decisions."""

    def records(self, answers: Mapping[str, np.ndarray]) -> Iterator[dict]:
        """The answers to each text as JSON-able mappings, for people."""
        for number in range(len(next(iter(answers.values())))):
            yield self.record({name: values[number] for name, values in answers.items()})

    @abstractmethod
    def record(self, answer: Mapping[str, np.ndarray]) -> dict:
        """The answer to one text as a JSON-able mapping."""


def answer_texts(answerer: Answerer, texts: Mapping[str, Iterable[str]], batch_size: int = 64) -> dict[str, np.ndarray]:
    """Answers any number of texts by the Keras model, in batches of one compiled shape.

    Args:
        answerer: of a task.
        texts: by the name of the input, equally many each.
        batch_size: texts at once; the last batch is filled up with empty ones.

    Returns:
        The outputs of `Answerer.decide`, those of other widths filled up with -1 or empty strings.
    """
    columns = {name: list(values) for name, values in texts.items()}
    count = len(columns[answerer.inputs[0]])
    found = []
    for start in range(0, max(count, 1), batch_size):
        batch = {name: values[start : start + batch_size] for name, values in columns.items()}
        filled = {name: _filled(values, batch_size) for name, values in batch.items()}
        found.append({name: value.numpy() for name, value in answerer.compiled_answer(filled).items()})
    return {name: join_widths([part[name] for part in found])[:count] for name in found[0]}


def join_widths(parts: list[np.ndarray]) -> np.ndarray:
    """Puts arrays (rows, …) on end; narrower ones are filled up with -1, False or empty strings."""
    if parts[0].ndim > 1:
        widths = np.max([part.shape[1:] for part in parts], axis=0)
        fill = {"O": b"", "b": False}.get(parts[0].dtype.kind, -1)
        parts = [
            np.pad(
                part,
                [(0, 0), *((0, width - size) for width, size in zip(widths, part.shape[1:], strict=True))],
                constant_values=fill,
            )
            for part in parts
        ]
    return np.concatenate(parts)


def _filled(values: list, batch_size: int) -> tf.Tensor:
    """Strings (batch_size,), or as many lists of strings of equal length."""
    encoded = [utf8(value) for value in values]
    missing = batch_size - len(encoded)
    empty = [b""] * len(encoded[0]) if encoded and isinstance(encoded[0], list) else b""
    return tf.constant(encoded + [empty] * missing)


def utf8(value: str | list) -> bytes | list:
    """A string, or lists of them, as TensorFlow takes it; surrogates that are no text become "?"."""
    return [utf8(part) for part in value] if isinstance(value, list) else value.encode("utf-8", "replace")
