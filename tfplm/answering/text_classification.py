"""A text, or a pair of texts, to a label or several."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfplm.answering.answer_names import CLASSES, LABEL, PROBABILITIES, SELECTED
from tfplm.answering.answerer import Tensors
from tfplm.answering.text_rows import TextAnswerer
from tfplm.tasks.text_classification import TextClassifier


class ClassificationAnswerer(TextAnswerer):
    """Answers with LABEL (batch,), the most probable class; PROBABILITIES (batch, classes); CLASSES (batch, classes).

    CLASSES names the columns. Multi-label tasks have SELECTED (batch, classes) besides, True from the task's decision
    threshold on.
    """

    task: TextClassifier
    descriptions = {
        LABEL: "The most probable class.",
        PROBABILITIES: "The probability of each class.",
        CLASSES: "The names of the columns of probabilities.",
        SELECTED: "Whether each class reaches the decision threshold.",
    }

    class_output = PROBABILITIES

    def score(self, rows: Tensors) -> Tensors:
        features = {name: rows[name] for name in self.row_specs(None)}
        return {PROBABILITIES: self.task.probabilities(self.task(features, training=False))}

    def decide(self, rows: Tensors, scores: Tensors, texts: Tensors) -> Tensors:
        return self._named(scores)

    def decide_rows(self, rows: Tensors, scores: Tensors) -> Tensors:
        return self._named(scores)

    def answer_single(self, texts: Tensors) -> Tensors:
        answer = super().answer_single(texts)
        return {LABEL: self._label(answer[PROBABILITIES]), **answer}

    def agreement(self, expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> float:
        left, right = (self._decisions(np.asarray(scores[PROBABILITIES])) for scores in (expected, found))
        return float((left == right).mean())

    def record(self, answer: Mapping[str, np.ndarray]) -> dict:
        probabilities = dict(zip(self.class_names, answer[PROBABILITIES].tolist(), strict=True))
        record = {"label": answer[LABEL].decode()}
        if self.task.config.multi_label:
            record["labels"] = [name for name, chosen in zip(self.class_names, answer[SELECTED], strict=True) if chosen]
        return record | {"probabilities": probabilities}

    def _named(self, scores: Tensors) -> Tensors:
        probabilities = scores[PROBABILITIES]
        class_names = tf.constant(self.class_names)
        outputs = {
            LABEL: self._label(probabilities),
            PROBABILITIES: probabilities,
            CLASSES: tf.repeat(class_names[tf.newaxis], tf.shape(probabilities)[0], axis=0),
        }
        if self.task.config.multi_label:
            outputs[SELECTED] = probabilities >= self.task.config.decision_threshold
        return outputs

    def _label(self, probabilities: tf.Tensor) -> tf.Tensor:
        best = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        return tf.gather(tf.constant(self.class_names), best)

    def _decisions(self, probabilities: np.ndarray) -> np.ndarray:
        """What a user would act on: the best class (texts,), or the selected ones (texts, classes)."""
        config = self.task.config
        return probabilities >= config.decision_threshold if config.multi_label else probabilities.argmax(-1)
