"""What the stages ask of a kind of fine-tuning, and that of classifiers."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from tfplm.data.configuration import LabelledDataConfig, Source
from tfplm.data.labelled import LabelledData, held_out_groups, load_labelled
from tfplm.data.sources import source_paths
from tfplm.experiment import ExperimentConfig
from tfplm.finetuning_configuration import FinetuneConfig
from tfplm.progress import Progress
from tfplm.run_directory import fingerprint
from tfplm.tokenizers.tokenizer import Tokenizer
from trainers.candidate_trainer import CandidateTrainer
from trainers.comparison import write_comparison
from trainers.distribute import Workplace
from trainers.finetune import EncodedData, Finetuner


class Finetuning(ABC):
    """One experiment's fine-tuning; its data is read when it is first asked for."""

    @abstractmethod
    def training_texts(self) -> Iterable[str]:
        """What a vocabulary may be learned from, where there is no corpus."""

    @abstractmethod
    def held_out(self) -> set[str]:
        """What pretraining must not see; see `tfplm.data.labelled.held_out_groups`."""

    @property
    @abstractmethod
    def data_mark(self) -> str:
        """A fingerprint of the data and of how it is split."""

    @abstractmethod
    def trainer(self, tokenizer: Tokenizer, progress: Progress, place: Workplace) -> CandidateTrainer:
        """Encodes the data for the candidates of one tokenizer."""

    @abstractmethod
    def write_comparison(
        self, output: Path, reports: dict[str, list[dict]], pretraining: dict[str, dict], runs: dict[str, Path]
    ) -> dict:
        """Compares the candidates.

        Args:
            output: the experiment's folder, where the report goes.
            reports: for every candidate the report of each seed.
            pretraining: the report of the pretraining of those candidates that stand on one.
            runs: for every candidate the folder of its runs.

        Returns:
            What report.json holds; ``best`` and ``best_seed`` name the best run on validation.
        """

    @abstractmethod
    def result(self, report: dict) -> str | None:
        """The figure of a run that says most, in words."""


class ClassifierFinetuning(Finetuning):
    """Fine-tuning to a classifier.

    Args:
        experiment: with its ``finetune`` section.
    """

    def __init__(self, experiment: ExperimentConfig):
        self._config: FinetuneConfig = experiment.finetune
        self._runtime, self._seed = experiment.runtime, experiment.seed

    @cached_property
    def _labelled(self) -> LabelledData:
        return load_labelled(self._config.data, self._config.task.multi_label, self._seed)

    def training_texts(self) -> Iterable[str]:
        return self._labelled.train.texts

    def held_out(self) -> set[str]:
        return held_out_groups(self._config.data, self._config.task.multi_label, self._seed)

    @cached_property
    def data_mark(self) -> str:
        sources = _sources(self._config.data)
        content = [_digest(path) for source in sources for path in source_paths(source)]
        return fingerprint(self._config.data.model_dump(mode="json"), source_files(sources), content, self._seed)

    def trainer(self, tokenizer: Tokenizer, progress: Progress, place: Workplace) -> Finetuner:
        length = self._config.sequence_length
        encoded = EncodedData.encode(self._labelled, tokenizer, length)
        share = float((encoded.train_ids[:, -1] != tokenizer.pad_id).mean())
        if share > 0.1:
            progress.message(
                f"{share:.0%} of the training texts fill finetune.sequence_length {length}, and what is longer is cut."
            )
        return Finetuner(self._config, self._runtime, encoded, tokenizer, progress, place)

    def write_comparison(
        self, output: Path, reports: dict[str, list[dict]], pretraining: dict[str, dict], runs: dict[str, Path]
    ) -> dict:
        return write_comparison(output, self._config, reports, pretraining)

    def result(self, report: dict) -> str | None:
        for split in ("test", "validation"):
            if figures := report[split]:
                return f"accuracy {figures['accuracy']:.3f} on {figures['examples']} texts ({split})"
        return None


def source_files(sources: Iterable[Source]) -> list[tuple[str, int]]:
    """Names and sizes of the files of the sources: other files are other data."""
    return [(path.name, path.stat().st_size) for source in sources for path in source_paths(source)]


def _sources(data: LabelledDataConfig) -> list[Source]:
    return [source for source in (data.train, data.validation, data.test) if source is not None]


def _digest(path: Path) -> str:
    """Of the file's content: a label that is corrected changes neither its name nor, often, its size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:16]
