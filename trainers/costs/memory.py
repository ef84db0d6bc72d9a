"""Memory and disk that training takes."""

from dataclasses import dataclass

from trainers.costs.families import family_of
from trainers.costs.kept import KEPT
from trainers.costs.parameters import parameters, trained_parameters, variables
from trainers.costs.parts import FLOAT32_BYTES, Variable
from trainers.costs.vocabulary import held_logits
from trainers.costs.workload import Precision, Workload


@dataclass(frozen=True)
class Memory:
    """Bytes on one device at the moment of a step that needs most."""

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimizer + self.activations


def memory_per_device(workload: Workload, precision: Precision, is_compiled: bool, num_replicas: int = 1) -> Memory:
    """Memory of a training step on each device.

    Weights, gradients and optimizer state are float32 in every precision, and whole on every replica.

    Args:
        workload: the step.
        precision: as in RuntimeConfig.
        is_compiled: whether XLA compiles forward and backward pass.
        num_replicas: devices that share the batch.
    """
    trained = trained_parameters(workload) * FLOAT32_BYTES
    sums = 1 if workload.accumulation_steps == 1 else 2  # of all micro-batches, beside the gradients of one
    return Memory(
        weights=parameters(workload) * FLOAT32_BYTES,
        gradients=trained * sums,
        optimizer=optimizer_bytes(workload),
        activations=_activations(workload, precision, is_compiled, num_replicas),
    )


def optimizer_bytes(workload: Workload) -> float:
    """State of the optimizer: what it keeps beside the weights, in float32."""
    trained = [variable for variable in variables(workload) if variable.is_trained]
    return FLOAT32_BYTES * sum(_slots(variable, workload.optimizer) for variable in trained)


def checkpoint_bytes(workload: Workload) -> float:
    """Size of one checkpoint: weights and optimizer state."""
    return parameters(workload) * FLOAT32_BYTES + optimizer_bytes(workload)


def _slots(variable: Variable, optimizer: str) -> int:
    """Numbers of the optimizer's state for a variable."""
    is_matrix = len(variable.shape) > 1
    if optimizer == "adafactor":
        return sum(variable.shape) if is_matrix else variable.size
    if optimizer == "muon":
        is_hidden = is_matrix and "embedding" not in variable.name and variable.name != "head/classifier"
        return variable.size if is_hidden else 2 * variable.size
    return {"adamw": 2, "lamb": 2, "lion": 1}[optimizer] * variable.size


def _activations(workload: Workload, precision: Precision, is_compiled: bool, num_replicas: int) -> float:
    in_16_bits = precision != "float32"
    kept = KEPT[is_compiled, in_16_bits]
    family = family_of(workload)
    body = family.activations(workload.rows_at_once(num_replicas), kept)
    of_logit = kept.logits + (kept.logits_bias if family.has_output_bias else 0)
    logits = of_logit * held_logits(workload, num_replicas)
    rounded_weights = kept.item * trained_parameters(workload) if in_16_bits else 0  # copies in the compute dtype
    return body.kept + max(logits, body.in_work + logits / 4) + rounded_weights
