"""Rows of one text, or of a pair of texts, for the tasks that read a whole row."""

from typing import ClassVar

import tensorflow as tf

from tfplm import feature_names as names
from tfplm.answering.answer_names import TEXT, TEXT_PAIR
from tfplm.answering.answerer import Answerer, Tensors
from tfplm.tasks.task import Task
from tfplm.tokenizers.tokenizer import Tokenizer


class TextAnswerer(Answerer):
    """An answerer whose rows are a text each, or a pair of texts.

    Args:
        task: as of `Answerer`.
        tokenizer: as of `Answerer`.
        sequence_length: as of `Answerer`.
        is_pair: whether every row holds two texts.
    """

    _ROWS: ClassVar[tuple[str, ...]] = (names.TOKEN_IDS, names.SEGMENT_IDS)

    def __init__(self, task: Task, tokenizer: Tokenizer, sequence_length: int, is_pair: bool = False):
        super().__init__(task, tokenizer, sequence_length)
        self.is_pair = is_pair
        self.inputs = (TEXT, TEXT_PAIR) if is_pair else (TEXT,)

    def row_specs(self, num_rows: int | None) -> dict[str, tf.TensorSpec]:
        wanted = self._ROWS if self.is_pair and takes_segments(self.task) else self._ROWS[:1]
        return {name: tf.TensorSpec([num_rows, self.sequence_length], tf.int32, name) for name in wanted}

    def encode(self, texts: Tensors) -> Tensors:
        if not self.is_pair:
            return super().encode(texts)
        rows = self.tokenizer.encode_pair_rows(texts[TEXT], texts[TEXT_PAIR], self.sequence_length)
        return self._kept(rows)

    def encode_single(self, texts: Tensors) -> Tensors:
        if not self.is_pair:
            return super().encode_single(texts)
        return self._kept(self.tokenizer.encode_flat_pair(texts[TEXT], texts[TEXT_PAIR], self.sequence_length))

    def _kept(self, rows) -> Tensors:
        by_name = {names.TOKEN_IDS: rows.token_ids, names.SEGMENT_IDS: rows.segment_ids}
        return {name: by_name[name] for name in self.row_specs(None)}


def takes_segments(task: Task) -> bool:
    """Whether the encoder tells the two texts of a pair apart by segment embeddings."""
    return getattr(task.encoder.config, "num_segments", 0) > 1
