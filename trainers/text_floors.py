"""What a language model has to beat on the same text: n-grams over its own tokens, and compressors."""

import gzip
import lzma
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tfplm.data.shards import TokenShards
from tfplm.tokenizers.tokenizer import Tokenizer

_NGRAM_TOKENS = 2**23  # of the training text that are counted, at most
_PRIMING_BYTES = 2**23  # of the training text that a compressor has read before, at most
_COMPRESSED_BYTES = 2**24  # of the validation text, at most


def text_floors(train: TokenShards, validation: TokenShards, tokenizer: Tokenizer) -> dict:
    """Figures of the validation text without any neural network, to be read beside the model's.

    - ``unigram``: frequencies of the training tokens, one added to each.
    - ``trigram``: interpolated Kneser-Ney over the training tokens (at most the first 8 M).
    - ``gzip``: level 9, of the validation text alone.
    - ``xz``: preset 6, of the validation text alone.
    - ``xz_primed``: how much longer the compressed text becomes where the validation text stands behind training text
      (at most the first 8 MB), which the compressor may point back into.

    The n-grams predict what the model predicts: every token of a document and its end. Bits a byte need a tokenizer
    that loses nothing; without one there are the n-grams' nats a token only.
    """
    is_lossless = tokenizer.token_bytes is not None
    tokens = _Stream.of(validation, tokenizer)
    seen = _Stream.of(train, tokenizer, _NGRAM_TOKENS)
    num_bytes = int(tokenizer.token_bytes[tokens.predicted].sum()) if is_lossless else 0
    floors = {
        "unigram": _ngram_figures(unigram_nats(seen, tokens, tokenizer.vocabulary_size), num_bytes),
        "trigram": _ngram_figures(trigram_nats(seen, tokens, tokenizer.vocabulary_size), num_bytes)
        | {"training_tokens": len(seen.predicted)},
    }
    if is_lossless:
        text = joined_text(validation, tokenizer, _COMPRESSED_BYTES)
        floors |= compression_floors(joined_text(train, tokenizer, _PRIMING_BYTES), text)
    return floors


def _ngram_figures(nats: np.ndarray, num_bytes: int) -> dict:
    figures = {"nats_per_token": float(nats.mean())}
    return figures | {"bits_per_byte": float(nats.sum() / math.log(2) / num_bytes)} if num_bytes else figures


def document_texts(shards: TokenShards, tokenizer: Tokenizer) -> Iterator[str]:
    """Yields the documents as text; that of the corpus exactly, where the tokenizer loses nothing."""
    starts = shards.document_starts_tokens
    for start, stop in zip(starts[:-1], starts[1:], strict=True):
        yield tokenizer.decode(shards.tokens(int(start), int(stop)))


def joined_text(shards: TokenShards, tokenizer: Tokenizer, max_bytes: int) -> bytes:
    """The first documents, a line break behind each, cut to ``max_bytes``."""
    parts, size = [], 0
    for text in document_texts(shards, tokenizer):
        parts.append(text.encode() + b"\n")
        size += len(parts[-1])
        if size >= max_bytes:
            break
    return b"".join(parts)[:max_bytes]


def compression_floors(train: bytes, text: bytes) -> dict[str, dict]:
    """Bits a byte that gzip and xz need for ``text``; see ``text_floors``."""

    def figures(num_bytes: int) -> dict:
        return {"bits_per_byte": 8 * num_bytes / len(text)}

    primed = len(lzma.compress(train + text)) - len(lzma.compress(train))
    return {
        "gzip": figures(len(gzip.compress(text, compresslevel=9))),
        "xz": figures(len(lzma.compress(text))),
        "xz_primed": figures(primed) | {"training_bytes": len(train)},
    }


@dataclass(frozen=True)
class _Stream:
    """The tokens of documents, each with its end behind it, and the two tokens before every one of them.

    Args:
        predicted: int64 (tokens,).
        before: the token before each; the start of text where the document begins.
        before_that: the token before that one.
    """

    predicted: np.ndarray
    before: np.ndarray
    before_that: np.ndarray

    @classmethod
    def of(cls, shards: TokenShards, tokenizer: Tokenizer, max_tokens: int | None = None) -> "_Stream":
        """All documents, or the first ``max_tokens`` tokens."""
        num_tokens = min(shards.num_tokens, max_tokens or shards.num_tokens)
        starts = shards.document_starts_tokens
        ends = np.minimum(starts[1:][starts[:-1] < num_tokens], num_tokens)
        document = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
        # Two starts before every document, and its end behind it.
        ids = np.full(num_tokens + 3 * len(ends), tokenizer.start_id, np.int64)
        ids[np.arange(num_tokens) + 3 * document + 2] = shards.tokens(0, num_tokens)
        end_places = ends + 3 * np.arange(len(ends)) + 2
        ids[end_places] = tokenizer.end_id
        is_predicted = np.ones(len(ids), bool)
        firsts = np.concatenate([[0], end_places[:-1] + 1]) if len(ends) else np.zeros(0, np.int64)
        is_predicted[firsts] = is_predicted[firsts + 1] = False
        (places,) = np.nonzero(is_predicted)
        return cls(ids[places], ids[places - 1], ids[places - 2])


def unigram_nats(train: _Stream, evaluated: _Stream, vocabulary_size: int) -> np.ndarray:
    """Surprise of every evaluated token, float64 (tokens,), by the frequencies of the training tokens plus one."""
    counts = np.bincount(train.predicted, minlength=vocabulary_size) + 1
    return -np.log(counts / counts.sum())[evaluated.predicted]


def trigram_nats(train: _Stream, evaluated: _Stream, vocabulary_size: int) -> np.ndarray:
    """Surprise of every evaluated token, float64 (tokens,), by an interpolated Kneser-Ney trigram model.

    The lower orders count the different tokens that stood before, not the occurrences; the discount of each order is
    estimated from how many of its n-grams occur once and twice.

    Source: Kneser and Ney 1995, "Improved backing-off for m-gram language modeling"; Chen and Goodman 1999, "An
    empirical study of smoothing techniques for language modeling", section 4.1.6, for the interpolated form.
    """
    size = vocabulary_size
    trigrams, counts = np.unique(_keys(train, size), return_counts=True)
    bigrams, bigram_counts = np.unique(trigrams % size**2, return_counts=True)
    unigrams, unigram_counts = np.unique(bigrams % size, return_counts=True)
    asked = _keys(evaluated, size)
    probabilities = np.full(len(asked), 1.0 / size)
    for grams, of_grams, order in ((unigrams, unigram_counts, 1), (bigrams, bigram_counts, 2), (trigrams, counts, 3)):
        probabilities = _interpolate(grams, of_grams, asked % size**order, size, probabilities)
    return -np.log(probabilities)


def _keys(stream: _Stream, size: int) -> np.ndarray:
    """A number for every trigram, its last token in the lowest digit to the base ``size``."""
    return (stream.before_that * size + stream.before) * size + stream.predicted


def _interpolate(grams: np.ndarray, counts: np.ndarray, asked: np.ndarray, size: int, lower: np.ndarray) -> np.ndarray:
    """Probabilities of the asked n-grams' last tokens from the counts of one order and those of the order below."""
    once, twice = (counts == 1).sum(), (counts == 2).sum()
    discount = float(np.clip(once / max(1, once + 2 * twice), 0.1, 0.95))
    contexts, first = np.unique(grams // size, return_index=True)  # grams are sorted: a context's stand together
    totals, kinds = np.add.reduceat(counts, first), np.diff(first, append=len(grams))
    place = np.minimum(np.searchsorted(contexts, asked // size), len(contexts) - 1)
    is_known = contexts[place] == asked // size
    gram_place = np.minimum(np.searchsorted(grams, asked), len(grams) - 1)
    count = np.where(grams[gram_place] == asked, counts[gram_place], 0)
    own = np.maximum(count - discount, 0.0) / totals[place]
    return np.where(is_known, own + discount * kinds[place] / totals[place] * lower, lower)
