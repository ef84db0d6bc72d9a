"""From samples to figures: everything that is computed of them is computed here."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.contender import Contender


@dataclass
class Row:
    """What was measured of one contender.

    Args:
        contender: which.
        rates: amount a second, one a round; the rounds are the same for all rows of a group.
        problem: why there are no rates; None where there are.
        facts: what the contender says about itself.
    """

    contender: Contender
    rates: list[float] = field(default_factory=list)
    problem: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float | None:
        return statistics.median(self.rates) if self.rates else None


def median_ratio(rates: Sequence[float], others: Sequence[float]) -> float:
    """The median over the rounds of one rate over the other of the same round.

    What disturbs the machine for a while disturbs both, so this varies less than the ratio of the medians.
    """
    return statistics.median(rate / other for rate, other in zip(rates, others, strict=True))


def best(rows: Sequence[Row], role: str) -> Row | None:
    """The row of a role with the highest median; None where none was measured."""
    return max(
        (row for row in rows if row.contender.role == role and row.rates), key=lambda row: row.median, default=None
    )


def figures(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The figures of every row of a group: median, lowest and highest rate, and ratios to the best peer and reference.

    Returns:
        For every row median, low, high, times_best_peer and times_reference; None what cannot be told.
    """
    peer, reference = best(rows, "peer"), best(rows, "reference")
    return [
        {
            "median": row.median,
            "low": min(row.rates, default=None),
            "high": max(row.rates, default=None),
            "times_best_peer": median_ratio(row.rates, peer.rates) if peer and row.rates else None,
            "times_reference": median_ratio(row.rates, reference.rates) if reference and row.rates else None,
        }
        for row in rows
    ]
