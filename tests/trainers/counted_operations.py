"""Floating-point operations of the training steps of the shipped configurations, counted by JAX: prints JSON.

For every stage: the operations of its matrix products, those in loops as often as they are run, and what XLA's cost
analysis says, which counts elementwise work too, but the body of a loop once. Nothing is compiled or run.
Arguments are the names of stages to leave out.
"""

import json
import math
import os
import sys

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402
import keras  # noqa: E402
from jax.extend.core import jaxprs_in_params  # noqa: E402

from tests.trainers.shipped_stages import ShippedStage, compared_stages, map_specs  # noqa: E402
from tfplm.tasks.vocabulary_scores import _num_chunks  # noqa: E402


def counted(stage: ShippedStage) -> dict[str, float]:
    keras.mixed_precision.set_global_policy(stage.precision)
    task = stage.build_task()
    task.encoder.rematerialize = stage.config.rematerialize
    trained = [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in task.trainable_variables]
    others = [v.value for v in task.non_trainable_variables]

    def loss(values, batch):
        mapping = [*zip(task.trainable_variables, values, strict=True)]
        mapping += [*zip(task.non_trainable_variables, others, strict=True)]
        with keras.StatelessScope(state_mapping=mapping):
            scores = task.score(*batch, training=True)
        return sum(part.sum() for part in scores.losses.values())

    traced = jax.jit(jax.value_and_grad(loss)).trace(trained, map_specs(jax.ShapeDtypeStruct, stage.batch()))
    return {
        "products": products_flops(traced.jaxpr.jaxpr, num_chunks(stage)),
        "cost_analysis": traced.lower().cost_analysis()["flops"],
    }


def num_chunks(stage: ShippedStage) -> int:
    """Of the vocabulary loss."""
    workload = stage.workload
    positions = workload.batch_size * workload.predictions
    return _num_chunks(positions, workload.model.vocabulary_size, workload.positions_per_chunk)


def products_flops(jaxpr, rounds: int) -> float:
    """Of all products; ``rounds`` of the loops whose number JAX does not know, which are over the chunks."""
    total = 0.0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            inner = math.prod(equation.invars[0].aval.shape[axis] for axis in contracted)
            total += 2.0 * inner * math.prod(equation.outvars[0].aval.shape)
        times = {"scan": equation.params.get("length"), "while": rounds}.get(equation.primitive.name, 1)
        total += times * sum(products_flops(inner, rounds) for inner in jaxprs_in_params(equation.params))
    return total


if __name__ == "__main__":
    print(json.dumps({stage.name: counted(stage) for stage in compared_stages(sys.argv[1:])}))
