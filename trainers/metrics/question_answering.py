"""Figures of answers cut from passages: exact match and F1, with and without an answer."""

from collections.abc import Sequence

import numpy as np

from trainers.metrics import counted
from trainers.metrics.answers import RULES, answer_scores, choose_rule
from trainers.metrics.bootstrap import Bootstrap, counted_intervals


def question_scores(
    answers: Sequence[str], references: Sequence[Sequence[str]], rule: str = "auto"
) -> dict[str, np.ndarray]:
    """``exact_match`` and ``f1`` of every question, each float64 (questions,) from 0 to 1.

    Args:
        answers: what was given, one a question; empty where the question was held to have no answer.
        references: the right answers of every question, none where it has no answer.
        rule: ``squad``, ``cmrc`` (see `trainers.metrics.answers.answer_scores`), or ``auto``: by the script of the
            references.

    Raises:
        ValueError: there are other numbers of answers than of questions, or the rule is unknown.
    """
    if len(answers) != len(references):
        raise ValueError(f"answers, references: expected as many of each, got {len(answers)} and {len(references)}")
    rule = choose_rule(references) if rule == "auto" else rule
    if rule not in RULES:
        raise ValueError(f"rule: expected auto or one of {', '.join(RULES)}, got {rule}")
    pairs = [answer_scores(answer, right, rule) for answer, right in zip(answers, references, strict=True)]
    exact_matches, f1s = np.array(pairs, np.float64).reshape(-1, 2).T
    return {"exact_match": exact_matches, "f1": f1s}


def question_answering_figures(answers: Sequence[str], references: Sequence[Sequence[str]], rule: str = "auto") -> dict:
    """Exact match and F1 in percent, over all questions and apart for those with and without an answer.

    Args:
        answers: as of `question_scores`.
        references: as of `question_scores`.
        rule: as of `question_scores`.

    Returns:
        A JSON-able dict: examples (questions), exact_match, f1, the rule, and where some questions have no answer,
        has_answer and no_answer with the first three of each kind.

    Raises:
        ValueError: as `question_scores`.
    """
    scores = question_scores(answers, references, rule)
    has_answer = _has_answer(references)
    figures = _percent(scores, np.ones(len(answers), bool))
    figures["rule"] = choose_rule(references) if rule == "auto" else rule
    if not has_answer.all():
        figures |= {"has_answer": _percent(scores, has_answer), "no_answer": _percent(scores, ~has_answer)}
    return figures


def question_answering_intervals(
    answers: Sequence[str],
    references: Sequence[Sequence[str]],
    rule: str = "auto",
    bootstrap: Bootstrap | None = None,
) -> dict[str, list[float] | None]:
    """Bootstrap intervals of exact_match and f1, also as ``f1 of has_answer`` and so on; questions are drawn."""
    scores = question_scores(answers, references, rule)
    has_answer = _has_answer(references)
    kinds = {} if has_answer.all() else {" of has_answer": has_answer, " of no_answer": ~has_answer}

    def figures(counts: np.ndarray) -> dict[str, np.ndarray]:
        return {
            name + kind: 100 * counted.mean(counts, values, among)
            for kind, among in ({"": None} | kinds).items()
            for name, values in scores.items()
        }

    return counted_intervals(figures, len(answers), bootstrap)


def with_threshold(spans: Sequence[str], no_answer_scores: np.ndarray, threshold: float) -> list[str]:
    """The answers when a question is held to have none where its score is above ``threshold``."""
    return ["" if score > threshold else span for span, score in zip(spans, no_answer_scores, strict=True)]


def best_threshold(
    spans: Sequence[str], references: Sequence[Sequence[str]], no_answer_scores: np.ndarray, rule: str = "auto"
) -> dict[str, dict[str, float]]:
    """The thresholds of `with_threshold` that would give the most; look for them on the validation data.

    Args:
        spans: the best answer to every question, also where the model would rather give none.
        references: as of `question_scores`.
        no_answer_scores: float (questions,), higher where there is rather no answer.
        rule: as of `question_scores`.

    Returns:
        For ``exact_match`` and for ``f1`` the ``threshold``, in the middle between two scores, and the ``value`` in
        percent.

    Raises:
        ValueError: as `question_scores`, or there are no questions.

    Source: Rajpurkar et al. 2018, "Know What You Don't Know", section 5, and the evaluation script of SQuAD 2.0.
    """
    if not len(spans):
        raise ValueError("spans: expected one or more, got none")
    given = question_scores(spans, references, rule)
    ungiven = question_scores([""] * len(spans), references, rule)
    order = np.argsort(no_answer_scores, kind="stable")
    scores = np.asarray(no_answer_scores, np.float64)[order]
    # After the i-th of the sorted questions: those up to it are answered, the others not.
    edges = np.concatenate([[scores[0] - 1.0], (scores[:-1] + scores[1:]) / 2, [scores[-1] + 1.0]])
    is_possible = np.concatenate([[True], np.diff(scores) > 0, [True]])
    best = {}
    for name, values in given.items():
        gains = np.concatenate([[0.0], np.cumsum((values - ungiven[name])[order])])
        chosen = int(np.argmax(np.where(is_possible, gains, -np.inf)))
        value = 100 * float(ungiven[name].sum() + gains[chosen]) / len(spans)
        best[name] = {"threshold": float(edges[chosen]), "value": value}
    return best


def _has_answer(references: Sequence[Sequence[str]]) -> np.ndarray:
    return np.array([bool(texts) for texts in references], bool)


def _percent(scores: dict[str, np.ndarray], among: np.ndarray) -> dict:
    means = {name: 100 * float(values[among].mean()) if among.any() else None for name, values in scores.items()}
    return {"examples": int(among.sum()), **means}
