"""A task as TFLite files: strings in with TensorFlow Text's ops, or token ids in with builtins only."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from export import parity, tflite_file
from export.endpoints import Endpoints, write_assets
from export.portable_task import portable_copy
from export.tflite_metadata import AttachedFile, TensorDescription, add_metadata
from tfplm import feature_names as names
from tfplm.answering.answer_names import TEXT
from tfplm.answering.answerer import Answerer
from tfplm.answering.registry import answerer_for
from tfplm.run_directory import whole_directory
from tfplm.tasks.task import Task
from tfplm.tokenizers.tokenizer import Tokenizer

# File name: (signature, whether the weights are int8). Those of text need a tokenizer that TFLite has the ops of.
FILES = {
    "model_text.tflite": (TEXT, False),
    "model_text_int8.tflite": (TEXT, True),
    "model_ids.tflite": (names.TOKEN_IDS, False),
    "model_ids_int8.tflite": (names.TOKEN_IDS, True),
}


def export_tflite(
    task: Task,
    tokenizer: Tokenizer,
    folder: Path,
    sequence_length: int,
    sample_texts: Sequence[parity.Sample],
    inputs: Sequence[str] = (TEXT,),
) -> dict:
    """Writes TFLite files, runs them by LiteRT in a fresh interpreter and compares them with the Keras model.

    ``model_text`` takes the strings of one text and runs where TensorFlow Text's ops are linked in; it is written where
    they suffice for the tokenizer. ``model_ids`` takes a row of token ids and needs builtin ops only. Each comes in
    float32 and with int8 weights (dynamic range). Vocabulary and labels are packed into every file as metadata, and the
    tokenizer lies in the folder ``tokenizer``. Signatures: `export.endpoints.Endpoints.single`.

    Args:
        task: fine-tuned, of any precision.
        tokenizer: the tokenizer that the task was trained with.
        folder: where to write; must not be there, or be empty.
        sequence_length: longest row of token ids; longer texts are cut.
        sample_texts: real texts for the proof, beside fixed awkward ones; mappings where an answer is made of several.
        inputs: the strings that an answer is made of, where the task leaves that open.

    Returns:
        Figures: num_texts, and files: by name size_bytes, operators, and max_difference or agreement.

    Raises:
        ExportMismatch: a file answers differently from the Keras model; nothing is left behind.
        UserError: ``folder`` is there already, a class name cannot stand on a line, or the task answers no strings.
    """
    with whole_directory(folder) as partial:
        answerer = answerer_for(portable_copy(task, Task), tokenizer, sequence_length, inputs)
        reference = parity.reference_answers(answerer, sample_texts)
        takes_text = answerer.runs_from_text_in_tflite
        files = [name for name, (signature, _) in FILES.items() if signature != TEXT or takes_text]
        _write(answerer, partial, files)
        answers = parity.ask_runtime("tflite", partial, reference)
        figures = {
            name: {
                "size_bytes": (partial / name).stat().st_size,
                "operators": tflite_file.operator_names(partial / name),
                **_prove(name, reference, answers[name]),
            }
            for name in files
        }
        tokenizer.save(partial / "tokenizer")
        return {"num_texts": reference.num_texts, "files": figures}


def _write(answerer: Answerer, folder: Path, files: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="tfplm-tflite-") as temporary:
        asset_paths = write_assets(answerer, Path(temporary))
        source = Path(temporary, "saved_model")
        endpoints = Endpoints(answerer, asset_paths)
        # A SavedModel in between: conversion from the functions themselves loses the weights of a Keras 3 model.
        tf.saved_model.save(endpoints, str(source), signatures=endpoints.single())
        descriptions = _describe(answerer, asset_paths)
        for name in files:
            signature, quantized = FILES[name]
            (folder / name).write_bytes(_convert(source, signature, quantized))
            tflite_file.require_portable_operators(folder / name, text_ops=signature == TEXT)
            title = answerer.task.task_type.replace("_", " ").capitalize()
            add_metadata(folder / name, title, "Made by tfplm.", descriptions)


def _convert(source: Path, signature: str, quantized: bool) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(source), signature_keys=[signature])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.allow_custom_ops = signature == TEXT
    if quantized:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


def _describe(answerer: Answerer, asset_paths: list[Path]) -> dict[str, TensorDescription]:
    """What each tensor is, by its name in the signature."""
    vocabulary = AttachedFile("vocab.txt", asset_paths[0].read_bytes(), "The token of each id.", "vocabulary")
    described = {name: TensorDescription("One text in UTF-8.", (vocabulary,)) for name in answerer.inputs}
    described |= {name: TensorDescription("A row that the text was cut into.") for name in answerer.row_specs(1)}
    described[names.TOKEN_IDS] = TensorDescription(
        "The ids of a text between the special ones, then padding.", (vocabulary,)
    )
    described |= {name: TensorDescription(text) for name, text in answerer.descriptions.items()}
    if answerer.class_output is not None:
        labels = AttachedFile("labels.txt", asset_paths[1].read_bytes(), "The class of each column.", "axis_labels")
        described[answerer.class_output] = TensorDescription(answerer.descriptions[answerer.class_output], (labels,))
    return described


def _prove(name: str, reference: parity.Reference, answer: dict[str, list]) -> dict:
    signature, quantized = FILES[name]
    expected = reference.single_answers if signature == TEXT else reference.scores
    if signature == TEXT:
        parity.require_equal_rows(name, reference, {names.TOKEN_IDS: answer[names.TOKEN_IDS]})
    if quantized:
        return {"agreement": parity.require_agreement(name, reference, answer)}
    return {"max_difference": parity.require_same_answers(name, expected, answer)}
