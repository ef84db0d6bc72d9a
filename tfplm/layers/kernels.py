"""Elementwise work that can be compiled as one piece where the rest of a step is not.

On a CPU TensorFlow's own matrix products are faster than XLA's, while a chain of elementwise operations is faster when
XLA makes one loop of it. The training engine therefore lends its compiler to the functions marked here when it does not
compile the whole step. Layers use ``keras.ops`` only and know no compiler.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Compiler = Callable[[Callable], Callable]

_compiler: ContextVar[Compiler | None] = ContextVar("compiler", default=None)


@contextlib.contextmanager
def compiled_kernels(compiler: Compiler | None) -> Iterator[None]:
    """Within the block functions marked as `kernel` run as ``compiler`` gives them back; None changes nothing."""
    token = _compiler.set(compiler)
    try:
        yield
    finally:
        _compiler.reset(token)


def kernel(function: Callable) -> Callable:
    """Marks a function of tensors, and of static numbers, strings and tuples, that touches each element alone."""

    @functools.wraps(function)
    def call(*arguments):
        compiler = _compiler.get()
        return function(*arguments) if compiler is None else compiler(function)(*arguments)

    return call
