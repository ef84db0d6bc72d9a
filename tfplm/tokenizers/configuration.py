"""Configurations of the tokenizers."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt

from tfplm.config import Config


class WordPieceConfig(Config):
    """WordPiece, as BERT uses it. Source: Devlin et al. 2019, section 3; Song et al. 2021 for the fast encoding."""

    type: Literal["wordpiece"] = "wordpiece"
    vocabulary_size: PositiveInt = 8192
    lowercase: bool = True  # folds case and strips accents, in the graph
    min_frequency: PositiveInt = 2
    max_training_characters: PositiveInt = 50_000_000  # the trainer sees an even sample of at most so much


class SentencePieceConfig(Config):
    """SentencePiece with byte fallback: no text is unknown, and every text comes back exactly.

    Source: Kudo and Richardson 2018; Kudo 2018 for unigram, Sennrich et al. 2016 for bpe.
    """

    type: Literal["sentencepiece"] = "sentencepiece"
    model: Literal["unigram", "bpe"] = "unigram"
    vocabulary_size: PositiveInt = 8192  # the whole size: special ids, bytes and sentinels are part of it
    num_sentinels: NonNegativeInt = 0  # <extra_id_0> and so on, which stand for gaps in span corruption; T5 has 100
    character_coverage: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9995  # of the text; rarer signs become bytes
    max_training_characters: PositiveInt = 50_000_000  # the trainer sees an even sample of at most so much


class BytesConfig(Config):
    """The bytes of UTF-8, without training. Source: Xue et al. 2022, "ByT5", section 3."""

    type: Literal["bytes"] = "bytes"
    num_sentinels: NonNegativeInt = 0

    @property
    def vocabulary_size(self) -> int:
        """Four special ids, the bytes and the sentinels."""
        return 4 + 256 + self.num_sentinels


def _wordpiece_by_default(values: Any) -> Any:
    return {"type": "wordpiece", **values} if isinstance(values, dict) else values


TokenizerConfig = Annotated[
    WordPieceConfig | SentencePieceConfig | BytesConfig,
    Field(discriminator="type"),
    BeforeValidator(_wordpiece_by_default),
]
