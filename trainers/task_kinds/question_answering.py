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
from tfplm.data.configuration import CleaningConfig
from tfplm.data.example_batches import ExampleRows, row_lengths
from tfplm.data.nearest_sentence import nearest_sentence
from tfplm.data.question_checks import Question
from tfplm.data.question_configuration import QuestionDataConfig, QuestionSource
from tfplm.data.question_files import question_paths
from tfplm.data.question_rows import question_rows
from tfplm.data.questions import held_out_passages, load_questions, read_questions
from tfplm.models.build import Encoder
from tfplm.tasks.configuration import QuestionAnsweringConfig
from tfplm.tasks.question_answering import QuestionAnswering
from trainers.candidates import table
from trainers.metrics.question_answering import best_threshold, question_answering_figures
from trainers.task_kinds.task_kind import TaskData, TaskKind
from trainers.task_kinds.text_classification import dropped_lines


class QuestionAnsweringKind(TaskKind):
    """Answers that are parts of a passage."""

    task_type = "question_answering"
    figure_names = {"f1": "F1", "exact_match": "exact match"}
    scale = 1.0
    data: QuestionDataConfig
    task: QuestionAnsweringConfig

    def load(self, seed: int) -> TaskData:
        data = load_questions(self.data, seed)
        return TaskData(data.train, data.validation, data.test, [], data.figures)

    def held_out(self, seed: int) -> set[str]:
        return held_out_passages(self.data, CleaningConfig(), seed)

    def paths(self) -> list[Path]:
        return [path for source in self.data.sources for path in question_paths(source)]

    def training_texts(self, data: TaskData) -> Iterable[str]:
        passages = dict.fromkeys(question.passage for question in data.train)
        return [*passages, *(question.question for question in data.train)]

    def inputs(self, data: TaskData) -> tuple[str, ...]:
        return QuestionAnswerer.inputs

    def answer_inputs(self, examples: Sequence[Question]) -> dict[str, list]:
        return {QUESTION: [item.question for item in examples], PASSAGE: [item.passage for item in examples]}

    def build_task(self, encoder: Encoder, data: TaskData) -> QuestionAnswering:
        return QuestionAnswering(encoder, self.task)

    def rows(self, examples: Sequence[Question], answerer: QuestionAnswerer, is_training: bool) -> ExampleRows:
        share = self.task.negative_window_share if is_training else 1.0
        found = question_rows(
            answerer.tokenizer, examples, answerer.settings, self.task.max_answer_length, share
        )
        features = {names.TOKEN_IDS: found.token_ids}
        if takes_segments(answerer.task):
            features[names.SEGMENT_IDS] = found.segment_ids
        weights = dict.fromkeys(found.targets, np.ones(len(found.token_ids), np.float32))
        return ExampleRows(features, found.targets, weights, row_lengths(found.token_ids, answerer.tokenizer.pad_id))

    def figures(
        self, answers: Mapping[str, np.ndarray], examples: Sequence[Question], class_names: Sequence[str]
    ) -> dict:
        references = [_references(question) for question in examples]
        figures = question_answering_figures(_texts(answers[ANSWER]), references)
        sentences = [nearest_sentence(question.question, question.passage) for question in examples]
        floor = question_answering_figures(sentences, references)
        return figures | {"nearest_sentence": {name: floor[name] for name in ("exact_match", "f1")}}
