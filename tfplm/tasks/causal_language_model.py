"""Next-token prediction with an LSTM."""

import keras
from keras import KerasTensor, ops

from tfplm import feature_names as names
from tfplm.layers.dropout import Dropout
from tfplm.layers.output_bias import OutputBias
from tfplm.models.lstm import Lstm
from tfplm.objectives import CausalLmConfig
from tfplm.tasks.losses import TokenCrossEntropy
from tfplm.tasks.metrics import ExponentialOfMean, Perplexity
from tfplm.tasks.task import Scores, Task
from tfplm.tasks.vocabulary_scores import OutputWeights, score_vocabulary


@keras.saving.register_keras_serializable(package="tfplm")
class CausalLanguageModel(Task):
    """A forward LSTM whose token embeddings are the output weights too.

    Where the width of the LSTM is not that of the embeddings, a dense layer leads from the one to the other.

    Source: Zaremba et al. 2014 for the dropout before the output; Inan et al. 2017, "Tying Word Vectors and Word
    Classifiers", for the tied weights.

    Args:
        encoder: an `Lstm` that is not bidirectional.
        config: of the objective.
    """

    task_type = "causal_lm"

    def __init__(self, encoder: Lstm, config: CausalLmConfig, **kwargs):
        kwargs.setdefault("name", "causal_language_model")
        super().__init__(**kwargs)
        if encoder.config.bidirectional:
            raise ValueError("got a bidirectional LSTM, expected one that does not see the token it has to predict")
        self.encoder = encoder
        self.config = config
        embedding_dim = encoder.config.embedding_dim
        self.dropout = Dropout(encoder.config.dropout, name="dropout")
        tied = encoder.output_dim == embedding_dim
        self.projection = None if tied else keras.layers.Dense(embedding_dim, name="projection")
        self.output_bias = OutputBias(name="output_bias")
        self.build()

    def build(self, input_shape=None):
        """Creates the variables of the head; the encoder has its own already."""
        if self.projection is not None:
            self.projection.build((None, None, self.encoder.output_dim))
        self.output_bias.build((None, None, self.encoder.config.vocabulary_size))

    def call(self, inputs, training=None):
        """Scores the vocabulary for the token after every position.

        Args:
            inputs: what the encoder takes.
            training: whether dropout is applied.

        Returns:
            Dictionary of NEXT_TOKEN, logits (batch, sequence, vocabulary) in float32.
        """
        return {names.NEXT_TOKEN: self._project(self._hidden(inputs, training))}

    def _hidden(self, inputs: dict, training: bool | None) -> KerasTensor:
        """What the vocabulary is compared with: (batch, sequence, embedding_dim)."""
        hidden = self.encoder(inputs, training=training)[names.SEQUENCE_OUTPUT]
        hidden = self.dropout(hidden, inputs.get(names.ROW_SEEDS), training=training)
        return hidden if self.projection is None else self.projection(hidden)

    def _project(self, hidden: KerasTensor) -> KerasTensor:
        return self.output_bias(self.encoder.token_embedding.project(hidden))

    def score(self, inputs, targets, weights, training):
        """Targets and weights are {NEXT_TOKEN: (batch, sequence)}, the weights 0 at padding."""
        embedding = self.encoder.token_embedding
        output = OutputWeights(embedding.embeddings, self.output_bias.bias, embedding.compute_dtype)
        hidden = self._hidden(inputs, training)
        words = score_vocabulary(output, hidden, targets[names.NEXT_TOKEN], self.config.positions_per_chunk)
        of_words = weights[names.NEXT_TOKEN]
        metrics = {
            f"{names.NEXT_TOKEN}_accuracy": (words.is_correct, of_words),
            f"{names.NEXT_TOKEN}_perplexity": (words.losses, of_words),
        }
        return Scores({names.NEXT_TOKEN: words.losses * of_words}, metrics)

    def normalizers(self, weights):
        return {names.NEXT_TOKEN: ops.sum(weights[names.NEXT_TOKEN])}

    def build_score_metrics(self):
        return [
            keras.metrics.Mean(f"{names.NEXT_TOKEN}_accuracy"),
            ExponentialOfMean(f"{names.NEXT_TOKEN}_perplexity"),
        ]

    def build_loss(self) -> dict[str, keras.losses.Loss]:
        """Losses by output."""
        return {names.NEXT_TOKEN: TokenCrossEntropy()}

    def build_metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        """Weighted metrics by output: next_token_accuracy and next_token_perplexity in the logs."""
        accuracy = keras.metrics.SparseCategoricalAccuracy(name=f"{names.NEXT_TOKEN}_accuracy")
        return {names.NEXT_TOKEN: [accuracy, Perplexity(name=f"{names.NEXT_TOKEN}_perplexity")]}

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {"encoder": encoder, "config": self.config.model_dump(), "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        encoder = keras.saving.deserialize_keras_object(config["encoder"], custom_objects=custom_objects)
        return cls(encoder, CausalLmConfig.model_validate(config["config"]), name=config["name"])
