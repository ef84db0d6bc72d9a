"""Tokenizers of other layouts under the names that Hugging Face's files have."""

import shutil
from pathlib import Path
from typing import Any

from tfplm.errors import UserError
from tfplm.interop.json_files import read_json_object, write_json

_LARGEST = 1 << 28  # bytes of a file
_CONFIG = "tokenizer_config.json"
_VOCABULARY = "vocabulary.txt"
_UNIGRAMS = "vocabulary.spm"
# KerasHub's classes: Hugging Face's class, and the names of the files there.
_CLASSES = {
    "BertTokenizer": ("BertTokenizer", {_VOCABULARY: "vocab.txt"}),
    "DistilBertTokenizer": ("DistilBertTokenizer", {_VOCABULARY: "vocab.txt"}),
    "GPT2Tokenizer": ("GPT2Tokenizer", {"vocabulary.json": "vocab.json", "merges.txt": "merges.txt"}),
    "RobertaTokenizer": ("RobertaTokenizer", {"vocabulary.json": "vocab.json", "merges.txt": "merges.txt"}),
    "AlbertTokenizer": ("AlbertTokenizer", {_UNIGRAMS: "spiece.model"}),
    "T5Tokenizer": ("T5Tokenizer", {_UNIGRAMS: "spiece.model"}),
    "XLMRobertaTokenizer": ("XLMRobertaTokenizer", {_UNIGRAMS: "sentencepiece.bpe.model"}),
    "LlamaTokenizer": ("LlamaTokenizer", {_UNIGRAMS: "tokenizer.model"}),
    "MistralTokenizer": ("LlamaTokenizer", {_UNIGRAMS: "tokenizer.model"}),
}


def copy_keras_hub_tokenizer(preset: Path, folder: Path) -> bool:
    """Copies the tokenizer of a KerasHub preset; nothing where the preset has none.

    Source: the layout of `Tokenizer.save_to_preset` of KerasHub 0.32: tokenizer.json, and assets/tokenizer/.

    Args:
        preset: its folder.
        folder: that is there, and empty.

    Returns:
        Whether the preset has a tokenizer.

    Raises:
        UserError: it is damaged, or of a kind that is not supported.
    """
    path = preset / "tokenizer.json"
    if not path.is_file():
        return False
    values = read_json_object(path)
    name, settings = values.get("class_name"), values.get("config")
    if not isinstance(name, str) or name not in _CLASSES or not isinstance(settings, dict):
        raise UserError(f"{path} is of a {name!r}.", f"Supported: {', '.join(_CLASSES)}.")
    kind, files = _CLASSES[name]
    for theirs, ours in files.items():
        _copy(preset / "assets" / "tokenizer" / theirs, folder / ours)
    if "merges.txt" in files:
        _add_version(folder / "merges.txt")
    write_json(folder / _CONFIG, {"tokenizer_class": kind, **_options(settings)})
    return True


def copy_cased_vocabulary(source: Path, folder: Path) -> bool:
    """Copies a ``vocab.txt`` that has no settings beside it and knows capital letters: then nothing is lower-cased.

    Returns:
        Whether it is such a one.
    """
    path = source / "vocab.txt"
    if not path.is_file() or (source / _CONFIG).is_file() or path.stat().st_size > _LARGEST:
        return False
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if not any(line != line.lower() for line in lines if not line.startswith("[")):
        return False
    shutil.copyfile(path, folder / "vocab.txt")
    write_json(folder / _CONFIG, {"tokenizer_class": "BertTokenizer", "do_lower_case": False})
    return True


def _copy(source: Path, target: Path) -> None:
    if not source.is_file() or source.stat().st_size > _LARGEST:
        raise UserError(
            f"There is no {source}, or it has over {_LARGEST:,} bytes.", "Expected a file of the tokenizer."
        )
    shutil.copyfile(source, target)


def _add_version(merges: Path) -> None:
    """Hugging Face's files begin with the version; KerasHub's need not."""
    data = merges.read_bytes()
    if not data.startswith(b"#version"):
        merges.write_bytes(b"#version: 0.2\n" + data)


def _options(settings: dict[str, Any]) -> dict[str, Any]:
    names = {"lowercase": "do_lower_case", "strip_accents": "strip_accents", "add_prefix_space": "add_prefix_space"}
    return {theirs: settings[ours] for ours, theirs in names.items() if isinstance(settings.get(ours), bool)}
