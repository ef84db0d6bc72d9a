"""A model that writes as a SavedModel: prompts in, text out, for TensorFlow Serving or any process with TensorFlow."""

import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from export.parity import ExportMismatch, ask, parity_texts
from export.portable_task import portable_copy
from export.prompt_frame import PromptFrame
from export.warmup import write_warmup_requests
from export.writer_endpoints import PROMPT, SOURCE, TARGET, TEXT, WriterEndpoints, default_settings
from export.writer_parity import (
    WriterReference,
    require_close_scores,
    require_equal_tokens,
    score_tokens,
    writer_reference,
)
from export.writer_steps import WriterModule, WriterSteps
from tfplm import feature_names as names
from tfplm.run_directory import whole_directory
from tfplm.tasks.language_model import LanguageModel
from tfplm.tokenizers.tokenizer import Tokenizer

_WARMUP_BATCHES = (1, 8)  # prompts
_WARMUP_TOKENS = 4


def export_writer_saved_model(
    task: LanguageModel,
    tokenizer: Tokenizer,
    folder: Path,
    sample_texts: list[str],
    frame: PromptFrame | None = None,
) -> dict:
    """Writes a SavedModel, lets it write and score in a fresh interpreter and compares it with the Keras model.

    It holds the signatures of `export.writer_endpoints.WriterEndpoints.signatures`, the tokenizer's files as assets
    and warm-up requests for TensorFlow Serving. It needs tensorflow and tensorflow-text to run.

    Args:
        task: the model, of any precision; the SavedModel computes in float32.
        tokenizer: its tokenizer.
        folder: where to write; must not be there, or be empty.
        sample_texts: real prompts for the proof, beside fixed awkward ones.
        frame: what stands around every prompt.

    Returns:
        Figures: num_texts, num_tokens (written behind each), equal_texts, ties, max_score_difference, size_bytes,
        signatures.

    Raises:
        ExportMismatch: it answers differently from the Keras model; nothing is left behind.
        UserError: ``folder`` is there already.
    """
    frame = frame or PromptFrame()
    with whole_directory(folder) as partial:
        steps = WriterSteps(portable_copy(task, LanguageModel))
        reference = writer_reference(steps, tokenizer, parity_texts(sample_texts), frame)
        signatures = _write(steps, tokenizer, partial, frame, reference.texts)
        settings = default_settings(steps) | {"max_new_tokens": reference.num_tokens}
        questions = {"texts": reference.texts, "settings": settings, "pad_id": tokenizer.pad_id}
        answers = ask("writer_saved_model", partial, questions)
        return {
            "num_texts": len(reference.texts),
            "num_tokens": reference.num_tokens,
            **_prove(steps, tokenizer, reference, answers),
            "size_bytes": sum(path.stat().st_size for path in partial.rglob("*") if path.is_file()),
            "signatures": signatures,
        }


def _write(steps: WriterSteps, tokenizer: Tokenizer, folder: Path, frame: PromptFrame, texts: list[str]) -> list[str]:
    signatures = WriterEndpoints(steps, tokenizer, frame).signatures()
    with tempfile.TemporaryDirectory(prefix="tfplm-assets-") as assets:
        tokenizer.save(assets)
        module = WriterModule(steps.task, sorted(Path(assets).iterdir()))
        tf.saved_model.save(module, str(folder), signatures=signatures)
    settings = default_settings(steps) | {"max_new_tokens": _WARMUP_TOKENS}
    inputs = {name: tf.constant(value).numpy() for name, value in settings.items()}
    batches = [np.array(texts[-count:]) for count in _WARMUP_BATCHES]
    scored = (SOURCE, TARGET) if steps.task.is_encoder_decoder else (TEXT,)
    requests = [("generate", {PROMPT: batch, **inputs}) for batch in batches]
    requests += [("serving_default", {PROMPT: batches[0]}), ("score", dict.fromkeys(scored, batches[0]))]
    write_warmup_requests(folder, requests)
    return list(signatures)


def _prove(steps: WriterSteps, tokenizer: Tokenizer, reference: WriterReference, answers: dict) -> dict:
    written = answers["generate"]
    tokens = [_until_end(row, tokenizer) for row in written[names.TOKEN_IDS]]
    figures = require_equal_tokens("The signature generate", reference, tokens)
    in_session = [_until_end(row, tokenizer) for row in answers["session"][names.TOKEN_IDS]]
    require_equal_tokens("generate in a session", reference.part(len(in_session)), in_session)
    _require_equal("The signature tokenize", _plain_ids(tokenizer, reference.texts), sum(answers["tokenize"], []))
    expected_texts = [tokenizer.decode(row) for row in tokens]
    _require_equal("The text of generate", expected_texts, written[TEXT])
    _require_equal("The signature detokenize", expected_texts, answers["detokenize"][TEXT])
    expected_scores = _expected_scores(steps, tokenizer, reference.texts)
    difference = require_close_scores("The signature score", expected_scores, sum(answers["score"], []))
    return {**figures, "max_score_difference": difference}


def _expected_scores(steps: WriterSteps, tokenizer: Tokenizer, texts: list[str]) -> list[np.ndarray]:
    """What the Keras model gives the tokens of texts; an encoder-decoder, those of texts behind themselves."""
    ids, most = tokenizer.encode(texts), steps.most_tokens
    if steps.task.is_encoder_decoder:
        closed = [np.array([*row[: most - 1], tokenizer.end_id], np.int32) for row in ids]
        return score_tokens(steps, closed, closed)[0]
    start = np.array([tokenizer.start_id], np.int32)
    return score_tokens(steps, [start] * len(ids), [row[:most] for row in ids])[0]


def _plain_ids(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [row.tolist() for row in tokenizer.encode(texts)]


def _until_end(row: list[int], tokenizer: Tokenizer) -> list[int]:
    return row[: row.index(tokenizer.end_id)] if tokenizer.end_id in row else row


def _require_equal(name: str, expected: list, found: list) -> None:
    differing = [number for number, pair in enumerate(zip(expected, found, strict=True)) if pair[0] != pair[1]]
    if differing:
        first = differing[0]
        raise ExportMismatch(
            f"{name} differs from the tokenizer for {len(differing)} of {len(expected)} texts: {found[first]!r:.120}.",
            f"Expected {expected[first]!r:.120}.",
            "Nothing was kept. This is a fault of the export: please report it.",
        )
