import errno

import keras
import numpy as np
import pytest

import trainers.checkpoints as checkpoints
from tfplm.errors import UserError
from tfplm.experiment import OptimizerConfig
from trainers.checkpoints import CheckpointStore
from trainers.optimizers import build_optimizer


def model(units=4):
    keras.utils.set_random_seed(1)
    built = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(units), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    )
    built.compile(optimizer=build_optimizer(OptimizerConfig(), 100), loss="mse")
    built.optimizer.build(built.trainable_variables)
    return built


def train(target, steps):
    rng = np.random.default_rng(0)
    for _ in range(steps):
        target.train_on_batch(rng.normal(size=(8, 3)), rng.normal(size=(8, 1)))


def test_a_restored_model_goes_on_exactly_as_the_saved_one(tmp_path):
    store, original = CheckpointStore(tmp_path), model()
    train(original, 3)
    store.save(3, original, {"history": [1, 2]}, {"best/0000": np.arange(6.0).reshape(2, 3).T})
    train(original, 2)  # dropout draws from the restored generator state

    restored = model()
    checkpoint = store.restore_latest(restored)
    assert (checkpoint.step, checkpoint.extra) == (3, {"history": [1, 2]})
    np.testing.assert_array_equal(checkpoint.arrays["best/0000"], np.arange(6.0).reshape(2, 3).T)
    assert int(restored.optimizer.iterations) == 3
    train(restored, 2)
    for left, right in zip(original.get_weights(), restored.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_only_the_newest_are_kept_and_none_is_half_written(tmp_path):
    store, target = CheckpointStore(tmp_path, keep=2), model()
    for step in (1, 2, 3, 4):
        store.save(step, target, {})
    assert store.steps() == [3, 4]
    assert len(list(tmp_path.iterdir())) == 2


def test_without_a_checkpoint_nothing_is_restored(tmp_path):
    assert CheckpointStore(tmp_path / "none").restore_latest(model()) is None


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    CheckpointStore(tmp_path).save(1, model(), {})
    with pytest.raises(UserError, match="another model"):
        CheckpointStore(tmp_path).restore_latest(model(units=5))


def test_a_damaged_checkpoint_is_named(tmp_path):
    CheckpointStore(tmp_path).save(1, model(), {})
    (tmp_path / "step-00000001" / "state.safetensors").write_bytes(b"\x10")
    with pytest.raises(UserError, match="step-00000001 is damaged"):
        CheckpointStore(tmp_path).restore_latest(model())


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
