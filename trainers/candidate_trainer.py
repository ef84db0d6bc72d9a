"""Training one candidate with one seed, whatever it learns."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import keras

from tfplm.config import read_yaml
from tfplm.data.batches import BatchSource
from tfplm.errors import UserError
from tfplm.finetuning_configuration import CandidateConfig, EncoderFinetuneConfig, GenerationFinetuneConfig
from tfplm.models.configuration import ModelConfig
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory, write_config
from tfplm.tasks.saving import load_task, save_task
from tfplm.tasks.task import Task
from tfplm.tokenizers.tokenizer import Tokenizer
from tfplm.training_configuration import RuntimeConfig
from trainers.adapters import write_adapter
from trainers.callbacks import BestWeights, TrainingMonitor
from trainers.checkpoints import CheckpointStore
from trainers.costs import training_flops_per_step
from trainers.distribute import Workplace, require_whole_parts
from trainers.freezing import freeze
from trainers.learning_pace import paces_by_depth
from trainers.lora import add_lora, without_lora
from trainers.optimizers import build_optimizer
from trainers.training_model import TrainingModel
from trainers.training_run import CheckpointPlan, Intervals, TrainingRun


@dataclass(frozen=True)
class CandidateTrainer(ABC):
    """Trains candidates on one data set; a run directory each.

    Args:
        config: of the fine-tuning.
        runtime: how the machine is used.
        encoded: the data, tokenized.
        tokenizer: that encoded it.
        progress: a tfplm.progress.Progress.
        place: where it is trained.
        checkpoint_seconds: of training between two checkpoints, at least; each at the end of an epoch.
    """

    config: EncoderFinetuneConfig | GenerationFinetuneConfig
    runtime: RuntimeConfig
    encoded: Any
    tokenizer: Tokenizer
    progress: Progress
    place: Workplace
    checkpoint_seconds: float = 60.0

    @abstractmethod
    def build_task(self, candidate: CandidateConfig, pretrained: RunDirectory | None) -> Task:
        """The candidate's model, pretrained or new, as it is trained. Raises UserError where it does not fit."""

    @abstractmethod
    def _batches(self, task: Task, seed: int) -> tuple[BatchSource, BatchSource | None]:
        """What to train on, and what to validate on if there is anything; both with ``steps_per_epoch``."""

    @abstractmethod
    def _tokens_per_row(self, task: Task) -> int:
        """Tokens of a row of the batch, padding included."""

    @abstractmethod
    def _best(self) -> BestWeights:
        """What keeps the best weights on validation."""

    def _leading_callbacks(self, task: Task) -> list[keras.callbacks.Callback]:
        """What adds to the figures of an epoch before anything reads them."""
        return []

    def _tuned(self, task: Task) -> dict[str, Any]:
        """The settings of the trained task that are chosen on validation."""
        return {}

    @abstractmethod
    def _judge(self, task: Task, run: RunDirectory) -> dict:
        """Figures of a trained model for the report; writes the examples of the run too."""

    def train(
        self,
        name: str,
        candidate: CandidateConfig,
        pretrained: RunDirectory | None,
        run: RunDirectory,
        seed: int,
        mark: str,
    ) -> None:
        """Trains one candidate with one seed; the chief writes its run directory.

        A run that was interrupted goes on from its last checkpoint, to the same weights.

        Args:
            name: of the candidate, for the progress bar.
            candidate: its configuration.
            pretrained: the finished run that its model comes from, or None for a new one.
            run: where to.
            seed: of the weights, the order and dropout.
            mark: the fingerprint of what is asked for.

        Raises:
            UserError: the model does not fit the task's data, training has diverged, or the disk is full.
        """
        keras.utils.set_random_seed(seed)
        require_whole_parts(self.config.batch_size, self.config.accumulation_steps, self.place.num_replicas)
        with self.place.strategy.scope():
            task = self.build_task(candidate, pretrained)
            freeze(task, candidate.freeze)
            if candidate.lora is not None:
                add_lora(task, candidate.lora)
            train, validation = self._batches(task, seed)
            total_steps = candidate.epochs * train.steps_per_epoch
            paces = paces_by_depth(task, candidate.layer_decay, (candidate.unfreeze_every or 0) * train.steps_per_epoch)
            optimizer = build_optimizer(candidate.optimizer, total_steps, self.runtime.precision, paces=paces)
            model = TrainingModel(task, self.config.accumulation_steps, self.config.rematerialize)
            model.compile(optimizer, self.place.jit_compile)
        if self.place.is_chief:
            write_config(run, self._resolved(candidate, seed) | _foreign_origin(pretrained))
        training = self._training(f"{name}, seed {seed}", model, candidate, train, validation, run, mark)
        monitor = training.fit()
        if self.place.is_chief:
            self._write(candidate, pretrained, training, monitor, seed, mark)

    def _require_room(self, model: ModelConfig) -> None:
        """Raises UserError where the configuration asks for longer rows than the model reads."""
        settings, num_tokens = self.config.tokens_read(model)
        if num_tokens > model.max_sequence_length:
            raise UserError(
                f"finetune.{settings} is {num_tokens}, but the model reads at most {model.max_sequence_length} tokens.",
                remedy=f"Set a shorter {settings}, or a model with a larger max_sequence_length.",
            )

    def _resolved(self, candidate: CandidateConfig, seed: int) -> dict:
        shared = self.config.model_dump(mode="json", exclude={"candidates", "seeds"})
        return {"stage": "finetune", "seed": seed, **shared, "candidate": candidate.model_dump(mode="json")}

    def _training(
        self,
        description: str,
        model: TrainingModel,
        candidate: CandidateConfig,
        train: BatchSource,
        validation: BatchSource | None,
        run: RunDirectory,
        mark: str,
    ) -> TrainingRun:
        return TrainingRun(
            model,
            self.config,
            train,
            (validation, validation.steps_per_epoch) if validation else None,
            Intervals(train.steps_per_epoch, candidate.epochs, [*range(1, candidate.epochs + 1)]),
            run,
            CheckpointStore(
                run.checkpoints,
                keep=1,
                fingerprint=mark,
                read_only=not self.place.is_chief,
                tell=self.progress.message,
            ),
            # A run that is to be proved has one behind every epoch.
            CheckpointPlan(every_seconds=0.0 if self.config.keep_final_checkpoint else self.checkpoint_seconds),
            self.place,
            self.progress,
            description,
            tokens_per_step=self.config.batch_size * self._tokens_per_row(model.task),
            flops_per_step=self._flops_per_step(candidate, model.task.encoder.config),
            best=self._best() if validation else None,
            leading_callbacks=self._leading_callbacks(model.task),
        )

    def _flops_per_step(self, candidate: CandidateConfig, model: ModelConfig) -> float | None:
        """Floating-point operations of a step; None where frozen weights make them fewer."""
        if candidate.freeze == "encoder" or candidate.lora is not None:
            return None
        return training_flops_per_step(self.config, model, self.tokenizer.vocabulary_size)

    def _write(
        self,
        candidate: CandidateConfig,
        pretrained: RunDirectory | None,
        training: TrainingRun,
        monitor: TrainingMonitor,
        seed: int,
        mark: str,
    ) -> None:
        """Writes the run directory; what is judged is the model that was written."""
        task, run = training.model.task, training.run
        if tuned := self._tuned(task):
            task.config = task.config.model_copy(update=tuned)
        self.tokenizer.save(run.tokenizer)
        save_task(task if candidate.lora is None else without_lora(task), run.model)
        written = load_task(run.model)
        steps, best = monitor.history[-1]["step"], training.best
        report = {
            "seed": seed,
            **self._judge(written, run),
            "parameters": written.count_params(),
            "trained_parameters": sum(math.prod(weight.shape) for weight in task.trainable_weights),
            "steps": steps,
            "best_epoch": best.best_epoch + 1 if best else None,
            "tokens": steps * self.config.batch_size * self._tokens_per_row(task),
            "seconds": round(monitor.seconds, 1),
            "history": monitor.history,
            "skipped": training.skipped,
        }
        if candidate.lora is not None:
            write_adapter(task, candidate.lora, str(pretrained.path), run, read_yaml(run.config))
        run.write_report("finetune", mark, report)
        training.clear_checkpoints()


def _foreign_origin(pretrained: RunDirectory | None) -> dict[str, str]:
    """Where a model was imported from, if it was, and what it is called there: it can leave under the same name."""
    values = read_yaml(pretrained.config) if pretrained is not None and pretrained.config.is_file() else {}
    return {key: values[key] for key in ("model_type", "source") if key in values}
