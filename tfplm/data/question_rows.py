"""Windows with the columns of their answers, to learn from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfplm import feature_names as names
from tfplm.data.batches import batch_generator
from tfplm.data.question_set import Question
from tfplm.data.question_windows import QuestionWindows, WindowSettings, question_windows
from tfplm.tokenizers.tokenizer import Tokenizer

_AT_ONCE = 256  # questions
_SEED = 0


@dataclass(frozen=True)
class QuestionRows:
    """Windows of questions whose answers are known.

    Args:
        token_ids: int32 (windows, sequence).
        segment_ids: int32 (windows, sequence).
        starts: int32 (windows,), the column of the answer's first token; 0, the first of the row, where the window
            does not hold the whole answer.
        ends: int32 (windows,), the column of its last token, or 0.
        figures: how many questions and windows there are, and what could not be learned; see `question_rows`.
    """

    token_ids: np.ndarray
    segment_ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    figures: dict[str, int]

    @property
    def targets(self) -> dict[str, np.ndarray]:
        """What the task learns."""
        return {names.START_LOGITS: self.starts, names.END_LOGITS: self.ends}


def question_rows(
    tokenizer: Tokenizer,
    questions: Iterable[Question],
    settings: WindowSettings,
    max_answer_length: int,
    negative_window_share: float = 1.0,
) -> QuestionRows:
    """Encodes questions with their passages and finds their answers.

    Of several answers the first that stands in the passage counts; questions without such a one, unless they have no
    answer at all, give no rows.

    Source: Devlin et al. 2019, "BERT", sections 4.2 and 4.3: windows without the answer point at the first token.

    Args:
        tokenizer: with offsets.
        questions: to learn from.
        settings: of the windows.
        max_answer_length: tokens of the longest answer that is given, to count by.
        negative_window_share: of the windows of answered questions that do not hold the answer, those that are kept.
            The same ones are chosen every time.

    Returns:
        The rows. ``figures`` counts ``questions``; ``windows``, of them ``windows_without_answer``;
        ``windows_left_out``; ``questions_not_learned``, whose answers the passage does not hold; ``answers_cut``, which
        no window holds whole; and ``answers_too_long`` to be given.
    """
    questions = list(questions)
    learned = [question for question in questions if question.is_impossible or question.place is not None]
    chunks = [
        _located(tokenizer, learned[first : first + _AT_ONCE], settings) for first in range(0, len(learned), _AT_ONCE)
    ] or [_located(tokenizer, [], settings)]
    token_ids, segment_ids, starts, ends, examples = (
        np.concatenate([chunk[part] for chunk in chunks]) for part in range(len(chunks[0]))
    )
    # Numbers of examples begin anew with every chunk.
    examples += np.repeat(np.arange(len(chunks)) * _AT_ONCE, [len(chunk[-1]) for chunk in chunks]).astype(np.int32)
    impossible = np.array([question.is_impossible for question in learned], bool)
    holds = ends > 0
    uniforms = batch_generator(_SEED, 0).random(len(holds))
    kept = holds | impossible[examples] | (uniforms < negative_window_share)
    figures = {
        "questions": len(learned),
        "windows": int(kept.sum()),
        "windows_without_answer": int((kept & ~holds).sum()),
        "windows_left_out": int((~kept).sum()),
        "questions_not_learned": len(questions) - len(learned),
        "answers_cut": int((~impossible).sum()) - len(np.unique(examples[holds])),
        "answers_too_long": len(np.unique(examples[holds & (ends - starts >= max_answer_length)])),
    }
    return QuestionRows(token_ids[kept], segment_ids[kept], starts[kept], ends[kept], figures)


def _located(tokenizer: Tokenizer, questions: Sequence[Question], settings: WindowSettings) -> tuple[np.ndarray, ...]:
    """Ids, segments, columns of the answers' ends, and numbers of the questions of all their windows."""
    asked = tf.constant([_utf8(question.question) for question in questions], tf.string, [len(questions)])
    passages = tf.constant([_utf8(question.passage) for question in questions], tf.string, [len(questions)])
    windows = QuestionWindows(*(part.numpy() for part in question_windows(tokenizer, asked, passages, settings)))
    places = np.array([_byte_place(question) for question in questions], np.int32).reshape(-1, 2)
    return windows.token_ids, windows.segment_ids, *_columns(windows, places), windows.examples


def _byte_place(question: Question) -> tuple[int, int]:
    """The first byte of the answer and the one behind it; nothing where there is no answer."""
    if question.place is None:
        return 0, 0
    _, start, end = question.place
    before = len(_utf8(question.passage[:start]))
    return before, before + len(_utf8(question.passage[start:end]))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _columns(windows: QuestionWindows, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The columns of the first and last token of the answer in each window, 0 where it is not whole: (windows,).

    Args:
        windows: as arrays.
        places: int32 (examples, 2), the bytes of each answer.
    """
    first_byte, end_byte = (places[windows.examples, side][:, None] for side in (0, 1))
    inside = (windows.context_mask > 0) & (windows.starts < end_byte) & (windows.ends > first_byte)
    holds = inside.any(axis=1)
    starts = inside.argmax(axis=1)
    ends = inside.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
    rows = np.arange(len(inside))
    begin, end = windows.starts[rows, starts], windows.ends[rows, ends]
    # The tokens of the answer in its passage begin and end where those of some window do, and are as many: several can
    # stand for one character.
    count = inside.sum(axis=1)
    least, most = np.full(len(places), np.iinfo(np.int32).max), np.full(len(places), -1)
    np.minimum.at(least, windows.examples[holds], begin[holds])
    np.maximum.at(most, windows.examples[holds], end[holds])
    whole = holds & (begin == least[windows.examples]) & (end == most[windows.examples])
    counts = np.zeros(len(places), int)
    np.maximum.at(counts, windows.examples[whole], count[whole])
    whole &= count == counts[windows.examples]
    return np.where(whole, starts, 0).astype(np.int32), np.where(whole, ends, 0).astype(np.int32)
