"""Examples of a task in three splits that share nothing, and a choice of them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from tfplm.data.configuration import SplitConfig, SplitDataConfig
from tfplm.data.splits import TEST, TRAIN, VALIDATION, Grouped, choose_per_class, divide_by_group, require_groups
from tfplm.errors import UserError

IN_EVALUATION, REPEATED = "in_evaluation", "repeated"  # reasons to leave an example out


class Keyed(Grouped, Protocol):
    """What can be chosen from."""

    @property
    def key(self) -> str:
        """Of equal examples it is equal."""


class SplitExample(Keyed, Protocol):
    """What can be split."""

    @property
    def asked(self) -> str:
        """What a model is asked: no other split may have it."""

    @property
    def texts(self) -> Sequence[str]:
        """All that a model which learns from it has seen."""


KeyedExample = TypeVar("KeyedExample", bound=Keyed)
Example = TypeVar("Example", bound=SplitExample)


def split_examples(
    pool: Sequence[Example],
    given: Mapping[str, Sequence[Example]],
    fractions: SplitConfig,
    seed: int,
    dropped: Counter[str],
    where: str,
) -> dict[str, list[Example]]:
    """Three splits; no group is in two of them, and nothing that evaluation asks is in training.

    Training gives way to validation and test, and validation to test.

    Args:
        pool: to learn from; validation and test too are taken out of it where they are not given.
        given: by split, those that have sources of their own.
        fractions: of the groups, for validation and test.
        seed: another seed gives another split.
        dropped: counts what is left out, by `IN_EVALUATION`; added to.
        where: the source of the pool, for messages.

    Raises:
        UserError: there are too few groups, or no training example is left.
    """
    pool = _without(pool, [example for examples in given.values() for example in examples], dropped)
    splits = _divide(pool, given, fractions, seed, where) | {name: list(examples) for name, examples in given.items()}
    splits[VALIDATION] = _without(splits[VALIDATION], splits[TEST], dropped)
    splits[TRAIN] = _without(splits[TRAIN], splits[VALIDATION] + splits[TEST], dropped)
    if not splits[TRAIN]:
        raise UserError(
            f"No example is left to train on of {where}.",
            f"Left out: {dropped[IN_EVALUATION]:,} that validation and test have too.",
            "Name other data for training than for evaluation.",
        )
    return splits


def without_repeats(examples: Iterable[KeyedExample], dropped: Counter[str]) -> list[KeyedExample]:
    """Of equal examples the first; ``dropped`` counts the others by `REPEATED`."""
    first: dict[str, KeyedExample] = {}
    count = 0
    for example in examples:
        count += 1
        first.setdefault(example.key, example)
    dropped[REPEATED] += count - len(first)
    return list(first.values())


def choose_examples(
    splits: Mapping[str, Sequence[KeyedExample]], limits: Mapping[str, int | None], config: SplitDataConfig, seed: int
) -> dict[str, list[KeyedExample]]:
    """At most so many examples of every split; a larger number keeps the choice of a smaller one.

    Args:
        splits: all examples by split.
        limits: by split; None takes all.
        config: of the data; it may choose the training examples by a seed of its own.
        seed: of the split.
    """
    chosen = {}
    for name, examples in splits.items():
        keys = [example.key for example in examples]
        seed_of_choice = config.seed_of_choice(seed) if name == TRAIN else seed
        numbers = choose_per_class(keys, [()] * len(keys), limits[name], seed_of_choice)
        chosen[name] = [examples[number] for number in numbers]
    return chosen


def held_out_examples(splits: Mapping[str, Sequence[Example]]) -> list[Example]:
    """Those of validation and test."""
    return [*splits[VALIDATION], *splits[TEST]]


def _divide(
    pool: Sequence[Example], given: Collection[str], fractions: SplitConfig, seed: int, where: str
) -> dict[str, list[Example]]:
    groups, what = [example.group for example in pool], f"{where}: all {len(pool):,} examples"
    require_groups(groups, fractions, given, what, "Add data, or name validation and test sources.")
    return divide_by_group(pool, [()] * len(pool), fractions, given, seed)


def _without(examples: Sequence[Example], others: Sequence[Example], dropped: Counter[str]) -> list[Example]:
    """Leaves out examples of a group of others, and those with a text that others ask."""
    groups, asked = {example.group for example in others}, {example.asked for example in others}
    kept = [e for e in examples if e.group not in groups and asked.isdisjoint(e.texts)]
    dropped[IN_EVALUATION] += len(examples) - len(kept)
    return kept
