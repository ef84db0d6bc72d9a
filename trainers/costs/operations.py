"""Floating-point operations of a training step."""

from tfplm.experiment import PretrainConfig
from tfplm.finetuning_configuration import EncoderFinetuneConfig, GenerationFinetuneConfig
from tfplm.models.configuration import ModelConfig
from trainers.costs.families import family_of
from trainers.costs.parts import MatrixProduct
from trainers.costs.stage_workloads import finetuning_workload, pretraining_workload
from trainers.costs.vocabulary import has_chunks
from trainers.costs.workload import Workload

_VOCABULARY = "head/vocabulary"


def forward_products(workload: Workload) -> list[MatrixProduct]:
    """The matrix products of one forward pass over the whole batch; nothing else costs operations worth counting."""
    family, rows = family_of(workload), workload.batch_size
    if not workload.predictions:
        classifier = MatrixProduct("head/classifier", rows, family.output_dim, workload.num_classes)
        return [*family.products(), *([classifier] if workload.num_classes else [])]
    positions = rows * workload.predictions
    vocabulary = MatrixProduct(_VOCABULARY, positions, family.embedding_dim, workload.model.vocabulary_size)
    return [*family.products(), vocabulary, *family.head_products(positions)]


def forward_flops_per_step(workload: Workload) -> float:
    """Floating-point operations of one forward pass."""
    return sum(product.flops for product in forward_products(workload))


def step_flops(workload: Workload) -> float:
    """Floating-point operations of one training step: forward, twice that for the gradients, and what is recomputed."""
    return 3 * forward_flops_per_step(workload) + sum(product.flops for product in recomputed_products(workload))


def recomputed_products(workload: Workload) -> list[MatrixProduct]:
    """The products of the forward pass that a training step computes a second time."""
    in_chunks = has_chunks(workload)
    return [
        product
        for product in forward_products(workload)
        if (workload.rematerialize and product.is_rematerialized) or (in_chunks and product.name == _VOCABULARY)
    ]


def has_attention(workload: Workload) -> bool:
    """Whether there are attention scores."""
    return any(product.name.endswith("/scores") for product in forward_products(workload))


def training_flops_per_step(
    config: PretrainConfig | EncoderFinetuneConfig | GenerationFinetuneConfig, model: ModelConfig, vocabulary_size: int
) -> float:
    """Floating-point operations of one training step over the whole batch, all replicas together.

    Args:
        config: of the stage.
        model: what is trained: ``config.model`` in pretraining, the candidate's in fine-tuning.
        vocabulary_size: the tokenizer's, used where the model leaves its own open.
    """
    if isinstance(config, PretrainConfig):
        return step_flops(pretraining_workload(config.model_copy(update={"model": model}), vocabulary_size))
    return step_flops(finetuning_workload(config, model, vocabulary_size))
