"""A context and choices to the number of the best choice."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfplm import feature_names as names
from tfplm.answering.answer_names import CHOICE, CHOICES, CONTEXT, PROBABILITIES, QUESTION
from tfplm.answering.answerer import Answerer, Tensors
from tfplm.answering.text_rows import takes_segments
from tfplm.errors import UserError
from tfplm.tasks.multiple_choice import MultipleChoice
from tfplm.tasks.task import Task
from tfplm.tokenizers.rows import PairRows
from tfplm.tokenizers.tokenizer import Tokenizer


class ChoiceAnswerer(Answerer):
    """Answers with CHOICE (batch,), the number of the best choice, and PROBABILITIES (batch, num_choices).

    CONTEXT is (batch,), CHOICES (batch, num_choices); where there are fewer, the rest are empty strings, whose
    probability is 0. Of tasks with questions QUESTION (batch,) stands before every choice. The rows of an example are
    the pairs of its context with each choice; of one that does not fit the longer part is cut.
    """

    task: MultipleChoice
    descriptions = {
        CHOICE: "The number of the best choice, from 0.",
        PROBABILITIES: "The probability of each choice; 0 where the choice is an empty string.",
    }
    row_layout = (
        "A row of a choice is PREFIX, the ids of the context, SEPARATOR, those of the choice, SUFFIX, then PADDING to "
        "the end.\n`segment_ids`, where they are wanted, are 1 from behind the separator up to the padding, else 0; "
        "`choice_mask` (1, choices) is 0 where there is no choice."
    )

    def __init__(self, task: Task, tokenizer: Tokenizer, sequence_length: int):
        super().__init__(task, tokenizer, sequence_length)
        self.inputs = (CONTEXT, QUESTION, CHOICES) if task.config.has_question else (CONTEXT, CHOICES)

    @property
    def num_choices(self) -> int:
        """The most choices of an example."""
        return self.task.config.num_choices

    @property
    def text_specs(self) -> dict[str, tf.TensorSpec]:
        widths = {name: [None, self.num_choices] if name == CHOICES else [None] for name in self.inputs}
        return {name: tf.TensorSpec(shape, tf.string, name) for name, shape in widths.items()}

    def row_specs(self, num_rows: int | None) -> dict[str, tf.TensorSpec]:
        segments = (names.SEGMENT_IDS,) if takes_segments(self.task) else ()
        shape = [num_rows, self.num_choices, self.sequence_length]
        specs = {name: tf.TensorSpec(shape, tf.int32, name) for name in (names.TOKEN_IDS, *segments)}
        return specs | {names.CHOICE_MASK: tf.TensorSpec(shape[:2], tf.int32, names.CHOICE_MASK)}

    def completed(self, texts: Mapping[str, Sequence]) -> dict[str, list]:
        return {
            name: [self._filled(value) for value in values] if name == CHOICES else list(values)
            for name, values in texts.items()
        }

    def _filled(self, choices: Sequence[str]) -> list[str]:
        if not 2 <= len(choices) <= self.num_choices:
            raise UserError(
                f"{len(choices)} choices: {list(choices)!r:.200}.", f"Expected 2 to {self.num_choices} of them."
            )
        return [*choices, *[""] * (self.num_choices - len(choices))]

    def encode(self, texts: Tensors) -> Tensors:
        choices = tf.reshape(texts[CHOICES], [-1])  # of all examples on end
        contexts = tf.repeat(texts[CONTEXT], self.num_choices)
        if QUESTION in self.inputs:
            choices = tf.strings.join([tf.repeat(texts[QUESTION], self.num_choices), choices], " ")
        rows = self.tokenizer.encode_pair_rows(contexts, choices, self.sequence_length)
        return self._grouped(rows, texts[CHOICES])

    def encode_single(self, texts: Tensors) -> Tensors:
        pairs = [
            self.tokenizer.encode_flat_pair(texts[CONTEXT], texts[CHOICES][0, number], self.sequence_length)
            for number in range(self.num_choices)
        ]
        return self._grouped(PairRows(*(tf.concat(parts, 0) for parts in zip(*pairs, strict=True))), texts[CHOICES])

    def _grouped(self, rows: PairRows, choices: tf.Tensor) -> Tensors:
        by_name = {names.TOKEN_IDS: rows.token_ids, names.SEGMENT_IDS: rows.segment_ids}
        by_name[names.CHOICE_MASK] = tf.cast(tf.not_equal(choices, ""), tf.int32)
        shapes = {name: [-1, *spec.shape[1:]] for name, spec in self.row_specs(None).items()}
        return {name: tf.reshape(by_name[name], shape) for name, shape in shapes.items()}

    @property
    def runs_from_text_in_tflite(self) -> bool:
        """TFLite cannot join the question with a choice."""
        return super().runs_from_text_in_tflite and QUESTION not in self.inputs

    def score(self, rows: Tensors) -> Tensors:
        features = {name: rows[name] for name in self.row_specs(None)}
        return {PROBABILITIES: self.task.probabilities(self.task(features, training=False))}

    def decide(self, rows: Tensors, scores: Tensors, texts: Tensors) -> Tensors:
        return self._with_choice(scores)

    def decide_rows(self, rows: Tensors, scores: Tensors) -> Tensors:
        return self._with_choice(scores)

    def answer_single(self, texts: Tensors) -> Tensors:
        return self._with_choice(super().answer_single(texts))

    def _with_choice(self, scores: Tensors) -> Tensors:
        return {CHOICE: tf.argmax(scores[PROBABILITIES], axis=-1, output_type=tf.int32), **scores}

    def agreement(self, expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> float:
        left, right = (np.asarray(scores[PROBABILITIES]).argmax(axis=-1) for scores in (expected, found))
        return float((left == right).mean())

    def record(self, answer: Mapping[str, np.ndarray]) -> dict:
        return {"choice": int(answer[CHOICE]), "probabilities": answer[PROBABILITIES].tolist()}
