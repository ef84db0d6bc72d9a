"""What is done to the logits before a token is chosen, in the order of Hugging Face's transformers.

First what forbids or punishes tokens: `restricted`. Then what shapes the distribution that is drawn from: `shaped`.
"""

from keras import KerasTensor, ops

from tfplm.generation.plan import Plan
from tfplm.layers.hashing import word

_NEVER = float("-inf")


def restricted(
    plan: Plan, logits: KerasTensor, history: KerasTensor, index: KerasTensor, seen: KerasTensor | None, controls: dict
) -> KerasTensor:
    """Takes away what must not come, and makes what was there already less likely.

    Args:
        plan: which of it is wanted.
        logits: (rows, vocabulary) float32, or log-probabilities.
        history: (rows, columns) int32, the tokens before column ``index``; zero where there are none.
        index: int32 scalar.
        seen: (rows, vocabulary) bool, whether a token is in the history; None where there is no repetition penalty.
        controls: of `tfplm.generation.plan.build_controls`.

    Returns:
        (rows, vocabulary) float32, minus infinity where a token must not come.
    """
    logits = ops.where(controls["banned"], _NEVER, logits)
    if plan.penalizes_repetition:
        penalty = controls["repetition_penalty"]
        punished = ops.where(ops.greater(logits, 0.0), ops.divide(logits, penalty), ops.multiply(logits, penalty))
        logits = ops.where(seen, punished, logits)
    if plan.no_repeat_ngram_size:
        logits = ops.where(_would_repeat(history, index, plan.no_repeat_ngram_size, logits.shape[1]), _NEVER, logits)
    if plan.has_minimum:
        is_end = ops.equal(ops.arange(logits.shape[1], dtype="int32"), controls["end_id"])
        too_early = ops.less(ops.subtract(index, controls["start"]), controls["min_new_tokens"])
        logits = ops.where(ops.logical_and(too_early, is_end), _NEVER, logits)
    return logits


def shaped(plan: Plan, logits: KerasTensor, controls: dict) -> KerasTensor:
    """The logits of the distribution that is drawn from: temperature, top-k, top-p and min-p, one behind the other.

    Args:
        plan: which of them are wanted.
        logits: (rows, vocabulary) float32.
        controls: of `tfplm.generation.plan.build_controls`.
    """
    if plan.has_temperature:
        logits = ops.divide(logits, controls["temperature"])
    if plan.has_top_k:
        ones = ops.ones_like(logits)
        logits = ops.where(_largest(logits, ones, ops.cast(controls["top_k"], "float32")), logits, _NEVER)
    if plan.has_top_p:
        logits = ops.where(_largest(logits, ops.softmax(logits), controls["top_p"]), logits, _NEVER)
    if plan.has_min_p:
        least = ops.add(ops.max(logits, axis=-1, keepdims=True), ops.log(controls["min_p"]))
        logits = ops.where(ops.greater_equal(logits, least), logits, _NEVER)
    return logits


def token_set(token_ids: KerasTensor, counts: KerasTensor, vocabulary_size: int) -> KerasTensor:
    """Which tokens stand in each row, bool (rows, vocabulary).

    Args:
        token_ids: (rows, columns) int32.
        counts: bool (rows, columns), which of them count.
        vocabulary_size: number of ids.
    """
    rows, columns = token_ids.shape
    row_numbers = ops.broadcast_to(ops.arange(rows, dtype="int32")[:, None], (rows, columns))
    places = ops.reshape(ops.stack([row_numbers, token_ids], axis=-1), (-1, 2))
    found = ops.scatter(places, ops.reshape(ops.cast(counts, "int32"), (-1,)), (rows, vocabulary_size))
    return ops.greater(found, 0)


def _would_repeat(history: KerasTensor, index: KerasTensor, size: int, vocabulary_size: int) -> KerasTensor:
    """Which tokens would end a run of ``size`` tokens that is in the history already: bool (rows, vocabulary)."""
    rows, columns = history.shape
    if size > columns:
        return ops.zeros((rows, vocabulary_size), dtype="bool")
    windows = columns - size + 1  # window j is the columns j to j + size - 1; its last is what came then
    ends = ops.arange(size - 1, columns, dtype="int32")[None]  # (1, windows)
    is_repeat = ops.logical_and(ops.less(ends, index), ops.greater_equal(index, size))
    is_repeat = ops.broadcast_to(is_repeat, (rows, windows))
    first = ops.maximum(ops.subtract(index, size - 1), 0)
    for place in range(size - 1):
        now = ops.slice(history, (0, first + place), (rows, 1))
        is_repeat = ops.logical_and(is_repeat, ops.equal(history[:, place : place + windows], now))
    return token_set(history[:, size - 1 :], is_repeat, vocabulary_size)


def _largest(logits: KerasTensor, weights: KerasTensor, least_sum: KerasTensor) -> KerasTensor:
    """The fewest of the largest logits whose weights come to ``least_sum``, with all that equal the least of them.

    The least logit is found bit by bit, in 32 sums. That takes no sorting, and the same computation serves every k.

    Args:
        logits: (rows, vocabulary) float32.
        weights: (rows, vocabulary) float32, not negative.
        least_sum: float32 scalar.

    Returns:
        bool (rows, vocabulary).
    """
    bits = ops.view(logits, "uint32")
    is_negative = ops.cast(ops.right_shift(bits, word(31)), "bool")
    keys = ops.where(is_negative, ops.bitwise_not(bits), ops.bitwise_or(bits, word(2**31)))  # in the logits' order

    def narrow(number: KerasTensor, least: KerasTensor) -> KerasTensor:
        higher = ops.bitwise_or(least, ops.left_shift(word(1), ops.cast(31 - number, "uint32")))
        reached = ops.sum(ops.where(ops.greater_equal(keys, higher), weights, 0.0), axis=-1, keepdims=True)
        return ops.where(ops.greater_equal(reached, least_sum), higher, least)

    none = ops.zeros((logits.shape[0], 1), dtype="uint32")
    return ops.greater_equal(keys, ops.fori_loop(0, 32, narrow, none))
