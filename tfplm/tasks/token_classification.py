"""One label for every token."""

import keras
from keras import KerasTensor, ops

from tfplm import feature_names as names
from tfplm.layers.dropout import Dropout
from tfplm.layers.linear_chain import LinearChain
from tfplm.models.build import Encoder
from tfplm.tasks.configuration import TokenClassificationConfig
from tfplm.tasks.encoder_task import EncoderTask, distinct_names
from tfplm.tasks.losses import TokenCrossEntropy, token_cross_entropy
from tfplm.tasks.metrics import LabelAccuracy, MacroF1
from tfplm.tasks.span_f1 import SpanF1
from tfplm.tasks.task import Scores


@keras.saving.register_keras_serializable(package="tfplm")
class TokenClassifier(EncoderTask):
    """An encoder, dropout, and a dense layer on the output of every token: named entities, parts of speech.

    Source: Devlin et al. 2019, "BERT", section 5.3.

    Args:
        encoder: any encoder, whose weights are trained along.
        config: of the task.
        class_names: in the order of the class ids.

    Example:
        >>> tagger = TokenClassifier(encoder, TokenClassificationConfig(), ["O", "B-PER", "I-PER"])
        >>> classes = ops.argmax(tagger({"token_ids": ids}), axis=-1)
    """

    task_type = "token_classification"
    config_type = TokenClassificationConfig

    def __init__(self, encoder: Encoder, config: TokenClassificationConfig, class_names: list[str], **kwargs):
        kwargs.setdefault("name", "token_classifier")
        super().__init__(encoder, config, trains_pooler=False, **kwargs)
        self.class_names = distinct_names(class_names, least=2)
        self.dropout = Dropout(config.dropout, name="dropout")
        self.classifier = self._dense(len(class_names), name="classifier")
        self.chain = LinearChain(len(class_names), name="chain") if config.crf else None
        self.build()

    def build(self, input_shape=None):
        """Creates the variables of the head; the encoder has its own already."""
        self.classifier.build((None, None, self.encoder.output_dim))

    def call(self, inputs, training=None):
        """Scores every class for every token.

        Args:
            inputs: what the encoder takes; rows may hold several texts, told apart by PACKING_IDS.
            training: whether dropout is applied.

        Returns:
            Logits (batch, sequence, classes) in float32, of no meaning at padding.
        """
        hidden = self.encoder(inputs, training=training)[names.SEQUENCE_OUTPUT]
        hidden = self.dropout(hidden, inputs.get(names.ROW_SEEDS), training=training)
        return ops.cast(self.classifier(hidden), "float32")

    def probabilities(self, logits: KerasTensor) -> KerasTensor:
        """Probabilities (batch, sequence, classes)."""
        return ops.softmax(logits)

    def build_loss(self) -> keras.losses.Loss:
        """Cross-entropy, the mean over the sample weights (batch, sequence). Raises ValueError with ``crf``."""
        if self.chain is not None:
            raise ValueError(
                "config.crf: the loss of sequences is that of `score`, which Keras's `compile` cannot take"
            )
        return TokenCrossEntropy()

    def build_metrics(self) -> list[keras.metrics.Metric]:
        """Weighted metrics: accuracy and macro F1 of the tokens, and F1 of the spans; none counts those of weight 0."""
        return [LabelAccuracy(), MacroF1(len(self.class_names)), SpanF1(self.class_names)]

    def score(self, inputs, targets, weights, training):
        """Targets (batch, sequence) are class ids.

        Weights (batch, sequence) are 0 where a token does not count: padding, special tokens, the pieces of a word
        behind its first. With ``config.crf`` the loss is that of the whole sequence of the others, a row at once.
        """
        logits = self(inputs, training=training)
        if self.chain is None:
            losses = {self.task_type: token_cross_entropy(targets, logits) * weights}
        else:
            decides = ops.not_equal(weights, 0)
            fits = self.chain.log_likelihoods(
                logits, ops.cast(targets, "int32"), decides, inputs.get(names.PACKING_IDS)
            )
            losses = {self.task_type: -fits * ops.max(weights, axis=1)}  # all that count weigh the same
        return Scores(losses, dict.fromkeys(("accuracy", "macro_f1", "span_f1"), (targets, logits, weights)))

    def normalizers(self, weights):
        return {self.task_type: ops.sum(weights)}

    def build_score_metrics(self):
        return self.build_metrics()

    def get_config(self):
        return {**super().get_config(), "class_names": self.class_names}
