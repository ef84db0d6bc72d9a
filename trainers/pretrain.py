"""Pretraining on a prepared corpus."""

import keras

from tfplm.data.pretraining import PretrainingBatches, pretraining_batches
from tfplm.data.shards import TokenShards
from tfplm.experiment import PretrainConfig, RuntimeConfig
from tfplm.models.build import build_model
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory, write_config
from tfplm.tasks.causal_language_model import CausalLanguageModel
from tfplm.tasks.masked_language_model import MaskedLanguageModel
from tfplm.tasks.saving import save_task
from tfplm.tasks.task import Task
from tfplm.tokenizers.wordpiece import WordPieceTokenizer
from trainers.callbacks import TrainingMonitor
from trainers.checkpoints import CheckpointStore
from trainers.costs import training_flops_per_step
from trainers.distribute import Workplace, require_whole_parts
from trainers.mask_samples import filled_masks
from trainers.optimizers import build_optimizer
from trainers.training_model import TrainingModel
from trainers.training_run import CheckpointPlan, Intervals, TrainingRun

_TASKS = {"masked_lm": MaskedLanguageModel, "causal_lm": CausalLanguageModel}
_VALIDATION_SEED = 1  # added to the seed: the masks of validation are the same at every evaluation


def _intervals(config: PretrainConfig) -> Intervals:
    """The steps in intervals of ``log_every``; those that fill ``checkpoint_every``, and the last, are validated."""
    length = min(config.log_every, config.steps)
    count = config.steps // length
    validate_every = max(1, config.checkpoint_every // length)
    return Intervals(length, count, [*range(validate_every, count, validate_every), count])


def build_pretraining_model(config: PretrainConfig, vocabulary_size: int) -> Task:
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
    progress: Progress,
    place: Workplace,
) -> None:
    """Trains, or goes on from the last checkpoint; the chief writes the run directory.

    Raises:
        UserError: the corpus is incomplete or too small, the batch does not divide, or training has diverged.
    """
    corpus.require("prepare", corpus.tokenizer, corpus.shards)
    require_whole_parts(config.batch_size, config.accumulation_steps, place.num_replicas)
    tokenizer = WordPieceTokenizer.load(corpus.tokenizer)
    batches, validation = _batches(config, corpus, tokenizer, seed)
    keras.utils.set_random_seed(seed)
    with place.strategy.scope():
        task = build_pretraining_model(config, tokenizer.vocabulary_size)
        optimizer = build_optimizer(config.optimizer, config.steps, runtime.precision)
        model = TrainingModel(task, config.accumulation_steps, config.rematerialize)
        model.compile(optimizer, place.jit_compile)
    if place.is_chief:
        write_config(run, {"stage": "pretrain", "seed": seed, **config.model_dump(mode="json")})
    training, monitor = _train(model, config, batches, validation, tokenizer, run, fingerprint, progress, place)
    if place.is_chief:
        report = _report(task, config, batches, monitor) | {"skipped": training.skipped}
        tokenizer.save(run.tokenizer)
        save_task(task, run.model)
        run.write_report("pretrain", fingerprint, {"seed": seed, **report})
        training.clear_checkpoints()


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


def _train(
    model: TrainingModel,
    config: PretrainConfig,
    batches: PretrainingBatches,
    validation: PretrainingBatches | None,
    tokenizer: WordPieceTokenizer,
    run: RunDirectory,
    fingerprint: str,
    progress: Progress,
    place: Workplace,
) -> tuple[TrainingRun, TrainingMonitor]:
    intervals = _intervals(config)
    store = CheckpointStore(
        run.checkpoints,
        config.keep_checkpoints,
        config.keep_best_checkpoints,
        fingerprint=fingerprint,
        read_only=not place.is_chief,
        tell=progress.message,
    )

    def further_callbacks(monitor: TrainingMonitor) -> list[keras.callbacks.Callback]:
        if validation is None or config.objective.type != "masked_lm" or not place.is_chief:
            return []
        return [_mask_samples(validation, tokenizer, monitor, intervals.validated)]

    training = TrainingRun(
        model,
        config,
        batches,
        (validation, config.validation_batches) if validation else None,
        intervals,
        run,
        store,
        CheckpointPlan(every_steps=config.checkpoint_every, metric="val_loss"),
        place,
        progress,
        "pretrain",
        tokens_per_step=config.batch_size * config.sequence_length,
        flops_per_step=training_flops_per_step(config, config.model, tokenizer.vocabulary_size),
        further_callbacks=further_callbacks,
    )
    return training, training.fit()


def _mask_samples(
    validation: PretrainingBatches, tokenizer: WordPieceTokenizer, monitor: TrainingMonitor, intervals: list[int]
) -> keras.callbacks.Callback:
    """Shows filled-in masks of the first validation batch at the end of these intervals."""
    batch = validation.batch(0)

    def show(epoch: int, logs) -> None:
        if epoch + 1 in intervals:
            monitor.text("filled_masks", filled_masks(monitor.model.task, batch, tokenizer))

    return keras.callbacks.LambdaCallback(on_epoch_end=show)


def _report(task: Task, config: PretrainConfig, batches: PretrainingBatches, monitor: TrainingMonitor) -> dict:
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
