import numpy as np

from tfplm.data.tagged_text import Span, TaggedExamples, TaggedText
from tfplm.tasks.tag_layout import TagLayout, tag_names
from trainers.task_kinds.word_tags import answered_spans, exact_span_f1, tags_of_words, word_tags

WORDS = ((0, 3), (4, 7), (8, 12), (13, 14))


def example(text, spans, words=None):
    return TaggedText(text, tuple(Span(*span) for span in spans), words, "here", text)


def answers_of(*texts):
    """The answers of spans (start, end, label) of each text."""
    width = max(map(len, texts))
    filled = [[*spans, *[(-1, -1, "")] * (width - len(spans))] for spans in texts]
    columns = [[[span[part] for span in spans] for spans in filled] for part in range(3)]
    return {
        "count": np.array([len(spans) for spans in texts]), "starts": np.array(columns[0]),
        "ends": np.array(columns[1]), "labels": np.array([[label.encode() for label in row] for row in columns[2]]),
    }  # fmt: skip


def test_a_word_has_the_tag_of_the_span_over_its_first_character():
    spans = [Span(0, 7, "PER"), Span(8, 10, "LOC")]
    assert tags_of_words(WORDS, spans, False) == ["B-PER", "I-PER", "B-LOC", "O"]
    assert tags_of_words(WORDS, [Span(5, 7, "PER")], False) == ["O", "O", "O", "O"]
    assert tags_of_words(WORDS, spans, True) == ["PER", "PER", "LOC", "O"]


def test_neighbouring_spans_of_one_label_are_two():
    assert tags_of_words(WORDS, [Span(0, 3, "X"), Span(4, 7, "X")], False) == ["B-X", "B-X", "O", "O"]


def test_parts_of_speech_are_tags_by_themselves():
    examples = TaggedExamples([example("Ann saw", [(0, 3, "N"), (4, 7, "V")], ((0, 3), (4, 7)))])
    words, right, given = word_tags(answers_of([(0, 3, "N"), (4, 7, "N")]), examples)
    assert (right, given) == ([["N", "V"]], [["N", "N"]])
    assert words == [((0, 3), (4, 7))]


def test_plain_tags_with_words_outside_are_judged_as_entities_of_a_word():
    examples = TaggedExamples([example("Ann saw Rome .", [(0, 3, "PER"), (8, 12, "LOC")], WORDS)])
    _, right, given = word_tags(answers_of([(0, 3, "PER"), (4, 7, "PER")]), examples)
    assert right == [["B-PER", "O", "B-LOC", "O"]]
    assert given == [["B-PER", "B-PER", "O", "O"]]


def test_every_label_has_the_classes_that_rows_number_it_by():
    for labels in (["LOC", "PER"], ["LOC", "O", "PER"], ["O"]):
        layout = TagLayout.of(tag_names(labels))
        assert layout.labels == tuple(labels)
        assert layout.label_of.tolist() == [-1, *(number for number in range(len(labels)) for _ in "BI")]


def test_texts_without_words_are_judged_by_the_edges_of_their_spans():
    examples = TaggedExamples([example("江泽民在北京", [(0, 3, "PER"), (4, 6, "LOC")]), example("x", [])])
    words, right, given = word_tags(answers_of([(0, 3, "PER"), (3, 6, "LOC")], []), examples)
    assert words[0] == [(0, 3), (3, 4), (4, 6)]
    assert right == [["B-PER", "O", "B-LOC"], ["O"]]
    assert given == [["B-PER", "B-LOC", "I-LOC"], ["O"]]


def test_the_f1_of_spans_counts_exact_characters():
    examples = TaggedExamples([example("Ann saw Rome .", [(0, 3, "PER"), (8, 12, "LOC")], WORDS)])
    assert exact_span_f1(answered_spans(answers_of([(0, 3, "PER"), (8, 11, "LOC")])), examples) == 0.5
    assert exact_span_f1(answered_spans(answers_of([])), TaggedExamples([example("x", [])])) == 0.0
