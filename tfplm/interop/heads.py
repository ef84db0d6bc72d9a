"""From what a config.json says of the head to a task of ours, and back."""

from typing import Any

from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.interop.family import Family
from tfplm.interop.registry import named_architecture
from tfplm.models.build import Encoder
from tfplm.models.configuration import ModelConfig
from tfplm.objectives import CausalLmConfig, MaskedLmConfig
from tfplm.tasks.causal_language_model import CausalLanguageModel
from tfplm.tasks.configuration import (
    QuestionAnsweringConfig,
    Seq2SeqLmConfig,
    TextClassificationConfig,
    TextEmbeddingConfig,
    TokenClassificationConfig,
)
from tfplm.tasks.masked_language_model import MaskedLanguageModel
from tfplm.tasks.question_answering import QuestionAnswering
from tfplm.tasks.seq2seq_language_model import Seq2SeqLanguageModel
from tfplm.tasks.task import Task
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tasks.text_embedding import TextEmbedder
from tfplm.tasks.token_classification import TokenClassifier

_MULTI_LABEL = "multi_label_classification"
_MOST_CLASSES = 100_000
_WITH_CLASSES = ("text_classification", "token_classification")
_OF_ENCODERS = (*_WITH_CLASSES, "question_answering", "text_embedding")
# By the type of our configuration, the tasks that a model of it serves.
_SERVES = {"bert": ("masked_lm", *_OF_ENCODERS), "gpt": ("causal_lm", *_OF_ENCODERS), "t5": ("seq2seq_lm",)}


def require_fit(task_type: str, config: ModelConfig, class_names: list[str] | None) -> None:
    """Raises UserError where a task is none that a model serves, or class names are given that mean nothing to it."""
    if task_type not in _SERVES[config.type]:
        raise UserError(
            f"A {config.type} model does not serve the task '{task_type}'.",
            f"Expected one of {', '.join(_SERVES[config.type])}.",
        )
    if class_names is None:
        return
    if task_type not in _WITH_CLASSES:
        raise UserError(f"The task '{task_type}' has no classes.", remedy="Leave the class names out.")
    if len(class_names) < 2 or len(set(class_names)) < len(class_names) or not all(class_names):
        raise UserError(f"The class names are {class_names!r:.80}.", "Expected two or more different names.")


def build_head(
    task_type: str,
    family: Family,
    encoder: Encoder,
    values: dict,
    origin: str,
    class_names: list[str] | None = None,
    embedding: TextEmbeddingConfig | None = None,
) -> Task:
    """Puts the head on an encoder that a config.json describes.

    Args:
        task_type: that the encoder serves, see `require_fit`.
        family: of the checkpoint.
        encoder: the body.
        values: of config.json.
        origin: the file, for messages.
        class_names: of a classifier; None: those of ``id2label``.
        embedding: of a text embedder; None: the mean of the tokens.

    Raises:
        UserError: the head is of a kind that is not supported.
    """
    if task_type == "masked_lm":
        named = named_architecture(values)
        with_next_sentence = bool(named) and named == family.next_sentence_architecture
        return MaskedLanguageModel(encoder, MaskedLmConfig(next_sentence=with_next_sentence))
    if task_type == "causal_lm":
        return CausalLanguageModel(encoder, CausalLmConfig())
    if task_type == "seq2seq_lm":
        return Seq2SeqLanguageModel(encoder, Seq2SeqLmConfig())
    if task_type == "question_answering":
        return QuestionAnswering(encoder, QuestionAnsweringConfig())
    if task_type == "text_embedding":
        return TextEmbedder(encoder, embedding or TextEmbeddingConfig())
    names = class_names or read_class_names(values, origin)
    settings = {"dropout": _head_dropout(family, values)}
    if task_type == "token_classification":
        settings |= {"legal_tags": False}  # it may have learned IOB1, and the usual way to use it takes every tag
        return TokenClassifier(encoder, validate(TokenClassificationConfig, settings, origin), names)
    if values.get("problem_type") == "regression":
        raise _is_regression(origin)
    settings |= {
        "multi_label": values.get("problem_type") == _MULTI_LABEL,
        "output_bias": encoder.config.type != "gpt",
    }
    return TextClassifier(encoder, validate(TextClassificationConfig, settings, origin), names)


def _head_dropout(family: Family, values: dict) -> float:
    told = (values.get(key) for key in (family.head_dropout, "hidden_dropout_prob"))
    return next((rate for rate in told if isinstance(rate, float | int)), 0.1)


def read_class_names(values: dict, origin: str) -> list[str]:
    """The names of ``id2label``, in the order of the columns. Raises UserError where they are no whole list."""
    told = values.get("id2label", {"0": "LABEL_0", "1": "LABEL_1"})
    try:
        by_id = {int(number): name for number, name in told.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{origin}: 'id2label' is {told!r:.80}.", "Expected a name for each number.") from error
    if len(by_id) == 1:
        raise _is_regression(origin)
    names = [by_id.get(number) for number in range(len(by_id))]
    are_names = all(isinstance(name, str) and name for name in names)
    if not 2 <= len(names) <= _MOST_CLASSES or not are_names or len(set(names)) < len(names):
        raise UserError(
            f"{origin}: 'id2label' has {told!r:.80}.", "Expected two or more different names, numbered from 0 on."
        )
    return names


def _is_regression(origin: str) -> UserError:
    return UserError(
        f"{origin}: the head gives one number, for regression.",
        "Supported: single-label and multi-label classification.",
        "Name another task with --task to leave the head out.",
    )


def head_values(task: Task, family: Family) -> dict[str, Any]:
    """What config.json says of a task's head. Raises UserError where the family has no such head."""
    with_next_sentence = isinstance(task, MaskedLanguageModel) and task.config.next_sentence
    values: dict[str, Any] = {"architectures": [_architecture(task.task_type, family, with_next_sentence)]}
    if isinstance(task, TextClassifier):
        _require_common_head(task)
        values["problem_type"] = _MULTI_LABEL if task.config.multi_label else "single_label_classification"
    if isinstance(task, TokenClassifier) and task.config.crf:
        raise UserError(
            "The tagger has learned which tags follow which (task.crf).",
            "Expected a head that other projects have: they tag every token by itself.",
            "Fine-tune with finetune.task.crf=false, or export to saved_model or tflite.",
        )
    if isinstance(task, TextClassifier | TokenClassifier):
        values[family.head_dropout] = task.config.dropout
        values["id2label"] = dict(enumerate(task.class_names))
        values["label2id"] = {name: number for number, name in enumerate(task.class_names)}
    return values


def _architecture(task_type: str, family: Family, with_next_sentence: bool) -> str:
    if with_next_sentence and family.next_sentence_architecture:
        return family.next_sentence_architecture
    for name, of_task in family.architectures.items():
        if of_task == task_type:
            return name
    raise UserError(
        f"Hugging Face has no {family.model_types[0]} model for the task {task_type}.",
        f"Expected one of {', '.join(dict.fromkeys(family.architectures.values()))}.",
    )


def _require_common_head(task: TextClassifier) -> None:
    """Raises UserError where Hugging Face's classifiers compute something else from the encoder's outputs."""
    has_bias = task.config.output_bias
    if task.config.pooling != "encoder":
        raise UserError(
            f"The classifier pools by '{task.config.pooling}'.",
            "Hugging Face's classifiers take the encoder's own output ([CLS], or the last token).",
            "Fine-tune with finetune.task.pooling: encoder.",
        )
    if has_bias == (task.encoder.config.type == "gpt"):
        raise UserError(
            f"The classifier's last layer has {'a' if has_bias else 'no'} bias.",
            "Hugging Face's classifiers have one on encoders, and none on decoders.",
            f"Fine-tune with finetune.task.output_bias: {str(not has_bias).lower()}.",
        )
