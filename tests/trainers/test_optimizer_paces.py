"""Variables with learning rates and first steps of their own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainers.optimizer_steps import TYPES
from tfplm.training_configuration import OptimizerConfig
from trainers.learning_pace import Paces
from trainers.optimizers import AdamW, build_optimizer

SHAPES = {"embeddings": (5, 3), "kernel": (3, 4), "bias": (4,)}
STEPS = 4


def config(optimizer: str, learning_rate: float = 0.1) -> OptimizerConfig:
    """Without what goes over all variables: the clipping."""
    return OptimizerConfig(
        type=optimizer, learning_rate=learning_rate, weight_decay=0.1, schedule="linear", global_clipnorm=None
    )


def initial_weights() -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {name: random.normal(size=shape).astype("float32") for name, shape in SHAPES.items()}


def weights_after_steps(
    optimizer: keras.optimizers.Optimizer, names=SHAPES, jit_compile: bool = False, steps: int = STEPS
) -> list[dict[str, np.ndarray]]:
    """The weights after every step, by name; every step gives each variable the same gradient in every run."""
    random = np.random.default_rng(0)
    weights = {name: keras.Variable(value, name=name) for name, value in initial_weights().items()}
    chosen = [weights[name] for name in names]
    optimizer.build(chosen)
    step = tf.function(lambda *gradients: optimizer.apply(gradients), jit_compile=jit_compile)
    after = []
    for _ in range(steps):
        gradients = {name: tf.constant(random.normal(size=shape).astype("float32")) for name, shape in SHAPES.items()}
        step(*(gradients[name] for name in names))
        after.append({name: weights[name].numpy() for name in names})
    assert step.experimental_get_tracing_count() == 1
    return after


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("optimizer", TYPES)
def test_a_factor_makes_the_steps_of_an_optimizer_with_that_learning_rate(optimizer, jit_compile):
    paces = Paces(rate_factors={"embeddings": 0.25, "bias": 0.5})
    found = weights_after_steps(build_optimizer(config(optimizer), STEPS, paces=paces), jit_compile=jit_compile)[-1]
    for name, factor in {"embeddings": 0.25, "kernel": 1.0, "bias": 0.5}.items():
        alone = build_optimizer(config(optimizer, 0.1 * factor), STEPS)
        np.testing.assert_allclose(
            found[name], weights_after_steps(alone, [name])[-1][name], rtol=1e-5, atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
@pytest.mark.parametrize("optimizer", TYPES)
def test_a_variable_stays_as_it_is_to_the_bit_before_its_first_step(optimizer, precision):
    paces = Paces(first_steps={"embeddings": 2, "bias": 3})
    built = build_optimizer(config(optimizer), STEPS, precision, paces=paces)
    before, moved = initial_weights(), []
    for weights in weights_after_steps(built):
        moved.append({name for name in SHAPES if not np.array_equal(weights[name], before[name])})
        before = weights
    assert moved == [{"kernel"}, {"kernel"}, {"kernel", "embeddings"}, {"kernel", "embeddings", "bias"}]


@pytest.mark.parametrize("optimizer", TYPES)
def test_without_paces_and_beside_them_the_steps_are_the_same_to_the_bit(optimizer):
    plain = weights_after_steps(build_optimizer(config(optimizer), STEPS))[-1]
    paces = Paces(rate_factors={"embeddings": 0.5}, first_steps={"bias": 1})
    paced = weights_after_steps(build_optimizer(config(optimizer), STEPS, paces=paces))[-1]
    np.testing.assert_array_equal(plain["kernel"], paced["kernel"])


def test_nothing_is_computed_for_paces_that_are_not_there():
    def operations(**paces) -> int:
        kernel = keras.Variable(np.ones((3, 4), "float32"), name="kernel")
        optimizer = AdamW(0.1, weight_decay=0.1, **paces)
        optimizer.build([kernel])
        step = tf.function(lambda gradient: optimizer.apply([gradient]))
        return len(step.get_concrete_function(tf.TensorSpec((3, 4))).graph.get_operations())

    without = operations()
    assert operations(rate_factors={}, first_steps={}) == operations(rate_factors={"kernel": 1.0}) == without
    assert operations(rate_factors={"kernel": 0.5}) > without


def test_its_configuration_keeps_the_paces():
    built = build_optimizer(config("adamw"), 10, paces=Paces(rate_factors={"kernel": 0.5}, first_steps={"kernel": 3}))
    again = keras.optimizers.deserialize(keras.optimizers.serialize(built))
    assert again.get_config() == built.get_config()
    assert (again.rate_factors, again.first_steps) == ({"kernel": 0.5}, {"kernel": 3})


def test_a_pace_of_a_variable_that_is_not_trained_is_refused():
    with pytest.raises(ValueError, match="kernal"):
        AdamW(0.1, rate_factors={"kernal": 0.5}).build([keras.Variable(np.ones(3), name="kernel")])
