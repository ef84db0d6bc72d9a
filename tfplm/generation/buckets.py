"""The few shapes that prompts are brought to, so that few are compiled."""

from collections.abc import Sequence

import numpy as np

_LEAST = 16


def length_bucket(length: int, most: int | None = None) -> int:
    """The least 16 · 2^k that holds so many tokens; ``most`` where that is less."""
    bucket = max(_LEAST, _power_of_two(length))
    return bucket if most is None else min(bucket, most)


def row_bucket(count: int) -> int:
    """The least power of two that holds so many rows."""
    return _power_of_two(count)


def padded(prompts: Sequence[Sequence[int]], columns: int, on_the_left: bool, pad_id: int = 0) -> np.ndarray:
    """Prompts as int32 (rows, columns) with padding beside them; rows beyond the prompts repeat the first.

    Args:
        prompts: at least one, none longer than ``columns``.
        columns: width.
        on_the_left: where the padding stands.
        pad_id: what it is.
    """
    rows = np.full((row_bucket(len(prompts)), columns), pad_id, np.int32)
    for number in range(len(rows)):
        prompt = prompts[number if number < len(prompts) else 0]
        place = slice(columns - len(prompt), None) if on_the_left else slice(len(prompt))
        rows[number, place] = prompt
    return rows


def _power_of_two(number: int) -> int:
    return 1 << max(0, number - 1).bit_length()
