"""How well examples were answered: figures with intervals, groups, the worst errors, pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from trainers.metrics.slices import column_slices, length_slices, slice_figures
from trainers.task_kinds.task_kind import TaskKind

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Evaluation:
    """Answers to examples, beside what is right.

    Args:
        name: of the data.
        kind: of the task.
        answers: as of the kind's answerer.
        examples: as of the kind.
        class_names: in the order of the class ids.
        left_out: by reason, how many texts are no examples.
    """

    name: str
    kind: TaskKind
    answers: Mapping[str, np.ndarray]
    examples: Any
    class_names: Sequence[str]
    left_out: Mapping[str, int]

    @cached_property
    def _outcomes(self) -> Mapping[str, np.ndarray]:
        return self.kind.outcomes(self.answers, self.examples)

    @cached_property
    def figures(self) -> dict:
        """All figures."""
        return self.kind.figures(self._outcomes, self.examples, self.class_names)

    @cached_property
    def intervals(self) -> dict:
        """Intervals at 95 % of those figures that compare models."""
        return self._of_interest(self.kind.intervals(self._outcomes, self.examples, self.class_names))

    @cached_property
    def slices(self) -> dict[str, list[dict]]:
        """Figures by length, and by every column that was kept."""
        groups = {"length": length_slices(self.examples.texts)}
        groups |= {name: column_slices(values) for name, values in self.examples.columns.items()}
        names = list(self.kind.figure_names)
        return {name: slice_figures(of, names, self._figures_of, self._intervals_of) for name, of in groups.items()}

    @cached_property
    def errors(self) -> list[dict]:
        """The worst errors."""
        return self.kind.errors(self._outcomes, self.examples, self.class_names)

    @cached_property
    def pictures(self) -> "dict[str, Figure]":
        """Figures of matplotlib by name."""
        return self.kind.pictures(self.figures, self._outcomes, self.examples, self.class_names)

    def record(self) -> dict:
        """Everything but errors and pictures, JSON-able."""
        more = {"intervals": self.intervals, "slices": self.slices, "left_out": dict(self.left_out)}
        return self.figures | more

    def _figures_of(self, rows: np.ndarray) -> dict:
        return self.kind.figures(self._outcomes_of(rows), self.examples.select(rows), self.class_names)

    def _intervals_of(self, rows: np.ndarray) -> dict:
        return self._of_interest(
            self.kind.intervals(self._outcomes_of(rows), self.examples.select(rows), self.class_names)
        )

    def _outcomes_of(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values[rows] for name, values in self._outcomes.items()}

    def _of_interest(self, intervals: dict) -> dict:
        return {name: intervals[name] for name in self.kind.figure_names if intervals.get(name) is not None}
