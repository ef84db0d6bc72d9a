"""WordPiece behind Unicode's case folding, as tfplm trains it: two ops, which TFLite has too."""

import tensorflow as tf
import tensorflow_text as tf_text

from tfplm.tokenizers.offsets import TokenOffsets


class CasefoldWordPiece:
    """Cuts text into WordPiece ids as ``tensorflow_text.FastBertTokenizer`` does, by the two ops that it is made of.

    Its own offsets are not of use: where folding makes several characters of one ("½", "ß", Korean syllables), tokens
    of some of them have empty spans there. Here they have the whole character.

    Source: Song et al. 2021, "Fast WordPiece Tokenization".

    Args:
        vocabulary: the tokens, each at the index that is its id.
        unknown_token: what a word becomes that cannot be cut or is over 100 bytes long.
        lowercase: folds case and strips accents.
    """

    def __init__(self, vocabulary: list[str], unknown_token: str, lowercase: bool):
        self._normalizer = tf_text.FastBertNormalizer(lower_case_nfd_strip_accents=lowercase)
        self._op = tf_text.FastWordpieceTokenizer(vocabulary, token_out_type=tf.int32, unknown_token=unknown_token)

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Encodes strings (batch,) as int32 ids (batch, None)."""
        return self._op.tokenize(self._normalizer.normalize(texts))

    def tokenize_with_offsets(self, texts: tf.Tensor) -> TokenOffsets:
        """Encodes strings (batch,). What folding drops, as an accent or U+200B, belongs to the character before it."""
        folded, sources = self._normalizer.normalize_with_offsets(texts)
        ids, starts, ends = self._op.tokenize_with_offsets(folded)
        places = sources.flat_values  # of every byte of the folded texts and of every end, the byte in the text
        bases = 0 if texts.shape == [1] else tf.gather(sources.row_starts(), ids.value_rowids())
        first, last = bases + starts.flat_values, bases + ends.flat_values - 1
        last_source = tf.gather(places, last)

        def is_same(behind: tf.Tensor) -> tf.Tensor:
            return tf.gather(places, behind) == last_source

        # A character ends where the next place is another one: mostly that of the next byte.
        (behind,) = tf.while_loop(
            lambda behind: tf.reduce_any(is_same(behind)),
            lambda behind: [behind + tf.cast(is_same(behind), tf.int64)],
            [last + 1],
        )
        starts, ends = (tf.cast(tf.gather(places, part), tf.int32) for part in (first, behind))
        return TokenOffsets(ids, ids.with_flat_values(starts), ids.with_flat_values(ends))
