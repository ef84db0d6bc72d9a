"""Tasks on disk: ``model.json`` says what to build, ``model.weights.h5`` holds the weights. Nothing is pickled."""

import errno
import json
import os
import shutil
from pathlib import Path

from tfplm.config import Config, validate
from tfplm.errors import UserError
from tfplm.models.build import Encoder, build_model, parse_model_config
from tfplm.objectives import CausalLmConfig, MaskedLmConfig
from tfplm.tasks.causal_language_model import CausalLanguageModel
from tfplm.tasks.configuration import (
    MultipleChoiceConfig,
    QuestionAnsweringConfig,
    Seq2SeqLmConfig,
    TextClassificationConfig,
    TextEmbeddingConfig,
    TextRegressionConfig,
    TokenClassificationConfig,
)
from tfplm.tasks.masked_language_model import MaskedLanguageModel
from tfplm.tasks.multiple_choice import MultipleChoice
from tfplm.tasks.question_answering import QuestionAnswering
from tfplm.tasks.seq2seq_language_model import Seq2SeqLanguageModel
from tfplm.tasks.task import Task
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tasks.text_embedding import TextEmbedder
from tfplm.tasks.text_regression import TextRegressor
from tfplm.tasks.token_classification import TokenClassifier

FORMAT_VERSION = 1
DESCRIPTION_FILE = "model.json"
WEIGHTS_FILE = "model.weights.h5"
_HDF5_BYTES_A_WEIGHT = 8192  # of HDF5's own, at most

_TASKS = {
    "masked_lm": (MaskedLmConfig, MaskedLanguageModel),
    "causal_lm": (CausalLmConfig, CausalLanguageModel),
    "seq2seq_lm": (Seq2SeqLmConfig, Seq2SeqLanguageModel),
    "text_classification": (TextClassificationConfig, TextClassifier),
    "text_regression": (TextRegressionConfig, TextRegressor),
    "token_classification": (TokenClassificationConfig, TokenClassifier),
    "question_answering": (QuestionAnsweringConfig, QuestionAnswering),
    "text_embedding": (TextEmbeddingConfig, TextEmbedder),
    "multiple_choice": (MultipleChoiceConfig, MultipleChoice),
}


def save_task(task: Task, folder: str | Path) -> None:
    """Writes a task into a folder, which is made if need be; the description comes last, when all else is there.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _require_space(folder, sum(weight.numpy().nbytes + _HDF5_BYTES_A_WEIGHT for weight in task.weights))
    description = {"format_version": FORMAT_VERSION, **describe_task(task)}
    partial_weights = folder / f".partial.{WEIGHTS_FILE}"
    partial_description = folder / f".partial.{DESCRIPTION_FILE}"
    try:
        task.save_weights(str(partial_weights))
        partial_description.write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(partial_weights, folder / WEIGHTS_FILE)
        os.replace(partial_description, folder / DESCRIPTION_FILE)
    finally:
        partial_weights.unlink(missing_ok=True)
        partial_description.unlink(missing_ok=True)


def describe_task(task: Task) -> dict:
    """What `build_described_task` makes such a task from: JSON-able values."""
    return {
        "task_type": task.task_type,
        "task": task.config.model_dump(mode="json"),
        "encoder": task.encoder.config.model_dump(mode="json"),
        "class_names": getattr(task, "class_names", None),
    }


def load_task(folder: str | Path) -> Task:
    """Builds the task that `save_task` wrote, with its weights.

    Raises:
        UserError: the folder is incomplete, damaged or of another version.
    """
    folder = Path(folder)
    task = build_described_task(_read_description(folder), str(folder / DESCRIPTION_FILE))
    weights = folder / WEIGHTS_FILE
    try:
        task.load_weights(str(weights))
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise UserError(
            f"{weights} is damaged or does not fit {DESCRIPTION_FILE}: {str(error).splitlines()[0]}",
            "Expected the weights that were saved together with it.",
            "Run the stage again into another output_dir, or restore the file.",
        ) from error
    return task


def parse_task_config(task_type: str, values: dict, origin: str) -> Config:
    """Reads the configuration of a task back from plain values. Raises UserError."""
    if task_type not in _TASKS:
        raise UserError(f"{origin}: '{task_type}' is no task.", f"Known are {', '.join(_TASKS)}.")
    return validate(_TASKS[task_type][0], values, origin)


def load_encoder(folder: str | Path) -> Encoder:
    """The encoder of a saved task, with its weights, all of them trainable; raises as `load_task` does."""
    encoder = load_task(folder).encoder
    encoder.trainable = True
    return encoder


def _require_space(folder: Path, num_bytes: int) -> None:
    """Raises OSError where the disk has no room: HDF5 ends the whole process when it finds out itself (h5py 3.14)."""
    if shutil.disk_usage(folder).free < num_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _read_description(folder: Path) -> dict:
    missing = [name for name in (DESCRIPTION_FILE, WEIGHTS_FILE) if not (folder / name).is_file()]
    if missing:
        raise UserError(f"{folder} holds no saved model: {', '.join(missing)} is not there.")
    path = folder / DESCRIPTION_FILE
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        version = description["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged: {error!r}.", "Expected the JSON of a saved model.") from error
    if version != FORMAT_VERSION:
        raise UserError(f"{path} was written in model format {version}.", f"This tfplm reads format {FORMAT_VERSION}.")
    return description


def build_described_task(description: dict, origin: str) -> Task:
    """A task with fresh weights from what `describe_task` gave; raises UserError, which names ``origin``."""
    try:
        task_type, class_names = description["task_type"], description["class_names"]
        task_values, encoder_values = description["task"], description["encoder"]
        config_type, task_class = _TASKS[task_type]
        encoder_config = parse_model_config(encoder_values, origin)
        encoder = build_model(encoder_config, encoder_config.vocabulary_size)
        config = validate(config_type, task_values, origin)
        return task_class(encoder, config, *([] if class_names is None else [class_names]))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{origin} is damaged: {error!r}.", "Expected the description of a saved model.") from error
