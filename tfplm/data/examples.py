"""Labelled examples out of documents: paragraphs, labels, repeats and contradictions."""

from collections import Counter
from dataclasses import dataclass

from tfplm.data.configuration import LabelledDataConfig, Source, TextDataConfig
from tfplm.data.sources import Document, describe_source, pair_key, read_documents, text_digest
from tfplm.data.splits import Labels
from tfplm.data.splitting import split_paragraphs
from tfplm.errors import UserError

_SHOWN = 5  # names in a message


@dataclass(frozen=True, slots=True)
class Example:
    """One text or pair to classify, its labels, and the document or group that it must not part from."""

    text: str
    labels: Labels
    origin: str
    group: str
    document_digest: str
    text_pair: str | None = None
    columns: tuple[tuple[str, str], ...] = ()  # further values by name

    @property
    def key(self) -> str:
        """Of equal examples it is equal, whatever their labels."""
        return text_digest(pair_key(self.text, self.text_pair))


def read_examples(source: Source, config: TextDataConfig, multi_label: bool, dropped: Counter[str]) -> list[Example]:
    """Reads the labelled examples of a source.

    Args:
        source: documents with labels.
        config: what an example is and how short it may be.
        multi_label: whether a document may have several labels, or none of the classes.
        dropped: counts, by reason, what is left out; added to.

    Returns:
        The examples in the order of the source.

    Raises:
        UserError: no document has a label, one has an empty one, or no example is left.
    """
    examples: list[Example] = []
    for document in read_documents(source, config.cleaning, keep_empty=True):
        if not document.text or document.text_pair == "":
            dropped["empty"] += 1
            continue
        if document.label is None:
            dropped["unlabelled"] += 1
            continue
        labels = _labels(document, multi_label)
        digest = text_digest(pair_key(document.text, document.text_pair))
        more = (document.text_pair, document.columns)
        for text in split_paragraphs(document.text) if config.unit == "paragraph" else [document.text]:
            if len(text) < config.min_characters:
                dropped["short"] += 1
            else:
                examples.append(Example(text, labels, document.origin, document.group, digest, *more))
    if not examples:
        raise _nothing_left(source, config, dropped)
    return examples


def drop_repeats(examples: list[Example], dropped: Counter[str]) -> list[Example]:
    """Keeps the first of equal texts, and none where equal texts have different labels: one of them must be wrong."""
    labels_of: dict[str, Labels | None] = {}  # None: contradictory
    for example in examples:
        key = example.key
        labels_of[key] = example.labels if labels_of.setdefault(key, example.labels) == example.labels else None
    kept, seen = [], set()
    for example in examples:
        key = example.key
        if labels_of[key] is None:
            dropped["contradictory"] += 1
        elif key in seen:
            dropped["repeated"] += 1
        else:
            seen.add(key)
            kept.append(example)
    return kept


def drop_shared(examples: list[Example], others: list[Example], dropped: Counter[str]) -> list[Example]:
    """Leaves out what also stands, by text or by group, in data that was given to evaluate on."""
    groups = {example.group for example in others}
    keys = {example.key for example in others}
    kept = [e for e in examples if e.group not in groups and e.key not in keys]
    dropped["in_evaluation"] += len(examples) - len(kept)
    return kept


def find_class_names(examples: list[Example], config: LabelledDataConfig, multi_label: bool) -> list[str]:
    """The classes: those that the configuration lists, else those of the examples, numbers sorted as numbers.

    Raises:
        UserError: there is nothing to tell apart, or the configuration lists a class that has no example.
    """
    counts = Counter(label for example in examples for label in example.labels)
    if config.labels is not None:
        check_labels(examples, config.labels, "the training data")
        missing = [name for name in config.labels if name not in counts]
        if missing:
            raise UserError(
                f"No training example has the label {_shown(missing)}.",
                f"Labels found: {_shown(sorted(counts))}.",
                "Add examples, or leave the label out of finetune.data.labels.",
            )
        if len(set(config.labels)) < len(config.labels):
            raise UserError("finetune.data.labels lists a label twice.", f"Labels listed: {_shown(config.labels)}.")
    constant = [name for name, count in counts.items() if count == len(examples)]
    if not counts or (len(counts) == 1 and (constant or not multi_label)):
        raise UserError(
            f"All {len(examples):,} training examples have the label {_shown(sorted(counts))}."
            if counts else f"None of the {len(examples):,} training examples has a label.",
            "Expected at least two classes.",
            "Check label_column or label.",
        )  # fmt: skip
    return list(config.labels) if config.labels is not None else sorted(counts, key=_label_order(counts))


def check_labels(examples: list[Example], class_names: list[str], where: str) -> None:
    """Raises UserError, which lists them, where examples have labels that are no class."""
    known = set(class_names)
    unseen = Counter(label for example in examples for label in example.labels if label not in known)
    if unseen:
        first = next(e for e in examples if any(label in unseen for label in e.labels))
        raise UserError(
            f"{where} has labels that are no class: "
            + ", ".join(f"'{name}' ({count:,} examples)" for name, count in unseen.most_common(_SHOWN))
            + (f" and {len(unseen) - _SHOWN} more" if len(unseen) > _SHOWN else "")
            + f"; first at {first.origin}.",
            f"Classes: {_shown(class_names)}.",
            "Mend the labels, or train with these classes too.",
        )


def _labels(document: Document, multi_label: bool) -> Labels:
    if isinstance(document.label, list):
        if not multi_label:
            raise UserError(
                f"{document.origin}: several labels may stand here: {document.label!r}.",
                "Expected one label a text.",
                "Set finetune.task.multi_label: true, or take label_separator away.",
            )
        if any(not label for label in document.label):
            raise UserError(f"{document.origin}: an empty label in {document.label!r}.")
        return tuple(sorted(set(document.label)))
    if document.label:
        return (document.label,)
    if multi_label:
        return ()
    raise UserError(f"{document.origin}: the label is empty.", "Expected a label for every text.", "Fill or remove it.")


def _nothing_left(source: Source, config: TextDataConfig, dropped: Counter[str]) -> UserError:
    if dropped["short"]:
        return UserError(
            f"No example is left of {describe_source(source)}: all {dropped['short']:,} labelled texts are too short.",
            f"Expected texts of at least {config.min_characters} characters.",
            "Lower finetune.data.min_characters.",
        )
    return UserError(
        f"No document of {describe_source(source)} has a label ({dropped['unlabelled']:,} have none).",
        "Expected a label for every text to learn from.",
        "Set label_column for a table; for text files set label, or mend label.pattern and label.ranges.",
    )


def _label_order(labels: Counter[str]):
    try:
        numbers = {label: float(label) for label in labels}
    except ValueError:
        return lambda label: label
    return lambda label: (numbers[label], label)


def _shown(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[: 4 * _SHOWN])
    return shown + (f" and {len(names) - 4 * _SHOWN} more" if len(names) > 4 * _SHOWN else "")
