"""Text samples of filled-in masks, for TensorBoard."""

import keras

from tfplm import feature_names as names
from tfplm.data.batches import Batch
from tfplm.tokenizers.tokenizer import Tokenizer


def filled_masks(model: keras.Model, batch: Batch, tokenizer: Tokenizer, num_rows: int = 4) -> str:
    """A Markdown list: rows of a masked batch with the model's guess at every mask and the original beside it."""
    features, targets, weights = batch
    features = {name: values[:num_rows] for name, values in features.items()}
    logits = keras.ops.convert_to_numpy(model(features, training=False)[names.MASKED_LM])
    guesses = logits.argmax(axis=-1)  # (rows, predictions)
    lines = []
    for row in range(len(guesses)):
        tokens = tokenizer.token_strings(features[names.TOKEN_IDS][row][features[names.PACKING_IDS][row] > 0])
        used = weights[names.MASKED_LM][row] > 0
        for column, guess, original in zip(
            features[names.MASK_POSITIONS][row][used],
            tokenizer.token_strings(guesses[row][used]),
            tokenizer.token_strings(targets[names.MASKED_LM][row][used]),
            strict=True,
        ):
            tokens[column] = f"**{guess}**" if guess == original else f"**{guess}** (*{original}*)"
        lines.append("- " + " ".join(tokens).replace(" ##", ""))
    return "\n".join(lines)
