"""Prompts as token ids inside a graph: edges, cutting and padding."""

import tensorflow as tf

from export.writer_steps import WriterSteps
from tfplm.tokenizers.tokenizer import Tokenizer


class Rows(tf.experimental.ExtensionType):
    """Rows of token ids, each from column 0 on."""

    token_ids: tf.Tensor  # (batch, columns) int32, padding behind the tokens
    lengths: tf.Tensor  # (batch,) int32
    was_cut: tf.Tensor  # (batch,) bool


def prompt_rows(steps: WriterSteps, tokenizer: Tokenizer, ids: tf.RaggedTensor, new_tokens: tf.Tensor) -> Rows:
    """Prompts as the model reads them, (batch, most_tokens).

    Too many tokens are cut: a decoder keeps the last ones and leaves room for ``new_tokens``, so that what stands
    beside a prompt does not change what is written behind it; an encoder-decoder keeps the first ones.
    """
    if steps.task.is_encoder_decoder:
        return closed_rows(tokenizer, ids, steps.most_tokens)
    prefix = tf.constant(tokenizer.prefix_ids, tf.int32)
    num_prefix = len(tokenizer.prefix_ids)
    room = steps.most_tokens - new_tokens - num_prefix
    lengths = tf.cast(ids.row_lengths(), tf.int32)
    kept = tf.minimum(lengths, room)
    tokens = _moved(_dense(ids), lengths - kept, kept, steps.most_tokens - num_prefix, tokenizer.pad_id)
    first = tf.tile([prefix], [tf.shape(tokens)[0], 1])
    return Rows(token_ids=tf.concat([first, tokens], axis=1), lengths=kept + num_prefix, was_cut=lengths > kept)


def closed_rows(tokenizer: Tokenizer, ids: tf.RaggedTensor, columns: int) -> Rows:
    """The first ids of texts and the end token, (batch, columns)."""
    lengths = tf.cast(ids.row_lengths(), tf.int32)
    rows = open_rows(tokenizer, ids, columns - 1)
    padded = tf.pad(rows.token_ids, [[0, 0], [0, 1]], constant_values=tokenizer.pad_id)
    is_end = tf.range(columns)[tf.newaxis] == rows.lengths[:, tf.newaxis]
    token_ids = tf.where(is_end, tokenizer.end_id, padded)
    return Rows(token_ids=token_ids, lengths=rows.lengths + 1, was_cut=lengths > rows.lengths)


def open_rows(tokenizer: Tokenizer, ids: tf.RaggedTensor, columns: int) -> Rows:
    """The first ids of texts, without edges, (batch, columns)."""
    lengths = tf.cast(ids.row_lengths(), tf.int32)
    kept = tf.minimum(lengths, columns)
    token_ids = _moved(_dense(ids), tf.zeros_like(kept), kept, columns, tokenizer.pad_id)
    return Rows(token_ids=token_ids, lengths=kept, was_cut=lengths > kept)


def aligned_right(rows: Rows, end: tf.Tensor | int, columns: int, pad_id: int) -> tf.Tensor:
    """The tokens of rows so that all end before column ``end``: int32 (batch, columns)."""
    return _moved(rows.token_ids, rows.lengths - end, end, columns, pad_id)


def _dense(ids: tf.RaggedTensor) -> tf.Tensor:
    return tf.pad(tf.cast(ids, tf.int32).to_tensor(0), [[0, 0], [0, 1]])  # a column at least


def _moved(token_ids: tf.Tensor, firsts: tf.Tensor, ends: tf.Tensor | int, columns: int, pad_id: int) -> tf.Tensor:
    """The columns from ``firsts`` (batch,) on as (batch, columns); padding from ``ends`` on and before column 0."""
    numbers = tf.range(columns)[tf.newaxis]
    places = numbers + firsts[:, tf.newaxis]
    is_token = (places >= 0) & (numbers < tf.reshape(ends, [-1, 1]))
    places = tf.clip_by_value(places, 0, tf.shape(token_ids)[1] - 1)
    return tf.where(is_token, tf.gather(token_ids, places, batch_dims=1), pad_id)
