"""Texts, or pairs of them, with a number each: read, cleaned of repeats, split so that nothing leaks, and counted."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfplm.data.bad_examples import BadExamples
from tfplm.data.configuration import ScoredDataConfig, Source
from tfplm.data.example_pool import read_pool
from tfplm.data.examples import Example, read_examples
from tfplm.data.sources import pair_key, part_digests, text_digest
from tfplm.data.splits import SPLITS, TEST, TRAIN, VALIDATION, choose_in_all, split_groups
from tfplm.data.text_examples import TextExamples
from tfplm.errors import UserError

_STRATA = 5  # of equal size, by the score, which every split has its share of
_REASONS = ("empty", "unlabelled", "short", "repeated", "contradictory", "in_evaluation")


@dataclass(kw_only=True)
class ScoredExamples(TextExamples):
    """Texts with numbers.

    Args:
        scores: float32 (n,).
    """

    scores: np.ndarray


@dataclass
class ScoredData:
    """The three splits of one task; no group, and unless repeats are kept no text, is in two of them."""

    train: ScoredExamples
    validation: ScoredExamples
    test: ScoredExamples
    figures: dict[str, Any]


def load_scored(config: ScoredDataConfig, seed: int) -> ScoredData:
    """Reads, splits and counts scored texts; equal arguments give equal data. Every split has low and high scores.

    Raises:
        UserError: a source cannot be read, a score is no number or out of its range, or all scores are equal.
    """
    dropped: Counter[str] = Counter()
    pool, given = read_pool(config, False, dropped)
    pool, scores = _scored(pool, config, dropped)
    if len(set(scores)) < 2:
        raise UserError(
            f"All {len(pool):,} training examples have the score {scores[0]:g}.", "Expected different ones."
        )
    strata = _strata(scores)
    fractions = config.split.model_copy(update=dict.fromkeys(given, 0.0))
    split_of = split_groups([example.group for example in pool], strata, fractions, seed, multi_label=False)
    splits = {
        name: [number for number, example in enumerate(pool) if split_of[example.group] == name] for name in SPLITS
    }
    if config.train_examples is not None:
        rows = splits[TRAIN]
        keys, of_rows = [pair_key(pool[row].text, pool[row].text_pair) for row in rows], [strata[row] for row in rows]
        chosen = choose_in_all(keys, of_rows, config.train_examples, config.seed_of_choice(seed))
        splits[TRAIN] = [rows[index] for index in chosen]
    examples = {
        name: ScoredExamples.of([pool[row] for row in rows], scores=scores[rows]) for name, rows in splits.items()
    }
    examples |= {name: _read_scores(part, config, dropped) for name, part in given.items()}
    figures = {name: _summary(part) for name, part in examples.items()}
    reasons = dict.fromkeys(_REASONS, 0) | dropped
    return ScoredData(examples[TRAIN], examples[VALIDATION], examples[TEST], figures | {"dropped": reasons})


def load_scored_examples(source: Source, config: ScoredDataConfig, dropped: Counter[str]) -> ScoredExamples:
    """Reads every scored example of one source, to evaluate on; raises as `load_scored`.

    Args:
        source: documents with scores.
        config: says what an example is; its sources are not read.
        dropped: counts, by reason, what is left out; added to.
    """
    return _read_scores(read_examples(source, config, False, dropped), config, dropped)


def held_out_scored(config: ScoredDataConfig, seed: int) -> set[str]:
    """What pretraining must not see: digests of the texts of validation and test, whole and in parts."""
    data = load_scored(config, seed)
    result: set[str] = set()
    for examples in (data.validation, data.test):
        pairs = examples.text_pairs or [None] * len(examples)
        for text, text_pair in zip(examples.texts, pairs, strict=True):
            result.add(text_digest(pair_key(text, text_pair)))
            result.update(part_digests(text), part_digests(text_pair or ""))
    return result


def _read_scores(examples: list[Example], config: ScoredDataConfig, dropped: Counter[str]) -> ScoredExamples:
    kept, scores = _scored(examples, config, dropped)
    return ScoredExamples.of(kept, scores=scores)


def _scored(
    examples: list[Example], config: ScoredDataConfig, dropped: Counter[str]
) -> tuple[list[Example], np.ndarray]:
    """The examples whose score is a number in its range, and the scores, float32."""
    bad = BadExamples(config.on_bad_example, "finetune.data.on_bad_example")
    kept, scores = [], []
    low, high = config.score_range or (-math.inf, math.inf)
    for example in examples:
        score = _number(example.labels[0])
        if score is None:
            bad.add(example.origin, "a score that is no number", f"the score is {example.labels[0]!r}")
        elif not low <= score <= high:
            bad.add(example.origin, "a score out of range", f"the score {score:g} is not from {low:g} to {high:g}")
        else:
            kept.append(example)
            scores.append(score)
    bad.finish()
    dropped.update(bad.counts)
    if not kept:
        raise UserError(f"No example with a score is left; left out: {dict(bad.counts)}.")
    return kept, np.array(scores, np.float32)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _strata(scores: np.ndarray) -> list[tuple[str, ...]]:
    """By score, the fifth that each example is of, as a label."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, _STRATA + 1)[1:-1]))
    return [(f"scores of fifth {number + 1}",) for number in np.searchsorted(edges, scores, side="right")]


def _summary(examples: ScoredExamples) -> dict[str, Any]:
    if not len(examples):
        return {"examples": 0, "least": None, "mean": None, "largest": None, "standard_deviation": None}
    scores = examples.scores.astype(np.float64)
    return {
        "examples": len(examples),
        "least": float(scores.min()),
        "mean": float(scores.mean()),
        "largest": float(scores.max()),
        "standard_deviation": float(scores.std()),
    }
