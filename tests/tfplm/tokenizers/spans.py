"""What must hold of the offsets of every tokenizer."""

import tensorflow as tf

from tfplm.tokenizers.offsets import character_offsets


def spans_of(tokenizer, texts):
    """Offsets in characters, a list of pairs a text; ids, bytes and characters are checked beside each other."""
    strings = tf.constant([text.encode() for text in texts])
    offsets = tokenizer.encode_with_offsets(strings)
    assert {part.dtype for part in offsets} == {tf.int32}
    assert offsets.ids.to_list() == tokenizer.encode_ragged(strings).to_list()
    in_bytes = [part.to_list() for part in offsets[1:]]
    in_characters = [character_offsets(strings, part).to_list() for part in offsets[1:]]
    rows = [list(zip(*row, strict=True)) for row in zip(*in_characters, strict=True)]
    for text, bytes_, row in zip(texts, zip(*in_bytes, strict=True), rows, strict=True):
        for (start, end), place in zip(zip(*bytes_, strict=True), row, strict=True):
            assert text.encode()[start:end].decode() == text[slice(*place)], repr(text)  # no character is cut
    return rows


def check_order(texts, rows):
    """Spans lie in their text, and starts and ends do not go back."""
    for text, row in zip(texts, rows, strict=True):
        assert all(0 <= start <= end <= len(text) for start, end in row), repr(text)
        for places in zip(*row, strict=True):
            assert list(places) == sorted(places), repr(text)


def check_edges(texts, rows):
    """No span begins or ends with white space."""
    for text, row in zip(texts, rows, strict=True):
        assert all(text[start:end] == text[start:end].strip() for start, end in row), repr(text)
