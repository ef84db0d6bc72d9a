import keras
import numpy as np
import pytest
from keras import ops

from tfplm.layers.dropout import Dropout
from tfplm.layers.rematerialization import draw_row_seeds, rematerialized
from tfplm.layers.transformer_block import TransformerBlock

RANDOM = np.random.default_rng(0)
HIDDEN = RANDOM.normal(size=(3, 6, 8)).astype("float32")
BIAS = RANDOM.normal(size=(3, 1, 6, 6)).astype("float32")
ROW_SEEDS = np.array([3, -5, 8], "int32")


def built_block() -> TransformerBlock:
    block = TransformerBlock(num_heads=2, intermediate_dim=16, dropout=0.3, attention_dropout=0.3)
    block.build(HIDDEN.shape)
    return block


def twice(block: TransformerBlock, rematerialize: bool):
    """The block applied two times, as a function of hidden states and attention bias."""
    call = rematerialized(block) if rematerialize else block

    def apply(hidden, bias):
        for _ in range(2):
            hidden = call(hidden, bias, row_seeds=ROW_SEEDS, training=True)
        return ops.sum(ops.square(hidden - HIDDEN[::-1]))

    return apply


def loss_and_gradients(block: TransformerBlock, loss_of, jit_compile: bool) -> list[np.ndarray]:
    """The loss, its gradients to hidden states and bias, and those of the block's variables."""
    inputs = [ops.convert_to_tensor(HIDDEN), ops.convert_to_tensor(BIAS)]
    if keras.backend.backend() == "jax":
        import jax

        def stateless(inputs, values):
            with keras.StatelessScope(zip(block.trainable_variables, values, strict=True)):
                return loss_of(*inputs)

        function = jax.value_and_grad(stateless, (0, 1))
        function = jax.jit(function) if jit_compile else function
        loss, gradients = function(inputs, [variable.value for variable in block.trainable_variables])
        gradients = jax.tree.leaves(gradients)
    else:
        loss, gradients = tensorflow_function(block, loss_of, jit_compile)(*inputs)
    return [ops.convert_to_numpy(value) for value in (loss, *gradients)]


def tensorflow_function(block, loss_of, jit_compile):
    import tensorflow as tf

    @tf.function(jit_compile=jit_compile)
    def function(*inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = loss_of(*inputs)
        return loss, tape.gradient(loss, [*inputs, *(v.value for v in block.trainable_variables)])

    return function


@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradients_are_those_of_the_layer_with_dropout_on(jit_compile):
    block = built_block()
    expected = loss_and_gradients(block, twice(block, rematerialize=False), jit_compile)
    got = loss_and_gradients(block, twice(block, rematerialize=True), jit_compile)
    assert len(got) == 3 + 12
    for value, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


def test_xla_does_not_undo_it():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("JAX guards it by barriers of its own")
    block = built_block()

    def num_products(rematerialize: bool) -> int:
        function = tensorflow_function(block, twice(block, rematerialize), jit_compile=True)
        compiled = function.experimental_get_compiler_ir(ops.convert_to_tensor(HIDDEN), ops.convert_to_tensor(BIAS))
        return compiled(stage="optimized_hlo").count(" dot(")

    kept, recomputed = num_products(False), num_products(True)
    assert kept >= 2 * 18  # in each block six products, and two for the gradients of each
    assert recomputed >= kept + 2 * 5  # all but the last, whose result nothing in the backward pass needs


def test_drawn_row_seeds_differ_from_row_to_row_and_call_to_call():
    dropouts = [Dropout(0.0), Dropout(0.1, seed=1)]
    first, second = (ops.convert_to_numpy(draw_row_seeds(dropouts, ops.zeros((50, 4)))) for _ in range(2))
    assert first.dtype == np.int32
    assert len({*first, *second}) == 100


def test_nothing_is_drawn_where_nothing_is_dropped():
    assert draw_row_seeds([Dropout(0.0)], ops.zeros((5, 4))) is None
