"""Fine-tuning by tfplm: every text tokenized once, ahead of the training."""

import numpy as np

from benchmarks.contender import Measurable
from benchmarks.keras_training import set_precision
from benchmarks.material import labelled_paragraphs, tokenizer_folder
from benchmarks.tfplm_training import trainable
from benchmarks.train_step.tfplm import bert_config
from benchmarks.workload import FinetuningWorkload
from tfplm.data.classification import ClassificationBatches, encode_texts
from tfplm.models.bert import Bert
from tfplm.tasks.configuration import TextClassificationConfig
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tokenizers.wordpiece import WordPieceTokenizer


def build(workload: dict, precision: str, scratch: str) -> Measurable:
    """A `TextClassifier` over a `Bert`."""
    finetuning = FinetuningWorkload(**workload)
    set_precision(precision)
    tokenizer = WordPieceTokenizer.load(tokenizer_folder(scratch))
    class_names = [str(number) for number in range(finetuning.num_classes)]
    task = TextClassifier(Bert(bert_config(finetuning.bert)), TextClassificationConfig(), class_names)
    model = trainable(task, finetuning.bert, jit=False)
    texts, labels = labelled_paragraphs(scratch, finetuning.num_examples)

    def run(repetitions: int) -> None:
        token_ids = encode_texts(tokenizer, texts * repetitions, finetuning.sequence_length)
        targets = np.array(labels * repetitions, np.int32)
        weights = np.ones(len(targets), np.float32)
        batches = ClassificationBatches(token_ids, targets, weights, finetuning.batch_size, seed=0)
        dataset = batches.dataset(0, batches.steps_per_epoch)
        model.fit(dataset, steps_per_epoch=batches.steps_per_epoch, shuffle=False, verbose=0)

    return Measurable(run, finetuning.num_examples, {"parameters": task.count_params()})
