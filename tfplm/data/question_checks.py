"""What makes an entry of a file a question that can be learned or judged."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

from tfplm.data.answer_offsets import describe_misplaced, find_answer, stands_at
from tfplm.data.cleaning import is_unicode
from tfplm.data.question_files import QuestionEntry
from tfplm.data.question_set import Answer, Question
from tfplm.data.sources import text_digest

FOUND_ELSEWHERE = "answers_found_elsewhere"
NOT_IN_PASSAGE = "answers_not_in_passage"


class BadQuestion(Exception):
    """An entry that cannot be used.

    Args:
        reason: a short phrase, the same for all that are wrong in this way.
        details: what of this very entry is wrong.
    """

    def __init__(self, reason: str, details: str = ""):
        self.reason, self.details = reason, details
        super().__init__(reason, details)


def check_entry(
    entry: QuestionEntry,
    group: Literal["document", "passage"],
    answers_elsewhere: Literal["bad", "search"],
    notes: Counter[str],
) -> Question:
    """Makes a question of an entry.

    Args:
        entry: of a file.
        group: whether a document or a passage never parts.
        answers_elsewhere: what becomes of answers that are not at their offset, see `QuestionDataConfig`.
        notes: counts of FOUND_ELSEWHERE and NOT_IN_PASSAGE; added to.

    Raises:
        BadQuestion: it cannot be used.
    """
    values = entry.values
    if not isinstance(values, dict):
        raise BadQuestion("no object", f"a {type(values).__name__} where an object with a question is expected")
    passage = _text(entry.passage, "passage")
    question = _text(values.get("question"), "question")
    identifier = values.get("id", entry.origin)
    if not isinstance(identifier, str | int) or identifier == "":
        raise BadQuestion("an id that is none", f"the id {identifier!r}")
    answers = tuple(
        _place(passage, text, start, answers_elsewhere, notes) for text, start in _given_answers(entry, values)
    )
    digest = text_digest(passage)
    return Question(
        id=str(identifier),
        question=question,
        passage=passage,
        answers=answers,
        origin=entry.origin,
        group=entry.document if group == "document" and entry.document else digest,
    )


def _text(value: Any, name: str) -> str:
    if value is None:
        raise BadQuestion(f"no {name}")
    if not isinstance(value, str):
        raise BadQuestion(f"a {name} that is no text", f"a {name} of the type {type(value).__name__}")
    if not value or value.isspace():
        raise BadQuestion(f"an empty {name}")
    if not is_unicode(value):
        raise BadQuestion(f"a {name} with half a character", "a surrogate without its partner")
    return value


def _given_answers(entry: QuestionEntry, values: dict[str, Any]) -> list[tuple[str, int | None]]:
    """Texts and offsets as the file has them; raises BadQuestion where they contradict ``is_impossible``."""
    impossible = values.get("is_impossible")
    if not isinstance(impossible, bool | None):
        raise BadQuestion("an is_impossible that is neither true nor false", f"is_impossible {impossible!r}")
    given = [_text_and_start(answer) for answer in _answer_list(values)]
    if impossible and given:
        raise BadQuestion("an answer where is_impossible is true", f"is_impossible, and the answer {given[0][0]!r}")
    empty_says_so = impossible is None and entry.says_impossible and "answers" in values
    if not given and not impossible and not empty_says_so:
        raise BadQuestion("no answer, and is_impossible is not true")
    return given


def _answer_list(values: dict[str, Any]) -> Iterable[Any]:
    """Every form in which answers are found: a list, an object of lists, a single one."""
    answers = values.get("answers", values.get("answer"))
    if answers is None:
        return []
    if isinstance(answers, dict) and isinstance(answers.get("text"), list):
        starts = answers.get("answer_start", [None] * len(answers["text"]))
        if not isinstance(starts, list) or len(starts) != len(answers["text"]):
            raise BadQuestion("answers without as many offsets", f"answers {answers!r:.80}")
        return [{"text": text, "answer_start": start} for text, start in zip(answers["text"], starts, strict=True)]
    return answers if isinstance(answers, list) else [answers]


def _text_and_start(answer: Any) -> tuple[str, int | None]:
    if isinstance(answer, str):
        answer = {"text": answer}
    if not isinstance(answer, dict):
        raise BadQuestion("an answer that is no text", f"an answer of the type {type(answer).__name__}")
    start = answer.get("answer_start")
    if isinstance(start, bool) or not isinstance(start, int | None):
        raise BadQuestion("an offset that is no whole number", f"answer_start {start!r}")
    return _text(answer.get("text"), "answer"), start


def _place(
    passage: str, text: str, start: int | None, elsewhere: Literal["bad", "search"], notes: Counter[str]
) -> Answer:
    if start is not None and stands_at(passage, text, start):
        return Answer(text, start, start + len(text))
    found = find_answer(passage, text, start or 0)
    if start is None and found is not None:
        return Answer(text, found.start, found.end)
    if elsewhere == "bad":
        if start is None:
            raise BadQuestion(
                "an answer that the passage does not hold", f"the answer {text!r:.80} is not in the passage"
            )
        if not 0 <= start < len(passage):
            raise BadQuestion("an answer out of range", describe_misplaced(passage, text, start))
        raise BadQuestion("an answer that is not at its offset", describe_misplaced(passage, text, start))
    notes[NOT_IN_PASSAGE if found is None else FOUND_ELSEWHERE] += 1
    return Answer(text, None, None) if found is None else Answer(text, found.start, found.end)
