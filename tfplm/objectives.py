"""Configurations of the pretraining objectives, which the data pipelines and the tasks share."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, PositiveInt, model_validator

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
    """Next-token prediction over windows of the document stream, for a GPT and the LSTM language model.

    Source: Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training", section 3.1.
    """

    type: Literal["causal_lm"] = "causal_lm"
    positions_per_chunk: PositiveInt | None = None  # of the vocabulary loss; None: all at once where they are few


class SpanCorruptionConfig(Config):
    """Spans of the text are replaced by sentinels, and the decoder writes what stood there; for encoder-decoders.

    Source: Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer",
    sections 3.1.4 and 3.3.4.
    """

    type: Literal["span_corruption"] = "span_corruption"
    corruption_rate: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.15  # of the tokens
    mean_span_length: Annotated[float, Field(ge=1.0)] = 3.0  # tokens
    positions_per_chunk: PositiveInt | None = None  # of the vocabulary loss; None: all at once where they are few

    @model_validator(mode="after")
    def _text_is_left_between_the_spans(self) -> "SpanCorruptionConfig":
        if self.corruption_rate * (1.0 + 1.0 / self.mean_span_length) > 0.75:
            raise ValueError(
                f"corruption_rate {self.corruption_rate} in spans of {self.mean_span_length} tokens leaves too little "
                "text between them: give a lower rate or longer spans"
            )
        return self


class PrefixLmConfig(Config):
    """The text is parted at a random place: the encoder reads the first part, the decoder writes the second.

    Source: Raffel et al. 2020, section 3.3.1 (the first row of table 3).
    """

    type: Literal["prefix_lm"] = "prefix_lm"
    positions_per_chunk: PositiveInt | None = None  # of the vocabulary loss; None: all at once where they are few


AnyObjective = MaskedLmConfig | CausalLmConfig | SpanCorruptionConfig | PrefixLmConfig
Objective = Annotated[AnyObjective, Field(discriminator="type")]


class SpanLengths(NamedTuple):
    """How many tokens span corruption takes and makes; the same for every row, so that shapes are static."""

    text: int  # what a row is made of
    noise: int  # of these, what stands in the targets
    spans: int  # that the noise stands in, and as many spans of other text before them

    @property
    def inputs(self) -> int:
        """The text that is left, a sentinel for every span, and the end."""
        return self.text - self.noise + self.spans + 1

    @property
    def targets(self) -> int:
        """The noise, a sentinel before every span, and the end."""
        return self.noise + self.spans + 1


def span_lengths(objective: SpanCorruptionConfig, sequence_length: int) -> SpanLengths:
    """The lengths at which the encoder's row has exactly ``sequence_length`` tokens.

    Source: `random_spans_helper` in the code of Raffel et al. 2020; at a rate of exactly 0.5 that takes one token of
    text less where the targets are longer than the inputs.

    Example:
        >>> lengths = span_lengths(SpanCorruptionConfig(), 512)
        >>> lengths.text, lengths.inputs, lengths.targets
        (568, 512, 114)
    """
    text = max(2, sequence_length - 1)  # never too long: a span is at least as long as its sentinel
    while _span_lengths_of(objective, text + 1).inputs <= sequence_length:
        text += 1
    return _span_lengths_of(objective, text)


def _span_lengths_of(objective: SpanCorruptionConfig, text: int) -> SpanLengths:
    noise = min(max(round(text * objective.corruption_rate), 1), text - 1)
    return SpanLengths(text, noise, max(round(noise / objective.mean_span_length), 1))


def decoder_length(objective: AnyObjective, sequence_length: int) -> int:
    """Tokens of the decoder's row where the encoder's has ``sequence_length``; 0 for an objective without a decoder."""
    if objective.type == "span_corruption":
        return span_lengths(objective, sequence_length).targets
    return sequence_length if objective.type == "prefix_lm" else 0


def least_sequence_length(objective: AnyObjective) -> int:
    """Tokens of the shortest row that holds text.

    BERT: [CLS], a token, [SEP], and for a pair a token and [SEP] more. Span corruption: a token, a sentinel, the end.
    Prefix language modelling: a token and the end.
    """
    if objective.type == "masked_lm":
        return 5 if objective.next_sentence else 3
    return {"causal_lm": 1, "span_corruption": 3, "prefix_lm": 2}[objective.type]
