import numpy as np
import pytest

from tfplm.generation.text_stream import StopStrings, TextStream
from tfplm.tokenizers.bytes import ByteTokenizer
from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.wordpiece import SPECIAL_TOKENS, WordPieceTokenizer

BYTES = ByteTokenizer()
MIXED = "Zwölf 中文字 🙂 end."


def pieces(tokenizer, ids, stop=(), step: int = 1) -> list[str]:
    stream, given = TextStream(tokenizer, stop), []
    for length in range(step, len(ids), step):
        given += stream.update(ids[:length], is_last=False)
        if stream.is_stopped:
            return given
    return given + list(stream.update(ids, is_last=True))


def test_characters_come_whole_and_at_once():
    assert pieces(BYTES, BYTES.encode([MIXED])[0]) == list(MIXED)
    assert "".join(pieces(BYTES, BYTES.encode([MIXED])[0], step=3)) == MIXED


def test_bytes_that_are_no_characters_come_in_the_end():
    broken = BYTES.encode(["ab中"])[0][:-1]
    given = pieces(BYTES, broken)
    assert given[:2] == ["a", "b"]
    assert "".join(given) == BYTES.decode(broken)


@pytest.mark.parametrize("stop", [["文"], ["\n", "字 🙂"], ["never"], ["end.", "中文字 🙂 end."]])
@pytest.mark.parametrize("step", [1, 5])
def test_nothing_of_a_stop_string_is_ever_given(stop, step):
    ids = BYTES.encode([MIXED])[0]
    given = "".join(pieces(BYTES, ids, stop, step))
    assert given == MIXED[: min(place for place in (*map(MIXED.find, stop), len(MIXED)) if place >= 0)]


def test_text_that_begins_like_a_stop_string_is_given_when_it_goes_on_otherwise():
    assert pieces(BYTES, BYTES.encode(["abcx"])[0], ["cdef"]) == ["a", "b", "cx"]


def test_spaces_that_depend_on_what_follows_are_not_taken_back():
    words = ["rock", "'", "n", "roll", ",", "中", "文", "the", "##ir"]
    tokenizer = WordPieceTokenizer([*SPECIAL_TOKENS, *words], WordPieceConfig())
    ids = np.array([tokenizer.vocabulary.index(word) for word in words], "int32")
    assert "".join(pieces(tokenizer, ids)) == tokenizer.decode(ids) == "rock'n roll,中文their"
    assert len(pieces(tokenizer, ids)) > 3


def test_a_stop_string_ends_with_the_token_that_completes_it():
    ids = BYTES.encode(["ab中cd"])[0]
    assert StopStrings(BYTES, ["中", "d"]).end(ids) == 5
    assert StopStrings(BYTES, ["x"]).end(ids) is None
    assert StopStrings(BYTES, []).end(ids) is None
