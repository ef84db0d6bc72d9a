"""Dynamic masking for masked-language modelling: new masks every time a row is seen."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tfplm.objectives import MaskedLmConfig


class MaskedRows(NamedTuple):
    """A masked batch of rows; predictions is the fixed number of places a row."""

    token_ids: np.ndarray  # int32 (batch, sequence): with [MASK], random and kept tokens
    positions: np.ndarray  # int32 (batch, predictions): ascending columns; 0 where unused
    original_ids: np.ndarray  # int32 (batch, predictions)
    weights: np.ndarray  # float32 (batch, predictions): 1 where used


@dataclass(frozen=True)
class Masker:
    """Chooses 15 % of the tokens; 80 % of them become [MASK], 10 % a random token, 10 % stay.

    Source: Devlin et al. 2019, section 3.1, task 1; whole words as in the authors' later release.
    """

    config: MaskedLmConfig
    mask_id: int
    special_ids: tuple[int, ...]
    vocabulary_size: int
    is_word_start: np.ndarray  # bool (vocabulary,)
    num_predictions: int

    def mask(self, token_ids: np.ndarray, uniforms: np.ndarray) -> MaskedRows:
        """Masks int32 ``token_ids`` (batch, sequence), decided by ``uniforms`` in [0, 1), (batch, 3, sequence)."""
        keys, fate, replacement = uniforms.swapaxes(0, 1)
        maskable = ~np.isin(token_ids, self.special_ids)
        chosen = self._choose(token_ids, maskable, keys)
        # Columns of the chosen tokens in ascending order, unused places last.
        order = np.argsort(~chosen, axis=1, kind="stable")[:, : self.num_predictions]
        used = np.take_along_axis(chosen, order, axis=1)
        positions = np.where(used, order, 0)
        original = np.take_along_axis(token_ids, positions, axis=1)
        return MaskedRows(
            self._replace(token_ids, chosen, fate, replacement),
            positions.astype(np.int32),
            np.where(used, original, 0).astype(np.int32),
            used.astype(np.float32),
        )

    def _choose(self, token_ids: np.ndarray, maskable: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Which tokens are predicted: bool (batch, sequence), at most num_predictions a row."""
        length = token_ids.shape[1]
        if self.config.whole_word:
            # Every piece of a word takes the key of the word's first piece.
            starts = self.is_word_start[token_ids] | ~maskable
            starts[:, 0] = True
            word_first = np.maximum.accumulate(np.where(starts, np.arange(length), 0), axis=1)
            keys = np.take_along_axis(keys, word_first, axis=1)
        keys = np.where(maskable, keys, 2.0)
        quota = np.rint(self.config.mask_rate * maskable.sum(axis=1)).astype(np.int64)
        quota = np.clip(quota, 1, self.num_predictions)[:, None]
        order = np.argsort(keys, axis=1, kind="stable")
        sorted_keys = np.take_along_axis(keys, order, axis=1)
        taken = (np.arange(length) < quota) & (sorted_keys < 2.0)
        if self.config.whole_word:
            taken = _drop_cut_words(taken, sorted_keys)
        chosen = np.zeros_like(maskable)
        np.put_along_axis(chosen, order, taken, axis=1)
        return chosen

    @cached_property
    def _ordinary_ids(self) -> np.ndarray:
        return np.setdiff1d(np.arange(self.vocabulary_size, dtype=np.int32), self.special_ids)

    def _replace(
        self, token_ids: np.ndarray, chosen: np.ndarray, fate: np.ndarray, replacement: np.ndarray
    ) -> np.ndarray:
        random_ids = self._ordinary_ids[(replacement * len(self._ordinary_ids)).astype(np.int32)]
        to_mask = chosen & (fate < self.config.mask_token_rate)
        to_random = chosen & ~to_mask & (fate < self.config.mask_token_rate + self.config.random_token_rate)
        return np.where(to_mask, np.int32(self.mask_id), np.where(to_random, random_ids, token_ids)).astype(np.int32)


def _drop_cut_words(taken: np.ndarray, sorted_keys: np.ndarray) -> np.ndarray:
    """Leaves out the last word of a row where the quota would cut it, unless it is the only one."""
    count = taken.sum(axis=1)
    last = np.maximum(count - 1, 0)[:, None]
    after = np.minimum(last + 1, taken.shape[1] - 1)
    last_key = np.take_along_axis(sorted_keys, last, axis=1)
    is_cut = (np.take_along_axis(sorted_keys, after, axis=1) == last_key) & (after > last)
    without = taken & (sorted_keys != last_key)
    return np.where(is_cut & without.any(axis=1, keepdims=True), without, taken)
