"""Scoring any number of rows, some at a time, so that memory does not grow with the text."""

from collections.abc import Callable, Mapping

import tensorflow as tf

from tfplm.answering.answerer import Tensors

_ROWS_AT_ONCE = 64


def score_in_parts(
    score: Callable[[Tensors], Tensors], features: Tensors, shapes: Mapping[str, tuple[int, ...]]
) -> Tensors:
    """What a model says of rows.

    Args:
        score: of some rows.
        features: what it takes; every entry begins with the row axis.
        shapes: of its outputs by name, without the row axis; float32.
    """
    count = tf.shape(next(iter(features.values())))[0]
    num_parts = (count + _ROWS_AT_ONCE - 1) // _ROWS_AT_ONCE
    arrays = [
        tf.TensorArray(tf.float32, num_parts, infer_shape=False, element_shape=[None, *shape])
        for shape in shapes.values()
    ]

    def score_part(part: tf.Tensor, *arrays: tf.TensorArray):
        first = part * _ROWS_AT_ONCE
        scores = score({name: values[first : first + _ROWS_AT_ONCE] for name, values in features.items()})
        written = [array.write(part, scores[name]) for array, name in zip(arrays, shapes, strict=True)]
        return part + 1, *written

    _, *arrays = tf.while_loop(
        lambda part, *_: part < num_parts, score_part, [tf.constant(0), *arrays], parallel_iterations=1
    )
    joined = zip(shapes.items(), arrays, strict=True)
    return {name: tf.ensure_shape(array.concat(), [None, *shape]) for (name, shape), array in joined}
