"""Configurations of the tasks."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from tfplm.config import Config
from tfplm.objectives import Probability

WRITING_TASKS = ("causal_lm", "seq2seq_lm")  # the types of tasks whose models write
# The types of tasks whose models answer strings otherwise.
ANSWERING_TASKS = ("text_classification", "text_regression", "token_classification")


class TextClassificationConfig(Config):
    """One label (or, multi-label, any number) for a text."""

    type: Literal["text_classification"] = "text_classification"
    multi_label: bool = False
    pooling: Literal["encoder", "mean"] = "encoder"  # encoder: its own (BERT: [CLS]); mean: over the tokens' outputs
    output_bias: bool = True  # GPT-2 and Llama classifiers of Hugging Face have none
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    class_weights: Literal["none", "balanced"] | dict[str, NonNegativeFloat] = "none"  # classes not named: 1
    decision_threshold: Probability = 0.5  # multi-label: a class is given from this probability on


class TextRegressionConfig(Config):
    """A number for a text."""

    type: Literal["text_regression"] = "text_regression"
    pooling: Literal["encoder", "mean"] = "encoder"  # encoder: its own (BERT: [CLS]); mean: over the tokens' outputs
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    offset: float = 0.0  # what the head's 0 stands for; fine-tuning takes the mean of the training data
    scale: Annotated[float, Field(gt=0.0)] = 1.0  # and its 1; fine-tuning takes the standard deviation


class TokenClassificationConfig(Config):
    """One label for every token, or spans of tokens."""

    type: Literal["token_classification"] = "token_classification"
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    # Whether I-X stands behind B-X or I-X only; otherwise an I-X behind others begins a span, as in IOB1.
    legal_tags: bool = True
    crf: bool = False  # whether it learns which tags follow which
    stride: PositiveInt | None = None  # tokens from one window of a long text to the next; None: 3/4 of a window


class QuestionAnsweringConfig(Config):
    """The span of a passage that answers a question."""

    type: Literal["question_answering"] = "question_answering"
    max_answer_length: PositiveInt = 30  # tokens; longer spans are never given, though they are learned


class TextEmbeddingConfig(Config):
    """One vector for a text."""

    type: Literal["text_embedding"] = "text_embedding"
    # mean: over the tokens' outputs; first: the first token's; encoder: its own (BERT: [CLS] through the pooler)
    pooling: Literal["mean", "first", "encoder"] = "mean"
    normalize: bool = False  # to the length 1


class TextGenerationConfig(Config):
    """Text written in answer to a text.

    A decoder reads the prompt, ``separator`` and the answer as one text, and learns the answer alone; an
    encoder-decoder has no separator.
    """

    type: Literal["text_generation"] = "text_generation"
    separator: Annotated[str, Field(min_length=1)] = "\n"
    positions_per_chunk: PositiveInt | None = None  # of the vocabulary loss; None: all at once where they are few


class Seq2SeqLmConfig(Config):
    """The next token of an encoder-decoder's target, whatever the pairs of source and target are made from."""

    type: Literal["seq2seq_lm"] = "seq2seq_lm"
    positions_per_chunk: PositiveInt | None = None  # of the vocabulary loss; None: all at once where they are few
