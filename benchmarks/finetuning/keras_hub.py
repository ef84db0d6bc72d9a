"""Fine-tuning by KerasHub: BertTextClassifier on raw strings, with its preprocessor."""

import keras_hub
import numpy as np

from benchmarks.contender import Measurable
from benchmarks.keras_training import adamw, seconds_of_fit, set_precision
from benchmarks.material import labelled_texts, tokenizer_folder
from benchmarks.train_step.keras_hub import backbone
from benchmarks.workload import FinetuningWorkload


def build(workload: dict, precision: str, scratch: str) -> Measurable:
    """Tokenizes and pads in `tf.data` while it trains."""
    finetuning = FinetuningWorkload(**workload)
    set_precision(precision)
    tokenizer = keras_hub.models.BertTokenizer(str(tokenizer_folder(scratch, finetuning) / "vocab.txt"), lowercase=True)
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(tokenizer, finetuning.sequence_length)
    model = keras_hub.models.BertTextClassifier(backbone(finetuning.bert), finetuning.num_classes, preprocessor)
    model.compile(optimizer=adamw(finetuning.bert), jit_compile=False)
    columns, labels = labelled_texts(scratch, finetuning)

    def run(repetitions: int) -> float:
        strings = tuple(np.array(column * repetitions, object) for column in columns)
        strings = strings if len(strings) > 1 else strings[0]
        targets = np.array(labels * repetitions, np.int32)
        return seconds_of_fit(model, strings, targets, batch_size=finetuning.batch_size)

    return Measurable(run, finetuning.num_examples, {"parameters": model.count_params()})
