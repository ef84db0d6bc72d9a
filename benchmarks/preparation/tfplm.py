"""Preparation by tfplm: read, cleaned, split into sentences, encoded, written as token shards."""

import itertools
from pathlib import Path

from benchmarks.contender import Measurable
from benchmarks.material import size_in_megabytes, speeches, tokenizer_folder
from tfplm.data.configuration import CorpusConfig, TextSource
from tfplm.data.prepare import prepare_corpus
from tfplm.progress import Progress
from tfplm.tokenizers.wordpiece import WordPieceTokenizer


def build(megabytes: float, scratch: str) -> Measurable:
    """`prepare_corpus`, all of it."""
    tokenizer = WordPieceTokenizer.load(tokenizer_folder(scratch))
    paths = speeches(megabytes)
    corpus = CorpusConfig(sources=[TextSource(paths=[str(path) for path in paths])])
    folders = (Path(scratch) / f"prepared-{number}" for number in itertools.count())

    def run(repetitions: int) -> None:
        for _ in range(repetitions):
            prepare_corpus(corpus, tokenizer, next(folders), held_out=set(), seed=0, progress=Progress.silent())

    return Measurable(run, size_in_megabytes(paths))
