"""Sentences of plain text that follow one another: partners, or the right choice among others, without any labels."""

from collections.abc import Iterator
from typing import NamedTuple

from tfplm.data.configuration import CleaningConfig
from tfplm.data.pair_configuration import AdjacentSentencesSource
from tfplm.data.sources import describe_source, read_documents
from tfplm.data.splits import stable_key
from tfplm.data.splitting import sentences_by_paragraph
from tfplm.errors import UserError


class AdjacentSentences(NamedTuple):
    """Two sentences of one paragraph, the second behind the first, and where they stand."""

    first: str
    second: str
    origin: str
    group: str


class FollowingSentence(NamedTuple):
    """A sentence, sentences of which one follows it, and the number of that one."""

    first: str
    choices: tuple[str, ...]
    label: int
    origin: str
    group: str


def read_adjacent_sentences(source: AdjacentSentencesSource, cleaning: CleaningConfig) -> Iterator[AdjacentSentences]:
    """Reads pairs of sentences, no sentence in two of them. The group is the document's. Raises UserError."""
    for pairs in _pairs_by_document(source, cleaning):
        yield from pairs


def read_following_sentences(
    source: AdjacentSentencesSource, cleaning: CleaningConfig, num_choices: int
) -> Iterator[FollowingSentence]:
    """As `read_adjacent_sentences`, each with sentences that follow others in the same document.

    Which these are, and where the right one stands among them, depends on the text alone. Documents with too few pairs
    give none.
    """
    for pairs in _pairs_by_document(source, cleaning):
        for number, pair in enumerate(pairs):
            others = [other.second for other in pairs[:number] + pairs[number + 1 :] if other.second != pair.second]
            others = list(dict.fromkeys(others))
            others.sort(key=lambda text, pair=pair: stable_key(pair.first, 0, text))
            if len(others) >= num_choices - 1:
                choices = others[: num_choices - 1]
                label = int.from_bytes(stable_key("place", 0, pair.first)[:4]) % num_choices
                choices.insert(label, pair.second)
                yield FollowingSentence(pair.first, tuple(choices), label, pair.origin, pair.group)


def _pairs_by_document(source: AdjacentSentencesSource, cleaning: CleaningConfig) -> Iterator[list[AdjacentSentences]]:
    for document in read_documents(source.text, cleaning):
        pairs = []
        for sentences in sentences_by_paragraph(document.text):
            for first, second in zip(sentences[::2], sentences[1::2], strict=False):
                shorter, longer = sorted((len(first), len(second)))
                if shorter >= source.min_characters and longer <= (source.max_characters or longer):
                    pairs.append(AdjacentSentences(first, second, document.origin, document.group))
        yield pairs


def no_adjacent_sentences(source: AdjacentSentencesSource) -> UserError:
    """What to say where a text gives none."""
    return UserError(
        f"No two sentences follow one another in {describe_source(source.text)}.",
        f"Expected paragraphs of sentences, each of {source.min_characters} to {source.max_characters} characters.",
        "Lower min_characters, or take document: file, so that a document is more than a line.",
    )
