"""Hugging Face's pipeline alone: rows of ids in memory, shuffled by a DataLoader and masked by its collator."""

import itertools

import numpy as np
import torch
from transformers import BertTokenizerFast, DataCollatorForLanguageModeling

from benchmarks.contender import Measurable
from benchmarks.material import tokenizer_folder
from benchmarks.workload import FIRST_WORD, BertWorkload

_BATCHES = 20  # in one repetition
_ROWS = 10_000


def build(workload: dict, scratch: str) -> Measurable:
    """Takes batches and does nothing with them."""
    bert = BertWorkload(**workload)
    tokenizer = BertTokenizerFast(str(tokenizer_folder(scratch) / "vocab.txt"), do_lower_case=True)
    shape = (_ROWS, bert.sequence_length)
    rows = torch.from_numpy(np.random.default_rng(0).integers(FIRST_WORD, bert.vocabulary_size, shape))
    examples = [{"input_ids": row} for row in rows]
    collate = DataCollatorForLanguageModeling(tokenizer)
    loader = torch.utils.data.DataLoader(examples, bert.batch_size, shuffle=True, collate_fn=collate)

    def run(repetitions: int) -> None:
        epochs = itertools.chain.from_iterable(iter(loader) for _ in itertools.count())
        for _ in itertools.islice(epochs, _BATCHES * repetitions):
            pass

    return Measurable(run, _BATCHES * bert.tokens_per_step)
