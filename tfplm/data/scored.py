"""Texts, or pairs of them, with a number each: read, cleaned of repeats, split so that nothing leaks, and counted."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tfplm.data.bad_examples import BadExamples
from tfplm.data.configuration import ScoredDataConfig, Source
from tfplm.data.example_pool import held_out_documents, read_pool
from tfplm.data.examples import Example, read_examples
from tfplm.data.sources import describe_source, pair_key
from tfplm.data.splits import (
    TEST,
    TRAIN,
    VALIDATION,
    choose_in_all,
    divide_by_group,
    join_rare_strata,
    require_groups,
)
from tfplm.data.text_examples import TextExamples
from tfplm.errors import UserError

_STRATA = 5  # of equal size, by the score, which every split has its share of, unless one has too few groups
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
        UserError: a source cannot be read, a score is no number or out of its range, all scores are equal, or there
            are too few groups to split.
    """
    dropped: Counter[str] = Counter()
    splits = _split(config, seed, dropped)
    if config.train_examples is not None:
        splits[TRAIN] = _choose(splits[TRAIN], config.train_examples, config.seed_of_choice(seed))
    examples = {name: _to_examples(part) for name, part in splits.items()}
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
    return _to_examples(_scored(read_examples(source, config, False, dropped), config, dropped))


def held_out_scored(config: ScoredDataConfig, seed: int) -> set[str]:
    """What pretraining must not see: everything that validation and test may draw on; see `held_out_documents`."""
    splits = _split(config, seed, Counter())
    return held_out_documents([scored.example for scored in splits[VALIDATION] + splits[TEST]], config)


class _Scored(NamedTuple):
    """An example with its score, and with the stratum of scores that it is divided in."""

    example: Example
    score: float
    stratum: str = ""

    @property
    def group(self) -> str:
        return self.example.group


def _split(config: ScoredDataConfig, seed: int, dropped: Counter[str]) -> dict[str, list[_Scored]]:
    """All examples of every split, before some are chosen."""
    examples, given = read_pool(config, False, dropped)
    pool = _scored(examples, config, dropped)
    scores = np.array([scored.score for scored in pool], np.float32)
    if len(set(scores)) < 2:
        raise UserError(
            f"All {len(pool):,} training examples have the score {scores[0]:g}.", "Expected different ones."
        )
    groups = [scored.group for scored in pool]
    what = f"{describe_source(config.train)}: all {len(pool):,} examples"
    require_groups(groups, config.split, given, what, "Add texts, or name validation and test sources.")
    fractions = config.split.model_copy(update=dict.fromkeys(given, 0.0))
    strata = join_rare_strata(groups, _fifths(scores), fractions)
    pool = [scored._replace(stratum=stratum) for scored, stratum in zip(pool, strata, strict=True)]
    splits = divide_by_group(pool, [(stratum,) for stratum in strata], config.split, given, seed)
    return splits | {name: _scored(part, config, dropped) for name, part in given.items()}


def _choose(train: list[_Scored], number: int, seed: int) -> list[_Scored]:
    texts = [pair_key(scored.example.text, scored.example.text_pair) for scored in train]
    return [train[index] for index in choose_in_all(texts, [(scored.stratum,) for scored in train], number, seed)]


def _to_examples(scored: list[_Scored]) -> ScoredExamples:
    scores = np.array([score for _, score, _ in scored], np.float32)
    return ScoredExamples.of([example for example, *_ in scored], scores=scores)


def _scored(examples: list[Example], config: ScoredDataConfig, dropped: Counter[str]) -> list[_Scored]:
    """The examples whose score is a number in its range."""
    bad = BadExamples(config.on_bad_example, "finetune.data.on_bad_example")
    kept = []
    low, high = config.score_range or (-math.inf, math.inf)
    for example in examples:
        score = _number(example.labels[0])
        if score is None:
            bad.add(example.origin, "a score that is no number", f"the score is {example.labels[0]!r}")
        elif not low <= score <= high:
            bad.add(example.origin, "a score out of range", f"the score {score:g} is not from {low:g} to {high:g}")
        else:
            kept.append(_Scored(example, score))
    bad.finish()
    dropped.update(bad.counts)
    if not kept:
        raise UserError(f"No example with a score is left; left out: {dict(bad.counts)}.")
    return kept


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _fifths(scores: np.ndarray) -> list[str]:
    """By score, the fifth that each example is of; they sort as their scores do."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, _STRATA + 1)[1:-1]))
    return [f"scores of fifth {number + 1}" for number in np.searchsorted(edges, scores, side="right")]


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
