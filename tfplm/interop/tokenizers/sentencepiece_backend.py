"""SentencePiece models as a `tokenizers.Tokenizer` that gives the same ids."""

from collections.abc import Iterable

from sentencepiece.sentencepiece_model_pb2 import ModelProto, TrainerSpec
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from tfplm.interop.tokenizers.sentencepiece_families import Piece
from tfplm.tokenizers.bytes import ByteTokenizer
from tfplm.tokenizers.configuration import ImportedSentencePieceConfig
from tfplm.tokenizers.imported_sentencepiece import ImportedSentencePieceTokenizer
from tfplm.tokenizers.sentencepiece import (
    ESCAPE,
    ESCAPED_ESCAPE,
    ESCAPED_SPACE_SIGN,
    SPACE_SIGN,
    SentencePieceTokenizer,
)

_NORMALIZERS = {
    "nmt": normalizers.Nmt,
    "nfc": normalizers.NFC,
    "nfd": normalizers.NFD,
    "nfkc": normalizers.NFKC,
    "nfkd": normalizers.NFKD,
    "strip_accents": normalizers.StripAccents,
    "lowercase": normalizers.Lowercase,
}
_NEVER = -1e6  # the score of what text must not give


def imported_backend(tokenizer: ImportedSentencePieceTokenizer) -> Tokenizer:
    """An imported model. The whole text is one word, as for SentencePiece, so that pieces may hold spaces."""
    proto, config = ModelProto.FromString(tokenizer.model), tokenizer.config
    backend = Tokenizer(_model(proto, [piece.piece for piece in proto.pieces]))
    backend.normalizer = normalizers.Sequence(_normalizers(proto, config))
    parts = _symbols(_apart(proto, [piece.piece for piece in proto.pieces]))
    if config.dummy_prefix == "unless_space":
        parts.insert(0, pre_tokenizers.Metaspace(replacement=SPACE_SIGN, prepend_scheme="first", split=False))
    if parts:
        backend.pre_tokenizer = pre_tokenizers.Sequence(parts)
    steps = [decoders.Replace(SPACE_SIGN, " "), decoders.ByteFallback(), decoders.Fuse()]
    backend.decoder = decoders.Sequence([*steps, *([decoders.Strip(" ", 1, 0)] if config.strips_prefix else [])])
    return backend


def own_backend(tokenizer: SentencePieceTokenizer) -> Tokenizer:
    """A model that tfplm trained. Its pieces hold spaces as they are here, so that nothing has to be escaped."""
    proto = ModelProto.FromString(tokenizer.model)
    literal = {ESCAPED_ESCAPE: ESCAPE, ESCAPED_SPACE_SIGN: SPACE_SIGN}
    tokens = [literal.get(piece.piece, piece.piece.replace(SPACE_SIGN, " ")) for piece in proto.pieces]
    return _lossless(_model(proto, tokens), _apart(proto, tokens))


def bytes_backend(tokenizer: ByteTokenizer) -> Tokenizer:
    """Bytes alone: BPE that knows no character, so that each falls back to its bytes."""
    num_tokens = tokenizer.vocabulary_size - len(tokenizer.sentinel_ids)
    ids = {token: index for index, token in enumerate(tokenizer.vocabulary[:num_tokens])}
    unknown = tokenizer.vocabulary[2]
    return _lossless(models.BPE(ids, [], unk_token=unknown, byte_fallback=True), ())


def _lossless(model: models.Model, symbols: Iterable[str]) -> Tokenizer:
    backend = Tokenizer(model)
    parts = _symbols(symbols)
    if parts:
        backend.pre_tokenizer = parts[0]
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return backend


def _apart(proto: ModelProto, tokens: list[str]) -> set[str]:
    """What is cut out of the text first: a model's own symbols, and what keeps names of special tokens from matching.

    A character that becomes bytes anyhow can be cut out; without byte fallback neighbours are one unknown token.
    """
    kinds = [piece.type for piece in proto.pieces]
    symbols = {token for token, kind in zip(tokens, kinds, strict=True) if kind == Piece.USER_DEFINED}
    if not proto.trainer_spec.byte_fallback or proto.trainer_spec.model_type != TrainerSpec.UNIGRAM:
        return symbols
    is_text = (Piece.NORMAL, Piece.USER_DEFINED, Piece.UNUSED)
    names = {token for token, kind in zip(tokens, kinds, strict=True) if kind not in is_text}
    known = {character for token, kind in zip(tokens, kinds, strict=True) if kind in is_text for character in token}
    return symbols | set("".join(names)) - known


def _symbols(symbols: Iterable[str]) -> list[pre_tokenizers.PreTokenizer]:
    """Cuts the text around what is a token of its own wherever it stands; the longest first, as SentencePiece does."""
    ordered = sorted(symbols, key=len, reverse=True)
    if not ordered:
        return []
    codes = ("".join(rf"\x{{{ord(character):X}}}" for character in symbol) for symbol in ordered)
    return [pre_tokenizers.Split(Regex("|".join(codes)), "isolated")]


def _normalizers(proto: ModelProto, config: ImportedSentencePieceConfig) -> list[normalizers.Normalizer]:
    spec = proto.normalizer_spec
    steps = [normalizers.Replace(pattern, content) for pattern, content in config.replacements]
    steps += [_NORMALIZERS[name]() for name in config.normalization]
    if spec.precompiled_charsmap:
        steps.append(normalizers.Precompiled(spec.precompiled_charsmap))
    if spec.remove_extra_whitespaces:
        steps += [normalizers.Replace(Regex("^ +| +$"), ""), normalizers.Replace(Regex(" {2,}"), " ")]
    if config.dummy_prefix == "always" or (config.dummy_prefix == "model" and spec.add_dummy_prefix):
        steps.append(normalizers.Prepend(SPACE_SIGN))
    if config.dummy_prefix != "unless_space":
        steps.append(normalizers.Replace(" ", SPACE_SIGN))
    return steps


def _model(proto: ModelProto, tokens: list[str]) -> models.Model:
    unknown = next(index for index, piece in enumerate(proto.pieces) if piece.type == Piece.UNKNOWN)
    has_bytes = proto.trainer_spec.byte_fallback
    if proto.trainer_spec.model_type == TrainerSpec.UNIGRAM:
        scores = _scores(proto, tokens)
        return models.Unigram(list(zip(tokens, scores, strict=True)), unknown, has_bytes)
    ids = {token: index for index, token in enumerate(tokens)}
    return models.BPE(
        ids, _merges(proto, tokens, ids), unk_token=tokens[unknown], fuse_unk=True, byte_fallback=has_bytes
    )


def _scores(proto: ModelProto, tokens: list[str]) -> list[float]:
    """The scores of the pieces; text does not give those that are not for text.

    `tokenizers` takes every piece for text, the names of special tokens and of bytes too. A very low score prevents
    it, but makes unknown characters as unlikely: so only where no cut depends on those, as every character of a piece
    is a piece, which is so in models that SentencePiece trained.
    """
    normal = {token for token, piece in zip(tokens, proto.pieces, strict=True) if piece.type == Piece.NORMAL}
    own = {token for token, piece in zip(tokens, proto.pieces, strict=True) if piece.type == Piece.USER_DEFINED}
    known = {token for token in normal | own if len(token) == 1}
    never = _NEVER if known >= set("".join(normal)) else 0.0
    greatest = max((piece.score for piece in proto.pieces if piece.type == Piece.NORMAL), default=0.0)
    return [_score(piece, never, greatest) for piece in proto.pieces]


def _score(piece: Piece, never: float, greatest: float) -> float:
    if piece.type == Piece.USER_DEFINED:
        return len(piece.piece) * greatest - 0.1  # as SentencePiece has it
    return piece.score if piece.type in (Piece.NORMAL, Piece.UNUSED) else never


def _merges(proto: ModelProto, tokens: list[str], ids: dict[str, int]) -> list[tuple[str, str]]:
    """All merges that make a piece, those of the piece with the highest score first."""
    usable = {token for token, piece in zip(tokens, proto.pieces, strict=True) if piece.type == Piece.NORMAL}
    ordered = sorted(usable, key=lambda token: (-proto.pieces[ids[token]].score, ids[token]))
    return [
        (token[:cut], token[cut:])
        for token in ordered
        for cut in range(1, len(token))
        if token[:cut] in usable and token[cut:] in usable
    ]
