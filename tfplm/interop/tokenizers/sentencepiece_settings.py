"""A SentencePiece model from the tokenizer.json of a Unigram or BPE tokenizer."""

import base64
import binascii
from pathlib import Path
from typing import Any

from sentencepiece.sentencepiece_model_pb2 import ModelProto, NormalizerSpec, TrainerSpec
from tokenizers import normalizers, pre_tokenizers

from tfplm.errors import UserError
from tfplm.interop.tokenizers.charsmap import check_charsmap
from tfplm.interop.tokenizers.sentencepiece_families import Piece
from tfplm.tokenizers.lossless import byte_token
from tfplm.tokenizers.sentencepiece import SPACE_SIGN

_BYTE_TOKENS = frozenset(map(byte_token, range(256)))
_STEPS = {
    "Nmt": "nmt",
    "NFC": "nfc",
    "NFD": "nfd",
    "NFKC": "nfkc",
    "NFKD": "nfkd",
    "StripAccents": "strip_accents",
    "Lowercase": "lowercase",
}
_MAX_LENGTH = 1024  # every cut of a token is looked up
_SUPPORTED = (
    "Supported: the models Unigram, and BPE whose merges follow from the pieces; the normalizers Precompiled, Prepend,"
    f" Replace, Strip, {', '.join(_STEPS)}; the pre-tokenizers WhitespaceSplit and Metaspace."
)


def is_sentencepiece(settings: dict[str, Any]) -> bool:
    """Whether a tokenizer.json holds a SentencePiece model rather than WordPiece or byte-level BPE."""
    model = settings.get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    parts = [settings.get(name) for name in ("normalizer", "pre_tokenizer", "decoder")]
    return kind == "Unigram" or (kind == "BPE" and "'ByteLevel'" not in str(parts))


def model_of(settings: dict[str, Any], unknown: str, path: Path) -> tuple[ModelProto, dict[str, Any]]:
    """The model, and the options of ``ImportedSentencePieceConfig`` that stand around it.

    Args:
        settings: the tokenizer.json.
        unknown: the name of the unknown token where a BPE model tells none, as it never gives one.
        path: of the file, for messages.

    Raises:
        UserError: something is damaged or not supported.
    """
    try:
        model = settings["model"]
        proto = _unigram(model) if model["type"] == "Unigram" else _bpe(model, unknown, path)
        options = _normalization(settings, proto.normalizer_spec, path)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, binascii.Error) as error:
        raise UserError(f"{path} is damaged: {error!r}.", "Expected what the `tokenizers` package writes.") from error
    return proto, options


def _unigram(model: dict[str, Any]) -> ModelProto:
    has_bytes = bool(model.get("byte_fallback", False))
    pieces = [Piece(piece=token, score=score, type=_type(token, has_bytes)) for token, score in model["vocab"]]
    if model["unk_id"] is None:
        raise ValueError("there is no unknown token (unk_id)")
    pieces[model["unk_id"]].type = Piece.UNKNOWN
    trainer = TrainerSpec(model_type=TrainerSpec.UNIGRAM, byte_fallback=has_bytes, unk_id=model["unk_id"])
    return ModelProto(pieces=pieces, trainer_spec=trainer)


def _bpe(model: dict[str, Any], unknown: str, path: Path) -> ModelProto:
    for key, wanted in (("continuing_subword_prefix", ""), ("end_of_word_suffix", ""), ("dropout", 0)):
        if model.get(key):
            raise UserError(f"{path}: the BPE model has {key} {model[key]!r}.", f"Supported: {wanted or 'none'}.")
    if model.get("ignore_merges"):
        raise UserError(f"{path}: the BPE model ignores merges.", "Supported: ignore_merges false.")
    has_bytes = bool(model.get("byte_fallback", False))
    vocabulary = model["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    if [vocabulary[token] for token in tokens] != list(range(len(tokens))):
        raise ValueError("the ids are not 0, 1, 2 and so on")
    if max(map(len, tokens)) > _MAX_LENGTH:
        raise ValueError(f"a token has over {_MAX_LENGTH} characters")
    scores = _scores(vocabulary, [_pair(merge) for merge in model["merges"]], path)
    pieces = [
        Piece(piece=token, score=scores.get(token, -float(len(model["merges"]))), type=_type(token, has_bytes))
        for token in tokens
    ]
    unknown_id = vocabulary[model.get("unk_token") or unknown]
    pieces[unknown_id].type = Piece.UNKNOWN
    trainer = TrainerSpec(model_type=TrainerSpec.BPE, byte_fallback=has_bytes, unk_id=unknown_id)
    return ModelProto(pieces=pieces, trainer_spec=trainer)


def _type(token: str, has_bytes: bool) -> int:
    return Piece.BYTE if has_bytes and token in _BYTE_TOKENS else Piece.NORMAL


def _pair(merge: Any) -> tuple[str, str]:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


def _scores(vocabulary: dict[str, int], merges: list[tuple[str, str]], path: Path) -> dict[str, float]:
    """A score for every piece that is merged, as SentencePiece merges the neighbours whose piece has the highest.

    It knows no merges, only pieces: whatever two neighbours make up a piece are merged. So all merges of a piece must
    be there, and follow each other.
    """
    ranks: dict[str, int] = {}
    last = ""
    for rank, (left, right) in enumerate(merges):
        piece = left + right
        if piece not in vocabulary or (piece in ranks and piece != last):
            raise _not_expressible(path, left, right)
        ranks.setdefault(piece, rank)
        last = piece
    given = set(merges)
    for piece in vocabulary:
        for cut in range(1, len(piece)):
            pair = piece[:cut], piece[cut:]
            if pair[0] in vocabulary and pair[1] in vocabulary and pair not in given:
                raise _not_expressible(path, *pair)
    return {piece: -float(rank) for piece, rank in ranks.items()}


def _not_expressible(path: Path, left: str, right: str) -> UserError:
    return UserError(
        f"{path}: the merge of {left!r} and {right!r} is missing, makes no token, or stands apart from the others of"
        f" {left + right!r}.",
        "Expected the merges of a SentencePiece model: all that make up a token, one behind the other.",
    )


def _normalization(settings: dict[str, Any], spec: NormalizerSpec, path: Path) -> dict[str, Any]:
    """Sets the model's normalization, and returns what comes before it."""
    before, inside = _normalizers(settings.get("normalizer"), spec, path)
    parts = _parts(settings.get("pre_tokenizer"), "pretokenizers")
    kinds = [part["type"] for part in parts]
    if kinds not in ([], ["Metaspace"], ["WhitespaceSplit", "Metaspace"]):
        raise UserError(f"{path} has the pre-tokenizer {' and '.join(kinds)}.", _SUPPORTED)
    is_squeezed = "squeeze" in inside or "WhitespaceSplit" in kinds
    prefix = "always" if "prepend" in inside else "never"
    if parts and kinds[-1] == "Metaspace":
        scheme = parts[-1].get("prepend_scheme", "always" if parts[-1].get("add_prefix_space", True) else "never")
        if parts[-1].get("replacement", SPACE_SIGN) != SPACE_SIGN or scheme not in ("always", "first", "never"):
            raise UserError(f"{path} has the pre-tokenizer {parts[-1]}.", f"Supported: Metaspace with {SPACE_SIGN!r}.")
        if scheme != "never":
            prefix = "model" if is_squeezed else "unless_space"
    elif prefix == "always" and is_squeezed:
        prefix = "model"
    if "WhitespaceSplit" in kinds:
        before["replacements"] += other_white_space(spec)
    spec.add_dummy_prefix = prefix == "model"
    spec.remove_extra_whitespaces = is_squeezed
    spec.escape_whitespaces = True
    return {**before, "dummy_prefix": prefix, "strips_prefix": prefix != "never"}


def other_white_space(spec: NormalizerSpec) -> list[list[str]]:
    """Replaces what ``WhitespaceSplit`` takes for white space and the model does not."""
    white_space = [character for character in map(chr, range(0x3001)) if _is_split_at(character)]
    if spec.precompiled_charsmap:
        normalizer = normalizers.Precompiled(spec.precompiled_charsmap)
        white_space = [character for character in white_space if normalizer.normalize_str(character) == character]
    return [[character, " "] for character in white_space if character != " "]


def _is_split_at(character: str) -> bool:
    return character.isspace() and len(pre_tokenizers.WhitespaceSplit().pre_tokenize_str(f"a{character}a")) == 2


def _normalizers(part: Any, spec: NormalizerSpec, path: Path) -> tuple[dict[str, Any], set[str]]:
    """What comes before the model, and which of the model's own steps there are: squeeze, prepend."""
    replacements: list[list[str]] = []
    steps: list[str] = []
    inside: set[str] = set()
    spec.name = "identity"
    for step in _parts(part, "normalizers"):
        kind, pattern = step["type"], step.get("pattern")
        is_before = not inside and not spec.precompiled_charsmap
        if kind == "Precompiled" and is_before:
            spec.name = "precompiled"
            spec.precompiled_charsmap = base64.b64decode(step["precompiled_charsmap"] or "")
            check_charsmap(spec.precompiled_charsmap)
        elif kind in _STEPS and is_before:
            steps.append(_STEPS[kind])
        elif kind == "Replace" and pattern == {"Regex": " {2,}"} and step["content"] in (" ", SPACE_SIGN):
            inside.add("squeeze")
        elif kind == "Replace" and pattern == {"String": " "} and step["content"] == SPACE_SIGN:
            inside.add("escape")
        elif kind == "Replace" and pattern == {"Regex": "^ +| +$"} and step["content"] == "":
            inside.add("squeeze")
        elif kind == "Replace" and list(pattern) == ["String"] and is_before and not steps:
            replacements.append([str(pattern["String"]), str(step["content"])])
        elif kind == "Prepend" and step["prepend"] == SPACE_SIGN:
            inside.add("prepend")
        elif kind == "Strip":
            inside.add("strip")
        else:
            raise UserError(f"{path} has the normalizer {kind} in a place or a form of its own.", _SUPPORTED)
    return {"replacements": replacements, "normalization": steps}, inside


def _parts(part: Any, key: str) -> list[dict[str, Any]]:
    """The parts of a sequence, or the one part, or none."""
    if part is None:
        return []
    if part["type"] == "Sequence":
        return [inner for member in part[key] for inner in _parts(member, key)]
    return [part]
