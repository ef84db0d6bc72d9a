"""Embedding and stacked LSTM: the baseline."""

import keras
from keras import KerasTensor, ops

from tfplm import feature_names as names
from tfplm.layers.dropout import Dropout
from tfplm.layers.embeddings import TokenEmbedding
from tfplm.layers.lstm import LSTM, Bidirectional
from tfplm.layers.masks import example_mask, padding_mask
from tfplm.layers.pooling import pool_first, pool_last, pool_max, pool_mean
from tfplm.models.configuration import LstmConfig


@keras.saving.register_keras_serializable(package="tfplm")
class Lstm(keras.Model):
    """Embedding, one or more (bidirectional) LSTM layers and pooling. Every variable exists once it is constructed.

    Every text of a packed row is read for itself: the state begins anew where the packing id changes. Padding, too, is
    parted from the text before or behind it, which it does not change.

    Source: Hochreiter and Schmidhuber 1997; Zaremba et al. 2014, "Recurrent Neural Network Regularization", for
    dropout on the way into each layer and never from step to step.

    Args:
        config: sizes and rates; ``vocabulary_size`` must be set.

    Attributes:
        config: as given.
        token_embedding: the `TokenEmbedding`, for heads with tied weights.
        hidden_dim: width of each direction.
        output_dim: width of the sequence and pooled outputs.
    """

    def __init__(self, config: LstmConfig, **kwargs):
        kwargs.setdefault("name", "lstm")
        super().__init__(**kwargs)
        if config.vocabulary_size is None:
            raise ValueError("got vocabulary_size None, expected the size of the tokenizer's vocabulary")
        self.config = config
        self.hidden_dim = config.hidden_dim
        self.output_dim = config.hidden_dim * (2 if config.bidirectional else 1)
        initializer = keras.initializers.RandomUniform(-config.initializer_range, config.initializer_range)
        self.token_embedding = TokenEmbedding(
            config.vocabulary_size, config.embedding_dim, initializer, name="token_embedding"
        )
        self.dropouts = [Dropout(config.dropout, name=f"dropout_{i}") for i in range(config.num_layers)]
        self.recurrent_layers = [self._recurrent_layer(index) for index in range(config.num_layers)]
        self.build()

    def _recurrent_layer(self, index: int) -> keras.layers.Layer:
        if self.config.bidirectional:
            return Bidirectional(self.config.hidden_dim, name=f"bidirectional_{index}")
        return LSTM(self.config.hidden_dim, name=f"lstm_{index}")

    def build(self, input_shape=None):
        """Creates every variable; their shapes follow from the configuration alone."""
        self.token_embedding.build((None, None))
        width = self.config.embedding_dim
        for layer in self.recurrent_layers:
            layer.build((None, None, width))
            width = self.output_dim

    def call(self, inputs, training=None):
        """Encodes token ids.

        Args:
            inputs: dictionary of (batch, sequence) integers. TOKEN_IDS is required. PACKING_IDS say which tokens are of
                one text; without them PADDING_MASK, else the token ids say by pad_id where the padding is.
                EXAMPLE_STARTS (batch, examples): each example of a row is pooled for itself. ROW_SEEDS (batch,) make
                dropout a function of them. Other keys are left alone.
            training: whether dropout is applied.

        Returns:
            Dictionary of SEQUENCE_OUTPUT (batch, sequence, output_dim) and POOLED_OUTPUT (batch, output_dim), with
            EXAMPLE_STARTS (batch, examples, output_dim).
        """
        packing_ids = inputs.get(names.PACKING_IDS, padding_mask(inputs, self.config.pad_id))
        hidden = self.token_embedding(inputs[names.TOKEN_IDS])  # (batch, sequence, embedding_dim)
        for dropout, layer in zip(self.dropouts, self.recurrent_layers, strict=True):
            hidden = dropout(hidden, inputs.get(names.ROW_SEEDS), training=training)
            hidden = layer(hidden, packing_ids)
        return {names.SEQUENCE_OUTPUT: hidden, names.POOLED_OUTPUT: self._pool(hidden, inputs)}

    def _pool(self, hidden: KerasTensor, inputs: dict) -> KerasTensor:
        mask = example_mask(inputs, self.config.pad_id)
        if self.config.pooling == "max":
            return pool_max(hidden, mask)
        if self.config.pooling == "mean":
            return pool_mean(hidden, mask)
        if not self.config.bidirectional:
            return pool_last(hidden, mask)
        forward, backward = ops.split(hidden, 2, axis=-1)
        first_of_backward = pool_first(backward, inputs.get(names.EXAMPLE_STARTS))
        return ops.concatenate([pool_last(forward, mask), first_of_backward], axis=-1)

    def prefill(self, inputs: dict, cache_length: int) -> tuple[KerasTensor, dict[str, KerasTensor]]:
        """Reads prompts that end in the last column; see `tfplm.generation.writer.Writer.prefill`.

        Returns:
            The last output (batch, output_dim) and the state behind it, which does not grow with ``cache_length``.
        """
        token_ids = ops.transpose(ops.cast(inputs[names.TOKEN_IDS], "int32"))  # (prompt, batch)
        mask = ops.transpose(padding_mask(inputs, self.config.pad_id))  # False at the beginning
        length, batch = ops.shape(token_ids)
        zeros = ops.zeros((batch, self.hidden_dim), self.compute_dtype)
        parts = [f"{kind}_{number}" for number in range(self.config.num_layers) for kind in ("output", "cell")]
        start = {names.INDEX: ops.zeros((), "int32"), **dict.fromkeys(parts, zeros)}

        def read(column, state):
            _, after = self.decode(ops.take(token_ids, column, axis=0), state)
            is_token = ops.take(mask, column, axis=0)[:, None]
            return {**after, **{name: ops.where(is_token, after[name], state[name]) for name in parts}}

        state = ops.fori_loop(0, length, read, start)
        return state[f"output_{self.config.num_layers - 1}"], state

    def decode(self, token_ids: KerasTensor, state: dict[str, KerasTensor]) -> tuple[KerasTensor, dict]:
        """Reads one token of every row, (batch,); returns as `prefill` does."""
        hidden, after = self.token_embedding(token_ids), {names.INDEX: state[names.INDEX] + 1}
        for number, layer in enumerate(self.recurrent_layers):
            output, cell = f"output_{number}", f"cell_{number}"
            hidden, (after[output], after[cell]) = layer.cell(hidden, (state[output], state[cell]))
        return hidden, after

    def get_config(self):
        return {"config": self.config.model_dump(), "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(LstmConfig.model_validate(config["config"]), name=config.get("name", "lstm"))
