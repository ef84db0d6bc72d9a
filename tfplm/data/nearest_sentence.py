"""The sentence of a passage that is most like a question: what an answer has to beat."""

import re

from tfplm.data.splitting import CJK, split_paragraphs, split_sentences

_WORDS = re.compile(rf"[{CJK}]|[^\W_]+")


def nearest_sentence(question: str, passage: str) -> str:
    """The sentence that has the largest share of the question's words; of equal ones the first.

    A Chinese or Japanese character counts as a word. Line breaks inside the sentence stay.
    """
    sentences = [sentence for part in split_paragraphs(passage) for sentence in split_sentences(part)]
    asked = _words(question)
    return max(sentences, key=lambda sentence: len(asked & _words(sentence)), default="")


def _words(text: str) -> set[str]:
    return set(_WORDS.findall(text.lower()))
