"""Fine-tuning to a task that reads a text: every candidate with every seed on the same data."""

from dataclasses import dataclass, field
from typing import Any

import keras

from tfplm.answering.answerer import Answerer, answer_texts
from tfplm.answering.registry import answerer_for
from tfplm.data.batches import BatchSource
from tfplm.data.example_batches import ExampleBatches, PackedExampleBatches
from tfplm.errors import UserError
from tfplm.finetuning_configuration import CandidateConfig, EncoderFinetuneConfig
from tfplm.models.build import build_model
from tfplm.run_directory import RunDirectory
from tfplm.tasks.saving import load_encoder
from tfplm.tasks.task import Task
from trainers.answered_validation import AnsweredValidation
from trainers.callbacks import BestWeights
from trainers.candidate_trainer import CandidateTrainer
from trainers.evaluation import Evaluation
from trainers.evaluation_report import write_evaluation
from trainers.parity_texts import write_parity_texts
from trainers.task_kinds.task_kind import TaskData, TaskKind

EVALUATION_FOLDER = "evaluation"


@dataclass(frozen=True)
class KindData:
    """The data of one kind of task."""

    kind: TaskKind
    data: TaskData
    row_figures: dict[str, int] = field(default_factory=dict)  # of the training rows, once they are made


@dataclass(frozen=True)
class Finetuner(CandidateTrainer):
    """Trains candidates on the data of one task; a run directory each."""

    config: EncoderFinetuneConfig
    encoded: KindData

    def build_task(self, candidate: CandidateConfig, pretrained: RunDirectory | None) -> Task:
        """The candidate's encoder, pretrained or new, under a new head."""
        if pretrained is not None:
            encoder = load_encoder(pretrained.model)
        else:
            encoder = build_model(candidate.model, self.tokenizer.vocabulary_size, self.tokenizer.pad_id)
        self._require_room(encoder.config)
        return self.encoded.kind.build_task(encoder, self.encoded.data)

    def _batches(self, task: Task, seed: int) -> tuple[BatchSource, BatchSource | None]:
        kind, data, size = self.encoded.kind, self.encoded.data, self.config.batch_size
        answerer = self._answerer(task)
        rows = kind.rows(data.train, answerer, is_training=True)
        self.encoded.row_figures.update(rows.figures)
        if not len(rows):
            raise UserError(
                f"None of the {len(data.train):,} training examples can be learned from: all are left out of the rows.",
                f"Counted: {', '.join(f'{count:,} {what}' for what, count in rows.figures.items() if count)}.",
                "Mend the examples, or raise finetune.sequence_length where they are too long.",
            )
        for note in kind.row_notes(rows):
            self.progress.message(note)
        if self.config.packing:
            train = PackedExampleBatches(rows, size, seed)
        else:
            train = ExampleBatches(rows, size, seed, kind.order(data, seed))
        validation = kind.rows(data.validation, answerer, is_training=False) if len(data.validation) else ()
        return train, ExampleBatches(validation, size, None) if len(validation) else None

    def _answerer(self, task: Task) -> Answerer:
        return answerer_for(task, self.tokenizer, self.config.sequence_length, self._inputs)

    @property
    def _inputs(self) -> tuple[str, ...]:
        return self.encoded.kind.inputs(self.encoded.data)

    def _resolved(self, candidate: CandidateConfig, seed: int) -> dict:
        return super()._resolved(candidate, seed) | {"inputs": list(self._inputs)}

    def _tokens_per_row(self, task: Task) -> int:
        return self.config.rows_per_example * self.config.sequence_length

    def _best(self) -> BestWeights:
        metric = self.config.validation_metric
        return BestWeights(f"val_{metric}", metric != "loss", self.config.early_stopping_patience)

    def _leading_callbacks(self, task: Task) -> list[keras.callbacks.Callback]:
        kind, validation = self.encoded.kind, self.encoded.data.validation
        if not kind.answers_epochs or not len(validation):
            return []
        answerer = self._answerer(task)
        return [AnsweredValidation(lambda: kind.epoch_figures(answerer, validation), self.place.connection)]

    def _tuned(self, task: Task) -> dict[str, Any]:
        return self.encoded.kind.tuned(self._answerer(task), self.encoded.data.validation)

    def _judge(self, task: Task, run: RunDirectory) -> dict:
        kind, data = self.encoded.kind, self.encoded.data
        texts = kind.answer_inputs(next(part for part in (data.test, data.validation, data.train) if len(part)))
        write_parity_texts(run, parity_samples(texts))
        answerer = self._answerer(task)
        splits = {"validation": data.validation, "test": data.test}
        judged = {name: _judge(kind, answerer, name, split) for name, split in splits.items() if len(split)}
        if judged:  # in full where it counts: on the test, or where there is none on validation
            name, evaluation = list(judged.items())[-1]
            write_evaluation(run.path / EVALUATION_FOLDER / name, [evaluation], evaluation.record())
        figures = {name: part.figures | {"intervals": part.intervals} for name, part in judged.items()}
        described = {"class_names": data.class_names, "data": data.figures, "rows": self.encoded.row_figures}
        return described | {"validation": None, "test": None, **figures}


def _judge(kind: TaskKind, answerer: Answerer, name: str, examples) -> Evaluation:
    answers = answer_texts(answerer, kind.answer_inputs(examples))
    return Evaluation(name, kind, answers, examples, answerer.class_names, {})


def parity_samples(texts: dict[str, list]) -> list:
    """The strings of examples as a run keeps them: texts, or mappings where an answer is made of several."""
    if len(texts) == 1:
        return next(iter(texts.values()))
    return [dict(zip(texts, values, strict=True)) for values in zip(*texts.values(), strict=True)]
