import numpy as np
import pytest
import tensorflow as tf

from tests.trainers.small_tasks import batch_of, small_task, small_writer, train, training_model
from tfplm.errors import UserError
from trainers.freezing import freeze

PRODUCTS = ("MatMul", "BatchMatMulV2", "Einsum")


def values(weights) -> dict[str, np.ndarray]:
    return {weight.path: weight.numpy() for weight in weights}


def changed(before: dict[str, np.ndarray], weights) -> set[str]:
    return {weight.path for weight in weights if not np.array_equal(before[weight.path], weight.numpy())}


@pytest.mark.parametrize(("family", "rematerialize"), [("bert", False), ("bert", True), ("lstm", False)])
def test_a_frozen_encoder_stays_as_it_is_and_the_head_learns(family, rematerialize):
    task = small_task(family)
    freeze(task, "encoder")
    before = values(task.weights)
    train(training_model(task, rematerialize=rematerialize))
    head = {"text_classifier/classifier/kernel", "text_classifier/classifier/bias"}
    assert changed(before, task.weights) == head == {weight.path for weight in task.trainable_variables}


def test_frozen_embeddings_stay_and_the_layers_above_learn():
    task = small_task("bert")
    freeze(task, "embeddings")
    before = values(task.weights)
    train(training_model(task))
    moved = changed(before, task.weights)
    assert not any("embedding" in path for path in moved)
    assert {"bert/block_0/attention/qkv/kernel", "bert/pooler/kernel"} <= moved


def products(task, part: str, rematerialize: bool = False) -> int:
    """Matrix products in the graph of forward and backward pass."""
    freeze(task, part)
    model = training_model(task, rematerialize=rematerialize)
    batch = tf.nest.map_structure(tf.constant, batch_of(task))
    normalizers = task.normalizers(batch[2])
    graph = model._compiled_gradients.get_concrete_function(*batch, normalizers, tf.ones(())).graph
    return sum(operation.type in PRODUCTS for operation in graph.get_operations())


@pytest.mark.parametrize("rematerialize", [False, True])
def test_nothing_goes_back_through_a_frozen_encoder(rematerialize):
    task = small_task("bert")
    batch = tf.nest.map_structure(tf.constant, batch_of(task))
    forward = tf.function(lambda: task.score(*batch, training=True).losses).get_concrete_function().graph
    num_forward = sum(operation.type in PRODUCTS for operation in forward.get_operations())
    assert products(task, "encoder", rematerialize) == num_forward + 1  # that of the head's kernel
    assert products(small_task("bert"), "none", rematerialize) > 2 * num_forward


def test_a_model_whose_embeddings_are_its_head_is_not_frozen_altogether():
    task = small_writer()
    with pytest.raises(UserError, match="leaves nothing to be learned"):
        freeze(task, "encoder")
    freeze(small_task("bert"), "none")
