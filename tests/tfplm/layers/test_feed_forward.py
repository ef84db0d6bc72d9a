import math

import keras
import numpy as np
import pytest
from keras import ops

from tfplm.layers.feed_forward import FeedForward, activate

VALUES = np.linspace(-4, 4, 17).astype("float32")


@pytest.mark.parametrize("training", [False, True])
def test_gelu_is_exact(training):
    expected = [x * 0.5 * (1 + math.erf(x / math.sqrt(2))) for x in VALUES]
    values = activate(ops.convert_to_tensor(VALUES), "gelu", training)
    np.testing.assert_allclose(ops.convert_to_numpy(values), expected, atol=1e-6)


def test_the_gradient_of_gelu_is_that_of_its_formula():
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    slopes = []
    for training in (False, True):
        model = keras.Sequential([layer, keras.layers.Lambda(lambda x, t=training: activate(x, "gelu", t))])
        model.build((None, 1))
        layer.set_weights([np.ones((1, 1), "float32")])
        model.compile(keras.optimizers.SGD(1.0), loss=lambda _, y: ops.sum(y))
        of_values = []
        for value in VALUES:  # d gelu(x w) / d w = x gelu'(x) at w = 1
            layer.set_weights([np.ones((1, 1), "float32")])
            model.train_on_batch(np.full((1, 1), value), np.zeros((1, 1)))
            of_values.append(1.0 - layer.get_weights()[0].item())
        slopes.append(of_values)
    np.testing.assert_allclose(slopes[0], slopes[1], atol=2e-6)


def test_gelu_tanh_follows_the_approximation():
    expected = [0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) for x in VALUES]
    values = activate(ops.convert_to_tensor(VALUES), "gelu_tanh")
    np.testing.assert_allclose(ops.convert_to_numpy(values), expected, atol=1e-6)


@pytest.mark.parametrize("training", [False, True])
def test_gelu_keeps_the_dtype(training):
    output = activate(ops.cast(VALUES, "bfloat16"), "gelu", training)
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"


def test_equals_two_dense_layers_written_out():
    layer = FeedForward(intermediate_dim=8, activation="relu", dropout=0.5)
    hidden = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    output = ops.convert_to_numpy(layer(hidden))
    kernel, bias, output_kernel, output_bias = layer.get_weights()
    np.testing.assert_allclose(output, np.maximum(hidden @ kernel + bias, 0) @ output_kernel + output_bias, atol=1e-5)


def silu(x):
    return x / (1 + np.exp(-x))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@pytest.mark.parametrize(("activation", "nonlinearity"), [("swiglu", silu), ("geglu", gelu_tanh)])
@pytest.mark.parametrize("use_bias", [False, True])
def test_gated_it_equals_three_dense_layers_written_out(activation, nonlinearity, use_bias):
    layer = FeedForward(intermediate_dim=8, activation=activation, use_bias=use_bias)
    random = np.random.default_rng(0)
    hidden = random.normal(size=(2, 3, 4)).astype("float32")
    layer.build(hidden.shape)
    weights = [random.normal(size=weight.shape) for weight in layer.weights]
    layer.set_weights(weights)
    kernel, bias, output_kernel, output_bias = weights if use_bias else (weights[0], 0.0, weights[1], 0.0)
    gate, value = np.split(hidden @ kernel + bias, 2, axis=-1)
    expected = (nonlinearity(gate) * value) @ output_kernel + output_bias
    np.testing.assert_allclose(ops.convert_to_numpy(layer(hidden)), expected, rtol=1e-5, atol=1e-5)


def test_dropout_between_the_layers_acts_in_training_only_and_before_the_second_layer():
    layer = FeedForward(
        6, "relu", kernel_initializer="ones", use_bias=False, residual_initializer="ones", intermediate_dropout=0.5
    )
    hidden = np.ones((500, 4, 1), "float32")
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(hidden)), 6.0)
    dropped = ops.convert_to_numpy(layer(hidden, training=True))
    assert set(dropped.ravel()) == {0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0}  # twice the number of those that are left


def test_each_layer_begins_with_its_own_initializer():
    layer = FeedForward(8, kernel_initializer="ones", residual_initializer="zeros")
    layer.build((None, None, 4))
    assert ops.convert_to_numpy(layer.intermediate.kernel).all()
    assert not ops.convert_to_numpy(layer.output_projection.kernel).any()


def test_unknown_activation_is_an_error():
    with pytest.raises(ValueError, match="swish"):
        FeedForward(8, activation="swish")


def test_config_rebuilds_the_layer():
    layer = FeedForward(8, "swiglu", 0.2, "he_normal", False, "zeros", 0.3)
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert rebuilt.get_config() == layer.get_config()
