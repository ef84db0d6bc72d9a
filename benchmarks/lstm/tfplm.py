"""The LSTM classifier of tfplm."""

import numpy as np

from benchmarks.contender import Measurable
from benchmarks.keras_training import fit_again_and_again, set_precision
from benchmarks.tfplm_training import trainable
from benchmarks.workload import LstmWorkload, row_seeds
from tfplm import feature_names as names
from tfplm.models.configuration import LstmConfig
from tfplm.models.lstm import Lstm
from tfplm.tasks.configuration import TextClassificationConfig
from tfplm.tasks.text_classification import TextClassifier


def build(workload: dict, precision: str, jit: bool) -> Measurable:
    """A `TextClassifier` over an `Lstm`."""
    lstm = LstmWorkload(**workload)
    set_precision(precision)
    encoder = Lstm(
        LstmConfig(
            vocabulary_size=lstm.vocabulary_size,
            embedding_dim=lstm.embedding_dim,
            hidden_dim=lstm.hidden_dim,
            max_sequence_length=lstm.sequence_length,
            dropout=lstm.dropout,
            pooling="max",
        )
    )
    class_names = [str(number) for number in range(lstm.num_classes)]
    task = TextClassifier(encoder, TextClassificationConfig(dropout=lstm.head_dropout), class_names)
    model = trainable(task, lstm, jit)
    batches = lstm.batches()
    features = {names.TOKEN_IDS: batches["token_ids"], names.ROW_SEEDS: row_seeds(*batches["labels"].shape)}
    weights = np.ones(batches["labels"].shape, np.float32)
    run = fit_again_and_again(model, (features, batches["labels"], weights))
    return Measurable(run, lstm.tokens_per_step, {"parameters": task.count_params()})
