"""T5, an encoder-decoder: the original and version 1.1."""

import keras
from keras import KerasTensor, ops

from tfplm import feature_names as names
from tfplm.layers.attention import KeysValues
from tfplm.layers.dropout import Dropout
from tfplm.layers.embeddings import TokenEmbedding
from tfplm.layers.masks import (
    attention_bias,
    causal_attention_mask,
    packing_attention_mask,
    padding_attention_mask,
    padding_mask,
)
from tfplm.layers.relative_position_bias import RelativePositionBias
from tfplm.layers.rematerialization import draw_row_seeds, rematerialized
from tfplm.layers.transformer_block import BlockCache, TransformerBlock, build_norm
from tfplm.models.configuration import T5Config


class _Stack(keras.layers.Layer):
    """The blocks of the encoder or the decoder, with their relative positions, last norm and dropout."""

    def __init__(self, config: T5Config, is_decoder: bool, **kwargs):
        super().__init__(**kwargs)
        self.is_decoder = is_decoder
        self.relative_position_bias = RelativePositionBias(
            config.num_heads,
            config.num_buckets,
            config.max_distance,
            _initializer(config.initializer_factor, config.hidden_dim),
            bidirectional=not is_decoder,
            name="relative_position_bias",
        )
        self.input_dropout = Dropout(config.dropout, name="input_dropout")
        num_layers = config.decoder_layers if is_decoder else config.num_layers
        self.blocks = [self._block(config, f"block_{index}") for index in range(num_layers)]
        self.final_norm = build_norm("rms_norm", config.norm_epsilon, name="final_norm")
        self.output_dropout = Dropout(config.dropout, name="output_dropout")

    def build(self, input_shape):
        self.relative_position_bias.build(input_shape)
        for layer in (*self.blocks, self.final_norm):
            layer.build(input_shape)

    def _block(self, config: T5Config, name: str) -> TransformerBlock:
        # A normal distribution of the deviation factor / √inputs, as the original draws every matrix.
        factor = config.initializer_factor**2
        return TransformerBlock(
            num_heads=config.num_heads,
            intermediate_dim=config.intermediate_dim,
            activation=config.activation,
            dropout=config.dropout,
            attention_dropout=config.dropout,
            norm_first=True,
            layer_norm_epsilon=config.norm_epsilon,
            kernel_initializer=keras.initializers.VarianceScaling(factor, "fan_in", "untruncated_normal"),
            norm="rms_norm",
            head_dim=config.head_dim,
            use_bias=False,
            scale_scores=False,
            intermediate_dropout=config.dropout,
            has_source=self.is_decoder,
            name=name,
        )

    def call(self, hidden, mask, source=None, source_bias=None, row_seeds=None, training=None, rematerialize=False):
        """Gives the embeddings and what every block makes of them, the last behind norm and dropout.

        Args:
            hidden: the embeddings (batch, sequence, hidden_dim).
            mask: bool, which positions see which.
            source: (batch, source, hidden_dim), what a decoder attends to.
            source_bias: of the attention to it.
            row_seeds: (batch,) int32 for dropout.
            training: whether dropout is applied.
            rematerialize: whether each block is computed again for its gradient.

        Returns:
            List of (batch, sequence, hidden_dim), the last one the output.
        """
        bias = attention_bias(mask, self.compute_dtype) + self.relative_position_bias(hidden)
        hidden = self.input_dropout(hidden, row_seeds, training=training)
        if rematerialize and row_seeds is None:
            row_seeds = draw_row_seeds([self.input_dropout], hidden)
        of_source, hidden_states = () if source is None else (source, source_bias), [hidden]
        for block in self.blocks:
            run = rematerialized(block) if rematerialize else block
            hidden_states.append(run(hidden_states[-1], bias, *of_source, row_seeds=row_seeds, training=training))
        output = self.output_dropout(self.final_norm(hidden_states[-1]), row_seeds, training=training)
        return [*hidden_states[:-1], output]


@keras.saving.register_keras_serializable(package="tfplm")
class T5(keras.Model):
    """T5: an encoder, and a decoder that attends to it. Every variable exists once it is constructed.

    Source: Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer",
    section 2.1.

    Args:
        config: sizes and rates; ``vocabulary_size`` must be set.

    Attributes:
        config: as given.
        token_embedding: the `TokenEmbedding` of encoder and decoder, for heads with tied weights.
        hidden_dim: width of the token embeddings.
        output_dim: width of the decoder's outputs.
        rematerialize: whether training keeps each block's input alone and computes the rest again for its gradient.

    Example:
        >>> t5 = T5(T5Config(vocabulary_size=8192))
        >>> ids = keras.ops.ones((2, 16), "int32")
        >>> t5({"token_ids": ids, "decoder_token_ids": ids[:, :4]})["sequence_output"].shape
        TensorShape([2, 4, 256])
    """

    def __init__(self, config: T5Config, **kwargs):
        kwargs.setdefault("name", "t5")
        super().__init__(**kwargs)
        if config.vocabulary_size is None:
            raise ValueError("got vocabulary_size None, expected the size of the tokenizer's vocabulary")
        self.config = config
        self.hidden_dim = self.output_dim = config.hidden_dim
        self.rematerialize = False
        self.token_embedding = TokenEmbedding(
            config.vocabulary_size,
            config.hidden_dim,
            keras.initializers.RandomNormal(stddev=config.initializer_factor),
            name="token_embedding",
        )
        self.encoder = _Stack(config, is_decoder=False, name="encoder")
        self.decoder = _Stack(config, is_decoder=True, name="decoder")
        self.build()

    def build(self, input_shape=None):
        """Creates every variable; their shapes follow from the configuration alone."""
        self.token_embedding.build((None, None))
        for stack in (self.encoder, self.decoder):
            stack.build((None, None, self.config.hidden_dim))

    def call(self, inputs, training=None, return_hidden_states=False):
        """Reads a source, and what stands before every target.

        Args:
            inputs: dictionary of TOKEN_IDS (batch, source) and DECODER_TOKEN_IDS (batch, target) integers, the latter
                beginning with padding. PACKING_IDS, else PADDING_MASK, else ``token_ids != pad_id`` says where the
                source has tokens. ROW_SEEDS (batch,) make dropout a function of them. Other keys are left alone.
            training: whether dropout is applied.
            return_hidden_states: whether to return what every layer gives.

        Returns:
            Dictionary of SEQUENCE_OUTPUT (batch, target, hidden_dim), the decoder's; on request HIDDEN_STATES of the
            decoder and SOURCE_HIDDEN_STATES of the encoder, the embeddings and then what every layer gives, the last
            behind the final norm.
        """
        row_seeds = inputs.get(names.ROW_SEEDS)
        rematerialize = bool(self.rematerialize and training)
        source_states = self._encode(inputs, row_seeds, training, rematerialize)
        decoder_ids = inputs[names.DECODER_TOKEN_IDS]
        hidden_states = self.decoder(
            self.token_embedding(decoder_ids),
            causal_attention_mask(decoder_ids.shape[1]),
            source_states[-1],
            self._source_bias(padding_mask(inputs, self.config.pad_id)),
            row_seeds=row_seeds,
            training=training,
            rematerialize=rematerialize,
        )
        outputs = {names.SEQUENCE_OUTPUT: hidden_states[-1]}
        if return_hidden_states:
            outputs |= {names.HIDDEN_STATES: hidden_states, names.SOURCE_HIDDEN_STATES: source_states}
        return outputs

    def _encode(
        self, inputs: dict, row_seeds: KerasTensor | None, training: bool | None, rematerialize: bool
    ) -> list[KerasTensor]:
        if names.PACKING_IDS in inputs:
            mask = packing_attention_mask(inputs[names.PACKING_IDS])
        else:
            mask = padding_attention_mask(padding_mask(inputs, self.config.pad_id))
        embedded = self.token_embedding(inputs[names.TOKEN_IDS])
        return self.encoder(embedded, mask, row_seeds=row_seeds, training=training, rematerialize=rematerialize)

    def _source_bias(self, mask: KerasTensor) -> KerasTensor:
        return attention_bias(padding_attention_mask(mask), self.compute_dtype)

    def encode(self, inputs: dict, cache_length: int) -> dict[str, KerasTensor]:
        """Reads the source once: the state before the decoder's first token; arguments as of `prefill`."""
        source = self._encode(inputs, None, False, False)[-1]
        batch = ops.shape(source)[0]
        room = ops.zeros((batch, self.config.num_heads, cache_length, self.config.head_dim), self.compute_dtype)
        state = {names.INDEX: ops.zeros((), "int32"), names.SOURCE_MASK: padding_mask(inputs, self.config.pad_id)}
        for number, block in enumerate(self.decoder.blocks):
            of_source = block.source_attention.read_source(source)
            state |= _named(number, BlockCache(KeysValues(room, room), of_source))
        return state

    def prefill(self, inputs: dict, cache_length: int) -> tuple[KerasTensor, dict[str, KerasTensor]]:
        """Reads the source and the decoder's first token, padding; see `tfplm.generation.writer.Writer.prefill`.

        Returns:
            The last hidden state (batch, hidden_dim) and the state behind it.
        """
        state = self.encode(inputs, cache_length)
        batch = ops.shape(inputs[names.TOKEN_IDS])[0]
        return self.decode(ops.full((batch,), self.config.pad_id, "int32"), state)

    def decode(self, token_ids: KerasTensor, state: dict[str, KerasTensor]) -> tuple[KerasTensor, dict]:
        """Reads one token of every row, (batch,), into column ``state[INDEX]``; returns as `prefill` does."""
        index, stack, after = state[names.INDEX], self.decoder, dict(state)
        length = state["key_0"].shape[2]
        seen = (ops.arange(length, dtype="int32") <= index)[None, None, None]  # (1, 1, 1, cache length)
        bias = attention_bias(seen, self.compute_dtype) + stack.relative_position_bias.of_query(index, length)
        source_bias = self._source_bias(state[names.SOURCE_MASK])
        hidden = self.token_embedding(token_ids[:, None])
        for number, block in enumerate(stack.blocks):
            hidden, cache = block.decode(hidden, _kept(number, state), index, bias, source_bias)
            after |= _named(number, cache)
        return stack.final_norm(hidden[:, 0]), after | {names.INDEX: index + 1}

    def get_config(self):
        return {"config": self.config.model_dump(), "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(T5Config.model_validate(config["config"]), name=config.get("name", "t5"))


def _initializer(factor: float, inputs: int) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=factor * inputs**-0.5)


def _named(number: int, cache: BlockCache) -> dict[str, KerasTensor]:
    return {
        f"key_{number}": cache.own.keys,
        f"value_{number}": cache.own.values,
        f"source_key_{number}": cache.of_source.keys,
        f"source_value_{number}": cache.of_source.values,
    }


def _kept(number: int, state: dict[str, KerasTensor]) -> BlockCache:
    return BlockCache(
        KeysValues(state[f"key_{number}"], state[f"value_{number}"]),
        KeysValues(state[f"source_key_{number}"], state[f"source_value_{number}"]),
    )
