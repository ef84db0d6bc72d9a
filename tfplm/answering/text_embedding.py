"""A text to its vector."""

from collections.abc import Mapping

import numpy as np

from tfplm.answering.answer_names import EMBEDDING
from tfplm.answering.answerer import Answerer, Tensors
from tfplm.tasks.text_embedding import TextEmbedder


class EmbeddingAnswerer(Answerer):
    """Answers with EMBEDDING (batch, dim) float32, of length 1 where the task normalizes.

    Models agree as far as the mean cosine of their vectors goes.
    """

    task: TextEmbedder
    descriptions = {EMBEDDING: "The vector of the text; texts are as near as the cosine of their vectors is large."}

    def score(self, rows: Tensors) -> Tensors:
        return {EMBEDDING: self.task({name: rows[name] for name in self.row_specs(None)}, training=False)}

    def decide(self, rows: Tensors, scores: Tensors, texts: Tensors) -> Tensors:
        return scores

    def agreement(self, expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> float:
        left, right = (np.asarray(scores[EMBEDDING], np.float64) for scores in (expected, found))
        lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
        cosines = (left * right).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)
        are_zero = ~left.any(axis=1) & ~right.any(axis=1)  # as of a text without tokens
        return float(np.where(are_zero, 1.0, cosines).mean())

    def record(self, answer: Mapping[str, np.ndarray]) -> dict:
        return {"embedding": answer[EMBEDDING].tolist()}
