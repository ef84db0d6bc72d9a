"""Preparation with Hugging Face's ``tokenizers``, as ``datasets.map(batched=True)`` calls it; its threads are on."""

import itertools
from pathlib import Path

import numpy as np
from tokenizers import BertWordPieceTokenizer

from benchmarks.contender import Measurable
from benchmarks.material import size_in_megabytes, speeches, tokenizer_folder

_LINES_A_BATCH = 1000  # as in datasets


def build(megabytes: float, scratch: str) -> Measurable:
    """Reads lines, encodes a thousand at once, writes the ids of a file as one array."""
    tokenizer = BertWordPieceTokenizer(str(tokenizer_folder(scratch) / "vocab.txt"), lowercase=True)
    paths = speeches(megabytes)
    written = Path(scratch) / "tokenizers.npy"

    def run(repetitions: int) -> None:
        for path in paths * repetitions:
            lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line]
            starts = range(0, len(lines), _LINES_A_BATCH)
            encoded = (tokenizer.encode_batch(lines[i : i + _LINES_A_BATCH], add_special_tokens=False) for i in starts)
            ids = [encoding.ids for encoding in itertools.chain.from_iterable(encoded)]
            np.save(written, np.fromiter(itertools.chain.from_iterable(ids), np.uint16))

    return Measurable(run, size_in_megabytes(paths))
