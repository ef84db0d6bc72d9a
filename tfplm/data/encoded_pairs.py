"""Pairs as token ids, so that they are tokenized once for all epochs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfplm.data.pairs import Pairs, prompts
from tfplm.tokenizers.tokenizer import Tokenizer

COMPLETION_SEPARATOR = "\n"  # tells a decoder that the source has ended

_ENCODE_AT_ONCE = 4096  # texts


@dataclass(frozen=True)
class EncodedPairs:
    """Ids without any special ones, and those that a row is closed with.

    Args:
        sources: int32 arrays, one a pair: the prompts of `pairs.prompts`.
        targets: int32 arrays, one a pair.
        prefix_ids: of the tokenizer.
        end_id: of the tokenizer.
        pad_id: of the tokenizer.
    """

    sources: Sequence[np.ndarray]
    targets: Sequence[np.ndarray]
    prefix_ids: tuple[int, ...]
    end_id: int
    pad_id: int

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.sources)


def encode_pairs(tokenizer: Tokenizer, pairs: Pairs, prefixes: Mapping[str, str], separator: str = "") -> EncodedPairs:
    """Encodes pairs; sources are encoded in one piece with what stands around them, as they are in generation.

    Args:
        tokenizer: any.
        pairs: at least one.
        prefixes: by task.
        separator: behind every source: COMPLETION_SEPARATOR for a decoder, none for an encoder-decoder.

    Raises:
        ValueError: there are no pairs, or a task has no prefix.
    """
    if not len(pairs):
        raise ValueError("got no pairs, expected at least one")
    missing = sorted(set(pairs.tasks) - prefixes.keys())
    if missing:
        raise ValueError(f"got no prefix of the tasks {missing}, expected one for each")
    sources = _encode(tokenizer, prompts(pairs, prefixes, separator))
    targets = _encode(tokenizer, pairs.targets)
    return EncodedPairs(sources, targets, tokenizer.prefix_ids, tokenizer.end_id, tokenizer.pad_id)


def _encode(tokenizer: Tokenizer, texts: list[str]) -> list[np.ndarray]:
    parts = (tokenizer.encode(texts[i : i + _ENCODE_AT_ONCE]) for i in range(0, len(texts), _ENCODE_AT_ONCE))
    return [ids for part in parts for ids in part]
