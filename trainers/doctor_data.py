"""How much there is to learn from, as far as it is known before anything is prepared."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from tfplm.data.configuration import HuggingFaceSource, Source, TfdsSource
from tfplm.data.file_paths import expand_package_paths, expand_paths
from tfplm.data.pair_configuration import (
    AdjacentSentencesSource,
    AlignedHtmlSource,
    PairSource,
    RestorationSource,
)
from tfplm.data.pairs import PairData, load_tasks, prompts
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.finetuning_configuration import EncoderFinetuneConfig, GenerationFinetuneConfig
from tfplm.models.configuration import ModelConfig
from tfplm.run_directory import RunDirectory
from trainers.costs.families import FAMILIES
from trainers.diagnosis import Finding
from trainers.task_kinds.registry import kind_of
from trainers.task_kinds.task_kind import TaskData, TaskKind

_BYTES_A_TOKEN = 4.5  # of English text in a vocabulary of some thousand tokens, as prepared here
_COMPRESSION = {".gz": 3.0, ".zst": 3.0, ".xz": 4.0, ".bz2": 4.0, ".parquet": 2.0}  # text for every byte of the file
_READ_BYTES = 2**25  # what is read to count examples
_MANY_CUT = 0.1  # of the texts

Tell = Callable[[Finding], None]
Data = TypeVar("Data")


def corpus_tokens(experiment: ExperimentConfig, tell: Tell) -> int | None:
    """Tokens to pretrain on: counted where the corpus is prepared, else from the sizes of the files."""
    run = RunDirectory(Path(experiment.output_dir) / "corpus")
    if run.is_complete():
        report = run.read_report()
        return report["tokens"] - report["validation_tokens"]
    text = _text_bytes(experiment.corpus.sources, "corpus", tell) if experiment.corpus else None
    return None if text is None else round(text / _bytes_a_token(experiment))


class Examples(ABC):
    """What a model is fine-tuned on.

    Args:
        experiment: with a ``finetune`` section.
        tell: takes what is found on the way.
    """

    def __init__(self, experiment: ExperimentConfig, tell: Tell):
        self.experiment, self.config, self.tell = experiment, experiment.finetune, tell

    @property
    @abstractmethod
    def num_train(self) -> int | None:
        """The number of training examples; None where they are too many, or not there, to be read at once."""

    @abstractmethod
    def steps_per_epoch(self, model: ModelConfig) -> int | None:
        """Of training; None where it is not known."""

    @abstractmethod
    def cut_and_padded(self) -> Iterator[Finding]:
        """What the lengths of rows do to the texts, where the tokenizer is there already."""

    @property
    def num_classes(self) -> int:
        """Of the classifier; 2 where it is not known."""
        return 2

    def findings(self) -> Iterator[Finding]:
        """What to know of the examples."""
        size = self.config.batch_size
        if self.num_train is None:
            return
        if self.num_train < size:
            yield Finding(
                "warning",
                f"{self.num_train} training examples do not fill a batch of {size}.",
                "Lower finetune.batch_size.",
            )
        yield from self.cut_and_padded()

    @cached_property
    def _tokenizer(self):
        """That of this experiment, where it is there already."""
        run = RunDirectory(Path(self.experiment.output_dir) / "tokenizer")
        if not run.is_complete():
            return None
        from tfplm.tokenizers.loading import load_tokenizer

        return load_tokenizer(run.tokenizer)

    def _read(self, sources: list[Source | PairSource], section: str, load: Callable[[], Data]) -> Data | None:
        """What ``load`` gives, where the sources are small enough to be read at once."""
        size = _text_bytes(sources, section, self.tell)
        if size is None or size > _READ_BYTES:
            return None
        try:
            return load()
        except UserError as error:
            self.tell(Finding.of_error("stop", error))
            return None


class TaskExamples(Examples):
    """Texts with what a task that reads them says of them."""

    config: EncoderFinetuneConfig

    @cached_property
    def _kind(self) -> TaskKind:
        return kind_of(self.config)

    @cached_property
    def _data(self) -> TaskData | None:
        return self._read(self.config.data.sources, "finetune.data", lambda: self._kind.load(self.experiment.seed))

    @property
    def num_train(self) -> int | None:
        return None if self._data is None else len(self._data.train)

    @property
    def num_classes(self) -> int:
        return super().num_classes if self._data is None else max(1, len(self._data.class_names))

    def steps_per_epoch(self, model: ModelConfig) -> int | None:
        if self._data is None:
            return None
        return math.ceil(self._kind.num_rows(self._data, self.config.sequence_length) / self.config.batch_size)

    def cut_and_padded(self) -> Iterator[Finding]:
        if self._tokenizer is None or not self._kind.cuts_texts:
            return
        length, lengths = self.config.sequence_length, self._kind.row_lengths(self._data, self._tokenizer)
        yield from _many_cut("texts", "sequence_length", self.config, (lengths >= length).mean())
        if not self.config.packing:
            filled = np.minimum(lengths, length).mean() / length
            can_pack = type(self.config).model_fields["packing"].annotation is bool
            pack = "Set finetune.packing: true, or" if can_pack else "Set"
            yield from _much_padding(filled, f"{pack} a shorter sequence_length.")


class PairExamples(Examples):
    """Sources with targets, for models that write."""

    config: GenerationFinetuneConfig

    @cached_property
    def _data(self) -> PairData | None:
        data = [task.data for task in self.config.tasks.values()]
        sources = [source for of_task in data for source in (of_task.train, of_task.validation, of_task.test) if source]
        loaded = self._read(sources, "finetune.tasks", lambda: load_tasks(self.config.tasks, self.experiment.seed))
        for warning in loaded.figures["warnings"] if loaded is not None else ():
            self.tell(Finding("warning", warning))
        return loaded

    @property
    def num_train(self) -> int | None:
        return None if self._data is None else len(self._data.train)

    def steps_per_epoch(self, model: ModelConfig) -> int | None:
        """Encoder-decoders read a pair a row; for decoders the rows are filled, and their number is estimated."""
        if self._data is None:
            return None
        if FAMILIES[model.type].is_encoder_decoder:
            return math.ceil(len(self._data.train) / self.config.batch_size)
        sources = prompts(self._data.train, self.config.prefixes, self.config.task.separator)
        tokens = self._tokens(sources, self.config.source_length)
        tokens += self._tokens(self._data.train.targets, self.config.target_length)
        length = self.config.source_length + self.config.target_length
        return math.ceil(tokens / (length * self.config.batch_size))

    def _tokens(self, texts: list[str], most: int) -> float:
        """About, of all texts together, each with a special id and cut to ``most``."""
        a_token = _bytes_a_token(self.experiment)
        return sum(min(1 + len(text.encode("utf-8", "surrogatepass")) / a_token, most) for text in texts)

    def cut_and_padded(self) -> Iterator[Finding]:
        if self._tokenizer is None:
            return
        from tfplm.data.encoded_pairs import encode_pairs
        from tfplm.data.pair_batches import Seq2SeqBatches

        config, encoded = self.config, encode_pairs(self._tokenizer, self._data.train, self.config.prefixes)
        lengths = {"source_length": config.source_length, "target_length": config.target_length}
        batches = Seq2SeqBatches(encoded, *lengths.values(), config.batch_size, None)
        for side, num_cut in batches.num_cut.items():
            yield from _many_cut(side, f"{side.removesuffix('s')}_length", config, num_cut / len(encoded))


def examples_of(experiment: ExperimentConfig, tell: Tell) -> Examples:
    """The examples of the kind that the experiment's fine-tuning takes."""
    kind = PairExamples if isinstance(experiment.finetune, GenerationFinetuneConfig) else TaskExamples
    return kind(experiment, tell)


def _many_cut(
    what: str, setting: str, config: EncoderFinetuneConfig | GenerationFinetuneConfig, share: float
) -> Iterator[Finding]:
    if share > _MANY_CUT:
        yield Finding(
            "warning",
            f"{share:.0%} of the training {what} fill finetune.{setting} {getattr(config, setting)}, and what is "
            "longer is cut.",
            "Raise it, if the model's max_sequence_length allows.",
        )


def _much_padding(filled: float, remedy: str) -> Iterator[Finding]:
    if filled < 0.5:
        yield Finding("note", f"{1 - filled:.0%} of what fine-tuning computes is padding.", remedy)


def _bytes_a_token(experiment: ExperimentConfig) -> float:
    return 1.0 if experiment.tokenizer.type == "bytes" else _BYTES_A_TOKEN


def _text_bytes(sources: list[Source | PairSource], section: str, tell: Tell) -> float | None:
    """Size of the text in files; None, and a finding, where it is not known."""
    of_text = RestorationSource | AdjacentSentencesSource
    texts = [source.text if isinstance(source, of_text) else source for source in sources]
    if any(isinstance(source, HuggingFaceSource | TfdsSource) for source in texts):
        tell(Finding("note", f"{section}: the size of a dataset is known once it is read."))
        return None
    try:
        paths = [path for source in texts for path in _paths(source)]
    except UserError as error:
        tell(Finding("warning", f"{section}: the text is not there yet. {error.found}", error.remedy))
        return None
    return sum(path.stat().st_size * _COMPRESSION.get(path.suffix, 1.0) for path in paths)


def _paths(source: Source | PairSource) -> list[Path]:
    if isinstance(source, AlignedHtmlSource):
        folders = (source.source_folder, source.target_folder)
        return [path for folder in folders for path in expand_paths([str(Path(folder).expanduser() / source.pattern)])]
    if getattr(source, "package", None) is not None:
        return [path for path, _ in expand_package_paths(source.package, source.paths)]
    return expand_paths(source.paths)
