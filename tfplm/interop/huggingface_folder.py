"""A task and its tokenizer as a folder that Hugging Face's Auto classes load."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from keras import ops

from tfplm.errors import UserError
from tfplm.interop.family import Family
from tfplm.interop.heads import head_values
from tfplm.interop.json_files import write_json
from tfplm.interop.registry import find_family_for
from tfplm.interop.safetensors_files import write_safetensors
from tfplm.interop.sentence_transformers import write_embedding_config
from tfplm.interop.tokenizers.writing import write_tokenizer
from tfplm.interop.weight_table import Weight
from tfplm.tasks.configuration import WRITING_TASKS
from tfplm.tasks.task import Task
from tfplm.tasks.text_embedding import TextEmbedder
from tfplm.tokenizers.tokenizer import Tokenizer


def write_huggingface(
    task: Task,
    tokenizer: Tokenizer,
    folder: Path,
    model_type: str | None = None,
    prefixes: Mapping[str, str] | None = None,
) -> dict:
    """Writes config.json, the weights as safetensors in float32, and the tokenizer's files.

    Args:
        task: any that Hugging Face has a form for.
        tokenizer: its tokenizer.
        folder: that is there, and empty.
        model_type: taken where it has a form for the model: of the checkpoint that it was imported from.
        prefixes: of a model that writes, by task what it has learned to see before every prompt.

    Returns:
        What config.json holds.

    Raises:
        UserError: Hugging Face has no form for the model, its head or the tokenizer.
    """
    sizes = task.encoder.config
    if sizes.pad_id != tokenizer.pad_id:
        raise UserError(
            f"The model pads with {sizes.pad_id}, and the tokenizer with {tokenizer.pad_id}.",
            "Expected the tokenizer that the model was trained with.",
        )
    family, values = find_family_for(sizes, model_type)
    values |= head_values(task, family) | _token_ids(task, tokenizer) | {"dtype": "float32", "torch_dtype": "float32"}
    if prefixes:
        values["task_specific_params"] = {name: {"prefix": prefix} for name, prefix in prefixes.items()}
    variables = {variable.path: variable for variable in task.weights} | family.computed(sizes)
    weights = [weight for weight in _table(task, family) if weight.variable in variables]
    _require_whole(task, weights, family)
    specs = {
        name: (np.dtype(np.float32), shape)
        for weight in weights
        for name, shape in weight.shapes(tuple(variables[weight.variable].shape)).items()
    }
    write_tokenizer(tokenizer, folder, sizes.max_sequence_length, task.task_type)
    write_safetensors(_tensors(weights, variables), specs, folder)
    if isinstance(task, TextEmbedder):
        write_embedding_config(task, folder)
    if task.task_type in WRITING_TASKS:
        write_json(folder / "generation_config.json", _token_ids(task, tokenizer))
    write_json(folder / "config.json", values)
    return values


def _table(task: Task, family: Family) -> list[Weight]:
    """Where a task's variables go, body and head; a head may name variables that the task does not have."""
    with_next_sentence = getattr(task.config, "next_sentence", False)
    sizes = task.encoder.config
    return [*family.body(sizes), *family.head(sizes, task.task_type, with_next_sentence)]


def _require_whole(task: Task, weights: list[Weight], family: Family) -> None:
    """Raises UserError where a variable that the task uses has no place in the checkpoint."""
    written = {weight.variable for weight in weights}
    lost = [variable.path for variable in task.trainable_variables if variable.path not in written]
    if lost:
        raise UserError(
            f"A {family.model_types[0]} checkpoint for the task '{task.task_type}' has no place for {', '.join(lost)}.",
            "Expected a model without them.",
        )


def _tensors(weights: list[Weight], variables: dict) -> Iterator[tuple[str, np.ndarray]]:
    for weight in weights:
        yield from weight.write(ops.convert_to_numpy(variables[weight.variable])).items()


def _token_ids(task: Task, tokenizer: Tokenizer) -> dict[str, int | bool]:
    """The special ids that config.json names."""
    if task.task_type not in WRITING_TASKS:
        return {"pad_token_id": tokenizer.pad_id}
    ids = {"pad_token_id": tokenizer.pad_id, "eos_token_id": tokenizer.end_id}
    if task.task_type == "causal_lm":
        return ids | {"bos_token_id": tokenizer.start_id}
    return ids | {"decoder_start_token_id": tokenizer.pad_id, "is_encoder_decoder": True}
