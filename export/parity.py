"""The proof that an export ends with: its own runtime, in a fresh interpreter, answers as the Keras model does."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from export.endpoints import CLASSES, LABEL, PROBABILITIES, SELECTED
from tfplm import feature_names as names
from tfplm.errors import UserError
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tokenizers.tokenizer import Tokenizer

MIN_TEXTS = 64
PROBABILITY_TOLERANCE = 1e-4
MIN_LABEL_AGREEMENT = 0.98  # of a quantized model
_BATCH = 16
_PROBE = Path(__file__).with_name("runtime_probe.py")
_RUNTIMES = ("numpy", "tensorflow", "tensorflow_text", "ai_edge_litert", "sentencepiece", "tokenizers")

AWKWARD_TEXTS = (
    "",
    " \t\n",
    "a",
    "好",
    "👍🏽 😀 👨‍👩‍👧 🇨🇭",
    "今天天气很好，我们去公园吧。",
    "中文和 English 混在一起, 42 次！",
    "far too long " * 4000,
    "x" * 5000,
    "nul \x00 bell \x07 escape \x1b[0m line\r\nend\u2028\ufeff",
    "مرحبا بالعالم \u202eשלום",
    "?!… — «»;:()[]{}#@%&*",
    "[MASK] [CLS] [SEP] [PAD] [UNK] ##ing",
    "e\u0301 Å ﬁ Ⅷ İstanbul STRASSE ẞ ǅ",
    "\ufffd \ue000 \U0010fffd",
    "<b>1,234.50</b> https://example.org/a?b=c",
)


class ExportMismatch(UserError):
    """An exported file does not answer as the Keras model does."""


@dataclass(frozen=True)
class Reference:
    """What the Keras model answers.

    Args:
        texts: the texts of the proof.
        token_ids: int32 (texts, sequence).
        probabilities: float32 (texts, classes).
        class_names: of the columns.
        threshold: from which on a class is selected; None unless a text may have many labels.
    """

    texts: list[str]
    token_ids: np.ndarray
    probabilities: np.ndarray
    class_names: list[str]
    threshold: float | None

    def decisions(self, probabilities: np.ndarray) -> np.ndarray:
        """What a user would act on: the best class (texts,), or the selected ones (texts, classes)."""
        return probabilities.argmax(-1) if self.threshold is None else probabilities >= self.threshold


def reference_answers(
    task: TextClassifier, tokenizer: Tokenizer, sequence_length: int, sample_texts: list[str]
) -> Reference:
    """Asks the Keras model, eagerly and on the CPU, about the sample texts and a fixed set of awkward ones."""
    texts = parity_texts(sample_texts)
    token_ids = tokenizer.encode_rows(tf.constant(texts), sequence_length).numpy()
    with keras.device("cpu:0"):
        logits = [
            task({names.TOKEN_IDS: token_ids[start : start + _BATCH]}, training=False)
            for start in range(0, len(texts), _BATCH)
        ]
        probabilities = np.concatenate([keras.ops.convert_to_numpy(task.probabilities(rows)) for rows in logits])
    threshold = task.config.decision_threshold if task.config.multi_label else None
    return Reference(texts, token_ids, probabilities, task.class_names, threshold)


def parity_texts(sample_texts: list[str]) -> list[str]:
    """The awkward texts, then the samples; where that is too few, joined pairs of them make up the number."""
    samples = [text.encode("utf-8", "replace").decode("utf-8") for text in sample_texts]
    texts = list(dict.fromkeys([*AWKWARD_TEXTS, *samples]))
    pairs = (f"{first} {second}" for first in texts[::-1] for second in texts)
    while len(texts) < MIN_TEXTS:
        texts.append(next(pairs))
    return texts


def ask_runtime(kind: str, path: Path, reference: Reference) -> dict:
    """Loads an export in a fresh interpreter and asks it what the Keras model was asked.

    Args:
        kind: "saved_model" or "tflite".
        path: the SavedModel, or the folder of the TFLite files.
        reference: gives the texts and the token ids.

    Returns:
        The answers as `export.runtime_probe` writes them: a dictionary of outputs a signature or a file.

    Raises:
        ExportMismatch: the runtime cannot load or run the export.
    """
    return ask(kind, path, {"texts": reference.texts, "token_ids": reference.token_ids.tolist()})


def ask(kind: str, path: Path, questions: dict) -> dict:
    """Loads an export in a fresh interpreter and lets a function of `export.runtime_probe` ask it.

    Args:
        kind: the name of that function.
        path: of the export.
        questions: what the function takes, as JSON.

    Returns:
        What the function gives.

    Raises:
        ExportMismatch: the runtime cannot load or run the export.
    """
    job = {"kind": kind, "path": str(path.absolute()), "packages": _runtime_folders(), **questions}
    with tempfile.TemporaryDirectory(prefix="tfplm-parity-") as folder:
        job_path, answers_path = Path(folder, "job.json"), Path(folder, "answers.json")
        job_path.write_text(json.dumps(job), encoding="utf-8")
        command = [sys.executable, "-I", str(_PROBE), str(job_path), str(answers_path)]
        environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace")
        if done.returncode != 0 or not answers_path.exists():
            last_lines = "\n".join(done.stderr.strip().splitlines()[-5:])
            raise ExportMismatch(
                f"The written {kind} does not run in a fresh interpreter (exit code {done.returncode}):\n{last_lines}",
                remedy="Nothing was kept. Check that the installation is whole: pip check.",
            )
        return json.loads(answers_path.read_text(encoding="utf-8"))


def require_equal_token_ids(name: str, reference: Reference, token_ids: list) -> None:
    """Raises ExportMismatch unless the export cuts every text into the tokens of the tokenizer."""
    differing = np.flatnonzero((np.array(token_ids) != reference.token_ids).any(axis=1))
    if len(differing):
        row = differing[0]
        raise ExportMismatch(
            f"{name} encodes {len(differing)} of {len(reference.texts)} texts into other token ids, first "
            f"{_shown(reference.texts[row])}: {_shown(token_ids[row])}.",
            f"Expected {_shown(reference.token_ids[row].tolist())}.",
            "Nothing was kept. This is a fault of the export: please report it.",
        )


def require_close_probabilities(name: str, reference: Reference, probabilities: list) -> float:
    """The largest difference over all texts and classes; raises ExportMismatch where it is over the tolerance."""
    found = np.array(probabilities)
    expected = reference.probabilities[: len(found)]
    difference = np.abs(found - expected)
    if not (difference <= PROBABILITY_TOLERANCE).all():  # a NaN is not
        row = int(np.nan_to_num(difference, nan=np.inf).max(axis=1).argmax())
        raise ExportMismatch(
            f"{name} gives other probabilities than the Keras model, most of all for {_shown(reference.texts[row])}: "
            f"{np.round(found[row], 5).tolist()}.",
            f"Expected {np.round(expected[row], 5).tolist()} within {PROBABILITY_TOLERANCE:g}.",
            "Nothing was kept. This is a fault of the export: please report it.",
        )
    return float(difference.max())


def require_agreeing_labels(name: str, reference: Reference, probabilities: list) -> float:
    """The share of equal decisions of a quantized model; raises ExportMismatch where it is too low."""
    found = np.array(probabilities)
    same = reference.decisions(found) == reference.decisions(reference.probabilities)
    agreement = float(same.mean()) if np.isfinite(found).all() else 0.0
    if agreement < MIN_LABEL_AGREEMENT:
        row = int(np.flatnonzero(~same.reshape(len(same), -1).all(axis=1))[0]) if not same.all() else 0
        raise ExportMismatch(
            f"{name} agrees with the Keras model on only {agreement:.1%} of the answers; for "
            f"{_shown(reference.texts[row])} it gives {np.round(found[row], 3).tolist()}.",
            f"Expected {MIN_LABEL_AGREEMENT:.0%} or more; the Keras model gives "
            f"{np.round(reference.probabilities[row], 3).tolist()} there.",
            "Nothing was kept. A model that hardly tells its classes apart is easily tipped: fine-tune it further.",
        )
    return agreement


def require_named_answers(name: str, reference: Reference, answer: dict[str, list]) -> None:
    """Raises ExportMismatch unless labels, class names and selected classes fit the answer's own probabilities."""
    probabilities = np.array(answer[PROBABILITIES], np.float32)
    expected = {LABEL: [reference.class_names[column] for column in probabilities.argmax(-1)]}
    if CLASSES in answer:
        expected[CLASSES] = [reference.class_names] * len(probabilities)
    if SELECTED in answer:
        expected[SELECTED] = (probabilities >= np.float32(reference.threshold)).tolist()
    wrong = [output for output, value in expected.items() if answer[output] != value]
    if wrong:
        raise ExportMismatch(f"{name}: the output {', '.join(wrong)} does not fit the probabilities.")


def _runtime_folders() -> list[str]:
    """Where the runtimes are installed: an isolated interpreter looks neither at PYTHONPATH nor at the user's site."""
    origins = [find_spec(name) for name in _RUNTIMES]
    return sorted({str(Path(spec.origin).parents[1]) for spec in origins if spec is not None and spec.origin})


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 120 else f"{shown[:120]}…"
