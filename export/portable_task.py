"""The copy of a task that is traced for an export."""

import tempfile
from pathlib import Path
from typing import TypeVar

import keras

from tfplm.errors import UserError
from tfplm.tasks.saving import load_task, save_task
from tfplm.tasks.task import Task

TaskType = TypeVar("TaskType", bound=Task)


def portable_copy(task: Task, expected: type[TaskType]) -> TaskType:
    """A copy that computes in float32 on the CPU.

    A graph traced from it runs anywhere: a model trained in mixed bfloat16 would carry its casts along.

    Args:
        task: is left as it is.
        expected: class of the task.

    Returns:
        A task with the same weights.

    Raises:
        UserError: the task is of another class.
    """
    if not isinstance(task, expected):
        raise UserError(f"The task is '{task.task_type}'.", "Expected a text classifier, or a model that writes.")
    with tempfile.TemporaryDirectory(prefix="tfplm-export-") as folder:
        save_task(task, folder)
        return _load_portable(Path(folder))


def _load_portable(folder: Path) -> Task:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        with keras.device("cpu:0"):
            return load_task(folder)
    finally:
        keras.config.set_dtype_policy(policy)
