"""The figures of a study, out of the reports of its runs."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from trainers.candidates import mean_and_spread, validation_score

SPLITS = ("validation", "test")
_SHOWN_FIRST = ("accuracy", "macro_f1", "f1", "exact_match", "pearson", "spearman", "auc", "token_accuracy", "loss")
_FEWEST_SHOWN = 4  # figures in a table


@dataclass(frozen=True)
class Measure:
    """The figure that an experiment goes by.

    Args:
        name: of the figure in the reports.
        more_is_better: whether it is.
        scale: points of one, where figures are told as points.
    """

    name: str
    more_is_better: bool
    scale: float

    @classmethod
    def of(cls, reports: Iterable[dict], metric: str) -> "Measure":
        """The figure by which `trainers.candidates.validation_score` ranks these reports, and its sense.

        Args:
            reports: of runs.
            metric: `finetune.validation_metric`.
        """
        of_splits = [report[split] for report in reports for split in SPLITS if report[split]]
        in_bits = metric == "loss" and all("bits_per_byte" in figures for figures in of_splits)
        name = "bits_per_byte" if in_bits else metric
        scores = [validation_score({"validation": figures}, metric) for figures in of_splits]
        values = [figures[name] for figures in of_splits]
        more_is_better = values == scores
        are_shares = more_is_better and all(abs(value) <= 1.0 for value in values)
        return cls(name, more_is_better, 100.0 if are_shares else 1.0)

    def figure(self, report: dict, split: str) -> float | None:
        """The figure on a split; None where the split is empty."""
        return report[split][self.name] if report[split] else None

    def gain(self, before: float, after: float) -> float:
        """By how much ``after`` is better, in points."""
        return self.scale * (after - before if self.more_is_better else before - after)

    @property
    def in_words(self) -> str:
        return self.name.replace("_", " ")

    def points(self, gain: float) -> str:
        """A gain in words: "3.1 points of accuracy", "0.02 less loss"."""
        of = "points of" if self.scale == 100.0 else "of" if self.more_is_better else "less"
        return f"{self.number(gain)} {of} {self.in_words}"

    def number(self, gain: float) -> str:
        return f"{round(gain, 1) + 0.0:.1f}" if self.scale == 100.0 else f"{gain:.3g}"  # + 0.0: no "-0.0"


def all_figures(reports: list[dict], split: str) -> dict[str, dict]:
    """Mean, spread and values of every figure on a split, by name, over the reports of one candidate."""
    of_runs = [report[split] for report in reports if report[split]]
    names = [name for name, value in of_runs[0].items() if isinstance(value, float)] if of_runs else []
    known = {name: [figures[name] for figures in of_runs if isinstance(figures.get(name), float)] for name in names}
    return {name: mean_and_spread(values) for name, values in known.items()}


def num_examples(figures: dict) -> int:
    """How many examples the figures of a split are of; 0 where they do not say."""
    parts = figures.get("tasks", {}).values()
    return figures.get("examples", sum(part.get("examples", 0) for part in parts))


def shown_figures(names: Iterable[str], first: str) -> list[str]:
    """Those of the figures that a table has room for."""
    names = list(names)
    known = [name for name in dict.fromkeys((first, *_SHOWN_FIRST)) if name in names]
    return [*known, *(name for name in names if name not in known)][: max(_FEWEST_SHOWN, len(known))]


def mean_figure(reports: list[dict], measure: Measure, split: str) -> float | None:
    """The mean over the seeds; None where the split is empty."""
    values = [value for report in reports if (value := measure.figure(report, split)) is not None]
    return statistics.fmean(values) if values else None
