"""A checkpoint as a run directory, which every later command takes."""

import json
from pathlib import Path
from typing import Any

from tfplm.answering.answer_names import PASSAGE, QUESTION
from tfplm.errors import UserError
from tfplm.generation.configuration import GenerationConfig
from tfplm.interop.json_files import read_json_object
from tfplm.interop.pretrained import Pretrained, load_pretrained
from tfplm.interop.sentence_transformers import read_most_tokens
from tfplm.run_directory import RunDirectory, fingerprint, whole_directory, write_config, write_text
from tfplm.tasks.configuration import WRITING_TASKS
from tfplm.tasks.saving import save_task

STAGE = "import"
_MOST_TOKENS = 512  # of a row, where the model reads more
_GENERATION_FILE = "generation_config.json"
# Settings of generation that mean the same here and there.
_SETTINGS = ("max_new_tokens", "min_new_tokens", "repetition_penalty", "no_repeat_ngram_size")
_OF_SAMPLING, _OF_BEAMS = ("temperature", "top_k", "top_p", "min_p"), ("num_beams", "length_penalty")
# Texts for the proof of an export, which joins them to as many as it needs.
_EXAMPLES = (
    "The river was high that spring, and the bridge at the mill had to be closed.",
    "Please send two copies of the contract to the office before Friday, 14:30.",
    "I liked the room; the breakfast, on the other hand, was cold and far too expensive.",
    "Which of the two engines uses less fuel at 90 km/h?",
    "春天来了，河边的柳树都发了新芽。",
    "请在星期五之前把合同寄到办公室，谢谢！",
    "房间很好，但是早餐太贵，而且是凉的。",
    "这两台发动机，哪一台更省油？",
)


def import_run(
    source: str,
    out: str | Path,
    task: str | None = None,
    class_names: list[str] | None = None,
    revision: str | None = None,
) -> dict:
    """Loads a checkpoint and writes it as a run directory.

    Args:
        source: as of `load_pretrained`.
        out: a directory that is not there yet, or empty.
        task: as of `load_pretrained`.
        class_names: as of `load_pretrained`.
        revision: as of `load_pretrained`.

    Returns:
        What ``report.json`` holds.

    Raises:
        UserError: as of `load_pretrained`, or ``out`` is there already; nothing is left behind.
    """
    with whole_directory(out) as folder:
        pretrained = load_pretrained(source, task, class_names, revision)
        run = RunDirectory(folder)
        pretrained.tokenizer.save(run.tokenizer)
        save_task(pretrained.task, run.model)
        write_config(run, {"stage": STAGE, "source": source, "revision": revision, **_settings(pretrained)})
        write_text(run.path / "examples.json", json.dumps(_EXAMPLES, ensure_ascii=False, indent=0))
        return run.write_report(STAGE, fingerprint(pretrained.checkpoint.digests), _figures(pretrained))


def _settings(pretrained: Pretrained) -> dict[str, Any]:
    """What later stages ask of a run beside its model."""
    task, values, folder = pretrained.task, pretrained.checkpoint.config, pretrained.checkpoint.folder
    sizes = task.encoder.config
    settings: dict[str, Any] = {
        "model_type": values["model_type"],
        "sequence_length": min(sizes.max_sequence_length, read_most_tokens(folder) or _MOST_TOKENS),
        "model": sizes.model_dump(mode="json"),
        "task": {"type": task.task_type, **task.config.model_dump(mode="json")},
    }
    if task.task_type == "question_answering":
        settings["inputs"] = [QUESTION, PASSAGE]
    if task.task_type == "causal_lm":
        settings["objective"] = {"type": "causal_lm"}
    if task.task_type in WRITING_TASKS:
        settings["prefixes"] = _prefixes(values)
        settings["generation"] = _generation(folder / _GENERATION_FILE)
    return settings


def _prefixes(values: dict) -> dict[str, str]:
    """What ``task_specific_params`` of a T5 puts before its sources, by the name of the task."""
    told = values.get("task_specific_params")
    if not isinstance(told, dict):
        return {}
    prefixes = {name: params.get("prefix") for name, params in told.items() if isinstance(params, dict)}
    return {name: prefix for name, prefix in prefixes.items() if isinstance(prefix, str)}


def _generation(path: Path) -> dict[str, Any]:
    """The settings of generation that a checkpoint brings, as far as they mean the same here."""
    if not path.is_file():
        return {}
    told = {name: value for name, value in read_json_object(path).items() if value is not None}
    settings = {name: told[name] for name in _SETTINGS if name in told}
    if told.get("do_sample") is True:
        settings |= {"strategy": "sample"} | {name: told[name] for name in _OF_SAMPLING if told.get(name)}
    elif told.get("num_beams", 1) != 1:
        settings |= {"strategy": "beam"} | {name: told[name] for name in _OF_BEAMS if name in told}
    try:
        return GenerationConfig.model_validate(settings).model_dump(mode="json", exclude_unset=True)
    except ValueError as error:
        raise UserError(
            f"{path} has settings that are not supported: {str(error).splitlines()[-1]}.", remedy=f"Remove {path.name}."
        ) from error


def _figures(pretrained: Pretrained) -> dict[str, Any]:
    task, loaded = pretrained.task, pretrained.loaded
    return {
        "kind": pretrained.checkpoint.kind,
        "architectures": pretrained.checkpoint.config.get("architectures"),
        "task": task.task_type,
        "class_names": getattr(task, "class_names", None),
        "parameters": task.count_params(),
        "vocabulary_size": pretrained.tokenizer.vocabulary_size,
        "sha256": pretrained.checkpoint.digests,
        "new_variables": list(loaded.new),
        "tensors_left_out": list(loaded.left_out),
    }
