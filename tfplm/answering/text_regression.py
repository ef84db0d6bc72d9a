"""A text, or a pair of texts, to a number."""

from collections.abc import Mapping

import numpy as np

from tfplm.answering.answer_names import SCORE
from tfplm.answering.answerer import Tensors
from tfplm.answering.text_rows import TextAnswerer
from tfplm.tasks.text_regression import TextRegressor


class RegressionAnswerer(TextAnswerer):
    """Answers with SCORE (batch,), a float."""

    task: TextRegressor
    descriptions = {SCORE: "The number that belongs to the text."}

    def score(self, rows: Tensors) -> Tensors:
        return {SCORE: self.task({name: rows[name] for name in self.row_specs(None)}, training=False)}

    def decide(self, rows: Tensors, scores: Tensors, texts: Tensors) -> Tensors:
        return scores

    def agreement(self, expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> float:
        """1 less the mean distance, in units of the training data's spread."""
        distance = np.abs(np.asarray(expected[SCORE]) - np.asarray(found[SCORE])).mean()
        return max(0.0, 1.0 - float(distance) / self.task.config.scale)

    def record(self, answer: Mapping[str, np.ndarray]) -> dict:
        return {"score": float(answer[SCORE])}
