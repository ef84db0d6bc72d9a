"""Keras models trained by ``fit`` on batches that lie in memory: Keras, KerasHub and tfplm alike."""

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


def fit_again_and_again(model: keras.Model, batches: Any) -> Callable[[int], object]:
    """Runs so many steps of ``fit`` on the batches (count, batch, …), which come round and round."""
    dataset = tf.data.Dataset.from_tensor_slices(batches).cache().repeat().prefetch(2)
    return lambda steps: model.fit(dataset, steps_per_epoch=steps, shuffle=False, verbose=0)
