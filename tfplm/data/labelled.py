"""Labelled data for a task: read, cleaned of repeats, split so that nothing leaks, and counted."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfplm.data.configuration import LabelledDataConfig, Source
from tfplm.data.example_pool import held_out_documents, read_pool
from tfplm.data.examples import Example, check_labels, find_class_names, read_examples
from tfplm.data.sources import describe_source, pair_key
from tfplm.data.splits import (
    TEST,
    TRAIN,
    VALIDATION,
    choose_in_all,
    choose_per_class,
    divide_by_group,
    require_groups,
)
from tfplm.data.text_examples import TextExamples
from tfplm.errors import UserError


@dataclass(kw_only=True)
class LabelledExamples(TextExamples):
    """Texts with labels.

    Args:
        labels: (n,) int32 class numbers, or (n, classes) float32 of 0 and 1 where examples have several labels.
        groups: the document or group that each text belongs to.
    """

    labels: np.ndarray
    groups: list[str]


@dataclass
class LabelledData:
    """The three splits of one task; no group, and unless repeats are kept no text, is in two of them."""

    train: LabelledExamples
    validation: LabelledExamples
    test: LabelledExamples
    class_names: list[str]
    figures: dict[str, Any]


@dataclass
class _Splits:
    """The examples of every split before some are chosen, and what was left out by reason."""

    examples: dict[str, list[Example]]
    class_names: list[str]
    dropped: Counter[str]


def load_labelled(config: LabelledDataConfig, multi_label: bool, seed: int) -> LabelledData:
    """Reads, splits and counts labelled data; equal arguments give equal data.

    Repeated texts are dropped before the split, and texts that occur with different labels altogether. Where
    validation or test data is given, it is taken as it stands, and training data that also occurs there is left out.

    Args:
        config: the sources and how they are split.
        multi_label: whether an example may have several labels, or none.
        seed: of the split, and of the choice of examples where the configuration has none for that.

    Returns:
        The splits. ``figures`` holds for every split the number of examples of each class and in all, the number of
        groups, and the number of texts left out by reason.

    Raises:
        UserError: a source cannot be read, or the labels are missing, empty, unseen or too few.
    """
    splits = _split(config, multi_label, seed)
    chosen = {name: _choose(name, examples, config, seed) for name, examples in splits.examples.items()}
    figures = _figures(chosen, splits)
    arrays = {name: _to_arrays(examples, splits.class_names, multi_label) for name, examples in chosen.items()}
    return LabelledData(**arrays, class_names=splits.class_names, figures=figures)


def load_examples(
    source: Source,
    class_names: list[str],
    config: LabelledDataConfig,
    multi_label: bool,
    dropped: Counter[str] | None = None,
) -> LabelledExamples:
    """Reads every labelled example of one source, to evaluate on: nothing is split, and repeats stay.

    Args:
        source: documents with labels.
        class_names: the classes of the model.
        config: says what an example is; its sources are not read.
        multi_label: whether an example may have several labels, or none.
        dropped: counts, by reason, the texts that are left out; added to.

    Raises:
        UserError: as ``load_labelled``; a label that is no class is one.
    """
    examples = read_examples(source, config, multi_label, Counter() if dropped is None else dropped)
    check_labels(examples, class_names, "The data")
    return _to_arrays(examples, class_names, multi_label)


def held_out_groups(config: LabelledDataConfig, multi_label: bool, seed: int) -> set[str]:
    """What pretraining must not see: everything that validation and test may draw on; see `held_out_documents`."""
    examples = _split(config, multi_label, seed).examples
    return held_out_documents([*examples[VALIDATION], *examples[TEST]], config)


def _split(config: LabelledDataConfig, multi_label: bool, seed: int) -> _Splits:
    dropped: Counter[str] = Counter()
    pool, given = read_pool(config, multi_label, dropped)
    class_names = find_class_names(pool, config, multi_label)
    for name, examples in given.items():
        check_labels(examples, class_names, f"The {name} data")
    return _Splits(_divide(pool, given, config, multi_label, seed), class_names, dropped)


def _divide(
    pool: list[Example], given: dict[str, list[Example]], config: LabelledDataConfig, multi_label: bool, seed: int
) -> dict[str, list[Example]]:
    labels = [example.labels for example in pool]
    if multi_label:  # where a label with too few groups is no error
        what = f"{describe_source(config.train)}: all {len(pool):,} examples"
        remedy = "Add documents, or name validation and test sources."
        require_groups([example.group for example in pool], config.split, given, what, remedy)
    result = divide_by_group(pool, labels, config.split, given, seed, multi_label) | given
    trained = {label for example in result[TRAIN] for label in example.labels}
    lost = sorted({label for example in pool for label in example.labels} - trained)
    if lost:
        raise UserError(
            f"After the split no training example has the label '{lost[0]}': its groups are all held out.",
            "Expected every label in several groups.",
            "Add groups of this label, or set another seed.",
        )
    return result


def _choose(name: str, examples: list[Example], config: LabelledDataConfig, seed: int) -> list[Example]:
    texts, labels = [pair_key(e.text, e.text_pair) for e in examples], [e.labels for e in examples]
    if name != TRAIN:
        indices = choose_per_class(texts, labels, config.evaluation_examples_per_class, seed)
    elif config.train_examples is not None:
        indices = choose_in_all(texts, labels, config.train_examples, config.seed_of_choice(seed))
    else:
        indices = choose_per_class(texts, labels, config.train_examples_per_class, config.seed_of_choice(seed))
    return [examples[index] for index in indices]


def _figures(chosen: dict[str, list[Example]], splits: _Splits) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, examples in chosen.items():
        counts = Counter(label for example in examples for label in example.labels)
        figures[name] = {
            "examples": len(examples),
            "available_examples": len(splits.examples[name]),
            "groups": len({example.group for example in examples}),
            "per_class": {label: counts[label] for label in splits.class_names},
        }
    reasons = ("empty", "unlabelled", "short", "repeated", "contradictory", "in_evaluation")
    return {**figures, "dropped": {reason: splits.dropped[reason] for reason in reasons}}


def _to_arrays(examples: list[Example], class_names: list[str], multi_label: bool) -> LabelledExamples:
    numbers = {name: number for number, name in enumerate(class_names)}
    if multi_label:
        labels = np.zeros((len(examples), len(class_names)), np.float32)
        for row, example in enumerate(examples):
            labels[row, [numbers[label] for label in example.labels]] = 1.0
    else:
        labels = np.array([numbers[example.labels[0]] for example in examples], np.int32)
    return LabelledExamples.of(examples, labels=labels, groups=[example.group for example in examples])
