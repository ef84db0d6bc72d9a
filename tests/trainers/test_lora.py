import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainers.small_tasks import batch_of, small_task, small_writer, train, training_model
from tfplm.errors import UserError
from tfplm.finetuning_configuration import LoraConfig
from tfplm.tasks.saving import load_task, save_task
from tfplm.tasks.task import Task
from trainers.lora import add_lora, without_lora

RANK_2 = LoraConfig(rank=2, alpha=4.0)


def small(family: str) -> Task:
    return small_writer() if family == "writer" else small_task(family)


def adapted(family: str, targets: str = "attention") -> Task:
    task = small(family)
    add_lora(task, LoraConfig(rank=2, alpha=4.0, targets=targets))
    return task


def losses(task) -> dict[str, np.ndarray]:
    scores = tf.function(lambda *batch: task.score(*batch, training=False).losses)
    return {name: part.numpy() for name, part in scores(*batch_of(task)).items()}


@pytest.mark.parametrize(
    ("family", "targets"),
    [("bert", "attention"), ("shared", "all"), ("writer", "all"), ("t5", "all"), ("lstm_seq2seq", "attention")],
)
def test_nothing_is_added_at_first_and_what_is_learned_merges(family, targets):
    plain, task = small(family), adapted(family, targets)
    before = losses(task)
    for name, part in losses(plain).items():
        np.testing.assert_allclose(before[name], part, rtol=1e-6)
    random = np.random.default_rng(0)
    for weight in task.trainable_weights:
        weight.assign(random.normal(scale=0.3, size=weight.shape))
    after, merged = losses(task), without_lora(task)
    assert [weight.path for weight in merged.weights] == [weight.path for weight in plain.weights]
    for name, part in losses(merged).items():
        np.testing.assert_allclose(part, after[name], rtol=1e-4)
        assert np.abs(part - before[name]).max() > 1e-2


def test_adapters_and_the_head_learn_beside_frozen_weights():
    task = adapted("bert", "all")
    before = {weight.path: weight.numpy() for weight in task.weights}
    train(training_model(task))
    for weight in task.weights:
        learns = "lora_kernel" in weight.path or weight.path.startswith("text_classifier/")
        assert np.array_equal(before[weight.path], weight.numpy()) == (not learns), weight.path


def test_the_targets_say_which_matrices_are_adapted():
    for targets, layers in (("attention", 2), ("all", 4)):
        paths = [weight.path for weight in adapted("bert", targets).trainable_variables]
        assert sum(path.endswith("lora_kernel_a") for path in paths) == 2 * layers  # in each of two blocks
        assert any("feed_forward" in path for path in paths) == (targets == "all")


def test_compiled_and_rematerialized_steps_are_the_same():
    expected = train(training_model(adapted("bert"))).get_weights()
    found = train(training_model(adapted("bert"), jit_compile=True, rematerialize=True)).get_weights()
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_the_head_of_a_model_that_writes_stays_too():
    paths = [weight.path for weight in adapted("writer").trainable_variables]
    assert paths and all("lora_kernel" in path for path in paths)


def test_a_model_without_attention_is_refused():
    with pytest.raises(UserError, match="type lstm has no attention"):
        add_lora(small_task("lstm"), RANK_2)


def test_merged_weights_are_saved_whole_in_mixed_precision(tmp_path):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        task = adapted("bert")
        train(training_model(task, learning_rate=0.1), steps=1)
        save_task(without_lora(task), tmp_path)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    weights = {weight.name: weight.numpy() for weight in task.encoder.blocks[0].attention.qkv.weights}
    merged = weights["kernel"] + 2.0 * weights["lora_kernel_a"] @ weights["lora_kernel_b"]
    saved = load_task(tmp_path).encoder.blocks[0].attention.qkv.kernel.numpy()
    np.testing.assert_allclose(saved, merged, rtol=1e-6)
