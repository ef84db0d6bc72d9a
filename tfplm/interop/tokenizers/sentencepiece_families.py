"""How the tokenizers of the supported families use a SentencePiece model: names, order of ids, what stands around."""

from dataclasses import dataclass
from typing import Any

from sentencepiece.sentencepiece_model_pb2 import ModelProto

from tfplm.errors import UserError
from tfplm.interop.tokenizers.tokenizer_files import token_name

Piece = ModelProto.SentencePiece
ROLES = ("bos_token", "eos_token", "unk_token", "pad_token", "cls_token", "sep_token", "mask_token")


@dataclass(frozen=True)
class SentencePieceFamily:
    """A family of tokenizers.

    Attributes:
        names: the special tokens by their role, where the files do not say.
        prefix: the roles of what stands before a text.
        suffix: the roles of what stands behind it.
        num_sentinels: how many <extra_id_0> and so on are appended, where the files do not say.
        has_shifted_ids: fairseq's order: <s>, <pad>, </s>, <unk>, the model's pieces from the fourth on, <mask>.
        is_squeezed: white space is one space, with one before the text, whatever the model says.
        quotes: what is replaced before everything else.
    """

    names: dict[str, str]
    prefix: tuple[str, ...] = ()
    suffix: tuple[str, ...] = ()
    num_sentinels: int = 0
    has_shifted_ids: bool = False
    is_squeezed: bool = True
    quotes: tuple[list[str], ...] = ()


_T5 = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
_LLAMA = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
_ALBERT = {
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "[MASK]",
}
T5 = SentencePieceFamily(_T5, suffix=("eos_token",), num_sentinels=100)
MT5 = SentencePieceFamily(_T5, suffix=("eos_token",))
ALBERT = SentencePieceFamily(_ALBERT, ("cls_token",), ("sep_token",), quotes=(["``", '"'], ["''", '"']))
XLM_ROBERTA = SentencePieceFamily(
    {**_LLAMA, "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "mask_token": "<mask>"},
    ("bos_token",),
    ("eos_token",),
    has_shifted_ids=True,
)
LLAMA = SentencePieceFamily(_LLAMA, ("bos_token",), is_squeezed=False)

_BY_CLASS = {
    "T5Tokenizer": T5,
    "MT5Tokenizer": MT5,
    "AlbertTokenizer": ALBERT,
    "XLMRobertaTokenizer": XLM_ROBERTA,
    "LlamaTokenizer": LLAMA,
}
_BY_MODEL_TYPE = {
    "t5": T5,
    "mt5": MT5,
    "umt5": MT5,
    "albert": ALBERT,
    "xlm-roberta": XLM_ROBERTA,
    "xlm-roberta-xl": XLM_ROBERTA,
    "llama": LLAMA,
    "mistral": LLAMA,
}


def find_family(values: dict[str, Any], model_type: Any) -> SentencePieceFamily | None:
    """The family that tokenizer_config.json or, where it names none, config.json says; None for another one."""
    name = str(values.get("tokenizer_class") or "").removesuffix("Fast")
    by_type = _BY_MODEL_TYPE.get(str(model_type))
    family = _BY_CLASS.get(name) or by_type
    return MT5 if family is T5 and by_type is MT5 else family


def unknown_family(values: dict[str, Any], model_type: Any, path: object) -> UserError:
    """Names what is not supported, and what is."""
    return UserError(
        f"{path} belongs to the tokenizer class {values.get('tokenizer_class')!r} of the model type {model_type!r}.",
        f"Supported: {', '.join(_BY_CLASS)}; model types {', '.join(_BY_MODEL_TYPE)}.",
    )


def special_names(family: SentencePieceFamily | None, *files: dict[str, Any]) -> dict[str, str]:
    """The special tokens by role: the family's, overridden by the files in their order."""
    names = dict(family.names) if family else {}
    for values in files:
        for role in ROLES:
            name = token_name(values.get(role))
            if name:
                names[role] = name
    return names


def shift_ids(proto: ModelProto, names: dict[str, str]) -> None:
    """Puts the pieces into fairseq's order."""
    first = [
        Piece(piece=names["bos_token"], type=Piece.CONTROL),
        Piece(piece=names["pad_token"], type=Piece.CONTROL),
        Piece(piece=names["eos_token"], type=Piece.CONTROL),
        Piece(piece=names["unk_token"], type=Piece.UNKNOWN),
    ]
    others = list(proto.pieces)[3:]
    del proto.pieces[:]
    proto.pieces.extend([*first, *others, Piece(piece=names["mask_token"], type=Piece.CONTROL)])
