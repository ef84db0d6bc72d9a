"""The export of a run whose model writes."""

from pathlib import Path
from typing import Any

from export.prompt_frame import PromptFrame
from export.writer_endpoints import default_settings
from export.writer_instructions import writer_instructions
from export.writer_saved_model import export_writer_saved_model
from export.writer_steps import WriterSteps
from export.writer_tflite import export_writer_tflite
from tfplm.config import read_yaml
from tfplm.errors import UserError
from tfplm.run_directory import RunDirectory
from tfplm.tasks.saving import load_task
from tfplm.tokenizers.loading import load_tokenizer
from tfplm.tokenizers.tokenizer import Tokenizer

_FORMATS = {"saved_model": export_writer_saved_model, "tflite": export_writer_tflite}
_EXAMPLE_PROMPT, _EXAMPLE_CHARACTERS = "Once upon a time", 60


def export_writer(run: RunDirectory, format: str, out: Path, examples: list[str]) -> tuple[dict, str]:
    """Exports the model of a run.

    Args:
        run: a whole one.
        format: "saved_model" or "tflite".
        out: the directory to write.
        examples: texts for the proof, as the model is given them.

    Returns:
        Figures and instructions.
    """
    task, tokenizer = load_task(run.model), load_tokenizer(run.tokenizer)
    prefixes, frame = read_frame(read_yaml(run.config), task.is_encoder_decoder, str(run.config))
    prompts = [frame.inside(example) for example in examples]
    steps = WriterSteps(task)
    prompt = _short_prompt(prompts, tokenizer, frame, steps.most_tokens // 2)
    settings = default_settings(steps)
    instructions = writer_instructions(format, prompt, steps.kind, tokenizer.config.type, settings, prefixes)
    return _FORMATS[format](task, tokenizer, out, prompts, frame), instructions


def read_frame(config: dict[str, Any], is_encoder_decoder: bool, origin: str) -> tuple[dict[str, str], PromptFrame]:
    """The prefixes that the model of a run has learned, by task, and what stands around every prompt."""
    try:
        prefixes, separator = {}, ""
        if config["stage"] == "import":
            prefixes = dict(config.get("prefixes") or {})
        elif config["stage"] == "finetune":
            prefixes = {name: str(task["prefix"]) for name, task in config["tasks"].items()}
            separator = "" if is_encoder_decoder else str(config["task"]["separator"])
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{origin} is damaged: {error!r}.", "Expected what a finished run wrote.") from error
    only_prefix = next(iter(prefixes.values())) if len(prefixes) == 1 else ""
    return prefixes, PromptFrame(only_prefix, separator)


def _short_prompt(prompts: list[str], tokenizer: Tokenizer, frame: PromptFrame, most_tokens: int) -> str:
    """One to show: the beginning of the first whose first line is text and no option of a command."""
    lines = (line.strip() for prompt in prompts for line in prompt.splitlines()[:1])
    shown = next((line for line in lines if line and not line.startswith("-")), _EXAMPLE_PROMPT)[:_EXAMPLE_CHARACTERS]
    while len(shown) > 1 and len(tokenizer.encode([frame.around(shown)])[0]) > most_tokens:
        shown = shown[: len(shown) // 2]
    return shown.strip()
