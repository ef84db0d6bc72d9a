"""The families that there are: which one a config.json names, and which one a model of ours leaves as."""

from collections.abc import Callable

from tfplm.errors import UserError
from tfplm.interop.families.albert import AlbertFamily
from tfplm.interop.families.bert import BertFamily
from tfplm.interop.families.decoders import DECODERS, families_of_decoder
from tfplm.interop.families.distilbert import DistilBertFamily
from tfplm.interop.families.electra import ElectraFamily
from tfplm.interop.families.roberta import RobertaFamily, XlmRobertaFamily
from tfplm.interop.families.roberta_prelayernorm import RobertaPreLayerNormFamily
from tfplm.interop.families.t5 import T5Family
from tfplm.interop.family import Family
from tfplm.models.configuration import ModelConfig

_ENCODERS = (
    BertFamily(),
    RobertaFamily(),
    XlmRobertaFamily(),
    DistilBertFamily(),
    AlbertFamily(),
    ElectraFamily(),
    RobertaPreLayerNormFamily(),
)
_ENCODER_DECODERS = (T5Family(),)
FAMILIES: tuple[Family, ...] = (*_ENCODERS, *DECODERS, *_ENCODER_DECODERS)
# By the type of our configuration, the families that it may leave as, the first that has a form for it.
_OF_CONFIG: dict[str, Callable[[ModelConfig], tuple[Family, ...]]] = {
    "bert": lambda config: _ENCODERS,
    "gpt": families_of_decoder,
    "t5": lambda config: _ENCODER_DECODERS,
}


def find_family(values: dict, origin: str) -> Family:
    """The family that ``model_type`` of a config.json names. Raises UserError with the list of those that there are."""
    model_type = values.get("model_type")
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    known = ", ".join(name for family in FAMILIES for name in family.model_types)
    raise UserError(f"{origin}: the model_type {model_type!r} is not supported.", f"Supported: {known}.")


def named_architecture(values: dict) -> object:
    """The class that a config.json names, the first where it names several; None where it names none."""
    named = values.get("architectures")
    return (named[0] if named else None) if isinstance(named, list) else named


def find_task_type(family: Family, values: dict, origin: str) -> str:
    """The task that the class named in a config.json is for; "text_embedding", the body alone, where none is named."""
    name = named_architecture(values)
    if name is None:
        return "text_embedding" if "text_embedding" in family.architectures.values() else "seq2seq_lm"
    if not isinstance(name, str) or name not in family.architectures:
        raise UserError(
            f"{origin}: the architecture {name!r} is not supported.",
            f"Supported for {family.model_types[0]}: {', '.join(family.architectures)}.",
        )
    return family.architectures[name]


def family_named(model_type: str) -> Family | None:
    """The family of a model_type; None where there is none."""
    return next((family for family in FAMILIES if model_type in family.model_types), None)


def find_family_for(config: ModelConfig, preferred: str | None = None) -> tuple[Family, dict]:
    """The family that a model of ours leaves as, and the values of config.json that describe it.

    Args:
        config: of the model.
        preferred: a model_type, taken where it has a form for the model: the one that it was imported from.

    Raises:
        UserError: no family has a form for it; the first one's reason is told.
    """
    if config.type not in _OF_CONFIG:
        raise UserError(
            f"A model of the type {config.type} has no form among Hugging Face's architectures.",
            f"Expected one of {', '.join(_OF_CONFIG)}.",
            "Export it as a SavedModel or to TFLite.",
        )
    families = _OF_CONFIG[config.type](config)
    first = family_named(preferred) if preferred else None
    reasons = []
    for family in (first, *families) if first in families else families:
        try:
            values = family.write_config(config)
        except UserError as error:
            reasons.append(error)
            continue
        return family, values | {"model_type": preferred} if family is first else values
    raise reasons[0]
