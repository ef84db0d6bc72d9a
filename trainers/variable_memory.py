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
    well, since a variable of the block may be in it, but for the settings that people make.
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
        _clear_session()
        for handle, dtype in made:
            nothing = tf.zeros([0], dtype)
            tf.raw_ops.AssignVariableOp(resource=handle, value=nothing, validate_shape=False)


def _clear_session() -> None:
    """`keras.utils.clear_session`, which would forget the precision and how Keras speaks, too."""
    policy = keras.config.dtype_policy()
    speaks, filters = keras.config.is_interactive_logging_enabled(), keras.config.is_traceback_filtering_enabled()
    keras.utils.clear_session()
    keras.config.set_dtype_policy(policy)
    (keras.config.enable_interactive_logging if speaks else keras.config.disable_interactive_logging)()
    (keras.config.enable_traceback_filtering if filters else keras.config.disable_traceback_filtering)()
