"""A classifier as TFLite files: one string in with TensorFlow Text's ops, or token ids in with builtins only."""

import tempfile
from pathlib import Path

import tensorflow as tf

from export import parity, tflite_file
from export.endpoints import LABEL, PROBABILITIES, TEXT, Endpoints, write_assets
from export.portable_task import portable_copy
from export.tflite_metadata import AttachedFile, TensorDescription, add_metadata
from tfplm import feature_names as names
from tfplm.run_directory import whole_directory
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tokenizers.tokenizer import Tokenizer

# File name: (signature, whether the weights are int8). Those of text need a tokenizer that TFLite has the ops of.
FILES = {
    "model_text.tflite": (TEXT, False),
    "model_text_int8.tflite": (TEXT, True),
    "model_ids.tflite": (names.TOKEN_IDS, False),
    "model_ids_int8.tflite": (names.TOKEN_IDS, True),
}


def export_tflite(
    task: TextClassifier, tokenizer: Tokenizer, folder: Path, sequence_length: int, sample_texts: list[str]
) -> dict:
    """Writes TFLite files, runs them by LiteRT in a fresh interpreter and compares them with the Keras model.

    ``model_text`` takes one string and runs where TensorFlow Text's ops are linked in; it is written where they
    suffice for the tokenizer. ``model_ids`` takes a row of token ids and needs builtin ops only. Each comes in float32
    and with int8 weights (dynamic range). Vocabulary and labels are packed into every file as metadata. Signatures:
    `export.endpoints.Endpoints.single`.

    Args:
        task: the fine-tuned classifier, of any precision.
        tokenizer: the tokenizer that the task was trained with.
        folder: where to write; must not be there, or be empty.
        sequence_length: longest row of token ids; longer texts are cut.
        sample_texts: real texts for the proof, beside fixed awkward ones.

    Returns:
        Figures: num_texts, and files: by name size_bytes, operators, max_probability_difference, label_agreement.

    Raises:
        ExportMismatch: a file answers differently from the Keras model; nothing is left behind.
        UserError: ``folder`` is there already, or a class name cannot stand on a line.
    """
    with whole_directory(folder) as partial:
        task = portable_copy(task, TextClassifier)
        reference = parity.reference_answers(task, tokenizer, sequence_length, sample_texts)
        files = [name for name, (signature, _) in FILES.items() if signature != TEXT or tokenizer.runs_in_tflite]
        _write(task, tokenizer, partial, sequence_length, files)
        answers = parity.ask_runtime("tflite", partial, reference)
        figures = {
            name: {
                "size_bytes": (partial / name).stat().st_size,
                "operators": tflite_file.operator_names(partial / name),
                **_prove(name, reference, answers[name]),
            }
            for name in files
        }
        return {"num_texts": len(reference.texts), "files": figures}


def _write(task: TextClassifier, tokenizer: Tokenizer, folder: Path, sequence_length: int, files: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="tfplm-tflite-") as temporary:
        labels_path, vocabulary_path = asset_paths = write_assets(task, tokenizer, Path(temporary))
        source = Path(temporary, "saved_model")
        endpoints = Endpoints(task, tokenizer, sequence_length, asset_paths)
        # A SavedModel in between: conversion from the functions themselves loses the weights of a Keras 3 model.
        tf.saved_model.save(endpoints, str(source), signatures=endpoints.single())
        labels = AttachedFile("labels.txt", labels_path.read_bytes(), "The class of each column.", "axis_labels")
        vocabulary = AttachedFile("vocab.txt", vocabulary_path.read_bytes(), "The token of each id.", "vocabulary")
        for name in files:
            signature, quantized = FILES[name]
            (folder / name).write_bytes(_convert(source, signature, quantized))
            tflite_file.require_portable_operators(folder / name, text_ops=signature == TEXT)
            add_metadata(folder / name, "Text classifier", "Made by tfplm.", _describe(labels, vocabulary))


def _convert(source: Path, signature: str, quantized: bool) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(source), signature_keys=[signature])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.allow_custom_ops = signature == TEXT
    if quantized:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


def _describe(labels: AttachedFile, vocabulary: AttachedFile) -> dict[str, TensorDescription]:
    """What each tensor is, by its name in the signature."""
    return {
        TEXT: TensorDescription("One text in UTF-8.", (vocabulary,)),
        names.TOKEN_IDS: TensorDescription("The ids of a text between the special ones, then padding.", (vocabulary,)),
        LABEL: TensorDescription("The most probable class."),
        PROBABILITIES: TensorDescription("The probability of each class.", (labels,)),
    }


def _prove(name: str, reference: parity.Reference, answer: dict[str, list]) -> dict:
    signature, quantized = FILES[name]
    if signature == TEXT:
        parity.require_equal_token_ids(name, reference, answer[names.TOKEN_IDS])
        parity.require_named_answers(name, reference, answer)
    if quantized:
        return {"label_agreement": parity.require_agreeing_labels(name, reference, answer[PROBABILITIES])}
    return {"max_probability_difference": parity.require_close_probabilities(name, reference, answer[PROBABILITIES])}
