"""Labelled texts as rows of token ids, and the weight of each."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

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
