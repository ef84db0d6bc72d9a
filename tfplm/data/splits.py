"""Splitting labelled groups, and choosing a few examples a class, by hash: the same answer on every machine."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from tfplm.data.configuration import SplitConfig
from tfplm.errors import UserError

SPLITS = TRAIN, VALIDATION, TEST = "train", "validation", "test"
Labels = tuple[str, ...]  # of one example: one, or any number where it is multi-label

_POOL = "labels of few groups"


class Grouped(Protocol):
    """What can be split by group."""

    @property
    def group(self) -> str:
        """What it must not part from."""


Example = TypeVar("Example", bound=Grouped)


def stable_key(purpose: str, seed: int, name: str) -> bytes:
    """A pseudo-random sort key that depends on nothing but its arguments."""
    return hashlib.blake2b(f"{purpose}\0{seed}\0{name}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def split_groups(
    groups: Sequence[str], labels: Sequence[Labels], fractions: SplitConfig, seed: int, multi_label: bool
) -> dict[str, str]:
    """Gives every group to one split, label by label.

    A group counts for the label that most of its examples have. Of every label's groups the fractions go to validation
    and test, one group at least where the fraction is not zero. With folds a group is in the test of exactly one of
    them, every fold has its share of every label, and validation is taken of what is left.

    Args:
        groups: the group of every example.
        labels: the labels of every example.
        fractions: of the groups, for validation and test; or the folds.
        seed: another seed gives another split.
        multi_label: a label that is too rare to be split stays in training instead of raising. Where that would leave
            validation or test empty, or the test of one of the folds, the groups of all such labels are divided as
            those of one label.

    Returns:
        The name of the split of every group.

    Raises:
        UserError: a label has too few groups.
    """
    if fractions.folds is not None and not multi_label:
        _require_groups_for_folds(groups, labels, fractions)
    members: dict[str, list[str]] = {}
    for group, label in _main_labels(groups, labels).items():
        members.setdefault(label, []).append(group)
    for names in members.values():
        names.sort(key=lambda name: stable_key("split", seed, name))
    strata = dict(sorted(members.items()))
    rare = _too_rare(strata, fractions) if multi_label else set()
    if rare and _leaves_a_split_empty(strata, rare, fractions):
        strata = _with_rare_ones_pooled(strata, rare, seed)
        rare = _too_rare(strata, fractions) if fractions.folds is None else set()  # of folds any group can be the test
    return _divide(strata, rare, fractions)


def join_rare_strata(groups: Sequence[str], strata: Sequence[str], fractions: SplitConfig) -> list[str]:
    """Joins strata that have too few groups for `split_groups` with the smaller of their neighbours.

    Args:
        groups: the group of every example.
        strata: the stratum of every example; sorted by their names, neighbours stand side by side.
        fractions: as of `split_groups`.

    Returns:
        The stratum of every example. Where all have enough groups they are as they were.
    """
    joined = list(strata)
    needed = fractions.folds or _num_needed(fractions)
    while True:
        count = _num_groups(groups, [(stratum,) for stratum in joined], fractions)
        present = sorted(set(joined))
        rare = [stratum for stratum in present if 0 < count[stratum] < needed]
        if not rare or len(present) == 1:
            return joined
        smallest = min(rare, key=lambda stratum: count[stratum])
        place = present.index(smallest)
        beside = present[max(place - 1, 0) : place] + present[place + 1 : place + 2]
        other = min(beside, key=lambda stratum: count[stratum])
        joined = [other if stratum == smallest else stratum for stratum in joined]


def require_groups(
    groups: Collection[str], split: SplitConfig, given: Collection[str], what: str, remedy: str, name: str = "group"
) -> None:
    """Makes sure that every split that is wanted can have a group.

    Args:
        groups: of every example.
        split: the fractions or folds.
        given: the splits that have sources of their own.
        what: the examples and where they stand, for people.
        remedy: what to do where there are too few.
        name: of a group, for people.

    Raises:
        UserError: there are too few; none at all are no matter here.
    """
    shares = {VALIDATION: split.validation, TEST: split.test}
    needed = split.folds or 1 + sum(share > 0 and name not in given for name, share in shares.items())
    count = len(set(groups))
    if 0 < count < needed:
        raise UserError(
            f"{what} are of {count} {name}{'s' * (count > 1)}.",
            f"Expected at least {needed}, which training, validation and test share.",
            remedy,
        )


def divide_by_group(
    examples: Sequence[Example],
    labels: Sequence[Labels],
    split: SplitConfig,
    given: Iterable[str],
    seed: int,
    multi_label: bool = False,
) -> dict[str, list[Example]]:
    """The examples of every split, in their order; see `split_groups`.

    Args:
        examples: with a ``group`` each.
        labels: of each.
        split: the fractions or folds.
        given: the splits that have sources of their own, and get none of these examples.
        seed: as of `split_groups`.
        multi_label: as of `split_groups`.
    """
    fractions = split.model_copy(update=dict.fromkeys(given, 0.0))
    split_of = split_groups([example.group for example in examples], labels, fractions, seed, multi_label)
    return {name: [example for example in examples if split_of[example.group] == name] for name in SPLITS}


def choose_per_class(texts: Sequence[str], labels: Sequence[Labels], limit: int | None, seed: int) -> list[int]:
    """The indices, ascending, of at most ``limit`` examples of every class, chosen by their text alone.

    A larger limit keeps the choice of a smaller one. An example of several classes counts for each of them, so a class
    of a multi-label task may end with more.
    """
    if limit is None:
        return list(range(len(texts)))
    order = sorted(range(len(texts)), key=lambda index: stable_key("choose", seed, texts[index]))
    taken: Counter[str] = Counter()
    chosen = []
    for index in order:
        names = labels[index] or ("",)  # those without any class are limited like a class
        if any(taken[name] < limit for name in names):
            chosen.append(index)
            taken.update(names)
    return sorted(chosen)


def choose_in_all(texts: Sequence[str], labels: Sequence[Labels], number: int, seed: int) -> list[int]:
    """The indices, ascending, of ``number`` examples with the labels in the proportions that they have.

    Every label has one at least. A larger number keeps the choice of a smaller one. An example of several labels counts
    for the rarest of them.

    Raises:
        UserError: there are not so many, or more labels.
    """
    if number > len(texts):
        raise UserError(
            f"{number:,} training examples are asked for, and there are {len(texts):,}.",
            remedy="Ask for fewer, or label more texts.",
        )
    overall = Counter(name for names in labels for name in names)
    strata: dict[str, list[int]] = {}
    for index in sorted(range(len(texts)), key=lambda index: stable_key("choose", seed, texts[index])):
        rarest = min(labels[index], key=lambda name: (overall[name], name), default="")
        strata.setdefault(rarest, []).append(index)
    if number < len(strata):
        raise UserError(
            f"{number:,} training examples are asked for, and there are {len(strata):,} labels.",
            "Expected one of each at least.",
        )
    order = {
        index: (rank > 0, (rank + 0.5) / len(members), label)
        for label, members in strata.items()
        for rank, index in enumerate(members)
    }
    return sorted(sorted(order, key=order.get)[:number])


def _main_labels(groups: Sequence[str], labels: Sequence[Labels]) -> dict[str, str]:
    """The most frequent label of every group; of equals the one that is rarer overall, which needs the care more."""
    counts: dict[str, Counter[str]] = {}
    overall: Counter[str] = Counter()
    for group, names in zip(groups, labels, strict=True):
        counts.setdefault(group, Counter()).update(names or ("",))
        overall.update(names or ("",))
    return {group: min(count, key=lambda name: (-count[name], overall[name], name)) for group, count in counts.items()}


def _num_groups(groups: Sequence[str], labels: Sequence[Labels], fractions: SplitConfig) -> Counter[str]:
    """How many groups every label has: for folds all with an example of it, else those whose main label it is."""
    if fractions.folds is None:
        return Counter(_main_labels(groups, labels).values())
    pairs = {(group, name) for group, names in zip(groups, labels, strict=True) for name in names or ("",)}
    return Counter(name for _, name in pairs)


def _num_needed(fractions: SplitConfig) -> int:
    """The least number of groups that can be divided by the fractions."""
    return 1 + sum(fraction > 0 for fraction in (fractions.validation, fractions.test))


def _too_rare(strata: Mapping[str, Sequence[str]], fractions: SplitConfig) -> set[str]:
    """The labels without a group each for training, validation and test."""
    needed = _num_needed(fractions) if fractions.folds is None else 3
    return {label for label, names in strata.items() if len(names) < needed}


def _leaves_a_split_empty(strata: Mapping[str, Sequence[str]], kept: Collection[str], fractions: SplitConfig) -> bool:
    """Whether validation or test, where wanted, has no group; of folds the tests of all, which must be cut alike."""
    if fractions.folds is None:
        wanted = {name for name in (VALIDATION, TEST) if getattr(fractions, name) > 0}
        return not wanted <= set(_divide(strata, kept, fractions).values())
    each = (fractions.model_copy(update={"fold": fold}) for fold in range(fractions.folds))
    return any(TEST not in _divide(strata, kept, fold).values() for fold in each)


def _with_rare_ones_pooled(
    strata: Mapping[str, Sequence[str]], rare: Collection[str], seed: int
) -> dict[str, Sequence[str]]:
    """The strata with one instead of all rare ones, behind the others.

    The first group of every label stands behind the others of the pool, where training is taken from: a label is lost
    to training only where there is no other way.
    """
    first = {strata[label][0] for label in rare}
    pool = [name for label in rare for name in strata[label]]
    pool.sort(key=lambda name: (name in first, stable_key("split", seed, name)))
    return {label: names for label, names in strata.items() if label not in rare} | {_POOL: pool}


def _divide(strata: Mapping[str, Sequence[str]], kept: Collection[str], fractions: SplitConfig) -> dict[str, str]:
    """The split of every group.

    Args:
        strata: the groups of every label, both in the order in which they are divided.
        kept: labels whose groups stay in training.
        fractions: as of `split_groups`.
    """
    result: dict[str, str] = {}
    num_before = 0  # groups of other labels: the folds are filled in turn, so that none has more than one group more
    for label, names in strata.items():
        if label in kept:
            result.update(dict.fromkeys(names, TRAIN))
        elif fractions.folds is None:
            result.update(_divide_by_fractions(label, names, fractions))
        else:
            result.update(_divide_by_folds(names, fractions, num_before))
        num_before += len(names)
    return result


def _divide_by_fractions(label: str, names: Sequence[str], fractions: SplitConfig) -> dict[str, str]:
    """The split of every group of one label, in their order."""
    num_validation, num_test = _num_held_out(label, len(names), fractions)
    num_train = len(names) - num_validation - num_test
    splits = [VALIDATION] * num_validation + [TEST] * num_test + [TRAIN] * num_train
    return dict(zip(names, splits, strict=True))


def _require_groups_for_folds(groups: Sequence[str], labels: Sequence[Labels], fractions: SplitConfig) -> None:
    """Raises UserError where a label cannot be in every fold."""
    label, count = min(_num_groups(groups, labels, fractions).items(), key=lambda item: (item[1], item[0]))
    if count < fractions.folds:
        who = f"The label '{label}' has" if label else "The data has"
        remedy = "add documents of this label or leave it out" if label else "add documents"
        raise UserError(
            f"{who} {count} document{'s' if count > 1 else ''} (or groups of them) for {fractions.folds} folds.",
            "Expected one for each at least: every fold is the test once.",
            f"Take fewer folds, {remedy}." if count > 1 else f"{remedy[:1].upper()}{remedy[1:]}.",
        )


def _divide_by_folds(names: Sequence[str], split: SplitConfig, num_before: int) -> dict[str, str]:
    """The split of every group of one label; validation is of the fold behind the test, and of the next ones."""
    behind_test = {name: (num_before + index - split.fold) % split.folds for index, name in enumerate(names)}
    rest = sorted((name for name in names if behind_test[name]), key=behind_test.get)
    wanted = max(1, int(len(names) * split.validation + 0.5)) if split.validation > 0 else 0
    in_validation = set(rest[: min(wanted, len(rest) - 1)] if len(rest) > 1 else ())
    return {name: TEST if not behind_test[name] else VALIDATION if name in in_validation else TRAIN for name in names}


def _num_held_out(label: str, num_groups: int, fractions: SplitConfig) -> tuple[int, int]:
    needed = _num_needed(fractions)
    if num_groups < needed:
        raise UserError(
            f"The label '{label}' has {num_groups} document{'s' if num_groups > 1 else ''} (or groups of them).",
            f"Expected at least {needed}: one each for {_parts(fractions)}.",
            "Add documents of this label, leave it out, or name validation and test sources of their own.",
        )
    wanted = fractions.validation, fractions.test
    numbers = [max(1, int(num_groups * fraction + 0.5)) if fraction > 0 else 0 for fraction in wanted]
    while sum(numbers) >= num_groups:
        numbers[numbers.index(max(numbers))] -= 1
    return numbers[0], numbers[1]


def _parts(fractions: SplitConfig) -> str:
    parts = [TRAIN, *(name for name in (VALIDATION, TEST) if getattr(fractions, name) > 0)]
    return ", ".join(parts[:-1]) + " and " + parts[-1]
