"""Bootstrap intervals: how far a figure would move if other examples of the same kind had been drawn."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

# From the numbers of the drawn examples, int64 (examples,), to figures; None where one is undefined.
Figures = Callable[[np.ndarray], Mapping[str, float | None]]
# From how often each resample has every example, float64 (resamples, examples), to figures of shape (resamples,);
# NaN where one is undefined.
CountedFigures = Callable[[np.ndarray], Mapping[str, np.ndarray]]

_DRAWS_AT_ONCE = 2_000_000
_LEAST_DEFINED = 0.5  # of the resamples, for an interval to say something


@dataclass(frozen=True)
class Bootstrap:
    """How resamples are drawn: as many examples as there are, with replacement.

    Args:
        seed: equal seeds draw equal resamples.
        num_samples: how many resamples.
        level: the share of them that lies within an interval.

    Source: Efron 1979, "Bootstrap Methods: Another Look at the Jackknife"; percentile intervals: Efron and Tibshirani
    1993, "An Introduction to the Bootstrap", chapter 13.
    """

    seed: int = 0
    num_samples: int = 1000
    level: float = 0.95

    def resamples(self, num_examples: int) -> Iterator[np.ndarray]:
        """Numbers of examples, int64 (some resamples, examples) at a time."""
        generator = np.random.default_rng(self.seed)
        at_once = max(1, _DRAWS_AT_ONCE // max(1, num_examples))
        for first in range(0, self.num_samples, at_once):
            shape = (min(at_once, self.num_samples - first), num_examples)
            yield generator.integers(0, num_examples, shape)


def bootstrap_intervals(
    figure: Figures, num_examples: int, seed: int = 0, num_samples: int = 1000, level: float = 0.95
) -> dict[str, list[float] | None]:
    """Percentile intervals of any figures, which are computed anew for every resample.

    Where the examples are not independent, draw what is: sentences for entities, questions for answers.

    Args:
        figure: from the numbers of the drawn examples to figures.
        num_examples: that are drawn from.
        seed: of the draws.
        num_samples: how many resamples.
        level: the share of the resamples within an interval.

    Returns:
        For every figure ``[low, high]``, over the resamples in which it is defined; None where that is fewer than half
        of them.
    """
    drawn = Bootstrap(seed, num_samples, level).resamples(num_examples) if num_examples else ()
    figures = [figure(rows) for batch in drawn for rows in batch]
    names = figures[0] if figures else ()
    return {name: _interval(np.array([sample[name] for sample in figures], np.float64), level) for name in names}


def counted_intervals(
    figures: CountedFigures, num_examples: int, bootstrap: Bootstrap | None = None
) -> dict[str, list[float] | None]:
    """As `bootstrap_intervals`, with many resamples at once; equal seeds give equal intervals.

    Args:
        figures: from how often each resample has every example to the figures of all resamples.
        num_examples: that are drawn from.
        bootstrap: how; None: as it is by default.
    """
    bootstrap = bootstrap or Bootstrap()
    drawn = bootstrap.resamples(num_examples) if num_examples else ()
    batches = [figures(_counts(rows)) for rows in drawn]
    names = batches[0] if batches else ()
    return {name: _interval(np.concatenate([b[name] for b in batches]), bootstrap.level) for name in names}


def _counts(rows: np.ndarray) -> np.ndarray:
    """How often each resample has every example."""
    num_samples, num_examples = rows.shape
    places = rows + num_examples * np.arange(num_samples)[:, None]
    return np.bincount(places.ravel(), minlength=rows.size).reshape(rows.shape).astype(np.float64)


def _interval(values: np.ndarray, level: float) -> list[float] | None:
    defined = values[~np.isnan(values)]
    if len(defined) < _LEAST_DEFINED * len(values):
        return None
    tail = (1.0 - level) / 2
    return np.quantile(defined, [tail, 1.0 - tail]).tolist()
