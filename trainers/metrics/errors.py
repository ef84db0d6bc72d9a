"""The worst errors, for people to read.

Every function gives records of the same shape, worst first: ``text``, ``truth`` and ``prediction``, each shortened,
``figures``, by which they are the worst, and ``origin``, where the example stands.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from tfplm.tasks.configuration import TextClassificationConfig
from trainers.candidates import cell, table
from trainers.metrics.classification import decisions, example_losses
from trainers.metrics.question_answering import question_scores
from trainers.metrics.scripts import is_unspaced
from trainers.metrics.tagging import tagged_pieces

LIMIT = 20
_LONGEST_TEXT = 200  # characters
_LONGEST_ANSWER = 100


def classification_errors(
    texts: Sequence[str],
    origins: Sequence[str],
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    task: TextClassificationConfig,
    limit: int = LIMIT,
) -> list[dict]:
    """The wrongly classified texts with the highest loss.

    Args:
        texts: n texts.
        origins: where each stands.
        labels: int (n,), or 0/1 (n, classes) for multi-label.
        probabilities: float (n, classes).
        class_names: in the order of the columns.
        task: as of the figures.
        limit: the most records.

    Returns:
        Records with loss and, unless multi-label, the probability of the given class.
    """
    truth, predicted = decisions(labels, probabilities, task)
    losses = example_losses(truth, probabilities, task.multi_label)

    def names(row: np.ndarray) -> str:
        return ", ".join(name for name, is_given in zip(class_names, row, strict=True) if is_given) or "none"

    def figures(index: int) -> dict:
        given = {} if task.multi_label else {"probability": float(probabilities[index].max())}
        return {"loss": float(losses[index])} | given

    wrong = np.flatnonzero((truth != predicted).any(axis=1))
    return [
        error_record(texts[index], names(truth[index]), names(predicted[index]), figures(index), origins[index])
        for index in _worst(wrong, -losses[wrong], limit)
    ]


def regression_errors(
    texts: Sequence[str], origins: Sequence[str], labels: np.ndarray, predictions: np.ndarray, limit: int = LIMIT
) -> list[dict]:
    """The texts whose predicted number is farthest off; arguments each of n, labels and predictions float."""
    errors = np.abs(np.asarray(labels, np.float64) - predictions)
    return [
        error_record(
            texts[index],
            f"{labels[index]:.4g}",
            f"{predictions[index]:.4g}",
            {"error": float(errors[index])},
            origins[index],
        )
        for index in _worst(np.flatnonzero(errors), -errors[errors > 0], limit)
    ]


def tagging_errors(
    words: Sequence[Sequence[str]],
    origins: Sequence[str],
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    limit: int = LIMIT,
) -> list[dict]:
    """The sentences with most wrong entities (where tags stand for themselves: tags).

    Args:
        words: of every sentence.
        origins: where each stands.
        gold: the true tags of every sentence, one a word.
        predicted: as many of each.
        limit: the most records.

    Returns:
        Records whose truth are the entities that were missed, and whose prediction those that were given wrongly; with
        the number of both together.
    """
    present, given = tagged_pieces(gold, predicted)
    num_wrong = np.array([len(a ^ b) for a, b in zip(present, given, strict=True)], np.int64)

    def pieces(index: int, found: set[tuple[str, int, int]]) -> str:
        ordered = sorted(found, key=lambda piece: piece[1])
        return "; ".join(f"{kind}: {join_words(words[index][first : last + 1])}" for kind, first, last in ordered)

    wrong = np.flatnonzero(num_wrong)
    return [
        error_record(
            join_words(words[index]),
            pieces(index, present[index] - given[index]),
            pieces(index, given[index] - present[index]),
            {"wrong": int(num_wrong[index])},
            origins[index],
        )
        for index in _worst(wrong, -num_wrong[wrong], limit)
    ]


def question_answering_errors(
    questions: Sequence[str],
    origins: Sequence[str],
    answers: Sequence[str],
    references: Sequence[Sequence[str]],
    confidences: np.ndarray,
    rule: str = "auto",
    limit: int = LIMIT,
) -> list[dict]:
    """The questions whose answer has the lowest F1, of these first those of which the model is surest.

    Args:
        questions: n texts.
        origins: where each stands.
        answers: what was given; empty for no answer.
        references: the right answers of every question, none where it has no answer.
        confidences: float (n,), the model's own.
        rule: as of `trainers.metrics.question_answering.question_scores`.
        limit: the most records.

    Returns:
        Records with f1 in percent and confidence.
    """
    f1s = question_scores(answers, references, rule)["f1"]
    wrong = np.flatnonzero(f1s < 1.0)
    return [
        error_record(
            questions[index],
            " / ".join(dict.fromkeys(references[index])),
            answers[index],
            {"f1": 100 * float(f1s[index]), "confidence": float(confidences[index])},
            origins[index],
        )
        for index in wrong[np.lexsort((-np.asarray(confidences)[wrong], f1s[wrong]))][:limit]
    ]


def retrieval_errors(
    queries: Sequence[str],
    origins: Sequence[str],
    candidates: Sequence[str],
    ranks: np.ndarray,
    nearest: np.ndarray,
    limit: int = LIMIT,
) -> list[dict]:
    """The texts whose partner was found last.

    Args:
        queries: n texts.
        origins: where each stands.
        candidates: the partner of a query stands at the same place.
        ranks: int (n,), of `trainers.metrics.embedding.find_partners`.
        nearest: int (n,), of the same.
        limit: the most records.

    Returns:
        Records whose prediction is the nearest candidate; with the rank of the partner.
    """
    wrong = np.flatnonzero(ranks > 1)
    return [
        error_record(
            queries[index], candidates[index], candidates[nearest[index]], {"rank": int(ranks[index])}, origins[index]
        )
        for index in _worst(wrong, -ranks[wrong], limit)
    ]


def errors_table(records: Sequence[dict]) -> list[str]:
    """The lines of a Markdown table of records."""
    if not records:
        return []
    names = list(records[0]["figures"])
    rows = [
        [
            *(cell(record[key]) or "–" for key in ("text", "truth", "prediction")),
            *(f"{value:.3g}" if isinstance(value, float) else value for value in record["figures"].values()),
            cell(record["origin"]),
        ]
        for record in records
    ]
    return table(["text", "truth", "prediction", *names, "origin"], rows)


def join_words(words: Iterable[str]) -> str:
    """A text of words: with spaces, or where the script has none, without."""
    words = list(words)
    return ("" if is_unspaced(words) else " ").join(words)


def shorten(text: str, longest: int) -> str:
    """The text in one line, cut to so many characters."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _worst(indices: np.ndarray, order: np.ndarray, limit: int) -> np.ndarray:
    """The ``limit`` indices with the smallest ``order``; of equals those that stand first."""
    return indices[np.argsort(order, kind="stable")][:limit]


def error_record(text: str, truth: str, prediction: str, figures: dict, origin: str) -> dict:
    """One record, its texts shortened."""
    return {
        "text": shorten(text, _LONGEST_TEXT),
        "truth": shorten(truth, _LONGEST_ANSWER),
        "prediction": shorten(prediction, _LONGEST_ANSWER),
        "figures": figures,
        "origin": origin,
    }
