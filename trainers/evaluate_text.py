"""Judging runs whose models write: on pairs of source and target, or on plain text."""

import json
import tempfile
from collections import Counter
from pathlib import Path

from tfplm.config import Config, validate
from tfplm.data.configuration import CleaningConfig, CorpusConfig, TextSource
from tfplm.data.pair_configuration import PairTableSource
from tfplm.data.pair_sources import read_pairs
from tfplm.data.pairs import Pairs
from tfplm.data.prepare import prepare_corpus
from tfplm.data.pretraining import pretraining_batches
from tfplm.data.shards import TokenShards
from tfplm.errors import UserError
from tfplm.experiment import PretrainConfig
from tfplm.finetuning_configuration import GenerationFinetuneConfig
from tfplm.generation.configuration import GenerationConfig
from tfplm.generation.text_generator import TextGenerator
from tfplm.progress import Progress
from tfplm.run_directory import write_text
from tfplm.tasks.saving import load_task
from tfplm.tokenizers.loading import load_tokenizer
from trainers.generation_evaluation import answer_records, judge_answers, judge_copies, write_answers
from trainers.language_model_evaluation import evaluate_language_model
from trainers.opened_run import OpenedRun
from trainers.pair_texts import PairTexts

_ROWS_AT_ONCE = 8
_MOST_TOKENS = 512  # of a source and of a target, for an imported model


def evaluate_pairs(
    run: OpenedRun, source: PairTableSource, task_name: str, settings: GenerationConfig, out: Path | None = None
) -> dict:
    """Figures of a fine-tuned model on pairs; also written to ``out``/evaluation.json, with the outputs beside it.

    Args:
        run: fine-tuned to text.
        source: the pairs.
        task_name: one of the run's tasks.
        settings: of generation.
        out: a folder, or None.

    Returns:
        The figures of `judge_answers` and of the prediction of the targets; under ``copies`` those of the sources
        themselves; under ``left_out`` how many pairs were, by reason.

    Raises:
        UserError: the run is damaged or the pairs unreadable.
    """
    config = _finetune_config(run, source, task_name)
    dropped: Counter[str] = Counter()
    found = read_pairs(source, config.tasks[task_name].data.cleaning, dropped)
    pairs = Pairs(
        sources=[pair.source for pair in found],
        targets=[pair.target for pair in found],
        tasks=[task_name] * len(found),
        origins=[pair.origin for pair in found],
    )
    task, tokenizer = load_task(run.directory.model), load_tokenizer(run.directory.tokenizer)
    texts = PairTexts(task, tokenizer, config)
    answers = write_answers(TextGenerator(task, tokenizer), pairs, texts.prompts(pairs), settings)
    figures = {
        **judge_answers(answers, config.bleu_tokenizer)[task_name],
        **texts.figures(pairs),
        "copies": judge_copies(answers, config.bleu_tokenizer)[task_name],
        "left_out": dict(dropped),
    }
    if out is not None:
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in answer_records(answers))
        write_text(Path(out) / "outputs.jsonl", "".join(lines))
        write_text(Path(out) / "evaluation.json", json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    return figures


def _finetune_config(run: OpenedRun, source: PairTableSource, task_name: str) -> GenerationFinetuneConfig:
    """That of the run, or of an imported one what it would be."""
    if run.stage == "import":
        task = {"prefix": run.prefixes.get(task_name, ""), "data": {"train": source.model_dump()}}
        length = min(run.config["model"]["max_sequence_length"], _MOST_TOKENS)
        values = {
            "task": {"type": "text_generation"},
            "tasks": {task_name: task},
            "source_length": length,
            "target_length": length,
            "candidates": {"this": {"initialize_from": str(run.directory.path)}},
        }
    else:
        values = _fields(GenerationFinetuneConfig, run.config) | {"candidates": {"this": run.config.get("candidate")}}
    return validate(GenerationFinetuneConfig, values, str(run.directory.config))


def _fields(config_type: type[Config], values: dict) -> dict:
    """Of a run's configuration what belongs to a section."""
    return {key: value for key, value in values.items() if key in config_type.model_fields}


def evaluate_text(run: OpenedRun, path: Path, out: Path | None = None) -> dict:
    """Figures of a pretrained model on the text of a file, read as one document; see `evaluate_language_model`.

    Raises:
        UserError: the run is damaged or the file unreadable.
    """
    config = validate(PretrainConfig, _fields(PretrainConfig, run.config), str(run.directory.config))
    task, tokenizer = load_task(run.directory.model), load_tokenizer(run.directory.tokenizer)
    corpus = CorpusConfig(
        sources=[TextSource(paths=[str(path)])],
        cleaning=CleaningConfig(),
        drop_repeated_documents=False,
        validation_fraction=0.0,
    )
    with tempfile.TemporaryDirectory() as folder:
        prepare_corpus(corpus, tokenizer, Path(folder), set(), 0, Progress.silent())
        shards = TokenShards.open(Path(folder) / "shards" / "train")
        batches = pretraining_batches(shards, tokenizer, config.objective, config.sequence_length, _ROWS_AT_ONCE, 0)
        if config.objective.type != "causal_lm" and batches.num_rows < _ROWS_AT_ONCE:
            raise UserError(
                f"{path} gives {batches.num_rows} rows of {config.sequence_length} tokens.",
                f"Expected {_ROWS_AT_ONCE} or more for objective.type {config.objective.type}.",
                "Give a longer text.",
            )
        figures = evaluate_language_model(task, batches)
    if out is not None:
        write_text(Path(out) / "evaluation.json", json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    return figures
