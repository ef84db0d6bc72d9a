"""Assignments for small files."""

from pathlib import Path

from benchmarks.tasks.assignment import Assignment
from benchmarks.tasks.sets import Recipe

TINY = Recipe(epochs=1, learning_rate=1e-3, batch_size=4, sequence_length=32, overlap=8, stride=8)


def assignment_of(folder: Path, **changes) -> Assignment:
    """One of a model from scratch for the files train.jsonl and test.jsonl of the folder, in its folder run."""
    values = {
        "kind": "text",
        "start": "scratch",
        "recipe": TINY,
        "seed": 0,
        "threads": 1,
        "train": str(folder / "train.jsonl"),
        "test": str(folder / "test.jsonl"),
        "checkpoint": str(folder / "no-checkpoint"),
        "imported": str(folder / "no-import"),
        "vocabulary": str(folder / "vocabulary"),
        "vocabulary_size": 100,
        "sizes": {"num_layers": 1, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32},
        "folder": str(folder / "run"),
    }
    return Assignment(**values | changes)
