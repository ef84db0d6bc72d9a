"""Which kind serves which task."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfplm.config import Config, validate
from tfplm.data.choice_configuration import ChoiceDataConfig
from tfplm.data.configuration import LabelledDataConfig, ScoredDataConfig
from tfplm.data.embedding_configuration import EmbeddingDataConfig
from tfplm.data.question_configuration import QuestionDataConfig
from tfplm.data.tagged_configuration import TaggedDataConfig
from tfplm.errors import UserError
from tfplm.finetuning_configuration import EncoderFinetuneConfig
from trainers.task_kinds.multiple_choice import ChoiceKind
from trainers.task_kinds.question_answering import QuestionAnsweringKind
from trainers.task_kinds.task_kind import TaskKind
from trainers.task_kinds.text_classification import ClassificationKind
from trainers.task_kinds.text_embedding import EmbeddingKind
from trainers.task_kinds.text_regression import RegressionKind
from trainers.task_kinds.token_classification import TaggingKind

# By the type of the task: its kind, and the configuration of its data.
_KINDS: dict[str, tuple[type[TaskKind], type[Config]]] = {
    "text_classification": (ClassificationKind, LabelledDataConfig),
    "token_classification": (TaggingKind, TaggedDataConfig),
    "text_embedding": (EmbeddingKind, EmbeddingDataConfig),
    "text_regression": (RegressionKind, ScoredDataConfig),
    "question_answering": (QuestionAnsweringKind, QuestionDataConfig),
    "multiple_choice": (ChoiceKind, ChoiceDataConfig),
}


def kind_of(config: EncoderFinetuneConfig) -> TaskKind:
    """The kind of a ``finetune`` section."""
    return _KINDS[config.task.type][0](config.data, config.task)


def kind_of_values(task: Config, data: Mapping[str, Any] | None, evaluated: Path, origin: str) -> TaskKind:
    """The kind of a task that is trained already.

    Args:
        task: its configuration.
        data: its section ``data`` as plain values; None where it came without one.
        evaluated: the file that it is judged on.
        origin: of ``data``, for messages.

    Raises:
        UserError: there is no such kind, or ``data`` is damaged.
    """
    if task.type not in _KINDS:
        raise UserError(f"{origin} is of the task '{task.type}'.", f"Expected one of {', '.join(_KINDS)}.")
    kind, data_type = _KINDS[task.type]
    return kind(validate(data_type, data if data is not None else kind.default_data(evaluated), origin), task)
