"""Fine-tuning: every candidate with every seed on the same labelled data."""

import json
from dataclasses import dataclass
from pathlib import Path

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
from tfplm.errors import UserError
from tfplm.experiment import CandidateConfig, FinetuneConfig, RuntimeConfig
from tfplm.models.build import build_model
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory, write_config, write_text
from tfplm.tasks.saving import load_encoder, load_task, save_task
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tokenizers.wordpiece import WordPieceTokenizer
from trainers.callbacks import BestWeights, TrainingMonitor
from trainers.checkpoints import CheckpointStore
from trainers.classification_metrics import classification_figures
from trainers.costs import training_flops_per_step
from trainers.distribute import Workplace, require_whole_parts
from trainers.optimizers import build_optimizer
from trainers.training_model import TrainingModel
from trainers.training_run import CheckpointPlan, Intervals, TrainingRun

PARITY_TEXTS = 64  # test texts kept in the run directory for the proof at the end of an export
_PREDICT_BATCH = 64


@dataclass(frozen=True)
class EncodedData:
    """Labelled data with its texts tokenized once for one tokenizer; each int32 (examples, sequence)."""

    data: LabelledData
    train_ids: np.ndarray
    validation_ids: np.ndarray
    test_ids: np.ndarray

    @classmethod
    def encode(cls, data: LabelledData, tokenizer: WordPieceTokenizer, sequence_length: int) -> "EncodedData":
        """Tokenizes every split."""
        splits = (data.train, data.validation, data.test)
        return cls(data, *(encode_texts(tokenizer, split.texts, sequence_length) for split in splits))


@dataclass(frozen=True)
class Finetuner:
    """Trains candidates on one labelled data set; a run directory each.

    Args:
        config: of the fine-tuning.
        runtime: how the machine is used.
        encoded: the data.
        tokenizer: that encoded it.
        progress: a tfplm.progress.Progress.
        place: where it is trained.
        checkpoint_seconds: of training between two checkpoints, at least; each at the end of an epoch.
    """

    config: FinetuneConfig
    runtime: RuntimeConfig
    encoded: EncodedData
    tokenizer: WordPieceTokenizer
    progress: Progress
    place: Workplace
    checkpoint_seconds: float = 60.0

    def train(
        self,
        name: str,
        candidate: CandidateConfig,
        pretrained: RunDirectory | None,
        run: RunDirectory,
        seed: int,
        mark: str,
    ) -> None:
        """Trains one candidate with one seed; the chief writes its run directory.

        A run that was interrupted goes on from its last checkpoint, to the same weights.

        Args:
            name: of the candidate, for the progress bar.
            candidate: its configuration.
            pretrained: the finished run that its encoder comes from, or None for a new encoder.
            run: where to.
            seed: of the weights, the order and dropout.
            mark: the fingerprint of what is asked for.

        Raises:
            UserError: the model does not fit the task's data, training has diverged, or the disk is full.
        """
        keras.utils.set_random_seed(seed)
        train, validation = self._batches(seed)
        with self.place.strategy.scope():
            classifier = self.build_classifier(candidate, pretrained)
            total_steps = candidate.epochs * train.steps_per_epoch
            optimizer = build_optimizer(candidate.optimizer, total_steps, self.runtime.precision)
            model = TrainingModel(classifier, self.config.accumulation_steps, self.config.rematerialize)
            model.compile(optimizer, self.place.jit_compile)
        if self.place.is_chief:
            write_config(run, self._resolved(candidate, seed))
        training = self._training(f"{name}, seed {seed}", model, candidate.epochs, train, validation, run, mark)
        monitor = training.fit()
        if self.place.is_chief:
            self._write(classifier, training, monitor, run, seed, mark)

    def _training(
        self,
        description: str,
        model: TrainingModel,
        epochs: int,
        train: ClassificationBatches,
        validation: ClassificationBatches | None,
        run: RunDirectory,
        mark: str,
    ) -> TrainingRun:
        metric, patience = self.config.validation_metric, self.config.early_stopping_patience
        return TrainingRun(
            model,
            self.config,
            train,
            (validation, validation.steps_per_epoch) if validation else None,
            Intervals(train.steps_per_epoch, epochs, [*range(1, epochs + 1)]),
            run,
            CheckpointStore(
                run.checkpoints,
                keep=1,
                fingerprint=mark,
                read_only=not self.place.is_chief,
                tell=self.progress.message,
            ),
            # A run that is to be proved has one behind every epoch.
            CheckpointPlan(every_seconds=0.0 if self.config.keep_final_checkpoint else self.checkpoint_seconds),
            self.place,
            self.progress,
            description,
            tokens_per_step=self.config.batch_size * self.config.sequence_length,
            flops_per_step=training_flops_per_step(
                self.config, model.task.encoder.config, self.tokenizer.vocabulary_size
            ),
            best=BestWeights(f"val_{metric}", metric != "loss", patience) if validation else None,
        )

    def _write(
        self,
        classifier: TextClassifier,
        training: TrainingRun,
        monitor: TrainingMonitor,
        run: RunDirectory,
        seed: int,
        mark: str,
    ) -> None:
        """Writes the run directory; what is judged is the model that was written."""
        self.tokenizer.save(run.tokenizer)
        save_task(classifier, run.model)
        _write_parity_texts(run.path / "examples.json", self.encoded.data)
        report = self._report(load_task(run.model), monitor, training.best) | {"skipped": training.skipped}
        run.write_report("finetune", mark, {"seed": seed, **report})
        training.clear_checkpoints()

    def build_classifier(self, candidate: CandidateConfig, pretrained: RunDirectory | None) -> TextClassifier:
        """The candidate's encoder, pretrained or new, under a new classification head."""
        if pretrained is not None:
            encoder = load_encoder(pretrained.model)
        else:
            encoder = build_model(candidate.model, self.tokenizer.vocabulary_size)
        if self.config.sequence_length > encoder.config.max_sequence_length:
            raise UserError(
                f"finetune.sequence_length is {self.config.sequence_length}, but the model reads at most "
                f"{encoder.config.max_sequence_length} tokens.",
                remedy="Set a shorter sequence_length, or a model with a larger max_sequence_length.",
            )
        return TextClassifier(encoder, self.config.task, self.encoded.data.class_names)

    def _batches(self, seed: int) -> tuple[ClassificationBatches, ClassificationBatches | None]:
        data, encoded, size = self.encoded.data, self.encoded, self.config.batch_size
        require_whole_parts(size, self.config.accumulation_steps, self.place.num_replicas)
        weights = class_weight_of_examples(data.train.labels, data.class_names, self.config.task.class_weights)
        batches = PackedClassificationBatches if self.config.packing else ClassificationBatches
        train = batches(encoded.train_ids, data.train.labels, weights, size, seed)
        if not len(data.validation):
            return train, None
        ones = np.ones(len(data.validation), np.float32)
        return train, ClassificationBatches(encoded.validation_ids, data.validation.labels, ones, size, None)

    def _resolved(self, candidate: CandidateConfig, seed: int) -> dict:
        shared = self.config.model_dump(mode="json", exclude={"candidates", "seeds"})
        return {"stage": "finetune", "seed": seed, **shared, "candidate": candidate.model_dump(mode="json")}

    def _report(self, classifier: TextClassifier, monitor: TrainingMonitor, best: BestWeights | None) -> dict:
        data, encoded = self.encoded.data, self.encoded
        steps = monitor.history[-1]["step"]
        return {
            "class_names": data.class_names,
            "data": data.figures,
            "parameters": classifier.count_params(),
            "steps": steps,
            "best_epoch": best.best_epoch + 1 if best else None,
            "tokens": steps * self.config.batch_size * self.config.sequence_length,
            "seconds": round(monitor.seconds, 1),
            "validation": evaluate_classifier(classifier, encoded.validation_ids, data.validation),
            "test": evaluate_classifier(classifier, encoded.test_ids, data.test),
            "history": monitor.history,
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


def _write_parity_texts(path: Path, data: LabelledData) -> None:
    texts = data.test.texts or data.validation.texts or data.train.texts
    places = np.linspace(0, len(texts) - 1, min(PARITY_TEXTS, len(texts))).astype(int)
    write_text(path, json.dumps([texts[place] for place in places], ensure_ascii=False, indent=0))
