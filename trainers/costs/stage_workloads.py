"""The steps of the stages of an experiment."""

from tfplm.experiment import PretrainConfig
from tfplm.finetuning_configuration import EncoderFinetuneConfig, GenerationFinetuneConfig
from tfplm.models.configuration import ModelConfig
from tfplm.objectives import decoder_length
from trainers.costs.families import FAMILIES
from trainers.costs.workload import Workload

_NUM_CLASSES = 2  # of a classifier whose data is not read


def pretraining_workload(config: PretrainConfig, vocabulary_size: int) -> Workload:
    """What a step of pretraining computes; ``vocabulary_size`` is used where the model leaves its own open."""
    objective, length = config.objective, config.sequence_length
    is_masked = objective.type == "masked_lm"
    next_sentence = is_masked and objective.next_sentence
    target_length = decoder_length(objective, length)
    return Workload(
        model=_with_vocabulary(config.model, vocabulary_size),
        sequence_length=length,
        **_shared(config, config.optimizer.type),
        target_length=target_length,
        predictions=max(1, round(objective.mask_rate * length)) if is_masked else target_length or length,
        positions_per_chunk=objective.positions_per_chunk,
        next_sentence=next_sentence,
        is_pooled=next_sentence,
    )


def finetuning_workload(
    config: EncoderFinetuneConfig | GenerationFinetuneConfig,
    model: ModelConfig,
    vocabulary_size: int,
    optimizer: str = "adamw",
    num_classes: int = _NUM_CLASSES,
) -> Workload:
    """What a step of fine-tuning ``model`` computes; ``num_classes`` is a classifier's."""
    model, shared = _with_vocabulary(model, vocabulary_size), _shared(config, optimizer)
    if isinstance(config, EncoderFinetuneConfig):
        is_pooled = getattr(config.task, "pooling", None) == "encoder"
        num_classes = 0 if config.task.type == "text_embedding" else num_classes
        return Workload(model, config.sequence_length, **shared, num_classes=num_classes, is_pooled=is_pooled)
    chunk, target = config.task.positions_per_chunk, config.target_length
    if FAMILIES[model.type].is_encoder_decoder:
        lengths = {"sequence_length": config.source_length, "target_length": target, "predictions": target}
    else:  # a row holds prompt and completion on end, or several short ones
        lengths = dict.fromkeys(("sequence_length", "predictions"), config.source_length + target)
    return Workload(model, **lengths, **shared, positions_per_chunk=chunk)


def _shared(config: PretrainConfig | EncoderFinetuneConfig | GenerationFinetuneConfig, optimizer: str) -> dict:
    return {
        "batch_size": config.batch_size * getattr(config, "rows_per_example", 1),
        "accumulation_steps": config.accumulation_steps,
        "rematerialize": config.rematerialize,
        "optimizer": optimizer,
    }


def _with_vocabulary(model: ModelConfig, vocabulary_size: int) -> ModelConfig:
    return model.model_copy(update={"vocabulary_size": model.vocabulary_size or vocabulary_size})
