import keras
import numpy as np
import pytest
import tensorflow as tf

from trainers.variable_memory import freed_variables


def fitted() -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dropout(0.5)])
    model.compile(keras.optimizers.Adam(), "mse", jit_compile=False)
    model.fit(np.ones((8, 4)), np.ones((8, 3)), verbose=0)
    return model


def sizes(model: keras.Model) -> set[int]:
    return {int(tf.size(variable.value)) for variable in model.variables + model.optimizer.variables}


def test_variables_of_the_block_hold_nothing_behind_it_and_others_stay():
    before = fitted()
    kept = sizes(before)
    with freed_variables():
        inside = fitted()
        assert 0 not in sizes(inside)
    assert sizes(inside) == {0}
    assert sizes(before) == kept
    fitted()  # the next model is none the worse


def test_variables_are_freed_where_the_block_fails():
    with pytest.raises(KeyboardInterrupt), freed_variables():
        variable = tf.Variable(tf.ones([1000]))
        raise KeyboardInterrupt
    assert int(tf.size(variable)) == 0
