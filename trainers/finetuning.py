"""What the stages ask of fine-tuning, and that of tasks that read a text."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from tfplm.data.configuration import Source
from tfplm.data.sources import source_paths
from tfplm.experiment import ExperimentConfig
from tfplm.finetuning_configuration import EncoderFinetuneConfig
from tfplm.progress import Progress
from tfplm.run_directory import fingerprint
from tfplm.tokenizers.tokenizer import Tokenizer
from trainers.candidate_trainer import CandidateTrainer
from trainers.comparison import write_comparison
from trainers.distribute import Workplace
from trainers.finetune import Finetuner, KindData
from trainers.task_kinds.registry import kind_of
from trainers.task_kinds.task_kind import TaskData


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


class TaskFinetuning(Finetuning):
    """Fine-tuning to a task that reads a text.

    Args:
        experiment: with its ``finetune`` section.
    """

    def __init__(self, experiment: ExperimentConfig):
        self._config: EncoderFinetuneConfig = experiment.finetune
        self._runtime, self._seed = experiment.runtime, experiment.seed
        self._kind = kind_of(self._config)

    @cached_property
    def _data(self) -> TaskData:
        return self._kind.load(self._seed)

    def training_texts(self) -> Iterable[str]:
        return self._kind.training_texts(self._data)

    def held_out(self) -> set[str]:
        return self._kind.held_out(self._seed)

    @cached_property
    def data_mark(self) -> str:
        paths = self._kind.paths()
        names = [(path.name, path.stat().st_size) for path in paths]
        content = [_digest(path) for path in paths]
        return fingerprint(self._config.data.model_dump(mode="json"), names, content, self._seed)

    def trainer(self, tokenizer: Tokenizer, progress: Progress, place: Workplace) -> Finetuner:
        encoded = KindData(self._kind, self._data)
        return Finetuner(self._config, self._runtime, encoded, tokenizer, progress, place)

    def write_comparison(
        self, output: Path, reports: dict[str, list[dict]], pretraining: dict[str, dict], runs: dict[str, Path]
    ) -> dict:
        return write_comparison(output, self._config, self._kind, reports, pretraining)

    def result(self, report: dict) -> str | None:
        key, name = next(iter(self._kind.figure_names.items()))
        for split in ("test", "validation"):
            if figures := report[split]:
                value = figures[key]
                shown = "not defined" if value is None else f"{value:.3f}"
                return f"{name} {shown} on {figures['examples']} texts ({split})"
        return None


def source_files(sources: Iterable[Source]) -> list[tuple[str, int]]:
    """Names and sizes of the files of the sources: other files are other data."""
    return [(path.name, path.stat().st_size) for source in sources for path in source_paths(source)]


def _digest(path: Path) -> str:
    """Of the file's content: a label that is corrected changes neither its name nor, often, its size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:16]
