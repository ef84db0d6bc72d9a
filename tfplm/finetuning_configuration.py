"""The ``finetune`` section: candidates for a task, and what each kind of task wants."""

from typing import Annotated, Any, Literal, Union

from pydantic import Discriminator, Field, PositiveInt, Tag, model_validator

from tfplm.config import Config
from tfplm.data.configuration import LabelledDataConfig, ScoredDataConfig
from tfplm.data.pair_configuration import GenerationTaskConfig
from tfplm.data.tagged_configuration import TaggedDataConfig
from tfplm.generation.configuration import GenerationConfig
from tfplm.models.configuration import ModelConfig
from tfplm.tasks.configuration import (
    TextClassificationConfig,
    TextGenerationConfig,
    TextRegressionConfig,
    TokenClassificationConfig,
)
from tfplm.training_configuration import Name, OptimizerConfig, Seeds, TrainingConfig

ENCODER_DECODERS = ("t5", "lstm_seq2seq")
SEES_BOTH_SIDES = "an LSTM that sees both directions is no language model: set model.bidirectional: false"


class CandidateConfig(Config):
    """One way to the task: from a pretrained run, or a model from scratch."""

    initialize_from: str | None = None  # "pretrain" (this file's own) or the directory of a pretrained run
    model: ModelConfig | None = None
    epochs: PositiveInt = 10
    optimizer: OptimizerConfig = OptimizerConfig()

    @model_validator(mode="after")
    def _has_one_origin(self) -> "CandidateConfig":
        if (self.initialize_from is None) == (self.model is None):
            raise ValueError("give either initialize_from or model")
        return self


Candidates = Annotated[dict[Name, CandidateConfig], Field(min_length=1)]


class EncoderFinetuneConfig(TrainingConfig):
    """What fine-tuning to any task shares that reads a text and does not write one.

    Subclasses have ``data``, with the splits, and ``task``.
    """

    candidates: Candidates
    seeds: Seeds = [0]
    sequence_length: Annotated[int, Field(ge=3)] = 128
    packing: bool = False  # several short examples in a row of sequence_length tokens; batch_size counts rows then
    early_stopping_patience: PositiveInt | None = None  # epochs without a better validation metric

    @model_validator(mode="after")
    def _patience_has_something_to_watch(self) -> "EncoderFinetuneConfig":
        if self.early_stopping_patience and self.data.validation is None and not self.data.split.validation:
            raise ValueError("early_stopping_patience needs validation data: set data.split.validation")
        return self

    def tokens_read(self, model: ModelConfig) -> tuple[str, int]:
        """The most tokens that ``model`` reads at once, and the settings that say so."""
        return "sequence_length", self.sequence_length


class FinetuneConfig(EncoderFinetuneConfig):
    """Fine-tuning to a classifier of texts or of pairs: every candidate with every seed on the same data."""

    data: LabelledDataConfig
    task: TextClassificationConfig = TextClassificationConfig()
    validation_metric: Literal["accuracy", "macro_f1", "loss"] = "accuracy"


class TaggingFinetuneConfig(EncoderFinetuneConfig):
    """Fine-tuning to a tagger, which finds labelled spans: every candidate with every seed on the same data."""

    data: TaggedDataConfig
    task: TokenClassificationConfig
    validation_metric: Literal["span_f1", "accuracy", "macro_f1", "loss"] = "span_f1"


class RegressionFinetuneConfig(EncoderFinetuneConfig):
    """Fine-tuning to a number for a text or a pair of texts."""

    data: ScoredDataConfig
    task: TextRegressionConfig
    validation_metric: Literal["pearson", "loss"] = "pearson"


class GenerationFinetuneConfig(TrainingConfig):
    """Fine-tuning of models that write, to one task or to several told apart by their prefixes."""

    task: TextGenerationConfig
    tasks: Annotated[dict[Name, GenerationTaskConfig], Field(min_length=1)]
    candidates: Candidates
    seeds: Seeds = [0]
    source_length: Annotated[int, Field(ge=3)] = 128  # tokens with the prefix; longer sources are cut
    target_length: Annotated[int, Field(ge=2)] = 64  # tokens with the end; longer targets are cut
    early_stopping_patience: PositiveInt | None = None  # epochs without a better validation metric
    validation_metric: Literal["loss", "token_accuracy"] = "loss"
    generation: GenerationConfig = GenerationConfig()  # how the answers are written that the metrics judge
    evaluation_examples: PositiveInt = 200  # of each task, that are answered and judged
    metric: Literal["bleu", "chrf", "rouge_1", "rouge_2", "rouge_l", "exact_match"] = "chrf"  # says who is ahead
    bleu_tokenizer: Literal["auto", "13a", "zh", "char"] = "auto"  # auto: by the script of the references

    @property
    def prefixes(self) -> dict[str, str]:
        """By task, what stands before every source."""
        return {name: task.prefix for name, task in self.tasks.items()}

    @model_validator(mode="after")
    def _tasks_differ(self) -> "GenerationFinetuneConfig":
        prefixes = [task.prefix for task in self.tasks.values()]
        if len(set(prefixes)) < len(prefixes):
            raise ValueError("two tasks have the same prefix: the model could not tell them apart")
        if self.early_stopping_patience and not any(
            task.data.validation is not None or task.data.split.validation for task in self.tasks.values()
        ):
            raise ValueError("early_stopping_patience needs validation data: set data.split.validation of a task")
        return self

    @model_validator(mode="after")
    def _candidates_write(self) -> "GenerationFinetuneConfig":
        for name, candidate in self.candidates.items():
            if candidate.model is not None and candidate.model.type == "bert":
                raise ValueError(f"candidates.{name}: a bert model does not write; take gpt, lstm, t5 or lstm_seq2seq")
            if candidate.model is not None and candidate.model.type == "lstm" and candidate.model.bidirectional:
                raise ValueError(f"candidates.{name}: {SEES_BOTH_SIDES}")
        return self

    def tokens_read(self, model: ModelConfig) -> tuple[str, int]:
        """The most tokens that ``model`` reads at once, and the settings that say so."""
        source, target = self.source_length, self.target_length
        if model.type in ENCODER_DECODERS:
            return ("source_length", source) if source > target else ("target_length", target)
        new = self.generation.max_new_tokens
        if new > target:
            return "source_length + generation.max_new_tokens", source + new
        return "source_length + target_length", source + target


# By the type of the task; sections without one are of the first.
_KINDS: dict[str, type[TrainingConfig]] = {
    "text_classification": FinetuneConfig,
    "token_classification": TaggingFinetuneConfig,
    "text_regression": RegressionFinetuneConfig,
    "text_generation": GenerationFinetuneConfig,
}


def _finetuning_kind(values: Any) -> str | None:
    """The class that a ``finetune`` section is read as; its task's type says so. None: it cannot be told."""
    if isinstance(values, Config):
        return type(values).__name__
    task = (values.get("task") or {}) if isinstance(values, dict) else None
    if not isinstance(task, dict):
        return None
    kind = task.get("type", next(iter(_KINDS)))
    return _KINDS[kind].__name__ if isinstance(kind, str) and kind in _KINDS else None


_TASK_NAMES = ", ".join(_KINDS)
Finetuning = Annotated[
    Union[tuple(Annotated[config, Tag(config.__name__)] for config in _KINDS.values())],  # noqa: UP007  of a table
    Discriminator(
        _finetuning_kind,
        custom_error_type="finetuning_kind",
        custom_error_message=f"expected settings with task.type {_TASK_NAMES}, or with none for the first of them",
    ),
]
