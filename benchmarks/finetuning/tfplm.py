"""Fine-tuning by tfplm: every text tokenized ahead of the training; a row holds one text, or several."""

import time

import numpy as np

from benchmarks.contender import Measurable
from benchmarks.keras_training import seconds_of_fit, set_precision
from benchmarks.material import labelled_texts, tokenizer_folder
from benchmarks.tfplm_training import trainable
from benchmarks.train_step.tfplm import bert_config
from benchmarks.workload import FinetuningWorkload
from tfplm import feature_names as names
from tfplm.answering.answer_names import TEXT, TEXT_PAIR
from tfplm.answering.registry import answerer_for
from tfplm.data.batches import BatchSource
from tfplm.data.example_batches import ExampleBatches, ExampleRows, PackedExampleBatches, row_lengths
from tfplm.models.bert import Bert
from tfplm.tasks.configuration import TextClassificationConfig
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tokenizers.wordpiece import WordPieceTokenizer
from trainers.task_kinds.task_kind import encode_rows


def build(workload: dict, precision: str, scratch: str, packed: bool) -> Measurable:
    """A `TextClassifier` over a `Bert`; a step takes as many examples, packed or not."""
    finetuning = FinetuningWorkload(**workload)
    set_precision(precision)
    tokenizer = WordPieceTokenizer.load(tokenizer_folder(scratch, finetuning))
    class_names = [str(number) for number in range(finetuning.num_classes)]
    task = TextClassifier(Bert(bert_config(finetuning.bert)), TextClassificationConfig(), class_names)
    model = trainable(task, finetuning.bert, jit=False)
    columns, labels = labelled_texts(scratch, finetuning)
    texts = dict(zip((TEXT, TEXT_PAIR), columns, strict=False))
    answerer = answerer_for(task, tokenizer, finetuning.sequence_length, tuple(texts))

    def batches() -> BatchSource:
        features = encode_rows(answerer, texts)
        targets, weights = np.array(labels, np.int32), np.ones(len(labels), np.float32)
        lengths = row_lengths(features[names.TOKEN_IDS], tokenizer.pad_id)
        rows = ExampleRows(features, targets, weights, lengths)
        if not packed:
            return ExampleBatches(rows, finetuning.batch_size, seed=0)
        num_rows = max(1, round(finetuning.batch_size * lengths.mean() / finetuning.sequence_length))
        return PackedExampleBatches(rows, num_rows, seed=0)

    def run(repetitions: int) -> float:
        seconds = 0.0
        for _ in range(repetitions):
            start = time.perf_counter()
            epoch = batches()
            steps = epoch.steps_per_epoch
            dataset = epoch.dataset(0, steps)
            seconds += time.perf_counter() - start
            seconds += seconds_of_fit(model, dataset, steps_per_epoch=steps)
        return seconds

    return Measurable(run, finetuning.num_examples, {"parameters": task.count_params()})
