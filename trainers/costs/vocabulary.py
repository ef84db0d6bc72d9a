"""How many logits the vocabulary loss holds at once."""

from trainers.costs.parts import FLOAT32_BYTES
from trainers.costs.workload import Workload

LOGITS_AT_ONCE = 2**28  # bytes; as tfplm.tasks.vocabulary_scores divides the vocabulary loss


def has_chunks(workload: Workload, num_replicas: int = 1) -> bool:
    """Whether the vocabulary loss is computed in several chunks."""
    return workload.rows_at_once(num_replicas) * workload.predictions > _positions_at_once(workload)


def held_logits(workload: Workload, num_replicas: int = 1) -> float:
    """The logits that are there at once."""
    positions = workload.rows_at_once(num_replicas) * workload.predictions
    return min(positions, _positions_at_once(workload)) * workload.model.vocabulary_size


def _positions_at_once(workload: Workload) -> int:
    at_most = max(1, LOGITS_AT_ONCE // (FLOAT32_BYTES * workload.model.vocabulary_size))
    return workload.positions_per_chunk or at_most
