"""One YAML file: every stage from raw text to the exported model."""

from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tfplm.config import Config
from tfplm.data.configuration import CorpusConfig, LabelledDataConfig
from tfplm.models.configuration import ModelConfig
from tfplm.objectives import MaskedLmConfig, Objective, least_sequence_length
from tfplm.tasks.configuration import TextClassificationConfig
from tfplm.tokenizers.configuration import WordPieceConfig

PretrainStage = "pretrain"  # the value of initialize_from that names this file's own pretraining


Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what NumPy takes
StepRange = Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]  # YAML has lists, no tuples
CandidateName = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]  # names a folder


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
        expected = {"bert": "masked_lm", "lstm": "causal_lm"}[self.model.type]
        if self.objective.type != expected:
            raise ValueError(f"a {self.model.type} model is pretrained with objective.type {expected}")
        if self.model.type == "lstm" and self.model.bidirectional:
            raise ValueError("an LSTM that sees both directions is no language model: set model.bidirectional: false")
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


class FinetuneConfig(TrainingConfig):
    """Fine-tuning: every candidate with every seed on the same data."""

    data: LabelledDataConfig
    task: TextClassificationConfig = TextClassificationConfig()
    candidates: Annotated[dict[CandidateName, CandidateConfig], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0]
    sequence_length: Annotated[int, Field(ge=3)] = 128
    packing: bool = False  # several short examples in a row of sequence_length tokens; batch_size counts rows then
    early_stopping_patience: PositiveInt | None = None  # epochs without a better validation metric
    validation_metric: Literal["accuracy", "macro_f1", "loss"] = "accuracy"

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed stands twice; the spread over equal runs says nothing")
        return seeds

    @model_validator(mode="after")
    def _patience_has_something_to_watch(self) -> "FinetuneConfig":
        if self.early_stopping_patience and self.data.validation is None and not self.data.split.validation:
            raise ValueError("early_stopping_patience needs validation data: set data.split.validation")
        return self


class ExportConfig(Config):
    """What leaves at the end of ``tfplm run``: the best seed on validation of one candidate."""

    candidate: str | None = None  # None: the best mean validation metric
    formats: list[Literal["saved_model", "tflite"]] = ["saved_model", "tflite"]


class ExperimentConfig(Config):
    """A whole experiment; a section that is not there is a stage that is not run."""

    output_dir: str
    seed: Seed = 0
    runtime: RuntimeConfig = RuntimeConfig()
    corpus: CorpusConfig | None = None
    tokenizer: WordPieceConfig = WordPieceConfig()
    pretrain: PretrainConfig | None = None
    finetune: FinetuneConfig | None = None
    export: ExportConfig | None = None

    @model_validator(mode="after")
    def _held_out_documents_are_known(self) -> "ExperimentConfig":
        corpus, finetune = self.corpus, self.finetune
        if corpus is None or finetune is None or not corpus.hold_out_evaluation:
            return self
        if corpus.cleaning.normalization != finetune.data.cleaning.normalization:
            raise ValueError(
                "corpus.cleaning and finetune.data.cleaning must have the same normalization: documents that are held "
                "out are known by their cleaned text"
            )
        return self

    @model_validator(mode="after")
    def _candidates_fit(self) -> "ExperimentConfig":
        for name, candidate in self.finetune.candidates.items() if self.finetune is not None else ():
            own = candidate.initialize_from == PretrainStage
            if own and self.pretrain is None:
                raise ValueError(f"finetune.candidates.{name} starts from 'pretrain', but there is no such section")
            model = self.pretrain.model if own else candidate.model
            if model is not None and self.finetune.sequence_length > model.max_sequence_length:
                raise ValueError(
                    f"finetune.sequence_length {self.finetune.sequence_length} is over max_sequence_length "
                    f"{model.max_sequence_length} of finetune.candidates.{name}"
                )
        return self

    @model_validator(mode="after")
    def _stages_are_there(self) -> "ExperimentConfig":
        if self.pretrain is not None and self.corpus is None:
            raise ValueError("pretrain needs a corpus section to learn from")
        if self.export is not None and self.finetune is None:
            raise ValueError("export needs a finetune section: it exports a fine-tuned model")
        if self.export is not None and self.export.candidate not in (None, *self.finetune.candidates):
            raise ValueError(f"export.candidate '{self.export.candidate}' is not among finetune.candidates")
        return self
