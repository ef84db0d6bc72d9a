"""The LSTM classifier as one writes it in plain Keras."""

import keras

from benchmarks.contender import Measurable
from benchmarks.keras_training import adamw, fit_again_and_again, set_precision
from benchmarks.workload import LstmWorkload


def build(workload: dict, precision: str, jit: bool) -> Measurable:
    """A `Sequential` of Keras's own layers, padding masked."""
    lstm = LstmWorkload(**workload)
    set_precision(precision)
    model = keras.Sequential(
        [
            keras.Input((lstm.sequence_length,), dtype="int32"),
            keras.layers.Embedding(lstm.vocabulary_size, lstm.embedding_dim, mask_zero=True),
            keras.layers.Dropout(lstm.dropout),
            keras.layers.Bidirectional(keras.layers.LSTM(lstm.hidden_dim, return_sequences=True)),
            keras.layers.GlobalMaxPooling1D(),
            keras.layers.Dropout(lstm.head_dropout),
            keras.layers.Dense(lstm.num_classes, dtype="float32"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(adamw(lstm), loss, weighted_metrics=["accuracy"], jit_compile=jit)
    batches = lstm.batches()
    run = fit_again_and_again(model, (batches["token_ids"], batches["labels"]))
    return Measurable(run, lstm.tokens_per_step, {"parameters": model.count_params()})
