"""The two steps of a model that writes, as functions with static lengths: what every export of one is made from."""

import tensorflow as tf
from keras import KerasTensor, ops

from tfplm import feature_names as names
from tfplm.generation.writer import Decoded
from tfplm.models.lstm import Lstm
from tfplm.tasks.language_model import LanguageModel

_LEAST_LENGTH, _GROWTH = 32, 4


class WriterSteps:
    """Reads prompts of a few lengths into a state whose shapes are the same for all of them.

    Args:
        task: the model; float32, see `export.portable_task`.

    Attributes:
        task: as given.
        most_tokens: that are read at once: ``max_sequence_length`` of the model.
        cache_length: columns of the cache.
        lengths: of the rows that prompts are padded to, ascending.
        is_recurrent: whether the model is an LSTM alone, which reads token by token.
    """

    def __init__(self, task: LanguageModel):
        self.task = task
        self.most_tokens = task.encoder.config.max_sequence_length
        self.cache_length = self.most_tokens + task.is_encoder_decoder  # with the decoder's own first token
        shorter = [_LEAST_LENGTH * _GROWTH**power for power in range(16)]
        self.lengths = [*(length for length in shorter if length < self.most_tokens), self.most_tokens]
        self.is_recurrent = isinstance(task.encoder, Lstm)

    @property
    def kind(self) -> str:
        """One of "encoder_decoder", "recurrent" (an LSTM alone) and "decoder"."""
        if self.task.is_encoder_decoder:
            return "encoder_decoder"
        return "recurrent" if self.is_recurrent else "decoder"

    def read_prompts(self, token_ids: KerasTensor) -> Decoded:
        """As `Writer.prefill`; prompts of a decoder stand at the left of the cache afterwards, the longest at column 0.

        Args:
            token_ids: (batch, length) int32, padded as `Writer.prefill` wants it.
        """
        decoded = self.task.prefill({names.TOKEN_IDS: token_ids}, self.cache_length)
        if self.task.is_encoder_decoder:
            return decoded._replace(state=self._widened(decoded.state))
        return decoded if self.is_recurrent else decoded._replace(state=_moved_left(decoded.state))

    def read_sources(self, token_ids: KerasTensor) -> dict[str, KerasTensor]:
        """The state of an encoder-decoder behind sources (batch, length), before the decoder's first token."""
        return self._widened(self.task.encode({names.TOKEN_IDS: token_ids}, self.cache_length))

    def _widened(self, state: dict[str, KerasTensor]) -> dict[str, KerasTensor]:
        """The state with sources of ``most_tokens`` columns."""
        return {name: _wide(name, value, self.most_tokens) for name, value in state.items()}


def _wide(name: str, value: KerasTensor, columns: int) -> KerasTensor:
    if not name.startswith("source_"):
        return value
    is_mask = name == names.SOURCE_MASK  # (batch, source); others (batch, heads, source, head_dim)
    axis = 1 if is_mask else 2
    room = [[0, columns - value.shape[axis] if number == axis else 0] for number in range(len(value.shape))]
    if is_mask:  # TFLite pads no bool
        return ops.cast(ops.pad(ops.cast(value, "int32"), room), "bool")
    return ops.pad(value, room)


def _moved_left(state: dict[str, KerasTensor]) -> dict[str, KerasTensor]:
    """A cache without the columns that are padding in every row; behind the tokens anything may stand."""
    padding = ops.min(state[names.START])
    cache_length = next(value.shape[2] for name, value in state.items() if name not in (names.INDEX, names.START))
    columns = ops.minimum(ops.arange(cache_length, dtype="int32") + padding, cache_length - 1)
    moved = {
        name: ops.take(value, columns, axis=2)
        for name, value in state.items()
        if name not in (names.INDEX, names.START)
    }
    return {names.INDEX: state[names.INDEX] - padding, names.START: state[names.START] - padding, **moved}


class WriterModule(tf.Module):
    """What holds the variables of a writer for ``tf.saved_model.save``, and files that travel with it. No Keras object.

    Args:
        task: the model.
        asset_paths: of the files.
    """

    def __init__(self, task: LanguageModel, asset_paths=()):
        super().__init__(name="writer")
        self.model_variables = [variable.value for variable in task.weights]
        self.assets = [tf.saved_model.Asset(str(path)) for path in asset_paths]
