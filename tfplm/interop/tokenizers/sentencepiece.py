"""SentencePiece tokenizers of `transformers` folders: T5, mT5, ALBERT, XLM-RoBERTa, Llama, Mistral; in and out."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sentencepiece.sentencepiece_model_pb2 import ModelProto, TrainerSpec

from tfplm.errors import UserError
from tfplm.interop.tokenizers.pair_frames import pair_separator
from tfplm.interop.tokenizers.sentencepiece_families import (
    LLAMA,
    Piece,
    SentencePieceFamily,
    find_family,
    shift_ids,
    special_names,
    unknown_family,
)
from tfplm.interop.tokenizers.sentencepiece_settings import is_sentencepiece, model_of, other_white_space
from tfplm.interop.tokenizers.sentencepiece_writing import NOTE, read_model_proto, read_written
from tfplm.interop.tokenizers.tokenizer_files import (
    CONFIG,
    NAMES,
    TOKENIZER,
    added_tokens,
    read_json,
)
from tfplm.tokenizers.configuration import ImportedSentencePieceConfig
from tfplm.tokenizers.imported_sentencepiece import ImportedSentencePieceTokenizer
from tfplm.tokenizers.sentencepiece import MODEL_FILE
from tfplm.tokenizers.tokenizer import Tokenizer

MODEL_FILES = ("spiece.model", "sentencepiece.bpe.model", "tokenizer.model", MODEL_FILE)
_SENTINEL = re.compile("▁?<extra_id_([0-9]{1,4})>")
_MODEL_TYPES = (TrainerSpec.UNIGRAM, TrainerSpec.BPE)


def read_sentencepiece(folder: Path) -> Tokenizer | None:
    """Reads a tokenizer.json or, where there is none, a SentencePiece model; None where neither is there.

    What ``write_sentencepiece`` wrote comes back as it was.

    Its ids are those of `transformers` with ``split_special_tokens=True``, but for what
    ``ImportedSentencePieceTokenizer`` notes.

    Raises:
        UserError: a file is damaged, or holds something that is not supported, which the message names.
    """
    settings, values = read_json(folder / TOKENIZER), read_json(folder / CONFIG)
    if NOTE in values:
        return read_written(values[NOTE], folder)
    model_type = read_json(folder / "config.json").get("model_type")
    family = find_family(values, model_type)
    names = special_names(family, read_json(folder / NAMES), values)
    if settings:
        if not is_sentencepiece(settings):
            return None
        proto, options = model_of(settings, names.get("unk_token", "<unk>"), folder / TOKENIZER)
        if family is LLAMA and options["dummy_prefix"] == "always":  # the class replaces what tokenizer.json says
            options["dummy_prefix"] = "unless_space"
    else:
        path = next((folder / name for name in MODEL_FILES if (folder / name).is_file()), None)
        if path is None:
            return None
        if family is None:
            raise unknown_family(values, model_type, path)
        proto, options = _read_model(path, family, names, values)
    ids = _add_special(proto, names, folder)
    edges = _edges(settings, values, family, names, ids, folder)
    return _build(proto, names, ids, {**options, **edges}, folder)


def _read_model(
    path: Path, family: SentencePieceFamily, names: dict[str, str], values: dict[str, Any]
) -> tuple[ModelProto, dict[str, Any]]:
    """A model with its pieces at their ids, and what comes before it."""
    proto = read_model_proto(path)
    if proto.trainer_spec.model_type not in _MODEL_TYPES or len(proto.pieces) < 4:
        kind = TrainerSpec.ModelType.Name(proto.trainer_spec.model_type)
        raise UserError(f"{path} is a SentencePiece model of the type {kind}.", "Supported: UNIGRAM and BPE.")
    if family.has_shifted_ids:
        shift_ids(proto, names)
    sentinels = values.get("extra_ids", family.num_sentinels)
    if not isinstance(sentinels, int) or not 0 <= sentinels <= 10_000:
        raise UserError(f"{path.parent / CONFIG}: 'extra_ids' is {sentinels!r}.", "Expected a number up to 10000.")
    known = {piece.piece for piece in proto.pieces}
    new = (f"<extra_id_{index}>" for index in reversed(range(sentinels)))
    proto.pieces.extend(Piece(piece=name, type=Piece.CONTROL) for name in new if name not in known)
    spec = proto.normalizer_spec
    if family.is_squeezed:
        spec.add_dummy_prefix = spec.remove_extra_whitespaces = True
        options: dict[str, Any] = {"replacements": [*family.quotes, *other_white_space(spec)]}
    else:
        has_prefix = values.get("add_prefix_space") is not False
        spec.add_dummy_prefix = spec.remove_extra_whitespaces = False
        options = {"dummy_prefix": "unless_space" if has_prefix else "never", "strips_prefix": has_prefix}
    if family.quotes:
        accents = () if values.get("keep_accents", False) else ("nfkd", "strip_accents")
        case = ("lowercase",) if values.get("do_lower_case", True) else ()
        options["normalization"] = [*accents, *case]
    return proto, options


def _add_special(proto: ModelProto, names: dict[str, str], folder: Path) -> dict[str, int]:
    """Makes control symbols of all special tokens, the added ones behind the others; returns the ids of all tokens."""
    added = added_tokens(folder)
    # A word that is added is cut out of the text before everything else, as only a model's own symbols are here.
    given = {piece.piece for piece in proto.pieces if piece.type in (Piece.USER_DEFINED, Piece.UNKNOWN)} | set(
        names.values()
    )
    for index, (name, is_special) in sorted(added.items()):
        if index == len(proto.pieces) and is_special:
            proto.pieces.add(piece=name, type=Piece.CONTROL)
        elif index >= len(proto.pieces) or proto.pieces[index].piece != name or not is_special and name not in given:
            raise UserError(
                f"{folder} adds the token {name!r} with the id {index} to {len(proto.pieces)} tokens.",
                "Expected special tokens only, each behind the last.",
            )
    special = {name for name, is_special in added.values() if is_special} | set(names.values())
    for piece in proto.pieces:
        is_special = piece.piece in special or _SENTINEL.fullmatch(piece.piece)
        if is_special and piece.type != Piece.UNKNOWN:
            piece.type, piece.score = Piece.CONTROL, 0.0
    return {piece.piece: index for index, piece in enumerate(proto.pieces)}


def _edges(
    settings: dict[str, Any],
    values: dict[str, Any],
    family: SentencePieceFamily | None,
    names: dict[str, str],
    ids: dict[str, int],
    folder: Path,
) -> dict[str, list[int] | None]:
    """What stands before and behind a text, and between two."""
    separator = None  # as the family has it
    if family is LLAMA and not settings.get("post_processor") or {"add_bos_token", "add_eos_token"} & set(values):
        has = (values.get("add_bos_token", family is LLAMA), values.get("add_eos_token", False))
        prefix, suffix = (
            [names[role]] if has_it and role in names else []
            for has_it, role in zip(has, ("bos_token", "eos_token"), strict=True)
        )
        separator = _ids_of([*suffix, *prefix], ids, folder) or None
    elif settings:
        prefix, suffix = _template(settings.get("post_processor"), folder)
        separator = pair_separator(settings.get("post_processor"), ids, folder / TOKENIZER)
    else:
        prefix, suffix = ([names[role] for role in roles] for roles in (family.prefix, family.suffix))
    edges = {"prefix_ids": _ids_of(prefix, ids, folder), "suffix_ids": _ids_of(suffix, ids, folder)}
    return {**edges, "pair_separator_ids": separator}


def _template(processor: Any, folder: Path) -> tuple[list[str], list[str]]:
    """The tokens before and behind one text in a post-processor."""
    if processor is None:
        return [], []
    try:
        kind = processor["type"]
        if kind in ("BertProcessing", "RobertaProcessing"):
            return [processor["cls"][0]], [processor["sep"][0]]
        if kind == "TemplateProcessing":
            parts = processor["single"]
            text = [index for index, part in enumerate(parts) if "Sequence" in part]
            tokens = [part["SpecialToken"]["id"] for part in parts if "SpecialToken" in part]
            if len(text) == 1:
                return tokens[: text[0]], tokens[text[0] :]
    except (KeyError, TypeError, IndexError) as error:
        raise UserError(f"{folder / TOKENIZER}: the post-processor is damaged: {error!r}.") from error
    raise UserError(
        f"{folder / TOKENIZER} has the post-processor {kind!r}.",
        "Supported: TemplateProcessing around one text, BertProcessing, RobertaProcessing.",
    )


def _ids_of(tokens: Iterable[str], ids: dict[str, int], folder: Path) -> list[int]:
    try:
        return [ids[token] for token in tokens]
    except KeyError as error:
        raise UserError(f"{folder} has no token {error}.", "Expected every special token in the vocabulary.") from error


def _build(
    proto: ModelProto, names: dict[str, str], ids: dict[str, int], options: dict[str, Any], folder: Path
) -> ImportedSentencePieceTokenizer:
    roles = {role: ids[name] for role, name in names.items() if name in ids}
    sentinels = {int(match[1]): index for name, index in ids.items() if (match := _SENTINEL.fullmatch(name))}
    unknown = next((index for index, piece in enumerate(proto.pieces) if piece.type == Piece.UNKNOWN), None)
    start = next((roles[role] for role in ("bos_token", "cls_token", "pad_token") if role in roles), None)
    end = next((roles[role] for role in ("eos_token", "sep_token") if role in roles), None)
    if unknown is None or start is None or end is None:
        raise UserError(f"{folder} has the special tokens {names}.", "Expected one for unknown, for start and for end.")
    special = [index for index, piece in enumerate(proto.pieces) if piece.type in (Piece.CONTROL, Piece.UNKNOWN)]
    config = ImportedSentencePieceConfig(
        vocabulary_size=len(proto.pieces),
        pad_id=roles.get("pad_token", -1),
        unknown_id=unknown,
        start_id=start,
        end_id=end,
        mask_id=roles.get("mask_token"),
        special_ids=special,
        sentinel_ids=[sentinels[index] for index in sorted(sentinels)],
        **options,
    )
    model = ModelProto(pieces=proto.pieces, trainer_spec=proto.trainer_spec, normalizer_spec=proto.normalizer_spec)
    try:
        return ImportedSentencePieceTokenizer(model.SerializeToString(), config)
    except ValueError as error:
        raise UserError(f"The tokenizer of {folder} does not fit: {error}.") from error
