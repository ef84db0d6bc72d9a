"""The ``finetune`` section: candidates for a task, and what each kind of task wants."""

from typing import Annotated, Any, Literal, Union

from pydantic import Discriminator, Field, PositiveFloat, PositiveInt, Tag, model_validator

from tfplm.config import Config
from tfplm.data.choice_configuration import ChoiceDataConfig
from tfplm.data.configuration import LabelledDataConfig, ScoredDataConfig
from tfplm.data.embedding_configuration import EmbeddingDataConfig, has_scores
from tfplm.data.pair_configuration import GenerationTaskConfig
from tfplm.data.question_configuration import QuestionDataConfig
from tfplm.data.tagged_configuration import TaggedDataConfig
from tfplm.generation.configuration import GenerationConfig
from tfplm.models.configuration import ModelConfig
from tfplm.tasks.configuration import (
    MultipleChoiceConfig,
    QuestionAnsweringConfig,
    TextClassificationConfig,
    TextEmbeddingConfig,
    TextGenerationConfig,
    TextRegressionConfig,
    TokenClassificationConfig,
)
from tfplm.training_configuration import Name, OptimizerConfig, Seeds, TrainingConfig

ENCODER_DECODERS = ("t5", "lstm_seq2seq")
_SPECIAL_TOKENS = 4  # of a question and a passage in one row, at most
SEES_BOTH_SIDES = "an LSTM that sees both directions is no language model: set model.bidirectional: false"


class LoraConfig(Config):
    """Small matrices that are trained in place of the pretrained ones.

    Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", section 4.
    """

    rank: PositiveInt = 8  # of what is added to each matrix
    alpha: PositiveFloat = 16.0  # what is added counts alpha / rank times
    targets: Literal["attention", "all"] = "attention"  # the projections of attention; all: feed-forward layers too


class CandidateConfig(Config):
    """One way to the task: from a pretrained run, or a model from scratch."""

    initialize_from: str | None = None  # "pretrain" (this file's own) or the directory of a pretrained run
    model: ModelConfig | None = None
    epochs: PositiveInt = 10
    optimizer: OptimizerConfig = OptimizerConfig()
    layer_decay: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0  # of the learning rate, from a layer to the next lower
    unfreeze_every: PositiveInt | None = None  # epochs, until the next lower layer begins to learn; first the head
    freeze: Literal["none", "embeddings", "encoder"] = "none"  # what stays as it was pretrained
    lora: LoraConfig | None = None  # the pretrained weights stay, and adapters beside them are trained

    @model_validator(mode="after")
    def _has_one_origin(self) -> "CandidateConfig":
        if (self.initialize_from is None) == (self.model is None):
            raise ValueError("give either initialize_from or model")
        return self

    @model_validator(mode="after")
    def _keeps_only_what_was_learned(self) -> "CandidateConfig":
        kept = "lora" if self.lora is not None else "freeze" if self.freeze != "none" else None
        if kept and self.model is not None:
            raise ValueError(f"{kept} would keep the weights of a new model as they were drawn: give initialize_from")
        if self.lora is not None and self.freeze != "none":
            raise ValueError("lora keeps all pretrained weights already: leave freeze out")
        return self

    @model_validator(mode="after")
    def _layers_are_left_to_learn(self) -> "CandidateConfig":
        if self.freeze == "encoder" and (self.layer_decay < 1.0 or self.unfreeze_every):
            raise ValueError("freeze: encoder leaves no layer that layer_decay or unfreeze_every could be meant for")
        if self.unfreeze_every and self.unfreeze_every >= self.epochs:
            raise ValueError(
                f"unfreeze_every {self.unfreeze_every} is no less than epochs {self.epochs}: no layer would ever "
                "learn, and freeze: encoder does that in less time"
            )
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

    @property
    def rows_per_example(self) -> int:
        """Rows of ``sequence_length`` tokens that the encoder reads of an example; ``batch_size`` counts examples."""
        return 1

    def tokens_read(self, model: ModelConfig) -> tuple[str, int]:
        """The most tokens that ``model`` reads at once, and the settings that say so."""
        return "sequence_length", self.sequence_length


class FinetuneConfig(EncoderFinetuneConfig):
    """Fine-tuning to a classifier of texts or of pairs: every candidate with every seed on the same data."""

    data: LabelledDataConfig
    task: TextClassificationConfig = TextClassificationConfig()
    validation_metric: Literal["accuracy", "macro_f1", "loss"] = "accuracy"

    @model_validator(mode="after")
    def _packing_is_not_balanced(self) -> "FinetuneConfig":
        if self.packing and self.task.sampling == "balanced":
            raise ValueError(
                "packing puts every text once into an epoch, and task.sampling: balanced does not: leave packing out, "
                "or take task.class_weights: balanced"
            )
        return self


class EmbeddingFinetuneConfig(EncoderFinetuneConfig):
    """Fine-tuning to vectors of texts: every candidate with every seed on the same data."""

    data: EmbeddingDataConfig
    task: TextEmbeddingConfig
    packing: Literal[False] = False  # texts of pairs are rows of their own
    # On validation: of the texts of a batch those whose partner is nearest, or the correlation of cosines with scores.
    validation_metric: Literal["recall_at_1", "pearson"] = "recall_at_1"

    @property
    def rows_per_example(self) -> int:
        """A text, its partner, and what only seems to be one."""
        return 2 if getattr(self.data.train, "negative_column", None) is None else 3

    @model_validator(mode="after")
    def _objective_has_what_it_learns(self) -> "EmbeddingFinetuneConfig":
        objective, data = self.task.objective, self.data
        if objective == "distillation":
            raise ValueError("distillation learns a teacher's vectors, which are given in Python only")
        if objective == "similarity" and not has_scores(data.train):
            raise ValueError("similarity learns scores: set data.train.score_column, or take objective: contrastive")
        if objective == "similarity" and getattr(data.train, "negative_column", None) is not None:
            raise ValueError("similarity learns scores and no negatives: leave data.train.negative_column out")
        if objective == "contrastive" and has_scores(data.train) and data.partner_score is None:
            raise ValueError(
                "contrastive learns partners, and pairs have scores: set data.partner_score, from which on they are "
                "partners, or take objective: similarity"
            )
        return self

    @model_validator(mode="after")
    def _batches_stay_whole(self) -> "EmbeddingFinetuneConfig":
        if self.task.objective == "contrastive" and self.batch_size < 2:
            raise ValueError("a text has its negatives in its batch: set batch_size to 2 at least, and better to 32")
        if self.task.objective == "contrastive" and self.accumulation_steps > 1:
            raise ValueError(
                "accumulation_steps parts the batch, and texts have their negatives in their own part only: set a "
                "smaller batch_size, or rematerialize: true"
            )
        return self

    @model_validator(mode="after")
    def _patience_has_pairs_to_watch(self) -> "EmbeddingFinetuneConfig":
        if self.early_stopping_patience and self.data.validation is None and not self.data.can_be_split:
            raise ValueError("early_stopping_patience needs pairs to validate with: set data.validation")
        return self


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


class QuestionFinetuneConfig(EncoderFinetuneConfig):
    """Fine-tuning to answers that are parts of a passage: every candidate with every seed on the same data."""

    data: QuestionDataConfig
    task: QuestionAnsweringConfig
    sequence_length: Annotated[int, Field(ge=3)] = 384  # tokens of a window: the question and a part of the passage
    packing: Literal[False] = False  # windows fill their rows
    validation_metric: Literal["f1", "exact_match", "loss"] = "f1"

    @model_validator(mode="after")
    def _windows_have_room(self) -> "QuestionFinetuneConfig":
        question, length = self.task.max_question_length, self.sequence_length
        if question + _SPECIAL_TOKENS >= length:
            raise ValueError(
                f"sequence_length {length} has no room for a passage beside a question of {question} tokens: raise it, "
                "or lower task.max_question_length"
            )
        return self


class ChoiceFinetuneConfig(EncoderFinetuneConfig):
    """Fine-tuning to the best of several choices: every candidate with every seed on the same data."""

    data: ChoiceDataConfig
    task: MultipleChoiceConfig
    packing: Literal[False] = False  # every choice is a row of its own
    validation_metric: Literal["accuracy", "loss"] = "accuracy"

    @property
    def rows_per_example(self) -> int:
        """The context with every choice."""
        return self.task.num_choices


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
    "text_embedding": EmbeddingFinetuneConfig,
    "text_regression": RegressionFinetuneConfig,
    "question_answering": QuestionFinetuneConfig,
    "multiple_choice": ChoiceFinetuneConfig,
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
