"""A large matrix product by TensorFlow: its own kernels, or compiled by XLA."""

import tensorflow as tf

from benchmarks.contender import Measurable


def build(size: int, precision: str, jit: bool, operations_per_unit: float) -> Measurable:
    """Products of two square matrices; the result is used so that no product can be left out."""
    dtype = {"float32": tf.float32, "bfloat16": tf.bfloat16}[precision]
    left, right = (tf.cast(tf.random.stateless_normal((size, size), (0, seed)), dtype) for seed in (0, 1))
    product = tf.function(tf.matmul, jit_compile=jit)

    def run(repetitions: int) -> None:
        for _ in range(repetitions):
            result = product(left, right)
        result.numpy()

    return Measurable(run, 2 * size**3 / operations_per_unit)
