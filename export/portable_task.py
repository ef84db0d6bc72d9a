"""The copy of a task that is traced for an export."""

import tempfile
from pathlib import Path

import keras

from tfplm.errors import UserError
from tfplm.tasks.saving import load_task, save_task
from tfplm.tasks.text_classification import TextClassifier


def portable_copy(task: TextClassifier) -> TextClassifier:
    """A copy that computes in float32 on the CPU.

    A graph traced from it runs anywhere: a model trained in mixed bfloat16 would carry its casts along.

    Args:
        task: any text classifier; it is left as it is.

    Returns:
        A classifier with the same weights.

    Raises:
        UserError: the task is no text classifier.
    """
    with tempfile.TemporaryDirectory(prefix="tfplm-export-") as folder:
        save_task(task, folder)
        return _load_portable(Path(folder))


def _load_portable(folder: Path) -> TextClassifier:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        with keras.device("cpu:0"):
            task = load_task(folder)
    finally:
        keras.config.set_dtype_policy(policy)
    if not isinstance(task, TextClassifier):
        raise UserError(f"The task is '{task.task_type}'.", "Expected a fine-tuned text classifier: only those leave.")
    return task
