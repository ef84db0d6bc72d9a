"""Batches of labelled texts that were tokenized once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tensorflow as tf

from tfplm import feature_names as names
from tfplm.data.batches import EVERY_ROW, Batch, BatchSource, row_seeds
from tfplm.data.packed_epochs import PackedEpochs, pack_tokens
from tfplm.data.sampling import balanced_order
from tfplm.errors import UserError
from tfplm.tokenizers.wordpiece import WordPieceTokenizer

_ENCODE_AT_ONCE = 1024  # texts


def encode_texts(tokenizer: WordPieceTokenizer, texts: Sequence[str], sequence_length: int) -> np.ndarray:
    """Token ids of ``[CLS] text [SEP]``, cut or padded: int32 (texts, sequence_length)."""
    rows = [
        tokenizer.encode_rows(tf.constant(list(texts[i : i + _ENCODE_AT_ONCE])), sequence_length).numpy()
        for i in range(0, len(texts), _ENCODE_AT_ONCE)
    ]
    return np.concatenate(rows) if rows else np.zeros((0, sequence_length), np.int32)


@dataclass(frozen=True)
class ClassificationBatches(BatchSource):
    """Fixed-size batches over labelled rows; the last batch of an epoch is filled up with rows of weight 0.

    All other weights are raised by as much as these rows lower a mean, so that the mean over the batches of an epoch is
    the mean over its examples.

    Args:
        token_ids: int32 (examples, sequence).
        labels: int32 (examples,), or float32 (examples, classes) for multi-label.
        example_weights: float32 (examples,), from class weights.
        seed: of the order; None keeps the order, for evaluation.
        balanced: whether every class is drawn equally often; see `tfplm.data.sampling.balanced_order`.
    """

    token_ids: np.ndarray
    labels: np.ndarray
    example_weights: np.ndarray
    batch_size: int
    seed: int | None
    balanced: bool = False

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.token_ids) // self.batch_size)

    def batch(self, step: int, rows: slice = EVERY_ROW) -> Batch:
        of_batch = np.arange(self.batch_size)[rows]
        filled = (step % self.steps_per_epoch) * self.batch_size + of_batch < len(self.token_ids)
        examples = self.row_numbers(step)[rows]
        rows_per_example = self.steps_per_epoch * self.batch_size / len(self.token_ids)
        weights = np.where(filled, self.example_weights[examples] * rows_per_example, 0.0).astype(np.float32)
        features = {names.TOKEN_IDS: self.token_ids[examples]}
        if self.seed is not None:
            features[names.ROW_SEEDS] = row_seeds(self.seed, step, self.batch_size, of_batch)
        return features, self.labels[examples], weights

    def row_numbers(self, step: int) -> np.ndarray:
        epoch, batch_of_epoch = divmod(step, self.steps_per_epoch)
        places = batch_of_epoch * self.batch_size + np.arange(self.batch_size)
        return self._order(epoch)[places % len(self.token_ids)]

    def _order(self, epoch: int) -> np.ndarray:
        if self.seed is None:
            return np.arange(len(self.token_ids))
        if self.balanced:
            return balanced_order(self.labels, self.seed, epoch)
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.token_ids))


@dataclass(frozen=True)
class PackedClassificationBatches(ClassificationBatches):
    """As `ClassificationBatches`, but with several examples in a row: each in one row of the epoch, and whole.

    A batch is of ``batch_size`` rows as long as those of ``token_ids``. Features are TOKEN_IDS, PACKING_IDS, which
    number the examples of a row from 1, and POSITION_IDS, which restart with each, int32 (batch, sequence); besides
    EXAMPLE_STARTS int32 (batch, examples) and ROW_SEEDS. Labels are (batch, examples) or (batch, examples, classes);
    weights (batch, examples) are 0 where there is no example. The mean over the batches of an epoch is the mean over
    its examples.

    Args:
        token_ids: int32 (examples, sequence), 0 behind the text.
        labels: as there.
        example_weights: as there.
        batch_size: rows of a batch.
        seed: of the order.

    Raises:
        UserError: the classes are to be balanced.
    """

    def __post_init__(self):
        if self.balanced:
            raise UserError(
                "finetune.packing puts every text once into an epoch, and finetune.task.sampling: balanced does not.",
                remedy="Set packing: false, or balance the classes by class_weights: balanced.",
            )

    @property
    def steps_per_epoch(self) -> int:
        return self._epochs.steps_per_epoch

    def batch(self, step: int, rows: slice = EVERY_ROW) -> Batch:
        of_batch = np.arange(self.batch_size)[rows]
        examples = self._epochs.examples(step)[rows]
        there = examples >= 0
        places_per_example = self.steps_per_epoch * self.batch_size * examples.shape[1] / len(self.token_ids)
        weights = np.where(there, self.example_weights[examples] * places_per_example, 0.0).astype(np.float32)
        tokens = pack_tokens(examples, self._epochs.lengths)
        token_ids = self.token_ids[tokens.examples, tokens.positions]
        features = tokens.features(token_ids, len(examples), self.token_ids.shape[1])
        features[names.EXAMPLE_STARTS] = tokens.starts.astype(np.int32)
        features[names.ROW_SEEDS] = row_seeds(self.seed, step, self.batch_size, of_batch)
        return features, self.labels[examples], weights

    def row_numbers(self, step: int) -> np.ndarray:
        """The numbers of the examples of a step's batch: int64 (examples,)."""
        examples = self._epochs.examples(step)
        return examples[examples >= 0]

    @cached_property
    def _epochs(self) -> PackedEpochs:
        lengths = np.count_nonzero(self.token_ids, axis=1)
        return PackedEpochs(lengths, self.token_ids.shape[1], self.batch_size, self.seed)


def class_weight_of_examples(
    labels: np.ndarray, class_names: Sequence[str], class_weights: str | dict[str, float]
) -> np.ndarray:
    """The loss weight of each example: float32 (examples,) with mean 1 for "balanced".

    "balanced" weighs a class by examples / (classes · examples of the class), as scikit-learn does; a multi-label
    example takes the mean weight of its classes. Classes that a dictionary does not name have the weight 1.

    Raises:
        UserError: the dictionary names a class that is not there.
    """
    if class_weights == "none":
        return np.ones(len(labels), np.float32)
    one_hot = labels if labels.ndim == 2 else np.eye(len(class_names), dtype=np.float32)[labels]
    if class_weights == "balanced":
        counts = one_hot.sum(axis=0)
        by_class = one_hot.sum() / (len(class_names) * np.maximum(counts, 1))
    else:
        unknown = sorted(class_weights.keys() - set(class_names))
        if unknown:
            raise UserError(
                f"finetune.task.class_weights names a class that is not there: {', '.join(map(repr, unknown))}.",
                f"Classes: {', '.join(map(repr, class_names))}.",
            )
        by_class = np.array([class_weights.get(name, 1.0) for name in class_names])
    per_example = one_hot.sum(axis=1)
    weights = np.where(per_example > 0, one_hot @ by_class / np.maximum(per_example, 1), 1.0)
    return weights.astype(np.float32)
