"""Byte-level BPE of `transformers` folders: tokenizer.json, or a vocabulary and merges, in and out."""

from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import decoders, normalizers

from tfplm.errors import UserError
from tfplm.interop.tokenizers.byte_level_pipeline import (
    MODEL_PATTERNS,
    build_frame,
    build_splitter,
    frame,
    read_splitter,
)
from tfplm.interop.tokenizers.pair_frames import pair_separator
from tfplm.interop.tokenizers.tokenizer_files import (
    CONFIG,
    NAMES,
    TOKENIZER,
    added_tokens,
    read_json,
    read_limited,
    special_token,
    token_name,
    write_tokenizer,
)
from tfplm.run_directory import write_text
from tfplm.tokenizers.byte_level_bpe import ByteLevelBpeTokenizer, merges_text, parse_merges, vocabulary_json
from tfplm.tokenizers.configuration import ByteLevelBpeConfig

_VOCABULARY, _MERGES = "vocab.json", "merges.txt"
_PAIRS_OF_FILES = ((_VOCABULARY, _MERGES), ("encoder.json", "vocab.bpe"))
_HIGHEST_ID = (1 << 20) - 1
_END = "<|endoftext|>"
# Where the files do not name a role, by the model's type. Qwen2 has no start.
_DEFAULT_NAMES = {
    "gpt2": {"bos_token": _END, "eos_token": _END, "unk_token": _END},
    "qwen2": {"eos_token": _END, "pad_token": _END, "unk_token": _END},
    "roberta": {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "cls_token": "<s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    },
}
_ROLES = tuple(_DEFAULT_NAMES["roberta"])
_NOT_SUPPORTED = {"dropout": None, "continuing_subword_prefix": None, "end_of_word_suffix": None}


def read_byte_level_bpe(folder: Path) -> ByteLevelBpeTokenizer | None:
    """Reads tokenizer.json, else vocab.json and merges.txt (or encoder.json and vocab.bpe); None: no byte-level BPE.

    Its ids are those of `transformers` with ``split_special_tokens=True``: text never gives a special id here, nor that
    of another added token.

    Raises:
        UserError: a file is damaged, two of them disagree, or they hold something that is not supported, which the
            message names.
    """
    settings = read_json(folder / TOKENIZER)
    if settings:
        return _read_settings(settings, folder) if _is_byte_level(settings) else None
    for names in _PAIRS_OF_FILES:
        if all((folder / name).is_file() for name in names):
            return _read_pair_of_files(folder, *names)
    return None


def write_byte_level_bpe(tokenizer: ByteLevelBpeTokenizer, folder: Path, max_length: int) -> None:
    """Writes tokenizer.json, vocab.json, merges.txt and their companions, which ``AutoTokenizer`` reads.

    Every token that no text gives becomes a special one.
    """
    config, vocabulary = tokenizer.config, tokenizer.vocabulary
    special = set(tokenizer.special_ids)
    last_ordinary = max(index for index in range(len(vocabulary)) if index not in special)
    ids = {token: index for index, token in enumerate(vocabulary[: last_ordinary + 1])}
    model = tokenizers.models.BPE(ids, tokenizer.merges, ignore_merges=config.ignore_merges)
    backend = tokenizers.Tokenizer(model)
    backend.normalizer = normalizers.NFC() if config.normalize else None
    backend.pre_tokenizer = build_splitter(config)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([special_token(vocabulary[index]) for index in tokenizer.special_ids])
    backend.post_processor = build_frame(tokenizer)
    ids = {"bos_token": config.start_id, "eos_token": config.end_id, "pad_token": config.pad_id}
    ids |= {"unk_token": config.unknown_id, "mask_token": config.mask_id}
    if config.prefix_ids and config.suffix_ids:
        ids |= {"cls_token": config.prefix_ids[0], "sep_token": config.suffix_ids[-1]}
    names = {role: vocabulary[index] for role, index in ids.items() if index is not None and index >= 0}
    none = {role: None for role in ids if role not in names}  # else a class of transformers takes its own
    write_text(folder / _VOCABULARY, vocabulary_json(vocabulary))
    write_text(folder / _MERGES, merges_text(tokenizer.merges))
    tokenizer_class = "Qwen2Tokenizer" if config.pattern == "qwen2" else "PreTrainedTokenizerFast"
    write_tokenizer(backend, folder, max_length, tokenizer_class, names, **none)


def _is_byte_level(settings: dict[str, Any]) -> bool:
    model = settings.get("model")
    is_bpe = isinstance(model, dict) and model.get("type", "BPE" if "merges" in model else None) == "BPE"
    return is_bpe and "'ByteLevel'" in f"{settings.get('pre_tokenizer')}{settings.get('decoder')}"


def _read_settings(settings: dict[str, Any], folder: Path) -> ByteLevelBpeTokenizer:
    path = folder / TOKENIZER
    model = settings["model"]
    for key, wanted in _NOT_SUPPORTED.items():
        if model.get(key):
            raise UserError(f"{path}: the model has {key} {model[key]!r}.", f"Supported: {wanted!r}.")
    merges = model.get("merges")
    if not isinstance(merges, list):
        raise UserError(f"{path}: the merges are damaged.", "Expected a list of pairs of tokens.")
    pairs = [_pair(merge, path) for merge in merges]
    options = read_splitter(settings, path) | {"ignore_merges": model.get("ignore_merges") is True}
    added = added_tokens(folder)
    blank = next((name for name, is_special in added.values() if not is_special and not name.strip()), None)
    if blank is not None:
        raise UserError(
            f"{path} adds the token {blank!r}, which is white space.",
            "Supported: added tokens that ordinary text does not hold.",
        )
    names = {index: name for index, (name, _) in added.items()}
    return _build(folder, path, model.get("vocab"), pairs, names, options, settings.get("post_processor"))


def _read_pair_of_files(folder: Path, vocabulary_name: str, merges_name: str) -> ByteLevelBpeTokenizer:
    kind = read_json(folder / "config.json").get("model_type", "gpt2")
    if kind not in MODEL_PATTERNS:
        raise UserError(
            f"{folder} has {vocabulary_name} and {merges_name} of the model type {kind!r}, and no {TOKENIZER}.",
            f"Supported without {TOKENIZER}: {', '.join(MODEL_PATTERNS)}.",
            f"Make {TOKENIZER} with transformers: AutoTokenizer.from_pretrained(...).save_pretrained(...).",
        )
    path = folder / merges_name
    try:
        pairs = parse_merges(read_limited(path).decode("utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}.", "Expected two tokens a line.") from error
    added = {index: name for index, (name, _) in added_tokens(folder).items()}
    for name, index in read_json(folder / "added_tokens.json").items():
        if not isinstance(index, int) or added.setdefault(index, name) != name:
            raise UserError(f"{folder / 'added_tokens.json'} gives {name!r} the id {index!r}, which is another's.")
    values = read_json(folder / CONFIG)
    options = dict(MODEL_PATTERNS[kind]) | {"add_prefix_space": values.get("add_prefix_space") is True}
    ids = read_json(folder / vocabulary_name)
    edges = {"type": "RobertaProcessing", "cls": ["<s>"], "sep": ["</s>"]} if kind == "roberta" else None
    return _build(folder, folder / vocabulary_name, ids, pairs, added, options, edges)


def _build(folder, path, ids, pairs, added, options, post_processor) -> ByteLevelBpeTokenizer:
    """The tokenizer of what the files hold.

    Args:
        folder: of the files.
        path: of the file with the vocabulary, for messages.
        ids: by name, of the model's vocabulary.
        pairs: the merges.
        added: names by id, of the tokens beside.
        options: of ByteLevelBpeConfig, what is told by the way that text is split.
        post_processor: what tokenizer.json says of it.
    """
    vocabulary, holes = _vocabulary(ids, added, path)
    ids = {token: index for index, token in enumerate(vocabulary)}
    roles = _roles(folder, ids)
    start = roles.get("bos_token", roles.get("cls_token"))
    end = roles.get("eos_token", roles.get("sep_token", start))
    if end is None:
        raise UserError(f"{folder} names no eos_token.", f"Expected one in {CONFIG} or {NAMES}.")
    start = end if start is None else start
    prefix, suffix = frame(post_processor, ids, folder / TOKENIZER)
    separator = pair_separator(post_processor, ids, folder / TOKENIZER)
    values = read_json(folder / CONFIG)
    if "add_bos_token" in values or "add_eos_token" in values:  # wins in transformers
        prefix = [start] if values.get("add_bos_token") is True else []
        suffix = [end] if values.get("add_eos_token") is True else []
        separator = None
    pad = roles.get("pad_token")
    pad = -1 if pad in (None, start, end) else pad
    unknown = roles.get("unk_token")
    config = ByteLevelBpeConfig(
        vocabulary_size=len(vocabulary),
        start_id=start,
        end_id=end,
        pad_id=pad,
        unknown_id=None if unknown in (start, end, pad) else unknown,
        mask_id=roles.get("mask_token"),
        special_ids=sorted({*roles.values(), *added, *holes, *prefix, *suffix, *(separator or ())}),
        prefix_ids=prefix,
        suffix_ids=suffix,
        pair_separator_ids=separator or suffix or [end],
        **options,
    )
    try:
        return ByteLevelBpeTokenizer(vocabulary, pairs, config)
    except ValueError as error:
        raise UserError(f"The vocabulary of {path} does not fit: {error}.", "Expected byte-level BPE.") from error


def _pair(merge: Any, path: Path) -> tuple[str, str]:
    """A merge, which tokenizer.json notes as a string or as a pair."""
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) and part for part in parts):
        raise UserError(f"{path}: the merge {str(merge)[:80]!r} is damaged.", "Expected a pair of tokens.")
    return parts[0], parts[1]


def _vocabulary(ids: Any, added: dict[int, str], path: Path) -> tuple[list[str], list[int]]:
    """The tokens in the order of their ids, a name for every id that is left out, and those ids."""
    if not isinstance(ids, dict) or not ids:
        raise UserError(f"{path}: the vocabulary is damaged.", "Expected an id for every token.")
    by_id: dict[int, str] = {}
    for token, index in [*ids.items(), *((name, index) for index, name in added.items())]:
        if type(index) is not int or not 0 <= index <= _HIGHEST_ID:
            raise UserError(f"{path} gives {token!r} the id {index!r}.", f"Expected 0 to {_HIGHEST_ID}.")
        if by_id.setdefault(index, token) != token or ids.get(token, index) != index:
            raise UserError(f"{path} gives {token!r} the id {index}, which does not fit the other tokens.")
    holes = [index for index in range(max(by_id) + 1) if index not in by_id]
    by_id |= {index: f"<unused_{index}>" for index in holes}
    return [by_id[index] for index in range(len(by_id))], holes


def _roles(folder: Path, ids: dict[str, int]) -> dict[str, int]:
    """The ids of the special tokens by their role."""
    defaults = _DEFAULT_NAMES.get(read_json(folder / "config.json").get("model_type", "gpt2"), {})
    named = read_json(folder / NAMES) | read_json(folder / CONFIG)
    roles = {role: ids[name] for role, name in defaults.items() if role not in named and name in ids}
    for role in _ROLES:
        name = token_name(named.get(role))
        if name is not None and name not in ids:
            raise UserError(f"{folder} has the {role} {name!r}, which is not in its vocabulary.")
        if name is not None:
            roles[role] = ids[name]
    return roles
