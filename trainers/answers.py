"""What answers texts: a run, or what was exported of one."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf

from tfplm import feature_names as names
from tfplm.answering.answer_names import TEXT, TEXT_PAIR
from tfplm.answering.answerer import Answerer, answer_texts, join_widths, utf8
from tfplm.answering.registry import answerer_for
from tfplm.config import Config, read_yaml
from tfplm.errors import UserError
from tfplm.models.build import parse_model_config
from tfplm.run_directory import RunDirectory
from tfplm.tasks.saving import load_task, parse_task_config
from tfplm.tokenizers.loading import load_tokenizer

REPORT_FILE = "report.json"
_BATCH = 64
_STAGES = ("finetune", "import")


@dataclass(frozen=True)
class AnswerSource(ABC):
    """A model that answers texts, with what was said of its data when it was trained.

    Args:
        path: of the run or of the export.
        answerer: of its task; what an export answers is not computed by it.
        data: the section ``data`` of the training as plain values; None where it came without one.
    """

    path: Path
    answerer: Answerer
    data: dict[str, Any] | None

    @property
    def task(self) -> Config:
        """The configuration of the task."""
        return self.answerer.task.config

    def asked_for(self, inputs: Sequence[str]) -> "AnswerSource":
        """What answers strings of these names. Raises UserError where it takes others."""
        if set(inputs) != set(self.answerer.inputs):
            raise UserError(
                f"{self.path} answers {' and '.join(self.answerer.inputs)}; the data has {' and '.join(inputs)}.",
                "Expected data of the kind that the model has learned from.",
                "Name the columns: --text-column, and of pairs --text-pair-column.",
            )
        return self

    @abstractmethod
    def answer(self, texts: Mapping[str, Sequence]) -> dict[str, np.ndarray]:
        """The outputs of `Answerer.decide` for texts by the name of the input."""


class ExportAnswers(AnswerSource):
    """What was exported of a run; a subclass answers a batch."""

    def answer(self, texts: Mapping[str, Sequence]) -> dict[str, np.ndarray]:
        found = []
        for start in range(0, len(next(iter(texts.values()))), _BATCH):
            batch = {name: tf.constant(utf8(list(values[start : start + _BATCH]))) for name, values in texts.items()}
            found.append({name: value.numpy() for name, value in self._answer(batch).items()})
        return {name: join_widths([part[name] for part in found]) for name in found[0]}

    @abstractmethod
    def _answer(self, texts: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        """The answers to one batch."""


class RunAnswers(AnswerSource):
    """A run, fine-tuned or imported: the Keras model answers."""

    @classmethod
    def load(cls, path: str | Path) -> "RunAnswers":
        """Raises UserError when ``path`` is not a whole run of this version, fine-tuned or imported."""
        run = RunDirectory(path)
        run.require_one_of(_STAGES, run.config, run.tokenizer, run.model)
        values = read_yaml(run.config)
        try:
            length, inputs = int(values["sequence_length"]), values.get("inputs") or ["text"]
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{run.config} is damaged: {error!r}.") from error
        answerer = answerer_for(load_task(run.model), load_tokenizer(run.tokenizer), length, inputs)
        return cls(run.path, answerer, values.get("data"))

    def asked_for(self, inputs: Sequence[str]) -> AnswerSource:
        if self.data is None and set(inputs) | set(self.answerer.inputs) == {TEXT, TEXT_PAIR}:
            # What was imported does not say whether it has learned texts or pairs.
            answerer = self.answerer
            return replace(
                self, answerer=answerer_for(answerer.task, answerer.tokenizer, answerer.sequence_length, inputs)
            )
        return super().asked_for(inputs)

    def answer(self, texts: Mapping[str, Sequence]) -> dict[str, np.ndarray]:
        return answer_texts(self.answerer, texts, _BATCH)


class SavedModelAnswers(ExportAnswers):
    """A SavedModel: its signature ``serving_default`` answers."""

    @classmethod
    def load(cls, path: Path) -> "SavedModelAnswers":
        """Raises UserError when ``path`` is not a whole export of this version."""
        return cls(path, *_described(path, path / "tokenizer"))

    def _answer(self, texts: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        return self._loaded.signatures["serving_default"](**texts)

    @cached_property
    def _loaded(self) -> Any:
        import tensorflow_text  # noqa: F401  registers the ops of the tokenizer

        return tf.saved_model.load(str(self.path))


class TfliteAnswers(ExportAnswers):
    """A TFLite file: it scores rows of token ids, or the strings themselves; the rest is decided here."""

    @classmethod
    def load(cls, path: Path) -> "TfliteAnswers":
        """Raises UserError when ``path`` is not a file of a whole export of this version."""
        return cls(path, *_described(path.parent, path.parent / "tokenizer"))

    def _answer(self, texts: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        rows = self.answerer.encode(texts)
        return self.answerer.decide(rows, self._scores(texts, rows), texts)

    @property
    def _takes_text(self) -> bool:
        return "_text" in self.path.stem

    @cached_property
    def _runner(self) -> Callable[..., dict[str, np.ndarray]]:
        from ai_edge_litert.interpreter import Interpreter, InterpreterWithCustomOps

        if not self._takes_text:
            return Interpreter(model_path=str(self.path)).get_signature_runner(names.TOKEN_IDS)
        import tensorflow_text

        text_ops = tensorflow_text.tflite_registrar.SELECT_TFTEXT_OPS
        interpreter = InterpreterWithCustomOps(model_path=str(self.path), custom_op_registerers=text_ops)
        return interpreter.get_signature_runner("text")

    def _scores(self, texts: Mapping[str, tf.Tensor], rows: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """What the file says of every row, one at a time."""
        if self._takes_text:
            inputs = {name: part.numpy() for name, part in texts.items()}
        else:
            inputs = {name: rows[name].numpy() for name in self.answerer.row_specs(None)}
        count = len(next(iter(inputs.values())))
        outputs = [self._runner(**{name: part[n : n + 1] for name, part in inputs.items()}) for n in range(count)]
        return {name: tf.constant(np.concatenate([output[name] for output in outputs])) for name in outputs[0]}


def open_answers(path: str | Path) -> AnswerSource:
    """A run, the folder of an export, or one of its TFLite files. Raises UserError where it is none of them."""
    path = Path(path)
    if path.suffix == ".tflite":
        return TfliteAnswers.load(path)
    if (path / "saved_model.pb").is_file():
        return SavedModelAnswers.load(path)
    if (path / "model_ids.tflite").is_file():
        return TfliteAnswers.load(path / "model_ids.tflite")
    return RunAnswers.load(path)


def _described(folder: Path, tokenizer: Path) -> tuple[Answerer, dict[str, Any] | None]:
    """The answerer of an export, without its model, and the section ``data`` of its training."""
    path = folder / REPORT_FILE
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        config = parse_task_config(report["task_type"], report["task"], str(path))
        encoder = SimpleNamespace(config=parse_model_config(report["encoder"], str(path)))
        task = SimpleNamespace(
            task_type=report["task_type"], config=config, class_names=report["class_names"], encoder=encoder
        )
        length, inputs, data = report["sequence_length"], report["inputs"], report["data"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder} is no export that can be judged: {error!r}.",
            f"Expected {REPORT_FILE} as tfplm export writes it, beside the model.",
            "Export the run again.",
        ) from error
    return answerer_for(task, load_tokenizer(tokenizer), length, inputs), data
