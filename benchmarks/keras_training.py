"""Keras models trained by ``fit`` on batches that lie in memory: Keras, KerasHub and tfplm alike."""

import time
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from benchmarks.workload import BertWorkload, LstmWorkload

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def set_precision(precision: str) -> None:
    keras.config.set_dtype_policy(POLICIES[precision])


def adamw(workload: BertWorkload | LstmWorkload) -> keras.optimizers.AdamW:
    """Keras's own AdamW with the workload's settings."""
    return keras.optimizers.AdamW(
        workload.learning_rate, weight_decay=workload.weight_decay, global_clipnorm=workload.clip_norm
    )


class _LastStep(keras.callbacks.Callback):
    """Remembers when the last step ended."""

    def on_train_batch_end(self, batch, logs=None):
        self.time = time.perf_counter()


def seconds_of_fit(model: keras.Model, *arguments: Any, **options: Any) -> float:
    """Fits, and returns the seconds from the call to the end of the last step.

    What follows is left out, for every contender alike: when `fit` drops its iterator, tf.data's autotuning thread at
    times misses that it is to end, and is waited for until it wakes by itself, 10 ms · (2**k - 1) after it began. Seen
    with TensorFlow 2.20 and 2.21: up to as long again as the training itself.
    """
    last_step, start = _LastStep(), time.perf_counter()
    model.fit(*arguments, callbacks=[last_step], shuffle=False, verbose=0, **options)
    return last_step.time - start


def fit_again_and_again(model: keras.Model, batches: Any) -> Callable[[int], float]:
    """Runs so many steps of ``fit`` on the batches (count, batch, …), which come round and round."""
    dataset = tf.data.Dataset.from_tensor_slices(batches).cache().repeat().prefetch(2)
    return lambda steps: seconds_of_fit(model, dataset, steps_per_epoch=steps)
