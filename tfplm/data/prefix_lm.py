"""Batches of prefix language modelling for encoder-decoders."""

from dataclasses import dataclass

import numpy as np

from tfplm.data.batches import EVERY_ROW, Batch, encoder_decoder_batch, row_uniforms
from tfplm.data.pretraining_batches import SPLITS, StreamBatches


@dataclass(frozen=True)
class PrefixLmBatches(StreamBatches):
    """Windows of the stream that are parted at a random token: the encoder reads the first part, the decoder writes on.

    The first part, one token to all but one, has the end behind it, as every input of an encoder has. The decoder's
    part goes on from it and has an end only where a document has. Both are padded at the right to ``sequence_length``.

    Source: Raffel et al. 2020, section 3.3.1; `random_prefix_noise_mask` in their code.
    """

    def batch(self, step: int, rows: slice = EVERY_ROW) -> Batch:
        places = np.arange(self.batch_size)[rows]
        texts, length = self.texts(step, places), self.sequence_length
        uniforms = row_uniforms(self.seed, step, SPLITS, places, 1)
        split = 1 + (uniforms * (length - 1)).astype(np.int64)  # (rows, 1): from 1 to length − 1
        columns = np.arange(length)
        pad_id, end_id = np.int32(self.tokenizer.pad_id), np.int32(self.tokenizer.end_id)
        inputs = np.where(columns < split, texts, np.where(columns == split, end_id, pad_id))
        following = np.take_along_axis(texts, np.minimum(columns + split, length - 1), axis=1)
        targets = np.where(columns < length - split, following, pad_id)
        seeds = self._row_seeds(step, places)
        return encoder_decoder_batch(inputs, targets, length - split[:, 0], seeds, self.tokenizer.pad_id)
