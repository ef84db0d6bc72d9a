"""Configurations of the tasks."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from tfplm.config import Config
from tfplm.objectives import Probability

WRITING_TASKS = ("causal_lm", "seq2seq_lm")  # the types of tasks whose models write
# The types of tasks whose models answer strings otherwise.
ANSWERING_TASKS = (
    "text_classification",
    "text_regression",
    "text_embedding",
    "token_classification",
    "question_answering",
    "multiple_choice",
)


class TextClassificationConfig(Config):
    """One label (or, multi-label, any number) for a text."""

    type: Literal["text_classification"] = "text_classification"
    multi_label: bool = False
    pooling: Literal["encoder", "mean"] = "encoder"  # encoder: its own (BERT: [CLS]); mean: over the tokens' outputs
    output_bias: bool = True  # GPT-2 and Llama classifiers of Hugging Face have none
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    class_weights: Literal["none", "balanced"] | dict[str, NonNegativeFloat] = "none"  # classes not named: 1
    sampling: Literal["natural", "balanced"] = "natural"  # balanced: every class as often; an epoch is as long
    decision_threshold: Probability = 0.5  # multi-label: a class is given from this probability on

    @model_validator(mode="after")
    def _classes_are_balanced_once(self) -> "TextClassificationConfig":
        if self.sampling == "balanced" and self.multi_label:
            raise ValueError("sampling: balanced needs one label a text; for many take class_weights: balanced")
        if self.sampling == "balanced" and self.class_weights == "balanced":
            raise ValueError("sampling: balanced and class_weights: balanced do the same twice: take one of them")
        return self


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
    max_question_length: PositiveInt = 64  # tokens; longer questions are cut
    stride: PositiveInt = 128  # tokens from one window of a long passage to the next
    negative_window_share: Probability = 1.0  # of the windows without the answer, those that are learned from
    # No answer is given where the score of none is by more than this over that of the best. None: it is tuned on
    # validation where some questions have no answer; where all have one, one is always given.
    no_answer_threshold: float | None = None


class TextEmbeddingConfig(Config):
    """One vector for a text.

    It learns by an objective. ``contrastive``: the partner of a text is nearer to it than all other texts of the batch.
    ``similarity``: the cosine of a pair is the score that people gave it. ``distillation``: the vector is a teacher's.
    """

    type: Literal["text_embedding"] = "text_embedding"
    # mean: over the tokens' outputs; first: the first token's; encoder: its own (BERT: [CLS] through the pooler)
    pooling: Literal["mean", "first", "encoder"] = "mean"
    normalize: bool = False  # to the length 1
    objective: Literal["contrastive", "similarity", "distillation"] = "contrastive"
    temperature: PositiveFloat = 0.05  # of contrastive: that cosines are divided by
    symmetric: bool = False  # of contrastive: partners look for their texts too


class MultipleChoiceConfig(Config):
    """The best of several choices beside a context."""

    type: Literal["multiple_choice"] = "multiple_choice"
    num_choices: Annotated[int, Field(ge=2, le=26)] = 4  # the most of an example; each is a row that is read
    has_question: bool = False  # whether a question stands before every choice; training takes it from its data
    pooling: Literal["encoder", "mean"] = "encoder"  # encoder: its own (BERT: [CLS]); mean: over the tokens' outputs
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1


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
