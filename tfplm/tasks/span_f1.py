"""F1 of spans during training."""

import keras
from keras import ops

from tfplm.layers.linear_chain import value_before
from tfplm.tasks.tag_layout import TagLayout


@keras.saving.register_keras_serializable(package="tfplm")
class SpanF1(keras.metrics.Metric):
    """F1 of the spans that the largest logit of every token says, over all batches since the last reset.

    A span is right where beginning, end and label are. A tag that goes on where its label does not stand before it
    begins a span. Tokens of weight 0 are passed over: a span goes on behind them.

    Source: Tjong Kim Sang and Buchholz 2000, "Introduction to the CoNLL-2000 Shared Task", section 4.

    Args:
        class_names: of the logits, see `tfplm.tasks.tag_layout.TagLayout`.
        name: of the metric.
    """

    def __init__(self, class_names: list[str], name: str = "span_f1", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.class_names = list(class_names)
        self._layout = TagLayout.of(class_names)
        self.right, self.there, self.given = (
            self.add_weight(name=part, shape=(), initializer="zeros") for part in ("right", "there", "given")
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds (batch, tokens) ids, (batch, tokens, classes) logits and, if given, (batch, tokens) weights."""
        given = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        there = ops.cast(y_true, "int32")
        counts = ops.ones_like(there, "bool") if sample_weight is None else ops.not_equal(sample_weight, 0)
        spans = [self._spans(tags, counts) for tags in (there, given)]
        for total, (starts, _) in zip((self.there, self.given), spans, strict=True):
            total.assign_add(ops.sum(ops.cast(starts >= 0, self.dtype)))
        same = ops.equal(spans[0][0], spans[1][0]) & ops.equal(spans[0][1], spans[1][1]) & (spans[0][0] >= 0)
        self.right.assign_add(ops.sum(ops.cast(same, self.dtype)))

    def _spans(self, tags, counts):
        """For every token that begins a span the label, else −1, and the number of its tokens; (batch, tokens) each."""
        batch, length = ops.shape(tags)
        rows = ops.expand_dims(ops.arange(batch, dtype="int32") * length, -1)
        labels = ops.take(ops.convert_to_tensor(self._layout.label_of), tags, axis=0)
        before = value_before(labels, counts, -1)
        begins = ops.take(ops.convert_to_tensor(self._layout.begins), tags, axis=0) | (labels != before)
        in_span = counts & (labels >= 0)
        begins &= in_span
        spans = rows + ops.cumsum(ops.cast(begins, "int32"), axis=1) - 1  # each token's
        spans = ops.where(in_span, spans, batch * length)
        num_tokens = ops.reshape(ops.cast(in_span, "int32"), (-1,))
        sizes = ops.segment_sum(num_tokens, ops.reshape(spans, (-1,)), batch * length + 1)
        return ops.where(begins, labels, -1), ops.take(sizes, ops.where(in_span, spans, 0))

    def result(self):
        return ops.divide_no_nan(2.0 * self.right, self.there + self.given)

    def get_config(self):
        return {"class_names": self.class_names, "name": self.name, "dtype": self.dtype}
