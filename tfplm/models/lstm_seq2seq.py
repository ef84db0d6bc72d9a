"""An LSTM encoder-decoder with attention: the baseline for sequence-to-sequence."""

import keras
from keras import KerasTensor, ops

from tfplm import feature_names as names
from tfplm.layers.attention import KeysValues, MultiHeadAttention
from tfplm.layers.dropout import Dropout
from tfplm.layers.embeddings import TokenEmbedding
from tfplm.layers.lstm import LSTM, Bidirectional
from tfplm.layers.masks import padding_attention_mask, padding_mask
from tfplm.layers.pooling import pool_mean
from tfplm.models.configuration import LstmSeq2SeqConfig


@keras.saving.register_keras_serializable(package="tfplm")
class LstmSeq2Seq(keras.Model):
    """A bidirectional LSTM over the source, and an LSTM over the target that attends to it.

    The attention comes behind the decoder's LSTM and does not feed back into it, so that training multiplies all steps
    at once; what the decoder reads at every step is the token and the mean of the encoded source.

    Source: Luong et al. 2015, "Effective Approaches to Attention-based Neural Machine Translation", section 3.1,
    without its input feeding.

    Args:
        config: sizes and rates; ``vocabulary_size`` must be set.

    Attributes:
        config: as given.
        token_embedding: the `TokenEmbedding` of both sides, for heads with tied weights.
        hidden_dim: width of the decoder.
        output_dim: width of the decoder's outputs, that of the token embeddings.
    """

    def __init__(self, config: LstmSeq2SeqConfig, **kwargs):
        kwargs.setdefault("name", "lstm_seq2seq")
        super().__init__(**kwargs)
        if config.vocabulary_size is None:
            raise ValueError("got vocabulary_size None, expected the size of the tokenizer's vocabulary")
        self.config = config
        self.hidden_dim, self.output_dim = config.hidden_dim, config.embedding_dim
        initializer = keras.initializers.RandomUniform(-config.initializer_range, config.initializer_range)
        self.token_embedding = TokenEmbedding(
            config.vocabulary_size, config.embedding_dim, initializer, name="token_embedding"
        )
        layers = range(config.num_layers)
        self.encoder_dropouts = [Dropout(config.dropout, name=f"encoder_dropout_{number}") for number in layers]
        self.encoder_layers = [Bidirectional(config.hidden_dim // 2, name=f"encoder_{number}") for number in layers]
        self.bridge = keras.layers.Dense(config.embedding_dim, activation="tanh", name="bridge")
        self.decoder_dropouts = [Dropout(config.dropout, name=f"decoder_dropout_{number}") for number in layers]
        self.decoder_layers = [LSTM(config.hidden_dim, name=f"decoder_{number}") for number in layers]
        self.attention = MultiHeadAttention(1, config.hidden_dim, use_bias=False, is_cross=True, name="attention")
        self.combination = keras.layers.Dense(config.embedding_dim, activation="tanh", name="combination")
        self._build_layers()
        self.built = True

    def _build_layers(self) -> None:
        embedding_dim, hidden_dim = self.config.embedding_dim, self.config.hidden_dim
        self.token_embedding.build((None, None))
        for first, layers in ((embedding_dim, self.encoder_layers), (2 * embedding_dim, self.decoder_layers)):
            for number, layer in enumerate(layers):
                layer.build((None, None, hidden_dim if number else first))
        self.bridge.build((None, hidden_dim))
        self.attention.build((None, None, hidden_dim))
        self.combination.build((None, None, 2 * hidden_dim))

    def call(self, inputs, training=None):
        """Reads a source, and what stands before every target.

        Args:
            inputs: as of `tfplm.models.t5.T5.call`.
            training: whether dropout is applied.

        Returns:
            Dictionary of SEQUENCE_OUTPUT (batch, target, embedding_dim), the decoder's.
        """
        row_seeds = inputs.get(names.ROW_SEEDS)
        source, summary = self._encode(inputs, training)
        tokens = inputs[names.DECODER_TOKEN_IDS]
        hidden = self.token_embedding(tokens)  # (batch, target, embedding_dim)
        hidden = ops.concatenate([hidden, ops.broadcast_to(summary[:, None], ops.shape(hidden))], axis=-1)
        one_text = ops.ones_like(tokens)
        for dropout, layer in zip(self.decoder_dropouts, self.decoder_layers, strict=True):
            hidden = layer(dropout(hidden, row_seeds, training=training), one_text)
        context = self.attention(
            hidden, padding_attention_mask(padding_mask(inputs, self.config.pad_id)), source=source
        )
        return {names.SEQUENCE_OUTPUT: self.combination(ops.concatenate([hidden, context], axis=-1))}

    def _encode(self, inputs: dict, training: bool | None) -> tuple[KerasTensor, KerasTensor]:
        """The source (batch, source, hidden_dim), and its summary (batch, embedding_dim)."""
        mask = padding_mask(inputs, self.config.pad_id)
        hidden = self.token_embedding(inputs[names.TOKEN_IDS])
        for dropout, layer in zip(self.encoder_dropouts, self.encoder_layers, strict=True):
            hidden = layer(dropout(hidden, inputs.get(names.ROW_SEEDS), training=training), mask)
        return hidden, self.bridge(pool_mean(hidden, mask))

    def encode(self, inputs: dict, cache_length: int) -> dict[str, KerasTensor]:
        """Reads the source once: the state before the decoder's first token; arguments as of `prefill`."""
        source, summary = self._encode(inputs, False)
        kept = self.attention.read_source(source)
        zeros = ops.zeros((ops.shape(source)[0], self.hidden_dim), self.compute_dtype)
        parts = [f"{kind}_{number}" for number in range(self.config.num_layers) for kind in ("output", "cell")]
        return {
            names.INDEX: ops.zeros((), "int32"),
            names.SOURCE_MASK: padding_mask(inputs, self.config.pad_id),
            "summary": summary,
            "source_key": kept.keys,
            "source_value": kept.values,
            **dict.fromkeys(parts, zeros),
        }

    def prefill(self, inputs: dict, cache_length: int) -> tuple[KerasTensor, dict[str, KerasTensor]]:
        """Reads the source and the decoder's first token; see `tfplm.generation.writer.Writer.prefill`.

        Returns:
            The last output (batch, embedding_dim) and the state behind it, which does not grow with ``cache_length``.
        """
        batch = ops.shape(inputs[names.TOKEN_IDS])[0]
        return self.decode(ops.full((batch,), self.config.pad_id, "int32"), self.encode(inputs, cache_length))

    def decode(self, token_ids: KerasTensor, state: dict[str, KerasTensor]) -> tuple[KerasTensor, dict]:
        """Reads one token of every row, (batch,); returns as `prefill` does."""
        after = state | {names.INDEX: state[names.INDEX] + 1}
        hidden = ops.concatenate([self.token_embedding(token_ids), state["summary"]], axis=-1)
        for number, layer in enumerate(self.decoder_layers):
            output, cell = f"output_{number}", f"cell_{number}"
            hidden, (after[output], after[cell]) = layer.cell(hidden, (state[output], state[cell]))
        kept = KeysValues(state["source_key"], state["source_value"])
        context = self.attention.decode_source(hidden[:, None], kept, padding_attention_mask(state[names.SOURCE_MASK]))
        return self.combination(ops.concatenate([hidden, context[:, 0]], axis=-1)), after

    def get_config(self):
        return {"config": self.config.model_dump(), "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(LstmSeq2SeqConfig.model_validate(config["config"]), name=config.get("name", "lstm_seq2seq"))
