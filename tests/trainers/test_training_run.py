"""A whole training with its guard, its checkpoints and its position in the data."""

import contextlib
import json
import os
import signal
from dataclasses import dataclass, field

import keras
import numpy as np
import pytest

from tests.workplace import alone
from tfplm import feature_names as names
from tfplm.data.batches import EVERY_ROW
from tfplm.data.example_batches import ExampleBatches, ExampleRows
from tfplm.errors import UserError
from tfplm.failures import Preempted
from tfplm.models.build import build_model
from tfplm.models.configuration import LstmConfig
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory
from tfplm.tasks.configuration import TextClassificationConfig
from tfplm.tasks.text_classification import TextClassifier
from tfplm.training_configuration import GuardConfig, OptimizerConfig, TrainingConfig
from trainers.checkpoints import CheckpointStore
from trainers.optimizers import build_optimizer
from trainers.training_model import TrainingModel
from trainers.training_run import DIVERGENCE_FILE, CheckpointPlan, Intervals, TrainingRun

RANDOM = np.random.default_rng(0)
TOKEN_IDS = RANDOM.integers(5, 50, (64, 8)).astype("int32")
LABELS = (TOKEN_IDS[:, 0] % 2).astype("int32")


@dataclass(frozen=True)
class Batches(ExampleBatches):
    """Remembers which steps it was asked for, and spoils some of them."""

    asked: list = field(default_factory=list)
    spoiled_steps: tuple[int, ...] = ()

    def batch(self, step: int, rows: slice = EVERY_ROW):
        self.asked.append(step)
        features, labels, weights = super().batch(step, rows)
        return features, labels, weights * np.float32("nan") if step in self.spoiled_steps else weights


class Preempting(Progress):
    """Sends this process SIGTERM at a step."""

    def __init__(self, step: int):
        super().__init__(quiet=True)
        self._silent, self._left = True, step

    def task(self, *arguments, **options):
        return contextlib.nullcontext(self)

    def advance(self, n, **figures):
        self._left -= n
        if self._left == 0 and n:
            os.kill(os.getpid(), signal.SIGTERM)


def training(folder, batches: Batches, progress: Progress | None = None, **guard) -> TrainingRun:
    """24 steps in intervals of 4, a checkpoint behind each."""
    place, run = alone(), RunDirectory(folder)
    folder.mkdir(exist_ok=True)
    run.config.write_text("seed: 0\n")
    keras.utils.set_random_seed(1)
    with place.strategy.scope():
        encoder = build_model(LstmConfig(embedding_dim=8, hidden_dim=8, max_sequence_length=8), 50)
        model = TrainingModel(TextClassifier(encoder, TextClassificationConfig(), ["even", "odd"]))
        model.compile(build_optimizer(OptimizerConfig(learning_rate=1e-2), 24))
    return TrainingRun(
        model,
        TrainingConfig(batch_size=8, guard=GuardConfig(**guard)),
        batches,
        None,
        Intervals(4, 6, []),
        run,
        CheckpointStore(run.checkpoints),
        CheckpointPlan(),
        place,
        progress or Progress.silent(),
        "test",
        tokens_per_step=64,
    )


def batches(**spoiled) -> Batches:
    weights = np.ones(64, np.float32)
    rows = ExampleRows({names.TOKEN_IDS: TOKEN_IDS}, LABELS, weights, np.full(64, 8))
    return Batches(rows, 8, 3, **spoiled)


def test_a_batch_whose_loss_is_no_number_stops_the_training_with_its_rows_named(tmp_path):
    source = batches(spoiled_steps=(9,))
    with pytest.raises(UserError) as caught:
        training(tmp_path / "run", source).fit()
    rows = source.row_numbers(9).tolist()
    assert "after step 12" in str(caught.value) and "learning rate of" in str(caught.value)
    assert f"step 10 is no number; its rows: {', '.join(map(str, rows))}" in str(caught.value)
    record = json.loads((tmp_path / "run" / DIVERGENCE_FILE).read_text())
    assert record["suspects"] == {"first_step": 9, "last_step": 9, "rows": rows}
    assert CheckpointStore(tmp_path / "run" / "checkpoints").steps() == [4, 8]  # none of the bad interval


def test_the_guard_goes_back_and_over_the_window_and_a_resumed_run_does_too(tmp_path):
    source = batches(spoiled_steps=(9,))
    run = training(tmp_path / "run", source, action="skip")
    monitor = run.fit()
    assert [entry["step"] for entry in monitor.history] == [4, 8, 12, 16, 20, 24]
    assert all(np.isfinite(entry["loss"]) for entry in monitor.history)
    assert [(window["first_step"], window["last_step"]) for window in run.skipped] == [(8, 11)]
    assert "no number" in run.skipped[0]["reason"] or "nan" in run.skipped[0]["reason"]
    assert max(source.asked) >= 27  # the last batches come from behind the window

    resumed = training(tmp_path / "run", batches(spoiled_steps=(9,)), action="skip")
    resumed.fit()  # everything is done: it only restores
    assert resumed.skipped == run.skipped
    for one, other in zip(run.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_stops_when_there_is_too_much_to_skip(tmp_path):
    source = batches(spoiled_steps=(1, 5))
    with pytest.raises(UserError, match="diverged"):
        training(tmp_path / "run", source, action="skip", max_skips=1).fit()
    record = json.loads((tmp_path / "run" / DIVERGENCE_FILE).read_text())
    assert [(window["first_step"], window["last_step"]) for window in record["skipped"]] == [(0, 3)]
    assert record["suspects"]["rows"] == source.row_numbers(5).tolist()


@pytest.mark.parametrize("step", [6, 8])
def test_a_preempted_training_goes_on_to_the_same_weights_and_figures(tmp_path, step):
    unbroken = training(tmp_path / "unbroken", batches())
    expected = unbroken.fit().history
    with pytest.raises(Preempted) as caught:
        training(tmp_path / "broken", batches(), Preempting(step)).fit()
    assert caught.value.step == step
    resumed = training(tmp_path / "broken", batches())
    history = resumed.fit().history
    for figure in ("step", "loss", "accuracy", "macro_f1", "gradient_norm"):
        assert [entry[figure] for entry in history] == [entry[figure] for entry in expected], figure
    for one, other in zip(unbroken.model.variables, resumed.model.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
