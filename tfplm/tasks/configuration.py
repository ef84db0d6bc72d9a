"""Configurations of the tasks."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat

from tfplm.config import Config
from tfplm.objectives import Probability


class TextClassificationConfig(Config):
    """One label (or, multi-label, any number) for a text."""

    type: Literal["text_classification"] = "text_classification"
    multi_label: bool = False
    pooling: Literal["encoder", "mean"] = "encoder"  # encoder: its own (BERT: [CLS]); mean: over the tokens' outputs
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    class_weights: Literal["none", "balanced"] | dict[str, NonNegativeFloat] = "none"  # classes not named: 1
    decision_threshold: Probability = 0.5  # multi-label: a class is given from this probability on
