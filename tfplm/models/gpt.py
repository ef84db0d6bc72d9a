"""GPT, a Transformer decoder: GPT-2's kind and the present one."""

import keras
import numpy as np
from keras import KerasTensor, ops

from tfplm import feature_names as names
from tfplm.layers.attention import KeysValues
from tfplm.layers.dropout import Dropout
from tfplm.layers.embeddings import LearnedPositionEmbedding, TokenEmbedding
from tfplm.layers.masks import (
    attention_bias,
    causal_attention_mask,
    example_mask,
    packing_attention_mask,
    padding_attention_mask,
    padding_mask,
)
from tfplm.layers.pooling import pool_last
from tfplm.layers.rotary import Rotation, rotation, scale_by_wavelength, scale_linearly
from tfplm.layers.transformer_block import BlockCache, TransformerBlock, build_norm, run_blocks
from tfplm.models.configuration import GptConfig


@keras.saving.register_keras_serializable(package="tfplm")
class Gpt(keras.Model):
    """A Transformer decoder with the norm before each part. Every variable exists once it is constructed.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3; Touvron et al.
    2023, "LLaMA", section 2.2.

    Args:
        config: sizes, rates and kinds of parts; ``vocabulary_size`` must be set.

    Attributes:
        config: as given.
        token_embedding: the `TokenEmbedding`, for heads with tied weights.
        hidden_dim: width of the token embeddings.
        output_dim: width of the sequence and pooled outputs.
        rematerialize: whether training keeps each block's input alone and computes the rest again for its gradient.

    Example:
        >>> gpt = Gpt(GptConfig(vocabulary_size=8192))
        >>> gpt({"token_ids": keras.ops.ones((2, 16), "int32")})["sequence_output"].shape
        TensorShape([2, 16, 256])
    """

    def __init__(self, config: GptConfig, **kwargs):
        kwargs.setdefault("name", "gpt")
        super().__init__(**kwargs)
        if config.vocabulary_size is None:
            raise ValueError("got vocabulary_size None, expected the size of the tokenizer's vocabulary")
        self.config = config
        self.hidden_dim = self.output_dim = config.hidden_dim
        self.rematerialize = False
        self.token_embedding = TokenEmbedding(
            config.vocabulary_size, config.hidden_dim, self._initializer(), name="token_embedding"
        )
        self.position_embedding = None
        if config.position_embedding == "learned":
            self.position_embedding = LearnedPositionEmbedding(
                config.max_sequence_length, config.hidden_dim, self._initializer(), name="position_embedding"
            )
        self.embedding_dropout = Dropout(config.dropout, name="embedding_dropout")
        self.blocks = [self._block(f"block_{index}") for index in range(config.num_layers)]
        self.final_norm = build_norm(config.norm, config.norm_epsilon, config.use_bias, name="final_norm")
        self.build()

    def _initializer(self, factor: float = 1.0) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(stddev=self.config.initializer_range * factor)

    def _block(self, name: str) -> TransformerBlock:
        config = self.config
        return TransformerBlock(
            num_heads=config.num_heads,
            intermediate_dim=config.intermediate_dim,
            activation=config.activation,
            dropout=config.dropout,
            attention_dropout=config.attention_dropout,
            norm_first=True,
            layer_norm_epsilon=config.norm_epsilon,
            kernel_initializer=self._initializer(),
            norm=config.norm,
            head_dim=config.head_dim,
            num_key_value_heads=config.num_key_value_heads,
            use_bias=config.use_bias,
            qkv_bias=config.qkv_bias,
            # Every part adds to the same sum: smaller, so that it does not grow with the depth (Radford et al. 2019).
            residual_initializer=self._initializer((2 * config.num_layers) ** -0.5),
            name=name,
        )

    def build(self, input_shape=None):
        """Creates every variable; their shapes follow from the configuration alone."""
        self.token_embedding.build((None, None))
        if self.position_embedding is not None:
            self.position_embedding.build((None, None))
        for layer in (*self.blocks, self.final_norm):
            layer.build((None, None, self.config.hidden_dim))

    def call(self, inputs, training=None, return_hidden_states=False, return_attention_scores=False):
        """Reads token ids, each position seeing itself and those before.

        Args:
            inputs: dictionary of (batch, sequence) integers. TOKEN_IDS is required. PACKING_IDS, else PADDING_MASK,
                else ``token_ids != pad_id`` says which tokens see each other. POSITION_IDS: 0, 1, 2, … when absent;
                with rotary positions only distances count, and they are left alone. EXAMPLE_STARTS and ROW_SEEDS as in
                `Bert`. Other keys are left alone.
            training: whether dropout is applied.
            return_hidden_states: whether to return what every layer gives.
            return_attention_scores: whether to return the scores of every layer.

        Returns:
            Dictionary of SEQUENCE_OUTPUT (batch, sequence, hidden_dim) and POOLED_OUTPUT (batch, hidden_dim), that of
            the last token, with EXAMPLE_STARTS (batch, examples, hidden_dim); on request HIDDEN_STATES, the embeddings
            and then what every layer gives, the last behind the final norm, and ATTENTION_SCORES of every layer.
        """
        token_ids, row_seeds = inputs[names.TOKEN_IDS], inputs.get(names.ROW_SEEDS)
        position_ids = inputs.get(names.POSITION_IDS)
        hidden = self.token_embedding(token_ids)  # (batch, sequence, hidden_dim)
        if self.position_embedding is not None:
            hidden = hidden + self.position_embedding(token_ids, position_ids)
        hidden = self.embedding_dropout(hidden, row_seeds, training=training)
        turn = self._rotation(ops.expand_dims(ops.arange(token_ids.shape[1]), 0))
        bias = attention_bias(self._causal_mask(inputs), self.compute_dtype)
        hidden_states, attention_scores = run_blocks(
            self.blocks,
            hidden,
            bias,
            row_seeds,
            training,
            self.rematerialize,
            return_attention_scores,
            rotation=turn,
        )
        hidden = hidden_states[-1] = self.final_norm(hidden_states[-1])
        outputs = {
            names.SEQUENCE_OUTPUT: hidden,
            names.POOLED_OUTPUT: pool_last(hidden, example_mask(inputs, self.config.pad_id)),
        }
        if return_hidden_states:
            outputs[names.HIDDEN_STATES] = hidden_states
        if return_attention_scores:
            outputs[names.ATTENTION_SCORES] = attention_scores
        return outputs

    def prefill(self, inputs: dict, cache_length: int) -> tuple[KerasTensor, dict[str, KerasTensor]]:
        """Reads prompts that end in the last column; see `tfplm.generation.writer.Writer.prefill`.

        Returns:
            The last hidden state (batch, hidden_dim) and the state behind it.
        """
        token_ids = inputs[names.TOKEN_IDS]
        length = token_ids.shape[1]
        mask = padding_mask(inputs, self.config.pad_id)  # (batch, prompt), False on the left
        start = ops.cast(length - ops.sum(ops.cast(mask, "int32"), axis=1), "int32")
        positions = ops.maximum(ops.arange(length, dtype="int32")[None] - start[:, None], 0)
        causal = causal_attention_mask(length, self.config.attention_window)
        bias = attention_bias(ops.logical_and(causal, padding_attention_mask(mask)), self.compute_dtype)
        hidden, turn = self._embed(token_ids, positions)
        state = {names.INDEX: ops.convert_to_tensor(length, "int32"), names.START: start}
        room = [[0, 0], [0, 0], [0, cache_length - length], [0, 0]]
        for number, block in enumerate(self.blocks):
            hidden, cache = block.prefill(hidden, bias, rotation=turn)
            state |= _named(number, KeysValues(*(ops.pad(part, room) for part in cache.own)))
        return self.final_norm(hidden[:, -1]), state

    def decode(self, token_ids: KerasTensor, state: dict[str, KerasTensor]) -> tuple[KerasTensor, dict]:
        """Reads one token of every row, (batch,), into column ``state[INDEX]``; returns as `prefill` does."""
        index, start = state[names.INDEX], state[names.START]
        columns = ops.arange(state["key_0"].shape[2], dtype="int32")[None]  # (1, cache length)
        seen = ops.logical_and(columns >= start[:, None], columns <= index)
        if self.config.attention_window is not None:
            seen = ops.logical_and(seen, columns > index - self.config.attention_window)
        bias = attention_bias(padding_attention_mask(seen), self.compute_dtype)
        hidden, turn = self._embed(token_ids[:, None], (index - start)[:, None])
        after = {names.INDEX: index + 1, names.START: start}
        for number, block in enumerate(self.blocks):
            cache = BlockCache(KeysValues(state[f"key_{number}"], state[f"value_{number}"]))
            hidden, cache = block.decode(hidden, cache, index, bias, rotation=turn)
            after |= _named(number, cache.own)
        return self.final_norm(hidden[:, 0]), after

    def _embed(self, token_ids: KerasTensor, positions: KerasTensor) -> tuple[KerasTensor, Rotation | None]:
        """Embeddings (batch, tokens, hidden_dim) and the rotation of tokens at positions, both (batch, tokens)."""
        hidden = self.token_embedding(token_ids)
        if self.position_embedding is not None:
            hidden = hidden + self.position_embedding(token_ids, positions)
        return hidden, self._rotation(positions)

    def _causal_mask(self, inputs: dict) -> KerasTensor:
        """Which positions see which: bool, broadcast to (batch, 1, query, key)."""
        causal = causal_attention_mask(inputs[names.TOKEN_IDS].shape[1], self.config.attention_window)
        if names.PACKING_IDS in inputs:
            return ops.logical_and(causal, packing_attention_mask(inputs[names.PACKING_IDS]))
        return ops.logical_and(causal, padding_attention_mask(padding_mask(inputs, self.config.pad_id)))

    def _rotation(self, positions: KerasTensor) -> Rotation | None:
        if self.config.position_embedding != "rotary":
            return None
        return rotation(positions, self.config.width_of_head, self.config.rotary_base, self._scale_frequencies)

    def _scale_frequencies(self, frequencies: np.ndarray) -> np.ndarray:
        """Those of the rotary positions, (head_dim / 2,), as the configuration scales them."""
        scaling = self.config.rotary_scaling
        if scaling is None:
            return frequencies
        if scaling.type == "linear":
            return scale_linearly(frequencies, scaling.factor)
        return scale_by_wavelength(
            frequencies, scaling.factor, scaling.low_factor, scaling.high_factor, scaling.original_length
        )

    def get_config(self):
        return {"config": self.config.model_dump(), "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(GptConfig.model_validate(config["config"]), name=config.get("name", "gpt"))


def _named(number: int, kept: KeysValues) -> dict[str, KerasTensor]:
    return {f"key_{number}": kept.keys, f"value_{number}": kept.values}
