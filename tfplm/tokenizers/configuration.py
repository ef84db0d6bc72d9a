"""Configurations of the tokenizers."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt, model_validator

from tfplm.config import Config


class WordPieceConfig(Config):
    """WordPiece, as BERT uses it. Source: Devlin et al. 2019, section 3; Song et al. 2021 for the fast encoding."""

    type: Literal["wordpiece"] = "wordpiece"
    vocabulary_size: PositiveInt = 8192
    normalization: Literal["casefold", "bert"] = "casefold"  # bert: as other projects do it, and slower
    lowercase: bool = True  # folds case and strips accents, in the graph
    strip_accents: bool | None = None  # of normalization "bert" only; None: as lowercase
    min_frequency: PositiveInt = 2
    max_training_characters: PositiveInt = 50_000_000  # the trainer sees an even sample of at most so much

    @model_validator(mode="after")
    def _check_strip_accents(self) -> "WordPieceConfig":
        if self.strip_accents is not None and self.normalization != "bert":
            raise ValueError("strip_accents is of normalization bert; casefold strips accents with lowercase")
        return self


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


class ImportedSentencePieceConfig(Config):
    """A SentencePiece model of another project: what stands around the model, as the reference tokenizer has it.

    The pieces of the model stand at their ids, special tokens among them as control symbols.
    """

    type: Literal["imported_sentencepiece"] = "imported_sentencepiece"
    vocabulary_size: PositiveInt
    replacements: list[list[str]] = []  # of literal strings, before everything else
    normalization: list[Literal["nmt", "nfc", "nfd", "nfkc", "nfkd", "strip_accents", "lowercase"]] = []
    # A space before the text: as the model says, never, always, or unless the text begins with one.
    dummy_prefix: Literal["model", "never", "always", "unless_space"] = "model"
    strips_prefix: bool = True  # decoding leaves out a space at the beginning
    pad_id: Annotated[int, Field(ge=-1)] = -1  # −1: none; the end stands where a row is not filled
    unknown_id: NonNegativeInt
    start_id: NonNegativeInt
    end_id: NonNegativeInt
    mask_id: NonNegativeInt | None = None
    special_ids: list[NonNegativeInt]
    sentinel_ids: list[NonNegativeInt] = []  # of <extra_id_0> first
    prefix_ids: list[NonNegativeInt] = []
    suffix_ids: list[NonNegativeInt] = []
    pair_separator_ids: list[NonNegativeInt] | None = None  # between two texts; None: as the model's family has it


class BytesConfig(Config):
    """The bytes of UTF-8, without training. Source: Xue et al. 2022, "ByT5", section 3."""

    type: Literal["bytes"] = "bytes"
    num_sentinels: NonNegativeInt = 0

    @property
    def vocabulary_size(self) -> int:
        """Four special ids, the bytes and the sentinels."""
        return 4 + 256 + self.num_sentinels


ByteLevelPattern = Literal["gpt2", "digits", "llama3", "qwen2"]


class ByteLevelBpeConfig(Config):
    """Byte-level BPE, of imported checkpoints only. Source: Radford et al. 2019, "GPT-2", section 2.2."""

    type: Literal["byte_level_bpe"] = "byte_level_bpe"
    vocabulary_size: PositiveInt  # added tokens included
    pattern: ByteLevelPattern  # which expression cuts text into words
    normalize: bool = False  # to NFC
    add_prefix_space: bool = False  # before a text that does not begin with one
    ignore_merges: bool = False  # a word that is a token is taken whole
    start_id: NonNegativeInt
    end_id: NonNegativeInt
    pad_id: Annotated[int, Field(ge=-1)] = -1  # −1: none; the end stands where a row is not filled
    unknown_id: NonNegativeInt | None = None
    mask_id: NonNegativeInt | None = None
    special_ids: list[NonNegativeInt] = []  # added tokens among them: no text gives them
    prefix_ids: list[NonNegativeInt] = []
    suffix_ids: list[NonNegativeInt] = []
    pair_separator_ids: list[NonNegativeInt] | None = None  # between two texts; None: as the model's family has it


def _wordpiece_by_default(values: Any) -> Any:
    return {"type": "wordpiece", **values} if isinstance(values, dict) else values


TokenizerConfig = Annotated[
    WordPieceConfig | SentencePieceConfig | BytesConfig,
    Field(discriminator="type"),
    BeforeValidator(_wordpiece_by_default),
]
