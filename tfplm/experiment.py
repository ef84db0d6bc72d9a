"""One YAML file: every stage from raw text to the exported model."""

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt, model_validator

from tfplm.config import Config
from tfplm.data.configuration import CorpusConfig, SplitDataConfig
from tfplm.finetuning_configuration import (
    ENCODER_DECODERS,
    SEES_BOTH_SIDES,
    EncoderFinetuneConfig,
    Finetuning,
    GenerationFinetuneConfig,
)
from tfplm.models.configuration import ModelConfig
from tfplm.objectives import MaskedLmConfig, Objective, least_sequence_length, span_lengths
from tfplm.search_configuration import SearchConfig
from tfplm.tokenizers.configuration import TokenizerConfig, WordPieceConfig
from tfplm.training_configuration import OptimizerConfig, RuntimeConfig, Seed, TrainingConfig

PretrainStage = "pretrain"  # the value of initialize_from that names this file's own pretraining

# The objectives that each model family is pretrained with.
_OBJECTIVES = {
    "bert": ("masked_lm",),
    "lstm": ("causal_lm",),
    "gpt": ("causal_lm",),
    "t5": ("span_corruption", "prefix_lm"),
    "lstm_seq2seq": ("span_corruption", "prefix_lm"),
}


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
            raise ValueError(SEES_BOTH_SIDES)
        if self.model.type == "bert" and self.objective.next_sentence and self.model.num_segments < 2:
            raise ValueError("objective.next_sentence marks two segments: set model.num_segments: 2")
        return self


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
    search: SearchConfig | None = None  # of `tfplm search`; the stages do not read it

    @model_validator(mode="after")
    def _held_out_documents_are_known(self) -> "ExperimentConfig":
        corpus = self.corpus
        if corpus is None or self.finetune is None or not corpus.hold_out_evaluation:
            return self
        for path, data in self.task_data().items():
            if corpus.cleaning.normalization != data.cleaning.normalization:
                raise ValueError(
                    f"corpus.cleaning and {'.'.join(path)}.cleaning must have the same normalization: documents that "
                    "are held out are known by their cleaned text"
                )
        return self

    def task_data(self) -> dict[tuple[str, ...], SplitDataConfig]:
        """The data sections of the fine-tuning, by their paths."""
        if isinstance(self.finetune, GenerationFinetuneConfig):
            return {("finetune", "tasks", name, "data"): task.data for name, task in self.finetune.tasks.items()}
        return {("finetune", "data"): self.finetune.data}

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
            if isinstance(self.finetune, EncoderFinetuneConfig) and model.type in ENCODER_DECODERS:
                raise ValueError(
                    f"finetune.candidates.{name}: a {model.type} model does not do {self.finetune.task.type}; take "
                    "bert, lstm or gpt"
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
        if pretrain is not None and pretrain.model.type in ENCODER_DECODERS and kind == "wordpiece":
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
