"""A label, or several, for a text or a pair of texts."""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfplm import feature_names as names
from tfplm.answering.answer_names import PROBABILITIES
from tfplm.answering.answerer import Answerer
from tfplm.data.batches import Order
from tfplm.data.classification import class_weight_of_examples
from tfplm.data.configuration import LabelledDataConfig, Source
from tfplm.data.example_batches import ExampleRows, row_lengths
from tfplm.data.labelled import LabelledExamples, held_out_groups, load_examples, load_labelled
from tfplm.data.sampling import balanced_order
from tfplm.models.build import Encoder
from tfplm.tasks.configuration import TextClassificationConfig
from tfplm.tasks.text_classification import TextClassifier
from trainers.candidates import cell, table
from trainers.metrics.calibration import calibration_bins, decision_confidences
from trainers.metrics.classification import classification_figures, decisions
from trainers.metrics.classification_intervals import classification_intervals
from trainers.metrics.errors import classification_errors
from trainers.task_kinds.task_kind import TaskData, dropped_lines, encode_rows, per_class_lines, shown_texts
from trainers.task_kinds.text_kind import TextKind

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ClassificationKind(TextKind):
    """Classification, one label or many."""

    task_type = "text_classification"
    target_column = "label"
    figure_names = {"accuracy": "accuracy", "macro_f1": "macro F1", "auc": "AUC", "loss": "cross-entropy"}
    data: LabelledDataConfig
    task: TextClassificationConfig

    def load(self, seed: int) -> TaskData:
        labelled = load_labelled(self.data, self.task.multi_label, seed)
        splits = (labelled.train, labelled.validation, labelled.test)
        return TaskData(*splits, labelled.class_names, labelled.figures)

    def held_out(self, seed: int) -> set[str]:
        return held_out_groups(self.data, self.task.multi_label, seed)

    def build_task(self, encoder: Encoder, data: TaskData) -> TextClassifier:
        return TextClassifier(encoder, self.task, data.class_names)

    def rows(self, examples: LabelledExamples, answerer: Answerer, is_training: bool) -> ExampleRows:
        features = encode_rows(answerer, self.answer_inputs(examples))
        weights = np.ones(len(examples), np.float32)
        if is_training:
            weights = class_weight_of_examples(examples.labels, answerer.class_names, self.task.class_weights)
        lengths = row_lengths(features[names.TOKEN_IDS], answerer.tokenizer.pad_id)
        return ExampleRows(features, examples.labels, weights, lengths)

    def order(self, data: TaskData, seed: int) -> Order | None:
        if self.task.sampling == "natural":
            return None
        return functools.partial(balanced_order, data.train.labels, seed)

    def figures(
        self, answers: Mapping[str, np.ndarray], examples: LabelledExamples, class_names: Sequence[str]
    ) -> dict:
        return classification_figures(examples.labels, answers[PROBABILITIES], class_names, self.task)

    def intervals(
        self, answers: Mapping[str, np.ndarray], examples: LabelledExamples, class_names: Sequence[str]
    ) -> dict:
        return classification_intervals(examples.labels, answers[PROBABILITIES], class_names, self.task)

    def errors(
        self, answers: Mapping[str, np.ndarray], examples: LabelledExamples, class_names: Sequence[str]
    ) -> list[dict]:
        shown, probabilities = shown_texts(self.answer_inputs(examples)), answers[PROBABILITIES]
        return classification_errors(shown, examples.origins, examples.labels, probabilities, class_names, self.task)

    def pictures(
        self,
        figures: dict,
        answers: Mapping[str, np.ndarray],
        examples: LabelledExamples,
        class_names: Sequence[str],
    ) -> "dict[str, Figure]":
        # Imported here: matplotlib takes half a second, and most commands draw nothing.
        from trainers.metrics.confusion_plots import confusion_plot, multi_label_confusion_plot
        from trainers.metrics.curve_plots import precision_recall_plot, roc_plot
        from trainers.metrics.plots import reliability_plot

        labels, probabilities, many = examples.labels, answers[PROBABILITIES], self.task.multi_label
        draw_confusion = multi_label_confusion_plot if many else confusion_plot
        truth, _ = decisions(labels, probabilities, self.task)
        bins = calibration_bins(*decision_confidences(labels, probabilities, many))
        return {
            "confusion": draw_confusion(figures["confusion_matrix"], class_names),
            "reliability": reliability_plot(bins, figures["expected_calibration_error"]),
            "roc": roc_plot(truth, probabilities, class_names),
            "precision_recall": precision_recall_plot(truth, probabilities, class_names),
        }

    def read_examples(self, source: Source, class_names: Sequence[str], dropped: Counter[str]) -> LabelledExamples:
        return load_examples(source, list(class_names), self.data, self.task.multi_label, dropped)

    def data_lines(self, figures: dict) -> list[str]:
        splits = {name: figures[name] for name in ("train", "validation", "test")}
        classes = list(splits["train"]["per_class"])
        rows = [[name, counts["groups"], *(counts["per_class"][c] for c in classes)] for name, counts in splits.items()]
        return [*table(["split", "groups", *map(cell, classes)], rows), *dropped_lines(figures["dropped"])]

    def detail_lines(self, figures: dict) -> list[str]:
        return per_class_lines(figures["per_class"], "class", "examples")
