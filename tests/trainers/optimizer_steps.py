"""A few steps of every optimizer under a strategy; run as a program, under two strategies, whose results it prints."""

import json
import os
import socket
import sys

import keras
import numpy as np
import tensorflow as tf

from tfplm.training_configuration import OptimizerConfig
from trainers.learning_pace import Paces
from trainers.optimizers import build_optimizer

TYPES = ("adamw", "lamb", "lion", "adafactor", "muon")
PACES = Paces(rate_factors={"kernel": 0.5}, first_steps={"bias": 1})
SHAPES = {"embeddings": (5, 3), "kernel": (3, 4), "bias": (4,)}
# Steps by their number, and whether the gradient of each is finite.
FINITE = ((0, True), (1, True), (2, True))
OVERFLOWING = ((0, True), (1, False), (2, True))
CASES = [
    *((optimizer, "mirrored", "float32", False, FINITE) for optimizer in TYPES),
    *((optimizer, "multi_worker", "mixed_float16", True, FINITE) for optimizer in TYPES),
    ("adamw", "mirrored", "float32", True, FINITE),
    ("adamw", "multi_worker", "float32", False, FINITE),
    ("adamw", "mirrored", "mixed_float16", True, OVERFLOWING),
    ("muon", "mirrored", "mixed_float16", False, OVERFLOWING),
    ("lamb", "multi_worker", "mixed_float16", False, OVERFLOWING),
]


def name_of(case: tuple) -> str:
    optimizer, strategy, precision, reduced, given = case
    return "-".join(
        [
            optimizer,
            strategy,
            precision,
            "reduced" if reduced else "shares",
            "finite" if given == FINITE else "overflowing",
        ]
    )


def variables() -> list[keras.Variable]:
    random = np.random.default_rng(0)
    return [keras.Variable(random.normal(size=shape).astype("float32"), name=name) for name, shape in SHAPES.items()]


def steps(strategy, optimizer: str, precision: str, reduced: bool, given: tuple) -> list[list[float]]:
    """Takes the steps, in a graph; returns all weights, the norm of the last gradient and the count of steps.

    Args:
        strategy: on its replicas.
        optimizer: its type.
        precision: with "mixed_float16" the gradients are those of the scaled loss.
        reduced: whether every replica gives the whole gradient, as if summed already, or its share of it.
        given: the steps; where the gradient is not finite, the last replica has infinite numbers in its share.
    """
    with strategy.scope():
        weights = variables()
        config = OptimizerConfig(type=optimizer, learning_rate=0.1, weight_decay=0.1)
        built = build_optimizer(config, 10, precision, gradients_are_reduced=reduced, paces=PACES)
        built.build(weights)

    def step(finite, *gradients):
        replica = tf.distribute.get_replica_context()
        last = replica.num_replicas_in_sync
        number = tf.cast(replica.replica_id_in_sync_group, "float32") + 1.0
        share = 1.0 if reduced else number / (last * (last + 1) / 2)  # unequal, with the sum 1
        bad = tf.where(tf.logical_or(finite, not reduced and number < last), 1.0, np.inf)
        built.apply([built.scale_loss(gradient * share) * bad for gradient in gradients], weights)

    run = tf.function(lambda *arguments: strategy.run(step, arguments))
    for number, finite in given:
        random = np.random.default_rng(1 + number)
        gradients = [tf.constant(random.normal(size=shape).astype("float32")) for shape in SHAPES.values()]
        run(tf.constant(finite), *gradients)
    replicas = [strategy.experimental_local_results(weight.value) for weight in weights]
    assert all(np.array_equal(values[0], other) for values in replicas for other in values), "replicas differ"
    return [w.numpy().ravel().tolist() for w in (*weights, built.gradient_norm, built.iterations)]


def main() -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        worker = f"localhost:{free.getsockname()[1]}"
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": [worker]}, "task": {"type": "worker", "index": 0}})
    cpus = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], cpus)
    strategies = {
        "multi_worker": tf.distribute.MultiWorkerMirroredStrategy(),
        "mirrored": tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
    }
    results = {name_of(case): steps(strategies[case[1]], case[0], *case[2:]) for case in CASES}
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
