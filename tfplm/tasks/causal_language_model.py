"""Next-token prediction with a decoder or an LSTM."""

import keras

from tfplm.layers.dropout import Dropout
from tfplm.layers.embeddings import TokenEmbedding
from tfplm.layers.output_bias import OutputBias
from tfplm.models.gpt import Gpt
from tfplm.models.lstm import Lstm
from tfplm.objectives import CausalLmConfig
from tfplm.tasks.language_model import LanguageModel


@keras.saving.register_keras_serializable(package="tfplm")
class CausalLanguageModel(LanguageModel):
    """A decoder, or a forward LSTM, and output weights, which are the token embeddings unless a GPT has its own.

    Where the width of the LSTM is not that of the embeddings, a dense layer leads from the one to the other.

    Source: Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training", section 3.1; for the
    LSTM Zaremba et al. 2014 for the dropout before the output, and Inan et al. 2017, "Tying Word Vectors and Word
    Classifiers", for the tied weights.

    Args:
        encoder: a `Gpt`, or an `Lstm` that is not bidirectional.
        config: of the objective.
    """

    task_type = "causal_lm"
    is_encoder_decoder = False

    def __init__(self, encoder: Gpt | Lstm, config: CausalLmConfig, **kwargs):
        kwargs.setdefault("name", "causal_language_model")
        super().__init__(**kwargs)
        self.encoder = encoder
        self.config = config
        self.dropout = self.projection = self.output_bias = None
        self.output_embedding = encoder.token_embedding
        if isinstance(encoder, Lstm):
            self._add_lstm_head(encoder)
        elif not encoder.config.tie_embeddings:
            self.output_embedding = TokenEmbedding(
                encoder.config.vocabulary_size,
                encoder.hidden_dim,
                keras.initializers.RandomNormal(stddev=encoder.config.initializer_range),
                name="output_embedding",
            )
        self.build()

    def _add_lstm_head(self, encoder: Lstm) -> None:
        if encoder.config.bidirectional:
            raise ValueError("got a bidirectional LSTM, expected one that does not see the token it has to predict")
        embedding_dim = encoder.config.embedding_dim
        self.dropout = Dropout(encoder.config.dropout, name="dropout")
        tied = encoder.output_dim == embedding_dim
        self.projection = None if tied else keras.layers.Dense(embedding_dim, name="projection")
        self.output_bias = OutputBias(name="output_bias")

    def build(self, input_shape=None):
        """Creates the variables of the head; the encoder has its own already."""
        if self.projection is not None:
            self.projection.build((None, None, self.encoder.output_dim))
        if self.output_bias is not None:
            self.output_bias.build((None, None, self.encoder.config.vocabulary_size))
        if not self.output_embedding.built:
            self.output_embedding.build()

    def _to_output(self, hidden, row_seeds, training):
        if self.dropout is not None:
            hidden = self.dropout(hidden, row_seeds, training=training)
        return hidden if self.projection is None else self.projection(hidden)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        encoder = keras.saving.deserialize_keras_object(config["encoder"], custom_objects=custom_objects)
        return cls(encoder, CausalLmConfig.model_validate(config["config"]), name=config["name"])
