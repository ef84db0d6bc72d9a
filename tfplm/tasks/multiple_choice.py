"""One of several choices, the best beside a context."""

import keras
from keras import KerasTensor, ops

from tfplm import feature_names as names
from tfplm.layers.dropout import Dropout
from tfplm.models.build import Encoder
from tfplm.tasks.configuration import MultipleChoiceConfig
from tfplm.tasks.encoder_task import EncoderTask
from tfplm.tasks.grouped_rows import rows_of_examples
from tfplm.tasks.losses import TokenCrossEntropy
from tfplm.tasks.metrics import LabelAccuracy
from tfplm.tasks.task import Scores

_NO_CHOICE = -1e9  # a logit; its probability is 0


@keras.saving.register_keras_serializable(package="tfplm")
class MultipleChoice(EncoderTask):
    """An encoder that reads the context with every choice in a row of its own, and a dense layer of one unit: a score.

    Source: Devlin et al. 2019, "BERT", section 4.4.

    Args:
        encoder: any encoder, whose weights are trained along.
        config: of the task.

    Example:
        >>> task = MultipleChoice(encoder, MultipleChoiceConfig(num_choices=4))
        >>> probabilities = task.probabilities(task({"token_ids": ids, "choice_mask": mask}))
    """

    task_type = "multiple_choice"
    config_type = MultipleChoiceConfig

    def __init__(self, encoder: Encoder, config: MultipleChoiceConfig, **kwargs):
        kwargs.setdefault("name", "multiple_choice")
        super().__init__(encoder, config, trains_pooler=config.pooling == "encoder", **kwargs)
        self.dropout = Dropout(config.dropout, name="dropout")
        self.scorer = self._dense(1, "scorer")
        self.build()

    def build(self, input_shape=None):
        """Creates the variables of the head; the encoder has its own already."""
        self.scorer.build((None, self.encoder.output_dim))

    def call(self, inputs, training=None):
        """Scores every choice.

        Args:
            inputs: what the encoder takes, each (batch, choices, sequence), and CHOICE_MASK (batch, choices), 0 where
                there is no choice.
            training: whether dropout is applied.

        Returns:
            Logits (batch, choices) in float32.
        """
        rows = rows_of_examples(inputs)
        pooled = self.dropout(self._pooled(rows, training), rows.get(names.ROW_SEEDS), training=training)
        logits = ops.reshape(ops.cast(self.scorer(pooled), "float32"), (-1, inputs[names.TOKEN_IDS].shape[1]))
        return ops.where(ops.cast(inputs[names.CHOICE_MASK], "bool"), logits, _NO_CHOICE)

    def probabilities(self, logits: KerasTensor) -> KerasTensor:
        """Probabilities (batch, choices) of one example's choices."""
        return ops.softmax(logits)

    def build_loss(self) -> keras.losses.Loss:
        """Cross-entropy of the right choice among those of its example."""
        return TokenCrossEntropy()

    def build_metrics(self) -> list[keras.metrics.Metric]:
        """Weighted metrics: accuracy."""
        return [LabelAccuracy()]

    def score(self, inputs, targets, weights, training):
        """Targets (batch,) are the numbers of the right choices, weights (batch,) 0 where a row fills up the batch."""
        logits = self(inputs, training=training)
        losses = {self.task_type: self.build_loss().call(targets, logits) * weights}
        return Scores(losses, {"accuracy": (targets, logits, weights)})

    def normalizers(self, weights):
        return {self.task_type: ops.cast(ops.size(weights), "float32")}

    def build_score_metrics(self):
        return self.build_metrics()
