"""The one place of the models' side that knows the backend's compiler."""

from collections.abc import Callable, Sequence
from typing import Any

import keras


def compiled(function: Callable, variables: Sequence[keras.Variable], jit_compile: bool | str = "auto") -> Callable:
    """Gives back ``function`` as one compiled computation, which follows the variables when their values change.

    It is traced anew for every new set of shapes and dtypes of its arguments.

    Args:
        function: of nested tensors, without side effects.
        variables: all that it reads.
        jit_compile: whether XLA compiles it; "auto" does. Under TensorFlow, False leaves it a graph. A decoding step is
            many small operations, and two to three times as fast when XLA fuses them, on a CPU too. JAX always does.
    """
    if keras.backend.backend() == "jax":
        return _compiled_by_jax(function, variables)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=jit_compile in ("auto", True), autograph=False)
    return function


def _compiled_by_jax(function: Callable, variables: Sequence[keras.Variable]) -> Callable:
    import jax

    def of_values(values: list, *arguments: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return function(*arguments)

    compiled_function = jax.jit(of_values)
    return lambda *arguments: compiled_function([variable.value for variable in variables], *arguments)
