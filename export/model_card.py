"""The model card of a Hugging Face folder: what the model is, where it comes from, and how it was judged."""

import json
from pathlib import Path
from typing import Any

import tfplm
from export.prompt_frame import PromptFrame
from tfplm.config import read_yaml
from tfplm.run_directory import RunDirectory
from tfplm.tasks.task import Task

_PIPELINES = {
    "masked_lm": "fill-mask",
    "text_classification": "text-classification",
    "token_classification": "token-classification",
    "question_answering": "question-answering",
    "text_embedding": "feature-extraction",
    "causal_lm": "text-generation",
    "seq2seq_lm": "text2text-generation",
}
_FIGURES = ("accuracy", "macro_f1", "bits_per_byte", "perplexity", "token_accuracy", "examples")


def model_card(run: RunDirectory, task: Task, values: dict[str, Any], frame: PromptFrame) -> str:
    """Markdown with the header that the Hub reads.

    Args:
        run: that the model is of.
        task: the model.
        values: of its config.json.
        frame: what stands around the prompts of a model that writes.
    """
    report, settings = run.read_report(), read_yaml(run.config)
    header = [
        "---",
        "library_name: transformers",
        f"pipeline_tag: {_PIPELINES[task.task_type]}",
        "tags: [tfplm]",
        "---",
    ]
    lines = [
        f"# {values['architectures'][0]}",
        f"{task.count_params():,} parameters, task `{task.task_type}`; exported by tfplm {tfplm.__version__} "
        f"from a run of the stage '{report['stage']}'.",
    ]
    if "source" in settings:
        source = Path(settings["source"]).name if Path(settings["source"]).is_dir() else settings["source"]
        lines.append(f"It began as a checkpoint imported from `{source}`, whose licence and limits hold for it too.")
    if frame != PromptFrame():
        lines.append(f"Prompts are given as `{frame.around('a text')!r}`.")
    if names := getattr(task, "class_names", None):
        lines.append(f"Labels: {', '.join(names)}.")
    for split in ("validation", "test"):
        if table := _table(report.get(split)):
            lines.append(f"## On the {split} data\n\n{table}")
    lines.append("## What to know\n\nNo statement is made on bias, safety or other domains: none was measured.")
    return "\n".join(header) + "\n\n" + "\n\n".join(lines) + "\n"


def _table(figures: dict | None) -> str:
    rows = [(name, figures[name]) for name in _FIGURES if isinstance((figures or {}).get(name), int | float)]
    if not rows:
        return ""
    return "\n".join(
        ["| figure | value |", "|---|---|", *(f"| {name} | {json.dumps(value)} |" for name, value in rows)]
    )
