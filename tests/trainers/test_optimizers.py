import keras
import numpy as np
import pytest

from tfplm.experiment import OptimizerConfig
from trainers.optimizers import AdamW, build_optimizer


def variables():
    return [
        keras.Variable(np.ones((3, 2), "float32"), name="kernel"),
        keras.Variable(np.ones(2, "float32"), name="bias"),
    ]


def test_only_matrices_decay():
    kernel, bias = variables()
    optimizer = AdamW(learning_rate=0.1, weight_decay=0.5)
    optimizer.apply([np.zeros((3, 2), "float32"), np.zeros(2, "float32")], [kernel, bias])
    np.testing.assert_allclose(kernel.numpy(), 1 - 0.1 * 0.5)
    np.testing.assert_allclose(bias.numpy(), 1.0)


def test_the_norm_over_all_gradients_is_kept_and_clipped():
    gradients = [np.full((3, 2), 2.0, "float32"), np.full(2, 2.0, "float32")]
    kernel, bias = variables()
    optimizer = AdamW(learning_rate=0.1, beta_1=0.0, beta_2=0.0, epsilon=1.0, clip_to_norm=1.0)
    optimizer.apply(gradients, [kernel, bias])
    norm = np.sqrt(8 * 4.0)
    assert float(optimizer.gradient_norm) == pytest.approx(norm)
    clipped = 2.0 / norm
    # Without momentum the step is g / (|g| + epsilon), and weight decay is Keras's default of this argument.
    expected = 1 - 0.1 * optimizer.weight_decay * 0 - 0.1 * clipped / (clipped + 1.0)
    np.testing.assert_allclose(bias.numpy(), expected, rtol=1e-5)


def test_a_gradient_within_the_norm_is_left_alone():
    results = []
    for clip in (None, 100.0):
        kernel, bias = variables()
        optimizer = AdamW(learning_rate=0.1, clip_to_norm=clip)
        optimizer.apply([np.full((3, 2), 0.5, "float32"), np.full(2, 0.5, "float32")], [kernel, bias])
        results.append((kernel.numpy(), bias.numpy()))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("jit_compile", [False, True])
def test_fit_trains_with_it_compiled_or_not(jit_compile):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Embedding(10, 4), keras.layers.Flatten(), keras.layers.Dense(1)])
    optimizer = build_optimizer(OptimizerConfig(learning_rate=0.05), total_steps=60)
    model.compile(optimizer=optimizer, loss="mse", jit_compile=jit_compile)
    x = np.arange(80).reshape(40, 2) % 10
    y = x.sum(axis=1, keepdims=True) / 10
    history = model.fit(x, y, batch_size=20, epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.1 * history[0]
    assert float(model.optimizer.gradient_norm) > 0
