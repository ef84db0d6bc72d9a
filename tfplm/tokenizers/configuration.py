"""Configurations of the tokenizers."""

from typing import Literal

from pydantic import PositiveInt

from tfplm.config import Config


class WordPieceConfig(Config):
    """WordPiece, as BERT uses it. Source: Devlin et al. 2019, section 3; Song et al. 2021 for the fast encoding."""

    type: Literal["wordpiece"] = "wordpiece"
    vocabulary_size: PositiveInt = 8192
    lowercase: bool = True  # folds case and strips accents, in the graph
    min_frequency: PositiveInt = 2
    max_training_characters: PositiveInt = 50_000_000  # the trainer sees an even sample of at most so much
