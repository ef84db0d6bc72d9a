"""The part of a passage that answers a question."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfplm import feature_names as names
from tfplm.answering.answer_names import ANSWER, NO_ANSWER_SCORE, PASSAGE, QUESTION
from tfplm.answering.answerer import answer_texts
from tfplm.answering.question_answering import QuestionAnswerer
from tfplm.answering.text_rows import takes_segments
from tfplm.data.example_batches import ExampleRows, row_lengths
from tfplm.data.nearest_sentence import nearest_sentence
from tfplm.data.question_configuration import QuestionDataConfig, QuestionSource
from tfplm.data.question_files import question_paths
from tfplm.data.question_rows import question_rows
from tfplm.data.question_set import Questions
from tfplm.data.questions import held_out_passages, load_questions, read_questions
from tfplm.errors import UserError
from tfplm.models.build import Encoder
from tfplm.tasks.configuration import QuestionAnsweringConfig
from tfplm.tasks.question_answering import QuestionAnswering
from trainers.candidates import table
from trainers.metrics.errors import question_answering_errors
from trainers.metrics.question_answering import (
    best_threshold,
    question_answering_figures,
    question_answering_intervals,
)
from trainers.task_kinds.task_kind import TaskData, TaskKind, dropped_lines

_BYTES_A_TOKEN = 4.0  # of English with its spaces, and nearly of Chinese


class QuestionAnsweringKind(TaskKind):
    """Answers that are parts of a passage."""

    task_type = "question_answering"
    figure_names = {"f1": "F1", "exact_match": "exact match"}
    scale = 1.0
    cuts_texts = False
    answers_epochs = True
    data: QuestionDataConfig
    task: QuestionAnsweringConfig

    def load(self, seed: int) -> TaskData:
        data = load_questions(self.data, seed)
        return TaskData(data.train, data.validation, data.test, [], data.figures)

    def held_out(self, seed: int) -> set[str]:
        return held_out_passages(self.data, seed)

    def paths(self) -> list[Path]:
        return [path for source in self.data.sources for path in question_paths(source)]

    def training_texts(self, data: TaskData) -> Iterable[str]:
        passages = dict.fromkeys(question.passage for question in data.train)
        return [*passages, *(question.question for question in data.train)]

    def inputs(self, data: TaskData) -> tuple[str, ...]:
        return QuestionAnswerer.inputs

    def answer_inputs(self, examples: Questions) -> dict[str, list]:
        return {QUESTION: [item.question for item in examples], PASSAGE: [item.passage for item in examples]}

    def build_task(self, encoder: Encoder, data: TaskData) -> QuestionAnswering:
        return QuestionAnswering(encoder, self.task)

    def rows(self, examples: Questions, answerer: QuestionAnswerer, is_training: bool) -> ExampleRows:
        share = self.task.negative_window_share if is_training else 1.0
        found = question_rows(answerer.tokenizer, examples, answerer.settings, self.task.max_answer_length, share)
        features = {names.TOKEN_IDS: found.token_ids}
        if takes_segments(answerer.task):
            features[names.SEGMENT_IDS] = found.segment_ids
        weights = dict.fromkeys(found.targets, np.ones(len(found.token_ids), np.float32))
        lengths = row_lengths(found.token_ids, answerer.tokenizer.pad_id)
        return ExampleRows(features, found.targets, weights, lengths, figures=found.figures)

    def num_rows(self, data: TaskData, sequence_length: int) -> int:
        room = sequence_length - self.task.max_question_length
        lengths = np.array([len(passage.encode("utf-8", "replace")) / _BYTES_A_TOKEN for passage in data.train.texts])
        windows = 1 + np.ceil(np.maximum(lengths - room, 0) / min(self.task.stride, room))
        return int(windows.sum())

    def row_notes(self, rows: ExampleRows) -> list[str]:
        counts = rows.figures
        notes = [
            f"{counts['questions']:,} questions give {counts['windows']:,} windows, "
            f"{counts['windows_without_answer']:,} of them without an answer."
        ]
        if counts["questions_not_learned"]:
            notes.append(f"{counts['questions_not_learned']:,} answers are not in their passage, and are not learned.")
        if counts["answers_cut"]:
            notes.append(f"{counts['answers_cut']:,} answers stand whole in no window: raise finetune.sequence_length.")
        if counts["answers_too_long"]:
            notes.append(
                f"{counts['answers_too_long']:,} answers are longer than finetune.task.max_answer_length, "
                f"{self.task.max_answer_length} tokens: they are learned, and never given whole."
            )
        return notes

    def epoch_figures(self, answerer: QuestionAnswerer, examples: Questions) -> dict[str, float]:
        """Exact match and F1, where some questions have no answer each with the threshold that is best for it."""
        answers = answer_texts(answerer, self.answer_inputs(examples))
        texts, references = _texts(answers[ANSWER]), examples.references
        if answerer.task.config.no_answer_threshold is None and examples.any_impossible:
            best = best_threshold(texts, references, answers[NO_ANSWER_SCORE])
            return {name: best[name]["value"] for name in self.figure_names}
        figures = question_answering_figures(texts, references)
        return {name: figures[name] for name in self.figure_names}

    def tuned(self, answerer: QuestionAnswerer, examples: Questions) -> dict[str, Any]:
        """Chooses the threshold of no answer by the validation F1, where some questions have none.

        A threshold that the configuration gives stays.
        """
        is_given = answerer.task.config.no_answer_threshold is not None
        if is_given or not examples.any_impossible:
            return {}
        answers = answer_texts(answerer, self.answer_inputs(examples))
        best = best_threshold(_texts(answers[ANSWER]), examples.references, answers[NO_ANSWER_SCORE])
        return {"no_answer_threshold": best["f1"]["threshold"]}

    def figures(self, answers: Mapping[str, np.ndarray], examples: Questions, class_names: Sequence[str]) -> dict:
        references = examples.references
        sentences = [nearest_sentence(question.question, question.passage) for question in examples]
        floor = question_answering_figures(sentences, references)
        return {
            **question_answering_figures(_texts(answers[ANSWER]), references),
            "nearest_sentence": {name: floor[name] for name in self.figure_names},
        }

    def intervals(self, answers: Mapping[str, np.ndarray], examples: Questions, class_names: Sequence[str]) -> dict:
        return question_answering_intervals(_texts(answers[ANSWER]), examples.references)

    def errors(self, answers: Mapping[str, np.ndarray], examples: Questions, class_names: Sequence[str]) -> list[dict]:
        asked, origins = zip(*((question.question, question.origin) for question in examples), strict=True)
        texts, confidences = _texts(answers[ANSWER]), -answers[NO_ANSWER_SCORE]
        return question_answering_errors(asked, origins, texts, examples.references, confidences)

    @classmethod
    def default_data(cls, path: Path) -> dict[str, Any]:
        return {"train": {"paths": [str(path)]}}

    def evaluation_source(self, path: Path, columns: Mapping[str, str]) -> QuestionSource:
        if columns:
            raise UserError(
                f"{', '.join(columns)} means nothing here: questions are known by the names that SQuAD has for them.",
                remedy="Leave it out.",
            )
        return QuestionSource(paths=[str(path)])

    def read_examples(self, source: QuestionSource, class_names: Sequence[str], dropped: Counter[str]) -> Questions:
        return Questions(read_questions(source, self.data, dropped))

    def data_lines(self, figures: dict) -> list[str]:
        rows = [
            [name, *(f"{figures[name][key]:,}" for key in ("examples", "without_answer", "passages", "groups"))]
            for name in ("train", "validation", "test")
        ]
        headings = ["split", "questions", "without an answer", "passages", "groups"]
        return [*table(headings, rows), *dropped_lines(figures["dropped"])]

    def detail_lines(self, figures: dict) -> list[str]:
        parts = {"all": figures, "with an answer": figures.get("has_answer"), "without": figures.get("no_answer")}
        parts["the nearest sentence"] = figures["nearest_sentence"] | {"examples": figures["examples"]}
        rows = [
            [name, f"{part['examples']:,}", *(_percent(part[key]) for key in ("exact_match", "f1"))]
            for name, part in parts.items()
            if part is not None
        ]
        return [
            *table(["questions", "number", "exact match", "F1"], rows),
            "",
            f"By the rule of {figures['rule']}. The nearest sentence shares most words with the question.",
        ]


def _texts(answers: np.ndarray) -> list[str]:
    return [answer.decode("utf-8", "replace") for answer in answers]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
