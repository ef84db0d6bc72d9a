"""Texts with labelled spans: read, split so that nothing leaks, and counted."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from tfplm.data.bad_examples import BadExamples
from tfplm.data.cleaning import clean_text
from tfplm.data.example_splits import IN_EVALUATION, choose_examples, without_repeats
from tfplm.data.sources import part_digests
from tfplm.data.splits import SPLITS, TEST, TRAIN, VALIDATION, divide_by_group, require_groups
from tfplm.data.tagged_configuration import TaggedDataConfig, TaggedSource
from tfplm.data.tagged_sources import describe_tagged_source, read_tagged
from tfplm.data.tagged_text import TaggedExamples, TaggedText
from tfplm.errors import UserError

SETTING = "finetune.data.on_bad_example"


@dataclass
class TaggedData:
    """The three splits of one task; no group is in two of them unless the sources have it so.

    Args:
        train: texts to learn from.
        validation: may be none.
        test: may be none.
        labels: of the spans, sorted.
        figures: see `load_tagged`.
    """

    train: TaggedExamples
    validation: TaggedExamples
    test: TaggedExamples
    labels: list[str]
    figures: dict[str, Any]


def load_tagged(config: TaggedDataConfig, seed: int) -> TaggedData:
    """Reads, splits and counts tagged data; equal arguments give equal data.

    Where validation or test data is given, it is taken as it stands. In a split equal texts are one group.

    Args:
        config: the sources and how they are split.
        seed: of the split and of the choice of examples.

    Returns:
        The splits. ``figures`` holds for every split the numbers of examples, groups, words (where the data has them)
        and characters, and of the spans of every label; under ``dropped`` the examples left out by reason, and under
        ``mended`` what was taken otherwise than it stands.

    Raises:
        UserError: a source cannot be read, examples cannot be used, or no text or no label is left.
    """
    bad, dropped, mended = BadExamples(config.on_bad_example, SETTING), Counter(), Counter()
    splits, labels = _split(config, seed, bad, dropped, mended)
    limits = dict.fromkeys(SPLITS, config.max_evaluation_examples) | {TRAIN: config.max_train_examples}
    chosen = choose_examples(splits, limits, config, seed)
    figures: dict[str, Any] = {
        name: _count(texts, labels) | {"available_examples": len(splits[name])} for name, texts in chosen.items()
    }
    figures["dropped"] = dict(bad.counts + dropped)
    figures["mended"] = dict(+mended)
    return TaggedData(**{name: TaggedExamples(texts) for name, texts in chosen.items()}, labels=labels, figures=figures)


def load_tagged_examples(
    source: TaggedSource, labels: list[str], config: TaggedDataConfig, dropped: Counter[str]
) -> TaggedExamples:
    """Reads every text of one source, to evaluate on: nothing is split, and repeats stay.

    Args:
        source: texts with spans.
        labels: that the model knows.
        config: what is done with bad examples and which labels count; its sources are not read.
        dropped: counts, by reason, what is left out; added to.

    Raises:
        UserError: as `load_tagged`; a label that the model does not know is one.
    """
    bad = BadExamples(config.on_bad_example, "data.on_bad_example in the config.yaml of the run")
    texts = _only(read_tagged(source, bad, dropped), config.only_labels, dropped)
    _tell_unknown(texts, labels, bad)
    bad.finish()
    dropped.update(bad.counts)
    return TaggedExamples(texts)


def held_out_tagged(config: TaggedDataConfig, seed: int) -> set[str]:
    """What pretraining must not see: digests of the texts that validation and test may draw on, and of their lines.

    Args:
        config: the sources and how they are split.
        seed: of the split.
    """
    splits, _ = _split(config, seed, BadExamples(config.on_bad_example, SETTING), Counter(), Counter())
    texts = [text.text for text in splits[VALIDATION] + splits[TEST]]
    return set().union(*(part_digests(clean_text(text, config.cleaning)) for text in texts))


def _split(
    config: TaggedDataConfig, seed: int, bad: BadExamples, dropped: Counter[str], mended: Counter[str]
) -> tuple[dict[str, list[TaggedText]], list[str]]:
    """All texts of every split before some are chosen, and the labels."""
    sources = {TRAIN: config.train, VALIDATION: config.validation, TEST: config.test}
    read = {name: read_tagged(source, bad, mended) for name, source in sources.items() if source}
    texts = {name: _only(found, config.only_labels, dropped) for name, found in read.items()}
    pool = texts.pop(TRAIN)
    labels = _find_labels(pool, config, bad)
    for others in texts.values():
        _tell_unknown(others, labels, bad)
    bad.finish()
    if config.drop_repeats:
        pool = _drop_repeats(pool, texts, dropped)
    splits = _divide(pool, config, set(texts), seed) | texts
    if not splits[TRAIN]:
        raise UserError(
            f"No text is left to train on of {describe_tagged_source(config.train)}.",
            f"Left out: {dict(bad.counts + dropped)}.",
            "Mend the data, or name other texts for training than for evaluation.",
        )
    return splits, labels


def _only(texts: list[TaggedText], labels: list[str] | None, dropped: Counter[str]) -> list[TaggedText]:
    if labels is None:
        return texts
    kept = [replace(text, spans=tuple(span for span in text.spans if span.label in labels)) for text in texts]
    dropped["spans_of_other_labels"] += sum(
        len(old.spans) - len(new.spans) for old, new in zip(texts, kept, strict=True)
    )
    return kept


def _find_labels(pool: list[TaggedText], config: TaggedDataConfig, bad: BadExamples) -> list[str]:
    found = {span.label for text in pool for span in text.spans}
    if config.labels is None:
        if not found:
            bad.finish()  # which may be why
            raise UserError(
                f"No text of {describe_tagged_source(config.train)} has a span"
                + (" of a label in finetune.data.only_labels." if config.only_labels else "."),
                "Expected spans to learn from.",
                "Check tag_column or spans_column" + (", and only_labels." if config.only_labels else "."),
            )
        return sorted(found)
    if missing := [label for label in config.labels if label not in found]:
        raise UserError(
            f"No training text has a span of the label '{missing[0]}', which finetune.data.labels names.",
            f"Labels found: {', '.join(sorted(found)) or 'none'}.",
            "Add such texts, or leave the label out.",
        )
    _tell_unknown(pool, config.labels, bad)
    return config.labels


def _tell_unknown(texts: list[TaggedText], labels: list[str], bad: BadExamples) -> None:
    """A text stays with a span that can never be found: to leave it out would make the figures better than they are."""
    known = set(labels)
    for text in texts:
        if unknown := [span.label for span in text.spans if span.label not in known]:
            bad.add(text.origin, "a label that training lacks", f"the label '{unknown[0]}' is not among the training's")


def _drop_repeats(
    pool: list[TaggedText], given: dict[str, list[TaggedText]], dropped: Counter[str]
) -> list[TaggedText]:
    first = without_repeats(pool, dropped)
    held_out = {text.text for texts in given.values() for text in texts}
    kept = [text for text in first if text.text not in held_out]
    dropped[IN_EVALUATION] += len(first) - len(kept)
    return kept


def _divide(
    pool: list[TaggedText], config: TaggedDataConfig, given: Collection[str], seed: int
) -> dict[str, list[TaggedText]]:
    what = f"{describe_tagged_source(config.train)}: all {len(pool):,} texts"
    remedy = "Set group: sentence, or name validation and test sources."
    require_groups([text.group for text in pool], config.split, given, what, remedy)
    labels = [tuple(sorted({span.label for span in text.spans})) for text in pool]
    return divide_by_group(pool, labels, config.split, given, seed, multi_label=True)


def _count(texts: list[TaggedText], labels: list[str]) -> dict[str, Any]:
    spans = Counter(span.label for text in texts for span in text.spans)
    return {
        "examples": len(texts),
        "groups": len({text.group for text in texts}),
        "words": sum(len(text.words) for text in texts if text.words is not None),
        "characters": sum(len(text.text) for text in texts),
        "spans": spans.total(),
        "per_class": {label: spans[label] for label in labels},
    }
