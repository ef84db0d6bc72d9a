"""Losses of targets among a whole vocabulary."""

from collections.abc import Callable
from typing import NamedTuple

from keras import KerasTensor, ops

from tfplm.tasks.losses import token_cross_entropy


class TokenScores(NamedTuple):
    """Both float32 of the shape of the targets."""

    losses: KerasTensor  # cross-entropy
    is_correct: KerasTensor  # 1 where the target has the largest logit


def score_tokens(
    project: Callable[[KerasTensor], KerasTensor], hidden: KerasTensor, targets: KerasTensor
) -> TokenScores:
    """Compares the targets with the logits of their positions.

    Args:
        project: maps (…, dim) to logits (…, classes) in float32.
        hidden: (…, dim).
        targets: (…) integers.
    """
    logits = project(hidden)
    guesses = ops.cast(ops.argmax(logits, axis=-1), "int32")
    is_correct = ops.cast(ops.equal(guesses, ops.cast(targets, "int32")), "float32")
    return TokenScores(token_cross_entropy(targets, logits), is_correct)
