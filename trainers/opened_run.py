"""What a finished run can be used for, told from its files without TensorFlow."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfplm.config import read_yaml, validate
from tfplm.errors import UserError
from tfplm.generation.configuration import GenerationConfig
from tfplm.run_directory import RunDirectory
from tfplm.tasks.configuration import ANSWERING_TASKS, WRITING_TASKS

_EXPORTED_FILES = ("saved_model.pb", "model_ids.tflite")
# Settings of generation that mean the same under every strategy.
_SHARED_SETTINGS = {
    "max_new_tokens",
    "min_new_tokens",
    "repetition_penalty",
    "no_repeat_ngram_size",
    "stop",
    "seed",
    "log_probabilities",
}


@dataclass(frozen=True)
class OpenedRun:
    """A finished training.

    Args:
        directory: its files.
        stage: "pretrain", "finetune" or "import".
        task_type: of the model, such as "causal_lm".
        config: its resolved configuration, as plain values.
    """

    directory: RunDirectory
    stage: str
    task_type: str
    config: dict[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> "OpenedRun":
        """Raises UserError when ``path`` is not a whole run that has trained a model; names the runs below it."""
        directory = RunDirectory(path)
        try:
            parts = (directory.config, directory.tokenizer, directory.model)
            stage = directory.require_one_of(("finetune", "pretrain", "import"), *parts)["stage"]
        except UserError as error:
            raise UserError(error.found, error.expected, _runs_below(directory.path) or error.remedy) from error
        return cls(directory, stage, _task_type(directory), read_yaml(directory.config))

    @property
    def writes(self) -> bool:
        """Whether its model writes text."""
        return self.task_type in WRITING_TASKS

    @property
    def prefixes(self) -> dict[str, str]:
        """By task, what stands before every prompt; empty for a pretrained model."""
        if self.stage == "import":
            return dict(self.config.get("prefixes") or {})
        if self.stage != "finetune":
            return {}
        try:
            return {name: task["prefix"] for name, task in self.config["tasks"].items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{self.directory.config} is damaged: {error!r}.") from error

    @property
    def separator(self) -> str:
        """What stands behind every prompt of a fine-tuned decoder."""
        if self.stage != "finetune" or self.task_type != "causal_lm":
            return ""
        return self.config["task"]["separator"]

    def require_writer(self) -> None:
        """Raises UserError where the model does not write."""
        if not self.writes:
            raise UserError(
                f"{self.directory.path} does not write text: its model is of the task '{self.task_type}'.",
                "Expected a run of a gpt, lstm, t5 or lstm_seq2seq model, pretrained or fine-tuned to text.",
                f"tfplm predict {self.directory.path} answers them." if self.task_type in ANSWERING_TASKS else "",
            )

    @property
    def inputs(self) -> list[str]:
        """The names of the strings that one answer is made of."""
        return list(self.config.get("inputs") or ["text"])

    def require_answers(self, command: str) -> None:
        """Raises UserError where the model does not answer strings, which ``command`` asks for."""
        if self.writes:
            raise UserError(
                f"{self.directory.path} writes text, and {command} takes models that do not.",
                remedy=f"Use tfplm generate {self.directory.path} 'a text'.",
            )
        if self.task_type not in ANSWERING_TASKS:
            raise UserError(
                f"{self.directory.path} holds a model of the task '{self.task_type}' (stage '{self.stage}').",
                f"{command} takes {', '.join(ANSWERING_TASKS)}.",
                f"Fine-tune it first: finetune.candidates.NAME.initialize_from={self.directory.path}",
            )

    def choose_task(self, name: str | None) -> str | None:
        """The task that is meant: ``name``, or the only one. Raises UserError where it cannot be told."""
        known = list(self.prefixes)
        if name is None and (len(known) < 2 or self.stage == "import"):
            return known[0] if len(known) == 1 else None
        if name in known:
            return name
        found = f"{self.directory.path} knows several tasks." if name is None else f"There is no task '{name}'."
        if not known:
            raise UserError(found, f"{self.directory.path} is a pretrained model, which has none.", "Leave it out.")
        raise UserError(found, f"Known are {', '.join(known)}.", "Name one of them with --task.")

    def generation_settings(self, changes: dict[str, Any]) -> GenerationConfig:
        """How it writes: its own settings, if it has any, with ``changes``. Raises UserError where they are wrong.

        Another strategy than its own leaves of its own settings those that every strategy has.
        """
        own = dict(self.config.get("generation") or {})
        if changes.get("strategy", own.get("strategy")) != own.get("strategy"):
            own = {key: value for key, value in own.items() if key in _SHARED_SETTINGS}
        return validate(GenerationConfig, own | changes, "the settings of generation")


def is_export(path: str | Path) -> bool:
    """Whether a SavedModel or a TFLite file is there."""
    path = Path(path)
    return path.suffix == ".tflite" or any((path / name).is_file() for name in _EXPORTED_FILES)


def answer_inputs(path: str | Path, command: str) -> list[str]:
    """The names of the strings that a run, or an export of one, makes an answer of. Raises UserError."""
    if not is_export(path):
        opened = OpenedRun.open(path)
        opened.require_answers(command)
        return opened.inputs
    folder = Path(path).parent if Path(path).suffix == ".tflite" else Path(path)
    report = folder / "report.json"
    try:
        return list(json.loads(report.read_text(encoding="utf-8"))["inputs"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder} is no export of a model that answers texts: {error!r}.",
            "Expected report.json as tfplm export writes it, beside the model.",
        ) from error


def _task_type(directory: RunDirectory) -> str:
    path = directory.model / "model.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))["task_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged: {error!r}.", "Expected the JSON of a saved model.") from error


def _runs_below(path: Path) -> str:
    patterns = ("seed-*", "*/seed-*", "finetune/*/seed-*", "pretrain")
    below = sorted(str(report.parent) for pattern in patterns for report in path.glob(f"{pattern}/report.json"))
    return f"Runs below it: {', '.join(below)}." if below else ""
