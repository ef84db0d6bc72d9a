"""The command line as a user has it, and small inputs for it."""

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "tfplm"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
ENVIRONMENT["PYTHONPATH"] = str(ROOT)
TINY_BERT = {
    "type": "bert",
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 32,
    "max_sequence_length": 32,
}
TINY_LSTM = {"type": "lstm", "embedding_dim": 8, "hidden_dim": 8, "max_sequence_length": 32}
WORDS = {
    "fruit": "apple pear plum cherry orange lemon melon grape",
    "animal": "horse sheep tiger eagle salmon rabbit donkey camel",
    "tool": "hammer saw drill wrench chisel pliers screwdriver axe",
}


def tfplm(folder: Path, *arguments: str | Path, tf_config: str = "", **options) -> subprocess.CompletedProcess:
    """Runs the command in ``folder``."""
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 300} | options
    if "input" in options:
        del options["stdin"]
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=folder, env=ENVIRONMENT | {"TF_CONFIG": tf_config}, **options
    )


def start_tfplm(folder: Path, *arguments: str | Path, **environment: str) -> subprocess.Popen:
    """Starts the command in ``folder``, with variables of the environment, and does not wait for it."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.Popen(command, cwd=folder, env=ENVIRONMENT | environment, text=True, **pipes)


def write_yaml(path: Path, values: dict) -> Path:
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def sentence(kind: str, chance: random.Random) -> str:
    return f"the {' and the '.join(chance.sample(WORDS[kind].split(), 3))} of {chance.randrange(1000)}"


def write_table(path: Path, rows: int = 90, kinds: tuple[str, ...] = tuple(WORDS), seed: int = 0) -> Path:
    """Writes labelled sentences whose words give their label away."""
    chance = random.Random(seed)
    lines = [f"{sentence(kinds[row % len(kinds)], chance)},{kinds[row % len(kinds)]}" for row in range(rows)]
    path.write_text("\n".join(["review,kind", *lines]), encoding="utf-8")
    return path


def finetune_config(train: str = "train.csv", **data) -> dict:
    return {
        "output_dir": "out",
        "tokenizer": {"vocabulary_size": 80, "min_frequency": 1},
        "finetune": {
            "data": {
                "train": {"type": "table", "paths": [train], "text_column": "review", "label_column": "kind"},
                **data,
            },
            "candidates": {"lstm": {"model": TINY_LSTM, "epochs": 1}},
            "sequence_length": 16,
            "batch_size": 16,
        },
    }


def prepare_config(path: str = "corpus.txt", **tokenizer) -> dict:
    return {
        "output_dir": "out",
        "tokenizer": {"vocabulary_size": 80, "min_frequency": 1, **tokenizer},
        "corpus": {"sources": [{"type": "text", "paths": [path], "document": "line"}]},
    }


def assert_told_cleanly(answer: subprocess.CompletedProcess, *parts: str) -> None:
    assert answer.returncode == 2, answer.stderr
    assert answer.stderr.startswith("error: ")
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""
    for part in parts:
        assert part in answer.stderr


def assert_told_cleanly_after_messages(answer: subprocess.CompletedProcess, *parts: str) -> None:
    """As assert_told_cleanly, for a command that has done something before it stopped."""
    assert answer.returncode == 2, answer.stderr
    assert "Traceback" not in answer.stderr
    message = answer.stderr[answer.stderr.index("error: ") :]
    for part in parts:
        assert re.search(part, message), message
