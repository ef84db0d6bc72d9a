"""Weights that stay as they were pretrained."""

from typing import Literal

from tfplm.errors import UserError
from tfplm.tasks.task import Task
from trainers.layer_depths import layer_depths


def freeze(task: Task, part: Literal["none", "embeddings", "encoder"]) -> None:
    """Takes a part of the encoder out of the trainable variables.

    Args:
        task: whose encoder is meant.
        part: "embeddings" are what `layer_depths` puts below the lowest layer; "encoder" is everything but the head.

    Raises:
        UserError: nothing is left to be trained but biases; the head's matrix is the encoder's own.
    """
    if part == "none":
        return
    depths = layer_depths(task.encoder)
    lowest = max(depths.values())
    for weight in task.encoder.weights:
        if part == "encoder" or depths[weight.path] == lowest:
            weight.trainable = False
    if all(len(weight.shape) < 2 for weight in task.trainable_variables):
        raise UserError(
            f"freeze: {part} leaves nothing to be learned: the head of the {task.encoder.config.type} model, which "
            "writes, is its token embedding.",
            remedy="Set freeze: none, or train adapters with lora.",
        )
