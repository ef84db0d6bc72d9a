"""WordPiece tokenizers of `transformers` folders: vocab.txt or tokenizer.json, in and out."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text
import tokenizers
from tokenizers import Regex, decoders, normalizers, pre_tokenizers, processors

from tfplm.errors import UserError
from tfplm.interop.tokenizers.charsmap import compile_charsmap
from tfplm.interop.tokenizers.tokenizer_files import (
    CONFIG,
    TOKENIZER,
    added_tokens,
    read_json,
    read_limited,
    token_name,
    write_tokenizer,
)
from tfplm.run_directory import write_text
from tfplm.tokenizers.bert_normalization import MAX_WORD_LENGTH
from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.wordpiece import CONTINUING_PREFIX, END, MASK, PAD, START, UNKNOWN, WordPieceTokenizer

_VOCABULARY = "vocab.txt"
_ROLES = {"pad_token": PAD, "unk_token": UNKNOWN, "cls_token": START, "sep_token": END, "mask_token": MASK}
_MODEL = {
    "unk_token": UNKNOWN,
    "continuing_subword_prefix": CONTINUING_PREFIX,
    "max_input_chars_per_word": MAX_WORD_LENGTH,
}
_SUPPORTED = "Supported: WordPiece with BertNormalizer and BertPreTokenizer, as BERT, DistilBERT and ELECTRA have it."
_NORMALIZATION = "tfplm_normalization"  # a key of tokenizer_config.json that only tfplm reads


def read_wordpiece(folder: Path) -> WordPieceTokenizer | None:
    """Reads vocab.txt or tokenizer.json, which wins where both are there; None where neither holds WordPiece.

    Its ids are those of `transformers` with ``split_special_tokens=True``: text never gives a special id here.

    Raises:
        UserError: a file is damaged, two of them disagree, or they hold something that is not supported, which the
            message names.
    """
    settings, values = read_json(folder / TOKENIZER), read_json(folder / CONFIG)
    model = _object(settings, "model", folder / TOKENIZER)
    kind = model.get("type", "WordPiece" if "continuing_subword_prefix" in model else None)
    if settings and kind != "WordPiece":
        return None
    if not settings and not (folder / _VOCABULARY).is_file():
        return None
    _check_config(values, folder / CONFIG)
    if settings:
        vocabulary, options = _read_settings(settings, values, folder)
    else:
        vocabulary = _read_vocabulary(folder / _VOCABULARY)
        options = {"lowercase": values.get("do_lower_case", True), "strip_accents": values.get("strip_accents")}
    vocabulary = _with_added(vocabulary, folder)
    config = _config(values, options, len(vocabulary), folder)
    try:
        tokenizer = WordPieceTokenizer(vocabulary, config)
    except ValueError as error:
        raise UserError(f"The vocabulary of {folder} does not fit: {error}.", _SUPPORTED) from error
    _check_added(tokenizer, folder)
    return tokenizer


def write_wordpiece(tokenizer: WordPieceTokenizer, folder: Path, max_length: int) -> None:
    """Writes vocab.txt, tokenizer.json and their companions, which ``AutoTokenizer`` reads.

    With "casefold", which tfplm trains, what TensorFlow Text makes of every character is written: as a SentencePiece
    character map and as classes of characters to cut at. The ids are equal but for words of more than 100 bytes (the
    limit is 100 characters there), and where a character that is folded makes up a sign of under 6 bytes with its
    neighbours: the package then loses the rest, such as U+0488 behind U+FAA0, or "0" behind U+06DD.
    """
    config, vocabulary = tokenizer.config, tokenizer.vocabulary
    ids = {token: index for index, token in enumerate(vocabulary)}
    backend = tokenizers.Tokenizer(tokenizers.models.WordPiece(ids, **_MODEL))
    backend.decoder = decoders.WordPiece(prefix=CONTINUING_PREFIX)
    backend.post_processor = processors.TemplateProcessing(
        single=f"{START}:0 $A:0 {END}:0",
        pair=f"{START}:0 $A:0 {END}:0 $B:1 {END}:1",
        special_tokens=[(token, ids[token]) for token in (START, END)],
    )
    write_text(folder / _VOCABULARY, "\n".join(vocabulary) + "\n")
    if config.normalization == "bert":
        options = {"lowercase": config.lowercase, "strip_accents": config.strip_accents}
        backend.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, **options)
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        further = {"do_lower_case": config.lowercase, "strip_accents": config.strip_accents}
        write_tokenizer(backend, folder, max_length, "BertTokenizer", _ROLES, tokenize_chinese_chars=True, **further)
        return
    if config.lowercase:
        backend.normalizer = _folding()
    backend.pre_tokenizer = _splitting()
    note = {_NORMALIZATION: "casefold", "do_lower_case": config.lowercase}
    write_tokenizer(backend, folder, max_length, "PreTrainedTokenizerFast", _ROLES, **note)


def _characters() -> list[str]:
    return [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def _folding() -> normalizers.Normalizer:
    """What ``FastBertNormalizer`` makes of every character."""
    characters = _characters()[1:]  # U+0000 cannot be a key, and is white space
    normalizer = tf_text.FastBertNormalizer(lower_case_nfd_strip_accents=True)
    folded = (text.decode() for text in normalizer.normalize(characters).numpy())
    rules = {character: text for character, text in zip(characters, folded, strict=True) if text != character}
    return normalizers.Precompiled(compile_charsmap(rules))


def _splitting() -> pre_tokenizers.PreTokenizer:
    """Cuts where ``FastBertTokenizer`` does: around signs that are words of their own, and at white space."""
    characters = _characters()
    tokenizer = tf_text.FastBertTokenizer([UNKNOWN, "a"], unknown_token=UNKNOWN)
    num_words = tokenizer.tokenize(tf.constant([f"a{character}a" for character in characters])).row_lengths().numpy()
    white_space, signs = (_class(np.flatnonzero(num_words == number)) for number in (2, 3))
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(f"{white_space}+"), "removed"), pre_tokenizers.Split(Regex(signs), "isolated")]
    )


def _class(indices: np.ndarray) -> str:
    """The class of a regular expression that holds the characters at these indices of ``_characters``."""
    codes = np.array([ord(character) for character in _characters()])[indices]
    runs = np.split(codes, np.flatnonzero(np.diff(codes) != 1) + 1)
    return "[" + "".join(rf"\x{{{run[0]:X}}}-\x{{{run[-1]:X}}}" for run in runs) + "]"


def _object(values: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    """What stands under a key, an object or nothing."""
    value = values.get(key) or {}
    if not isinstance(value, dict):
        raise UserError(f"{path}: '{key}' is a {type(value).__name__}.", "Expected an object.")
    return value


def _require(values: dict[str, Any], expected: dict[str, Any], what: str) -> None:
    for key, wanted in expected.items():
        if values.get(key, wanted) != wanted:
            raise UserError(f"{what} has {key} {values[key]!r}.", f"Supported: {wanted!r}.")


def _check_config(values: dict[str, Any], path: Path) -> None:
    _require(values, {"tokenize_chinese_chars": True, "do_basic_tokenize": True}, str(path))
    for role, token in _ROLES.items():
        name = token_name(values.get(role))
        if name not in (None, token):
            raise UserError(f"{path} has the {role} {name!r}.", f"Supported: {token!r}.")
    if values.get("never_split"):
        raise UserError(f"{path} has never_split {values['never_split']!r}.", "Supported: none.")


def _read_settings(
    settings: dict[str, Any], values: dict[str, Any], folder: Path
) -> tuple[list[str], dict[str, bool | None]]:
    """Vocabulary and normalization of a tokenizer.json."""
    path = folder / TOKENIZER
    model = settings["model"]
    _require(model, _MODEL, f"{path}: the model")
    vocabulary = _from_ids(model.get("vocab"), path)
    if (folder / _VOCABULARY).is_file():
        others = _read_vocabulary(folder / _VOCABULARY)
        different = [
            index for index, token in enumerate(others[: len(vocabulary)]) if vocabulary[index] not in ("", token)
        ]
        if different or not len(vocabulary) <= len(others):
            raise UserError(
                f"{path} and {_VOCABULARY} beside it disagree: {len(vocabulary)} tokens and {len(others)}"
                + (f", other ones at {different[0]}." if different else "."),
                "Expected the same vocabulary in both.",
                f"Remove the one that the model was not trained with, or copy {folder} again.",
            )
    if values.get(_NORMALIZATION) == "casefold":
        return vocabulary, {"lowercase": values.get("do_lower_case", True), "strip_accents": None}
    normalizer = _object(settings, "normalizer", path)
    for name, part, supported in (
        ("normalizer", normalizer, "BertNormalizer"),
        ("pre_tokenizer", _object(settings, "pre_tokenizer", path), "BertPreTokenizer"),
    ):
        if part.get("type") != supported:
            raise UserError(f"{path} has the {name} {part.get('type')!r}.", _SUPPORTED)
    _require(normalizer, {"clean_text": True, "handle_chinese_chars": True}, f"{path}: the normalizer")
    options = {"lowercase": normalizer.get("lowercase", True), "strip_accents": normalizer.get("strip_accents")}
    for key, option in (("do_lower_case", "lowercase"), ("strip_accents", "strip_accents")):
        if values.get(key, options[option]) != options[option]:
            raise UserError(
                f"{path} has {option} {options[option]!r}, and {CONFIG} {key} {values[key]!r}.",
                "Expected the same in both.",
                "Set both to what the model was trained with.",
            )
    return vocabulary, options


def _from_ids(ids: Any, path: Path) -> list[str]:
    """The tokens in the order of their ids; an id that is left out, as of a token that stood twice, is empty."""
    is_sound = isinstance(ids, dict) and all(isinstance(index, int) and index >= 0 for index in ids.values())
    if not is_sound or not ids or max(ids.values()) >= 2 * len(ids) or len(set(ids.values())) != len(ids):
        raise UserError(f"{path}: the vocabulary is damaged.", "Expected an id for every token, counted from 0 on.")
    vocabulary = [""] * (max(ids.values()) + 1)
    for token, index in ids.items():
        vocabulary[index] = token
    return vocabulary


def _read_vocabulary(path: Path) -> list[str]:
    try:
        text = read_limited(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} cannot be read as UTF-8 text: {error}.") from error
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")


def _with_added(vocabulary: list[str], folder: Path) -> list[str]:
    """The vocabulary with the special tokens that stand behind it."""
    vocabulary = list(vocabulary)
    for index, (name, is_special) in sorted(added_tokens(folder).items()):
        if index < len(vocabulary) and vocabulary[index] == name and (is_special or name in _ROLES.values()):
            continue
        if index != len(vocabulary) or not is_special:
            raise UserError(
                f"{folder} adds the token {name!r} with the id {index} to {len(vocabulary)} tokens.",
                "Expected special tokens only, each behind the last.",
            )
        vocabulary.append(name)
    return vocabulary


def _check_added(tokenizer: WordPieceTokenizer, folder: Path) -> None:
    """An added token must be none that text can give."""
    for index, (name, _) in added_tokens(folder).items():
        if index not in tokenizer.special_ids and index in tokenizer.encode([name])[0]:
            raise UserError(
                f"{folder} adds the special token {name!r}, which is an ordinary word as well.",
                "Expected a name with a punctuation sign in it.",
            )


def _config(values: dict[str, Any], options: dict[str, bool | None], size: int, folder: Path) -> WordPieceConfig:
    is_casefold = values.get(_NORMALIZATION) == "casefold"
    if not isinstance(options["lowercase"], bool) or options["strip_accents"] not in (None, True, False):
        raise UserError(
            f"{folder}: lowercase or strip_accents is {options}.", "Expected true, false or (accents) null."
        )
    kind = "casefold" if is_casefold else "bert"
    return WordPieceConfig(normalization=kind, vocabulary_size=size, **options)
