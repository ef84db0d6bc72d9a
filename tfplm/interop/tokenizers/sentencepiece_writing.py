"""SentencePiece and byte tokenizers as the folders that `transformers` reads, and back as they were."""

from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from sentencepiece.sentencepiece_model_pb2 import ModelProto
from tokenizers import processors

from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.interop.tokenizers.charsmap import check_charsmap
from tfplm.interop.tokenizers.sentencepiece_backend import bytes_backend, imported_backend, own_backend
from tfplm.interop.tokenizers.tokenizer_files import CONFIG, read_limited, special_token, write_tokenizer
from tfplm.tokenizers.bytes import ByteTokenizer
from tfplm.tokenizers.configuration import BytesConfig, ImportedSentencePieceConfig, SentencePieceConfig
from tfplm.tokenizers.imported_sentencepiece import ImportedSentencePieceTokenizer
from tfplm.tokenizers.sentencepiece import MODEL_FILE, SentencePieceTokenizer
from tfplm.tokenizers.tokenizer import Tokenizer

NOTE = "tfplm_tokenizer"  # a key of tokenizer_config.json that only tfplm reads
_OWN = {
    "sentencepiece": (SentencePieceTokenizer, SentencePieceConfig),
    "imported_sentencepiece": (ImportedSentencePieceTokenizer, ImportedSentencePieceConfig),
}


def write_sentencepiece(
    tokenizer: ImportedSentencePieceTokenizer | SentencePieceTokenizer | ByteTokenizer, folder: Path, max_length: int
) -> None:
    """Writes tokenizer.json and its companions, which ``AutoTokenizer`` reads, and the SentencePiece model.

    The ids are equal but for cuts of a unigram model that have equal scores, which each chooses in its own way, and
    where a character map joins neighbours (the `tokenizers` package goes by whole characters with their accents).
    """
    if isinstance(tokenizer, ByteTokenizer):
        backend = bytes_backend(tokenizer)
    else:
        is_own = isinstance(tokenizer, SentencePieceTokenizer)
        backend = own_backend(tokenizer) if is_own else imported_backend(tokenizer)
        (folder / MODEL_FILE).write_bytes(tokenizer.model)
    tokens = tokenizer.vocabulary
    backend.add_special_tokens([special_token(tokens[index]) for index in sorted(tokenizer.special_ids)])
    edges = (tokenizer.prefix_ids, tokenizer.pair_separator_ids, tokenizer.suffix_ids)
    prefix, separator, suffix = map(tokenizer.token_strings, edges)
    backend.post_processor = processors.TemplateProcessing(
        single=[*prefix, "$A", *suffix],
        pair=[*prefix, "$A", *separator, "$B:1", *(f"{name}:1" for name in suffix)],
        special_tokens=[(tokens[index], index) for index in set().union(*edges)],
    )
    note = {NOTE: tokenizer.config.model_dump(mode="json")}
    write_tokenizer(backend, folder, max_length, "PreTrainedTokenizerFast", _names(tokenizer), **note)


def read_written(note: dict[str, Any], folder: Path) -> Tokenizer:
    """What ``write_sentencepiece`` wrote: the model beside tokenizer.json says more than that."""
    path = folder / CONFIG
    kind = note.get("type") if isinstance(note, dict) else None
    if kind == "bytes":
        return ByteTokenizer(validate(BytesConfig, note, str(path)))
    if kind not in _OWN:
        raise UserError(f"{path}: '{NOTE}' is of the type {kind!r}.", f"Expected bytes, {', '.join(_OWN)}.")
    tokenizer_type, config_type = _OWN[kind]
    config = validate(config_type, note, str(path))
    try:
        return tokenizer_type(read_model_proto(folder / MODEL_FILE).SerializeToString(), config)
    except ValueError as error:
        raise UserError(f"{folder / MODEL_FILE} does not fit {CONFIG}: {error}.") from error


def _names(tokenizer: Tokenizer) -> dict[str, str]:
    """The special tokens by their role."""
    ids = {"unk_token": tokenizer.unknown_id, "eos_token": tokenizer.end_id, "mask_token": tokenizer.mask_id}
    has_padding = not isinstance(tokenizer, ImportedSentencePieceTokenizer) or tokenizer.config.pad_id >= 0
    if has_padding:
        ids["pad_token"] = tokenizer.pad_id
    if tokenizer.start_id != tokenizer.pad_id:
        ids["bos_token"] = tokenizer.start_id
    if tokenizer.mask_id is not None:
        ids |= {"cls_token": tokenizer.start_id, "sep_token": tokenizer.end_id}
    return {role: tokenizer.vocabulary[index] for role, index in ids.items() if index is not None}


def read_model_proto(path: Path) -> ModelProto:
    """A serialized model, its character map checked. Raises UserError where it is none."""
    try:
        proto = ModelProto.FromString(read_limited(path))
        check_charsmap(proto.normalizer_spec.precompiled_charsmap)
    except (DecodeError, ValueError) as error:
        raise UserError(f"{path} is no SentencePiece model: {error}.", "Expected a serialized ModelProto.") from error
    return proto
