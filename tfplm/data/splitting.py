"""Lines, paragraphs and sentences, good enough for sentence pairs in English, Chinese and languages written alike."""

import re
from collections.abc import Iterator

_CLOSERS = "\"'”’»)\\]」』）】》〉"
CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f"
_WIDE = "。！？｡"
WIDE_MARKS = "。，、；：？！（）《》〈〉「」『』【】〔〕…—～·｡､"
_WRAPPED_CJK = re.compile(rf"(?<=[{CJK}{WIDE_MARKS}])\n(?=[{CJK}{WIDE_MARKS}])")
_CANDIDATE = re.compile(rf"[{_WIDE}.!?…؟।॥]+[{_CLOSERS}]*")  # begins with one class, which the search jumps to
_OPENERS = "\"'“‘«([「『（《"
_CJK_CHARACTER = re.compile(f"[“‘「『（《]?[{CJK}]")
_PARAGRAPH_BREAK = re.compile(r"\n\s*\n")
_NEVER_LAST = frozenset(
    "mr mrs ms messrs mx dr prof gen gov sen rep hon rev pres col maj capt cmdr lt sgt adm st mt ft vs viz cf "
    "e.g i.e al approx dept".split()
)
_BEFORE_NUMBER = frozenset(
    "no nos art arts sec secs vol vols p pp fig figs ch chap par eq ca jan feb mar apr jun jul aug sep sept oct nov "
    "dec".split()
)
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]\Z")


_REACH = 1000  # bytes: within so many a line end is near, however little text is cut off


def split_lines(text: str) -> list[str]:
    """Splits behind line ends and loses nothing: joined, the lines are the text."""
    return text.splitlines(keepends=True)


def cut_off_end(text: str, share: float) -> tuple[str, str]:
    """Cuts a text in two behind the line end that is nearest to the place where the last ``share`` of it begins.

    Where no line ends within half of that part or 1,000 bytes, as in a text of one long line, the cut is between two
    characters.

    Args:
        text: of two characters or more.
        share: of the UTF-8 bytes, in (0, 1].

    Returns:
        The beginning and the end, both with text.
    """
    data = text.encode()
    moved = round(share * len(data))
    place, reach = len(data) - moved, max(_REACH, moved // 2)
    before = data.rfind(b"\n", max(0, place - reach), place) + 1
    after = data.find(b"\n", place, place + reach) + 1
    ends = [end for end in (before, after) if 0 < end < len(data)]
    if ends:
        place = min(ends, key=lambda end: abs(end - place))
    beginning = data[:place].decode(errors="ignore")  # less a character that is cut
    place = min(max(len(beginning), 1), len(text) - 1)
    return text[:place], text[place:]


def split_paragraphs(text: str) -> list[str]:
    """Splits at blank lines; a text without any is one paragraph."""
    if "\n" not in text:
        return [text] if (text := text.strip()) else []
    return [paragraph for part in _PARAGRAPH_BREAK.split(text) if (paragraph := part.strip())]


def sentences_by_paragraph(text: str) -> list[list[str]]:
    """The sentences of every paragraph, each in one line; lines that Chinese was wrapped into are joined."""
    paragraphs = (split_sentences(_WRAPPED_CJK.sub("", paragraph)) for paragraph in split_paragraphs(text))
    return [[" ".join(sentence.split()) for sentence in sentences] for sentences in paragraphs]


def split_sentences(paragraph: str) -> list[str]:
    """Splits a paragraph after . ! ? … 。！？ and the quotes and brackets that close there.

    Not split are titles (Mr. Adams), initials and abbreviated names (J. Q. Adams, U.S. Senate), abbreviations before a
    number (No. 7), numbering at the start ("1. The …") and marks that a lower-case letter follows. A line break alone
    ends no sentence, so that wrapped text stays whole.

    Example:
        >>> split_sentences("Mr. Adams came. He left at 3.30! 你好。再见！")
        ['Mr. Adams came.', 'He left at 3.30!', '你好。', '再见！']
    """
    sentences, start = [], 0
    for end in _sentence_ends(paragraph):
        sentence = paragraph[start:end].strip()
        if sentence:
            sentences.append(sentence)
        start = end
    last = paragraph[start:].strip()
    return [*sentences, last] if last else sentences


def _sentence_ends(text: str) -> Iterator[int]:
    start, length = 0, len(text)
    for match in _CANDIDATE.finditer(text):
        mark, end = match.span()
        if end == length:
            return
        if text[mark] in _WIDE:
            ends = text[end] not in "，、；："
        elif text[end].isspace():
            ends = _ends_sentence(text, start, mark, end)
        else:
            ends = _ends_before_cjk(text, mark, end)
        if ends:
            yield end
            start = end


def _ends_before_cjk(text: str, mark: int, end: int) -> bool:
    """Whether ! ? …… end a sentence that the next one follows without white space, as it does in Chinese."""
    if text[mark] not in "!?…" or text[mark:end] == "…":
        return False
    return _CJK_CHARACTER.match(text, end) is not None


def _ends_sentence(text: str, start: int, mark: int, end: int) -> bool:
    """Whether a mark before white space ends the sentence from ``start``; mark and closers reach to ``end``."""
    after = text[end + 1 : end + 2]
    if not after.isalnum():
        after = text[end : end + 40].lstrip().lstrip(_OPENERS)[:1]
    if after.islower():
        return False
    if text[mark:end] != ".":
        return True
    word = text[max(start, mark - 20) : mark]
    word = word[max(word.rfind(" "), word.rfind("\n")) + 1 :].lstrip(_OPENERS)
    if len(word) < 8:
        lower = word.lower()
        if lower in _NEVER_LAST or _INITIALS.match(word) or (after.isdigit() and lower in _BEFORE_NUMBER):
            return False
        if word.isdigit():
            return len(word) > 3 or text[start:mark].strip() != word
    return True
