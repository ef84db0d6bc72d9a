"""Pretraining on a prepared corpus."""

from collections.abc import Callable

import keras

from tfplm.data.pretraining import pretraining_batches
from tfplm.data.pretraining_batches import PretrainingBatches
from tfplm.data.shards import TokenShards
from tfplm.experiment import PretrainConfig
from tfplm.models.build import build_model
from tfplm.objectives import decoder_length
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory, write_config
from tfplm.tasks.causal_language_model import CausalLanguageModel
from tfplm.tasks.configuration import Seq2SeqLmConfig
from tfplm.tasks.masked_language_model import MaskedLanguageModel
from tfplm.tasks.saving import save_task
from tfplm.tasks.seq2seq_language_model import Seq2SeqLanguageModel
from tfplm.tasks.task import Task
from tfplm.tokenizers.loading import load_tokenizer
from tfplm.tokenizers.tokenizer import Tokenizer
from tfplm.training_configuration import RuntimeConfig
from trainers.callbacks import TrainingMonitor
from trainers.checkpoints import CheckpointStore
from trainers.costs import training_flops_per_step
from trainers.distribute import Workplace, require_whole_parts
from trainers.language_model_evaluation import BitsPerByte, evaluate_language_model, tokens_per_byte
from trainers.mask_samples import filled_masks
from trainers.optimizers import build_optimizer
from trainers.parity_texts import NUM_PARITY_TEXTS, write_parity_texts
from trainers.span_samples import filled_spans
from trainers.text_floors import text_floors
from trainers.text_samples import TextSamples, beginnings, prompt_length, samples_markdown
from trainers.training_model import TrainingModel
from trainers.training_run import CheckpointPlan, Intervals, TrainingRun

_VALIDATION_SEED = 1  # added to the seed: the masks of validation are the same at every evaluation


def _intervals(config: PretrainConfig) -> Intervals:
    """The steps in intervals of ``log_every``; those that fill ``checkpoint_every``, and the last, are validated."""
    length = min(config.log_every, config.steps)
    count = config.steps // length
    validate_every = max(1, config.checkpoint_every // length)
    return Intervals(length, count, [*range(validate_every, count, validate_every), count])


def build_pretraining_model(config: PretrainConfig, vocabulary_size: int, pad_id: int = 0) -> Task:
    """The model of the configuration with the head of its objective."""
    encoder, objective = build_model(config.model, vocabulary_size, pad_id), config.objective
    if objective.type == "masked_lm":
        return MaskedLanguageModel(encoder, objective)
    if objective.type == "causal_lm":
        return CausalLanguageModel(encoder, objective)
    return Seq2SeqLanguageModel(encoder, Seq2SeqLmConfig(positions_per_chunk=objective.positions_per_chunk))


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
    tokenizer = load_tokenizer(corpus.tokenizer)
    batches, validation = _batches(config, corpus, tokenizer, seed)
    keras.utils.set_random_seed(seed)
    with place.strategy.scope():
        task = build_pretraining_model(config, tokenizer.vocabulary_size, tokenizer.pad_id)
        optimizer = build_optimizer(config.optimizer, config.steps, runtime.precision)
        model = TrainingModel(task, config.accumulation_steps, config.rematerialize)
        model.compile(optimizer, place.jit_compile)
    if place.is_chief:
        write_config(run, {"stage": "pretrain", "seed": seed, **config.model_dump(mode="json")})
    show = _samples(task, config, validation, tokenizer)
    training, monitor = _train(model, config, batches, validation, show, run, fingerprint, progress, place)
    if place.is_chief:
        report = _report(task, config, batches, monitor) | {"skipped": training.skipped}
        if config.objective.type != "masked_lm":
            _write_prompts(run, config, [validation, batches] if validation is not None else [batches])
        if validation is not None and config.objective.type != "masked_lm":
            progress.message("Measuring the model on the whole validation text.")
            report |= _text_report(task, batches, validation, place.jit_compile)
        tokenizer.save(run.tokenizer)
        save_task(task, run.model)
        run.write_report("pretrain", fingerprint, {"seed": seed, **report})
        training.clear_checkpoints()


def _batches(
    config: PretrainConfig, corpus: RunDirectory, tokenizer: Tokenizer, seed: int
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
    show: tuple[str, Callable[[], str]] | None,
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
        return [_shown(*show, monitor, intervals.validated)] if show is not None and place.is_chief else []

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
        tokens_per_step=_tokens_per_step(config),
        flops_per_step=training_flops_per_step(config, config.model, model.task.encoder.config.vocabulary_size),
        leading_callbacks=_bits_per_byte(config, validation),
        further_callbacks=further_callbacks,
    )
    return training, training.fit()


def _bits_per_byte(config: PretrainConfig, validation: PretrainingBatches | None) -> list[keras.callbacks.Callback]:
    """What shows the validation loss in bits a byte, where the targets are text."""
    if validation is None or config.objective.type not in ("causal_lm", "prefix_lm"):
        return []
    ratio = tokens_per_byte(validation.shards, validation.tokenizer)
    return [BitsPerByte(ratio)] if ratio else []


def _samples(
    task: Task, config: PretrainConfig, validation: PretrainingBatches | None, tokenizer: Tokenizer
) -> tuple[str, Callable[[], str]] | None:
    """The name of a sample of the model's work, for TensorBoard, and a function that makes it in Markdown."""
    if validation is None:
        return None
    if config.objective.type == "masked_lm":
        return "filled_masks", lambda: filled_masks(task, validation.batch(0), tokenizer)
    if config.objective.type == "span_corruption":
        return "filled_spans", lambda: filled_spans(task, validation.batch(0), tokenizer)
    samples = TextSamples(task, tokenizer, validation.shards)
    return "written_text", lambda: samples_markdown(samples.write())


def _shown(
    name: str, make: Callable[[], str], monitor: TrainingMonitor, intervals: list[int]
) -> keras.callbacks.Callback:
    """Shows a sample at the end of these intervals."""

    def show(epoch: int, logs) -> None:
        if epoch + 1 in intervals:
            monitor.text(name, make())

    return keras.callbacks.LambdaCallback(on_epoch_end=show)


def _text_report(task: Task, train: PretrainingBatches, validation: PretrainingBatches, jit_compile: bool) -> dict:
    """What a model that writes is judged by: its figures on the validation text, those to beat, and what it writes."""
    figures: dict = {"validation": evaluate_language_model(task, validation, jit_compile)}
    if train.objective.type == "causal_lm":
        figures["floors"] = text_floors(train.shards, validation.shards, train.tokenizer)
    if train.objective.type != "span_corruption":
        figures["samples"] = TextSamples(task, train.tokenizer, validation.shards).write()
    return figures


def _write_prompts(run: RunDirectory, config: PretrainConfig, sources: list[PretrainingBatches]) -> None:
    """Keeps prompts for the proof at the end of an export, from the first of the sources that have enough."""
    texts: list[str] = []
    for source in sources:
        if len(texts) < NUM_PARITY_TEXTS:
            num_tokens = prompt_length(config.model.max_sequence_length)
            texts += beginnings(source.shards, source.tokenizer, 2 * NUM_PARITY_TEXTS, num_tokens)
    write_parity_texts(run, list(dict.fromkeys(texts)))


def _tokens_per_step(config: PretrainConfig) -> int:
    """Padding included, and for encoder-decoders the tokens of both."""
    return config.batch_size * (config.sequence_length + decoder_length(config.objective, config.sequence_length))


def _report(task: Task, config: PretrainConfig, batches: PretrainingBatches, monitor: TrainingMonitor) -> dict:
    steps = monitor.history[-1]["step"]
    tokens = steps * _tokens_per_step(config)
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
