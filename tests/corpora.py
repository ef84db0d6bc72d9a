"""A small made-up corpus as shards, for the tests of the pretraining pipelines."""

from pathlib import Path

import numpy as np

from tfplm.data.shards import ShardWriter, TokenShards
from tfplm.tokenizers.bytes import ByteTokenizer
from tfplm.tokenizers.configuration import BytesConfig, WordPieceConfig
from tfplm.tokenizers.wordpiece import WordPieceTokenizer

WORDS = [f"w{i}" for i in range(40)] + [f"##s{i}" for i in range(10)]
FIRST_WORD = 5  # behind the special tokens


def tiny_tokenizer() -> WordPieceTokenizer:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    return WordPieceTokenizer(vocabulary, WordPieceConfig(vocabulary_size=len(vocabulary)))


def sentinel_tokenizer(num_sentinels: int = 100) -> ByteTokenizer:
    return ByteTokenizer(BytesConfig(num_sentinels=num_sentinels))


def numbered_shards(folder: Path, *lengths: int) -> TokenShards:
    """Documents of these lengths in several shards; the ids go on from 5 to 254 and begin again."""
    ids = 5 + np.arange(sum(lengths)) % 250
    writer = ShardWriter(folder, np.uint16, tokens_per_shard=40)
    writer.add_documents(ids, np.array(lengths), 1 + np.arange(len(lengths)))
    writer.close()
    return TokenShards.open(folder)


def write_shards(folder: Path, documents: list[list[list[int]]]) -> TokenShards:
    """Shards of documents, each a list of sentences, each a list of token ids."""
    sentences = [sentence for document in documents for sentence in document]
    writer = ShardWriter(folder, np.uint16)
    writer.add_documents(
        np.concatenate(sentences),
        np.array([len(sentence) for sentence in sentences]),
        np.cumsum([len(document) for document in documents]),
    )
    writer.close()
    return TokenShards.open(folder)


def random_shards(folder: Path, num_documents: int, seed: int = 0) -> TokenShards:
    """Documents of 1 to 8 sentences of 2 to 11 words; a word's id is of its document, modulo the vocabulary."""
    rng = np.random.default_rng(seed)
    documents = [
        [[FIRST_WORD + d % len(WORDS)] * int(rng.integers(2, 12)) for _ in range(rng.integers(1, 9))]
        for d in range(num_documents)
    ]
    return write_shards(folder, documents)
