"""One YAML file: every stage from raw text to the exported model."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tfplm.config import Config
from tfplm.data.configuration import CorpusConfig, LabelledDataConfig
from tfplm.data.pair_configuration import GenerationTaskConfig, PairDataConfig
from tfplm.generation.configuration import GenerationConfig
from tfplm.models.configuration import ModelConfig
from tfplm.objectives import MaskedLmConfig, Objective, least_sequence_length, span_lengths
from tfplm.tasks.configuration import TextClassificationConfig, TextGenerationConfig
from tfplm.tokenizers.configuration import TokenizerConfig, WordPieceConfig

PretrainStage = "pretrain"  # the value of initialize_from that names this file's own pretraining


def _differ(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed stands twice; the spread over equal runs says nothing")
    return seeds


Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what NumPy takes
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(_differ)]
StepRange = Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]  # YAML has lists, no tuples
Name = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]  # names a folder

# The objectives that each model family is pretrained with.
_OBJECTIVES = {
    "bert": ("masked_lm",),
    "lstm": ("causal_lm",),
    "gpt": ("causal_lm",),
    "t5": ("span_corruption", "prefix_lm"),
    "lstm_seq2seq": ("span_corruption", "prefix_lm"),
}
_ENCODER_DECODERS = ("t5", "lstm_seq2seq")
_SEES_BOTH_SIDES = "an LSTM that sees both directions is no language model: set model.bidirectional: false"


_MOMENTS = {  # what each optimizer's source trains with; a key that is not there means nothing to it
    "adamw": {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-6},
    "lamb": {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-6},
    "lion": {"beta_1": 0.9, "beta_2": 0.99},
    "adafactor": {},
    "muon": {"beta_1": 0.9, "beta_2": 0.95, "epsilon": 1e-8},  # of Adam, which takes what is no hidden matrix
}


class OptimizerConfig(Config):
    """The optimizer with its schedule; no weight decay on biases and norms, as in BERT's code.

    ``beta_1``, ``beta_2`` and ``epsilon`` have the defaults of the type: adamw and lamb 0.9, 0.999, 1e-6; lion 0.9,
    0.99; muon 0.9, 0.95, 1e-8. A type that has no such setting refuses it. See docs/optimizers.md.
    """

    type: Literal["adamw", "lamb", "lion", "adafactor", "muon"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-4
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1  # of all steps
    final_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0  # of the learning rate, at the last step
    weight_decay: NonNegativeFloat = 0.01
    beta_1: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None
    beta_2: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None
    epsilon: Annotated[float, Field(gt=0.0)] | None = None
    global_clipnorm: Annotated[float, Field(gt=0.0)] | None = 1.0

    @field_validator("beta_1", "beta_2", "epsilon")
    @classmethod
    def _default_of_the_type(cls, value: float | None, info: ValidationInfo) -> float | None:
        optimizer, key = info.data.get("type"), info.field_name
        if optimizer is None:  # wrong itself
            return value
        if value is None:
            return _MOMENTS[optimizer].get(key)
        if key not in _MOMENTS[optimizer]:
            raise ValueError(f"the optimizer {optimizer} has no {key}: leave it out")
        if (optimizer, key) == ("lion", "beta_1") and value == 0.0:
            raise ValueError("the optimizer lion needs a beta_1 over 0")
        return value


class RuntimeConfig(Config):
    """How the machine is used."""

    strategy: Literal["auto", "one_device", "mirrored", "multi_worker", "tpu"] = "auto"
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    jit_compile: Literal["auto", True, False] = "auto"  # XLA; auto: on a GPU or TPU
    num_threads: NonNegativeInt = 0  # 0: every core
    logical_cpus: PositiveInt = 1  # devices to divide the CPU into, to rehearse strategy: mirrored without GPUs

    @field_validator("jit_compile", mode="before")
    @classmethod
    def _one_is_not_true(cls, value: object) -> object:
        if value != "auto" and not isinstance(value, bool):
            raise ValueError(f"input should be true, false or auto (found {value!r})")
        return value


class GuardConfig(Config):
    """What is done when the loss is no number any more, or explodes."""

    action: Literal["stop", "skip"] = "stop"  # skip: back to the last good checkpoint, and over the batches since
    explosion_factor: Annotated[float, Field(gt=1.0)] = 3.0  # times the median loss of the last intervals
    max_skips: PositiveInt = 3  # then it stops all the same


class TrainingConfig(Config):
    """What pretraining and fine-tuning share."""

    batch_size: PositiveInt = 32  # of all replicas and micro-batches together
    accumulation_steps: PositiveInt = 1  # micro-batches a step
    rematerialize: bool = False  # computes each block again for its gradient instead of keeping its activations
    guard: GuardConfig = GuardConfig()
    profile: StepRange | None = None  # first and last one of a trace for TensorBoard
    keep_final_checkpoint: bool = False  # of the last step; checkpoints go when the stage is done

    @model_validator(mode="after")
    def _micro_batches_are_whole(self) -> "TrainingConfig":
        if self.batch_size % self.accumulation_steps:
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of accumulation_steps {self.accumulation_steps}"
            )
        if self.profile is not None and self.profile[0] > self.profile[1]:
            raise ValueError(f"profile {list(self.profile)} ends before it begins")
        return self


class PretrainConfig(TrainingConfig):
    """Pretraining on the prepared corpus."""

    model: ModelConfig
    objective: Objective = MaskedLmConfig()
    sequence_length: PositiveInt = 128
    steps: PositiveInt = 1000
    optimizer: OptimizerConfig = OptimizerConfig()
    log_every: PositiveInt = 50  # steps
    checkpoint_every: PositiveInt = 200  # steps
    keep_checkpoints: PositiveInt = 2  # the newest
    keep_best_checkpoints: NonNegativeInt = 1  # beside them, those with the lowest validation loss
    validation_batches: PositiveInt = 16

    @model_validator(mode="after")
    def _fits_together(self) -> "PretrainConfig":
        if self.sequence_length > self.model.max_sequence_length:
            raise ValueError(
                f"sequence_length {self.sequence_length} is over model.max_sequence_length "
                f"{self.model.max_sequence_length}"
            )
        least = least_sequence_length(self.objective)
        if self.sequence_length < least:
            raise ValueError(f"sequence_length {self.sequence_length} has no room for text: give {least} or more")
        if self.steps > self.log_every and self.steps % self.log_every:
            raise ValueError(f"steps {self.steps} is not a multiple of log_every {self.log_every}")
        if self.profile is not None and self.profile[1] > self.steps:
            raise ValueError(f"profile {list(self.profile)} ends behind the last step, {self.steps}")
        expected = _OBJECTIVES[self.model.type]
        if self.objective.type not in expected:
            raise ValueError(f"a {self.model.type} model is pretrained with objective.type {' or '.join(expected)}")
        if self.model.type == "lstm" and self.model.bidirectional:
            raise ValueError(_SEES_BOTH_SIDES)
        if self.model.type == "bert" and self.objective.next_sentence and self.model.num_segments < 2:
            raise ValueError("objective.next_sentence marks two segments: set model.num_segments: 2")
        return self


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


class FinetuneConfig(TrainingConfig):
    """Fine-tuning to a classifier: every candidate with every seed on the same data."""

    data: LabelledDataConfig
    task: TextClassificationConfig = TextClassificationConfig()
    candidates: Candidates
    seeds: Seeds = [0]
    sequence_length: Annotated[int, Field(ge=3)] = 128
    packing: bool = False  # several short examples in a row of sequence_length tokens; batch_size counts rows then
    early_stopping_patience: PositiveInt | None = None  # epochs without a better validation metric
    validation_metric: Literal["accuracy", "macro_f1", "loss"] = "accuracy"

    @model_validator(mode="after")
    def _patience_has_something_to_watch(self) -> "FinetuneConfig":
        if self.early_stopping_patience and self.data.validation is None and not self.data.split.validation:
            raise ValueError("early_stopping_patience needs validation data: set data.split.validation")
        return self

    def tokens_read(self, model: ModelConfig) -> tuple[str, int]:
        """The most tokens that ``model`` reads at once, and the settings that say so."""
        return "sequence_length", self.sequence_length


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
                raise ValueError(f"candidates.{name}: {_SEES_BOTH_SIDES}")
        return self

    def tokens_read(self, model: ModelConfig) -> tuple[str, int]:
        """The most tokens that ``model`` reads at once, and the settings that say so."""
        source, target = self.source_length, self.target_length
        if model.type in _ENCODER_DECODERS:
            return ("source_length", source) if source > target else ("target_length", target)
        new = self.generation.max_new_tokens
        if new > target:
            return "source_length + generation.max_new_tokens", source + new
        return "source_length + target_length", source + target


def _finetuning_kind(values: Any) -> str | None:
    """The class that a ``finetune`` section is read as; its task's type says so. None: it cannot be told."""
    if isinstance(values, Config):
        return type(values).__name__
    task = (values.get("task") or {}) if isinstance(values, dict) else None
    if not isinstance(task, dict):
        return None
    kinds = {"text_classification": "FinetuneConfig", "text_generation": "GenerationFinetuneConfig"}
    return kinds.get(task.get("type", "text_classification"))


Finetuning = Annotated[
    Annotated[FinetuneConfig, Tag("FinetuneConfig")]
    | Annotated[GenerationFinetuneConfig, Tag("GenerationFinetuneConfig")],
    Discriminator(
        _finetuning_kind,
        custom_error_type="finetuning_kind",
        custom_error_message="expected settings with task.type text_classification (or none) or text_generation",
    ),
]


class ExportConfig(Config):
    """What leaves at the end of ``tfplm run``: the best seed of one candidate on validation, or the pretrained model.

    The pretrained model leaves where there is no fine-tuning, and only one that writes.
    """

    candidate: str | None = None  # None: the best mean validation metric
    formats: list[Literal["saved_model", "tflite", "huggingface"]] = ["saved_model", "tflite"]


class ExperimentConfig(Config):
    """A whole experiment; a section that is not there is a stage that is not run."""

    output_dir: str
    seed: Seed = 0
    runtime: RuntimeConfig = RuntimeConfig()
    corpus: CorpusConfig | None = None
    tokenizer: TokenizerConfig = WordPieceConfig()
    pretrain: PretrainConfig | None = None
    finetune: Finetuning | None = None
    export: ExportConfig | None = None

    @model_validator(mode="after")
    def _held_out_documents_are_known(self) -> "ExperimentConfig":
        corpus = self.corpus
        if corpus is None or self.finetune is None or not corpus.hold_out_evaluation:
            return self
        for path, data in self._task_data():
            if corpus.cleaning.normalization != data.cleaning.normalization:
                raise ValueError(
                    f"corpus.cleaning and {path}.cleaning must have the same normalization: documents that are held "
                    "out are known by their cleaned text"
                )
        return self

    def _task_data(self) -> list[tuple[str, LabelledDataConfig | PairDataConfig]]:
        """The data sections of the fine-tuning, with their paths."""
        if isinstance(self.finetune, GenerationFinetuneConfig):
            return [(f"finetune.tasks.{name}.data", task.data) for name, task in self.finetune.tasks.items()]
        return [("finetune.data", self.finetune.data)]

    @model_validator(mode="after")
    def _candidates_fit(self) -> "ExperimentConfig":
        for name, candidate in self.finetune.candidates.items() if self.finetune is not None else ():
            own = candidate.initialize_from == PretrainStage
            if own and self.pretrain is None:
                raise ValueError(f"finetune.candidates.{name} starts from 'pretrain', but there is no such section")
            model = self.pretrain.model if own else candidate.model
            if model is None:  # of another run
                continue
            if isinstance(self.finetune, GenerationFinetuneConfig) and model.type == "bert":
                raise ValueError(f"finetune.candidates.{name} starts from a bert model, which does not write")
            if isinstance(self.finetune, FinetuneConfig) and model.type not in ("bert", "lstm"):
                raise ValueError(
                    f"finetune.candidates.{name}: a {model.type} model is no classifier; take bert or lstm"
                )
            settings, num_tokens = self.finetune.tokens_read(model)
            if num_tokens > model.max_sequence_length:
                raise ValueError(
                    f"finetune.{settings} {num_tokens} is over max_sequence_length {model.max_sequence_length} of "
                    f"finetune.candidates.{name}"
                )
        return self

    @model_validator(mode="after")
    def _tokenizer_serves(self) -> "ExperimentConfig":
        kind, pretrain, finetune = self.tokenizer.type, self.pretrain, self.finetune
        if pretrain is not None and pretrain.model.type == "bert" and kind != "wordpiece":
            raise ValueError(f"a bert model needs tokenizer.type wordpiece: {kind} has no mask")
        if pretrain is not None and pretrain.model.type in _ENCODER_DECODERS and kind == "wordpiece":
            raise ValueError(
                f"a {pretrain.model.type} model needs tokenizer.type sentencepiece or bytes: wordpiece loses text"
            )
        if pretrain is not None and pretrain.objective.type == "span_corruption":
            num_spans = span_lengths(pretrain.objective, pretrain.sequence_length).spans
            if self.tokenizer.num_sentinels < num_spans:
                raise ValueError(
                    f"pretrain.objective makes {num_spans} spans of {pretrain.sequence_length} tokens: set "
                    f"tokenizer.num_sentinels to {num_spans} or more (it is {self.tokenizer.num_sentinels})"
                )
        if isinstance(finetune, GenerationFinetuneConfig) and kind == "wordpiece":
            for name, candidate in finetune.candidates.items():
                if candidate.initialize_from is None:
                    raise ValueError(
                        f"finetune.candidates.{name} writes text, and a wordpiece tokenizer loses it: set "
                        "tokenizer.type to sentencepiece or bytes"
                    )
        return self

    @model_validator(mode="after")
    def _stages_are_there(self) -> "ExperimentConfig":
        if self.pretrain is not None and self.corpus is None:
            raise ValueError("pretrain needs a corpus section to learn from")
        if self.export is None:
            return self
        if self.finetune is None:
            if self.pretrain is None or self.pretrain.model.type == "bert":
                raise ValueError(
                    "export needs a finetune section: it exports a fine-tuned model, or a pretrained one that writes"
                )
            if self.export.candidate is not None:
                raise ValueError("export.candidate names one of finetune.candidates, and there is no such section")
        elif self.export.candidate not in (None, *self.finetune.candidates):
            raise ValueError(f"export.candidate '{self.export.candidate}' is not among finetune.candidates")
        return self
