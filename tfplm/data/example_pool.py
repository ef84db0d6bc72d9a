"""The examples of a task before they are split: read, without repeats, and without what is evaluated on."""

from collections import Counter

from tfplm.data.configuration import TextDataConfig
from tfplm.data.examples import Example, drop_repeats, drop_shared, read_examples
from tfplm.data.splits import TEST, TRAIN, VALIDATION
from tfplm.errors import UserError


def read_pool(
    config: TextDataConfig, multi_label: bool, dropped: Counter[str]
) -> tuple[list[Example], dict[str, list[Example]]]:
    """Reads the sources of a task.

    Args:
        config: the sources, and whether repeats are dropped.
        multi_label: whether an example may have several labels, or none.
        dropped: counts, by reason, what is left out; added to.

    Returns:
        The examples that are split, and by split those that are given and taken as they stand.

    Raises:
        UserError: a source cannot be read, nothing is left to learn from, or some examples are pairs and others not.
    """
    pool = read_examples(config.train, config, multi_label, dropped)
    if config.drop_repeats:
        pool = drop_repeats(pool, dropped)
    given = {
        name: read_examples(source, config, multi_label, dropped)
        for name, source in ((VALIDATION, config.validation), (TEST, config.test))
        if source is not None
    }
    if config.drop_repeats:
        if len(given) == 2:
            given[VALIDATION] = drop_shared(given[VALIDATION], given[TEST], dropped)
        pool = drop_shared(pool, [example for examples in given.values() for example in examples], dropped)
    if not pool:
        raise UserError(
            "No training example is left: every text is repeated with another label, or stands in the evaluation data.",
            f"Left out: {dict(dropped)}.",
        )
    _require_one_kind({TRAIN: pool, **given})
    return pool, given


def _require_one_kind(splits: dict[str, list[Example]]) -> None:
    """Raises UserError where some examples are texts and others pairs."""
    first: dict[bool, Example] = {}
    for example in (example for examples in splits.values() for example in examples):
        first.setdefault(example.text_pair is not None, example)
    if len(first) > 1:
        raise UserError(
            f"{first[True].origin} is a pair of texts, and {first[False].origin} is one text.",
            "Expected pairs everywhere, or nowhere.",
            "Name the column of the second text with text_pair_column, or leave it out.",
        )
