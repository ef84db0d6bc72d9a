"""Batches of T5's span corruption."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tfplm.data.batches import EVERY_ROW, Batch, encoder_decoder_batch, row_uniforms
from tfplm.data.pretraining_batches import SPANS, StreamBatches
from tfplm.errors import UserError
from tfplm.objectives import SpanLengths, span_lengths


@dataclass(frozen=True)
class SpanCorruptionBatches(StreamBatches):
    """The encoder reads text with gaps, and the decoder writes what stood in them. All rows are full.

    With the sentinels X, Y, …: "Thank you for inviting me to your party" gives the inputs "Thank you X to your Y" and
    the targets "X for inviting me Y party", both with the end behind them.

    Source: Raffel et al. 2020, section 3.1.4, and their code: text is joined and cut into rows of the length that
    fills the encoder's.

    Raises:
        UserError: the tokenizer has not one sentinel a span.
    """

    def __post_init__(self) -> None:
        num_sentinels, needed = len(self.tokenizer.sentinel_ids), self._lengths.spans
        if num_sentinels < needed:
            raise UserError(
                f"The tokenizer has {num_sentinels} sentinels.",
                f"Expected {needed} or more, one for every gap in a row of {self.sequence_length} tokens.",
                f"Set tokenizer.num_sentinels={max(100, needed)}.",
            )

    @cached_property
    def _lengths(self) -> SpanLengths:
        return span_lengths(self.objective, self.sequence_length)

    @property
    def _window(self) -> int:
        return self._lengths.text

    def batch(self, step: int, rows: slice = EVERY_ROW) -> Batch:
        places = np.arange(self.batch_size)[rows]
        uniforms = row_uniforms(self.seed, step, SPANS, places, self._lengths.text - 2)
        inputs, targets = corrupt(
            self.texts(step, places),
            noise_span_numbers(self._lengths, uniforms),
            self.tokenizer.sentinel_ids,
            self.tokenizer.end_id,
        )
        lengths = np.full(len(places), self._lengths.targets)
        seeds = self._row_seeds(step, places)
        return encoder_decoder_batch(inputs, targets, lengths, seeds, self.tokenizer.pad_id)


def noise_span_numbers(lengths: SpanLengths, uniforms: np.ndarray) -> np.ndarray:
    """Parts rows into spans at random, the odd ones noise: text, noise, text, noise, …, none of them empty.

    Source: `random_spans_noise_mask` in the code of Raffel et al. 2020.

    Args:
        lengths: of the row.
        uniforms: in [0, 1), (rows, text − 2).

    Returns:
        The number of each token's span, int64 (rows, text): from 0 to 2 · spans − 1.
    """
    noise, kept = np.split(uniforms, [lengths.noise - 1], axis=1)
    sizes = np.stack([_segment_sizes(kept, lengths.spans), _segment_sizes(noise, lengths.spans)], axis=2)
    ends = np.cumsum(sizes.reshape(len(uniforms), -1), axis=1)  # (rows, 2 · spans): text and noise by turns
    begins = np.zeros((len(uniforms), lengths.text), np.int64)
    np.put_along_axis(begins, ends[:, :-1], 1, axis=1)
    return np.cumsum(begins, axis=1)


def _segment_sizes(uniforms: np.ndarray, num_segments: int) -> np.ndarray:
    """Parts n items into segments that are not empty: every way with the same probability.

    Args:
        uniforms: in [0, 1), (rows, n − 1): decide between which items the cuts are.
        num_segments: at most n.

    Returns:
        int64 (rows, num_segments).
    """
    num_rows, num_gaps = uniforms.shape
    cuts = np.sort(np.argsort(uniforms, axis=1)[:, : num_segments - 1], axis=1) + 1
    first, last = np.zeros((num_rows, 1), np.int64), np.full((num_rows, 1), num_gaps + 1)
    return np.diff(np.concatenate([first, cuts, last], axis=1), axis=1)


def corrupt(
    texts: np.ndarray, span_numbers: np.ndarray, sentinel_ids: np.ndarray, end_id: int
) -> tuple[np.ndarray, np.ndarray]:
    """Takes the noise out of texts: a sentinel stands in the inputs for each span of it, and in the targets before it.

    Args:
        texts: int32 (rows, text).
        span_numbers: see `noise_span_numbers`.
        sentinel_ids: int32, one a noise span or more.
        end_id: stands behind both.

    Returns:
        inputs: int32 (rows, inputs).
        targets: int32 (rows, targets).
    """
    is_noise = span_numbers % 2 == 1
    begins = np.diff(span_numbers, axis=1, prepend=-1) > 0
    sentinels = sentinel_ids[span_numbers // 2]  # (rows, text)
    end = np.full((len(texts), 1), end_id, np.int32)

    def without(left_out: np.ndarray) -> np.ndarray:
        """The texts with a sentinel for every span of what is left out; as many tokens in every row."""
        taken = ~left_out | begins
        tokens = np.where(left_out, sentinels, texts)[taken].reshape(len(texts), -1)
        return np.concatenate([tokens, end], axis=1)

    return without(is_noise), without(~is_noise)
