"""Figures of sentence embeddings: whether their similarities are those of people, and whether partners are found."""

import numpy as np

from trainers.metrics import counted
from trainers.metrics.bootstrap import Bootstrap, counted_intervals
from trainers.metrics.regression import correlations, counted_correlations

RECALL_AT = (1, 5, 10)
_ROWS_AT_ONCE = 1024


def cosine_matrix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine similarity of every row of ``first`` with every row of ``second``; 0 for a row of zeros.

    Args:
        first: float (n, hidden).
        second: float (m, hidden).

    Returns:
        float64 (n, m).
    """
    return _unit_rows(first) @ _unit_rows(second).T


def cosine_pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine similarity of every row of ``first`` with the same row of ``second``, float64 (n,)."""
    return (_unit_rows(first) * _unit_rows(second)).sum(axis=1)


def similarity_figures(cosines: np.ndarray, scores: np.ndarray) -> dict[str, float | None]:
    """Whether cosines rank pairs as people do.

    Args:
        cosines: float (pairs,), of `cosine_pairs`.
        scores: float (pairs,), of people.

    Returns:
        The pearson and spearman correlation of cosines and scores, None where one of both is constant.

    Source: Reimers and Gurevych 2019, "Sentence-BERT", section 4.
    """
    return correlations(cosines, np.asarray(scores, np.float64))


def similarity_intervals(
    cosines: np.ndarray, scores: np.ndarray, bootstrap: Bootstrap | None = None
) -> dict[str, list[float] | None]:
    """Bootstrap intervals of the figures of `similarity_figures`; arguments as there."""
    scores = np.asarray(scores, np.float64)
    return counted_intervals(lambda counts: counted_correlations(counts, cosines, scores), len(scores), bootstrap)


def find_partners(queries: np.ndarray, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Looks for every query's partner among all candidates by cosine; those as near as it come before it.

    Args:
        queries: float (n, hidden).
        candidates: float (m, hidden); the partner of a query stands at the same row.

    Returns:
        The rank of the partner, from 1, and the row of the nearest candidate, each int64 (n,).
    """
    queries, candidates = _unit_rows(queries), _unit_rows(candidates)
    ranks, nearest = np.zeros((2, len(queries)), np.int64)
    for first in range(0, len(queries), _ROWS_AT_ONCE):
        rows = np.arange(first, min(first + _ROWS_AT_ONCE, len(queries)))
        cosines = queries[rows] @ candidates.T
        ranks[rows] = (cosines >= cosines[np.arange(len(rows)), rows][:, None]).sum(axis=1)
        nearest[rows] = cosines.argmax(axis=1)
    return ranks, nearest


def retrieval_figures(ranks: np.ndarray, num_candidates: int) -> dict:
    """How well partners are found.

    Args:
        ranks: int (queries,), of `find_partners`.
        num_candidates: among which the partner is sought.

    Returns:
        A JSON-able dict: examples (queries), candidates, recall_at_1, _5 and _10 (None where there are no more
        candidates than that), and mrr, the mean reciprocal rank.

    Source: Manning, Raghavan and Schütze 2008, "Introduction to Information Retrieval", chapter 8; Voorhees 1999, "The
    TREC-8 Question Answering Track Report", for the reciprocal rank.
    """
    scores = {name: None if s is None else float(s.mean()) for name, s in _query_scores(ranks, num_candidates).items()}
    return {"examples": len(ranks), "candidates": num_candidates, **scores}


def retrieval_intervals(
    ranks: np.ndarray, num_candidates: int, bootstrap: Bootstrap | None = None
) -> dict[str, list[float] | None]:
    """Bootstrap intervals of the figures of `retrieval_figures`: queries are drawn, the candidates stay."""
    scores = {name: values for name, values in _query_scores(ranks, num_candidates).items() if values is not None}

    def figures(counts: np.ndarray) -> dict[str, np.ndarray]:
        return {name: counted.mean(counts, values) for name, values in scores.items()}

    return counted_intervals(figures, len(ranks), bootstrap)


def _query_scores(ranks: np.ndarray, num_candidates: int) -> dict[str, np.ndarray | None]:
    recalls = {f"recall_at_{k}": ranks <= k if k < num_candidates else None for k in RECALL_AT}
    return recalls | {"mrr": 1.0 / ranks}


def _unit_rows(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)
