"""Pairs from every kind of pair source: clean, within the limits, and counted."""

from collections import Counter
from collections.abc import Iterator

from tfplm.data.aligned_html import read_aligned_html
from tfplm.data.cleaning import clean_text
from tfplm.data.configuration import CleaningConfig
from tfplm.data.file_paths import expand_package_paths, expand_paths
from tfplm.data.package_descriptions import read_package_descriptions
from tfplm.data.pair import Pair
from tfplm.data.pair_configuration import (
    AlignedHtmlSource,
    DebianDescriptionsSource,
    PairSource,
    PairTableSource,
    RestorationSource,
)
from tfplm.data.restoration import read_restoration
from tfplm.data.sources import describe_source, text_digest
from tfplm.data.tables import read_columns, scalar_text
from tfplm.errors import UserError

_EMPTY_SOURCE, _EMPTY_TARGET, _SHORT, _LONG, _SAME = "empty_source", "empty_target", "short", "long", "untranslated"
_REASONS = {
    _EMPTY_SOURCE: "without a source",
    _EMPTY_TARGET: "without a target",
    _SHORT: "too short",
    _LONG: "too long",
    _SAME: "equal on both sides",
}
DROP_REASONS = (*_REASONS, "without_counterpart")


def read_pairs(source: PairSource, cleaning: CleaningConfig, dropped: Counter[str]) -> list[Pair]:
    """Reads the pairs of a source.

    Args:
        source: where they are, and how short and long their texts may be.
        cleaning: what is done to both texts.
        dropped: counts, by DROP_REASONS, what is left out; added to.

    Returns:
        The pairs, clean, in the order of the source. Where it names no group, pairs of equal sources are one.

    Raises:
        UserError: the source cannot be read or is malformed, or no pair is left.
    """
    pairs: list[Pair] = []
    left_out: dict[str, list[str]] = {}  # origins by reason
    for pair in _read(source, cleaning, dropped):
        texts = clean_text(pair.source, cleaning), clean_text(pair.target, cleaning)
        reason = _reason_to_leave_out(*texts, source)
        if reason is None:
            pairs.append(Pair(*texts, pair.origin, pair.group or text_digest(texts[0])))
        else:
            left_out.setdefault(reason, []).append(pair.origin)
    if not pairs:
        raise _nothing_left(source, left_out)
    dropped.update({reason: len(origins) for reason, origins in left_out.items()})
    return pairs


def describe_pair_source(source: PairSource) -> str:
    """The source in a few words, for messages."""
    if isinstance(source, AlignedHtmlSource):
        return f"{source.source_folder} and {source.target_folder}"
    if isinstance(source, RestorationSource):
        return describe_source(source.text)
    inside = f"the package '{source.package}': " if isinstance(source, PairTableSource) and source.package else ""
    return inside + ", ".join(source.paths)


def _read(source: PairSource, cleaning: CleaningConfig, dropped: Counter[str]) -> Iterator[Pair]:
    if isinstance(source, PairTableSource):
        yield from _read_tables(source, cleaning)
    elif isinstance(source, AlignedHtmlSource):
        yield from read_aligned_html(source, cleaning, dropped)
    elif isinstance(source, DebianDescriptionsSource):
        for path in expand_paths(source.paths):
            yield from read_package_descriptions(path, cleaning)
    else:
        yield from read_restoration(source.text, cleaning)


def _read_tables(source: PairTableSource, cleaning: CleaningConfig) -> Iterator[Pair]:
    columns = [name for name in (source.source_column, source.target_column, source.group_column) if name is not None]
    in_package = expand_package_paths(source.package, source.paths) if source.package is not None else []
    for path in [path for path, _ in in_package] or expand_paths(source.paths):
        rows = read_columns(
            path, source.format, columns, cleaning, settings="source_column, target_column or group_column"
        )
        for origin, row in rows:
            texts = (scalar_text(row[column], origin, column) for column in columns)
            yield Pair(next(texts), next(texts), origin, next(texts, ""))


def _reason_to_leave_out(text: str, target: str, limits: PairSource) -> str | None:
    if not text:
        return _EMPTY_SOURCE
    if not target:
        return _EMPTY_TARGET
    if min(len(text), len(target)) < limits.min_characters:
        return _SHORT
    if limits.max_characters is not None and max(len(text), len(target)) > limits.max_characters:
        return _LONG
    if isinstance(limits, AlignedHtmlSource) and "".join(text.split()) == "".join(target.split()):
        return _SAME
    return None


def _nothing_left(source: PairSource, left_out: dict[str, list[str]]) -> UserError:
    where = describe_pair_source(source)
    if not left_out:
        return UserError(f"There are no pairs in {where}.", "Expected at least one source with its target.")
    counts = ", ".join(f"{len(origins):,} {_REASONS[reason]}" for reason, origins in left_out.items())
    reason, origins = max(left_out.items(), key=lambda item: len(item[1]))
    limits = f"at least {source.min_characters}"
    limits += f" and at most {source.max_characters}" if source.max_characters is not None else ""
    remedies = {
        _SHORT: "Lower min_characters.",
        _LONG: "Raise max_characters.",
        _SAME: "Name the folders of two different languages.",
        _EMPTY_SOURCE: "Check what is named as the source.",
        _EMPTY_TARGET: "Check what is named as the target.",
    }
    return UserError(
        f"No pair is left of {where}: {counts}; the first at {origins[0]}.",
        f"Expected texts on both sides, each of {limits} characters.",
        remedies[reason],
    )
