"""Bytes as tokens: nothing to train, nothing unknown, plain TensorFlow ops."""

from pathlib import Path

import tensorflow as tf

from tfplm.tokenizers.configuration import BytesConfig
from tfplm.tokenizers.folder import read_config, write_settings, write_vocabulary
from tfplm.tokenizers.lossless import SPECIAL_TOKENS, LosslessTokenizer, byte_token


class ByteTokenizer(LosslessTokenizer):
    """Takes every byte of UTF-8 for a token: byte b is id 4 + b, behind padding, end, a reserved id and start.

    Bytes that are not UTF-8 are encoded as they are, and are U+FFFD when they are decoded.

    Source: Xue et al. 2022, "ByT5", section 3.1.

    Args:
        config: how many sentinels there are; none where it is left out.

    Example:
        >>> tokenizer = ByteTokenizer()
        >>> tokenizer.encode(["A中"])[0].tolist()
        [69, 232, 188, 177]
        >>> tokenizer.decode([69, 232, 188, 177])
        'A中'
    """

    unknown_id = None

    def __init__(self, config: BytesConfig | None = None):
        config = config or BytesConfig()
        tokens = [*SPECIAL_TOKENS, *(byte_token(byte) for byte in range(256))]
        texts = [*[b""] * len(SPECIAL_TOKENS), *(bytes([byte]) for byte in range(256))]
        super().__init__(config, tokens, texts, config.num_sentinels)

    def _encode_in_graph(self, texts: tf.Tensor) -> tf.RaggedTensor:
        values = tf.io.decode_raw(tf.strings.reduce_join(texts), tf.uint8)  # (bytes of all texts,)
        ids = tf.cast(values, tf.int32) + len(SPECIAL_TOKENS)
        return tf.RaggedTensor.from_row_lengths(ids, tf.cast(tf.strings.length(texts), tf.int64), validate=False)

    def save(self, folder: str | Path) -> None:
        """Writes ``tokenizer.json``, and ``vocab.txt`` for people."""
        write_settings(Path(folder), self.config)
        write_vocabulary(Path(folder), self.vocabulary)

    @classmethod
    def load(cls, folder: str | Path) -> "ByteTokenizer":
        """Reads what ``save`` wrote. Raises UserError when it is missing, damaged or of another version."""
        return cls(read_config(Path(folder), BytesConfig))
