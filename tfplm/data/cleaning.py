"""Cleaning that a person would expect of text, the same for every language."""

import re
import unicodedata

from tfplm.data.configuration import CleaningConfig

# Every character that cleaning acts on, so that one search finds text that needs nothing.
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile("[\t\x1f\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")  # the other separators of Unicode, class Zs
_REMOVED = re.compile("[\x00-\x08\x0e-\x1e\x7f-\x84\x86-\x9f\xad\ufeff\ufffe\uffff\ud800-\udfff]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_UNCLEAN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\xa0\xad\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff\ufffe\uffff\ud800-\udfff]"
)


def clean_text(text: str, config: CleaningConfig) -> str:
    """Normalises Unicode, characters and white space; cleaning twice changes nothing.

    Lines end in one newline, have single spaces inside and none at their ends. A run of blank lines becomes one, which
    is what parts two paragraphs. Control characters, byte-order marks, soft hyphens and lone surrogates are removed.
    Joiners and variation selectors stay: emoji, Persian and Indic scripts need them.

    Args:
        text: any text.
        config: says which Unicode normalization form is wanted.

    Returns:
        The clean text; empty when nothing is left.
    """
    text = clean_lines(text, config)
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip("\n")


def is_unicode(text: str) -> bool:
    """Whether a text can be written: half a character, which JSON can hold as a lone surrogate, cannot."""
    return text.isascii() or not _LONE_SURROGATE.search(text)


def clean_lines(text: str, config: CleaningConfig) -> str:
    """Cleans every line as ``clean_text`` does, but keeps blank lines as they are, so that lines can be counted."""
    if _UNCLEAN.search(text):
        text = _clean_characters(text)
    if config.normalization != "none" and not text.isascii():
        text = _normalize(text, config.normalization)
    while "  " in text:
        text = text.replace("  ", " ")
    return text.replace(" \n", "\n").replace("\n ", "\n").strip(" ")


def _clean_characters(text: str) -> str:
    text = _LINE_ENDS.sub("\n", text)
    text = _SPACES.sub(" ", text)
    return _REMOVED.sub("", text)


def _normalize(text: str, form: str) -> str:
    """Compatibility forms may write spaces and combining marks anew, so the characters are looked at again."""
    if unicodedata.is_normalized(form, text):
        return text
    text = unicodedata.normalize(form, text)
    return _clean_characters(text) if form == "NFKC" and _UNCLEAN.search(text) else text
