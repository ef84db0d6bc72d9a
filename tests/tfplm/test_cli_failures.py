import concurrent.futures
import functools
import gzip
import json
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.command_line import (
    COMMAND,
    ENVIRONMENT,
    TINY_BERT,
    WORDS,
    assert_told_cleanly_after_messages,
    finetune_config,
    prepare_config,
    sentence,
    tfplm,
    write_table,
    write_yaml,
)

# Text and tables that cannot be used: one process each, several at a time.


def write_bad_inputs(folder: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Writes every case in a folder of its own; returns its command and what the message has to name."""
    cases: dict[str, tuple[list[str], list[str]]] = {}

    def case(name: str, values: dict, *parts: str) -> Path:
        place = folder / name
        place.mkdir()
        write_yaml(place / "x.yaml", values)
        cases[name] = (["prepare" if "corpus" in values else "finetune", "x.yaml"], list(parts))
        return place

    case("missing text", prepare_config(), "corpus.txt")
    case("missing table", finetune_config(), "train.csv")
    (case("folder for a file", prepare_config(), "corpus.txt") / "corpus.txt").mkdir()
    (case("empty corpus", prepare_config(), "corpus.txt") / "corpus.txt").write_text(" \n\n", encoding="utf-8")
    (case("binary data", prepare_config(), "corpus.txt") / "corpus.txt").write_bytes(bytes(range(256)) * 40)
    bad_bytes = case("invalid UTF-8", prepare_config(), "corpus.txt", "UTF-8") / "corpus.txt"
    bad_bytes.write_bytes("a good line\nthe caf\xe9 is closed\n".encode("latin-1") * 20)
    (case("very long line", prepare_config(), "corpus.txt") / "corpus.txt").write_bytes(b"word " * 10_000_000)
    broken = case("broken gzip", prepare_config("corpus.txt.gz"), "corpus.txt.gz") / "corpus.txt.gz"
    broken.write_bytes(gzip.compress(b"some words\n" * 1000)[:-20])
    few = case("vocabulary over the text", prepare_config(vocabulary_size=5000), "5,000|5000", "vocabulary_size")
    (few / "corpus.txt").write_text("a few words of text\n" * 20, encoding="utf-8")
    wrong_column = finetune_config()
    wrong_column["finetune"]["data"]["train"]["text_column"] = "text"
    write_table(case("missing column", wrong_column, "train.csv", "'text'", "'review'") / "train.csv")
    write_table(case("one class", finetune_config(), "fruit") / "train.csv", kinds=("fruit",))
    test = {"type": "table", "paths": ["test.csv"], "text_column": "review", "label_column": "kind"}
    unseen = case("unseen label", finetune_config(test=test), "test.csv", "tool")
    write_table(unseen / "train.csv", kinds=("fruit", "animal"))
    write_table(unseen / "test.csv", rows=12)
    empty = case("empty table", finetune_config(), "train.csv")
    (empty / "train.csv").write_text("review,kind\n", encoding="utf-8")
    return cases


BAD_INPUTS = (
    "missing text|missing table|folder for a file|empty corpus|binary data|invalid UTF-8|very long line|broken gzip|"
    "vocabulary over the text|missing column|one class|unseen label|empty table"
).split("|")


@pytest.fixture(scope="module")
def bad_input_answers(tmp_path_factory) -> dict[str, tuple]:
    folder = tmp_path_factory.mktemp("bad")
    cases = write_bad_inputs(folder)
    with concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count())) as pool:
        answers = pool.map(lambda name: tfplm(folder / name, *cases[name][0]), cases)
        return {name: (folder / name, answer, cases[name][1]) for name, answer in zip(cases, answers, strict=True)}


def test_every_bad_input_is_tried(bad_input_answers):
    assert list(bad_input_answers) == BAD_INPUTS


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_bad_input_is_told_in_one_clear_message_and_leaves_nothing(bad_input_answers, name):
    folder, answer, parts = bad_input_answers[name]
    assert answer.returncode == 2, answer.stderr
    assert "Traceback" not in answer.stderr
    message = answer.stderr[answer.stderr.index("error: ") :]
    for part in parts:
        assert re.search(part, message), message
    assert len(message) < 1000
    left = [path for path in (folder / "out").rglob("*") if path.is_file()] if (folder / "out").exists() else []
    assert not left


def pretrain_config() -> dict:
    return prepare_config() | {
        "pretrain": {
            "model": TINY_BERT,
            "sequence_length": 32,
            "batch_size": 4,
            "steps": 400,
            "log_every": 20,
            "checkpoint_every": 20,
        }
    }


@pytest.fixture(scope="module")
def corpus_folder(tmp_path_factory) -> Path:
    """A folder with a configuration to pretrain on a small corpus."""
    folder = tmp_path_factory.mktemp("corpus")
    chance = random.Random(0)
    lines = [sentence(chance.choice(list(WORDS)), chance) for _ in range(1500)]
    (folder / "corpus.txt").write_text("\n".join(lines), encoding="utf-8")
    write_yaml(folder / "x.yaml", pretrain_config())
    return folder


def test_interrupted_training_goes_on_from_the_last_checkpoint(corpus_folder):
    checkpoints = corpus_folder / "out/pretrain/checkpoints"
    command = [*COMMAND, "pretrain", "x.yaml"]
    options = {"cwd": corpus_folder, "env": ENVIRONMENT, "stderr": subprocess.PIPE, "text": True}
    # As in a terminal, also where the tests themselves run in the background, where a shell ignores SIGINT.
    options["preexec_fn"] = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, **options) as running:
        deadline = time.monotonic() + 120
        while running.poll() is None and time.monotonic() < deadline and not list(checkpoints.glob("[!.]*")):
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, messages = running.communicate(timeout=60)
    assert running.returncode == 130, messages
    last_line = messages.splitlines()[-1]
    assert last_line == "interrupted: run the same command again to go on from the last checkpoint"
    assert "Traceback" not in messages

    answer = tfplm(corpus_folder, "pretrain", "x.yaml")
    assert answer.returncode == 0, answer.stderr
    assert int(re.search(r"from the checkpoint of step (\d+)", answer.stderr)[1]) >= 20
    assert json.loads((corpus_folder / "out/pretrain/report.json").read_text(encoding="utf-8"))["steps"] == 400


def test_full_disk_is_told_cleanly_and_leaves_nothing(tmp_path, corpus_folder):
    write_yaml(tmp_path / "x.yaml", pretrain_config() | {"output_dir": str(tmp_path / "small/out")})
    (tmp_path / "corpus.txt").write_bytes((corpus_folder / "corpus.txt").read_bytes())
    (tmp_path / "small").mkdir()
    script = (
        'mount -t tmpfs -o size=48k tmpfs small || exit 77; "$@"; status=$?; find small -type f >left; exit $status'
    )
    unshare = ["unshare", "--map-root-user", "--mount", "bash", "-c", script, "bash"]
    answer = subprocess.run(
        [*unshare, *COMMAND, "prepare", "x.yaml"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if answer.returncode == 77 or "unshare:" in answer.stderr:
        pytest.skip("this machine does not let a test mount a small disk")
    assert_told_cleanly_after_messages(answer, "[Nn]o space (is )?left")
    left = (tmp_path / "left").read_text(encoding="utf-8").split()
    assert all("/out/tokenizer/" in path for path in left)
