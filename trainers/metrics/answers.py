"""How two answers are compared: by SQuAD's rule for words, by that of CMRC 2018 for characters."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from nltk.tokenize import NLTKWordTokenizer

from trainers.metrics.scripts import UNSPACED, has_unspaced_terms

RULES = ("squad", "cmrc")

_ENGLISH_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_CMRC_PUNCTUATION = str.maketrans("", "", r"-:_*^/\~`+=，。：？！“”；’《》·、「」（）－～『』")
_CHARACTER_OR_RUN = re.compile(rf"([{UNSPACED}])|([^{UNSPACED}]+)")
_WORDS = NLTKWordTokenizer()


def choose_rule(references: Sequence[Sequence[str]]) -> str:
    """The rule for the script of most words of the references: cmrc where it has no spaces, else squad."""
    return "cmrc" if has_unspaced_terms(text for texts in references for text in texts) else "squad"


def answer_scores(answer: str, references: Sequence[str], rule: str) -> tuple[float, float]:
    """Exact match and F1 of an answer, each from 0 to 1: the best over the references.

    Where there is no reference, or none with a word in it, the right answer is none: it has both 1, any other both 0.

    Args:
        answer: empty where none is given.
        references: right answers.
        rule: ``squad``: the words without case, punctuation and articles, in any order. ``cmrc``: without case and
            punctuation, every character of a script without spaces and the words between them, and of these the
            longest common run. CMRC's own script takes the characters of Chinese alone.

    Source: Rajpurkar et al. 2016, "SQuAD", section 6.1; Rajpurkar et al. 2018, "Know What You Don't Know", for no
    answer; Cui et al. 2019, "A Span-Extraction Dataset for Chinese Machine Reading Comprehension", section 4, and its
    evaluation script, version 5.
    """
    normalize, f1 = (_squad_text, _squad_f1) if rule == "squad" else (_cmrc_text, _cmrc_f1)
    given = normalize(answer)
    right = [text for text in map(normalize, references) if text]
    if not given or not right:
        return (float(bool(given) == bool(right)),) * 2
    return float(given in right), max(f1(given, text) for text in right)


def _squad_text(text: str) -> str:
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_ENGLISH_PUNCTUATION)).split())


def _squad_f1(given: str, right: str) -> float:
    words, others = given.split(), right.split()
    return _f1((Counter(words) & Counter(others)).total(), len(words), len(others))


def _cmrc_text(text: str) -> str:
    return text.lower().strip().translate(_CMRC_PUNCTUATION)


def _cmrc_f1(given: str, right: str) -> float:
    pieces, others = _cmrc_pieces(given), _cmrc_pieces(right)
    common = SequenceMatcher(None, pieces, others, autojunk=False).find_longest_match()
    return _f1(common.size, len(pieces), len(others))


def _cmrc_pieces(text: str) -> list[str]:
    """Characters, and the words of what is between them."""
    found = _CHARACTER_OR_RUN.findall(text)
    return [piece for character, run in found for piece in ([character] if character else _WORDS.tokenize(run))]


def _f1(common: int, given: int, right: int) -> float:
    return 2 * common / (given + right) if given + right else 0.0
