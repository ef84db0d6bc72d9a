"""Texts with partners in three splits that share nothing, counted."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tfplm.data.configuration import SplitConfig
from tfplm.data.embedding_configuration import EmbeddingDataConfig
from tfplm.data.embedding_sources import EmbeddingExample, describe_embedding_source, read_embedding_examples
from tfplm.data.example_list import ExampleList
from tfplm.data.example_splits import (
    IN_EVALUATION,
    REPEATED,
    choose_examples,
    held_out_examples,
    split_examples,
    without_repeats,
)
from tfplm.data.sources import part_digests
from tfplm.data.splits import TEST, TRAIN, VALIDATION
from tfplm.errors import UserError

NOT_TO_BE_LEARNED = "not_to_be_learned"  # a reason to leave an example out


@dataclass
class EmbeddingData:
    """The three splits; no group is in two of them, and no text that evaluation asks for its partner is in training."""

    train: ExampleList[EmbeddingExample]
    validation: ExampleList[EmbeddingExample]
    test: ExampleList[EmbeddingExample]
    figures: dict[str, Any]


def load_embedding_data(config: EmbeddingDataConfig, seed: int, needs_score: bool = False) -> EmbeddingData:
    """Reads, splits and counts examples; equal arguments give equal data.

    Args:
        config: the sources and how they are split.
        seed: of the split and of the choice of examples.
        needs_score: whether scores are learned; otherwise it is partners, and pairs that are none only judge.

    Returns:
        The splits. ``figures`` holds for every split the numbers of examples, groups, partners, scores and characters,
        and under ``dropped`` the examples left out by reason.

    Raises:
        UserError: a source cannot be read, an example is bad and may not be left out, or there is too little to learn.
    """
    splits, dropped = _split(config, seed)
    learned = [e for e in splits[TRAIN] if (e.score is not None if needs_score else e.is_partner)]
    if not learned:
        raise _nothing_to_learn(config, needs_score)
    dropped[NOT_TO_BE_LEARNED] += len(splits[TRAIN]) - len(learned)
    splits[TRAIN] = learned
    limits = {TRAIN: config.max_train_examples, **dict.fromkeys((VALIDATION, TEST), config.max_evaluation_examples)}
    chosen = choose_examples(splits, limits, config, seed)
    figures: dict[str, Any] = {
        name: _count(examples) | {"available_examples": len(splits[name])} for name, examples in chosen.items()
    }
    figures["dropped"] = {REPEATED: 0, IN_EVALUATION: 0, **dropped}
    return EmbeddingData(**{name: ExampleList(examples) for name, examples in chosen.items()}, figures=figures)


def held_out_texts(config: EmbeddingDataConfig, seed: int) -> set[str]:
    """What pretraining must not see: groups of validation and test, and digests of their texts and of parts of them."""
    splits, _ = _split(config, seed)
    examples = held_out_examples(splits)
    digests = (part_digests(text) for example in examples for text in example.texts)
    return {example.group for example in examples}.union(*digests)


def _split(config: EmbeddingDataConfig, seed: int) -> tuple[dict[str, list[EmbeddingExample]], Counter[str]]:
    """All examples of every split, before some are chosen, and what was left out by reason."""
    dropped: Counter[str] = Counter()
    pool = read_embedding_examples(config.train, config, dropped)
    if config.drop_repeats:
        pool = without_repeats(pool, dropped)
    given = {
        name: read_embedding_examples(source, config, dropped)
        for name, source in ((VALIDATION, config.validation), (TEST, config.test))
        if source is not None
    }
    fractions = config.split if config.can_be_split else SplitConfig(validation=0.0, test=0.0)
    where = describe_embedding_source(config.train)
    return split_examples(pool, given, fractions, seed, dropped, where), dropped


def _nothing_to_learn(config: EmbeddingDataConfig, needs_score: bool) -> UserError:
    where = describe_embedding_source(config.train)
    if needs_score:
        remedy = "Name their column: finetune.data.train.score_column."
        return UserError(f"No pair of {where} has a score.", remedy=remedy)
    if config.partner_score is None:
        remedy = "Set finetune.data.partner_score, or take finetune.task.objective: similarity."
        return UserError(
            f"All pairs of {where} have scores, and none says from which on texts are partners.", "", remedy
        )
    return UserError(
        f"No pair of {where} has a score of {config.partner_score:g} or more, from which on texts are partners.",
        remedy="Lower finetune.data.partner_score.",
    )


def _count(examples: list[EmbeddingExample]) -> dict[str, int]:
    return {
        "examples": len(examples),
        "groups": len({example.group for example in examples}),
        "partners": sum(example.partner is not None and example.is_partner for example in examples),
        "scored": sum(example.score is not None for example in examples),
        "with_negative": sum(example.negative is not None for example in examples),
        "characters": sum(len(text) for example in examples for text in example.texts),
    }
