"""What an exported writer is compared with: tokens and log-probabilities of the Keras model, for real texts."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import keras
import numpy as np
import tensorflow as tf

from export.parity import ExportMismatch
from export.prompt_frame import PromptFrame
from export.writer_steps import WriterSteps
from tfplm import feature_names as names
from tfplm.generation.plan import Vocabulary
from tfplm.tokenizers.tokenizer import Tokenizer

NEW_TOKENS = 32
TIE = 1e-4  # between the two best logits: rounding decides
SCORE_TOLERANCE = 1e-3
MAX_PERPLEXITY_RATIO = 2.0  # of a quantized model: over it the file is broken rather than coarse
_FORCED_TOKENS = 24
_TEXT_CHARACTERS = 400
_BATCH = 16


@dataclass(frozen=True)
class WriterReference:
    """What the Keras model writes and how it scores.

    Args:
        texts: the prompts.
        whole_rows: the prompts as the model would read them if it had room, one (n,) int32 each.
        num_tokens: that are written behind each.
        rows: the prompts as the model reads them, cut where they are too long, one (n,) int32 each.
        written: int32 (texts, num_tokens), the likeliest tokens; padding from the end token on.
        margins: float32 (texts, num_tokens), between the two best logits where each was chosen.
        forced: tokens that are read behind the beginnings below whatever the model would write, one (n,) int32 each.
        beginnings: what stands before them, as the model reads it.
        forced_log_probabilities: of each forced token, one (n,) float32 each.
        forced_choices: what the model would have written there, one (n,) int32 each.
        pad_id: of the tokenizer.
    """

    texts: list[str]
    whole_rows: list[np.ndarray]
    num_tokens: int
    rows: list[np.ndarray]
    written: np.ndarray
    margins: np.ndarray
    beginnings: list[np.ndarray]
    forced: list[np.ndarray]
    forced_log_probabilities: list[np.ndarray]
    forced_choices: list[np.ndarray]
    pad_id: int = 0

    def part(self, count: int) -> "WriterReference":
        """The first texts alone."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return WriterReference(**{k: v if isinstance(v, int) else v[:count] for k, v in values.items()})


def vocabulary_of(steps: WriterSteps, tokenizer: Tokenizer) -> Vocabulary:
    """What generation knows of the tokens: the special ones are never written, nor ids that the tokenizer lacks."""
    size = steps.task.encoder.config.vocabulary_size
    never = (*tokenizer.special_ids, *range(tokenizer.vocabulary_size, size))
    return Vocabulary(size, tokenizer.end_id, never, tokenizer.pad_id)


def prompt_row(steps: WriterSteps, tokenizer: Tokenizer, ids: np.ndarray, new_tokens: int | None = None) -> np.ndarray:
    """The ids of a text as the model reads them, whole, or cut as the SavedModel cuts them for ``new_tokens``.

    A decoder keeps the last ones and leaves room for what is written; an encoder-decoder keeps the first ones.
    """
    if steps.task.is_encoder_decoder:
        kept = ids if new_tokens is None else ids[: steps.most_tokens - 1]
        return np.array([*kept, tokenizer.end_id], np.int32)
    prefix = tokenizer.prefix_ids
    room = len(ids) if new_tokens is None else steps.most_tokens - new_tokens - len(prefix)
    return np.array([*prefix, *ids[max(0, len(ids) - room) :]], np.int32)


def writer_reference(steps: WriterSteps, tokenizer: Tokenizer, texts: list[str], frame: PromptFrame) -> WriterReference:
    """Asks the Keras model, on the CPU: token by token what it writes, and in one pass what it gives forced tokens."""
    num_tokens = min(NEW_TOKENS, steps.most_tokens // 2)
    texts = [text[:_TEXT_CHARACTERS] for text in texts]
    ids = tokenizer.encode([frame.around(text) for text in texts])
    if not (steps.task.is_encoder_decoder or tokenizer.prefix_ids):  # nothing is written behind nothing
        texts, ids = zip(*((text, row) for text, row in zip(texts, ids, strict=True) if len(row)), strict=True)
    whole_rows = [prompt_row(steps, tokenizer, row) for row in ids]
    rows = [prompt_row(steps, tokenizer, row, num_tokens) for row in ids]
    with keras.device("cpu:0"):
        written, margins = _write_greedily(steps, rows, num_tokens, vocabulary_of(steps, tokenizer))
        beginnings, forced = _forced(steps, tokenizer, rows, written)
        log_probabilities, choices = score_tokens(steps, beginnings, forced)
    return WriterReference(
        texts=list(texts),
        whole_rows=whole_rows,
        num_tokens=num_tokens,
        rows=rows,
        written=written,
        margins=margins,
        beginnings=beginnings,
        forced=forced,
        forced_log_probabilities=log_probabilities,
        forced_choices=choices,
        pad_id=tokenizer.pad_id,
    )


def _forced(
    steps: WriterSteps, tokenizer: Tokenizer, rows: list[np.ndarray], written: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Of a decoder the second halves of the texts themselves; of an encoder-decoder what it writes, and the end."""
    if not steps.task.is_encoder_decoder:
        halves = [max(1, min(len(row) // 2, steps.most_tokens // 2)) for row in rows]
        return (
            [row[:half] for row, half in zip(rows, halves, strict=True)],
            [row[half : half + _FORCED_TOKENS] for row, half in zip(rows, halves, strict=True)],
        )
    forced = [np.array([*row[row != tokenizer.pad_id], tokenizer.end_id], np.int32)[:_FORCED_TOKENS] for row in written]
    return rows, forced


def score_tokens(
    steps: WriterSteps, beginnings: list[np.ndarray], forced: list[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Log-probabilities of tokens behind what stands before them, and the likeliest tokens there; without a cache."""
    score = tf.function(lambda features: steps.task(features, training=False)[names.NEXT_TOKEN], autograph=False)
    pairs = list(zip(beginnings, forced, strict=True))
    if steps.task.is_encoder_decoder:
        width = _bucket(steps, max(max(len(source), len(tokens)) for source, tokens in pairs))
    else:
        width = _bucket(steps, max(len(beginning) + len(tokens) - 1 for beginning, tokens in pairs))
    log_probabilities, choices = [], []
    for start in range(0, len(forced), _BATCH):
        batch = slice(start, start + _BATCH)
        features, firsts = _features(steps, beginnings[batch], forced[batch], width)
        logits = keras.ops.convert_to_numpy(score(features)).astype(np.float64)
        for row, (first, tokens) in enumerate(zip(firsts, forced[batch], strict=True)):
            places = logits[row, first : first + len(tokens)]
            shifted = places - places.max(axis=-1, keepdims=True, initial=-np.inf)
            normalized = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
            log_probabilities.append(normalized[np.arange(len(tokens)), tokens].astype(np.float32))
            choices.append(places.argmax(axis=-1).astype(np.int32))
    return log_probabilities, choices


def _features(
    steps: WriterSteps, beginnings: list[np.ndarray], forced: list[np.ndarray], width: int
) -> tuple[dict[str, tf.Tensor], list[int]]:
    """What the model reads in one pass, and the columns of the logits of the first forced tokens."""
    pad_id = steps.task.encoder.config.pad_id
    token_ids = np.full((len(forced), width), pad_id, np.int32)
    if steps.task.is_encoder_decoder:
        decoder_ids = np.full((len(forced), width), pad_id, np.int32)
        for row, (source, tokens) in enumerate(zip(beginnings, forced, strict=True)):
            token_ids[row, : len(source)] = source
            decoder_ids[row, 1 : len(tokens)] = tokens[:-1]
        features = {names.TOKEN_IDS: tf.constant(token_ids), names.DECODER_TOKEN_IDS: tf.constant(decoder_ids)}
        return features, [0] * len(forced)
    mask = np.zeros(token_ids.shape, bool)  # the start token may be the one for padding too
    for row, (beginning, tokens) in enumerate(zip(beginnings, forced, strict=True)):
        read = [*beginning, *tokens[:-1]]
        token_ids[row, : len(read)], mask[row, : len(read)] = read, True
    features = {names.TOKEN_IDS: tf.constant(token_ids), names.PADDING_MASK: tf.constant(mask)}
    return features, [len(beginning) - 1 for beginning in beginnings]


def _write_greedily(
    steps: WriterSteps, rows: list[np.ndarray], num_tokens: int, vocabulary: Vocabulary
) -> tuple[np.ndarray, np.ndarray]:
    decode = tf.function(steps.task.decode, autograph=False)
    written = np.zeros((len(rows), num_tokens), np.int32)
    margins = np.full((len(rows), num_tokens), np.inf, np.float32)
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        batch = [rows[number] for number in [*chosen, *[chosen[0]] * (_BATCH - len(chosen))]]
        found = _write_batch(steps, decode, batch, num_tokens, vocabulary)
        written[chosen], margins[chosen] = (values[: len(chosen)] for values in found)
    return written, margins


def _write_batch(
    steps: WriterSteps, decode: Callable, rows: list[np.ndarray], num_tokens: int, vocabulary: Vocabulary
) -> tuple[np.ndarray, np.ndarray]:
    token_ids = np.full((len(rows), _bucket(steps, max(map(len, rows)))), vocabulary.pad_id, np.int32)
    for number, row in enumerate(rows):
        place = slice(len(row)) if steps.task.is_encoder_decoder else slice(token_ids.shape[1] - len(row), None)
        token_ids[number, place] = row
    cache_length = num_tokens + (1 if steps.task.is_encoder_decoder else token_ids.shape[1])
    decoded = steps.task.prefill({names.TOKEN_IDS: tf.constant(token_ids)}, cache_length)
    written, margins = [], []
    has_ended = np.zeros(len(rows), bool)
    for number in range(num_tokens):
        if number:
            decoded = decode(tf.constant(written[-1]), decoded.state)
        logits = np.where(vocabulary.banned(), -np.inf, keras.ops.convert_to_numpy(decoded.logits))
        second, best = np.sort(np.partition(logits, -2, axis=-1)[:, -2:], axis=-1).T
        tokens = logits.argmax(axis=-1).astype(np.int32)
        margins.append(np.where(has_ended, np.inf, best - second).astype(np.float32))
        has_ended |= tokens == vocabulary.end_id
        written.append(np.where(has_ended, vocabulary.pad_id, tokens))
    return np.stack(written, axis=1), np.stack(margins, axis=1)


def _bucket(steps: WriterSteps, length: int) -> int:
    return next((bucket for bucket in steps.lengths if bucket >= length), length)


def require_equal_tokens(name: str, reference: WriterReference, found: list[list[int]]) -> dict:
    """Raises ExportMismatch unless the same tokens are written, up to where two of them were equally good.

    Returns:
        ``equal_texts`` and ``ties``, the number of texts that part at a tie.
    """
    rows = np.full_like(reference.written, reference.pad_id)
    for row, tokens in zip(rows, found, strict=True):
        row[: len(tokens)] = tokens
    ties = 0
    for number, differs in enumerate(rows != reference.written):
        if not differs.any():
            continue
        first = int(differs.argmax())
        if reference.margins[number, first] >= TIE:
            raise ExportMismatch(
                f"{name} writes other tokens than the Keras model behind {reference.texts[number][:60]!r}: "
                f"{rows[number].tolist()}.",
                f"Expected {reference.written[number].tolist()}, the best logit being ahead by "
                f"{reference.margins[number, first]:.2g} where they part.",
                "Nothing was kept. This is a fault of the export: please report it.",
            )
        ties += 1
    return {"equal_texts": len(rows) - ties, "ties": ties}


def require_close_scores(name: str, expected: list[np.ndarray], found: list[list[float]]) -> float:
    """The largest difference of log-probabilities; raises ExportMismatch where it is over the tolerance."""
    difference = np.abs(np.concatenate(expected) - np.concatenate([np.array(row) for row in found]))
    if not (difference <= SCORE_TOLERANCE).all():  # a NaN is not
        raise ExportMismatch(
            f"{name} scores tokens otherwise than the Keras model, by up to {np.nanmax(difference):.3g}.",
            f"Expected {SCORE_TOLERANCE:g} at most.",
            "Nothing was kept. This is a fault of the export: please report it.",
        )
    return float(difference.max())


def perplexity(log_probabilities: list) -> float:
    """Of all tokens together."""
    return math.exp(-float(np.concatenate([np.asarray(row, np.float64) for row in log_probabilities]).mean()))


def require_sane_quantization(name: str, reference: WriterReference, answer: dict[str, list]) -> dict:
    """Raises ExportMismatch where an int8 file is broken rather than coarse.

    Returns:
        ``equal_tokens``, the share of equal choices where both read the same tokens before, and the perplexities
        ``perplexity_float`` and ``perplexity_int8`` of these tokens.
    """
    expected = np.concatenate(reference.forced_choices)
    chosen = np.concatenate([np.array(row, np.int32) for row in answer["choices"]])
    of_float, of_int8 = perplexity(reference.forced_log_probabilities), perplexity(answer["log_probabilities"])
    if not of_int8 <= MAX_PERPLEXITY_RATIO * of_float:  # a NaN is not
        raise ExportMismatch(
            f"{name} has a perplexity of {of_int8:.4g} on the texts of the proof.",
            f"Expected {MAX_PERPLEXITY_RATIO:g} times that of float32, {of_float:.4g}, at most.",
            "Nothing was kept. Weights of 8 bits do not serve this model.",
        )
    return {
        "equal_tokens": float((chosen == expected).mean()),
        "perplexity_float": of_float,
        "perplexity_int8": of_int8,
    }
