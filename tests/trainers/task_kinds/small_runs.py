"""A run of any kind of task, trained in a moment."""

from pathlib import Path

from tests.workplace import alone
from tfplm.finetuning_configuration import EncoderFinetuneConfig
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory
from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.wordpiece import SPECIAL_TOKENS, WordPieceTokenizer
from tfplm.training_configuration import RuntimeConfig
from trainers.finetune import Finetuner, KindData
from trainers.task_kinds.registry import kind_of


def tokenizer_of(words: list[str]) -> WordPieceTokenizer:
    """A tokenizer that knows some words; other text is unknown."""
    vocabulary = [*SPECIAL_TOKENS, *words]
    return WordPieceTokenizer(vocabulary, WordPieceConfig(vocabulary_size=len(vocabulary)))


def train_once(config: EncoderFinetuneConfig, tokenizer: WordPieceTokenizer, folder: Path) -> RunDirectory:
    """Trains the first candidate with the seed 0."""
    kind = kind_of(config)
    tuner = Finetuner(config, RuntimeConfig(), KindData(kind, kind.load(0)), tokenizer, Progress.silent(), alone())
    run = RunDirectory(folder)
    run.path.mkdir(parents=True, exist_ok=True)
    name, candidate = next(iter(config.candidates.items()))
    tuner.train(name, candidate, None, run, 0, "mark")
    return run
