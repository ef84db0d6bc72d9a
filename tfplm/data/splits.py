"""Splitting labelled groups, and choosing a few examples a class, by hash: the same answer on every machine."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from tfplm.data.configuration import SplitConfig
from tfplm.errors import UserError

TRAIN, VALIDATION, TEST = "train", "validation", "test"
Labels = tuple[str, ...]  # of one example: one, or any number where it is multi-label


def stable_key(purpose: str, seed: int, name: str) -> bytes:
    """A pseudo-random sort key that depends on nothing but its arguments."""
    return hashlib.blake2b(f"{purpose}\0{seed}\0{name}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def split_groups(
    groups: Sequence[str], labels: Sequence[Labels], fractions: SplitConfig, seed: int, multi_label: bool
) -> dict[str, str]:
    """Gives every group to one split, label by label.

    A group counts for the label that most of its examples have. Of every label's groups the fractions go to validation
    and test, one group at least where the fraction is not zero.

    Args:
        groups: the group of every example.
        labels: the labels of every example.
        fractions: of the groups, for validation and test.
        seed: another seed gives another split.
        multi_label: a label that is too rare to be split stays in training instead of raising.

    Returns:
        The name of the split of every group.

    Raises:
        UserError: a label has too few groups.
    """
    members: dict[str, list[str]] = {}
    for group, label in _main_labels(groups, labels).items():
        members.setdefault(label, []).append(group)
    result: dict[str, str] = {}
    for label, names in sorted(members.items()):
        names.sort(key=lambda name: stable_key("split", seed, name))
        num_validation, num_test = _num_held_out(label, len(names), fractions, multi_label)
        for index, name in enumerate(names):
            held_out = VALIDATION if index < num_validation else TEST
            result[name] = held_out if index < num_validation + num_test else TRAIN
    return result


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


def _main_labels(groups: Sequence[str], labels: Sequence[Labels]) -> dict[str, str]:
    """The most frequent label of every group; of equals the one that is rarer overall, which needs the care more."""
    counts: dict[str, Counter[str]] = {}
    overall: Counter[str] = Counter()
    for group, names in zip(groups, labels, strict=True):
        counts.setdefault(group, Counter()).update(names or ("",))
        overall.update(names or ("",))
    return {group: min(count, key=lambda name: (-count[name], overall[name], name)) for group, count in counts.items()}


def _num_held_out(label: str, num_groups: int, fractions: SplitConfig, multi_label: bool) -> tuple[int, int]:
    wanted = [fractions.validation, fractions.test]
    needed = 1 + sum(fraction > 0 for fraction in wanted)
    if num_groups < needed:
        if multi_label:
            return 0, 0
        raise UserError(
            f"The label '{label}' has {num_groups} document{'s' if num_groups > 1 else ''} (or groups of them).",
            f"Expected at least {needed}: one each for {_parts(fractions)}.",
            "Add documents of this label, leave it out, or name validation and test sources of their own.",
        )
    numbers = [max(1, int(num_groups * fraction + 0.5)) if fraction > 0 else 0 for fraction in wanted]
    while sum(numbers) >= num_groups:
        numbers[numbers.index(max(numbers))] -= 1
    return numbers[0], numbers[1]


def _parts(fractions: SplitConfig) -> str:
    parts = [TRAIN, *(name for name in (VALIDATION, TEST) if getattr(fractions, name) > 0)]
    return ", ".join(parts[:-1]) + " and " + parts[-1]
