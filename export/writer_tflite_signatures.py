"""The signatures of a writer's TFLite file: one prompt, then a token at a time, the state going in and out by name."""

from collections.abc import Callable

import tensorflow as tf
from keras import ops

from export.writer_steps import WriterSteps
from tfplm import feature_names as names

LOGITS = "logits"
DECODE = "decode"
STEP = "step"
_COUNTED = (names.INDEX, names.START)  # numbers that the caller counts, or that are always 0


def tflite_signatures(steps: WriterSteps) -> dict[str, Callable]:
    """Concrete functions for one text, without ragged ops.

    Returns:
        Of a decoder ``prefill_32`` and so on, by the length of the row: TOKEN_IDS (1, length), padded on the
        left → LOGITS (1, vocabulary) and the cache; of an encoder-decoder ``encode_32`` and so on: TOKEN_IDS
        (1, length), padded on the right → what is kept of the source. ``decode``: TOKEN_IDS (1,), INDEX (), the
        number of tokens that the decoder has read, and the state → LOGITS and what of the state has changed. The state
        that no signature gives yet is zeros. Of an LSTM alone ``step``: TOKEN_IDS (1,) and the state → LOGITS and the
        state.
    """
    if steps.is_recurrent:
        return {STEP: _concrete(_decoding(steps), _token_ids([1]), **_state_specifications(steps))}
    read, name = (_encoding(steps), "encode") if steps.task.is_encoder_decoder else (_prefilling(steps), "prefill")
    signatures = {f"{name}_{length}": _concrete(read, _token_ids([1, length])) for length in steps.lengths}
    index = tf.TensorSpec([], tf.int32, names.INDEX)
    signatures[DECODE] = _concrete(_decoding(steps), _token_ids([1]), index=index, **_state_specifications(steps))
    return signatures


def _prefilling(steps: WriterSteps) -> Callable:
    def prefill(token_ids):
        decoded = steps.read_prompts(token_ids)
        return {LOGITS: decoded.logits, **_kept(decoded.state)}

    return prefill


def _encoding(steps: WriterSteps) -> Callable:
    def encode(token_ids):
        state = steps.read_sources(token_ids)
        after = steps.task.decode(ops.zeros((1,), "int32"), state).state
        return {name: value for name, value in state.items() if after[name] is value}  # the rest is zeros still

    return encode


def _decoding(steps: WriterSteps) -> Callable:
    def decode(token_ids, index=None, **state):
        counted = {names.INDEX: ops.zeros((), "int32") if index is None else index}
        if not (steps.is_recurrent or steps.task.is_encoder_decoder):
            counted[names.START] = ops.zeros((1,), "int32")
        decoded = steps.task.decode(token_ids, counted | state)
        changed = {name: value for name, value in _kept(decoded.state).items() if value is not state[name]}
        return {LOGITS: decoded.logits, **changed}

    return decode


def _kept(state: dict) -> dict:
    return {name: value for name, value in state.items() if name not in _COUNTED}


def _state_specifications(steps: WriterSteps) -> dict[str, tf.TensorSpec]:
    """Shapes of the state of one text, by name."""

    def read(token_ids):
        return _kept(steps.read_prompts(token_ids).state)

    outputs = _concrete(read, _token_ids([1, steps.lengths[0]])).structured_outputs
    return {name: tf.TensorSpec(value.shape, value.dtype, name) for name, value in outputs.items()}


def _token_ids(shape: list[int]) -> tf.TensorSpec:
    return tf.TensorSpec(shape, tf.int32, names.TOKEN_IDS)


def _concrete(function: Callable, *specifications: tf.TensorSpec, **named: tf.TensorSpec) -> Callable:
    return tf.function(function, autograph=False).get_concrete_function(*specifications, **named)
