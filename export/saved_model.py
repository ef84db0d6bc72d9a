"""A classifier as a SavedModel: text in, label out, for TensorFlow Serving or any process with TensorFlow."""

import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from export import parity
from export.endpoints import PROBABILITIES, TEXT, Endpoints, write_assets
from export.portable_task import portable_copy
from export.warmup import write_warmup_requests
from tfplm import feature_names as names
from tfplm.run_directory import whole_directory
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tokenizers.tokenizer import Tokenizer

_WARMUP_BATCHES = (1, 8)  # texts


def export_saved_model(
    task: TextClassifier, tokenizer: Tokenizer, folder: Path, sequence_length: int, sample_texts: list[str]
) -> dict:
    """Writes a SavedModel, loads it in a fresh interpreter and compares it with the Keras model.

    It holds the signatures of `export.endpoints.Endpoints.batched`, labels.txt and vocab.txt as assets, and warm-up
    requests for TensorFlow Serving. It needs tensorflow and tensorflow-text to run, and nothing of Keras or tfplm.

    Args:
        task: the fine-tuned classifier, of any precision; the SavedModel computes in float32.
        tokenizer: the tokenizer that the task was trained with.
        folder: where to write; must not be there, or be empty.
        sequence_length: longest row of token ids; longer texts are cut.
        sample_texts: real texts for the proof, beside fixed awkward ones.

    Returns:
        Figures: num_texts, max_probability_difference, size_bytes, signatures.

    Raises:
        ExportMismatch: it answers differently from the Keras model; nothing is left behind.
        UserError: ``folder`` is there already, or a class name cannot stand on a line.
    """
    with whole_directory(folder) as partial:
        task = portable_copy(task, TextClassifier)
        reference = parity.reference_answers(task, tokenizer, sequence_length, sample_texts)
        _write(task, tokenizer, partial, sequence_length, reference)
        return {
            "num_texts": len(reference.texts),
            "max_probability_difference": _prove(partial, reference),
            "size_bytes": sum(path.stat().st_size for path in partial.rglob("*") if path.is_file()),
            "signatures": ["serving_default", names.TOKEN_IDS, "tokenize"],
        }


def _write(
    task: TextClassifier,
    tokenizer: Tokenizer,
    folder: Path,
    sequence_length: int,
    reference: parity.Reference,
) -> None:
    with tempfile.TemporaryDirectory(prefix="tfplm-assets-") as assets:
        endpoints = Endpoints(task, tokenizer, sequence_length, write_assets(task, tokenizer, Path(assets)))
        tf.saved_model.save(endpoints, str(folder), signatures=endpoints.batched())
    by_text = [("serving_default", {TEXT: np.array(reference.texts[-count:])}) for count in _WARMUP_BATCHES]
    write_warmup_requests(folder, [*by_text, (names.TOKEN_IDS, {names.TOKEN_IDS: reference.token_ids[:1]})])


def _prove(folder: Path, reference: parity.Reference) -> float:
    answers = parity.ask_runtime("saved_model", folder, reference)
    parity.require_equal_token_ids("The signature tokenize", reference, answers["tokenize"][names.TOKEN_IDS])
    differences = []
    for signature in ("serving_default", names.TOKEN_IDS, "session"):
        name = f"The signature {signature}" if signature != "session" else "serving_default in a session"
        parity.require_named_answers(name, reference, answers[signature])
        differences.append(parity.require_close_probabilities(name, reference, answers[signature][PROBABILITIES]))
    return max(differences)
