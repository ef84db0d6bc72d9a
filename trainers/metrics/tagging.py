"""Figures of tagged sentences: entities as seqeval cuts them, or single tags."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from seqeval.metrics.sequence_labeling import get_entities

from trainers.metrics import counted
from trainers.metrics.bootstrap import Bootstrap, counted_intervals

Piece = tuple[str, int, int]  # of a sentence: its type, first and last token

_CHUNK_TAG = re.compile(r"O|[BIES](-.+)?")


def has_chunks(sentences: Sequence[Sequence[str]]) -> bool:
    """Whether tags mark pieces of sentences (``B-PER``, ``I-PER``, ``O``: IOB2 or IOBES) or stand for themselves."""
    return all(_CHUNK_TAG.fullmatch(tag) for tag in {tag for tags in sentences for tag in tags})


def tagging_figures(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict:
    """How many entities, or where tags stand for themselves how many tags, are right.

    An entity counts as right when type, beginning and end are. Tags that do not follow the scheme, as ``I-PER`` behind
    ``O``, begin an entity, as CoNLL's script has it and seqeval by default.

    Args:
        gold: the true tags of every sentence.
        predicted: as many of each.

    Returns:
        A JSON-able dict: examples (sentences), tokens, accuracy (of the tags), micro_ and macro_ precision, recall and
        f1, and under per_class these three and examples (the true entities) of every type that is there or was given.
        0 where nothing was given or is there.

    Raises:
        ValueError: the numbers of sentences, or of the tags of one, differ.

    Source: Tjong Kim Sang and Buchholz 2000, "Introduction to the CoNLL-2000 Shared Task", section 4; Nakayama 2018,
    seqeval.
    """
    tally = _Tally.of(gold, predicted)
    hits, given, present = (counts.sum(axis=0) for counts in (tally.hits, tally.given, tally.present))
    by_class = counted.precision_recall_f1(hits, given, present)
    everything = np.ones((1, len(gold)))
    averages = {name: float(values[0]) for name, values in _averages(everything, tally).items()}
    return {
        "examples": len(gold),
        "tokens": int(tally.tokens.sum()),
        **averages,
        "per_class": {
            type_name: {
                **{name: float(values[column]) for name, values in by_class.items()},
                "examples": int(present[column]),
            }
            for column, type_name in enumerate(tally.types)
        },
    }


def tagging_intervals(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], bootstrap: Bootstrap | None = None
) -> dict[str, list[float] | None]:
    """Bootstrap intervals of the figures of `tagging_figures`, and of ``f1 of TYPE``; sentences are drawn."""
    tally = _Tally.of(gold, predicted)

    def figures(counts: np.ndarray) -> dict[str, np.ndarray]:
        f1 = counted.precision_recall_f1(*tally.sums(counts))["f1"]
        by_class = {f"f1 of {name}": f1[:, column] for column, name in enumerate(tally.types)}
        return _averages(counts, tally) | by_class

    return counted_intervals(figures, len(gold), bootstrap)


@dataclass(frozen=True)
class _Tally:
    """What every sentence adds to the figures.

    Args:
        types: of the entities, or the tags themselves.
        hits: int (sentences, types), how many were given rightly.
        given: how many were given.
        present: how many there are.
        right_tags: int (sentences,).
        tokens: int (sentences,).
    """

    types: list[str]
    hits: np.ndarray
    given: np.ndarray
    present: np.ndarray
    right_tags: np.ndarray
    tokens: np.ndarray

    @classmethod
    def of(cls, gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> "_Tally":
        present, given = tagged_pieces(gold, predicted)
        hits = [a & b for a, b in zip(present, given, strict=True)]
        types = sorted({piece[0] for sentence in (*present, *given) for piece in sentence})
        tallies = (_count(sentences, types) for sentences in (hits, given, present))
        right = [sum(a == b for a, b in zip(*tags, strict=True)) for tags in zip(gold, predicted, strict=True)]
        return cls(types, *tallies, np.array(right, np.int64), np.array([len(tags) for tags in gold], np.int64))

    def sums(self, counts: np.ndarray) -> tuple[np.ndarray, ...]:
        """Hits, given and present in every resample, each (resamples, types)."""
        return counts @ self.hits, counts @ self.given, counts @ self.present


def tagged_pieces(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> tuple[list[set[Piece]], list[set[Piece]]]:
    """The true and the given entities of every sentence; the tags where they stand for themselves.

    Raises:
        ValueError: the numbers of sentences, or of the tags of one, differ.
    """
    lengths, others = ([len(tags) for tags in sentences] for sentences in (gold, predicted))
    if lengths != others:
        raise ValueError("gold, predicted: expected as many sentences, and as many tags of each")
    pieces = _entities if has_chunks(gold) and has_chunks(predicted) else _single_tags
    return [pieces(tags) for tags in gold], [pieces(tags) for tags in predicted]


def _entities(tags: Sequence[str]) -> set[Piece]:
    return set(get_entities(list(tags)))


def _single_tags(tags: Sequence[str]) -> set[Piece]:
    return {(tag, place, place) for place, tag in enumerate(tags)}


def _count(sentences: Sequence[set[Piece]], types: Sequence[str]) -> np.ndarray:
    counters = [Counter(piece[0] for piece in sentence) for sentence in sentences]
    return np.array([[counter[name] for name in types] for counter in counters], np.int64).reshape(
        len(counters), len(types)
    )


def _averages(counts: np.ndarray, tally: _Tally) -> dict[str, np.ndarray]:
    """Of all resamples; the macro figures are the means over the types that are there or were given."""
    hits, given, present = tally.sums(counts)
    occurs = given + present > 0
    by_class = counted.precision_recall_f1(hits, given, present)
    micro = counted.precision_recall_f1(*(x.sum(axis=1) for x in (hits, given, present)))
    return {
        "accuracy": counted.ratio(counts @ tally.right_tags, counts @ tally.tokens, 0.0),
        **{f"micro_{name}": values for name, values in micro.items()},
        **{
            f"macro_{name}": counted.ratio((values * occurs).sum(axis=1), occurs.sum(axis=1), 0.0)
            for name, values in by_class.items()
        },
    }
