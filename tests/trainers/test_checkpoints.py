import errno
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import trainers.checkpoints as checkpoints
from tests.command_line import ENVIRONMENT
from tfplm.errors import UserError
from tfplm.training_configuration import OptimizerConfig
from trainers.checkpoints import CheckpointStore, metric_state, restore_metric_state
from trainers.optimizers import build_optimizer


def model(units=4, **compile_arguments):
    keras.utils.set_random_seed(1)
    built = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(units), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    )
    built.compile(optimizer=build_optimizer(OptimizerConfig(), 100), loss="mse", **compile_arguments)
    built.optimizer.build(built.trainable_variables)
    return built


def train(target, steps):
    rng = np.random.default_rng(0)
    for _ in range(steps):
        target.train_on_batch(rng.normal(size=(8, 3)), rng.normal(size=(8, 1)))


def variables(target):
    return [v.numpy() for v in (*target.variables, *target.optimizer.variables)]


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_restored_model_goes_on_exactly_as_the_saved_one(tmp_path):
    store, original = CheckpointStore(tmp_path), model()
    train(original, 3)
    store.save(3, original, {"history": [1, 2]}, {"best/0000": np.arange(6.0).reshape(2, 3).T}, metric=0.5)
    train(original, 2)  # dropout draws from the restored generator state

    restored = model()
    checkpoint = store.restore_latest(restored)
    assert (checkpoint.step, checkpoint.extra, checkpoint.metric) == (3, {"history": [1, 2]}, 0.5)
    np.testing.assert_array_equal(checkpoint.arrays["best/0000"], np.arange(6.0).reshape(2, 3).T)
    assert int(restored.optimizer.iterations) == 3
    train(restored, 2)
    for left, right in zip(original.get_weights(), restored.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_metrics_go_on_in_the_middle_of_an_interval(tmp_path):
    original, restored = model(metrics=["mae"]), model(metrics=["mae"])
    train(original, 3)
    CheckpointStore(tmp_path).save(3, original, {}, metric_state(original))
    train(restored, 1)  # builds the metrics
    checkpoint = CheckpointStore(tmp_path).restore_latest(restored)
    restored.reset_metrics()
    restore_metric_state(restored, checkpoint.arrays)
    train(original, 2), train(restored, 2)
    assert original.get_metrics_result() == restored.get_metrics_result()


def check_replicas(folder):
    """In a process of its own: the CPU is divided before TensorFlow starts."""
    (cpu, *_) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    x = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")

    def trained(epochs):
        with strategy.scope():
            built = model(metrics=["mae"])
        built.fit(x, np.ones((16, 1)), batch_size=8, epochs=epochs, shuffle=False, verbose=0)
        return built

    original, restored = trained(2), trained(1)
    CheckpointStore(folder).save(4, original, {}, metric_state(original))
    restore_metric_state(restored, CheckpointStore(folder).restore_latest(restored).arrays)
    sources = (*original.variables, *original.optimizer.variables, *original.metrics_variables)
    targets = (*restored.variables, *restored.optimizer.variables, *restored.metrics_variables)
    for source, target in zip(sources, targets, strict=True):
        assert len(source.value.values) == 2
        for one, other in zip(source.value.values, target.value.values, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_replicas_get_back_what_the_first_had_and_metrics_what_each_had(tmp_path):
    code = f"from tests.trainers.test_checkpoints import check_replicas; check_replicas({str(tmp_path)!r})"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=120
    )
    assert answer.returncode == 0, answer.stderr


def test_only_the_newest_are_kept_and_none_is_half_written(tmp_path):
    store, target = CheckpointStore(tmp_path, keep=2), model()
    for step in (1, 2, 3, 4):
        store.save(step, target, {})
    assert store.steps() == [3, 4]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(("maximize", "kept"), [(False, [2, 5, 6]), (True, [3, 4, 6])])
def test_the_best_are_kept_beside_the_newest(tmp_path, maximize, kept):
    store, target = CheckpointStore(tmp_path, keep=1, keep_best=2, maximize=maximize), model()
    for step, metric in enumerate([2.0, 1.0, 3.0, 3.0, 1.0, float("nan")], start=1):
        store.save(step, target, {}, metric=metric)
    assert store.steps() == kept
    assert store.best_steps()[0] == max(step for step in kept if step != 6)  # of equals the later


def test_without_a_checkpoint_nothing_is_restored(tmp_path):
    assert CheckpointStore(tmp_path / "none").restore_latest(model()) is None


def test_a_checkpoint_of_another_model_is_refused_before_anything_is_assigned(tmp_path):
    CheckpointStore(tmp_path).save(1, model(), {})
    other = model(units=5)
    before = variables(other)
    with pytest.raises(UserError, match=r"another model: model/0000/sequential/dense/kernel is of shape \(3, 4\)"):
        CheckpointStore(tmp_path).restore_latest(other)
    for left, right in zip(before, variables(other), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_checkpoint_of_another_tokenizer_is_refused(tmp_path):
    CheckpointStore(tmp_path, fingerprint="abc").save(1, model(), {})
    with pytest.raises(UserError, match="another model or tokenizer"):
        CheckpointStore(tmp_path, fingerprint="abd").restore_latest(model())


@pytest.mark.parametrize("name", ["state.safetensors", "checkpoint.json"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(tmp_path, name):
    store, target, told = CheckpointStore(tmp_path, keep=3), model(), []
    for step in (1, 2, 3):
        train(target, 1)
        store.save(step, target, {"at": step})
    flip_a_bit(tmp_path / "step-00000003" / name)

    store, target = CheckpointStore(tmp_path, keep=3, tell=told.append), model()
    assert store.restore_latest(target).extra == {"at": 2}
    assert int(target.optimizer.iterations) == 2
    (message,) = told
    assert "step-00000003 is damaged" in message
    assert "step 2 is used instead" in message

    train(target, 1)
    store.save(3, target, {"at": "again"})  # a good one takes its place
    assert CheckpointStore(tmp_path).restore_latest(model()).extra == {"at": "again"}


def test_a_changed_figure_in_the_json_is_damage(tmp_path):
    CheckpointStore(tmp_path).save(1, model(), {"loss": 1.5})
    path = tmp_path / "step-00000001" / "checkpoint.json"
    path.write_text(path.read_text().replace("1.5", "2.5"))
    with pytest.raises(UserError, match="is damaged"):
        CheckpointStore(tmp_path).restore_latest(model())


def test_damaged_checkpoints_alone_are_an_error_that_names_them(tmp_path):
    store = CheckpointStore(tmp_path)
    for step in (1, 2):
        store.save(step, model(), {})
        (tmp_path / f"step-0000000{step}" / "state.safetensors").write_bytes(b"\x10")
    with pytest.raises(UserError, match=r"(?s)step-00000002 is damaged.*step-00000001 is damaged.*no good one"):
        CheckpointStore(tmp_path).restore_latest(model())


def test_what_a_kill_left_half_written_goes_at_the_next_start_but_not_by_a_reader(tmp_path):
    CheckpointStore(tmp_path).save(1, model(), {})
    for name in (".step-00000002.partial-x1", ".step-00000001.partial-x2.old", ".step-00000000.partial-removed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "state.safetensors").write_bytes(b"half")
    assert CheckpointStore(tmp_path, read_only=True).restore_latest(model()).step == 1
    assert len(list(tmp_path.iterdir())) == 4
    assert CheckpointStore(tmp_path).restore_latest(model()).step == 1
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_a_reader_writes_and_removes_nothing(tmp_path):
    CheckpointStore(tmp_path).save(1, model(), {})
    reader = CheckpointStore(tmp_path, read_only=True)
    reader.save(2, model(), {})
    reader.clear()
    assert reader.steps() == [1]


def test_all_but_one_can_be_cleared(tmp_path):
    store, target = CheckpointStore(tmp_path, keep=3), model()
    for step in (1, 2, 3):
        store.save(step, target, {})
    store.clear(but=3)
    assert store.steps() == [3]
    store.clear()
    assert not tmp_path.exists()


def test_a_full_disk_leaves_the_checkpoint_before_it(tmp_path, monkeypatch):
    store, target = CheckpointStore(tmp_path), model()
    store.save(1, target, {})

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(UserError, match="No space left"):
        store.save(2, target, {})
    assert store.steps() == [1]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.fixture
def small_disk(tmp_path):
    """A folder of 256 KiB."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine does not let a test mount a small disk")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_disk_that_is_really_full_leaves_the_checkpoint_before_it(small_disk):
    store, target = CheckpointStore(small_disk), model(units=2500)  # 150 KiB with the optimizer's state
    store.save(1, target, {"history": [1]})
    with pytest.raises(UserError, match="No space left"):
        store.save(2, target, {})
    assert [path.name for path in small_disk.iterdir()] == ["step-00000001"]
    assert CheckpointStore(small_disk).restore_latest(model(units=2500)).extra == {"history": [1]}


def test_the_record_is_plain_json(tmp_path):
    CheckpointStore(tmp_path, fingerprint="abc").save(1, model(), {"loss": 1.5}, metric=2.0)
    content = json.loads((tmp_path / "step-00000001" / "checkpoint.json").read_text())
    assert content.keys() == {"step", "metric", "fingerprint", "extra", "files", "digest"}
