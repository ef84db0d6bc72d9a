"""A text to its labelled spans: entities, chunks, parts of speech."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfplm import feature_names as names
from tfplm.answering.answer_names import COUNT, ENDS, LABELS, PROBABILITIES, SCORES, SPANS, STARTS, STEPS, TEXT
from tfplm.answering.answerer import Answerer, Tensors
from tfplm.answering.in_parts import score_in_parts
from tfplm.answering.tag_decoding import DecodedSpans, best_tags, decode_spans
from tfplm.data.text_windows import TextWindows, join_windows, text_windows
from tfplm.tasks.tag_layout import TagLayout
from tfplm.tasks.task import Task
from tfplm.tasks.token_classification import TokenClassifier
from tfplm.tokenizers.offsets import character_offsets
from tfplm.tokenizers.tokenizer import Tokenizer

_LEAST = 1e-30  # of a probability whose logarithm is taken
_NOWHERE = -1
_ALIKE = 3  # decimals of probabilities that are taken for equal


class TaggingAnswerer(Answerer):
    """Answers with the spans of a text from the left, (batch, most spans of one) each, and COUNT (batch,) of them.

    STARTS and ENDS are characters of the text, SPANS what stands there, LABELS what it is, SCORES the mean probability
    of the tags of its words. Behind the last span stand −1 and empty strings.

    A text of any length is read in windows, all in the graph; rows are windows. The first token of a word decides for
    the word, so that no span cuts one; in scripts without spaces a span may end behind every token.
    """

    task: TokenClassifier
    descriptions = {
        STARTS: "The first character of each span, from 0; -1 behind the last span.",
        ENDS: "The character behind each span; -1 behind the last span.",
        LABELS: "The label of each span; empty behind the last.",
        SCORES: "The mean probability of the tags of each span's words; -1 behind the last span.",
        SPANS: "The text of each span.",
        COUNT: "How many spans there are.",
        PROBABILITIES: "The probability of each tag for each token; 0 at padding.",
        STEPS: "What each tag (column) scores behind another (row), or as the first (last row); the same in every row.",
    }
    class_output = PROBABILITIES

    def __init__(self, task: Task, tokenizer: Tokenizer, sequence_length: int):
        super().__init__(task, tokenizer, sequence_length)
        self.layout = TagLayout.of(self.class_names)

    def encode(self, texts: Tensors) -> Tensors:
        return text_windows(self.tokenizer, texts[TEXT], self.sequence_length, self.task.config.stride)._asdict()

    def encode_single(self, texts: Tensors) -> Tensors:
        raise NotImplementedError("offsets are told by ops that TFLite lacks")

    @property
    def runs_from_text_in_tflite(self) -> bool:
        return False

    def score(self, rows: Tensors) -> Tensors:
        token_ids = rows[names.TOKEN_IDS]
        probabilities = self.task.probabilities(self.task({names.TOKEN_IDS: token_ids}, training=False))
        there = tf.cast(tf.not_equal(token_ids, self.tokenizer.pad_id), tf.float32)
        scores = {PROBABILITIES: probabilities * there[:, :, tf.newaxis]}
        if not self.task.config.crf:
            return scores
        chain = self.task.chain
        steps = tf.concat([chain.transitions, chain.starts[tf.newaxis]], axis=0)[tf.newaxis]
        return scores | {STEPS: tf.repeat(steps, tf.shape(token_ids)[0], axis=0)}

    def answer(self, texts: Tensors) -> Tensors:
        rows, classes = self.encode(texts), len(self.class_names)
        shapes = {PROBABILITIES: (self.sequence_length, classes)}
        if self.task.config.crf:
            shapes[STEPS] = (classes + 1, classes)
        features = {name: rows[name] for name in self.row_specs(None)}
        return self.decide(rows, score_in_parts(self.score, features, shapes), texts)

    def decide(self, rows: Tensors, scores: Tensors, texts: Tensors) -> Tensors:
        windows = TextWindows(**rows)
        probabilities = join_windows(windows, scores[PROBABILITIES]).to_tensor()  # (batch, tokens, classes)
        probabilities = tf.ensure_shape(probabilities, [None, None, len(self.class_names)])
        starts, ends = (join_windows(windows, part).to_tensor(_NOWHERE) for part in (windows.starts, windows.ends))
        decides = join_windows(windows, windows.decides).to_tensor() > 0
        tags = best_tags(tf.math.log(tf.maximum(probabilities, _LEAST)), decides, self._steps(scores))
        return self._named(decode_spans(tags, probabilities, decides, starts, ends, self.layout), texts[TEXT])

    def agreement(self, expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> float:
        left, right = (np.asarray(scores[PROBABILITIES]) for scores in (expected, found))
        # A text of one word over and over gives many windows, of which each counts once.
        _, rows = np.unique(left.reshape(len(left), -1).round(_ALIKE), axis=0, return_index=True)
        there = left[rows].any(axis=-1)  # padding has no probabilities
        return float((left[rows].argmax(-1) == right[rows].argmax(-1))[there].mean())

    def record(self, answer: Mapping[str, np.ndarray]) -> dict:
        columns = (answer[name][: int(answer[COUNT])].tolist() for name in (STARTS, ENDS, LABELS, SCORES, SPANS))
        return {
            "spans": [
                {"start": start, "end": end, "label": label.decode(), "score": score, "text": _text(span)}
                for start, end, label, score, span in zip(*columns, strict=True)
            ]
        }

    def _steps(self, scores: Tensors) -> tf.Tensor:
        """What `best_tags` takes: what was learned, if anything, and what is legal."""
        legal = self.layout.legal_steps()
        steps = tf.constant(legal if self.task.config.legal_tags else np.zeros_like(legal))
        return steps + tf.reduce_max(scores[STEPS], axis=0) if STEPS in scores else steps

    def _named(self, spans: DecodedSpans, texts: tf.Tensor) -> Tensors:
        width = tf.shape(spans.starts)[1]
        characters = character_offsets(texts, tf.concat([spans.starts, spans.ends], axis=1))
        there = spans.starts >= 0
        first = tf.where(there, spans.starts, 0)
        # Of as many copies of each text as it has spans.
        copies = tf.repeat(texts[:, tf.newaxis], width, axis=1)
        return {
            STARTS: characters[:, :width],
            ENDS: characters[:, width:],
            LABELS: tf.gather(tf.constant([*self.layout.labels, ""]), spans.labels % (len(self.layout.labels) + 1)),
            SCORES: spans.scores,
            SPANS: tf.strings.substr(copies, first, tf.where(there, spans.ends - first, 0)),
            COUNT: spans.counts,
        }


def _text(span: bytes) -> str:
    return span.decode("utf-8", "replace")
