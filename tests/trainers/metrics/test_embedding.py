import numpy as np
import pytest
from scipy import stats
from sklearn.metrics.pairwise import cosine_similarity

from trainers.metrics.embedding import (
    cosine_matrix,
    cosine_pairs,
    find_partners,
    retrieval_figures,
    retrieval_intervals,
    similarity_figures,
)


def vectors(rows, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, 8)).astype(np.float32)


def test_cosines_are_those_of_scikit_learn_and_zero_for_nothing():
    first, second = vectors(5), vectors(3, seed=1)
    second[1] = 0.0
    np.testing.assert_allclose(cosine_matrix(first, second), cosine_similarity(first, second), atol=1e-6)


def test_similarity_is_judged_by_correlation_with_the_scores_of_people():
    first, second, scores = vectors(30), vectors(30, seed=1), np.random.default_rng(2).random(30)
    cosines = np.diag(cosine_similarity(first, second))
    figures = similarity_figures(cosine_pairs(first, second), scores)
    assert figures["pearson"] == pytest.approx(stats.pearsonr(cosines, scores).statistic)
    assert figures["spearman"] == pytest.approx(stats.spearmanr(cosines, scores).statistic)
    assert similarity_figures(cosines, np.ones(30)) == {"pearson": None, "spearman": None}


def test_a_partner_is_ranked_among_all_candidates():
    candidates = np.eye(4)
    queries = np.array([[1, 0, 0, 0], [0.9, 0.5, 0.1, 0], [0.3, 0.2, 0.1, 0.0]])
    ranks, nearest = find_partners(queries, candidates)
    assert (ranks.tolist(), nearest.tolist()) == ([1, 2, 3], [0, 0, 0])


def test_more_queries_than_are_compared_at_once_are_ranked_alike():
    queries = vectors(1500)
    candidates = queries + 0.5 * vectors(1500, seed=1)
    cosines = cosine_matrix(queries, candidates)
    expected = (cosines >= np.diag(cosines)[:, None]).sum(axis=1)
    assert np.mean(find_partners(queries, candidates)[0] == expected) > 0.999  # rounding differs by the batch


def test_embeddings_that_are_all_the_same_find_nobody():
    ranks, _ = find_partners(np.ones((20, 4)), np.ones((20, 4)))
    assert retrieval_figures(ranks, 20)["recall_at_10"] == 0.0


def test_figures_of_a_hand_counted_retrieval():
    figures = retrieval_figures(np.array([1, 2, 4, 8]), 8)
    assert figures == {
        "examples": 4,
        "candidates": 8,
        "recall_at_1": 0.25,
        "recall_at_5": 0.75,
        "recall_at_10": None,  # there are no ten
        "mrr": (1 + 1 / 2 + 1 / 4 + 1 / 8) / 4,
    }
    low, high = retrieval_intervals(np.array([1, 2, 4, 8] * 10), 8)["recall_at_1"]
    assert low < 0.25 < high
