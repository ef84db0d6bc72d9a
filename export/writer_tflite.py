"""A model that writes as TFLite files, with a Python program that generates from them."""

import json
import shutil
import tempfile
from pathlib import Path

import tensorflow as tf

from export import generation_runner, tflite_file
from export.parity import ExportMismatch, ask, parity_texts
from export.portable_task import portable_copy
from export.prompt_frame import PromptFrame
from export.writer_parity import (
    WriterReference,
    require_close_scores,
    require_equal_tokens,
    require_sane_quantization,
    vocabulary_of,
    writer_reference,
)
from export.writer_steps import WriterModule, WriterSteps
from export.writer_tflite_signatures import tflite_signatures
from tfplm.interop.tokenizers.writing import write_tokenizer
from tfplm.run_directory import whole_directory, write_text
from tfplm.tasks.language_model import LanguageModel
from tfplm.tokenizers.sentencepiece import ESCAPE, ESCAPED_ESCAPE, ESCAPED_SPACE_SIGN, SPACE_SIGN
from tfplm.tokenizers.tokenizer import Tokenizer

RUNNER_FILE = "generate.py"
FILES = {"model.tflite": False, "model_int8.tflite": True}  # whether the weights are int8
_NO_FRAME = PromptFrame()
_MIN_EQUAL_PROMPTS = 0.95  # the SentencePiece package and the op differ now and then


def export_writer_tflite(
    task: LanguageModel, tokenizer: Tokenizer, folder: Path, sample_texts: list[str], frame: PromptFrame = _NO_FRAME
) -> dict:
    """Writes two TFLite files, lets generate.py write with them in a fresh interpreter and compares it with Keras.

    The signatures are those of `export.writer_tflite_signatures.tflite_signatures`, and share one copy of the weights.
    The operators are builtin. Beside the files lie generate.py, writer.json, its settings, and the tokenizer.

    Args:
        task: the model, of any precision.
        tokenizer: its tokenizer.
        folder: where to write; must not be there, or be empty.
        sample_texts: real prompts for the proof, beside fixed awkward ones.
        frame: what stands around every prompt.

    Returns:
        Figures: num_texts, num_tokens (written behind each), equal_prompts, and files: by name size_bytes, operators;
        of float32 equal_texts, ties, max_score_difference; of int8 those of `require_sane_quantization`.

    Raises:
        ExportMismatch: a file answers differently from the Keras model; nothing is left behind.
        UserError: ``folder`` is there already.
    """
    with whole_directory(folder) as partial:
        steps = WriterSteps(portable_copy(task, LanguageModel))
        reference = writer_reference(steps, tokenizer, parity_texts(sample_texts), frame)
        _write(steps, tokenizer, partial, frame)
        answers = ask("writer_tflite", partial, _questions(reference, frame))
        return {
            "num_texts": len(reference.texts),
            "num_tokens": reference.num_tokens,
            "equal_prompts": _require_equal_prompts(reference, answers["prompts"]),
            "files": {
                name: {
                    "size_bytes": (partial / name).stat().st_size,
                    "operators": tflite_file.operator_names(partial / name),
                    **_prove(name, reference, answers[name]),
                }
                for name in FILES
            },
        }


def _write(steps: WriterSteps, tokenizer: Tokenizer, folder: Path, frame: PromptFrame) -> None:
    with tempfile.TemporaryDirectory(prefix="tfplm-tflite-") as source:
        # A SavedModel in between: conversion from the functions themselves loses the weights of a Keras 3 model.
        signatures = tflite_signatures(steps)
        tf.saved_model.save(WriterModule(steps.task), source, signatures=signatures)
        for name, quantized in FILES.items():
            (folder / name).write_bytes(_convert(source, list(signatures), quantized))
            tflite_file.require_portable_operators(folder / name, text_ops=False)
    _write_tokenizer(tokenizer, folder / generation_runner.TOKENIZER_FOLDER, steps.most_tokens)
    shutil.copyfile(generation_runner.__file__, folder / RUNNER_FILE)
    settings = _settings(steps, tokenizer, frame)
    write_text(folder / generation_runner.SETTINGS_FILE, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")


def _write_tokenizer(tokenizer: Tokenizer, folder: Path, most_tokens: int) -> None:
    if _is_imported(tokenizer):
        folder.mkdir()
        write_tokenizer(tokenizer, folder, most_tokens)
    else:
        tokenizer.save(folder)


def _is_imported(tokenizer: Tokenizer) -> bool:
    """Whether its ids are another project's, which generate.py leaves to the package `tokenizers`."""
    is_of_bert = tokenizer.config.type == "wordpiece" and tokenizer.config.normalization == "bert"
    return is_of_bert or tokenizer.config.type in ("byte_level_bpe", "imported_sentencepiece")


def _settings(steps: WriterSteps, tokenizer: Tokenizer, frame: PromptFrame) -> dict:
    """What generate.py must know of the model."""
    return {
        "max_sequence_length": steps.most_tokens,
        "prefix_ids": list(tokenizer.prefix_ids),
        "pad_id": tokenizer.pad_id,
        "end_id": tokenizer.end_id,
        "banned_ids": vocabulary_of(steps, tokenizer).banned().nonzero()[0].tolist(),
        "prefix": frame.prefix,
        "separator": frame.separator,
        "tokenizer": tokenizer_settings(tokenizer),
    }


def tokenizer_settings(tokenizer: Tokenizer) -> dict:
    """What generate.py must know of the tokenizer beside its files."""
    if _is_imported(tokenizer):
        return {"type": "huggingface"}
    settings = {"type": tokenizer.config.type}
    if tokenizer.config.type == "sentencepiece":
        settings["escapes"] = {ESCAPE: ESCAPED_ESCAPE}
        settings["literals"] = {ESCAPED_ESCAPE: ESCAPE, ESCAPED_SPACE_SIGN: SPACE_SIGN}
    if tokenizer.config.type == "wordpiece":
        settings["lowercase"] = tokenizer.config.lowercase
    return settings


def _convert(source: str, signatures: list[str], quantized: bool) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(source, signature_keys=signatures)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantized:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


def _questions(reference: WriterReference, frame: PromptFrame) -> dict:
    return {
        "texts": [frame.around(text) for text in reference.texts],
        "num_tokens": reference.num_tokens,
        "rows": [row.tolist() for row in reference.rows],
        "beginnings": [row.tolist() for row in reference.beginnings],
        "forced": [row.tolist() for row in reference.forced],
        "greedy_files": [name for name, quantized in FILES.items() if not quantized],
        "files": list(FILES),
    }


def _prove(name: str, reference: WriterReference, answer: dict[str, list]) -> dict:
    if FILES[name]:
        return require_sane_quantization(name, reference, answer)
    difference = require_close_scores(name, reference.forced_log_probabilities, answer["log_probabilities"])
    return {**require_equal_tokens(name, reference, answer["written"]), "max_score_difference": difference}


def _require_equal_prompts(reference: WriterReference, found: list[list[int]]) -> float:
    """The share of texts that generate.py turns into the right tokens; raises ExportMismatch where it is low."""
    equal = [whole.tolist() == row for whole, row in zip(reference.whole_rows, found, strict=True)]
    share = sum(equal) / len(equal)
    if share < _MIN_EQUAL_PROMPTS:
        raise ExportMismatch(
            f"{RUNNER_FILE} encodes only {share:.1%} of the texts as the tokenizer does, and first not "
            f"{reference.texts[equal.index(False)][:60]!r}.",
            f"Expected {_MIN_EQUAL_PROMPTS:.0%} or more.",
            "Nothing was kept. This is a fault of the export: please report it.",
        )
    return share
