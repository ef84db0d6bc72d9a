"""A task as a SavedModel: strings in, answers out, for TensorFlow Serving or any process with TensorFlow."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from export import parity
from export.endpoints import SERVING_DEFAULT, TOKENIZE, Endpoints, write_assets
from export.portable_task import portable_copy
from export.warmup import write_warmup_requests
from tfplm import feature_names as names
from tfplm.answering.answer_names import TEXT
from tfplm.answering.answerer import Answerer
from tfplm.answering.registry import answerer_for
from tfplm.run_directory import whole_directory
from tfplm.tasks.task import Task
from tfplm.tokenizers.tokenizer import Tokenizer

_WARMUP_BATCHES = (1, 8)  # texts


def export_saved_model(
    task: Task,
    tokenizer: Tokenizer,
    folder: Path,
    sequence_length: int,
    sample_texts: Sequence[parity.Sample],
    inputs: Sequence[str] = (TEXT,),
) -> dict:
    """Writes a SavedModel, loads it in a fresh interpreter and compares it with the Keras model.

    It holds the signatures of `export.endpoints.Endpoints.batched`, labels.txt and vocab.txt as assets, warm-up
    requests for TensorFlow Serving, and the tokenizer in the folder ``tokenizer``. It needs tensorflow and
    tensorflow-text to run, and nothing of Keras or tfplm.

    Args:
        task: fine-tuned, of any precision; the SavedModel computes in float32.
        tokenizer: the tokenizer that the task was trained with.
        folder: where to write; must not be there, or be empty.
        sequence_length: longest row of token ids; longer texts are cut.
        sample_texts: real texts for the proof, beside fixed awkward ones; mappings where an answer is made of several.
        inputs: the strings that an answer is made of, where the task leaves that open.

    Returns:
        Figures: num_texts, max_difference, size_bytes, signatures.

    Raises:
        ExportMismatch: it answers differently from the Keras model; nothing is left behind.
        UserError: ``folder`` is there already, a class name cannot stand on a line, or the task answers no strings.
    """
    with whole_directory(folder) as partial:
        answerer = answerer_for(portable_copy(task, Task), tokenizer, sequence_length, inputs)
        reference = parity.reference_answers(answerer, sample_texts)
        _write(answerer, partial, reference)
        tokenizer.save(partial / "tokenizer")
        return {
            "num_texts": reference.num_texts,
            "max_difference": _prove(partial, reference),
            "size_bytes": sum(path.stat().st_size for path in partial.rglob("*") if path.is_file()),
            "signatures": [SERVING_DEFAULT, names.TOKEN_IDS, TOKENIZE],
        }


def _write(answerer: Answerer, folder: Path, reference: parity.Reference) -> None:
    with tempfile.TemporaryDirectory(prefix="tfplm-assets-") as assets:
        endpoints = Endpoints(answerer, write_assets(answerer, Path(assets)))
        tf.saved_model.save(endpoints, str(folder), signatures=endpoints.batched())
    by_text = [(SERVING_DEFAULT, reference.last_texts(count)) for count in _WARMUP_BATCHES]
    write_warmup_requests(folder, [*by_text, (names.TOKEN_IDS, reference.first_row())])


def _prove(folder: Path, reference: parity.Reference) -> float:
    found = parity.ask_runtime("saved_model", folder, reference)
    parity.require_equal_rows("The signature tokenize", reference, found[TOKENIZE])
    return max(
        parity.require_same_answers(f"The signature {SERVING_DEFAULT}", reference.answers, found[SERVING_DEFAULT]),
        parity.require_same_answers(f"{SERVING_DEFAULT} in a session", reference.answers, found["session"]),
        parity.require_same_answers(f"The signature {names.TOKEN_IDS}", reference.row_answers, found[names.TOKEN_IDS]),
    )
