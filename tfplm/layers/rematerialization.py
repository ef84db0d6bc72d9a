"""Activations that are computed twice rather than kept."""

from collections.abc import Callable, Iterable

import keras
from keras import KerasTensor, ops

from tfplm.layers.dropout import Dropout


def rematerialized(layer: keras.layers.Layer) -> Callable[..., KerasTensor]:
    """The layer's call with only its inputs kept for the gradient: what lies between is computed again from them.

    Costs one more forward pass of the layer. Its randomness has to follow from its arguments, else the second pass
    drops other elements than the first and the gradient is wrong: give `Dropout` row seeds (see `draw_row_seeds`).

    The result takes the layer's arguments: the positional ones float tensors, through which gradients flow; those by
    keyword anything that needs no gradient, ``row_seeds`` and masks and flags.

    Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost".

    Example:
        >>> for block in blocks:
        ...     hidden = rematerialized(block)(hidden, attention_mask=mask, row_seeds=row_seeds, training=True)
    """

    def call(*inputs: KerasTensor, row_seeds: KerasTensor | None = None, **others) -> KerasTensor:
        def compute(*tensors: KerasTensor) -> KerasTensor:
            seeds = {} if row_seeds is None else {"row_seeds": _computed_with(tensors[0], row_seeds)}
            return layer(*tensors, **seeds, **others)

        # TensorFlow loses the gradients of tensors that the function closes over, but not those of variables.
        return keras.remat(compute)(*inputs)

    return call


def _computed_with(hidden: KerasTensor, row_seeds: KerasTensor) -> KerasTensor:
    """The same seeds, but not before ``hidden`` is there.

    What follows from the seeds alone is the same in both passes: TensorFlow would compute the masks of all layers in
    the first pass and keep them.
    """
    first = ops.reshape(hidden, (-1,))[0]
    return row_seeds + ops.cast(ops.isnan(first), "int32")  # 0, or the step is lost and any mask will do


def draw_row_seeds(dropouts: Iterable[Dropout], hidden: KerasTensor) -> KerasTensor | None:
    """Row seeds for layers that are rematerialized, drawn outside of them where the inputs bring none.

    Args:
        dropouts: the first with a rate above 0 lends its generator.
        hidden: (batch, …).

    Returns:
        (batch,) int32, or None where nothing is dropped.
    """
    for dropout in dropouts:
        if dropout.rate > 0.0:
            return keras.random.randint(ops.shape(hidden)[:1], -(2**31), 2**31 - 1, seed=dropout.seed_generator)
    return None
