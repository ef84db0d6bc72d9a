"""The examples of a task before they are split, without repeats and what is evaluated on; what a corpus leaves out."""

from collections import Counter
from collections.abc import Collection

from tfplm.data.configuration import TextDataConfig
from tfplm.data.examples import Example, drop_repeats, drop_shared, read_examples
from tfplm.data.sources import pair_key, part_digests, read_documents, text_digest
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


def held_out_documents(held_out: Collection[Example], config: TextDataConfig) -> set[str]:
    """What pretraining must not see: the documents that examples are of.

    Args:
        held_out: the examples that validation and test may draw on.
        config: whose sources they are of.

    Returns:
        Groups of the documents. Since another source may cut the same files in another way, also the digests of their
        texts: of the whole document, its paragraphs and its lines.
    """
    groups = {example.group for example in held_out}
    digests = {example.document_digest for example in held_out}
    result = groups | digests
    for source in config.sources:
        for document in read_documents(source, config.cleaning):
            digest = text_digest(pair_key(document.text, document.text_pair))
            if document.group in groups or digest in digests:
                result.update(part_digests(document.text), part_digests(document.text_pair or ""))
    return result


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
