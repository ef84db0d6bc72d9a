"""The batches of every pretraining objective."""

from tfplm.data.causal_lm import CausalLmBatches
from tfplm.data.masked_lm import MaskedLmBatches
from tfplm.data.prefix_lm import PrefixLmBatches
from tfplm.data.pretraining_batches import PretrainingBatches
from tfplm.data.shards import TokenShards
from tfplm.data.span_corruption import SpanCorruptionBatches
from tfplm.errors import UserError
from tfplm.objectives import AnyObjective, least_sequence_length
from tfplm.tokenizers.tokenizer import Tokenizer

_BATCHES = {
    "masked_lm": MaskedLmBatches,
    "causal_lm": CausalLmBatches,
    "span_corruption": SpanCorruptionBatches,
    "prefix_lm": PrefixLmBatches,
}


def pretraining_batches(
    shards: TokenShards,
    tokenizer: Tokenizer,
    objective: AnyObjective,
    sequence_length: int,
    batch_size: int,
    seed: int,
) -> PretrainingBatches:
    """The batches of an objective over a prepared corpus.

    Raises:
        UserError: the shards are empty, the rows have no room for text, or the tokenizer lacks what the objective
            needs: a mask, or sentinels.
    """
    least = least_sequence_length(objective)
    if sequence_length < least:
        raise UserError(
            f"pretrain.sequence_length is {sequence_length}.",
            f"Expected {least} or more for objective.type {objective.type}: there is no room for text.",
        )
    if not shards.num_tokens:
        raise UserError(f"There are no tokens in {shards.folder}.", "Expected text to learn from.", "Add sources.")
    if objective.type == "masked_lm" and tokenizer.mask_id is None:
        raise UserError(
            f"The tokenizer, of type {tokenizer.config.type}, has no mask.",
            "Expected one of type wordpiece for objective.type masked_lm.",
            "Set tokenizer.type=wordpiece.",
        )
    return _BATCHES[objective.type](shards, tokenizer, objective, sequence_length, batch_size, seed)
