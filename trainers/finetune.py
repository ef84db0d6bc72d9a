"""Fine-tuning to a classifier: every candidate with every seed on the same labelled data."""

from dataclasses import dataclass

import keras
import numpy as np

from tfplm import feature_names as names
from tfplm.data.classification import (
    ClassificationBatches,
    PackedClassificationBatches,
    class_weight_of_examples,
    encode_texts,
)
from tfplm.data.labelled import LabelledData, LabelledExamples
from tfplm.finetuning_configuration import CandidateConfig
from tfplm.models.build import build_model
from tfplm.run_directory import RunDirectory
from tfplm.tasks.saving import load_encoder
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tokenizers.tokenizer import Tokenizer
from trainers.callbacks import BestWeights
from trainers.candidate_trainer import CandidateTrainer
from trainers.classification_metrics import classification_figures
from trainers.parity_texts import write_parity_texts

_PREDICT_BATCH = 64


@dataclass(frozen=True)
class EncodedData:
    """Labelled data with its texts tokenized once for one tokenizer; each int32 (examples, sequence)."""

    data: LabelledData
    train_ids: np.ndarray
    validation_ids: np.ndarray
    test_ids: np.ndarray

    @classmethod
    def encode(cls, data: LabelledData, tokenizer: Tokenizer, sequence_length: int) -> "EncodedData":
        """Tokenizes every split."""
        splits = (data.train, data.validation, data.test)
        return cls(data, *(encode_texts(tokenizer, split.texts, sequence_length) for split in splits))


@dataclass(frozen=True)
class Finetuner(CandidateTrainer):
    """Trains candidates on one labelled data set; a run directory each."""

    encoded: EncodedData

    def build_task(self, candidate: CandidateConfig, pretrained: RunDirectory | None) -> TextClassifier:
        """The candidate's encoder, pretrained or new, under a new classification head."""
        if pretrained is not None:
            encoder = load_encoder(pretrained.model)
        else:
            encoder = build_model(candidate.model, self.tokenizer.vocabulary_size, self.tokenizer.pad_id)
        self._require_room(encoder.config)
        return TextClassifier(encoder, self.config.task, self.encoded.data.class_names)

    def _batches(self, task: TextClassifier, seed: int) -> tuple[ClassificationBatches, ClassificationBatches | None]:
        data, encoded, size = self.encoded.data, self.encoded, self.config.batch_size
        weights = class_weight_of_examples(data.train.labels, data.class_names, self.config.task.class_weights)
        batches = PackedClassificationBatches if self.config.packing else ClassificationBatches
        balanced = self.config.task.sampling == "balanced"
        train = batches(encoded.train_ids, data.train.labels, weights, size, seed, balanced)
        if not len(data.validation):
            return train, None
        ones = np.ones(len(data.validation), np.float32)
        return train, ClassificationBatches(encoded.validation_ids, data.validation.labels, ones, size, None)

    def _tokens_per_row(self, task: TextClassifier) -> int:
        return self.config.sequence_length

    def _best(self) -> BestWeights:
        metric = self.config.validation_metric
        return BestWeights(f"val_{metric}", metric != "loss", self.config.early_stopping_patience)

    def _judge(self, task: TextClassifier, run: RunDirectory) -> dict:
        data, encoded = self.encoded.data, self.encoded
        write_parity_texts(run, data.test.texts or data.validation.texts or data.train.texts)
        return {
            "class_names": data.class_names,
            "data": data.figures,
            "validation": evaluate_classifier(task, encoded.validation_ids, data.validation),
            "test": evaluate_classifier(task, encoded.test_ids, data.test),
        }


def predict_probabilities(classifier: TextClassifier, token_ids: np.ndarray) -> np.ndarray:
    """Probabilities float32 (examples, classes) for int32 (examples, sequence); one compiled shape."""
    if not len(token_ids):
        return np.zeros((0, len(classifier.class_names)), np.float32)
    missing = -len(token_ids) % _PREDICT_BATCH
    padded = np.pad(token_ids, ((0, missing), (0, 0)))
    logits = classifier.predict({names.TOKEN_IDS: padded}, batch_size=_PREDICT_BATCH, verbose=0)
    return keras.ops.convert_to_numpy(classifier.probabilities(logits))[: len(token_ids)]


def evaluate_classifier(classifier: TextClassifier, token_ids: np.ndarray, examples: LabelledExamples) -> dict | None:
    """The figures on a split; None where it is empty."""
    if not len(token_ids):
        return None
    return classification_figures(
        examples.labels, predict_probabilities(classifier, token_ids), classifier.class_names, classifier.config
    )
