import itertools

import numpy as np
import tensorflow as tf

from tfplm.answering.tag_decoding import best_tags, decode_spans
from tfplm.tasks.tag_layout import TagLayout, tag_names

LAYOUT = TagLayout.of(tag_names(["A", "B"]))
O, B_A, I_A, B_B, I_B, NONE = range(6)  # noqa: E741


def decoded(tags, decides=None, ends=None):
    tags = np.array(tags, np.int32)
    decides = np.ones(tags.shape, bool) if decides is None else np.array(decides, bool)
    starts = np.tile(np.arange(tags.shape[1], dtype=np.int32) * 10, (len(tags), 1))
    ends = starts + 5 if ends is None else np.array(ends, np.int32)
    probabilities = np.full((*tags.shape, 5), 0.5, np.float32)
    probabilities[:, 0] = 0.9
    spans = decode_spans(*map(tf.constant, (tags, probabilities, decides, starts, ends)), LAYOUT)
    return [
        [
            (int(start), int(end), int(label), round(float(score), 3))
            for start, end, label, score in zip(*(part[row][:count] for part in spans[:4]), strict=True)
        ]
        for row, count in enumerate(spans.counts.numpy())
    ]


def test_the_best_legal_sequence_is_found():
    generator, steps = np.random.default_rng(0), LAYOUT.legal_steps()
    for _ in range(10):
        scores = np.log(generator.dirichlet(np.ones(5), (1, 6))).astype(np.float32)
        decides = generator.random((1, 6)) < 0.7
        places = np.flatnonzero(decides[0])

        def total(tags, scores=scores, places=places):
            before = (5, *tags)  # the last row is that of the beginning
            moves = sum(steps[a, b] for a, b in zip(before, tags, strict=False))
            return moves + sum(scores[0, place, tag] for place, tag in zip(places, tags, strict=True))

        best = max(itertools.product(range(5), repeat=len(places)), key=total)
        found = best_tags(tf.constant(scores), tf.constant(decides), tf.constant(steps)).numpy()[0]
        assert tuple(found[places]) == best
        # The others have the tag of the one before them.
        expected, last = [], NONE
        for place in range(6):
            last = found[place] if decides[0, place] else last
            expected.append(last)
        assert found.tolist() == expected


def test_texts_of_no_token_have_no_tags():
    for shape in ((0, 4), (3, 0), (3, 1)):
        scores, decides = tf.zeros([*shape, 5]), tf.ones(shape, tf.bool)
        assert best_tags(scores, decides, tf.constant(LAYOUT.legal_steps())).shape == shape


def test_spans_begin_with_b_and_go_on_with_i():
    assert decoded([[B_A, I_A, O, B_B, B_B, I_B]]) == [[(0, 15, 0, 0.7), (30, 35, 1, 0.5), (40, 55, 1, 0.5)]]


def test_a_tag_that_goes_on_with_nothing_begins_a_span():
    assert decoded([[I_A, I_B, O, I_B]]) == [[(0, 5, 0, 0.9), (10, 15, 1, 0.5), (30, 35, 1, 0.5)]]


def test_pieces_behind_the_first_of_a_word_lengthen_its_span_but_do_not_vote():
    assert decoded([[B_A, B_A, O, O]], [[1, 0, 1, 0]]) == [[(0, 15, 0, 0.9)]]


def test_tokens_of_no_text_end_no_span():
    assert decoded([[B_A, B_A, I_A]], [[1, 0, 1]], [[5, 10, 25]]) == [[(0, 25, 0, 0.7)]]


def test_rows_are_filled_up_behind_their_spans():
    assert decoded([[O, O, O], [B_A, B_A, O], [NONE, O, B_B]]) == [
        [], [(0, 5, 0, 0.9), (10, 15, 0, 0.5)], [(20, 25, 1, 0.5)]
    ]  # fmt: skip
    spans = decode_spans(
        tf.zeros([2, 3], tf.int32), tf.ones([2, 3, 5]), tf.ones([2, 3], tf.bool), tf.zeros([2, 3], tf.int32),
        tf.ones([2, 3], tf.int32), LAYOUT,
    )  # fmt: skip
    assert spans.starts.shape == (2, 0)
