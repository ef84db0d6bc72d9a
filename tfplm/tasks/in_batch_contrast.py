"""Telling the partner of a text from all other texts of the batch: cosines, the loss and a metric."""

import keras
from keras import KerasTensor, ops

_LEAST_SQUARED_NORM = 1e-24  # a text without tokens has the vector 0, and keeps it
_NO_CANDIDATE = -1e4  # below every cosine
NOT_THERE = -1  # the number of a text that an example does not have


def unit_length(vectors: KerasTensor) -> KerasTensor:
    """Vectors (…, dim) of length 1, with finite gradients at 0 too, where those of `ops.normalize` are not."""
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return vectors * ops.rsqrt(ops.maximum(squares, _LEAST_SQUARED_NORM))


def in_batch_cosines(numbers: KerasTensor, vectors: KerasTensor) -> KerasTensor:
    """Cosines of every first text with all that may be taken for its partner: the second texts, then all others.

    What is right for a first text besides its own partner is no candidate: a partner of an equal first text, a text
    that equals it, and one that equals its partner.

    Args:
        numbers: (batch, texts) integers, of the texts of every example: equal ones have equal numbers, and what is not
            there has `NOT_THERE`.
        vectors: (batch, texts, dim) float, two texts or more.

    Returns:
        (batch, candidates) float, with the own partner on the diagonal; far below -1 where there is no candidate.
    """
    vectors = unit_length(vectors)
    num_others, dim = vectors.shape[1] - 2, vectors.shape[2]
    first, second = numbers[:, 0], numbers[:, 1]
    candidates = vectors[:, 1]
    places = ops.arange(ops.shape(numbers)[0])
    is_other = _differ(places, places)  # (batch, batch)
    is_right = ops.logical_or(_equal(first, first), ops.logical_or(_equal(first, second), _equal(second, second)))
    is_left_out = ops.logical_and(is_other, is_right)
    if num_others:
        others = ops.reshape(numbers[:, 2:], (-1,))
        candidates = ops.concatenate([candidates, ops.reshape(vectors[:, 2:], (-1, dim))], axis=0)
        is_right = ops.logical_or(_equal(first, others), _equal(second, others))
        is_right = ops.logical_or(is_right, ops.expand_dims(ops.equal(others, NOT_THERE), 0))
        is_left_out = ops.concatenate([is_left_out, is_right], axis=1)
    cosines = ops.matmul(vectors[:, 0], ops.transpose(candidates))
    return ops.where(is_left_out, ops.cast(_NO_CANDIDATE, cosines.dtype), cosines)


def _equal(left: KerasTensor, right: KerasTensor) -> KerasTensor:
    """Whether numbers are equal, each (n,) with each (m,): bool (n, m)."""
    return ops.equal(ops.expand_dims(left, 1), ops.expand_dims(right, 0))


def _differ(left: KerasTensor, right: KerasTensor) -> KerasTensor:
    return ops.logical_not(_equal(left, right))


@keras.saving.register_keras_serializable(package="tfplm")
class InBatchContrast(keras.losses.Loss):
    """Cross-entropy of every text's partner among all texts of the batch, by cosines over a temperature.

    Source: Henderson et al. 2017, "Efficient Natural Language Response Suggestion for Smart Reply", section 4.4; van
    den Oord et al. 2018, "Representation Learning with Contrastive Predictive Coding", section 2.3; Gao et al. 2021,
    "SimCSE", sections 2 and 4, for the temperature, the hard negatives and texts that are their own partners.

    Args:
        temperature: that the cosines are divided by.
        symmetric: whether a partner also has to find its text; the loss is the mean of both ways.
        name: of the loss.
        reduction: as of every Keras loss.
    """

    def __init__(
        self,
        temperature: float = 0.05,
        symmetric: bool = False,
        name: str = "in_batch_contrast",
        reduction: str = "mean_with_sample_weight",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.temperature, self.symmetric = temperature, symmetric

    def call(self, y_true, y_pred):
        """Compares (batch, texts) numbers with (batch, texts, dim) vectors as `in_batch_cosines`; returns (batch,)."""
        logits = in_batch_cosines(y_true, y_pred) / self.temperature
        own = ops.diagonal(logits)
        losses = ops.logsumexp(logits, axis=1) - own
        if not self.symmetric:
            return losses
        between_pairs = logits[:, : ops.shape(logits)[0]]  # what is right is so both ways
        return (losses + ops.logsumexp(between_pairs, axis=0) - own) / 2.0

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature, "symmetric": self.symmetric}


@keras.saving.register_keras_serializable(package="tfplm")
class InBatchRecall(keras.metrics.Mean):
    """Share of the texts whose partner has the largest cosine in the batch; a sample weight of 0 leaves a text out."""

    def __init__(self, name: str = "recall_at_1", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds (batch, texts) numbers, (batch, texts, dim) vectors and, if given, (batch,) weights."""
        cosines = in_batch_cosines(y_true, y_pred)
        is_found = ops.equal(ops.argmax(cosines, axis=1), ops.arange(ops.shape(cosines)[0]))
        if sample_weight is not None:
            sample_weight = ops.cast(ops.not_equal(sample_weight, 0), self.dtype)
        return super().update_state(ops.cast(is_found, self.dtype), sample_weight)
