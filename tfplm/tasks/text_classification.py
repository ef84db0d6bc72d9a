"""One label, or any number of them, for a text."""

import keras
from keras import KerasTensor, ops

from tfplm import feature_names as names
from tfplm.layers.dropout import Dropout
from tfplm.models.build import Encoder
from tfplm.tasks.configuration import TextClassificationConfig
from tfplm.tasks.encoder_task import EncoderTask, distinct_names
from tfplm.tasks.losses import SmoothedCrossEntropy
from tfplm.tasks.metrics import LabelAccuracy, MacroF1, MultiLabelAccuracy
from tfplm.tasks.task import Scores


@keras.saving.register_keras_serializable(package="tfplm")
class TextClassifier(EncoderTask):
    """An encoder, its pooled output or the mean of its sequence output, dropout, and a dense layer.

    Source: Devlin et al. 2019, "BERT", section 4.1.

    Args:
        encoder: any encoder, whose weights are trained along.
        config: of the task.
        class_names: in the order of the class ids.

    Example:
        >>> classifier = TextClassifier(encoder, TextClassificationConfig(), ["negative", "positive"])
        >>> probabilities = classifier.probabilities(classifier({"token_ids": ids}))
    """

    task_type = "text_classification"
    config_type = TextClassificationConfig

    def __init__(self, encoder: Encoder, config: TextClassificationConfig, class_names: list[str], **kwargs):
        kwargs.setdefault("name", "text_classifier")
        super().__init__(encoder, config, trains_pooler=config.pooling == "encoder", **kwargs)
        self.class_names = distinct_names(class_names, least=1 if config.multi_label else 2)
        self.dropout = Dropout(config.dropout, name="dropout")
        self.classifier = self._dense(len(class_names), "classifier", config.output_bias)
        self.build()

    def build(self, input_shape=None):
        """Creates the variables of the head; the encoder has its own already."""
        self.classifier.build((None, self.encoder.output_dim))

    def call(self, inputs, training=None):
        """Scores every class.

        Args:
            inputs: what the encoder takes. Where a row holds several examples, EXAMPLE_STARTS (batch, examples) and
                PACKING_IDS, which count from 1 in every row, are among it.
            training: whether dropout is applied.

        Returns:
            Logits (batch, classes) in float32; with EXAMPLE_STARTS (batch, examples, classes).
        """
        pooled = self._pooled(inputs, training)
        pooled = self.dropout(pooled, inputs.get(names.ROW_SEEDS), training=training)
        return ops.cast(self.classifier(pooled), "float32")

    def probabilities(self, logits: KerasTensor) -> KerasTensor:
        """Probabilities (batch, classes): by softmax, or for many labels a text each by its own sigmoid."""
        return ops.sigmoid(logits) if self.config.multi_label else ops.softmax(logits)

    def build_loss(self) -> keras.losses.Loss:
        """Cross-entropy of the softmax or of the sigmoids, with the configured label smoothing."""
        if self.config.multi_label:
            return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=self.config.label_smoothing)
        return SmoothedCrossEntropy(self.config.label_smoothing)

    def build_metrics(self) -> list[keras.metrics.Metric]:
        """Weighted metrics: accuracy and macro F1, which count every example once, but none of weight 0."""
        if self.config.multi_label:
            threshold = self.config.decision_threshold
            return [MultiLabelAccuracy(threshold), MacroF1(len(self.class_names), threshold)]
        return [LabelAccuracy(), MacroF1(len(self.class_names))]

    def score(self, inputs, targets, weights, training):
        """Targets are (batch,) class ids, or for many labels a text (batch, classes) rows of 0 and 1.

        Weights (batch,) carry the class weights; rows that only fill up a batch have the weight 0. Where a row holds
        several examples, both have (batch, examples) in place of (batch,), and the losses are (batch · examples,).
        """
        logits = self(inputs, training=training)
        if names.EXAMPLE_STARTS in inputs:
            logits, targets, weights = (_one_axis_less(part) for part in (logits, targets, weights))
        losses = {self.task_type: self.build_loss().call(targets, logits) * weights}
        metrics = dict.fromkeys(("accuracy", "macro_f1"), (targets, logits, weights))
        return Scores(losses, metrics)

    def normalizers(self, weights):
        return {self.task_type: ops.cast(ops.size(weights), "float32")}

    def build_score_metrics(self):
        return self.build_metrics()

    def get_config(self):
        return {**super().get_config(), "class_names": self.class_names}


def _one_axis_less(values: KerasTensor) -> KerasTensor:
    """Maps (batch, examples, …) to (batch · examples, …)."""
    return ops.reshape(values, (-1, *values.shape[2:]))
