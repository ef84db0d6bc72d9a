"""A question and a passage to the part of the passage that answers it."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfplm import feature_names as names
from tfplm.answering.answer_names import (
    ANSWER,
    END,
    END_COLUMN,
    NO_ANSWER_SCORE,
    PASSAGE,
    QUESTION,
    SCORE,
    START,
    START_COLUMN,
)
from tfplm.answering.answerer import Answerer, Tensors
from tfplm.answering.in_parts import score_in_parts
from tfplm.answering.text_rows import takes_segments
from tfplm.data.question_windows import QuestionWindows, WindowSettings, question_windows, room_for_passage
from tfplm.errors import UserError
from tfplm.tasks.question_answering import QuestionAnswering, best_spans
from tfplm.tasks.task import Task
from tfplm.tokenizers.offsets import character_offsets
from tfplm.tokenizers.tokenizer import Tokenizer

_NOWHERE = -1
_NEARLY = float(np.log(2.0))  # half as likely as the best
_POSSIBLE = -1e8  # spans that may not stand are below


class QuestionAnswerer(Answerer):
    """Answers with ANSWER (batch,), the part of the passage from the character START up to END; "", -1, -1 for none.

    A passage of any length is read in windows, all in the graph. SCORE (batch,) is the sum of the logits of the best
    span's ends; NO_ANSWER_SCORE (batch,) is by how much the score of the first token, which stands for no answer, is
    higher than that. Where it is over the task's threshold, no answer is given; where an empty passage or question
    leaves nothing to give, both are 0.

    Rows are windows, more than texts as a rule. Of one window alone START_COLUMN and END_COLUMN are the best span.

    Source: Devlin et al. 2019, "BERT", sections 4.2 and 4.3.

    Raises:
        UserError: sequence_length has no room for a token of the passage beside the longest question.
    """

    task: QuestionAnswering
    inputs = (QUESTION, PASSAGE)
    descriptions = {
        ANSWER: "The part of the passage that answers the question; empty where there is none.",
        START: "The first character of the answer in the passage, from 0; -1 where there is none.",
        END: "The character behind the answer; -1 where there is none.",
        SCORE: "The sum of the logits of the best answer's first and last token.",
        NO_ANSWER_SCORE: "By how much the score of no answer is higher than that of the best.",
        names.START_LOGITS: "The score of each token of the window as the first of the answer.",
        names.END_LOGITS: "The score of each token of the window as the last of the answer.",
        START_COLUMN: "The first token of the window's best answer.",
        END_COLUMN: "The last token of the window's best answer.",
    }

    row_layout = (
        "A row is PREFIX, the ids of the question, SEPARATOR, those of a part of the passage, SUFFIX, then PADDING to "
        "the end.\n`segment_ids`, where they are wanted, are 1 from behind the separator up to the padding, else 0; "
        "`context_mask` is 1 at the part of the passage."
    )

    def __init__(self, task: Task, tokenizer: Tokenizer, sequence_length: int):
        super().__init__(task, tokenizer, sequence_length)
        self.settings = WindowSettings(sequence_length, task.config.stride, task.config.max_question_length)
        try:
            room_for_passage(tokenizer, self.settings)
        except ValueError as error:
            raise UserError(
                f"finetune.sequence_length {sequence_length} has no room for the passage: {error}.",
                remedy="Raise finetune.sequence_length, or lower finetune.task.max_question_length.",
            ) from error

    def row_specs(self, num_rows: int | None) -> dict[str, tf.TensorSpec]:
        segments = (names.SEGMENT_IDS,) if takes_segments(self.task) else ()
        wanted = (names.TOKEN_IDS, *segments, names.CONTEXT_MASK)
        return {name: tf.TensorSpec([num_rows, self.sequence_length], tf.int32, name) for name in wanted}

    def encode(self, texts: Tensors) -> Tensors:
        return question_windows(self.tokenizer, texts[QUESTION], texts[PASSAGE], self.settings)._asdict()

    def encode_single(self, texts: Tensors) -> Tensors:
        raise NotImplementedError("windows are made of ragged tensors, which TFLite lacks")

    @property
    def runs_from_text_in_tflite(self) -> bool:
        return False

    def score(self, rows: Tensors) -> Tensors:
        features = {name: rows[name] for name in self.row_specs(None)}
        outputs = self.task(features, training=False)
        best = self.task.answers(features, outputs)
        return {**outputs, START_COLUMN: best.start, END_COLUMN: best.end}

    def answer(self, texts: Tensors) -> Tensors:
        rows = self.encode(texts)
        return self.decide(rows, self.score_windows(rows), texts)

    def score_windows(self, rows: Tensors) -> Tensors:
        """The logits of any number of windows, some at a time."""
        features = {name: rows[name] for name in self.row_specs(None)}
        logits = dict.fromkeys((names.START_LOGITS, names.END_LOGITS), (self.sequence_length,))
        return score_in_parts(self.score, features, logits)

    def decide(self, rows: Tensors, scores: Tensors, texts: Tensors) -> Tensors:
        windows = QuestionWindows(**rows)
        start_logits, end_logits = scores[names.START_LOGITS], scores[names.END_LOGITS]
        num_examples = tf.shape(texts[QUESTION])[0]
        best = best_spans(
            start_logits, end_logits, windows.context_mask, self.task.config.max_answer_length, windows.max_context
        )
        # (examples,); every one has a window.
        score = tf.math.unsorted_segment_max(best.score, windows.examples, num_examples)
        none = tf.math.unsorted_segment_min(start_logits[:, 0] + end_logits[:, 0], windows.examples, num_examples)
        numbers = tf.range(tf.size(windows.examples))
        is_best = best.score == tf.gather(score, windows.examples)
        chosen = tf.math.unsorted_segment_min(
            tf.where(is_best, numbers, tf.size(numbers)), windows.examples, num_examples
        )
        is_possible = score > _POSSIBLE
        no_answer_score = tf.where(is_possible, none - score, 0.0)
        threshold = self.task.config.no_answer_threshold
        is_given = is_possible if threshold is None else is_possible & (no_answer_score <= threshold)
        start, end = (
            tf.gather_nd(places, tf.stack([chosen, tf.gather(columns, chosen)], axis=1))
            for places, columns in ((windows.starts, best.start), (windows.ends, best.end))
        )
        start, end = tf.where(is_given, start, 0), tf.where(is_given, end, 0)
        characters = character_offsets(texts[PASSAGE], tf.stack([start, end], axis=1))
        return {
            ANSWER: tf.strings.substr(texts[PASSAGE], start, end - start),
            START: tf.where(is_given, characters[:, 0], _NOWHERE),
            END: tf.where(is_given, characters[:, 1], _NOWHERE),
            SCORE: tf.where(is_possible, score, 0.0),
            NO_ANSWER_SCORE: no_answer_score,
        }

    def agreement(self, expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> float:
        """The share of windows in which the spans of the other are nearly the best: many are nearly equally good."""

        def score_of(columns: Mapping[str, np.ndarray]) -> np.ndarray:
            ends = ((names.START_LOGITS, START_COLUMN), (names.END_LOGITS, END_COLUMN))
            places = (np.asarray(columns[name], int)[:, np.newaxis] for _, name in ends)
            logits = (np.asarray(expected[name]) for name, _ in ends)
            return sum(np.take_along_axis(*pair, axis=1)[:, 0] for pair in zip(logits, places, strict=True))

        return float((score_of(expected) - score_of(found) < _NEARLY).mean())

    def record(self, answer: Mapping[str, np.ndarray]) -> dict:
        return {
            "answer": answer[ANSWER].decode("utf-8", "replace"),
            **{name: int(answer[name]) for name in (START, END)},
            **{name: float(answer[name]) for name in (SCORE, NO_ANSWER_SCORE)},
        }
