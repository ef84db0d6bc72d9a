import json

import keras
import numpy as np
import pytest

from tfplm.data.batches import EVERY_ROW, BatchSource
from tfplm.training_configuration import GuardConfig, OptimizerConfig
from trainers.guard import Diverged, Guard, Suspects, divergence_error, find_suspects
from trainers.optimizers import build_optimizer

X = np.linspace(-1, 1, 32, dtype="float32").reshape(32, 1)
NAN, INFINITY = float("nan"), float("inf")


def model(learning_rate=0.1):
    keras.utils.set_random_seed(0)
    built = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    built.compile(optimizer=build_optimizer(OptimizerConfig(learning_rate=learning_rate), 100), loss="mse")
    built.optimizer.build(built.trainable_variables)
    return built


def intervals_until_divergence(losses, gradient_norm=1.0, guard=None):
    """Gives a guard one interval of 5 steps after the other; returns what it raised, if anything."""
    guard = guard or Guard(GuardConfig())
    guard.set_model(model())
    guard.model.optimizer.gradient_norm.assign(gradient_norm)
    for epoch, loss in enumerate(losses):
        guard.on_epoch_begin(epoch)
        for batch in range(5):
            guard.on_train_batch_end(batch)
        try:
            guard.on_epoch_end(epoch, {"loss": loss})
        except Diverged as diverged:
            return diverged
    return None


@pytest.mark.parametrize("loss", [NAN, INFINITY])
def test_a_loss_that_is_no_number_is_noticed_in_its_interval(loss):
    diverged = intervals_until_divergence([2.0, 1.5, loss])
    assert (diverged.step, diverged.first_step, diverged.last_step) == (15, 10, 14)
    assert str(loss) in str(diverged)
    assert diverged.learning_rate == pytest.approx(0.01)  # the first step of the warm-up


def test_a_gradient_that_is_no_number_counts_though_the_loss_is_finite():
    assert "gradient" in str(intervals_until_divergence([2.0], gradient_norm=NAN))


@pytest.mark.parametrize(
    ("losses", "diverges"),
    [
        ([9.0, 6.0, 4.0, 3.0, 2.5, 2.4, 2.3, 2.2], False),  # the steep fall of the beginning
        ([2.5, 2.4, 2.3, 7.4], True),
        ([2.5, 2.4, 2.3, 7.0], False),  # under three times the median
        ([0.010, 0.008, 0.009, 0.9], False),  # ninety times nearly nothing is no explosion
        ([0.3, 0.3, 0.3, 1.4], True),
        ([1.0, 9.0], False),  # too little to compare with
    ],
)
def test_only_a_great_rise_over_the_last_intervals_is_an_explosion(losses, diverges):
    assert (intervals_until_divergence(losses) is not None) == diverges


def test_a_resumed_run_compares_with_the_intervals_before_it():
    diverged = intervals_until_divergence([9.0], guard=Guard(GuardConfig(), 15, [2.5, 2.4, 2.3]))
    assert (diverged.first_step, diverged.last_step) == (15, 19)
    assert diverged.losses == [2.5, 2.4, 2.3, 9.0]


def test_a_run_that_diverges_stops_within_the_interval_and_saves_nothing_behind_it():
    saved = []
    checkpoint = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: saved.append(epoch))
    with pytest.raises(Diverged) as raised:
        model(1e30).fit(X, X, batch_size=8, epochs=9, callbacks=[Guard(GuardConfig()), checkpoint], verbose=0)
    interval = raised.value.first_step // 4
    assert saved == list(range(interval))
    assert raised.value.step == 4 * (interval + 1)
    assert raised.value.learning_rate > 0


def test_the_record_is_strict_json():
    record = intervals_until_divergence([2.0, NAN]).record()
    assert json.loads(json.dumps(record, allow_nan=False))["losses"] == [2.0, "nan"]


class Numbers(BatchSource):
    """Batches that hold their own step."""

    def batch(self, step, rows=EVERY_ROW):
        return {"x": np.full(1, step)}, None, None

    def row_numbers(self, step):
        return np.arange(2) + 100 * step


def suspects(bad_steps):
    source = Numbers()
    return find_suspects(source, 10, 14, lambda batch: NAN if batch[0]["x"][0] in bad_steps else 1.0)


def test_the_first_batch_without_a_loss_is_named_by_its_rows():
    assert suspects({12, 13}) == Suspects(12, 12, [1200, 1201])
    assert "step 13" in str(suspects({12}))  # people count from 1
    assert "1200, 1201" in str(suspects({12}))


@pytest.mark.parametrize("bad_steps", [set(), set(range(10, 15))])
def test_the_window_is_named_where_no_batch_or_every_batch_is_bad(bad_steps):
    assert suspects(bad_steps) == Suspects(10, 14, None)
    assert "steps 11 to 15" in str(suspects(bad_steps))


def test_the_message_names_step_learning_rate_and_rows():
    diverged = Diverged("The loss is nan", step=15, learning_rate=3e-4, first_step=10, last_step=14, losses=[2.0, NAN])
    message = str(divergence_error(diverged, suspects({12})))
    for part in ("nan after step 15", "0.0003", "1200, 1201", "learning_rate"):
        assert part in message
