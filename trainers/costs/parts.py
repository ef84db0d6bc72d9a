"""What the costs of every family are made of: variables, matrix products, and bytes that are kept."""

import math
from dataclasses import dataclass

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Variable:
    """A weight of a task.

    Args:
        name: the part of the model that it belongs to; what is looked up begins with "embedding/".
        shape: its dimensions.
        is_trained: whether it has a gradient and optimizer state.
    """

    name: str
    shape: tuple[int, ...]
    is_trained: bool = True

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def dense(name: str, inputs: int, outputs: int, use_bias: bool = True, is_trained: bool = True) -> list[Variable]:
    """The weights of a dense layer."""
    kernel, bias = Variable(name, (inputs, outputs), is_trained), Variable(name, (outputs,), is_trained)
    return [kernel, bias] if use_bias else [kernel]


def norm(name: str, width: int, use_bias: bool = True) -> list[Variable]:
    """The weights of a norm: its scale and, of a layer norm, its bias."""
    return [Variable(name, (width,))] * (2 if use_bias else 1)


@dataclass(frozen=True)
class MatrixProduct:
    """(rows, inner) · (inner, columns), ``count`` times in the forward pass of one step.

    Args:
        name: the part of the model that it belongs to.
        rows: of the left matrix and of the result.
        inner: what the sums are over.
        columns: of the right matrix and of the result.
        count: how often.
        is_batched: whether one call computes all of them.
        is_rematerialized: whether rematerialization computes it again.
    """

    name: str
    rows: int
    inner: int
    columns: int
    count: int = 1
    is_batched: bool = False
    is_rematerialized: bool = False

    @property
    def flops(self) -> float:
        """Floating-point operations of all of them: a multiplication and an addition for every inner element."""
        return 2.0 * self.rows * self.inner * self.columns * self.count


@dataclass(frozen=True)
class Activations:
    """Bytes that a body holds beside its weights.

    Args:
        kept: from the forward pass to the backward pass.
        in_work: more of them while the body's gradients are computed, when most of what the logits needed is gone.
    """

    kept: float
    in_work: float = 0.0

    def __add__(self, other: "Activations") -> "Activations":
        return Activations(self.kept + other.kept, max(self.in_work, other.in_work))
