"""The figures of a study, out of the reports of its runs."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
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

        Where it is defined in none of them, the sense says nothing.

        Args:
            reports: of runs.
            metric: `finetune.validation_metric`.
        """
        of_splits = [report[split] for report in reports for split in SPLITS if report[split]]
        in_bits = metric == "loss" and all("bits_per_byte" in figures for figures in of_splits)
        name = "bits_per_byte" if in_bits else metric
        known = [figures for figures in of_splits if figures[name] is not None]
        scores = [validation_score({"validation": figures}, metric) for figures in known]
        values = [figures[name] for figures in known]
        more_is_better = values == scores
        are_shares = more_is_better and all(abs(value) <= 1.0 for value in values)
        return cls(name, more_is_better, 100.0 if are_shares else 1.0)

    def figure(self, report: dict, split: str) -> float | None:
        """The figure on a split; None where the split is empty, or the figure is not defined."""
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
    """Mean, spread and values of every figure on a split, by name, over the reports of one candidate that have it."""
    of_runs = [report[split] for report in reports if report[split]]
    known: dict[str, list[float]] = {}
    for figures in of_runs:
        for name, value in figures.items():
            if isinstance(value, float):
                known.setdefault(name, []).append(value)
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


def known_figures(reports: list[dict], measure: Measure, split: str) -> list[float]:
    """Of the reports in which it is defined."""
    return [value for report in reports if (value := measure.figure(report, split)) is not None]


def mean_figure(reports: list[dict], measure: Measure, split: str) -> float | None:
    """The mean over the seeds in which it is defined; None where it is in none, or the split is empty."""
    values = known_figures(reports, measure, split)
    return statistics.fmean(values) if values else None


def undefined_in_words(candidates: Mapping[str, Sequence[dict]], measure: Measure) -> list[str]:
    """Sentences: in how many runs a figure is not defined, as a correlation of equal predictions.

    Args:
        candidates: by name the reports of all runs.
        measure: the figure that the study goes by, which is told of where no run has it too.
    """
    sentences = []
    for candidate, reports in candidates.items():
        for split in SPLITS:
            of_runs = [report[split] for report in reports if report[split]]
            floats = {name for figures in of_runs for name, value in figures.items() if isinstance(value, float)}
            for name in sorted(floats | {measure.name}):
                if count := sum(figures.get(name) is None for figures in of_runs):
                    sentences.append(
                        f"**{candidate}**: {name.replace('_', ' ')} on {split} is not defined in {count} of "
                        f"{len(of_runs)} runs, which are left out of its means."
                    )
    return sentences
