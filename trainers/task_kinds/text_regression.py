"""A number for a text or a pair of texts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfplm import feature_names as names
from tfplm.answering.answer_names import SCORE
from tfplm.answering.answerer import Answerer
from tfplm.data.configuration import ScoredDataConfig, Source
from tfplm.data.example_batches import ExampleRows, row_lengths
from tfplm.data.scored import ScoredExamples, held_out_scored, load_scored, load_scored_examples
from tfplm.models.build import Encoder
from tfplm.tasks.configuration import TextRegressionConfig
from tfplm.tasks.text_regression import TextRegressor
from trainers.candidates import table
from trainers.metrics.errors import regression_errors
from trainers.metrics.regression import regression_figures, regression_intervals
from trainers.task_kinds.task_kind import TaskData, dropped_lines, encode_rows, shown_texts
from trainers.task_kinds.text_kind import TextKind

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class RegressionKind(TextKind):
    """Regression: similarity, ratings, grades."""

    task_type = "text_regression"
    target_column = "score"
    figure_names = {"pearson": "Pearson", "spearman": "Spearman", "mae": "mean absolute error", "r2": "R²"}
    data: ScoredDataConfig
    task: TextRegressionConfig

    def load(self, seed: int) -> TaskData:
        scored = load_scored(self.data, seed)
        return TaskData(scored.train, scored.validation, scored.test, [], scored.figures)

    def held_out(self, seed: int) -> set[str]:
        return held_out_scored(self.data, seed)

    def build_task(self, encoder: Encoder, data: TaskData) -> TextRegressor:
        scores = data.train.scores.astype(np.float64)
        scaled = {"offset": float(scores.mean()), "scale": float(scores.std()) or 1.0}
        return TextRegressor(encoder, self.task.model_copy(update=scaled))

    def rows(self, examples: ScoredExamples, answerer: Answerer, is_training: bool) -> ExampleRows:
        features = encode_rows(answerer, self.answer_inputs(examples))
        lengths = row_lengths(features[names.TOKEN_IDS], answerer.tokenizer.pad_id)
        return ExampleRows(features, examples.scores, np.ones(len(examples), np.float32), lengths)

    def figures(self, answers: Mapping[str, np.ndarray], examples: ScoredExamples, class_names: Sequence[str]) -> dict:
        return regression_figures(examples.scores, answers[SCORE])

    def intervals(
        self, answers: Mapping[str, np.ndarray], examples: ScoredExamples, class_names: Sequence[str]
    ) -> dict:
        return regression_intervals(examples.scores, answers[SCORE])

    def errors(
        self, answers: Mapping[str, np.ndarray], examples: ScoredExamples, class_names: Sequence[str]
    ) -> list[dict]:
        shown = shown_texts(self.answer_inputs(examples))
        return regression_errors(shown, examples.origins, examples.scores, answers[SCORE])

    def pictures(
        self, figures: dict, answers: Mapping[str, np.ndarray], examples: ScoredExamples, class_names: Sequence[str]
    ) -> "dict[str, Figure]":
        from trainers.metrics.plots import regression_plot  # matplotlib takes half a second

        return {"scores": regression_plot(examples.scores, answers[SCORE])}

    def read_examples(self, source: Source, class_names: Sequence[str], dropped: Counter[str]) -> ScoredExamples:
        return load_scored_examples(source, self.data, dropped)

    def data_lines(self, figures: dict) -> list[str]:
        keys = ("examples", "least", "mean", "largest", "standard_deviation")
        rows = [
            [name, *("–" if figures[name][key] is None else f"{figures[name][key]:,.4g}" for key in keys)]
            for name in ("train", "validation", "test")
        ]
        headings = ["split", *(key.replace("_", " ") for key in keys)]
        return [*table(headings, rows), *dropped_lines(figures["dropped"])]
