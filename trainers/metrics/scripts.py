"""Which characters are words of their own, and which script a text is mostly written in."""

import re
from collections.abc import Iterable

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
UNSPACED = rf"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff{HAN}"  # Thai, Lao, Burmese, Khmer, Kana too
TERM = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")  # a character of a script without spaces, or a word of another
_HAN_CHARACTER, _UNSPACED_CHARACTER = re.compile(f"[{HAN}]"), re.compile(f"[{UNSPACED}]")


def is_unspaced(texts: Iterable[str]) -> bool:
    """Whether half of the characters or more, spaces aside, are of scripts that are written without spaces."""
    text = "".join("".join(texts).split())
    return bool(text) and 2 * len(_UNSPACED_CHARACTER.findall(text)) >= len(text)


def is_han(texts: Iterable[str]) -> bool:
    """Whether four of five characters of scripts without spaces are Han; with many kana it is Japanese."""
    text = "".join(texts)
    return 5 * len(_HAN_CHARACTER.findall(text)) >= 4 * len(_UNSPACED_CHARACTER.findall(text))


def has_unspaced_terms(texts: Iterable[str]) -> bool:
    """Whether half of the terms or more are of scripts without spaces: a long number or name is one term."""
    terms = TERM.findall(" ".join(texts))
    return bool(terms) and 2 * sum(map(bool, map(_UNSPACED_CHARACTER.match, terms))) >= len(terms)
