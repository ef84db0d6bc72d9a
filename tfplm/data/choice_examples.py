"""Questions with choices in three splits that share nothing, counted."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tfplm.data.choice_configuration import ChoiceDataConfig
from tfplm.data.choice_sources import ChoiceExample, describe_choice_source, read_choice_examples
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


@dataclass
class ChoiceData:
    """The three splits; no group and no question is in two of them."""

    train: ExampleList[ChoiceExample]
    validation: ExampleList[ChoiceExample]
    test: ExampleList[ChoiceExample]
    figures: dict[str, Any]


def load_choice_data(config: ChoiceDataConfig, num_choices: int, seed: int) -> ChoiceData:
    """Reads, splits and counts examples; equal arguments give equal data.

    Args:
        config: the sources and how they are split.
        num_choices: the most choices of an example.
        seed: of the split and of the choice of examples.

    Returns:
        The splits. ``figures`` holds for every split the numbers of examples, groups, choices and characters, how often
        each place is right, and under ``dropped`` the examples left out by reason.

    Raises:
        UserError: a source cannot be read, an example is bad and may not be left out, or there is too little to split.
    """
    splits, dropped = _split(config, num_choices, seed)
    limits = {TRAIN: config.max_train_examples, **dict.fromkeys((VALIDATION, TEST), config.max_evaluation_examples)}
    chosen = choose_examples(splits, limits, config, seed)
    figures: dict[str, Any] = {
        name: _count(examples, num_choices) | {"available_examples": len(splits[name])}
        for name, examples in chosen.items()
    }
    figures["dropped"] = {REPEATED: 0, IN_EVALUATION: 0, **dropped}
    return ChoiceData(**{name: ExampleList(examples) for name, examples in chosen.items()}, figures=figures)


def held_out_questions(config: ChoiceDataConfig, num_choices: int, seed: int) -> set[str]:
    """What pretraining must not see: digests of contexts and questions of validation and test, and of parts of them."""
    splits, _ = _split(config, num_choices, seed)
    examples = held_out_examples(splits)
    digests = (part_digests(text) for example in examples for text in (example.context, example.question) if text)
    return {example.group for example in examples}.union(*digests)


def _split(
    config: ChoiceDataConfig, num_choices: int, seed: int
) -> tuple[dict[str, list[ChoiceExample]], Counter[str]]:
    """All examples of every split, before some are chosen, and what was left out by reason."""
    dropped: Counter[str] = Counter()
    pool = read_choice_examples(config.train, config, num_choices, dropped)
    if config.drop_repeats:
        pool = without_repeats(pool, dropped)
    given = {
        name: read_choice_examples(source, config, num_choices, dropped)
        for name, source in ((VALIDATION, config.validation), (TEST, config.test))
        if source is not None
    }
    where = describe_choice_source(config.train)
    return split_examples(pool, given, config.split, seed, dropped, where), dropped


def _count(examples: list[ChoiceExample], num_choices: int) -> dict[str, Any]:
    labels = Counter(example.label for example in examples)
    return {
        "examples": len(examples),
        "groups": len({example.group for example in examples}),
        "choices": sum(len(example.choices) for example in examples),
        "characters": sum(len(example.asked) + sum(map(len, example.choices)) for example in examples),
        "per_place": [labels[number] for number in range(num_choices)],
    }
