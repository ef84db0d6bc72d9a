"""Counts of the weights of a task."""

from trainers.costs.families import family_of
from trainers.costs.parts import Variable, dense
from trainers.costs.workload import Workload


def variables(workload: Workload) -> list[Variable]:
    """Every weight of the task, in no particular order."""
    family = family_of(workload)
    if workload.predictions:
        return [*family.variables(), *family.head_variables()]
    classifier = dense("head/classifier", family.output_dim, workload.num_classes) if workload.num_classes else []
    return [*family.variables(), *classifier]


def parameters(workload: Workload) -> int:
    """Numbers that the task's weights hold."""
    return sum(variable.size for variable in variables(workload))


def embedding_parameters(workload: Workload) -> int:
    """Those of the parameters that are looked up by token, position or segment."""
    return sum(variable.size for variable in variables(workload) if variable.name.startswith("embedding/"))


def trained_parameters(workload: Workload) -> int:
    """Those of the parameters that have a gradient."""
    return sum(variable.size for variable in variables(workload) if variable.is_trained)
