"""From a configuration to a model."""

from collections.abc import Mapping

from tfplm.config import Config, validate
from tfplm.errors import UserError
from tfplm.models.bert import Bert
from tfplm.models.configuration import BertConfig, GptConfig, LstmConfig, LstmSeq2SeqConfig, ModelConfig, T5Config
from tfplm.models.gpt import Gpt
from tfplm.models.lstm import Lstm
from tfplm.models.lstm_seq2seq import LstmSeq2Seq
from tfplm.models.t5 import T5

Encoder = Bert | Lstm | Gpt | T5 | LstmSeq2Seq

_FAMILIES: dict[str, tuple[type[Config], type[Encoder]]] = {
    "bert": (BertConfig, Bert),
    "lstm": (LstmConfig, Lstm),
    "gpt": (GptConfig, Gpt),
    "t5": (T5Config, T5),
    "lstm_seq2seq": (LstmSeq2SeqConfig, LstmSeq2Seq),
}


def build_model(config: ModelConfig, vocabulary_size: int, pad_id: int | None = None) -> Encoder:
    """Builds the model of a configuration, with fresh weights and without a head.

    Args:
        config: of any family.
        vocabulary_size: the tokenizer's, used where the configuration leaves its own open.
        pad_id: the tokenizer's; None leaves the configuration's.

    Raises:
        UserError: the configuration's vocabulary is smaller than the tokenizer's.
    """
    if config.vocabulary_size is None:
        config = config.model_copy(update={"vocabulary_size": vocabulary_size})
    elif config.vocabulary_size < vocabulary_size:
        raise UserError(
            f"model.vocabulary_size is {config.vocabulary_size}, and the tokenizer has {vocabulary_size} tokens.",
            f"Expected at least {vocabulary_size}.",
            "Leave model.vocabulary_size out: the tokenizer's is taken then.",
        )
    if pad_id is not None:
        config = config.model_copy(update={"pad_id": pad_id})
    return _FAMILIES[config.type][1](config)


def parse_model_config(values: Mapping, origin: str) -> ModelConfig:
    """Reads a configuration back from plain values, of the family that ``type`` names. Raises UserError."""
    family = values.get("type")
    if family not in _FAMILIES:
        raise UserError(f"{origin}: '{family}' is no model family.", f"Known are {', '.join(_FAMILIES)}.")
    return validate(_FAMILIES[family][0], values, origin)
