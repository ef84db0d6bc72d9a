"""A number for a text or a pair of texts."""

import keras
from keras import KerasTensor, ops

from tfplm import feature_names as names
from tfplm.layers.dropout import Dropout
from tfplm.models.build import Encoder
from tfplm.tasks.configuration import TextRegressionConfig
from tfplm.tasks.encoder_task import EncoderTask
from tfplm.tasks.metrics import AbsoluteError, PearsonCorrelation
from tfplm.tasks.task import Scores


@keras.saving.register_keras_serializable(package="tfplm")
class ScaledSquaredError(keras.losses.Loss):
    """Squared error in units of ``scale``, so that the learning rate need not know how large the numbers are.

    Args:
        scale: the spread of the numbers.
        name: of the loss.
        reduction: as of every Keras loss.
    """

    def __init__(
        self, scale: float = 1.0, name: str = "scaled_squared_error", reduction: str = "sum_over_batch_size", dtype=None
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.scale = scale

    def call(self, y_true, y_pred):
        """Compares numbers (batch,); returns (batch,)."""
        return ops.square((ops.cast(y_true, y_pred.dtype) - y_pred) / self.scale)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="tfplm")
class TextRegressor(EncoderTask):
    """An encoder, its pooled output or the mean of its sequence output, dropout, and a dense layer of one unit.

    The dense layer gives the number in units of the training data's spread, from its mean on.

    Source: Devlin et al. 2019, "BERT", section 4.1 (STS-B).

    Args:
        encoder: any encoder, whose weights are trained along.
        config: of the task.

    Example:
        >>> regressor = TextRegressor(encoder, TextRegressionConfig(offset=2.5, scale=1.5))
        >>> numbers = regressor({"token_ids": ids})
    """

    task_type = "text_regression"
    config_type = TextRegressionConfig

    def __init__(self, encoder: Encoder, config: TextRegressionConfig, **kwargs):
        kwargs.setdefault("name", "text_regressor")
        super().__init__(encoder, config, trains_pooler=config.pooling == "encoder", **kwargs)
        self.dropout = Dropout(config.dropout, name="dropout")
        self.regressor = self._dense(1, "regressor")
        self.build()

    def build(self, input_shape=None):
        """Creates the variables of the head; the encoder has its own already."""
        self.regressor.build((None, self.encoder.output_dim))

    def call(self, inputs, training=None) -> KerasTensor:
        """Gives a number for every text.

        Args:
            inputs: what the encoder takes. Where a row holds several examples, EXAMPLE_STARTS (batch, examples) and
                PACKING_IDS, which count from 1 in every row, are among it.
            training: whether dropout is applied.

        Returns:
            (batch,) in float32; with EXAMPLE_STARTS (batch, examples).
        """
        pooled = self._pooled(inputs, training)
        pooled = self.dropout(pooled, inputs.get(names.ROW_SEEDS), training=training)
        units = ops.cast(self.regressor(pooled), "float32")[..., 0]
        return self.config.offset + self.config.scale * units

    def build_loss(self) -> keras.losses.Loss:
        """Squared error in units of the spread."""
        return ScaledSquaredError(self.config.scale)

    def build_metrics(self) -> list[keras.metrics.Metric]:
        """Weighted metrics: the mean absolute error, and Pearson's correlation over all batches."""
        return [AbsoluteError(), PearsonCorrelation(self.config.offset, self.config.scale)]

    def score(self, inputs, targets, weights, training):
        """Targets and weights are (batch,); where a row holds several examples (batch, examples)."""
        found = ops.reshape(self(inputs, training=training), (-1,))
        targets, weights = ops.reshape(targets, (-1,)), ops.reshape(weights, (-1,))
        losses = {self.task_type: self.build_loss().call(targets, found) * weights}
        there = ops.cast(ops.not_equal(weights, 0), "float32")
        return Scores(losses, dict.fromkeys(("mae", "pearson"), (targets, found, there)))

    def normalizers(self, weights):
        return {self.task_type: ops.cast(ops.size(weights), "float32")}

    def build_score_metrics(self):
        return self.build_metrics()
