"""Adapters on disk: what LoRA learned, apart from the weights that it was learned on.

``adapter.safetensors`` holds the trained weights, ``adapter.json`` what they are added to, and ``examples.json`` the
texts for the proof of an export.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.finetuning_configuration import LoraConfig
from tfplm.run_directory import RunDirectory, fingerprint, whole_directory, write_config, write_text
from tfplm.tasks.saving import build_described_task, describe_task, load_task, save_task
from tfplm.tasks.task import Task
from tfplm.tokenizers.loading import load_tokenizer
from trainers.lora import add_lora, without_lora
from trainers.parity_texts import EXAMPLES_FILE

FORMAT_VERSION = 1
FOLDER = "adapter"
_WEIGHTS_FILE, _DESCRIPTION_FILE = "adapter.safetensors", "adapter.json"


def write_adapter(task: Task, lora: LoraConfig, base: str, run: RunDirectory, config: dict) -> None:
    """Writes ``adapter/`` into the run directory of a trained task.

    Args:
        task: with the matrices of `add_lora`; what it has not trained are the base weights.
        lora: that they were added by.
        base: where the pretrained model is from, for people.
        run: where its examples are already.
        config: of the run, resolved.
    """
    description = {
        "format_version": FORMAT_VERSION,
        **lora.model_dump(mode="json"),
        "base": {"name": base, "fingerprint": _fingerprint_of_base(task)},
        "description": describe_task(task),
        "config": config,
    }
    with whole_directory(run.path / FOLDER, replace=True) as folder:
        tensors = {weight.path: np.ascontiguousarray(weight.numpy()) for weight in task.trainable_variables}
        (folder / _WEIGHTS_FILE).write_bytes(save(tensors))
        shutil.copyfile(run.path / EXAMPLES_FILE, folder / EXAMPLES_FILE)
        write_text(folder / _DESCRIPTION_FILE, json.dumps(description, indent=2, ensure_ascii=False) + "\n")


def apply_adapter(base_run: str | Path, adapter: str | Path, out: str | Path) -> dict:
    """Writes the run that an adapter was learned in, from the run that it was learned on.

    Args:
        base_run: the run directory of the pretrained or imported model.
        adapter: the folder ``adapter/`` of a fine-tuned run, wherever it is now.
        out: the directory to write, which is not there yet, or empty. `predict`, `evaluate` and export take it.

    Returns:
        What its ``report.json`` holds.

    Raises:
        UserError: the adapter is damaged or was learned on other weights, or ``out`` is there already.
    """
    base, adapter = RunDirectory(base_run), Path(adapter)
    base.require_one_of(("pretrain", "import"), base.tokenizer, base.model)
    description = _read_description(adapter)
    task = _task_on_base(description, base, adapter)
    _assign(task.trainable_variables, _read_weights(adapter), str(adapter / _WEIGHTS_FILE))
    plain = without_lora(task)
    with whole_directory(out) as folder:
        run = RunDirectory(folder)
        load_tokenizer(base.tokenizer).save(run.tokenizer)
        save_task(plain, run.model)
        write_config(run, description["config"])
        if (adapter / EXAMPLES_FILE).is_file():
            shutil.copyfile(adapter / EXAMPLES_FILE, run.path / EXAMPLES_FILE)
        mark = fingerprint(description["base"]["fingerprint"], _digest_of(task.trainable_variables))
        figures = {"class_names": getattr(plain, "class_names", None), "parameters": plain.count_params()}
        return run.write_report("finetune", mark, figures | {"adapter_of": str(base.path)})


def _task_on_base(description: dict, base: RunDirectory, adapter: Path) -> Task:
    """The task with the weights of ``base`` and fresh adapters. Raises UserError where it is not the adapter's."""
    origin = str(adapter / _DESCRIPTION_FILE)
    lora = validate(LoraConfig, {key: description[key] for key in LoraConfig.model_fields}, origin)
    task = build_described_task(description["description"], origin)
    add_lora(task, lora)
    found = {weight.path: weight for weight in load_task(base.model).weights}
    expected = task.non_trainable_weights
    fits = all(w.path in found and tuple(w.shape) == tuple(found[w.path].shape) for w in expected)
    if fits:
        for weight in expected:
            weight.assign(found[weight.path])
    if not fits or _fingerprint_of_base(task) != description["base"]["fingerprint"]:
        raise UserError(
            f"{adapter} was not learned on the weights of {base.path}.",
            f"Expected those of '{description['base']['name']}', with the fingerprint "
            f"{description['base']['fingerprint']}.",
            "Name the run that it was fine-tuned from.",
        )
    return task


def _fingerprint_of_base(task: Task) -> str:
    return _digest_of(task.non_trainable_weights)


def _digest_of(weights: Iterable[keras.Variable]) -> str:
    """Of names, shapes and values."""
    digest = hashlib.blake2b(digest_size=16)
    for weight in sorted(weights, key=lambda weight: weight.path):
        digest.update(f"{weight.path} {tuple(weight.shape)}\n".encode())
        digest.update(np.ascontiguousarray(weight.numpy()).tobytes())
    return digest.hexdigest()


def _assign(weights: list[keras.Variable], tensors: dict[str, np.ndarray], origin: str) -> None:
    """Raises UserError unless there is a tensor for each weight, and no other."""
    expected = {weight.path: tuple(weight.shape) for weight in weights}
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if expected != found:
        name = min(set(expected.items()) ^ set(found.items()))[0]
        raise UserError(
            f"{origin} does not fit {_DESCRIPTION_FILE}: {name} has the shape {found.get(name)}.",
            f"Expected {expected.get(name)}.",
        )
    for weight in weights:
        weight.assign(tensors[weight.path])


def _read_weights(adapter: Path) -> dict[str, np.ndarray]:
    path = adapter / _WEIGHTS_FILE
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is damaged: {error}.", "Expected the tensors of an adapter.") from error


def _read_description(adapter: Path) -> dict[str, Any]:
    path = adapter / _DESCRIPTION_FILE
    if not path.is_file():
        raise UserError(
            f"{adapter} holds no adapter: {_DESCRIPTION_FILE} is not there.",
            remedy="Name the folder 'adapter' of a run that was fine-tuned with lora.",
        )
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        version = description["format_version"]
        _ = [description[key] for key in (*LoraConfig.model_fields, "description", "config")]
        _ = description["base"]["name"], description["base"]["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged: {error!r}.", "Expected the JSON of an adapter.") from error
    if version != FORMAT_VERSION:
        raise UserError(f"{path} was written in adapter format {version}.", f"This tfplm reads {FORMAT_VERSION}.")
    return description
