"""Opening a checkpoint, whoever wrote it."""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tfplm.errors import UserError
from tfplm.interop.json_files import read_json_object
from tfplm.interop.model_garden import config_from_garden, read_params
from tfplm.interop.refused_files import refusal
from tfplm.interop.safetensors_files import INDEX, SINGLE, open_safetensors
from tfplm.interop.tensors import Tensors
from tfplm.interop.tokenizer_copies import copy_cased_vocabulary, copy_keras_hub_tokenizer

_CONFIG = "config.json"
_TF_MODEL = "tf_model.h5"
_PRESET = "model.weights.h5"
_BERT_CONFIG = "bert_config.json"
_PARAMS = "params.yaml"
_EXPECTED = (
    "Expected config.json with model.safetensors (or its shards and index), config.json with tf_model.h5, a KerasHub "
    f"preset, or a TensorFlow BERT: {_BERT_CONFIG} with bert_model.ckpt.index and its data file."
)
_BERT_KEYS = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "max_position_embeddings",
    "type_vocab_size",
    "initializer_range",
    "embedding_size",
    "norm_first",
)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose files were checked; its tensors are still to be read.

    Args:
        folder: where it lies.
        kind: "huggingface", "tf_model_h5", "tf1_bert", "model_garden" or "keras_hub".
        config: the values of a Hugging Face config.json, made up where the checkpoint has another one.
        tensors: under Hugging Face's names.
        weight_files: that the tensors lie in.
        tokenizer_folder: with the tokenizer's files as Hugging Face names them.
        copies: the folder of the tokenizer where it is a copy; gone with this object.
    """

    folder: Path
    kind: str
    config: dict[str, Any]
    tensors: Tensors
    weight_files: tuple[Path, ...]
    tokenizer_folder: Path
    copies: tempfile.TemporaryDirectory | None = None

    @cached_property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of each file of weights by its name."""
        digests = {}
        for path in self.weight_files:
            with path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        return digests


def open_checkpoint(path: Path) -> Checkpoint:
    """Opens a checkpoint of any kind that is supported, by the files that are there.

    Args:
        path: a folder; or one of its files of weights, where it has several kinds, such as ``model.safetensors``,
            ``tf_model.h5`` or ``bert_model.ckpt``.

    Raises:
        UserError: nothing there is supported, or it is damaged.
    """
    if path.is_dir():
        return _open_folder(path)
    if path.name in (_CONFIG, _BERT_CONFIG, _PARAMS) and path.is_file():
        return _open_folder(path.parent)
    openers: dict[str, Callable[[Path], Checkpoint]] = {
        SINGLE: _open_huggingface,
        INDEX: _open_huggingface,
        _TF_MODEL: _open_tf_model,
        _PRESET: _open_preset,
    }
    if path.name in openers and path.is_file():
        return openers[path.name](path.parent)
    prefix = path.with_suffix("") if path.suffix == ".index" else path
    if prefix.with_name(f"{prefix.name}.index").is_file():
        return _open_tensorflow(prefix)
    if not path.exists():
        raise UserError(f"There is no {path}.", _EXPECTED)
    raise refusal(path.parent, _config(path.parent)) or UserError(f"{path} is of no kind that tfplm reads.", _EXPECTED)


def _open_folder(folder: Path) -> Checkpoint:
    from tfplm.interop.tensorflow_checkpoints import find_prefix

    has = {name: (folder / name).is_file() for name in (_CONFIG, SINGLE, INDEX, _TF_MODEL, _PRESET)}
    if has[_CONFIG] and (has[SINGLE] or has[INDEX]):
        return _open_huggingface(folder)
    if has[_CONFIG] and has[_PRESET]:
        return _open_preset(folder)
    if has[_CONFIG] and has[_TF_MODEL]:
        return _open_tf_model(folder)
    if prefix := find_prefix(folder):
        return _open_tensorflow(prefix)
    if error := refusal(folder, _config(folder)):
        raise error
    names = sorted(path.name for path in folder.iterdir())
    found = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    raise UserError(f"{folder} holds no checkpoint that tfplm reads; it has {found or 'no files'}.", _EXPECTED)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / _CONFIG
    return read_json_object(path) if path.is_file() else {}


def _open_huggingface(folder: Path) -> Checkpoint:
    config = read_json_object(folder / _CONFIG)
    tensors = open_safetensors(folder)
    return Checkpoint(folder, "huggingface", config, tensors, tensors.paths, folder)


def _open_tf_model(folder: Path) -> Checkpoint:
    from tfplm.interop.tf_model_h5 import open_tf_model_h5

    config = read_json_object(folder / _CONFIG)
    path = folder / _TF_MODEL
    return Checkpoint(folder, "tf_model_h5", _without_tf(config), open_tf_model_h5(path), (path,), folder)


def _without_tf(config: dict[str, Any]) -> dict[str, Any]:
    """The architectures without the TF before the names that transformers 4 may have left there."""
    architectures = config.get("architectures")
    if not isinstance(architectures, list):
        return config
    names = [name.removeprefix("TF") if isinstance(name, str) else name for name in architectures]
    return {**config, "architectures": names}


def _open_preset(folder: Path) -> Checkpoint:
    from tfplm.interop.keras_hub_presets import is_keras_hub_preset, open_keras_hub_preset

    config = read_json_object(folder / _CONFIG)
    if not is_keras_hub_preset(config):
        raise UserError(f"{folder / _CONFIG} is not of a KerasHub preset, as {_PRESET} would be.", _EXPECTED)
    tensors, values, files = open_keras_hub_preset(folder, config)
    return Checkpoint(folder, "keras_hub", values, tensors, tuple(files), *_tokenizer(folder, copy_keras_hub_tokenizer))


def _open_tensorflow(prefix: Path) -> Checkpoint:
    from tfplm.interop.tensorflow_checkpoints import checkpoint_files, open_tensorflow_checkpoint

    folder = prefix.parent
    kind, tensors, values = open_tensorflow_checkpoint(prefix)
    config = _bert_config(folder, kind)
    files = tuple(checkpoint_files(prefix))
    return Checkpoint(folder, kind, config | values, tensors, files, *_tokenizer(folder, copy_cased_vocabulary))


def _bert_config(folder: Path, kind: str) -> dict[str, Any]:
    """The sizes of a TensorFlow BERT, which its checkpoint does not tell."""
    for name in (_BERT_CONFIG, _CONFIG):
        if (folder / name).is_file():
            values = read_json_object(folder / name)
            values = {key: values[key] for key in _BERT_KEYS if key in values}
            break
    else:
        if kind != "model_garden" or not (folder / _PARAMS).is_file():
            extra = f" or {_PARAMS}" if kind == "model_garden" else ""
            raise UserError(f"There is no {_BERT_CONFIG}{extra} beside the checkpoint in {folder}.", _EXPECTED)
        values = read_params(folder / _PARAMS)
    fixed = {"layer_norm_eps": 1e-12, "pad_token_id": 0}
    return (config_from_garden(values) if kind == "model_garden" else values) | fixed


def _tokenizer(folder: Path, copy: Callable[[Path, Path], bool]) -> tuple[Path, tempfile.TemporaryDirectory | None]:
    """The folder with the tokenizer, and where it is a copy the directory that it lives in."""
    copies = tempfile.TemporaryDirectory(prefix="tfplm-tokenizer-")
    if copy(folder, Path(copies.name)):
        return Path(copies.name), copies
    copies.cleanup()
    return folder, None
