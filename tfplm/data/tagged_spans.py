"""Texts with spans from JSON lines."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfplm.data.bad_examples import BadExamples
from tfplm.data.cleaning import is_unicode
from tfplm.data.configuration import CleaningConfig
from tfplm.data.sources import text_digest
from tfplm.data.tables import read_json_objects, require_columns, scalar_text
from tfplm.data.tag_schemes import OUTSIDE
from tfplm.data.tagged_configuration import SpansSource
from tfplm.data.tagged_text import Span, TaggedText
from tfplm.errors import UserError

_COLUMNS = ("spans", "entities", "label")
_SETTINGS = "text_column, spans_column or group_column"
_SHAPES = 'Expected a list of {"start": 0, "end": 4, "label": "…"} or of [0, 4, "…"].'


def read_span_file(path: Path, source: SpansSource, bad: BadExamples, mended: Counter[str]) -> Iterator[TaggedText]:
    """Reads the texts of one file.

    Args:
        path: of the file.
        source: says which columns count.
        bad: takes the texts with spans that cannot be.
        mended: counts the spans that had white space at an end, which is taken from them; added to.

    Yields:
        The other texts in order.

    Raises:
        UserError: the file cannot be read, or a line lacks a column or has none that holds spans.
    """
    column = source.spans_column
    for origin, row in read_json_objects(path, CleaningConfig()):
        column = column or next((name for name in _COLUMNS if name in row), _COLUMNS[0])
        grouping = [source.group_column] if source.group_column else []
        wanted = [source.text_column, column, *grouping, *source.keep_columns]
        require_columns(origin, row, wanted, settings=_SETTINGS)
        text = scalar_text(row[source.text_column], origin, source.text_column)
        if not text.strip():
            bad.add(origin, "an empty text")
            continue
        if not is_unicode(text):
            bad.add(origin, "a text with half a character", "a surrogate without its partner")
            continue
        spans, trimmed, problem = _spans(row[column], text, f"{origin}: column '{column}'")
        if problem:
            bad.add(origin, *problem)
            continue
        mended["white_space_in_spans"] += trimmed
        group = "".join(scalar_text(row[name], origin, name) for name in grouping)
        columns = tuple((name, scalar_text(row[name], origin, name)) for name in source.keep_columns)
        yield TaggedText(text, spans, None, origin, group or text_digest(text), columns)


def _spans(values: Any, text: str, where: str) -> tuple[tuple[Span, ...], int, tuple[str, str] | None]:
    """The spans in order, how many were trimmed, and what is wrong: a reason and its details, or None."""
    if not isinstance(values, list):
        raise UserError(f"{where} holds a {type(values).__name__}.", _SHAPES)
    spans, trimmed = [], 0
    for value in values:
        span, surface = _parse(value, where)
        shown = f"[{span.start}, {span.end}, '{span.label}']"
        if not span.label:
            return (), 0, ("a span without a label", f"{shown} has no label")
        if span.label == OUTSIDE:
            return (), 0, ("a label that means outside", f"{shown}: '{OUTSIDE}' stands for what is in no span")
        if not 0 <= span.start <= span.end <= len(text):
            return (), 0, ("a span out of the text", f"{shown} in a text of {len(text):,} characters")
        inner = text[span.start : span.end]
        if not inner.strip():
            return (), 0, ("an empty span", f"{shown} holds no text")
        if surface is not None and surface != inner:
            return (), 0, ("a span of another text", f"{shown} is '{inner[:40]}' and not '{surface[:40]}'")
        start = span.start + len(inner) - len(inner.lstrip())
        spans.append(Span(start, start + len(inner.strip()), span.label))
        trimmed += inner != inner.strip()
    spans.sort()
    for left, right in zip(spans, spans[1:], strict=False):
        if right.start < left.end:
            return (), 0, ("overlapping spans", f"{[*left]} and {[*right]} overlap")
    return tuple(spans), trimmed, None


def _parse(value: Any, where: str) -> tuple[Span, str | None]:
    if isinstance(value, dict):
        parts = [value.get("start"), value.get("end"), value.get("label")]
    else:
        parts = list(value) if isinstance(value, list) else []
    offsets, label = parts[:2], parts[2:]
    if len(label) != 1 or not isinstance(label[0], str) or any(type(offset) is not int for offset in offsets):
        raise UserError(f"{where} holds {str(value)[:80]}.", _SHAPES)
    surface = value.get("text") if isinstance(value, dict) else None
    return Span(*offsets, label[0].strip()), surface if isinstance(surface, str) else None
