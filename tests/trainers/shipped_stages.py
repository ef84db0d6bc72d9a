"""Every training stage of the shipped configurations, with the shapes of its batch: for any backend."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tfplm import feature_names as names
from tfplm.config import load_config
from tfplm.experiment import ExperimentConfig
from tfplm.models.build import build_model
from tfplm.models.configuration import ModelConfig
from tfplm.objectives import CausalLmConfig
from tfplm.tasks.configuration import Seq2SeqLmConfig
from tfplm.training_configuration import OptimizerConfig, TrainingConfig
from trainers.costs import Workload, finetuning_workload, pretraining_workload

CONFIGS = Path(__file__).parent.parent.parent / "configs"
CLASSES = ["negative", "positive"]

_DEEP = "gpt/mini pretrain"  # compared with all its layers
_COMPARED_TASKS = ("text_classification", "text_generation")  # the heads of others are as small as a classifier's
_VARIATIONS = [  # a configuration, and what is set
    ("bert/tiny", "rematerialize=true"),
    ("bert/tiny", "accumulation_steps=4"),
    ("bert/tiny", "objective.positions_per_chunk=100"),
    ("gpt/shakespeare", "rematerialize=true", "model.num_key_value_heads=1", "model.tie_embeddings=false"),
]

Spec = tuple[tuple[int, ...], str]  # shape and dtype


@dataclass(frozen=True)
class ShippedStage:
    """One training: what the costs are estimated from, and what they are compared with."""

    name: str  # "bert/tiny pretrain"
    workload: Workload
    precision: str
    config: TrainingConfig
    optimizer: OptimizerConfig
    model: ModelConfig

    def build_task(self):
        """The task as its stage builds it; the backend and the dtype policy are the caller's."""
        encoder = build_model(self.model, self.workload.model.vocabulary_size)
        if self.workload.num_classes:
            from tfplm.tasks.text_classification import TextClassifier

            return TextClassifier(encoder, self.config.task, CLASSES)
        if self.workload.target_length:
            from tfplm.tasks.seq2seq_language_model import Seq2SeqLanguageModel

            chunk = self.workload.positions_per_chunk
            return Seq2SeqLanguageModel(encoder, Seq2SeqLmConfig(positions_per_chunk=chunk))
        if self.is_masked_lm:
            from tfplm.tasks.masked_language_model import MaskedLanguageModel

            return MaskedLanguageModel(encoder, self.config.objective)
        from tfplm.tasks.causal_language_model import CausalLanguageModel

        return CausalLanguageModel(encoder, CausalLmConfig(positions_per_chunk=self.workload.positions_per_chunk))

    @property
    def is_masked_lm(self) -> bool:
        return getattr(self.config, "objective", None) is not None and self.config.objective.type == "masked_lm"

    def batch(self) -> tuple[dict[str, Spec], Any, Any]:
        """Features, targets and sample weights."""
        workload = self.workload
        rows = (workload.batch_size,)
        row = (*rows, workload.sequence_length)
        features = {names.TOKEN_IDS: (row, "int32"), names.ROW_SEEDS: (rows, "int32")}
        if workload.num_classes:
            return features, (rows, "int32"), (rows, "float32")
        predictions = (*rows, workload.predictions)
        if not self.is_masked_lm:
            if workload.target_length:
                features[names.DECODER_TOKEN_IDS] = (predictions, "int32")
            else:
                features |= {names.PACKING_IDS: (row, "int32"), names.POSITION_IDS: (row, "int32")}
            return features, {names.NEXT_TOKEN: (predictions, "int32")}, {names.NEXT_TOKEN: (predictions, "float32")}
        features |= {names.PACKING_IDS: (row, "int32"), names.MASK_POSITIONS: (predictions, "int32")}
        targets, weights = {names.MASKED_LM: (predictions, "int32")}, {names.MASKED_LM: (predictions, "float32")}
        if workload.next_sentence:
            features[names.SEGMENT_IDS] = (row, "int32")
            targets[names.NEXT_SENTENCE], weights[names.NEXT_SENTENCE] = (rows, "int32"), (rows, "float32")
        else:
            features[names.POSITION_IDS] = (row, "int32")
        return features, targets, weights


def shipped_stages() -> Iterator[ShippedStage]:
    """Yields the stages of all configurations; but for one, with two layers where they have more, which are alike."""
    for path in sorted(CONFIGS.rglob("*.yaml")):
        yield from (stage if stage.name == _DEEP else shallow(stage) for stage in stages_of(path))


def shallow(stage: ShippedStage) -> ShippedStage:
    """The stage with a model of two layers at most, which is built and compiled so much sooner."""
    depths = ("num_layers", "num_decoder_layers")
    fewer = {name: min(2, depth) for name in depths if (depth := getattr(stage.model, name, None)) is not None}
    workload = replace(stage.workload, model=stage.workload.model.model_copy(update=fewer))
    return replace(stage, model=stage.model.model_copy(update=fewer), workload=workload)


def varied_stages() -> Iterator[ShippedStage]:
    """Yields shipped stages with what no shipped configuration sets."""
    for title, *overrides in _VARIATIONS:
        for stage in stages_of(CONFIGS / f"{title}.yaml", *(f"pretrain.{override}" for override in overrides)):
            yield replace(stage, name=" ".join([stage.name, *overrides]))


def compared_stages(left_out: Iterable[str]) -> list[ShippedStage]:
    """Shipped and varied stages, those that compute the same once, without those of some names."""
    stages = [stage for stage in (*shipped_stages(), *varied_stages()) if stage.name not in left_out]
    return list({(stage.workload, stage.precision): stage for stage in reversed(stages)}.values())[::-1]


def stages_of(path: Path, *overrides: str) -> Iterator[ShippedStage]:
    """Yields the stages of one configuration."""
    experiment = load_config(ExperimentConfig, path, overrides)
    title, precision = path.relative_to(CONFIGS).with_suffix("").as_posix(), experiment.runtime.precision
    vocabulary_size, pretrain, finetune = experiment.tokenizer.vocabulary_size, experiment.pretrain, experiment.finetune
    if pretrain is not None:
        workload = pretraining_workload(pretrain, vocabulary_size)
        yield ShippedStage(f"{title} pretrain", workload, precision, pretrain, pretrain.optimizer, pretrain.model)
    is_compared = finetune is not None and finetune.task.type in _COMPARED_TASKS
    for name, candidate in finetune.candidates.items() if is_compared else ():
        if candidate.model is None and pretrain is None:  # of an imported run
            continue
        model = candidate.model or pretrain.model
        workload = finetuning_workload(finetune, model, vocabulary_size, candidate.optimizer.type, len(CLASSES))
        yield ShippedStage(f"{title} {name}", workload, precision, finetune, candidate.optimizer, model)


def map_specs(make: Callable[[tuple[int, ...], str], Any], batch: Any) -> Any:
    """The same structure with ``make(shape, dtype)`` in place of every spec."""
    if isinstance(batch, dict):
        return {name: map_specs(make, part) for name, part in batch.items()}
    if isinstance(batch[1], str):
        return make(*batch)
    return tuple(map_specs(make, part) for part in batch)
