"""Next-token prediction behind a source, with an encoder-decoder."""

import keras
from keras import ops

from tfplm.layers.dropout import Dropout
from tfplm.layers.embeddings import TokenEmbedding
from tfplm.layers.output_bias import OutputBias
from tfplm.models.lstm_seq2seq import LstmSeq2Seq
from tfplm.models.t5 import T5
from tfplm.tasks.configuration import Seq2SeqLmConfig
from tfplm.tasks.language_model import LanguageModel


@keras.saving.register_keras_serializable(package="tfplm")
class Seq2SeqLanguageModel(LanguageModel):
    """An encoder-decoder and output weights: the token embeddings, or a T5's own.

    Source: Raffel et al. 2020, "T5", section 2.1; with tied embeddings the outputs are divided by √hidden_dim, as its
    code does. Luong et al. 2015 for the LSTM, with dropout and a bias at the output.

    Args:
        encoder: the encoder-decoder, a `T5` or an `LstmSeq2Seq`.
        config: of the task.
    """

    task_type = "seq2seq_lm"
    is_encoder_decoder = True

    def __init__(self, encoder: T5 | LstmSeq2Seq, config: Seq2SeqLmConfig, **kwargs):
        kwargs.setdefault("name", "seq2seq_language_model")
        super().__init__(**kwargs)
        self.encoder = encoder
        self.config = config
        self.dropout = self.output_bias = None
        self.output_embedding = encoder.token_embedding
        self.output_scale = 1.0
        if isinstance(encoder, LstmSeq2Seq):
            self.dropout = Dropout(encoder.config.dropout, name="dropout")
            self.output_bias = OutputBias(name="output_bias")
        elif encoder.config.tie_embeddings:
            self.output_scale = encoder.hidden_dim**-0.5
        else:
            factor = encoder.config.initializer_factor
            self.output_embedding = TokenEmbedding(
                encoder.config.vocabulary_size,
                encoder.hidden_dim,
                keras.initializers.RandomNormal(stddev=factor * encoder.hidden_dim**-0.5),
                name="output_embedding",
            )
        self.build()

    def build(self, input_shape=None):
        """Creates the variables of the head; the encoder-decoder has its own already."""
        if self.output_bias is not None:
            self.output_bias.build((None, None, self.encoder.config.vocabulary_size))
        if not self.output_embedding.built:
            self.output_embedding.build()

    def encode(self, inputs: dict, cache_length: int) -> dict:
        """Reads the source alone: the state before the decoder's first token; arguments as of `prefill`."""
        return self.encoder.encode(inputs, cache_length)

    def _to_output(self, hidden, row_seeds, training):
        if self.dropout is not None:
            return self.dropout(hidden, row_seeds, training=training)
        return hidden if self.output_scale == 1.0 else hidden * ops.cast(self.output_scale, hidden.dtype)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        encoder = keras.saving.deserialize_keras_object(config["encoder"], custom_objects=custom_objects)
        return cls(encoder, Seq2SeqLmConfig.model_validate(config["config"]), name=config["name"])
