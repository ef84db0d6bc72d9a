"""A figure by number of labels, and what it says in words."""

import math
import statistics
from dataclasses import dataclass

from trainers.studies.figures import Measure

_TENFOLD = 10


@dataclass(frozen=True)
class Curve:
    """One candidate's figure by number of labels on one split, from ``mean_and_spread`` over draws and seeds.

    A number of labels with which the figure is not defined is not there.
    """

    figures: dict[int, dict]

    @property
    def sizes(self) -> list[int]:
        return [*self.figures]

    def mean(self, size: int) -> float:
        return self.figures[size]["mean"]

    def spread(self, *sizes: int) -> float | None:
        """The standard deviation within these sizes; None where each has one value."""
        known = [spread for size in sizes if (spread := self.figures[size]["standard_deviation"]) is not None]
        return math.sqrt(statistics.fmean(spread**2 for spread in known)) if known else None

    def flat_from(self, measure: Measure) -> int | None:
        """The fewest labels that no larger number beats by more than the spread; None where the last still does."""
        for size in self.sizes[:-1]:
            later = self.sizes[self.sizes.index(size) + 1 :]
            if all(
                measure.gain(self.mean(size), self.mean(other)) <= measure.scale * (self.spread(size, other) or 0.0)
                for other in later
            ):
                return size
        return None


def in_words(curves: dict[str, Curve], measure: Measure, unit: str) -> list[str]:
    """Sentences: what ten times more labels bring, where a curve flattens, how many labels one candidate saves.

    Args:
        curves: of every candidate.
        measure: the figure.
        unit: of the numbers of labels.
    """
    sentences = [f"**{name}**: {_rise(curve, measure)} {_end(curve, measure, unit)}" for name, curve in curves.items()]
    shared = set.intersection(*(set(curve.sizes) for curve in curves.values())) if curves else set()
    if len(curves) < 2 or not shared:
        return sentences
    last = max(shared)
    ranked = sorted(curves, key=lambda name: measure.gain(0.0, curves[name].mean(last)), reverse=True)
    return [*sentences, _saved(ranked[0], ranked[1], last, curves, measure, unit)]


def _rise(curve: Curve, measure: Measure) -> str:
    sizes = curve.sizes
    if len(sizes) < 2:
        return "one number of labels is no curve."
    tenfold = [(size, _TENFOLD * size) for size in sizes if _TENFOLD * size in sizes]
    if not tenfold:
        gain = measure.gain(curve.mean(sizes[0]), curve.mean(sizes[-1]))
        of_ten = gain / math.log(sizes[-1] / sizes[0], _TENFOLD)
        return f"ten times more labels bring {measure.points(of_ten)} on average from {sizes[0]:,} to {sizes[-1]:,}."
    parts = []
    for few, more in tenfold:
        gain = measure.gain(curve.mean(few), curve.mean(more))
        parts.append(f"{measure.number(gain) if parts else measure.points(gain)} from {few:,} to {more:,}")
    return f"ten times more labels bring {', '.join(parts)}."


def _end(curve: Curve, measure: Measure, unit: str) -> str:
    if len(curve.sizes) < 2:
        return ""
    if curve.spread(*curve.sizes) is None:
        return "Where the curve flattens cannot be told without a spread: give more draws."
    flat = curve.flat_from(measure)
    if flat is None:
        return f"It still gets better at {curve.sizes[-1]:,}."
    spread = measure.scale * curve.spread(*curve.sizes[curve.sizes.index(flat) :])
    return f"From {flat:,} {unit} on it is flat: more bring no more than the spread ({measure.points(spread)})."


def _saved(best: str, other: str, last: int, curves: dict[str, Curve], measure: Measure, unit: str) -> str:
    """How many labels the better candidate needs for what the other one reaches with ``last``."""
    reached = curves[other].mean(last)
    enough = next(size for size in curves[best].sizes if measure.gain(reached, curves[best].mean(size)) >= 0.0)
    gap = measure.points(measure.gain(reached, curves[best].mean(last)))
    if enough == last:
        return f"At {last:,} {unit} **{best}** is ahead of **{other}** by {gap}."
    return (
        f"With {enough:,} {unit} **{best}** is where **{other}** is with {last:,}; with {last:,} it is ahead by {gap}."
    )
