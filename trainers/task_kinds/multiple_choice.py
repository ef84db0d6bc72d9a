"""The best of several choices beside a context."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfplm import feature_names as names
from tfplm.answering.answer_names import CHOICES, CONTEXT, PROBABILITIES, QUESTION
from tfplm.answering.multiple_choice import ChoiceAnswerer
from tfplm.data.choice_configuration import ChoiceDataConfig, ChoiceSource, ChoiceTableSource
from tfplm.data.choice_examples import held_out_questions, load_choice_data
from tfplm.data.choice_sources import ChoiceExample, choice_source_paths, read_choice_examples
from tfplm.data.example_batches import ExampleRows, row_lengths
from tfplm.data.example_list import ExampleList
from tfplm.errors import UserError
from tfplm.models.build import Encoder
from tfplm.tasks.configuration import MultipleChoiceConfig
from tfplm.tasks.multiple_choice import MultipleChoice
from tfplm.tokenizers.tokenizer import Tokenizer
from trainers.candidates import table
from trainers.metrics.choices import choice_errors, choice_figures, choice_intervals
from trainers.task_kinds.task_kind import TaskData, TaskKind, dropped_lines, encode_rows

_KEPT = (
    "label_column",
    "label_format",
    "first_index",
    "context_column",
    "question_column",
    "choices_column",
    "choice_columns",
)

Questions = ExampleList[ChoiceExample]


class ChoiceKind(TaskKind):
    """Questions with choices, of which one is right."""

    task_type = "multiple_choice"
    figure_names = {"accuracy": "accuracy", "loss": "cross-entropy"}
    data: ChoiceDataConfig
    task: MultipleChoiceConfig

    def load(self, seed: int) -> TaskData:
        data = load_choice_data(self.data, self.task.num_choices, seed)
        for part in (data.validation, data.test):
            _require_form(part, has_question=_has_question(data.train))
        return TaskData(data.train, data.validation, data.test, [], data.figures)

    def held_out(self, seed: int) -> set[str]:
        return held_out_questions(self.data, self.task.num_choices, seed)

    def paths(self) -> list[Path]:
        return [path for source in self.data.sources for path in choice_source_paths(source)]

    def training_texts(self, data: TaskData) -> Iterable[str]:
        return [text for example in data.train for text in (example.asked, *example.choices)]

    def inputs(self, data: TaskData) -> tuple[str, ...]:
        return tuple(self.answer_inputs(data.train))

    def answer_inputs(self, examples: Questions) -> dict[str, list]:
        most = self.task.num_choices
        contexts = {CONTEXT: [example.context for example in examples]}
        questions = {QUESTION: [example.question for example in examples]} if _has_question(examples) else {}
        choices = [[*example.choices, *[""] * (most - len(example.choices))] for example in examples]
        return contexts | questions | {CHOICES: choices}

    def build_task(self, encoder: Encoder, data: TaskData) -> MultipleChoice:
        form = {"has_question": _has_question(data.train)}
        return MultipleChoice(encoder, self.task.model_copy(update=form))

    def rows(self, examples: Questions, answerer: ChoiceAnswerer, is_training: bool) -> ExampleRows:
        features = encode_rows(answerer, self.answer_inputs(examples))
        labels = _labels(examples)
        lengths = row_lengths(np.concatenate(features[names.TOKEN_IDS]), answerer.tokenizer.pad_id)
        longest = lengths.reshape(len(examples), -1).max(axis=1)
        return ExampleRows(features, labels, np.ones(len(examples), np.float32), longest)

    def figures(self, answers: Mapping[str, np.ndarray], examples: Questions, class_names: Sequence[str]) -> dict:
        return choice_figures(_labels(examples), answers[PROBABILITIES], _counts(examples))

    def intervals(self, answers: Mapping[str, np.ndarray], examples: Questions, class_names: Sequence[str]) -> dict:
        return choice_intervals(_labels(examples), answers[PROBABILITIES])

    def errors(self, answers: Mapping[str, np.ndarray], examples: Questions, class_names: Sequence[str]) -> list[dict]:
        origins, choices = ([getattr(e, name) for e in examples] for name in ("origin", "choices"))
        return choice_errors(examples.texts, origins, choices, _labels(examples), answers[PROBABILITIES])

    @classmethod
    def default_data(cls, path: Path) -> dict[str, Any]:
        return {"train": {"type": "choices", "paths": [str(path)]}}

    def evaluation_source(self, path: Path, columns: Mapping[str, str]) -> ChoiceTableSource:
        """As in training; the column of texts, where one is named, holds the contexts."""
        kept = {key: getattr(self.data.train, key) for key in _KEPT if hasattr(self.data.train, key)}
        settings = {"text_column": "context_column", "label_column": "label_column"}
        if unknown := [f"--{name.replace('_', '-')}" for name in columns if name not in settings]:
            raise UserError(f"{', '.join(unknown)} means nothing to choices.", remedy="Leave it out.")
        named = {settings[name]: column for name, column in columns.items()}
        return ChoiceTableSource(paths=[str(path)], **kept | named)

    def read_examples(self, source: ChoiceSource, class_names: Sequence[str], dropped: Counter[str]) -> Questions:
        examples = ExampleList(read_choice_examples(source, self.data, self.task.num_choices, dropped))
        _require_form(examples, self.task.has_question)
        return examples

    def row_lengths(self, data: TaskData, tokenizer: Tokenizer) -> np.ndarray:
        edges = len(tokenizer.prefix_ids) + len(tokenizer.pair_separator_ids) + len(tokenizer.suffix_ids)
        asked = [len(ids) for ids in tokenizer.encode(data.train.texts)]
        choices = [max(map(len, tokenizer.encode(list(example.choices)))) for example in data.train]
        return edges + np.array(asked) + np.array(choices)

    def data_lines(self, figures: dict) -> list[str]:
        splits = {name: figures[name] for name in ("train", "validation", "test")}
        places = [f"{number} is right" for number in range(self.task.num_choices)]
        rows = [[name, part["examples"], part["groups"], *part["per_place"]] for name, part in splits.items()]
        return [*table(["split", "examples", "groups", *places], rows), *dropped_lines(figures["dropped"])]

    def detail_lines(self, figures: dict) -> list[str]:
        chance, majority = figures["chance"], figures["majority"]
        return [f"Guessing would reach {chance:.3f}, and always the place that is right most often {majority:.3f}."]


def _has_question(examples: Questions) -> bool:
    """Whether a question stands before the choices, which it does in all examples or in none."""
    return any(example.question for example in examples)


def _require_form(examples: Questions, has_question: bool) -> None:
    """Raises UserError unless examples have a question beside the context just where the model has learned one."""
    for example in examples:
        if bool(example.question) != has_question:
            found = "a question beside its context" if example.question else "no question beside its context"
            raise UserError(
                f"{example.origin} has {found}, and the model learns {'with' if has_question else 'without'} one.",
                remedy="Set question_column, or context_column to the only column of what is asked.",
            )


def _labels(examples: Questions) -> np.ndarray:
    return np.array([example.label for example in examples], np.int32)


def _counts(examples: Questions) -> np.ndarray:
    """How many choices each example has."""
    return np.array([len(example.choices) for example in examples], np.int64)
