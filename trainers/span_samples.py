"""Text samples of filled-in spans, for TensorBoard."""

import keras
import numpy as np

from tfplm import feature_names as names
from tfplm.data.batches import Batch
from tfplm.tokenizers.tokenizer import Tokenizer


def filled_spans(model: keras.Model, batch: Batch, tokenizer: Tokenizer, num_rows: int = 4) -> str:
    """A Markdown list: what the encoder reads, what stood in its gaps, and the model's guess at each token of that.

    Every guess is made behind the right tokens, as in training.
    """
    features, targets, weights = batch
    features = {name: values[:num_rows] for name, values in features.items()}
    logits = keras.ops.convert_to_numpy(model(features, training=False)[names.NEXT_TOKEN])
    guesses = logits.argmax(axis=-1)  # (rows, target)
    lines = []
    for row, source in enumerate(features[names.TOKEN_IDS]):
        counted = weights[names.NEXT_TOKEN][row] > 0
        originals, guessed = targets[names.NEXT_TOKEN][row][counted], guesses[row][counted]
        lines += [
            f"- {_readable(tokenizer, source[source != tokenizer.pad_id])}",
            f"    - stood there: {_readable(tokenizer, originals)}",
            f"    - guessed: {_readable(tokenizer, guessed)}",
        ]
    return "\n".join(lines)


def _readable(tokenizer: Tokenizer, ids: np.ndarray) -> str:
    """The text, with the numbers of the gaps in bold where the sentinels stand."""
    number_of = {int(sentinel): number for number, sentinel in enumerate(tokenizer.sentinel_ids)}
    gaps = np.flatnonzero(np.isin(ids, tokenizer.sentinel_ids))
    texts = [tokenizer.decode(part).replace("\n", " ⏎ ").replace("*", r"\*") for part in np.split(ids, gaps)]
    numbers = ["", *(f" **[{number_of[int(ids[gap])]}]** " for gap in gaps)]
    return "".join(number + text for number, text in zip(numbers, texts, strict=True)).strip()
