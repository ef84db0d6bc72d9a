"""The best answers to a question, not only the first: for people who choose, and for looking at a model."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from keras import ops

from tfplm import feature_names as names
from tfplm.answering.answer_names import ANSWER, END, PASSAGE, QUESTION, SCORE, START
from tfplm.answering.question_answering import QuestionAnswerer
from tfplm.data.question_windows import QuestionWindows
from tfplm.tasks.question_answering import span_scores

_AT_ONCE = 16  # examples
_POSSIBLE = -1e8


def best_answers(
    answerer: QuestionAnswerer, questions: Sequence[str], passages: Sequence[str], count: int = 20
) -> Iterator[list[dict]]:
    """Yields for each question its best answers, the best one first; as many as there are, ``count`` at most.

    Each is a mapping of ``answer``, ``start``, ``end`` (characters of the passage), ``score`` and ``probability``,
    which is the softmax of the scores over those that are given. Where the task may give none, "" at -1 is among them
    with the score of no answer. No two are the same part of the passage.

    Source: Devlin et al. 2019, "BERT", the code of its authors (``run_squad.py``).

    Args:
        answerer: of the task.
        questions: texts.
        passages: as many.
        count: of the answers to a question.

    Example:
        >>> next(best_answers(answerer, ["Who came?"], ["Then Anna came."], 3))[0]["answer"]
        'Anna'
    """
    encoded = [[text.encode("utf-8", "replace") for text in texts] for texts in (questions, passages)]
    for first in range(0, len(questions), _AT_ONCE):
        asked, some = (texts[first : first + _AT_ONCE] for texts in encoded)
        rows = answerer.encode({QUESTION: tf.constant(asked), PASSAGE: tf.constant(some)})
        scores = answerer.score_windows(rows)
        windows = QuestionWindows(*(part.numpy() for part in QuestionWindows(**rows)))
        spans = _best_spans(answerer, windows, scores, count)
        nulls = scores[names.START_LOGITS][:, 0].numpy() + scores[names.END_LOGITS][:, 0].numpy()
        for number, passage in enumerate(some):
            here = windows.examples == number
            found: dict[tuple[int, int], float] = {}  # of tokens that are parts of one character several are one place
            for score, *place in sorted((span for part in spans[here] for span in part), reverse=True):
                found.setdefault(tuple(place), score)
            answers = [_answer(passage, *place, score) for place, score in found.items()][:count]
            if answerer.task.config.no_answer_threshold is not None:
                answers.append({ANSWER: "", START: -1, END: -1, SCORE: float(nulls[here].min())})
                answers = sorted(answers, key=lambda answer: -answer[SCORE])[:count]
            yield _with_probabilities(answers)


def _best_spans(
    answerer: QuestionAnswerer, windows: QuestionWindows, scores: dict[str, tf.Tensor], count: int
) -> np.ndarray:
    """Score, first byte and byte behind of each window's best spans: an array (windows,) of lists."""
    logits = [scores[name] for name in (names.START_LOGITS, names.END_LOGITS)]
    length = answerer.task.config.max_answer_length
    all_scores = ops.convert_to_numpy(span_scores(*logits, windows.context_mask, length, windows.max_context))
    num_windows, _, length = all_scores.shape
    all_scores = all_scores.reshape(num_windows, -1)
    places = np.argsort(-all_scores, axis=1, kind="stable")[:, :count]
    result = np.empty(num_windows, object)
    for window in range(num_windows):
        start, more = np.divmod(places[window], length)
        there = all_scores[window, places[window]] > _POSSIBLE
        values = (all_scores[window, places[window]], windows.starts[window, start])
        ends = windows.ends[window, np.minimum(start + more, windows.ends.shape[1] - 1)]
        result[window] = [
            (float(score), int(begin), int(end))
            for score, begin, end, possible in zip(*values, ends, there, strict=True)
            if possible
        ]
    return result


def _answer(passage: bytes, start: int, end: int, score: float) -> dict:
    before, text = (part.decode("utf-8", "replace") for part in (passage[:start], passage[start:end]))
    return {ANSWER: text, START: len(before), END: len(before) + len(text), SCORE: score}


def _with_probabilities(answers: list[dict]) -> list[dict]:
    scores = np.array([answer[SCORE] for answer in answers])
    shares = np.exp(scores - scores.max(initial=-np.inf)) if len(scores) else scores
    return [
        {**answer, "probability": float(share / shares.sum())} for answer, share in zip(answers, shares, strict=True)
    ]
