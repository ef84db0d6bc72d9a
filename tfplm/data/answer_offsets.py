"""Where an answer stands in its passage."""

import unicodedata
from typing import NamedTuple

_CHARACTERS_OF_ONE = 4  # that a character is at most made of, once composed: letter and marks, in practice


class Place(NamedTuple):
    """A part of a passage, in characters."""

    start: int
    end: int


def stands_at(passage: str, text: str, start: int) -> bool:
    """Whether ``text`` begins at the character ``start`` of the passage."""
    return start >= 0 and passage.startswith(text, start)


def find_answer(passage: str, text: str, start: int) -> Place | None:
    """The place of ``text`` that is nearest to the character ``start``, in another Unicode normalization if need be.

    Returns:
        None where it stands nowhere.
    """
    found = _nearest(_occurrences(passage, text), start)
    if found is not None:
        return Place(found, found + len(text))
    return _find_normalized(passage, text, start)


def describe_misplaced(passage: str, text: str, start: int) -> str:
    """Says of an answer that is not at its offset what is there, and where it is, if it is."""
    if 0 <= start < len(passage):
        there = f"where {_shown(passage[start : start + len(text)])} stands"
    else:
        there = f"outside of the {len(passage):,} characters of the passage"
    said = f"the answer {_shown(text)} is not at its offset {start:,}, {there}"
    found = find_answer(passage, text, start)
    if found is None:
        return f"{said}; the passage does not hold it"
    if passage[found.start : found.end] != text:
        return f"{said}; at {found.start:,} it stands in another Unicode normalization (NFC and NFD mixed)"
    counted = [
        name
        for name, offset in (
            ("bytes of UTF-8", len(passage[: found.start].encode("utf-8", "replace"))),
            ("units of UTF-16", len(passage[: found.start].encode("utf-16-le", "surrogatepass")) // 2),
        )
        if offset == start
    ]
    hint = f" (the offset fits when {counted[0]} are counted: expected characters)" if counted else ""
    return f"{said}; it stands at {found.start:,}{hint}"


def _occurrences(passage: str, text: str) -> list[int]:
    places, place = [], passage.find(text)
    while place >= 0:
        places.append(place)
        place = passage.find(text, place + 1)
    return places


def _nearest(places: list[int], start: int) -> int | None:
    return min(places, key=lambda place: abs(place - start), default=None)


def _find_normalized(passage: str, text: str, start: int) -> Place | None:
    wanted = unicodedata.normalize("NFC", text)
    if not wanted or (passage.isascii() and text.isascii()):
        return None
    if wanted not in unicodedata.normalize("NFC", passage):
        return None
    ends = {place: end for place in range(len(passage)) if (end := _normalized_end(passage, place, wanted))}
    found = _nearest(list(ends), start)
    return Place(found, ends[found]) if found is not None else None


def _normalized_end(passage: str, place: int, wanted: str) -> int | None:
    """Where the part of the passage from ``place`` ends whose NFC form is ``wanted``."""
    if unicodedata.combining(passage[place]):
        return None
    first = unicodedata.normalize("NFC", passage[place : place + _CHARACTERS_OF_ONE])
    if first[0] != wanted[0]:
        return None
    for end in range(place + 1, min(place + _CHARACTERS_OF_ONE * len(wanted), len(passage)) + 1):
        whole = end == len(passage) or not unicodedata.combining(passage[end])
        if whole and unicodedata.normalize("NFC", passage[place:end]) == wanted:
            return end
    return None


def _shown(text: str, most: int = 40) -> str:
    return repr(text if len(text) <= most else text[: most - 1] + "…")
