"""Configurations of the pretraining objectives, which the data pipelines and the tasks share."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from tfplm.config import Config

Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class MaskedLmConfig(Config):
    """Masked-language modelling, with next-sentence prediction if wanted. Source: Devlin et al. 2019, section 3.1."""

    type: Literal["masked_lm"] = "masked_lm"
    mask_rate: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.15
    mask_token_rate: Probability = 0.8
    random_token_rate: Probability = 0.1
    whole_word: bool = False
    next_sentence: bool = False  # True: sentence pairs; False: rows packed full
    short_sequence_rate: Probability = 0.1  # with next_sentence: pairs of a random shorter length
    positions_per_chunk: PositiveInt | None = None  # of the vocabulary loss; None: all at once where they are few


class CausalLmConfig(Config):
    """Next-token prediction over packed rows; for the LSTM language model."""

    type: Literal["causal_lm"] = "causal_lm"
    positions_per_chunk: PositiveInt | None = None  # of the vocabulary loss; None: all at once where they are few


def least_sequence_length(objective: MaskedLmConfig | CausalLmConfig) -> int:
    """Tokens of the shortest row that holds text: [CLS], a token, [SEP], and for a pair a token and [SEP] more."""
    return 5 if objective.type == "masked_lm" and objective.next_sentence else 3


Objective = Annotated[MaskedLmConfig | CausalLmConfig, Field(discriminator="type")]
