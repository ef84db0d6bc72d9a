"""Losses of targets among a whole vocabulary."""

from collections.abc import Callable
from typing import NamedTuple

from keras import KerasTensor, ops

from tfplm.tasks.losses import token_cross_entropy

_LARGEST_LOGITS = 2**28  # bytes of float32 logits that are held at once where nothing else is asked for


class TokenScores(NamedTuple):
    """Both float32 of the shape of the targets."""

    losses: KerasTensor  # cross-entropy
    is_correct: KerasTensor  # 1 where the target has the largest logit


class OutputWeights(NamedTuple):
    """What gives the logits of a vocabulary: hidden · embeddingsᵀ in ``compute_dtype``, and the bias in float32.

    Tensors, not variables: gradients flow to what they were made from.
    """

    embeddings: KerasTensor  # (vocabulary, dim)
    bias: KerasTensor | None = None  # (vocabulary,) float32
    compute_dtype: str = "float32"


def score_tokens(
    project: Callable[[KerasTensor], KerasTensor], hidden: KerasTensor, targets: KerasTensor
) -> TokenScores:
    """Compares the targets with the logits of their positions, of any small head.

    Args:
        project: maps (…, dim) to logits (…, classes) in float32.
        hidden: (…, dim).
        targets: (…) integers.
    """
    logits = project(hidden)
    return TokenScores(token_cross_entropy(targets, logits), _is_correct(logits, ops.cast(targets, "int32")))


def score_vocabulary(
    weights: OutputWeights, hidden: KerasTensor, targets: KerasTensor, positions_per_chunk: int | None = None
) -> TokenScores:
    """Compares the targets with the logits of their positions, never holding the logits of more than a chunk of them.

    In several chunks the backward pass computes the logits again, a third more work in this product; all at once it
    takes the exponentials of the forward pass. The gradient is (softmax - one-hot) · upstream either way.

    Args:
        weights: of the output.
        hidden: (…, dim) float.
        targets: (…) integers.
        positions_per_chunk: None is all at once, or as many as fill 256 MiB where they are more.

    Raises:
        ValueError: if chunks are asked for and the number of positions is not static.
    """
    vocabulary_size, dim = weights.embeddings.shape
    rows = ops.reshape(hidden, (-1, dim))
    ids = ops.reshape(ops.cast(targets, "int32"), (-1,))
    num_chunks = _num_chunks(rows.shape[0], vocabulary_size, positions_per_chunk)
    score = _score_at_once(ids, weights) if num_chunks == 1 else _score_in_chunks(ids, weights, num_chunks)
    parameters = [weights.embeddings] if weights.bias is None else [weights.embeddings, weights.bias]
    return TokenScores(*(ops.reshape(part, ops.shape(targets)) for part in ops.unstack(score(rows, *parameters), 2)))


def _num_chunks(num_positions: int | None, vocabulary_size: int, positions_per_chunk: int | None) -> int:
    if num_positions is None:
        if positions_per_chunk is None:
            return 1
        raise ValueError(
            f"got positions_per_chunk={positions_per_chunk} and a batch of unknown size, expected a static shape"
        )
    return -(-num_positions // (positions_per_chunk or max(1, _LARGEST_LOGITS // (4 * vocabulary_size))))


def _score_at_once(ids: KerasTensor, weights: OutputWeights) -> Callable:
    """Maps rows (positions, dim) and the parameters to losses and correctness, (2, positions).

    One tensor, because backends differ in how they give the gradients of several.
    """

    @ops.custom_gradient
    def score(rows, *parameters):
        logits = _logits(rows, parameters, weights.compute_dtype)
        largest = ops.max(logits, axis=-1, keepdims=True)
        exponentials = ops.exp(logits - largest)  # (positions, vocabulary)
        totals = ops.sum(exponentials, axis=-1, keepdims=True)
        losses = ops.squeeze(ops.log(totals) + largest, -1) - _of_targets(logits, ids)

        def gradient(upstream):
            upstream = ops.expand_dims(upstream[0], -1)
            of_logits = exponentials * (upstream / totals) - _one_hot(ids, logits) * upstream
            return _gradients(of_logits, rows, parameters, weights.compute_dtype)

        return ops.stack([losses, _is_correct(logits, ids)]), gradient

    return score


def _score_in_chunks(ids: KerasTensor, weights: OutputWeights, num_chunks: int) -> Callable:
    """As `_score_at_once`, over chunks of the positions one after the other."""
    num_positions = ids.shape[0]
    size = -(-num_positions // num_chunks)

    def chunked(rows: KerasTensor) -> KerasTensor:
        """(positions, …) to (chunks, positions of a chunk, …), with zeros at the end."""
        padding = [[0, num_chunks * size - num_positions]] + [[0, 0]] * (len(rows.shape) - 1)
        return ops.reshape(ops.pad(rows, padding), (num_chunks, size, *rows.shape[1:]))

    def joined(chunks: KerasTensor) -> KerasTensor:
        return ops.reshape(chunks, (num_chunks * size, *chunks.shape[2:]))[:num_positions]

    def is_left(index, *_) -> KerasTensor:
        return ops.less(index, num_chunks)

    @ops.custom_gradient
    def score(rows, *parameters):
        """As `_score_at_once` gives: (2, positions)."""
        row_chunks, id_chunks = chunked(rows), chunked(ids)

        def score_chunk(index, *results):
            chunk_ids = ops.take(id_chunks, index, axis=0)
            logits = _logits(ops.take(row_chunks, index, axis=0), parameters, weights.compute_dtype)
            totals = ops.logsumexp(logits, axis=-1)
            parts = (totals, totals - _of_targets(logits, chunk_ids), _is_correct(logits, chunk_ids))
            results = [_with_chunk(result, index, part) for result, part in zip(results, parts, strict=True)]
            return _next(index, *parts[1:]), *results

        empty = [ops.zeros((num_chunks, size))] * 3
        _, totals, losses, is_correct = ops.while_loop(is_left, score_chunk, (ops.zeros((), "int32"), *empty))

        def gradient(upstream):
            upstream_chunks = chunked(upstream[0])

            def add_chunk(index, of_rows, *sums):
                chunk_rows = ops.take(row_chunks, index, axis=0)
                chunk_upstream = ops.expand_dims(ops.take(upstream_chunks, index, axis=0), -1)
                logits = _logits(chunk_rows, parameters, weights.compute_dtype)
                probabilities = ops.exp(logits - ops.expand_dims(ops.take(totals, index, axis=0), -1))
                targets = _one_hot(ops.take(id_chunks, index, axis=0), logits)
                of_logits = (probabilities - targets) * chunk_upstream
                of_chunk, *parts = _gradients(of_logits, chunk_rows, parameters, weights.compute_dtype)
                sums = [total + part for total, part in zip(sums, parts, strict=True)]
                return _next(index, of_chunk, *parts), _with_chunk(of_rows, index, of_chunk), *sums

            start = (ops.zeros((), "int32"), ops.zeros_like(row_chunks), *(ops.zeros_like(p) for p in parameters))
            _, of_rows, *sums = ops.while_loop(is_left, add_chunk, start)
            return joined(of_rows), *sums

        return ops.stack([joined(losses), joined(is_correct)]), gradient

    return score


def _with_chunk(chunks: KerasTensor, index: KerasTensor, chunk: KerasTensor) -> KerasTensor:
    return ops.scatter_update(chunks, ops.reshape(index, (1, 1)), ops.expand_dims(chunk, 0))


def _next(index: KerasTensor, *results: KerasTensor) -> KerasTensor:
    """The index of the next chunk, known only once the results are: TensorFlow begins rounds ahead of time."""
    last = sum(ops.cast(ops.reshape(result, (-1,))[0], "float32") for result in results)
    return index + 1 + ops.cast(ops.greater(last, float("inf")), "int32")  # nothing is greater


def _logits(rows: KerasTensor, parameters: tuple, compute_dtype: str) -> KerasTensor:
    """(positions, vocabulary) float32."""
    embeddings, *bias = parameters
    logits = ops.matmul(ops.cast(rows, compute_dtype), ops.transpose(ops.cast(embeddings, compute_dtype)))
    logits = ops.cast(logits, "float32")
    return logits + bias[0] if bias else logits


def _gradients(of_logits: KerasTensor, rows: KerasTensor, parameters: tuple, compute_dtype: str) -> tuple:
    """Gradients of the rows and of every parameter, from that of the logits (positions, vocabulary) in float32."""
    embeddings, *bias = parameters
    rounded = ops.cast(of_logits, compute_dtype)
    of_rows = ops.cast(ops.matmul(rounded, ops.cast(embeddings, compute_dtype)), rows.dtype)
    of_embeddings = ops.cast(ops.matmul(ops.transpose(rounded), ops.cast(rows, compute_dtype)), embeddings.dtype)
    return (of_rows, of_embeddings, ops.sum(of_logits, axis=0)) if bias else (of_rows, of_embeddings)


def _of_targets(logits: KerasTensor, ids: KerasTensor) -> KerasTensor:
    offsets = ops.arange(ops.size(ids), dtype="int32") * logits.shape[-1]  # of every row in all logits on end
    return ops.take(ops.reshape(logits, (-1,)), ids + offsets)


def _one_hot(ids: KerasTensor, logits: KerasTensor) -> KerasTensor:
    return ops.one_hot(ids, logits.shape[-1], dtype=logits.dtype)


def _is_correct(logits: KerasTensor, ids: KerasTensor) -> KerasTensor:
    guesses = ops.cast(ops.argmax(logits, axis=-1), "int32")
    return ops.cast(ops.equal(guesses, ids), "float32")
