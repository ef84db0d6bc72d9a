"""Metrics that Keras lacks; each understands sample weights."""

import keras
from keras import ops

from tfplm.tasks.losses import token_cross_entropy


@keras.saving.register_keras_serializable(package="tfplm")
class ExponentialOfMean(keras.metrics.Mean):
    """exp of the weighted mean of all values since the last reset: the perplexity where they are cross-entropies."""

    def result(self):
        return ops.exp(super().result())


@keras.saving.register_keras_serializable(package="tfplm")
class Perplexity(ExponentialOfMean):
    """exp of the weighted mean cross-entropy, over all batches since the last reset.

    Args:
        name: of the metric.

    Example:
        >>> metric = Perplexity()
        >>> metric.update_state([[1]], [[[0.0, 0.0]]])
        >>> round(float(metric.result()), 3)
        2.0
    """

    def __init__(self, name: str = "perplexity", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds (…,) ids, (…, vocabulary) logits and, if given, (…,) weights."""
        super().update_state(token_cross_entropy(y_true, y_pred), sample_weight)


class _CountsExamples:
    """Takes from sample weights only whether an example counts: one of weight 0 fills up a batch, others count once."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            sample_weight = ops.cast(ops.not_equal(sample_weight, 0), self.dtype)
        return super().update_state(y_true, y_pred, sample_weight)


@keras.saving.register_keras_serializable(package="tfplm")
class LabelAccuracy(_CountsExamples, keras.metrics.SparseCategoricalAccuracy):
    """Share of the examples whose class has the largest logit; a sample weight of 0 leaves an example out."""

    def __init__(self, name: str = "accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)


@keras.saving.register_keras_serializable(package="tfplm")
class MacroF1(keras.metrics.Metric):
    """Mean of every class's F1, from logits; a sample weight of 0 leaves an example out, others count once.

    Unlike `keras.metrics.F1Score` it has its variables from the beginning, as tf.distribute wants them. A class that is
    neither there nor given has the F1 0.

    Args:
        num_classes: number of classes.
        threshold: None where each example has one class, its target an integer and its prediction the largest logit;
            for many classes an example, whose target is a row of 0 and 1, the probability from which a class is given.
        name: of the metric.
    """

    def __init__(self, num_classes: int, threshold: float | None = None, name: str = "macro_f1", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.num_classes = num_classes
        self.decision_threshold = threshold
        self.right = self._counts("right")
        self.there = self._counts("there")
        self.given = self._counts("given")

    def _counts(self, name: str) -> keras.Variable:
        return self.add_weight(name=name, shape=(self.num_classes,), initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds (…) ids or (batch, classes) rows, (…, classes) logits and, if given, (…) weights."""
        y_pred = ops.reshape(y_pred, (-1, self.num_classes))
        if self.decision_threshold is None:
            there = ops.one_hot(ops.reshape(ops.cast(y_true, "int32"), (-1,)), self.num_classes, dtype=self.dtype)
            given = ops.one_hot(ops.argmax(y_pred, axis=-1), self.num_classes, dtype=self.dtype)
        else:
            there = ops.cast(ops.cast(y_true, "bool"), self.dtype)
            given = ops.cast(ops.sigmoid(y_pred) >= self.decision_threshold, self.dtype)
        if sample_weight is not None:
            counted = ops.cast(ops.reshape(ops.not_equal(sample_weight, 0), (-1, 1)), self.dtype)
            there, given = there * counted, given * counted
        self.right.assign_add(ops.sum(there * given, axis=0))
        self.there.assign_add(ops.sum(there, axis=0))
        self.given.assign_add(ops.sum(given, axis=0))

    def result(self):
        return ops.mean(ops.divide_no_nan(2.0 * self.right, self.there + self.given))

    def get_config(self):
        return {
            "num_classes": self.num_classes,
            "threshold": self.decision_threshold,
            "name": self.name,
            "dtype": self.dtype,
        }


@keras.saving.register_keras_serializable(package="tfplm")
class AbsoluteError(keras.metrics.MeanMetricWrapper):
    """Mean absolute error of numbers (batch,), which Keras's own takes for one example of many.

    Args:
        name: of the metric.
    """

    def __init__(self, name: str = "mae", dtype=None):
        super().__init__(fn=lambda y_true, y_pred: ops.abs(y_true - y_pred), name=name, dtype=dtype)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable(package="tfplm")
class PearsonCorrelation(keras.metrics.Metric):
    """Pearson's correlation of numbers over all batches since the last reset; 0 where either is constant.

    Unlike `keras.metrics.PearsonCorrelation` it is not the mean of the correlations of the batches.

    Args:
        offset: about the mean of the numbers, from which they are counted, so that their squares lose no digits.
        scale: about their spread.
        name: of the metric.
    """

    def __init__(self, offset: float = 0.0, scale: float = 1.0, name: str = "pearson", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.offset, self.scale = offset, scale
        # Sums of weights, x, y, x², y² and xy.
        self.sums = self.add_weight(name="sums", shape=(6,), initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds numbers (batch,) and, if given, weights (batch,)."""
        x, y = ((self._flat(part) - self.offset) / self.scale for part in (y_true, y_pred))
        weights = ops.ones_like(x) if sample_weight is None else self._flat(sample_weight)
        terms = ops.stack([ops.ones_like(x), x, y, x * x, y * y, x * y])  # (6, batch)
        self.sums.assign_add(ops.sum(terms * weights, axis=1))

    def result(self):
        count, x, y, xx, yy, xy = (self.sums[index] for index in range(6))
        spreads = (count * xx - x * x) * (count * yy - y * y)
        return ops.divide_no_nan(count * xy - x * y, ops.sqrt(ops.maximum(spreads, 0.0)))

    def _flat(self, values):
        return ops.reshape(ops.cast(values, self.dtype), (-1,))

    def get_config(self):
        return {"offset": self.offset, "scale": self.scale, "name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable(package="tfplm")
class MultiLabelAccuracy(_CountsExamples, keras.metrics.MeanMetricWrapper):
    """Share of the examples whose whole set of classes is right, from logits; a sample weight of 0 leaves one out.

    Args:
        threshold: the probability from which a class is given.
        name: of the metric.
    """

    def __init__(self, threshold: float = 0.5, name: str = "accuracy", dtype=None):
        super().__init__(fn=self._is_right, name=name, dtype=dtype)
        self.threshold = threshold

    def _is_right(self, y_true, y_pred):
        given = ops.sigmoid(y_pred) >= self.threshold  # (batch, classes)
        return ops.cast(ops.all(ops.equal(ops.cast(y_true, "bool"), given), axis=-1), self.dtype)

    def get_config(self):
        return {"threshold": self.threshold, "name": self.name, "dtype": self.dtype}
