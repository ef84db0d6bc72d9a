import os
import signal
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfplm.failures import PREEMPTED, Preempted, report_failure
from tfplm.training_configuration import OptimizerConfig
from trainers.checkpoints import CheckpointStore, metric_state
from trainers.optimizers import build_optimizer
from trainers.preemption import ContinuedInterval, PreemptionCheckpoint, preemption_notice

BATCHES, INTERVAL = 16, 8
X = np.random.default_rng(0).normal(size=(BATCHES * 4, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def model():
    keras.utils.set_random_seed(1)
    built = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    built.compile(optimizer=build_optimizer(OptimizerConfig(), BATCHES), loss="mse", metrics=["mae"])
    built.optimizer.build(built.trainable_variables)
    built.evaluate(X[:4], Y[:4], verbose=0)  # builds the metrics
    return built


def fit(target, first_step, stop, interval=INTERVAL, callbacks=()):
    """Trains from one step to another; returns the figures of the last interval."""
    batches = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4).skip(first_step)
    history = target.fit(
        batches,
        epochs=(stop - first_step) // interval,
        steps_per_epoch=interval,
        callbacks=list(callbacks),
        shuffle=False,
        verbose=0,
    )
    return {name: values[-1] for name, values in history.history.items()}


def terminating(at_batch, hook="on_train_batch_end"):
    """A callback that sends SIGTERM to this process, as the machine would."""

    def send(number, logs):
        if number == at_batch:
            os.kill(os.getpid(), signal.SIGTERM)

    return keras.callbacks.LambdaCallback(**{hook: send})


def preempted(target, folder, *callbacks):
    """Trains until the signal; returns what was raised."""

    def save():
        step = int(target.optimizer.iterations)
        CheckpointStore(folder).save(step, target, {}, metric_state(target))
        return step

    with pytest.raises(Preempted) as raised, preemption_notice() as notice:
        fit(target, 0, BATCHES, callbacks=[*callbacks, PreemptionCheckpoint(notice, save)])
    return raised.value


def test_sigterm_saves_at_the_next_step_and_the_rest_of_the_interval_repeats_the_unbroken_run(tmp_path):
    unbroken = model()
    expected = fit(unbroken, 0, BATCHES)

    assert preempted(model(), tmp_path, terminating(2)).step == 3
    resumed = model()
    checkpoint = CheckpointStore(tmp_path).restore_latest(resumed)
    first = fit(resumed, 3, INTERVAL, INTERVAL - 3, [ContinuedInterval(checkpoint.arrays)])
    assert first == fit(model(), 0, INTERVAL)
    assert fit(resumed, INTERVAL, BATCHES) == expected
    for left, right in zip(unbroken.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("at_batch", [INTERVAL - 2, INTERVAL - 1])
def test_the_last_step_of_an_interval_waits_for_its_end(tmp_path, at_batch):
    ended = []
    notes = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ended.append(epoch))
    raised = preempted(model(), tmp_path, terminating(at_batch), notes)
    assert (raised.step, ended) == ((INTERVAL, [0]) if at_batch == INTERVAL - 1 else (INTERVAL - 1, []))


def test_sigterm_at_the_end_of_an_interval_saves_there(tmp_path):
    assert preempted(model(), tmp_path, terminating(0, "on_epoch_end")).step == INTERVAL


def test_a_loss_that_is_no_number_is_not_saved_in_mid_interval():
    with pytest.raises(Preempted), preemption_notice() as notice:
        callback = PreemptionCheckpoint(notice, save=lambda: pytest.fail("saved"))
        callback.set_params({"steps": INTERVAL})
        callback.set_model(model())
        callback.model.metrics_variables[0].assign(float("nan"))
        os.kill(os.getpid(), signal.SIGTERM)
        callback.on_train_batch_end(2)


def test_the_second_sigterm_ends_at_once_and_the_old_handler_comes_back():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Preempted), preemption_notice() as notice:
        assert not notice.is_given
        os.kill(os.getpid(), signal.SIGTERM)
        assert notice.is_given
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) == before


def test_another_error_is_not_hidden_by_the_notice():
    with pytest.raises(ZeroDivisionError), preemption_notice():
        os.kill(os.getpid(), signal.SIGTERM)
        raise ZeroDivisionError


def test_outside_the_main_thread_nothing_is_changed():
    seen = []

    def work():
        with preemption_notice() as notice:
            seen.append((notice.is_given, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, signal.getsignal(signal.SIGTERM))]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (7, "preempted: saved at step 7; run the same command again to go on\n"),
        (None, "preempted; run the same command again to go on\n"),
    ],
)
def test_the_command_line_says_so_with_a_code_of_its_own(capsys, step, message):
    assert report_failure(Preempted(step), debug=False, resumable=True) == PREEMPTED == 143
    assert capsys.readouterr().err == message
