import contextlib

import keras
import numpy as np
import pytest

from tfplm.errors import UserError
from tfplm.experiment import OptimizerConfig
from tfplm.progress import Progress
from trainers.callbacks import BestWeights, PeriodicCheckpoint, TrainingMonitor
from trainers.checkpoints import CheckpointStore
from trainers.optimizers import build_optimizer

X = np.linspace(-1, 1, 32, dtype="float32").reshape(32, 1)


def model(learning_rate=0.1):
    keras.utils.set_random_seed(0)
    built = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    built.compile(optimizer=build_optimizer(OptimizerConfig(learning_rate=learning_rate), 100), loss="mse")
    built.optimizer.build(built.trainable_variables)
    return built


@pytest.fixture
def monitor(tmp_path):
    with Progress.silent().task("fit", 8, "steps") as bar, contextlib.closing(TrainingMonitor(tmp_path, bar, 10)) as it:
        yield it


def feed(callback, values):
    """Gives a callback one epoch after the other until it stops; returns the number of the last one."""
    callback.set_model(model())
    callback.model.stop_training = False
    for epoch, value in enumerate(values):
        callback.model.set_weights([np.full((1, 1), epoch), np.full(1, epoch)])
        callback.on_epoch_end(epoch, {"val_loss": value})
        if callback.model.stop_training:
            break
    callback.on_train_end()
    return epoch


@pytest.mark.parametrize(
    ("values", "patience", "last", "best"),
    [
        ([3, 2, 1, 2, 3, 0], 2, 4, 2),
        ([3, 2, 1, 2, 3, 0], 3, 5, 5),
        ([3, 2, 1, 2, 3, 0], None, 5, 5),
        ([1, 1, 1, 2], 1, 3, 2),  # a tie goes to the later epoch
    ],
)
def test_training_stops_when_patience_is_lost_and_ends_with_the_best_weights(values, patience, last, best):
    callback = BestWeights("val_loss", maximize=False, patience=patience)
    assert feed(callback, values) == last
    assert callback.best_epoch == best
    assert callback.model.get_weights()[0] == best


def test_the_monitor_keeps_what_every_interval_was_like(monitor):
    model().fit(X, X, batch_size=8, epochs=2, callbacks=[monitor], verbose=0)
    assert [entry["step"] for entry in monitor.history] == [4, 8]
    last = monitor.history[-1]
    assert last.keys() == {"step", "loss", "learning_rate", "gradient_norm", "tokens_per_second"}
    assert last["tokens_per_second"] > 0 and monitor.seconds > 0


def test_training_that_diverges_ends_with_a_message_and_without_a_checkpoint(monitor, tmp_path):
    target, store = model(learning_rate=1e30), CheckpointStore(tmp_path / "checkpoints")
    with pytest.raises(UserError, match="training has diverged"):
        target.fit(X, X, epochs=9, callbacks=[monitor, PeriodicCheckpoint(store, monitor)], verbose=0)
    assert len(store.steps()) < 9
    assert np.isfinite(store.restore_latest(model()).extra["history"][-1]["loss"])


@pytest.mark.parametrize(("limits", "steps"), [({}, [4, 8]), ({"every_steps": 8}, [8]), ({"every_seconds": 600}, [])])
def test_checkpoints_come_when_enough_has_been_done(monitor, tmp_path, limits, steps):
    store = CheckpointStore(tmp_path / "checkpoints")
    checkpoint = PeriodicCheckpoint(store, monitor, **limits)
    model().fit(X, X, batch_size=8, epochs=2, callbacks=[monitor, checkpoint], verbose=0)
    assert store.steps() == steps
