"""Examples of several rows each, as the rows that an encoder reads."""

from keras import KerasTensor, ops

from tfplm import feature_names as names
from tfplm.layers.hashing import hashed, weyl_sequence


def rows_of_examples(inputs: dict[str, KerasTensor]) -> dict[str, KerasTensor]:
    """Puts the rows of all examples on end.

    Args:
        inputs: features (batch, rows, sequence), and ROW_SEEDS (batch,) if there are any.

    Returns:
        Features (batch · rows, sequence), and ROW_SEEDS (batch · rows,): dropout is another one in every row, even
        where two rows of an example are equal.
    """
    num_rows = inputs[names.TOKEN_IDS].shape[1]
    flat = {name: ops.reshape(part, (-1, *part.shape[2:])) for name, part in inputs.items() if len(part.shape) == 3}
    if names.ROW_SEEDS in inputs:
        flat[names.ROW_SEEDS] = _seeds_of_rows(inputs[names.ROW_SEEDS], num_rows)
    return flat


def _seeds_of_rows(seeds: KerasTensor, num_rows: int) -> KerasTensor:
    """Maps int32 (batch,) to (batch · num_rows,)."""
    words = ops.expand_dims(ops.view(seeds, "uint32"), 1)  # (batch, 1)
    return ops.view(ops.reshape(hashed(ops.add(words, weyl_sequence(num_rows))), (-1,)), "int32")
