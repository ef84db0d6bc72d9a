"""Pretraining on a prepared corpus."""

import shutil
from dataclasses import dataclass

import keras

from tfplm.data.pretraining import PretrainingBatches, pretraining_batches
from tfplm.data.shards import TokenShards
from tfplm.experiment import PretrainConfig, RuntimeConfig
from tfplm.models.build import build_model
from tfplm.run_directory import RunDirectory, write_config
from tfplm.tasks.causal_language_model import CausalLanguageModel
from tfplm.tasks.masked_language_model import MaskedLanguageModel
from tfplm.tasks.saving import save_task
from tfplm.tokenizers.wordpiece import WordPieceTokenizer
from trainers.callbacks import PeriodicCheckpoint, TrainingMonitor
from trainers.checkpoints import CheckpointStore
from trainers.mask_samples import filled_masks
from trainers.optimizers import build_optimizer

_TASKS = {"masked_lm": MaskedLanguageModel, "causal_lm": CausalLanguageModel}
_VALIDATION_SEED = 1  # added to the seed: the masks of validation are the same at every evaluation


@dataclass(frozen=True)
class _Intervals:
    """Steps in intervals of ``log_every``: Keras's epochs."""

    length: int
    count: int
    validate_every: int  # intervals

    @classmethod
    def of(cls, config: PretrainConfig) -> "_Intervals":
        length = min(config.log_every, config.steps)
        return cls(length, config.steps // length, max(1, config.checkpoint_every // length))

    def validated(self) -> list[int]:
        """The numbers, from 1, of the intervals that end with a validation; the last one always does."""
        return [*range(self.validate_every, self.count, self.validate_every), self.count]


def build_pretraining_model(config: PretrainConfig, vocabulary_size: int) -> keras.Model:
    """The model of the configuration with the head of its objective."""
    encoder = build_model(config.model, vocabulary_size)
    return _TASKS[config.objective.type](encoder, config.objective)


def pretrain(
    config: PretrainConfig,
    runtime: RuntimeConfig,
    corpus: RunDirectory,
    run: RunDirectory,
    seed: int,
    fingerprint: str,
    progress,
) -> dict:
    """Trains, or goes on from the last checkpoint, and writes the run directory; returns its report.

    Raises:
        UserError: the corpus is incomplete or too small.
    """
    corpus.require("prepare", corpus.tokenizer, corpus.shards)
    tokenizer = WordPieceTokenizer.load(corpus.tokenizer)
    batches, validation = _batches(config, corpus, tokenizer, seed)
    keras.utils.set_random_seed(seed)
    task = build_pretraining_model(config, tokenizer.vocabulary_size)
    task.compile_for_training(build_optimizer(config.optimizer, config.steps), jit_compile=runtime.jit_compile)
    task.optimizer.build(task.trainable_variables)

    write_config(run, {"stage": "pretrain", "seed": seed, **config.model_dump(mode="json")})
    monitor = _fit(task, config, batches, validation, tokenizer, run, progress)
    report = _report(task, config, batches, monitor)
    tokenizer.save(run.tokenizer)
    save_task(task, run.model)
    report = run.write_report("pretrain", fingerprint, {"seed": seed, **report})
    CheckpointStore(run.checkpoints).clear()
    return report


def _batches(
    config: PretrainConfig, corpus: RunDirectory, tokenizer: WordPieceTokenizer, seed: int
) -> tuple[PretrainingBatches, PretrainingBatches | None]:
    """The batches to train on, and those to watch it with; None where the corpus has no validation text."""

    def build(shards: TokenShards, split_seed: int) -> PretrainingBatches:
        return pretraining_batches(
            shards, tokenizer, config.objective, config.sequence_length, config.batch_size, split_seed
        )

    train = build(TokenShards.open(corpus.shards / "train"), seed)
    validation = TokenShards.open(corpus.shards / "validation")
    return train, build(validation, seed + _VALIDATION_SEED) if validation.num_tokens else None


def _fit(
    task: keras.Model,
    config: PretrainConfig,
    batches: PretrainingBatches,
    validation: PretrainingBatches | None,
    tokenizer: WordPieceTokenizer,
    run: RunDirectory,
    progress,
) -> TrainingMonitor:
    intervals = _Intervals.of(config)
    store = CheckpointStore(run.checkpoints, config.keep_checkpoints)
    restored = store.restore_latest(task)
    first_step = restored.step if restored else 0
    if restored:
        progress.message(f"Going on from the checkpoint of step {first_step} in {run.checkpoints}.")
    else:
        shutil.rmtree(run.logs, ignore_errors=True)
    total = intervals.length * intervals.count
    with progress.task("pretrain", total=total, unit="steps", completed=first_step) as bar:
        tokens_per_step = config.batch_size * config.sequence_length
        config_text = run.config.read_text(encoding="utf-8")
        monitor = TrainingMonitor(run.logs, bar, tokens_per_step, config_text, restored)
        callbacks = [monitor, PeriodicCheckpoint(store, monitor, every_steps=config.checkpoint_every)]
        if validation is not None and config.objective.type == "masked_lm":
            callbacks.append(_mask_samples(validation, tokenizer, monitor, intervals.validated()))
        task.fit(
            batches.dataset(first_step, total),
            initial_epoch=first_step // intervals.length,
            epochs=intervals.count,
            steps_per_epoch=intervals.length,
            validation_data=validation.dataset(0, config.validation_batches) if validation else None,
            validation_freq=intervals.validated(),
            callbacks=callbacks,
            shuffle=False,  # the batches come shuffled
            verbose=0,
        )
        monitor.close()
    return monitor


def _mask_samples(
    validation: PretrainingBatches, tokenizer: WordPieceTokenizer, monitor: TrainingMonitor, intervals: list[int]
) -> keras.callbacks.Callback:
    """Shows filled-in masks of the first validation batch at the end of these intervals."""
    batch = validation.batch(0)

    def show(epoch: int, logs) -> None:
        if epoch + 1 in intervals:
            monitor.text("filled_masks", filled_masks(monitor.model, batch, tokenizer))

    return keras.callbacks.LambdaCallback(on_epoch_end=show)


def _report(task: keras.Model, config: PretrainConfig, batches: PretrainingBatches, monitor: TrainingMonitor) -> dict:
    steps = monitor.history[-1]["step"]
    tokens = steps * config.batch_size * config.sequence_length
    return {
        "parameters": task.count_params(),
        "steps": steps,
        "tokens": tokens,
        "epochs": steps * config.batch_size / batches.num_rows,
        "seconds": round(monitor.seconds, 1),
        "tokens_per_second": round(tokens / monitor.seconds) if monitor.seconds else None,
        "final": monitor.history[-1],
        "history": monitor.history,
    }
