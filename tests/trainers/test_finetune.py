"""Fine-tuning one run: what it leaves, and how it goes on after an interruption."""

import contextlib
import dataclasses

import numpy as np
import pytest

from tests.workplace import alone
from tests.written_corpus import write_table
from tfplm.config import validate
from tfplm.data.configuration import LabelledDataConfig
from tfplm.data.labelled import load_labelled
from tfplm.finetuning_configuration import FinetuneConfig
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory
from tfplm.tasks.saving import load_task
from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.training import train_wordpiece
from tfplm.training_configuration import RuntimeConfig
from trainers.finetune import Finetuner, KindData
from trainers.task_kinds.registry import kind_of

TINY_BERT = {"type": "bert", "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}
EPOCHS = 6


class Interrupted(Progress):
    """Presses Ctrl-C at a step, or without one where the steps are done and the model is not saved yet."""

    def __init__(self, at_step: int | None = None):
        super().__init__(quiet=True)
        self._silent = True
        self._left = at_step

    @contextlib.contextmanager
    def task(self, *arguments, **options):
        yield self
        raise KeyboardInterrupt

    def advance(self, n, **figures):
        if self._left is not None and n:
            self._left -= n
            if self._left <= 0:
                raise KeyboardInterrupt


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("data") / "table.csv", per_class=20)


def finetuner(table, progress=None, data=None, **changes) -> Finetuner:
    """Trains on 42 texts in batches of 8: 6 steps an epoch; writes a checkpoint after every epoch."""
    data = {"train": {"type": "table", "paths": [str(table)], "label_column": "label"}, **(data or {})}
    candidate = {"model": TINY_BERT, "epochs": EPOCHS, "optimizer": {"learning_rate": 0.02}}
    values = {"data": data, "candidates": {"bert": candidate}, "sequence_length": 16, "batch_size": 8} | changes
    config = validate(FinetuneConfig, values, "test")
    labelled = load_labelled(validate(LabelledDataConfig, data, "test"), False, 0)
    tokenizer = train_wordpiece(labelled.train.texts, WordPieceConfig(vocabulary_size=80, min_frequency=1))
    kind = kind_of(config)
    encoded = KindData(kind, kind.load(0))
    progress = progress or Progress.silent()
    return Finetuner(config, RuntimeConfig(), encoded, tokenizer, progress, alone(), checkpoint_seconds=0)


def train(tuner: Finetuner, run: RunDirectory) -> dict:
    run.path.mkdir(parents=True, exist_ok=True)
    tuner.train("bert", tuner.config.candidates["bert"], None, run, 3, "mark")
    return run.read_report()


def weights_of(run: RunDirectory) -> list[np.ndarray]:
    return load_task(run.model).get_weights()


def assert_same_training(left: RunDirectory, right: RunDirectory) -> None:
    reports = [run.read_report() for run in (left, right)]
    for key in ("steps", "best_epoch", "tokens", "validation", "test"):
        assert reports[0][key] == reports[1][key]
    losses = [[(entry["step"], entry["loss"]) for entry in report["history"]] for report in reports]
    assert losses[0] == losses[1]
    for one, other in zip(weights_of(left), weights_of(right), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def unbroken(table, tmp_path_factory):
    run = RunDirectory(tmp_path_factory.mktemp("unbroken"))
    train(finetuner(table), run)
    return run


@pytest.mark.parametrize("at_step", [3, 14])
def test_an_interrupted_run_goes_on_to_the_weights_of_an_unbroken_one(tmp_path, table, unbroken, at_step):
    broken = RunDirectory(tmp_path / "broken")
    with pytest.raises(KeyboardInterrupt):
        train(finetuner(table, Interrupted(at_step)), broken)
    assert broken.checkpoints.exists() == (at_step > 6)
    train(finetuner(table), broken)
    assert_same_training(unbroken, broken)
    assert not unbroken.checkpoints.exists() and not broken.checkpoints.exists()


class StepsAreRefused(Interrupted):
    """A run that is done need not train again."""

    @contextlib.contextmanager
    def task(self, *arguments, **options):
        yield self


def test_a_run_that_was_interrupted_behind_its_last_epoch_does_not_train_again(tmp_path, table, unbroken):
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train(finetuner(table, Interrupted()), run)
    train(finetuner(table, StepsAreRefused(at_step=1)), run)
    assert_same_training(unbroken, run)


def test_early_stopping_ends_a_resumed_run_at_the_same_epoch(tmp_path, table):
    def impatient(progress=None):
        tuner = finetuner(table, progress, early_stopping_patience=1, validation_metric="loss")
        candidate = tuner.config.candidates["bert"].model_copy(update={"epochs": 60})
        config = tuner.config.model_copy(update={"candidates": {"bert": candidate}})
        return dataclasses.replace(tuner, config=config)

    unbroken, broken, done = (RunDirectory(tmp_path / name) for name in ("unbroken", "broken", "done"))
    steps = train(impatient(), unbroken)["steps"]
    assert 12 <= steps < 360
    with pytest.raises(KeyboardInterrupt):
        train(impatient(Interrupted(steps - 8)), broken)
    train(impatient(), broken)
    assert_same_training(unbroken, broken)
    with pytest.raises(KeyboardInterrupt):
        train(impatient(Interrupted()), done)
    train(impatient(StepsAreRefused(at_step=1)), done)
    assert_same_training(unbroken, done)


def test_short_runs_write_no_checkpoint(tmp_path, table):
    run, tuner = RunDirectory(tmp_path / "run"), dataclasses.replace(finetuner(table), checkpoint_seconds=60.0)
    with pytest.raises(KeyboardInterrupt):
        train(dataclasses.replace(tuner, progress=Interrupted(14)), run)
    assert not run.checkpoints.exists()


def test_the_validation_figures_of_training_are_those_of_the_report(tmp_path, table):
    report = train(finetuner(table), RunDirectory(tmp_path / "run"))
    assert report["validation"]["examples"] % 8
    best = report["history"][report["best_epoch"] - 1]
    for name in ("accuracy", "macro_f1", "loss"):
        assert best[f"val_{name}"] == pytest.approx(report["validation"][name], rel=1e-4), name


def test_a_run_without_validation_and_test_data_is_trained_to_its_last_epoch(tmp_path, table):
    tuner = finetuner(table, data={"split": {"validation": 0.0, "test": 0.0}})
    report = train(tuner, RunDirectory(tmp_path / "run"))
    assert (report["validation"], report["test"], report["best_epoch"]) == (None, None, None)
    assert len(report["history"]) == EPOCHS


def test_several_short_texts_in_a_row_teach_as_well(tmp_path, table):
    report = train(finetuner(table, packing=True, sequence_length=64, batch_size=2), RunDirectory(tmp_path / "run"))
    assert report["steps"] < EPOCHS * 42 / 2  # a row has more than one text
    assert report["validation"]["accuracy"] > 0.6


def test_a_guard_that_may_go_back_leaves_a_sound_training_as_it_is(tmp_path, table, unbroken):
    run = RunDirectory(tmp_path / "run")
    train(finetuner(table, guard={"action": "skip"}), run)
    assert_same_training(unbroken, run)
