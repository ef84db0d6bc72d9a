"""A small pretrained run, and fine-tuning from it."""

import numpy as np

from tests.written_corpus import TOPICS, write_table
from tfplm.config import validate
from tfplm.experiment import ExperimentConfig
from tfplm.models.build import build_model
from tfplm.models.configuration import BertConfig
from tfplm.objectives import MaskedLmConfig
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory, write_config
from tfplm.tasks.masked_language_model import MaskedLanguageModel
from tfplm.tasks.saving import load_task, save_task
from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.training import train_wordpiece
from trainers.stages import run_finetune

TINY = BertConfig(num_layers=2, num_heads=2, hidden_dim=32, intermediate_dim=128, initializer_range=0.2)
TEXTS = [" ".join(words) for words in TOPICS.values()]
STEPS_PER_EPOCH = 5


def write_base(path) -> RunDirectory:
    """A pretrained run; every one has other weights."""
    run = RunDirectory(path)
    tokenizer = train_wordpiece(TEXTS * 3, WordPieceConfig(vocabulary_size=80, min_frequency=1))
    tokenizer.save(run.tokenizer)
    save_task(MaskedLanguageModel(build_model(TINY, tokenizer.vocabulary_size), MaskedLmConfig()), run.model)
    write_config(run, {"stage": "pretrain"})
    run.write_report("pretrain", "mark", {})
    return run


def finetune(base: RunDirectory, folder, progress: Progress | None = None, **candidate) -> RunDirectory:
    """Trains on 40 texts in batches of 8, with a checkpoint behind every epoch; makes the texts if need be."""
    table = base.path.parent / "table.csv"
    if not table.exists():
        write_table(table, per_class=19)
    values = {
        "output_dir": str(folder),
        "finetune": {
            "data": {
                "train": {"type": "table", "paths": [str(table)], "label_column": "label"},
                "split": {"validation": 0.0, "test": 0.3},  # what is left is of the last epoch
            },
            "candidates": {
                "tuned": {"initialize_from": str(base.path), "optimizer": {"learning_rate": 0.01}} | candidate
            },
            "sequence_length": 16,
            "batch_size": 8,
            "keep_final_checkpoint": True,
        },
    }
    config = validate(ExperimentConfig, values, "test")
    return RunDirectory(run_finetune(config, progress or Progress.silent()) / "tuned" / "seed-0")


def weights_of(run: RunDirectory) -> dict[str, np.ndarray]:
    """By path."""
    return {weight.path: weight.numpy() for weight in load_task(run.model).weights}


def moved(base: RunDirectory, run: RunDirectory) -> set[str]:
    """The weights of the encoder that are not those of the base any more."""
    before = weights_of(base)
    return {path for path, value in weights_of(run).items() if path in before and (before[path] != value).any()}
