"""Gradients of a model with dropout on, on either backend."""

import keras
import numpy as np
from keras import ops


def loss_and_gradients(model: keras.Model, inputs: dict) -> tuple[float, list[np.ndarray]]:
    """A squared error of the sequence output, and its gradients; the state of the generators stays."""

    def loss_of(outputs):
        output = outputs["sequence_output"]
        return ops.sum(ops.square(output - np.random.default_rng(7).normal(size=output.shape).astype("float32")))

    values, state = ([v.value for v in group] for group in (model.trainable_variables, model.non_trainable_variables))
    if keras.backend.backend() == "jax":
        import jax

        def stateless(values):
            return loss_of(model.stateless_call(values, state, inputs, training=True)[0])

        loss, gradients = jax.jit(jax.value_and_grad(stateless))(values)
    else:
        import tensorflow as tf

        @tf.function
        def function():
            with tf.GradientTape() as tape:
                loss = loss_of(model(inputs, training=True))
            return loss, [tf.convert_to_tensor(g) for g in tape.gradient(loss, values, unconnected_gradients="zero")]

        before = [value.numpy() for value in state]
        loss, gradients = function()
        for variable, value in zip(state, before, strict=True):
            variable.assign(value)
    return float(loss), [ops.convert_to_numpy(gradient) for gradient in gradients]


def gradients_rematerialized(model: keras.Model, inputs: dict) -> list[np.ndarray]:
    """The gradients with every block computed again, which must be those without that."""
    loss, expected = loss_and_gradients(model, inputs)
    model.rematerialize = True
    same_loss, got = loss_and_gradients(model, inputs)
    np.testing.assert_allclose(same_loss, loss, rtol=1e-6)
    for variable, value, other in zip(model.trainable_variables, got, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-5, atol=1e-5 * np.abs(other).max(), err_msg=variable.path)
    return got
