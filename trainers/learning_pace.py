"""How fast, and from when on, each layer learns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tfplm.tasks.task import Task
from trainers.layer_depths import task_depths


@dataclass(frozen=True)
class Paces:
    """What single variables have of their own, by their paths; see `trainers.optimizers.GlobalNormClipping`.

    Args:
        rate_factors: what the learning rate is multiplied by.
        first_steps: the number of the first optimizer step, from 0, that moves the variable.
    """

    rate_factors: Mapping[str, float] = field(default_factory=dict)
    first_steps: Mapping[str, int] = field(default_factory=dict)


def paces_by_depth(task: Task, layer_decay: float = 1.0, steps_per_layer: int = 0) -> Paces:
    """Lets lower layers learn more slowly, and later; see `layer_depths` for what stands how low.

    Args:
        task: whose trainable variables are meant.
        layer_decay: factor of the learning rate from a layer to the one below it; the head has the whole rate.
        steps_per_layer: optimizer steps until the next lower layer begins to learn; 0: all learn from the beginning.

    Source: Howard and Ruder 2018, "ULMFiT", sections 3.2 (discriminative fine-tuning) and 3.3 (gradual unfreezing);
    Sun et al. 2019, "How to Fine-Tune BERT for Text Classification?", section 5.3.3, for one factor for all layers.
    """
    depths = task_depths(task)
    low = {weight.path: depths[weight.path] for weight in task.trainable_variables if depths[weight.path]}
    return Paces(
        rate_factors={path: layer_decay**depth for path, depth in low.items()} if layer_decay < 1.0 else {},
        first_steps={path: depth * steps_per_layer for path, depth in low.items()} if steps_per_layer else {},
    )
