import numpy as np
import pytest

from tests.tfplm.data.tagging_tokenizer import TOKENIZER
from tfplm.data.bad_examples import BadExamples
from tfplm.data.tagged_rows import tagged_rows
from tfplm.data.tagged_text import Span, TaggedText
from tfplm.errors import UserError

LABELS = ["LOC", "PER"]


def tagged(text, *parts):
    """A text whose spans are those parts of it, each with its label."""
    spans = tuple(Span(text.index(part), text.index(part) + len(part), label) for part, label in parts)
    return TaggedText(text, tuple(sorted(spans)), None, f"line of {text[:9]}", text)


def rows_of(texts, length=24, long_texts="window", on_bad="skip", stride=None):
    bad = BadExamples(on_bad, "finetune.data.on_bad_example")
    rows = tagged_rows(TOKENIZER, texts, LABELS, length, stride, long_texts, bad)
    bad.finish()
    return rows, bad


def tags_of(rows, row=0):
    names = np.array(["O", "B-LOC", "I-LOC", "B-PER", "I-PER"])
    return names[rows.classes[row][rows.weights[row] > 0]].tolist()


def test_words_have_the_classes_of_their_spans_and_later_pieces_do_not_count():
    rows, bad = rows_of([tagged("the Büro saw 中国人 and cat", ("Büro", "PER"), ("中国", "LOC"))])
    assert tags_of(rows) == ["O", "B-PER", "O", "B-LOC", "I-LOC", "O", "O", "O"]
    assert rows.weights[0, 0] == 0  # [CLS]
    assert not bad.counts
    assert rows.figures == {"texts": 1, "windows": 1, "long_texts": 0, "spans_in_words": 0, "spans_cut": 0}


def test_what_goes_on_with_a_word_of_the_data_counts_in_spans_alone():
    text = "@cat saw ü,Rome-cat ."
    words = ((0, 4), (5, 8), (9, 19), (20, 21))
    spans = (Span(9, 19, "LOC"),)
    rows, bad = rows_of([TaggedText(text, spans, words, "here", text), TaggedText(text, spans, None, "here", text)])
    assert tags_of(rows) == ["O", "O", "B-LOC", "I-LOC", "I-LOC", "I-LOC", "I-LOC", "O"]
    assert tags_of(rows, 1) == ["O", "O", "O", "B-LOC", "I-LOC", "I-LOC", "I-LOC", "I-LOC", "O"]
    assert not bad.counts


def test_neighbouring_spans_stay_apart():
    rows, _ = rows_of([tagged("北京中国", ("北京", "LOC"), ("中国", "LOC"))])
    assert tags_of(rows) == ["B-LOC", "I-LOC", "B-LOC", "I-LOC"]


def test_a_span_that_cuts_a_word_is_told_with_its_line_or_left_out_and_counted():
    texts = [
        tagged("the carpet", ("pet", "PER")),
        tagged("the cat", ("cat", "PER")),
        tagged("cat sold", ("cat so", "PER")),
    ]
    with pytest.raises(UserError, match="(?s)a span that cuts a word.*line of the carpe"):
        rows_of(texts, on_bad="stop")
    rows, bad = rows_of(texts)
    assert bad.counts == {"a span that cuts a word": 2}
    assert rows.figures["texts"] == 1 and rows.figures["spans_in_words"] == 2
    assert tags_of(rows) == ["O", "B-PER"]


def test_a_long_text_is_read_in_windows_in_which_every_word_counts_once():
    text = tagged(" ".join(["cat"] * 29 + ["Rome"]), ("Rome", "LOC"))
    rows, _ = rows_of([text], length=12)
    assert rows.figures["windows"] > 3 and rows.figures["long_texts"] == 1
    assert rows.weights.sum() == 30
    assert (rows.classes[rows.weights > 0] == 1).sum() == 1


def test_a_long_text_is_cut_or_told_where_that_is_wanted():
    texts = [tagged(" ".join(["cat"] * 29 + ["Rome"]), ("Rome", "LOC")), tagged("the cat")]
    rows, _ = rows_of(texts, length=12, long_texts="cut")
    assert rows.figures["windows"] == 2 and rows.figures["spans_cut"] == 1
    with pytest.raises(UserError, match="(?s)a long text.*more tokens than a row of 12"):
        rows_of(texts, length=12, long_texts="stop", on_bad="stop")
    rows, bad = rows_of(texts, length=12, long_texts="stop")
    assert rows.figures["texts"] == 1 and bad.counts == {"a long text": 1}


def test_many_texts_are_numbered_through():
    texts = [tagged(f"the cat saw {number}", (str(number), "LOC")) for number in range(1500)]
    rows, bad = rows_of(texts)
    assert len(rows.classes) == 1500 and not bad.counts
    assert (rows.classes[rows.weights > 0] == 1).sum() == 1500
    assert rows_of([])[0].token_ids.shape == (0, 24)
