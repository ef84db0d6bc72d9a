"""Graphs on either backend."""

from collections.abc import Callable

import keras


def compiled(function: Callable, jit_compile: bool = True) -> Callable:
    """A graph of it, on TensorFlow by XLA or not."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=jit_compile)


def quickest(function: Callable) -> Callable:
    """The function as its first calls take the least time: JAX compiles every op of new shapes, and a loop anew."""
    return compiled(function) if keras.backend.backend() == "jax" else function
