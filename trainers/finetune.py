"""Fine-tuning: every candidate with every seed on the same labelled data."""

import json
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from tfplm import feature_names as names
from tfplm.config import dump_config
from tfplm.data.classification import ClassificationBatches, class_weight_of_examples, encode_texts
from tfplm.data.labelled import LabelledData, LabelledExamples
from tfplm.errors import UserError
from tfplm.experiment import CandidateConfig, FinetuneConfig, RuntimeConfig
from tfplm.models.build import build_model
from tfplm.run_directory import RunDirectory, write_config, write_text
from tfplm.tasks.saving import load_encoder, save_task
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tokenizers.wordpiece import WordPieceTokenizer
from trainers.callbacks import BestWeights, TrainingMonitor
from trainers.classification_metrics import classification_figures
from trainers.optimizers import build_optimizer

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
        splits = (data.train, data.validation, data.test)
        return cls(data, *(encode_texts(tokenizer, split.texts, sequence_length) for split in splits))


def build_classifier(
    config: FinetuneConfig, candidate: CandidateConfig, pretrained: RunDirectory | None, vocabulary_size: int, class_names
) -> TextClassifier:
    """The candidate's encoder, pretrained or new, under a new classification head."""
    if pretrained is not None:
        encoder = load_encoder(pretrained.model)
    else:
        encoder = build_model(candidate.model, vocabulary_size)
    if config.sequence_length > encoder.config.max_sequence_length:
        raise UserError(
            f"finetune.sequence_length is {config.sequence_length}, but the model reads at most "
            f"{encoder.config.max_sequence_length} tokens.",
            remedy="Set a shorter sequence_length, or a model with a larger max_sequence_length.",
        )
    return TextClassifier(encoder, config.task, class_names)


def finetune_candidate(
    config: FinetuneConfig,
    candidate: CandidateConfig,
    runtime: RuntimeConfig,
    encoded: EncodedData,
    tokenizer: WordPieceTokenizer,
    pretrained: RunDirectory | None,
    run: RunDirectory,
    seed: int,
    fingerprint: str,
    description: str,
    progress,
) -> dict:
    """Trains one candidate with one seed and writes its run directory; returns its report."""
    keras.utils.set_random_seed(seed)
    data = encoded.data
    classifier = build_classifier(config, candidate, pretrained, tokenizer.vocabulary_size, data.class_names)
    train, validation = _batches(config, encoded, seed)
    total_steps = candidate.epochs * train.steps_per_epoch
    classifier.compile_for_training(build_optimizer(candidate.optimizer, total_steps), jit_compile=runtime.jit_compile)
    classifier.optimizer.build(classifier.trainable_variables)

    resolved = {
        "stage": "finetune",
        "seed": seed,
        "sequence_length": config.sequence_length,
        **{key: value for key, value in config.model_dump(mode="json").items() if key in _SHARED_KEYS},
        "candidate": candidate.model_dump(mode="json"),
    }
    write_config(run, resolved)
    with progress.task(description, total=total_steps, unit="steps") as bar:
        monitor = TrainingMonitor(
            run.logs, bar, config.batch_size * config.sequence_length, config_text=dump_config(candidate)
        )
        best = BestWeights(
            f"val_{config.validation_metric}", config.validation_metric != "loss", config.early_stopping_patience
        )
        classifier.fit(
            train.dataset(0, total_steps),
            epochs=candidate.epochs,
            steps_per_epoch=train.steps_per_epoch,
            validation_data=validation.dataset(0, validation.steps_per_epoch) if validation else None,
            callbacks=[best, monitor] if validation else [monitor],
            shuffle=False,  # the batches come shuffled
            verbose=0,
        )
        monitor.close()

    tokenizer.save(run.tokenizer)
    save_task(classifier, run.model)
    _write_parity_texts(run.path / "examples.json", data)
    return run.write_report(
        "finetune",
        fingerprint,
        {
            "seed": seed,
            "class_names": data.class_names,
            "data": data.figures,
            "parameters": classifier.count_params(),
            "steps": monitor.history[-1]["step"],
            "best_epoch": best.best_epoch + 1 if best.best_epoch is not None else None,
            "tokens": monitor.history[-1]["step"] * config.batch_size * config.sequence_length,
            "seconds": round(monitor.seconds, 1),
            "validation": evaluate_classifier(classifier, encoded.validation_ids, data.validation, data.class_names),
            "test": evaluate_classifier(classifier, encoded.test_ids, data.test, data.class_names),
            "history": monitor.history,
        },
    )


_SHARED_KEYS = ("data", "task", "batch_size", "early_stopping_patience", "validation_metric")


def _batches(config: FinetuneConfig, encoded: EncodedData, seed: int):
    data = encoded.data
    weights = class_weight_of_examples(data.train.labels, data.class_names, config.task.class_weights)
    train = ClassificationBatches(encoded.train_ids, data.train.labels, weights, config.batch_size, seed)
    if not len(encoded.validation_ids):
        return train, None
    ones = np.ones(len(encoded.validation_ids), np.float32)
    return train, ClassificationBatches(encoded.validation_ids, data.validation.labels, ones, config.batch_size, None)


def predict_probabilities(classifier: TextClassifier, token_ids: np.ndarray) -> np.ndarray:
    """Probabilities float32 (examples, classes) for int32 (examples, sequence); one compiled shape."""
    if not len(token_ids):
        return np.zeros((0, len(classifier.class_names)), np.float32)
    missing = -len(token_ids) % _PREDICT_BATCH
    padded = np.pad(token_ids, ((0, missing), (0, 0)))
    logits = classifier.predict({names.TOKEN_IDS: padded}, batch_size=_PREDICT_BATCH, verbose=0)
    return keras.ops.convert_to_numpy(classifier.probabilities(logits))[: len(token_ids)]


def evaluate_classifier(
    classifier: TextClassifier, token_ids: np.ndarray, examples: LabelledExamples, class_names: list[str]
) -> dict | None:
    """The figures on a split; None where it is empty."""
    if not len(token_ids):
        return None
    return classification_figures(
        examples.labels, predict_probabilities(classifier, token_ids), class_names, classifier.config
    )


def _write_parity_texts(path: Path, data: LabelledData) -> None:
    texts = data.test.texts or data.validation.texts or data.train.texts
    places = np.linspace(0, len(texts) - 1, min(PARITY_TEXTS, len(texts))).astype(int)
    write_text(path, json.dumps([texts[place] for place in places], ensure_ascii=False, indent=0))
