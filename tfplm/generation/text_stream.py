"""Text out of tokens while they come: whole characters, and nothing of a stop string."""

from collections.abc import Iterator, Sequence

import numpy as np

from tfplm.tokenizers.tokenizer import Tokenizer

_BROKEN = "\ufffd"  # what stands for the bytes of a character that is not there whole
_TOKENS_THAT_CHANGE = 2  # at the end of a text whose tokenizer puts the spaces by what follows


class StopStrings:
    """Finds where a text ends.

    Args:
        tokenizer: of the tokens.
        strings: none of them empty.
    """

    def __init__(self, tokenizer: Tokenizer, strings: Sequence[str]):
        self._tokenizer, self._strings = tokenizer, strings

    def cut(self, text: str) -> str:
        """The text before the first stop string; the whole text without any."""
        places = [place for place in (text.find(string) for string in self._strings) if place >= 0]
        return text[: min(places)] if places else text

    def holds_any(self, text: str) -> bool:
        return any(string in text for string in self._strings)

    def end(self, token_ids: np.ndarray) -> int | None:
        """How many of the tokens it takes to hold a stop string; None if they hold none."""
        if not self._strings or not self.holds_any(self._tokenizer.decode(token_ids)):
            return None
        least, most = 1, len(token_ids)
        while least < most:  # more tokens never hold fewer stop strings
            middle = (least + most) // 2
            if self.holds_any(self._tokenizer.decode(token_ids[:middle])):
                most = middle
            else:
                least = middle + 1
        return least

    def longest_part(self, text: str) -> int:
        """How many characters at the end of the text may be the beginning of a stop string."""
        longest = max(map(len, self._strings), default=0)
        for length in range(min(longest - 1, len(text)), 0, -1):
            if any(string.startswith(text[-length:]) for string in self._strings):
                return length
        return 0


class TextStream:
    """Turns growing tokens into pieces of text that are never taken back.

    Args:
        tokenizer: of the tokens.
        stop: the text ends before the first of these strings.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str]):
        self._tokenizer, self._stops = tokenizer, StopStrings(tokenizer, stop)
        self._num_given = 0  # characters
        self.is_stopped = False

    def update(self, token_ids: np.ndarray, is_last: bool) -> Iterator[str]:
        """Yields what is certain of the text and was not yielded before, if anything.

        Args:
            token_ids: (n,) int32, all tokens so far.
            is_last: whether no more come.
        """
        text = self._tokenizer.decode(token_ids)
        self.is_stopped = self._stops.holds_any(text)
        if self.is_stopped:
            text = self._stops.cut(text)
        elif not is_last:
            text = self._certain(text, token_ids)
        if len(text) > self._num_given:
            yield text[self._num_given :]
            self._num_given = len(text)

    def _certain(self, text: str, token_ids: np.ndarray) -> str:
        """The beginning that stays as it is whatever comes."""
        if not self._tokenizer.is_lossless:
            text = _common_beginning(text, self._tokenizer.decode(token_ids[:-_TOKENS_THAT_CHANGE]))
        text = text.rstrip(_BROKEN)
        return text[: len(text) - self._stops.longest_part(text)]


def _common_beginning(one: str, other: str) -> str:
    length = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    return other[:length] if length is not None else min(one, other, key=len)
