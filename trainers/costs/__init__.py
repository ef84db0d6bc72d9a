"""What training costs, by arithmetic on the configuration: parameters, floating-point operations and memory.

Nothing is built and no Keras is imported. The tests compare all of it with the models and steps themselves. A family of
models is one file with one class, see `trainers.costs.family.Family`, and a line in `trainers.costs.families`.
"""

from trainers.costs.memory import Memory, checkpoint_bytes, memory_per_device, optimizer_bytes
from trainers.costs.operations import (
    forward_flops_per_step,
    forward_products,
    has_attention,
    recomputed_products,
    step_flops,
    training_flops_per_step,
)
from trainers.costs.parameters import embedding_parameters, parameters, trained_parameters, variables
from trainers.costs.parts import FLOAT32_BYTES, MatrixProduct, Variable
from trainers.costs.stage_workloads import finetuning_workload, pretraining_workload
from trainers.costs.vocabulary import has_chunks
from trainers.costs.workload import Precision, Workload

__all__ = [
    "FLOAT32_BYTES",
    "MatrixProduct",
    "Memory",
    "Precision",
    "Variable",
    "Workload",
    "checkpoint_bytes",
    "embedding_parameters",
    "finetuning_workload",
    "forward_flops_per_step",
    "forward_products",
    "has_attention",
    "has_chunks",
    "memory_per_device",
    "optimizer_bytes",
    "parameters",
    "pretraining_workload",
    "recomputed_products",
    "step_flops",
    "trained_parameters",
    "training_flops_per_step",
    "variables",
]
