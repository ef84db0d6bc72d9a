"""From the scores of tags to spans, in a graph."""

from typing import NamedTuple

import tensorflow as tf

from tfplm.tasks.tag_layout import TagLayout

_NEVER = -1e9
_NOWHERE = -1


class DecodedSpans(NamedTuple):
    """The spans of texts from the left: (batch, most spans of one), filled up with −1.

    Args:
        starts: int32, where each begins.
        ends: int32, behind its end.
        labels: int32, its number in the layout.
        scores: float32, the mean probability of the tags of its words.
        counts: int32 (batch,), how many there are.
    """

    starts: tf.Tensor
    ends: tf.Tensor
    labels: tf.Tensor
    scores: tf.Tensor
    counts: tf.Tensor


@tf.function(
    input_signature=[
        tf.TensorSpec([None, None, None], tf.float32),
        tf.TensorSpec([None, None], tf.bool),
        tf.TensorSpec([None, None], tf.float32),
    ],
    autograph=False,
)
def best_tags(scores: tf.Tensor, decides: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
    """The tags whose sum of scores is highest; tokens that do not decide have the tag of the one before them.

    It is a graph also where nothing else is one: step by step a long text would take seconds.

    Source: Viterbi 1967, "Error Bounds for Convolutional Codes and an Asymptotically Optimum Decoding Algorithm".

    Args:
        scores: float32 (batch, tokens, classes).
        decides: bool (batch, tokens), true at the first token of every word.
        steps: float32 (classes + 1, classes), what a class (column) scores behind another (row), or, in the last row,
            as the first.

    Returns:
        int32 (batch, tokens), numbers of classes; in front of the first token that decides the number of classes,
        which is none.
    """
    batch, num_classes = tf.shape(scores)[0], tf.shape(scores)[2]
    # The last class stands for the beginning of the text, at which nothing else can be.
    totals = tf.fill([batch, num_classes], _NEVER)
    totals = tf.concat([totals, tf.zeros([batch, 1])], axis=1)  # (batch, classes + 1)
    stay = tf.tile(tf.range(num_classes + 1)[tf.newaxis], [batch, 1])

    def step(state: tuple[tf.Tensor, tf.Tensor], token: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        totals, _ = state
        scores, decides = token
        reached = totals[:, :, tf.newaxis] + steps  # (batch, classes + 1, classes)
        best = tf.pad(tf.reduce_max(reached, axis=1) + scores, [[0, 0], [0, 1]], constant_values=_NEVER)
        previous = tf.pad(tf.argmax(reached, axis=1, output_type=tf.int32), [[0, 0], [0, 1]])
        return tf.where(decides[:, tf.newaxis], best, totals), tf.where(decides[:, tf.newaxis], previous, stay)

    # Tokens that decide nothing, two in front: a scan wants one at least, also where all texts are empty.
    by_token = (tf.pad(tf.transpose(scores, [1, 0, 2]), [[2, 0], [0, 0], [0, 0]]), tf.transpose(decides))
    by_token = (by_token[0], tf.pad(by_token[1], [[2, 0], [0, 0]]))
    totals, previous = tf.scan(step, by_token, initializer=(totals, stay))
    last = tf.argmax(totals[-1], axis=-1, output_type=tf.int32)
    # Each token says what was before it: the tag of the last is known, and so on to the first.
    tags = tf.scan(lambda tag, before: tf.gather(before, tag, batch_dims=1), previous[1:], last, reverse=True)
    return tf.transpose(tf.concat([tags, last[tf.newaxis]], axis=0)[2:])


def decode_spans(
    tags: tf.Tensor,
    probabilities: tf.Tensor,
    decides: tf.Tensor,
    starts: tf.Tensor,
    ends: tf.Tensor,
    layout: TagLayout,
) -> DecodedSpans:
    """The spans that tags say.

    A class that goes on begins a span where the word before it is not of its label.

    Args:
        tags: int32 (batch, tokens), see `best_tags`.
        probabilities: float32 (batch, tokens, classes).
        decides: bool (batch, tokens), true at the first token of every word.
        starts: int32 (batch, tokens), where each token begins.
        ends: int32 (batch, tokens), behind its end; a token of no text ends where it begins.
        layout: of the classes.
    """
    labels = tf.gather(tf.constant([*layout.label_of, _NOWHERE], tf.int32), tags)
    before = tf.pad(labels, [[0, 0], [1, 0]], constant_values=_NOWHERE)[:, :-1]
    is_beginning = tf.gather(tf.constant([*layout.begins, False]), tags) | (labels != before)
    begins = decides & (labels >= 0) & is_beginning
    counts = tf.reduce_sum(tf.cast(begins, tf.int32), axis=1)
    width = tf.reduce_max(tf.concat([counts, [0]], axis=0))
    numbers = tf.cumsum(tf.cast(begins, tf.int32), axis=1) - 1  # of each token's span in its text
    # A segment for every span of every text, and one for the tokens that are in none.
    num_segments = tf.size(counts) * width + 1
    rows = tf.range(tf.size(counts))[:, tf.newaxis] * width
    segments = tf.where((labels >= 0) & (ends > starts), rows + numbers, num_segments - 1)

    def of_spans(reduce, values: tf.Tensor) -> tf.Tensor:
        return tf.reshape(reduce(values, segments, num_segments)[:-1], [tf.size(counts), width])

    chosen = tf.gather(probabilities, tf.minimum(tags, probabilities.shape[-1] - 1), batch_dims=2)
    num_words = of_spans(tf.math.unsorted_segment_sum, tf.cast(decides, tf.float32))
    scores = of_spans(tf.math.unsorted_segment_sum, tf.where(decides, chosen, 0.0)) / tf.maximum(num_words, 1.0)
    there = tf.range(width)[tf.newaxis] < counts[:, tf.newaxis]
    return DecodedSpans(
        starts=tf.where(there, of_spans(tf.math.unsorted_segment_max, tf.where(begins, starts, _NOWHERE)), _NOWHERE),
        ends=tf.where(there, of_spans(tf.math.unsorted_segment_max, ends), _NOWHERE),
        labels=tf.where(there, of_spans(tf.math.unsorted_segment_max, labels), _NOWHERE),
        scores=tf.where(there, scores, float(_NOWHERE)),
        counts=counts,
    )
