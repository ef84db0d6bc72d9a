"""Pairs for models that write: read, cleaned of repeats, split so that nothing leaks, and counted."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tfplm.data.example_splits import choose_examples, without_repeats
from tfplm.data.pair import Pair
from tfplm.data.pair_configuration import GenerationTaskConfig, PairDataConfig, PairSource, RestorationSource
from tfplm.data.pair_lengths import length_warnings
from tfplm.data.pair_sources import DROP_REASONS, describe_pair_source, read_pairs
from tfplm.data.sources import part_digests, read_documents, text_digest
from tfplm.data.splits import SPLITS, TEST, TRAIN, VALIDATION, divide_by_group, require_groups
from tfplm.data.splitting import split_paragraphs, split_sentences
from tfplm.errors import UserError


@dataclass
class Pairs:
    """Texts with what is to be written for each: lists of the same length.

    Args:
        sources: without the prefix of their task.
        targets: what answers them.
        tasks: the name of each one's task.
        origins: where each one stands.
    """

    sources: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.sources)

    def extend(self, others: "Pairs") -> None:
        """Appends other pairs."""
        for name in ("sources", "targets", "tasks", "origins"):
            getattr(self, name).extend(getattr(others, name))


@dataclass
class PairData:
    """The three splits of one task, or of several; no group and no source text is in two of them."""

    train: Pairs
    validation: Pairs
    test: Pairs
    figures: dict[str, Any]


def load_pairs(config: PairDataConfig, seed: int, task: str = "") -> PairData:
    """Reads, splits and counts the pairs of one task; equal arguments give equal data.

    Repeated pairs are dropped before the split; a source may have several targets. What evaluation has, by the text of
    the source or by the group, training does not have, nor validation what the test has.

    Args:
        config: the sources and how they are split.
        seed: of the split, and of the choice of pairs where the configuration has none for that.
        task: its name, which every pair carries.

    Returns:
        The splits. ``figures`` holds for every split the numbers of pairs, of groups and of characters on either side;
        under ``dropped`` the pairs left out by reason; under ``warnings`` sentences for people.

    Raises:
        UserError: a source cannot be read, no pair is left, or there are too few groups to split.
    """
    splits, dropped = _split(config, seed)
    limits = dict.fromkeys(SPLITS, config.max_evaluation_examples) | {TRAIN: config.max_train_examples}
    chosen = choose_examples(splits, limits, config, seed)
    figures: dict[str, Any] = {
        name: _count(pairs) | {"available_examples": len(splits[name])} for name, pairs in chosen.items()
    }
    reasons = (*DROP_REASONS, "repeated", "in_evaluation")
    figures["dropped"] = {reason: dropped[reason] for reason in reasons}
    figures["warnings"] = length_warnings(splits[TRAIN], describe_pair_source(config.train))
    return PairData(**{name: _to_lists(pairs, task) for name, pairs in chosen.items()}, figures=figures)


def load_tasks(tasks: Mapping[str, GenerationTaskConfig], seed: int) -> PairData:
    """Reads the pairs of several tasks, one behind the other.

    Returns:
        The splits. ``figures`` holds under ``tasks`` those of `load_pairs` by task, and all their ``warnings``.

    Raises:
        UserError: as `load_pairs`.
    """
    result = PairData(Pairs(), Pairs(), Pairs(), {"tasks": {}, "warnings": []})
    for task, config in tasks.items():
        data = load_pairs(config.data, seed, task)
        for name in SPLITS:
            getattr(result, name).extend(getattr(data, name))
        result.figures["tasks"][task] = data.figures
        result.figures["warnings"] += [f"{task}: {warning}" for warning in data.figures["warnings"]]
    return result


def held_out_texts(tasks: Iterable[PairDataConfig], seed: int) -> set[str]:
    """What pretraining must not see: everything that validation and test may draw on.

    Returns:
        Groups of the pairs in validation and test, digests of both their texts and, of documents that sentences are
        restored of, also digests of paragraphs and lines.
    """
    result: set[str] = set()
    for config in tasks:
        splits, _ = _split(config, seed)
        held_out = [*splits[VALIDATION], *splits[TEST]]
        groups = {pair.group for pair in held_out}
        result.update(groups, *((text_digest(pair.source), text_digest(pair.target)) for pair in held_out))
        for source in (config.train, config.validation, config.test):
            for document in read_documents(source.text, config.cleaning) if _is_restoration(source) else ():
                if document.group in groups:
                    result.update(part_digests(document.text))
    return result


def prompts(pairs: Pairs, prefixes: Mapping[str, str], separator: str = "") -> list[str]:
    """What a model reads: the prefix of the task, the source and, for a decoder, what parts it from the target."""
    return [prefixes[task] + text + separator for task, text in zip(pairs.tasks, pairs.sources, strict=True)]


def first_sentence(text: str) -> str:
    """The first sentence of a text in one line: the summary to beat."""
    paragraphs = split_paragraphs(text)
    return " ".join(split_sentences(paragraphs[0])[0].split()) if paragraphs else ""


def _is_restoration(source: PairSource | None) -> bool:
    return isinstance(source, RestorationSource)


def _split(config: PairDataConfig, seed: int) -> tuple[dict[str, list[Pair]], Counter[str]]:
    """All pairs of every split, before some are chosen, and what was left out by reason."""
    dropped: Counter[str] = Counter()
    pool = read_pairs(config.train, config.cleaning, dropped)
    if config.drop_repeats:
        pool = without_repeats(pool, dropped)
    given = {
        name: read_pairs(source, config.cleaning, dropped)
        for name, source in ((VALIDATION, config.validation), (TEST, config.test))
        if source is not None
    }
    pool = _drop_shared(pool, [pair for pairs in given.values() for pair in pairs], dropped)
    splits = _divide(pool, config, given.keys(), seed) | given
    splits[VALIDATION] = _drop_shared(splits[VALIDATION], splits[TEST], dropped)
    splits[TRAIN] = _drop_shared(splits[TRAIN], splits[VALIDATION] + splits[TEST], dropped)
    if not splits[TRAIN]:
        raise UserError(
            f"No pair is left to train on of {describe_pair_source(config.train)}.",
            f"Left out: {dropped['in_evaluation']:,} pairs that validation and test have too.",
            "Name other pairs for training than for evaluation.",
        )
    return splits, dropped


def _divide(pool: list[Pair], config: PairDataConfig, given: Collection[str], seed: int) -> dict[str, list[Pair]]:
    what = f"{describe_pair_source(config.train)}: all {len(pool):,} pairs"
    remedy = "Cut the text into smaller documents (document: paragraph), or name validation and test sources."
    require_groups([pair.group for pair in pool], config.split, given, what, remedy, "document")
    return divide_by_group(pool, [()] * len(pool), config.split, given, seed)


def _drop_shared(pairs: list[Pair], others: list[Pair], dropped: Counter[str]) -> list[Pair]:
    """Leaves out what also stands, by source or by group, among others."""
    groups, texts = {pair.group for pair in others}, {pair.source for pair in others}
    kept = [pair for pair in pairs if pair.group not in groups and pair.source not in texts]
    dropped["in_evaluation"] += len(pairs) - len(kept)
    return kept


def _count(pairs: list[Pair]) -> dict[str, int]:
    return {
        "examples": len(pairs),
        "groups": len({pair.group for pair in pairs}),
        "source_characters": sum(len(pair.source) for pair in pairs),
        "target_characters": sum(len(pair.target) for pair in pairs),
    }


def _to_lists(pairs: list[Pair], task: str) -> Pairs:
    return Pairs(
        sources=[pair.source for pair in pairs],
        targets=[pair.target for pair in pairs],
        tasks=[task] * len(pairs),
        origins=[pair.origin for pair in pairs],
    )
