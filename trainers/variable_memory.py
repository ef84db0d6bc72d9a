"""Giving back the memory of models that are done with, where many are trained in one process."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf


@contextlib.contextmanager
def freed_variables() -> Iterator[None]:
    """Empties every variable that the ``with`` block makes when it ends; no model of the block can be used behind it.

    TensorFlow 2.21 keeps the graphs of functions whose owner is gone, with the handles of weights and optimizer states
    in them: without this, every training of a process holds its memory, on the GPU too. Keras's global state goes as
    well, since a variable of the block may be in it.
    """
    made: list[tuple[tf.Tensor, tf.DType]] = []

    def remember(next_creator: Any, **arguments: Any) -> tf.Variable:
        variable = next_creator(**arguments)
        made.append((variable.handle, variable.dtype))
        return variable

    try:
        with tf.variable_creator_scope(remember):
            yield
    finally:
        keras.utils.clear_session()
        for handle, dtype in made:
            nothing = tf.zeros([0], dtype)
            tf.raw_ops.AssignVariableOp(resource=handle, value=nothing, validate_shape=False)
