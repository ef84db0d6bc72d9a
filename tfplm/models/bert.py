"""BERT, a bidirectional Transformer encoder."""

import keras
from keras import KerasTensor

from tfplm import feature_names as names
from tfplm.layers.dropout import Dropout
from tfplm.layers.embeddings import (
    LearnedPositionEmbedding,
    SegmentEmbedding,
    SinusoidalPositionEmbedding,
    TokenEmbedding,
)
from tfplm.layers.feed_forward import activate
from tfplm.layers.masks import attention_bias, packing_attention_mask, padding_attention_mask, padding_mask
from tfplm.layers.pooling import pool_first
from tfplm.layers.relative_position_bias import RelativePositionBias
from tfplm.layers.transformer_block import TransformerBlock, run_blocks
from tfplm.models.configuration import BertConfig


@keras.saving.register_keras_serializable(package="tfplm")
class Bert(keras.Model):
    """BERT: embeddings, Transformer blocks and a pooler. Every variable exists once it is constructed.

    Source: Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers", section 3.

    Args:
        config: sizes and rates; ``vocabulary_size`` must be set.

    Attributes:
        config: as given.
        token_embedding: the `TokenEmbedding`, for heads with tied weights.
        hidden_dim: width of the token embeddings.
        output_dim: width of the sequence and pooled outputs.
        rematerialize: whether training keeps each block's input alone and computes the rest again for its gradient.
            Set it before the training step is traced.

    Example:
        >>> bert = Bert(BertConfig(vocabulary_size=8192))
        >>> bert({"token_ids": keras.ops.ones((2, 16), "int32")})["pooled_output"].shape
        TensorShape([2, 256])
    """

    def __init__(self, config: BertConfig, **kwargs):
        kwargs.setdefault("name", "bert")
        super().__init__(**kwargs)
        if config.vocabulary_size is None:
            raise ValueError("got vocabulary_size None, expected the size of the tokenizer's vocabulary")
        self.config = config
        self.output_dim = config.hidden_dim
        self.hidden_dim = width = config.width_of_embeddings
        self.rematerialize = False

        # Layers.
        self.token_embedding = TokenEmbedding(
            config.vocabulary_size, width, self._initializer(), name="token_embedding"
        )
        self.segment_embedding = (
            SegmentEmbedding(config.num_segments, width, self._initializer(), name="segment_embedding")
            if config.num_segments
            else None
        )
        self.position_embedding = self._position_embedding()
        self.embedding_norm = self._norm("embedding_norm")
        self.embedding_dropout = Dropout(config.dropout, name="embedding_dropout")
        self.embedding_projection = None
        if width != config.hidden_dim:
            self.embedding_projection = keras.layers.Dense(
                config.hidden_dim, kernel_initializer=self._initializer(), name="embedding_projection"
            )
        num_blocks = 1 if config.share_layers else config.num_layers
        self.blocks = [self._block(f"block_{index}") for index in range(num_blocks)]
        self.final_norm = self._norm("final_norm") if config.norm_first else None
        self.pooler = keras.layers.Dense(config.hidden_dim, kernel_initializer=self._initializer(), name="pooler")
        self.build()

    def _initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.TruncatedNormal(stddev=self.config.initializer_range)

    def _norm(self, name: str) -> keras.layers.LayerNormalization:
        return keras.layers.LayerNormalization(epsilon=self.config.layer_norm_epsilon, name=name)

    def _position_embedding(self) -> keras.layers.Layer:
        length, width = self.config.max_sequence_length, self.config.width_of_embeddings
        if self.config.position_embedding == "learned":
            return LearnedPositionEmbedding(length, width, self._initializer(), name="position_embedding")
        if self.config.position_embedding == "sinusoidal":
            return SinusoidalPositionEmbedding(length, width, name="position_embedding")
        return RelativePositionBias(self.config.num_heads, name="relative_position_bias")

    def _block(self, name: str) -> TransformerBlock:
        return TransformerBlock(
            num_heads=self.config.num_heads,
            intermediate_dim=self.config.intermediate_dim,
            activation=self.config.activation,
            dropout=self.config.dropout,
            attention_dropout=self.config.attention_dropout,
            norm_first=self.config.norm_first,
            layer_norm_epsilon=self.config.layer_norm_epsilon,
            kernel_initializer=self._initializer(),
            name=name,
        )

    def build(self, input_shape=None):
        """Creates every variable; their shapes follow from the configuration alone."""
        embedded_shape, hidden_shape = (None, None, self.hidden_dim), (None, None, self.config.hidden_dim)
        for layer in (self.token_embedding, self.segment_embedding, self.position_embedding):
            if layer is not None:
                layer.build((None, None))
        for layer in (self.embedding_norm, self.embedding_projection):
            if layer is not None:
                layer.build(embedded_shape)
        for layer in self.blocks if self.final_norm is None else (self.final_norm, *self.blocks):
            layer.build(hidden_shape)
        self.pooler.build((None, self.config.hidden_dim))

    def call(self, inputs, training=None, return_hidden_states=False, return_attention_scores=False):
        """Encodes token ids.

        Args:
            inputs: dictionary of (batch, sequence) integers. TOKEN_IDS is required. SEGMENT_IDS: 0 everywhere when
                absent. PACKING_IDS, else PADDING_MASK, else ``token_ids != pad_id`` says which tokens see each other.
                POSITION_IDS: 0, 1, 2, … when absent. EXAMPLE_STARTS (batch, examples): each example of a row is pooled
                for itself. ROW_SEEDS (batch,) make dropout a function of them. Other keys are left alone.
            training: whether dropout is applied.
            return_hidden_states: whether to return what every layer gives.
            return_attention_scores: whether to return the scores of every layer.

        Returns:
            Dictionary of SEQUENCE_OUTPUT (batch, sequence, hidden_dim) and POOLED_OUTPUT (batch, hidden_dim), with
            EXAMPLE_STARTS (batch, examples, hidden_dim); on request HIDDEN_STATES, the embeddings and then what every
            layer gives (batch, sequence, hidden_dim), and ATTENTION_SCORES of every layer (batch, heads, query, key).
        """
        hidden = self._embed(inputs, training)
        bias = attention_bias(_attention_mask(inputs, self.config.pad_id), self.compute_dtype)
        if self.config.position_embedding == "relative":
            bias = bias + self.position_embedding(inputs[names.TOKEN_IDS])  # (batch, heads, query, key)
        hidden_states, attention_scores = run_blocks(
            self.blocks * self.config.num_layers if self.config.share_layers else self.blocks,
            hidden,
            bias,
            inputs.get(names.ROW_SEEDS),
            training,
            self.rematerialize,
            return_attention_scores,
        )
        if self.final_norm is not None:
            hidden_states[-1] = self.final_norm(hidden_states[-1])
        hidden = hidden_states[-1]
        first_tokens = pool_first(hidden, inputs.get(names.EXAMPLE_STARTS))
        outputs = {names.SEQUENCE_OUTPUT: hidden, names.POOLED_OUTPUT: self._pool(first_tokens, training)}
        if return_hidden_states:
            outputs[names.HIDDEN_STATES] = hidden_states
        if return_attention_scores:
            outputs[names.ATTENTION_SCORES] = attention_scores
        return outputs

    def _embed(self, inputs: dict, training: bool | None) -> KerasTensor:
        token_ids = inputs[names.TOKEN_IDS]
        hidden = self.token_embedding(token_ids)  # (batch, sequence, width of the embeddings)
        if self.config.position_embedding != "relative":
            hidden = hidden + self.position_embedding(token_ids, inputs.get(names.POSITION_IDS))
        if self.segment_embedding is not None:
            hidden = hidden + self.segment_embedding(inputs.get(names.SEGMENT_IDS))
        hidden = self.embedding_dropout(self.embedding_norm(hidden), inputs.get(names.ROW_SEEDS), training=training)
        return hidden if self.embedding_projection is None else self.embedding_projection(hidden)

    def _pool(self, first_tokens: KerasTensor, training: bool | None) -> KerasTensor:
        return activate(self.pooler(first_tokens), self.config.pooler_activation, training)

    def get_config(self):
        return {"config": self.config.model_dump(), "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(BertConfig.model_validate(config["config"]), name=config.get("name", "bert"))


def _attention_mask(inputs: dict, pad_id: int) -> KerasTensor:
    if names.PACKING_IDS in inputs:
        return packing_attention_mask(inputs[names.PACKING_IDS])
    return padding_attention_mask(padding_mask(inputs, pad_id))
