import keras
import pytest
import tensorflow as tf

from trainers.variable_memory import freed_variables


def built() -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dropout(0.5)])
    model.compile(keras.optimizers.Adam(), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def sizes(model: keras.Model) -> set[int]:
    return {int(tf.size(variable.value)) for variable in model.variables + model.optimizer.variables}


def test_variables_of_the_block_hold_nothing_behind_it_and_others_stay():
    before = built()
    kept = sizes(before)
    with freed_variables():
        inside = built()
        assert 0 not in sizes(inside)
    assert sizes(inside) == {0}
    assert sizes(before) == kept
    assert 0 not in sizes(built())  # Keras's own state is none the worse


def test_variables_are_freed_where_the_block_fails():
    with pytest.raises(KeyboardInterrupt), freed_variables():
        variable = tf.Variable(tf.ones([1000]))
        raise KeyboardInterrupt
    assert int(tf.size(variable)) == 0


def test_settings_stay_as_they_are():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.config.disable_traceback_filtering()
    try:
        with freed_variables():
            assert keras.layers.Dense(1).compute_dtype == "bfloat16"
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
        assert not keras.config.is_traceback_filtering_enabled()
    finally:
        keras.config.enable_traceback_filtering()
        keras.config.set_dtype_policy(policy)
