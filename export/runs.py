"""From a run directory to the files that a server or a phone takes."""

import json
import time
from pathlib import Path

from tfplm.config import read_yaml
from tfplm.errors import UserError
from tfplm.run_directory import RunDirectory, whole_directory, write_text
from tfplm.tasks.configuration import WRITING_TASKS

FORMATS = ("saved_model", "tflite", "huggingface")
REPORT_FILE = "report.json"
_STAGES = ("finetune", "pretrain", "import")
INSTRUCTIONS_FILE = "how_to_use.md"


def export_run(run: str | Path, format: str, out: str | Path, replace: bool = False) -> dict:
    """Exports the model of a run and proves that it answers as the Keras model does.

    A model that answers leaves fine-tuned or imported, one that writes pretrained too; for Hugging Face all do.

    Beside the model, ``out`` gets how_to_use.md, a few lines that run it, and report.json, the figures of the proof.

    Args:
        run: the run directory of a finished training.
        format: "saved_model", "tflite" or "huggingface".
        out: the directory to write; must not be there, or be empty, unless ``replace`` is set.
        replace: what stands there goes once the new export is proved.

    Returns:
        The figures: format, seconds, and those of `export_saved_model` or `export_tflite`, of a model that writes
        `export_writer_saved_model` or `export_writer_tflite`; or those of `export_huggingface`.

    Raises:
        ExportMismatch: the export answers differently; nothing is left behind.
        UserError: the format is unknown, the run is incomplete or of another version, or ``out`` is there already.

    Example:
        >>> export_run("runs/reviews/finetune", "tflite", "reviews_tflite")["num_texts"]
        80
    """
    if format not in FORMATS:
        raise UserError(f"There is no export format '{format}'.", f"Known are {', '.join(FORMATS)}.")
    started = time.perf_counter()
    run_directory = RunDirectory(run)
    examples_path = run_directory.path / "examples.json"
    parts = (run_directory.config, run_directory.tokenizer, run_directory.model)
    writes = _task_type(run_directory) in WRITING_TASKS
    if format == "huggingface":
        source, examples = run_directory.require_one_of(_STAGES, *parts), []
        if examples_path.is_file():
            examples = _read_examples(examples_path)
    else:
        stages = _STAGES if writes else ("finetune", "import")
        source, examples = run_directory.require_one_of(stages, *parts, examples_path), _read_examples(examples_path)
    with whole_directory(out, replace) as partial:
        if format == "huggingface":
            figures, instructions = _export_huggingface(run_directory, partial, examples)
        elif writes:
            figures, instructions = _export_writer(run_directory, format, partial, examples)
        else:
            figures, instructions = _export_answerer(run_directory, format, partial, examples)
        seconds = round(time.perf_counter() - started, 1)
        report = {"format": format, "run_fingerprint": source["fingerprint"], "seconds": seconds, **figures}
        write_text(partial / INSTRUCTIONS_FILE, instructions)
        write_text(partial / REPORT_FILE, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return report


def _task_type(run: RunDirectory) -> str | None:
    """What the model was made for; None where that cannot be told, which loading the model will explain."""
    try:
        return json.loads((run.model / "model.json").read_text(encoding="utf-8"))["task_type"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _export_huggingface(run: RunDirectory, out: Path, examples: list) -> tuple[dict, str]:
    # Imported here: a mistake in the request is answered before TensorFlow has loaded.
    from export.huggingface import export_huggingface

    return export_huggingface(run, out, examples)


def _export_writer(run: RunDirectory, format: str, out: Path, examples: list) -> tuple[dict, str]:
    # Imported here: a mistake in the request is answered before TensorFlow has loaded.
    from export.writer_run import export_writer

    return export_writer(run, format, out, examples)


def _export_answerer(run: RunDirectory, format: str, out: Path, examples: list) -> tuple[dict, str]:
    # Imported here: a mistake in the request is answered before TensorFlow has loaded.
    from export.answer_instructions import answer_instructions
    from export.saved_model import export_saved_model
    from export.tflite import export_tflite
    from tfplm.answering.registry import answerer_for
    from tfplm.tasks.saving import load_task
    from tfplm.tokenizers.loading import load_tokenizer

    write = {"saved_model": export_saved_model, "tflite": export_tflite}[format]
    task, tokenizer = load_task(run.model), load_tokenizer(run.tokenizer)
    values = read_yaml(run.config)
    sequence_length, inputs = _read_sequence_length(run.config, values), values.get("inputs") or ["text"]
    figures = write(task, tokenizer, out, sequence_length, examples, inputs)
    answerer = answerer_for(task, tokenizer, sequence_length, inputs)
    described = {  # what `tfplm evaluate` needs to judge what was written
        "task_type": task.task_type,
        "task": task.config.model_dump(mode="json"),
        "encoder": task.encoder.config.model_dump(mode="json"),
        "class_names": answerer.class_names,
        "inputs": list(answerer.inputs),
        "sequence_length": sequence_length,
        "data": values.get("data"),
    }
    return figures | described, answer_instructions(answerer, format)


def _read_sequence_length(path: Path, values: dict) -> int:
    value = values.get("sequence_length")
    if not isinstance(value, int) or value < 2:
        raise UserError(f"{path} gives sequence_length {value!r}.", "Expected the number of a finished fine-tuning.")
    return value


def _read_examples(path: Path) -> list:
    try:
        examples = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged: {error}.", "Expected a JSON list of texts.") from error
    if not isinstance(examples, list) or not all(isinstance(text, str | dict) for text in examples):
        raise UserError(f"{path} is damaged.", "Expected a JSON list of texts.")
    return examples
