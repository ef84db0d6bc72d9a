"""An experiment of seconds, and what interrupts it."""

import contextlib
from pathlib import Path

from tests.written_corpus import write_table
from tfplm.config import validate
from tfplm.experiment import ExperimentConfig
from tfplm.progress import Progress

LSTM = {"type": "lstm", "embedding_dim": 8, "hidden_dim": 8, "max_sequence_length": 16}


def small_experiment(folder: Path, candidates: int = 1, data: dict | None = None, **finetune) -> ExperimentConfig:
    """One or two LSTMs of eight units on 60 short texts of three classes."""
    if not (folder / "table.csv").exists():
        write_table(folder / "table.csv", per_class=20)
    sizes = {f"lstm{hidden_dim}": LSTM | {"hidden_dim": hidden_dim} for hidden_dim in (8, 4)[:candidates]}
    values = {
        "output_dir": str(folder / "run"),
        "tokenizer": {"vocabulary_size": 60, "min_frequency": 1},
        "finetune": {
            "data": {
                "train": {"type": "table", "paths": [str(folder / "table.csv")], "label_column": "label"},
                **(data or {}),
            },
            "candidates": {
                name: {"model": model, "epochs": 1, "optimizer": {"learning_rate": 0.02}}
                for name, model in sizes.items()
            },
            "sequence_length": 16,
            "batch_size": 8,
            **finetune,
        },
    }
    return validate(ExperimentConfig, values, "test")


class CountedTrainings(Progress):
    """Counts trainings, and presses Ctrl-C where one more begins than it allows."""

    def __init__(self, allowed: int = 1000):
        super().__init__(quiet=True)
        self._silent = True
        self.allowed, self.trainings = allowed, 0

    @contextlib.contextmanager
    def task(self, description, total, unit, completed=0):
        if unit == "steps":
            if self.trainings == self.allowed:
                raise KeyboardInterrupt
            self.trainings += 1
        with super().task(description, total, unit, completed) as task:
            yield task
