"""From the scores of tags to spans, with static shapes and without Python in between."""

from typing import NamedTuple

from keras import KerasTensor, ops

from tfplm.tasks.tag_layout import TagLayout

_NEVER = -1e9
_NOWHERE = -1


class DecodedSpans(NamedTuple):
    """The spans of every text from the left; (batch, tokens) but for ``counts``, filled up with −1."""

    starts: KerasTensor  # int32, where each begins, as the tokens' starts
    ends: KerasTensor  # int32, behind its end
    labels: KerasTensor  # int32, its number in the layout
    scores: KerasTensor  # float32, the mean probability of the tags of its words
    counts: KerasTensor  # int32 (batch,), how many there are


def best_tags(log_probabilities: KerasTensor, decides: KerasTensor, layout: TagLayout, strict: bool) -> KerasTensor:
    """The most probable sequence of tags of those tokens that decide; the others go on with the tag before them.

    Source: Viterbi 1967, "Error Bounds for Convolutional Codes and an Asymptotically Optimum Decoding Algorithm".

    Args:
        log_probabilities: float32 (batch, tokens, classes).
        decides: bool (batch, tokens), true at the first token of every word.
        layout: of the classes.
        strict: whether a class that goes on may stand only behind one of its label, as in IOB2; otherwise it begins a
            span there, and every token's own best tag is taken.

    Returns:
        int32 (batch, tokens) numbers of classes; that of no class, which is their number, before the first that
        decides.
    """
    num_classes = log_probabilities.shape[-1]
    classes = ops.arange(num_classes + 1, dtype="int32")  # the last stands for the beginning of the text
    batch = ops.shape(log_probabilities)[0]
    start = ops.where(classes == num_classes, 0.0, _NEVER)
    start = ops.tile(ops.expand_dims(start, 0), (batch, 1))  # (batch, classes + 1)

    def step(totals, token):
        scores, here = token
        before, previous = _best_before(totals, layout, strict)  # (batch, classes) each
        reached = ops.pad(before + scores, ((0, 0), (0, 1)), constant_values=_NEVER)
        previous = ops.pad(previous, ((0, 0), (0, 1)))
        here = ops.expand_dims(here, -1)
        # A scan gives what is of its state's dtype: the numbers of classes are floats for a while.
        return ops.where(here, reached, totals), ops.where(here, ops.cast(previous, "float32"), stay)

    stay = ops.tile(ops.expand_dims(ops.cast(classes, "float32"), 0), (batch, 1))
    by_token = (ops.transpose(log_probabilities, (1, 0, 2)), ops.transpose(decides))
    totals, previous = ops.scan(step, start, by_token)

    def step_back(tag, previous):
        before = ops.take_along_axis(ops.cast(previous, "int32"), ops.expand_dims(tag, -1), axis=1)
        return ops.squeeze(before, -1), tag

    last = ops.cast(ops.argmax(totals, axis=-1), "int32")
    _, tags = ops.scan(step_back, last, previous, reverse=True)
    return ops.transpose(tags)


def decode_spans(
    log_probabilities: KerasTensor, tags: KerasTensor, decides: KerasTensor, starts: KerasTensor, ends: KerasTensor,
    layout: TagLayout,
) -> DecodedSpans:  # fmt: skip
    """The spans that tags say.

    Args:
        log_probabilities: float32 (batch, tokens, classes).
        tags: int32 (batch, tokens), see `best_tags`.
        decides: bool (batch, tokens), true at the first token of every word.
        starts: int32 (batch, tokens), where each token begins.
        ends: int32 (batch, tokens), behind its end; a token that is of no text ends where it begins.
        layout: of the classes.
    """
    batch, length = ops.shape(tags)[0], ops.shape(tags)[1]
    labels = ops.take(ops.convert_to_tensor([*layout.label_of, _NOWHERE], "int32"), tags, axis=0)
    before = ops.pad(labels, ((0, 0), (1, 0)), constant_values=_NOWHERE)[:, :-1]
    anew = ops.take(ops.convert_to_tensor([*layout.begins, False], "bool"), tags, axis=0)
    in_span = labels >= 0
    begins = decides & in_span & (anew | (labels != before))
    numbers = ops.cumsum(ops.cast(begins, "int32"), axis=1) - 1  # of each token's span
    # One segment for every possible span of every text, and one for the tokens that are in none.
    rows = ops.expand_dims(ops.arange(batch, dtype="int32") * length, -1)
    num_segments = batch * length + 1
    segments = ops.reshape(ops.where(in_span & (ends > starts), rows + numbers, num_segments - 1), (-1,))

    def of_spans(reduce, values):
        reduced = reduce(ops.reshape(values, (-1,)), segments, num_segments)[:-1]
        return ops.reshape(reduced, (batch, length))

    counts = ops.sum(ops.cast(begins, "int32"), axis=1)
    there = ops.expand_dims(ops.arange(length, dtype="int32"), 0) < ops.expand_dims(counts, -1)
    num_words = of_spans(ops.segment_sum, ops.cast(decides, "float32"))
    scores = of_spans(ops.segment_sum, ops.where(decides, _chosen(log_probabilities, tags), 0.0))
    return DecodedSpans(
        starts=ops.where(there, of_spans(ops.segment_max, ops.where(begins, starts, _NOWHERE)), _NOWHERE),
        ends=ops.where(there, of_spans(ops.segment_max, ends), _NOWHERE),
        labels=ops.where(there, of_spans(ops.segment_max, labels), _NOWHERE),
        scores=ops.where(there, scores / ops.maximum(num_words, 1.0), float(_NOWHERE)),
        counts=counts,
    )


def _best_before(totals: KerasTensor, layout: TagLayout, strict: bool) -> tuple[KerasTensor, KerasTensor]:
    """The best total that each class may stand behind, and the class that it is of: (batch, classes) each."""
    num_classes = len(layout.label_of)
    best = ops.expand_dims(ops.max(totals, axis=-1), -1)
    best_class = ops.expand_dims(ops.cast(ops.argmax(totals, axis=-1), "int32"), -1)
    shape = (ops.shape(totals)[0], num_classes)
    anywhere = ops.broadcast_to(best, shape), ops.broadcast_to(best_class, shape)
    goes_on = (layout.label_of >= 0) & ~layout.begins
    if not strict or not goes_on.any():
        return anywhere
    members = layout.classes_of_label  # (labels, width)
    of_labels = ops.take(ops.pad(totals[:, :-1], ((0, 0), (0, 1)), constant_values=_NEVER), members, axis=1)
    choice = ops.expand_dims(ops.argmax(of_labels, axis=-1), -1)  # (batch, labels, 1)
    best_of_label = ops.squeeze(ops.take_along_axis(of_labels, choice, axis=-1), -1)
    by_label = ops.broadcast_to(ops.expand_dims(members, 0), ops.shape(of_labels))
    class_of_label = ops.squeeze(ops.take_along_axis(by_label, choice, axis=-1), -1)
    labels = layout.label_of.clip(0)
    return (
        ops.where(goes_on, ops.take(best_of_label, labels, axis=1), anywhere[0]),
        ops.where(goes_on, ops.take(class_of_label, labels, axis=1), anywhere[1]),
    )


def _chosen(log_probabilities: KerasTensor, tags: KerasTensor) -> KerasTensor:
    """The probability of each token's tag (batch, tokens)."""
    places = ops.expand_dims(ops.minimum(tags, log_probabilities.shape[-1] - 1), -1)
    return ops.exp(ops.squeeze(ops.take_along_axis(log_probabilities, places, axis=-1), -1))
