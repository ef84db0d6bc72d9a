"""Strategies from the command line: several replicas, several workers, and what a machine cannot serve."""

import signal
import subprocess
import time

import numpy as np
import pytest

from tests.command_line import assert_told_cleanly, assert_told_cleanly_after_messages, start_tfplm, tfplm, write_yaml
from tests.trainers.local_cluster import tf_configs
from tests.written_corpus import write_corpus, write_table
from tfplm.errors import UserError
from tfplm.run_directory import RunDirectory
from trainers.distribute import require_whole_parts

TINY_BERT = {"type": "bert", "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}
EXPERIMENT = {
    "output_dir": "out",
    "corpus": {"sources": [{"type": "text", "paths": ["text/*.txt"]}], "validation_fraction": 0.2},
    "tokenizer": {"vocabulary_size": 80, "min_frequency": 1},
    "pretrain": {
        "model": TINY_BERT | {"max_sequence_length": 32},
        "sequence_length": 32,
        "batch_size": 8,
        "steps": 4,
        "log_every": 2,
        "checkpoint_every": 2,
        "validation_batches": 2,
    },
    "finetune": {
        "data": {"train": {"type": "table", "paths": ["table.csv"], "label_column": "label"}},
        "candidates": {"pretrained": {"initialize_from": "pretrain", "epochs": 2}},
        "sequence_length": 32,
        "batch_size": 8,
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distribute")
    write_corpus(folder / "text")
    write_table(folder / "table.csv")
    write_yaml(folder / "config.yaml", EXPERIMENT)
    return folder


def losses(run) -> list[float]:
    history = RunDirectory(run).read_report()["history"]
    return [entry[name] for entry in history for name in ("loss", "val_loss") if name in entry]


def test_replicas_and_workers_leave_what_one_process_leaves(folder):
    """The whole way to the classifier: one process with two replicas, and two workers that share a folder."""
    workers = [
        start_tfplm(folder, "finetune", "config.yaml", "output_dir=workers", TF_CONFIG=config)
        for config in tf_configs(2)
    ]
    mirrored = start_tfplm(folder, "finetune", "config.yaml", "output_dir=mirrored", "runtime.logical_cpus=2")
    for process in (*workers, mirrored):
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    for stage in ("pretrain", "finetune/pretrained/seed-0"):
        np.testing.assert_allclose(losses(folder / "workers" / stage), losses(folder / "mirrored" / stage), rtol=1e-5)
    events = list((folder / "workers" / "pretrain" / "logs").rglob("events.*"))
    assert len(events) == 1  # the chief's alone


def test_workers_that_were_preempted_together_go_on_together(folder):
    """SIGTERM comes to one of two workers: both end behind the same step, and the same commands finish the run."""
    longer = ["pretrain", "config.yaml", "pretrain.steps=300", "pretrain.log_every=20", "pretrain.checkpoint_every=20"]

    def start_workers() -> list[subprocess.Popen]:
        return [start_tfplm(folder, *longer, "output_dir=preempted", TF_CONFIG=config) for config in tf_configs(2)]

    workers = start_workers()
    checkpoints = folder / "preempted" / "pretrain" / "checkpoints"
    while not list(checkpoints.glob("step-*")) and all(worker.poll() is None for worker in workers):
        time.sleep(0.05)
    workers[1].send_signal(signal.SIGTERM)
    for worker in workers:
        _, errors = worker.communicate(timeout=120)
        assert worker.returncode == 143, errors
        assert "preempted: saved at step" in errors
    for worker in start_workers():
        _, errors = worker.communicate(timeout=300)
        assert worker.returncode == 0, errors
        assert "going on from the checkpoint of step" in errors
    assert tfplm(folder, *longer, "output_dir=unbroken", "runtime.strategy=one_device").returncode == 0
    last = [losses(folder / run / "pretrain")[-1] for run in ("preempted", "unbroken")]
    assert last[0] == pytest.approx(last[1], rel=1e-4)  # of 300 steps, by two roads that round differently


def test_mirrored_without_gpus_is_refused(folder):
    assert_told_cleanly(tfplm(folder, "pretrain", "config.yaml", "runtime.strategy=mirrored"), "no GPU", "logical_cpus")


@pytest.mark.parametrize(
    ("strategy", "config", "found"),
    [
        ("multi_worker", "", "TF_CONFIG"),
        ("auto", '{"cluster": {', "TF_CONFIG"),
        ("one_device", tf_configs(2)[0], "2 workers"),
    ],
)
def test_a_cluster_that_does_not_fit_is_refused(folder, strategy, config, found):
    answer = tfplm(folder, "pretrain", "config.yaml", f"runtime.strategy={strategy}", tf_config=config)
    assert_told_cleanly(answer, found)


def test_a_batch_that_does_not_divide_is_refused(folder):
    with pytest.raises(UserError, match="Expected a multiple of 6") as caught:
        require_whole_parts(32, accumulation_steps=2, num_replicas=3)
    assert "30 or 36" in str(caught.value)
    answer = tfplm(folder, "pretrain", "config.yaml", "output_dir=odd", "runtime.logical_cpus=3")
    assert_told_cleanly_after_messages(answer, "batch_size is 8", "multiple of 3")
