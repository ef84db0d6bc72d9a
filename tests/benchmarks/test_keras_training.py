import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks.keras_training import seconds_of_fit


class Linger(keras.callbacks.Callback):
    """Stands for what may hold `fit` up when the last step is done."""

    def on_epoch_end(self, epoch, logs=None):
        time.sleep(0.5)


def test_clock_stops_with_the_last_step():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    dataset = tf.data.Dataset.from_tensors((np.ones((4, 2)), np.ones((4, 1)))).repeat()
    fit = model.fit
    model.fit = lambda *arguments, callbacks, **options: fit(*arguments, callbacks=[*callbacks, Linger()], **options)
    seconds_of_fit(model, dataset, steps_per_epoch=1)  # traces
    start = time.perf_counter()
    counted = seconds_of_fit(model, dataset, steps_per_epoch=3)
    assert 0 < counted <= time.perf_counter() - start - 0.5
