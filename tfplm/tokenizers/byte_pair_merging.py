"""Byte-pair merges as tensor ops: all words of a batch at once, in plain constants that every graph can hold."""

import numpy as np
import tensorflow as tf


class BytePairMerging:
    """Joins the bytes of words by ranked merges.

    In each word the adjacent pair with the lowest rank is merged, wherever it stands, from left to right, until no
    pair of the word has a rank. Where a merged token is part of a pair with a lower rank still, which the merges of
    Llama 3 have, only the leftmost place is merged at a time, as the `tokenizers` package does.

    The symbols of all words lie behind one another, and those of words that are done leave the loop: a very long word
    takes no more room than its own.

    Source: Sennrich et al. 2016, section 3.2.

    Args:
        byte_ids: int (256,), the token of every byte.
        pairs: int (merges, 2), the tokens that are merged, the lowest rank first.
        merged: int (merges,), the tokens that come of them.
        vocabulary_size: how many tokens there are.
    """

    def __init__(self, byte_ids: np.ndarray, pairs: np.ndarray, merged: np.ndarray, vocabulary_size: int):
        self._no_rank = len(pairs)
        ranks = np.arange(len(pairs), dtype=np.int32)
        keys = pairs[:, 0].astype(np.int64) * vocabulary_size + pairs[:, 1]
        order = np.argsort(keys, kind="stable")
        sorted_keys, sorted_ranks = np.append(keys[order], np.int64(2**62)), np.append(ranks[order], self._no_rank)
        first_uses = np.full(vocabulary_size, self._no_rank)
        np.minimum.at(first_uses, pairs, ranks[:, None])
        byte_keys = byte_ids.astype(np.int64)[:, None] * vocabulary_size + byte_ids  # (256, 256)
        places = np.searchsorted(sorted_keys, byte_keys)
        byte_ranks = np.where(sorted_keys[places] == byte_keys, sorted_ranks[places], self._no_rank)
        self._vocabulary_size = vocabulary_size
        with tf.device("CPU:0"):
            self._byte_ids = tf.constant(byte_ids, tf.int32)
            self._byte_ranks = tf.constant(byte_ranks.reshape(-1), tf.int32)  # (256 × 256,)
            self._keys = tf.constant(sorted_keys)  # (merges + 1,): the last is over every key
            self._ranks = tf.constant(sorted_ranks, tf.int32)
            self._merged = tf.constant(merged, tf.int32)
            self._is_parallel = tf.constant(first_uses[merged] > ranks)

    def __call__(self, words: tf.Tensor) -> tf.RaggedTensor:
        """Tokens of words.

        Args:
            words: strings (words,).

        Returns:
            int32 ids (words, None).
        """
        bytes_ = tf.cast(tf.io.decode_raw(tf.strings.reduce_join(words), tf.uint8), tf.int32)  # (bytes of all words,)
        edges = tf.concat([[0], tf.cumsum(tf.strings.length(words))], axis=0)
        word = tf.ragged.row_splits_to_segment_ids(edges, out_type=tf.int32)
        symbols = tf.gather(self._byte_ids, bytes_)
        ranks = tf.gather(self._byte_ranks, bytes_[:-1] * 256 + bytes_[1:])
        ranks = tf.where(word[:-1] == word[1:], ranks, self._no_rank)
        ranks = tf.concat([ranks, tf.fill(tf.shape(bytes_[:1]), self._no_rank)], axis=0)
        places = tf.range(tf.size(symbols))
        num_words = tf.size(words)
        state = (symbols, symbols, ranks, word, places)
        tokens, *_ = tf.while_loop(
            lambda tokens, symbols, *_: tf.size(symbols) > 0,
            lambda *state: self._merge_once(num_words, *state),
            state,
            shape_invariants=tuple(tf.TensorShape([None]) for _ in state),
        )
        stays = tokens >= 0
        counts = tf.concat([[0], tf.cumsum(tf.cast(stays, tf.int32))], axis=0)
        splits = tf.cast(tf.gather(counts, edges), tf.int64)
        return tf.RaggedTensor.from_row_splits(tf.boolean_mask(tokens, stays), splits, validate=False)

    def _merge_once(self, num_words, tokens, symbols, ranks, word, places):
        """Merges the pair with the lowest rank of every word, and leaves the words out that have none.

        Args:
            num_words: how many words there were at first.
            tokens: (bytes,), the tokens of all words, each at its first byte's place; −1 at the others.
            symbols: (symbols,), the tokens of the words that are not done.
            ranks: of the pair of each symbol and the next one.
            word: the word of each symbol.
            places: of each symbol in ``tokens``.

        Returns:
            tokens, symbols, ranks, word and places after it.
        """
        lowest = tf.gather(tf.math.unsorted_segment_min(ranks, word, num_words), word)
        is_open = lowest < self._no_rank
        hits = self._hits(is_open & (ranks == lowest), ranks, word)  # (merged pairs,)
        new = tf.gather(self._merged, tf.gather(ranks, hits))
        gone = hits + 1
        symbols = tf.tensor_scatter_nd_update(symbols, hits[:, None], new)
        changed = tf.gather(places, tf.concat([hits, gone], axis=0))
        tokens = tf.tensor_scatter_nd_update(tokens, changed[:, None], tf.concat([new, -tf.ones_like(new)], axis=0))
        stays = tf.tensor_scatter_nd_update(is_open, gone[:, None], tf.zeros_like(gone, tf.bool))
        kept = tf.where(stays)[:, 0]
        symbols, ranks, word, places = (tf.gather(values, kept) for values in (symbols, ranks, word, places))
        hits = tf.searchsorted(kept, hits, out_type=tf.int64)
        ranks = self._rank_again(tf.concat([tf.maximum(hits - 1, 0), hits], axis=0), symbols, ranks, word)
        return tokens, symbols, ranks, word, places

    def _hits(self, is_lowest: tf.Tensor, ranks: tf.Tensor, word: tf.Tensor) -> tf.Tensor:
        """Where the lowest pairs are merged: of pairs that overlap, as in "aaa", every other one; int64."""
        hits = tf.where(is_lowest)[:, 0]
        order = tf.range(tf.size(hits))
        behind = tf.concat([[-2], hits], axis=0)[:-1]
        begins = tf.where(hits != behind + 1)[:, 0]  # of hits side by side
        first = tf.gather(begins, tf.searchsorted(begins, tf.cast(order, tf.int64), side="right") - 1)
        is_even = (order - tf.cast(first, tf.int32)) % 2 == 0
        of_word = tf.gather(word, hits)
        is_first = of_word != tf.concat([[-1], of_word], axis=0)[:-1]
        is_parallel = tf.gather(self._is_parallel, tf.gather(ranks, hits))
        return tf.boolean_mask(hits, is_even & (is_parallel | is_first))

    def _rank_again(self, at: tf.Tensor, symbols: tf.Tensor, ranks: tf.Tensor, word: tf.Tensor) -> tf.Tensor:
        """The ranks, those of the pairs that begin ``at`` looked up anew."""
        behind = tf.minimum(at + 1, tf.size(symbols, tf.int64) - 1)
        left, right = (tf.cast(tf.gather(symbols, place), tf.int64) for place in (at, behind))
        keys = left * self._vocabulary_size + right
        found = tf.searchsorted(self._keys, keys)
        is_pair = (tf.gather(self._keys, found) == keys) & (tf.gather(word, at) == tf.gather(word, behind))
        is_pair &= at != behind
        new = tf.where(is_pair, tf.gather(self._ranks, found), self._no_rank)
        return tf.tensor_scatter_nd_update(ranks, at[:, None], new)
