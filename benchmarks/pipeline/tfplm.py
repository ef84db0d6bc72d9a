"""tfplm's pretraining pipeline alone: shuffled, packed and masked batches from token shards on disk."""

import tempfile
import time
from pathlib import Path

from benchmarks.contender import Measurable
from benchmarks.material import speeches, tokenizer_folder
from benchmarks.workload import BertWorkload
from tfplm.data.configuration import CorpusConfig, TextSource
from tfplm.data.prepare import prepare_corpus
from tfplm.data.pretraining import pretraining_batches
from tfplm.data.shards import TokenShards
from tfplm.objectives import MaskedLmConfig
from tfplm.progress import Progress
from tfplm.tokenizers.wordpiece import WordPieceTokenizer

_BATCHES = 20  # in one repetition


def build(workload: dict, megabytes: float, scratch: str) -> Measurable:
    """Takes batches and does nothing with them."""
    bert = BertWorkload(**workload)
    tokenizer = WordPieceTokenizer.load(tokenizer_folder(scratch))
    corpus = CorpusConfig(sources=[TextSource(paths=[str(path) for path in speeches(megabytes)])])
    folder = Path(tempfile.mkdtemp(dir=scratch))
    prepare_corpus(corpus, tokenizer, folder, held_out=set(), seed=0, progress=Progress.silent())
    shards = TokenShards.open(folder / "shards/train")
    batches = pretraining_batches(shards, tokenizer, MaskedLmConfig(), bert.sequence_length, bert.batch_size, seed=0)

    def run(repetitions: int) -> float:
        start = time.perf_counter()
        iterator = iter(batches.dataset(0, _BATCHES * repetitions))
        for _ in iterator:
            pass
        return time.perf_counter() - start  # before the iterator is dropped: see seconds_of_fit

    return Measurable(run, _BATCHES * bert.tokens_per_step)
