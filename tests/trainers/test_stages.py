"""The whole way on written text: what a stage leaves, what the next takes, and what is not done twice."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.written_corpus import TOPICS, write_corpus, write_table
from tfplm.config import validate
from tfplm.data.configuration import TableSource
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory
from tfplm.tasks.saving import load_task
from trainers.evaluate import evaluate_run
from trainers.predict import predict_run
from trainers.stages import run_finetune, run_pretrain

TINY_BERT = {
    "type": "bert",
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 32,
    "max_sequence_length": 32,
}


def experiment(folder, **changes) -> ExperimentConfig:
    values = {
        "output_dir": str(folder / "run"),
        "corpus": {
            "sources": [{"type": "text", "paths": [str(folder / "text" / "*.txt")]}],
            "validation_fraction": 0.2,
        },
        "tokenizer": {"vocabulary_size": 80, "min_frequency": 1},
        "pretrain": {
            "model": TINY_BERT,
            "sequence_length": 32,
            "batch_size": 4,
            "steps": 8,
            "log_every": 2,
            "checkpoint_every": 4,
            "validation_batches": 1,
        },
        "finetune": {
            "data": {"train": {"type": "table", "paths": [str(folder / "table.csv")], "label_column": "label"}},
            "candidates": {
                "pretrained": {"initialize_from": "pretrain", "epochs": 2},
                "lstm": {
                    "model": {"type": "lstm", "embedding_dim": 16, "hidden_dim": 8, "max_sequence_length": 32},
                    "epochs": 6,
                    "optimizer": {"learning_rate": 0.02},
                },
            },
            "sequence_length": 32,
            "batch_size": 8,
        },
    }
    return validate(ExperimentConfig, values | changes, "test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    base = tmp_path_factory.mktemp("stages")
    write_corpus(base / "text")
    write_table(base / "table.csv")
    return base


@pytest.fixture(scope="module")
def made():
    """The variables of all stages of `finished`."""
    return []


@pytest.fixture(scope="module")
def finished(folder, made):
    def remember(next_creator, **arguments):
        made.append(next_creator(**arguments))
        return made[-1]

    with tf.variable_creator_scope(remember):
        run_finetune(experiment(folder), Progress.silent())
    return folder / "run"


def test_every_stage_leaves_a_complete_run_directory(finished):
    for name, stage in [("tokenizer", "tokenizer"), ("corpus", "prepare"), ("pretrain", "pretrain")]:
        assert RunDirectory(finished / name).read_report()["stage"] == stage
    report = RunDirectory(finished / "pretrain").read_report()
    assert report["steps"] == 8
    assert report["tokens"] == 8 * 4 * 32
    assert [entry["step"] for entry in report["history"]] == [2, 4, 6, 8]
    assert report["history"][-1]["val_loss"] > 0
    assert not (finished / "pretrain" / "checkpoints").exists()  # the model is there: they have served


def test_models_are_given_back_when_they_are_trained(finished, made):
    weights = [variable for variable in made if variable.name.startswith(("bert", "lstm"))]
    assert weights
    assert {int(tf.size(variable)) for variable in weights} == {0}


def test_the_lstm_learns_the_written_topics(finished):
    report = RunDirectory(finished / "finetune" / "lstm" / "seed-0").read_report()
    assert report["test"]["accuracy"] > 0.6
    assert report["test"]["confusion_matrix"]


def test_a_done_stage_is_not_run_again(finished, folder):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("model.weights.h5")}
    run_finetune(experiment(folder), Progress.silent())
    assert before == {path: path.stat().st_mtime_ns for path in finished.rglob("model.weights.h5")}


def test_a_stage_of_another_configuration_is_not_touched(finished, folder):
    changed = experiment(folder)
    changed = changed.model_copy(update={"pretrain": changed.pretrain.model_copy(update={"steps": 10})})
    with pytest.raises(UserError, match="another configuration"):
        run_pretrain(changed, Progress.silent())
    assert RunDirectory(finished / "pretrain").read_report()["steps"] == 8


def test_an_interrupted_pretraining_goes_on_from_its_checkpoint_to_the_same_weights(finished, folder, monkeypatch):
    values = experiment(folder, output_dir=str(folder / "interrupted"))
    shutil.copytree(finished / "tokenizer", folder / "interrupted" / "tokenizer")
    shutil.copytree(finished / "corpus", folder / "interrupted" / "corpus")

    class Interrupting:
        """A progress bar that presses Ctrl-C at the seventh step."""

        steps = 0

        def advance(self, count, **_):
            self.steps += count
            if self.steps == 7:
                raise KeyboardInterrupt

    class InterruptingProgress(type(Progress.silent())):
        def task(self, *args, **kwargs):
            import contextlib

            return contextlib.nullcontext(Interrupting())

    with pytest.raises(KeyboardInterrupt):
        run_pretrain(values, InterruptingProgress(quiet=True))
    assert (folder / "interrupted" / "pretrain" / "checkpoints" / "step-00000004").is_dir()

    run_pretrain(values, Progress.silent())
    unbroken = load_task(finished / "pretrain" / "model").get_weights()
    resumed = load_task(folder / "interrupted" / "pretrain" / "model").get_weights()
    for left, right in zip(unbroken, resumed, strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_pretraining_that_diverges_is_told_with_its_step_and_steps_of_suspicion(finished, folder):
    wild = {"learning_rate": 1e30, "warmup_fraction": 0.0, "global_clipnorm": None}
    pretrain = experiment(folder).pretrain.model_dump(mode="json") | {"optimizer": wild}
    values = experiment(folder, output_dir=str(folder / "wild"), pretrain=pretrain, finetune=None)
    with pytest.raises(UserError, match=r"diverged.* after step \d+, at a learning rate of"):
        run_pretrain(values, Progress.silent())
    record = json.loads((folder / "wild" / "pretrain" / "divergence.json").read_text())
    assert record["divergence"]["step"] in (2, 4, 6, 8)


def test_two_runs_with_one_seed_give_the_same_figures(finished, folder):
    other = experiment(folder, output_dir=str(folder / "again"))
    run_finetune(other, Progress.silent())
    for name in ("pretrained", "lstm"):
        first = RunDirectory(finished / "finetune" / name / "seed-0").read_report()
        second = RunDirectory(folder / "again" / "finetune" / name / "seed-0").read_report()
        assert first["test"] == second["test"]


def test_prediction_and_evaluation_use_the_finished_run(finished, folder, tmp_path):
    run = finished / "finetune" / "lstm" / "seed-0"
    answers = list(predict_run(run, ["Rain and wind and snow.", "", "🌧️"]))
    assert [set(answer["probabilities"]) for answer in answers] == [set(TOPICS)] * 3
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)

    table = write_table(folder / "fresh.csv", per_class=10, seed=9)
    figures = evaluate_run(run, TableSource(paths=[str(table)], label_column="label"), tmp_path)
    assert figures["examples"] == 30
    assert json.loads((tmp_path / "evaluation.json").read_text()) == figures


def test_an_unfinished_or_foreign_directory_is_refused(finished, tmp_path):
    with pytest.raises(UserError, match="no report.json"):
        list(predict_run(tmp_path, ["x"]))
    with pytest.raises(UserError, match="'pretrain'"):
        list(predict_run(finished / "pretrain", ["x"]))


def test_a_table_alone_is_enough(folder):
    both = experiment(folder).finetune
    alone = both.model_copy(update={"candidates": {"lstm": both.candidates["lstm"]}})
    finetune = alone.model_dump(mode="json")
    values = experiment(folder, output_dir=str(folder / "alone"), corpus=None, pretrain=None, finetune=finetune)
    run_finetune(values, Progress.silent())
    assert (folder / "alone" / "report.md").is_file()


def test_tensorboard_shows_figures_configuration_and_filled_masks(finished):
    events = EventAccumulator(str(finished / "pretrain" / "logs"), size_guidance={"tensors": 0}).Reload()
    tags = set(events.Tags()["tensors"])
    figures = {
        "loss",
        "masked_lm_accuracy",
        "masked_lm_perplexity",
        "learning_rate",
        "gradient_norm",
        "parameter_norm",
    }
    assert {f"train/{name}" for name in figures} | {
        "machine/tokens_per_second",
        "validation/loss",
        "configuration",
        "filled_masks",
    } <= tags
    assert [event.step for event in events.Tensors("train/loss")] == [2, 4, 6, 8]
    shown = events.Tensors("filled_masks")[-1].tensor_proto.string_val[0].decode()
    assert shown.startswith("- ")
    assert "**" in shown
