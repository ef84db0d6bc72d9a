"""The span of a passage that answers a question."""

from typing import NamedTuple

import keras
import numpy as np
from keras import KerasTensor, ops

from tfplm import feature_names as names
from tfplm.layers.masks import padding_mask
from tfplm.models.build import Encoder
from tfplm.tasks.configuration import QuestionAnsweringConfig
from tfplm.tasks.encoder_task import EncoderTask
from tfplm.tasks.losses import TokenCrossEntropy
from tfplm.tasks.task import Scores

_ENDS = (names.START_LOGITS, names.END_LOGITS)
_BLOCKED = -1e9


class Spans(NamedTuple):
    """The best span of every row. Every tensor is (batch,)."""

    start: KerasTensor  # int32: the column of its first token
    end: KerasTensor  # int32: the column of its last token
    score: KerasTensor  # float32: the sum of both logits; below -1e8 where no token is allowed


@keras.saving.register_keras_serializable(package="tfplm")
class SpanEndCrossEntropy(TokenCrossEntropy):
    """Half of the cross-entropy, so that the sum of the losses of a span's start and end is their mean.

    Args:
        name: of the loss.
        reduction: as of every Keras loss.
    """

    def __init__(self, name: str = "span_end_cross_entropy", reduction: str = "mean_with_sample_weight", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        """Compares (batch,) columns with (batch, sequence) logits; returns (batch,)."""
        return 0.5 * super().call(y_true, y_pred)


@keras.saving.register_keras_serializable(package="tfplm")
class QuestionAnswering(EncoderTask):
    """An encoder and two scores of every token: that the answer starts there, and that it ends there.

    A row holds one question and one passage.

    Source: Devlin et al. 2019, "BERT", section 4.2.

    Args:
        encoder: any encoder, whose weights are trained along.
        config: of the task.

    Example:
        >>> task = QuestionAnswering(encoder, QuestionAnsweringConfig())
        >>> start, end, score = task.answers(inputs, task(inputs))
    """

    task_type = "question_answering"
    config_type = QuestionAnsweringConfig

    def __init__(self, encoder: Encoder, config: QuestionAnsweringConfig, **kwargs):
        kwargs.setdefault("name", "question_answering")
        super().__init__(encoder, config, trains_pooler=False, **kwargs)
        self.span = self._dense(2, name="span")  # columns: start, end
        # Both outputs together: `compile` takes metrics of one output only.
        self.span_accuracy = keras.metrics.Mean("span_accuracy")
        self.build()

    def build(self, input_shape=None):
        """Creates the variables of the head; the encoder has its own already."""
        self.span.build((None, None, self.encoder.output_dim))

    def call(self, inputs, training=None):
        """Scores every token.

        Args:
            inputs: what the encoder takes; CONTEXT_MASK is left alone, see `answers`.
            training: whether the encoder's dropout is applied.

        Returns:
            Dictionary of START_LOGITS and END_LOGITS, (batch, sequence) in float32, those of padding among them.
        """
        hidden = self.encoder(inputs, training=training)[names.SEQUENCE_OUTPUT]
        logits = ops.cast(self.span(hidden), "float32")
        return {name: logits[..., column] for column, name in enumerate(_ENDS)}

    def answers(self, inputs: dict, outputs: dict) -> Spans:
        """The best span of every row, none longer than configured, never in the padding.

        Args:
            inputs: as of `call`; with CONTEXT_MASK (batch, sequence), the span lies where that is not 0.
            outputs: of `call`.
        """
        allowed = padding_mask(inputs, self.encoder.config.pad_id)
        if names.CONTEXT_MASK in inputs:
            allowed = ops.logical_and(allowed, ops.cast(inputs[names.CONTEXT_MASK], "bool"))
        return best_spans(*(outputs[name] for name in _ENDS), allowed, self.config.max_answer_length)

    def build_loss(self) -> dict[str, keras.losses.Loss]:
        """Losses by output, whose sum is the mean of their cross-entropies."""
        return {name: SpanEndCrossEntropy() for name in _ENDS}

    def build_metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        """Weighted metrics by output: start_logits_accuracy and end_logits_accuracy; span_accuracy is always there."""
        return {name: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")] for name in _ENDS}

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """As of every Keras model, with the accuracy of start and end together."""
        if sample_weight is not None and not isinstance(sample_weight, dict):
            sample_weight = dict.fromkeys(_ENDS, sample_weight)
        self.span_accuracy.update_state(*_both_right(y, y_pred, sample_weight))
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def score(self, inputs, targets, weights, training):
        """Targets and weights by output, START_LOGITS and END_LOGITS: (batch,) columns, and 0 where one is not told."""
        logits = self(inputs, training=training)
        losses = {
            name: loss.call(targets[name], logits[name]) * weights[name] for name, loss in self.build_loss().items()
        }
        metrics = {f"{name}_accuracy": (targets[name], logits[name], weights[name]) for name in _ENDS}
        return Scores(losses, {**metrics, self.span_accuracy.name: _both_right(targets, logits, weights)})

    def normalizers(self, weights):
        return {name: ops.sum(weights[name]) for name in _ENDS}

    def build_score_metrics(self):
        ends = [keras.metrics.SparseCategoricalAccuracy(name=f"{name}_accuracy") for name in _ENDS]
        return [*ends, keras.metrics.Mean(self.span_accuracy.name)]


def best_spans(
    start_logits: KerasTensor,
    end_logits: KerasTensor,
    allowed_mask: KerasTensor,
    max_answer_length: int,
    start_mask: KerasTensor | None = None,
) -> Spans:
    """Finds the span of every row with the largest sum of the logits of its first and its last token.

    Of equal ones it is the first, and of these the shortest.

    Source: Devlin et al. 2019, "BERT", section 4.2.

    Args:
        start_logits: (batch, sequence) float, the sequence static.
        end_logits: of the same shape.
        allowed_mask: (batch, sequence), 0 or False where no span may start or end.
        max_answer_length: tokens of the longest span.
        start_mask: as ``allowed_mask``, for the starts besides; None: no other limit.

    Raises:
        ValueError: if max_answer_length is less than 1.
    """
    scores = span_scores(start_logits, end_logits, allowed_mask, max_answer_length, start_mask)
    length = scores.shape[2]
    scores = ops.reshape(scores, (-1, scores.shape[1] * length))
    score = ops.max(scores, axis=-1)
    # Not ops.argmax: it looks at the bits of zeros, for which TFLite has no op.
    places = np.arange(scores.shape[1], dtype="int32")
    best = ops.min(ops.where(scores >= ops.expand_dims(score, -1), places, places[-1]), axis=-1)
    start = best // length
    return Spans(start, start + best % length, score)


def span_scores(
    start_logits: KerasTensor,
    end_logits: KerasTensor,
    allowed_mask: KerasTensor,
    max_answer_length: int,
    start_mask: KerasTensor | None = None,
) -> KerasTensor:
    """The scores of all spans, as `best_spans` compares them and raising as it does.

    Returns:
        (batch, start, end - start) float32, the last axis as long as the longest span; below -1e8 where a span may
        not stand.
    """
    if max_answer_length < 1:
        raise ValueError(f"got max_answer_length={max_answer_length}, expected 1 or more")
    sequence = start_logits.shape[1]
    length = min(max_answer_length, sequence)
    starts, ends = (_blocked(logits, allowed_mask) for logits in (start_logits, end_logits))
    starts = starts if start_mask is None else _blocked(starts, start_mask)
    # Of all pairs of columns only the band at and above the diagonal: (batch, start, end - start).
    columns = np.arange(sequence)[:, None] + np.arange(length)
    ends = ops.take(ops.pad(ends, [[0, 0], [0, length - 1]], constant_values=_BLOCKED), columns, axis=1)
    return ops.expand_dims(starts, -1) + ends


def _blocked(logits: KerasTensor, allowed_mask: KerasTensor) -> KerasTensor:
    return ops.where(ops.cast(allowed_mask, "bool"), ops.cast(logits, "float32"), _BLOCKED)


def _both_right(targets: dict, logits: dict, weights: dict | None) -> tuple[KerasTensor, KerasTensor | None]:
    """1 where start and end both have the largest logits, else 0, and the smaller of their weights: (batch,)."""
    start, end = (keras.metrics.sparse_categorical_accuracy(targets[name], logits[name]) for name in _ENDS)
    return start * end, None if weights is None else ops.minimum(*(weights[name] for name in _ENDS))
