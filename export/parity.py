"""The proof that an export ends with: its own runtime, in a fresh interpreter, answers as the Keras model does."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfplm import feature_names as names
from tfplm.answering.answerer import Answerer
from tfplm.errors import UserError

MIN_TEXTS = 64
MAX_ROWS = 256  # that are compared without their texts
TOLERANCE = 1e-4  # of numbers up to 1; larger ones have more
MIN_AGREEMENT = 0.98  # of a quantized model
MAX_TIES = 0.02  # of the texts, where two answers are equally good
_BATCH = 16
_FILL = -1.0  # as answers fill up what is shorter
_PROBE = Path(__file__).with_name("runtime_probe.py")
Sample = str | Mapping[str, str]  # the strings that one answer is made of
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
    """What the Keras model answers, eagerly and on the CPU.

    Args:
        answerer: of the model.
        texts: the strings of the proof, by the name of the input.
        rows: what they are encoded to, by name; a list of rows each.
        answers: of the texts, by output; a list of rows each.
        row_answers: of the rows alone.
        scores: of the rows, before anything is decided.
    """

    answerer: Answerer
    texts: dict[str, list]
    rows: dict[str, list]
    answers: dict[str, list]
    row_answers: dict[str, list]
    scores: dict[str, list]

    @property
    def num_texts(self) -> int:
        """How many answers are compared."""
        return len(self.texts[self.answerer.inputs[0]])

    @property
    def model_rows(self) -> dict[str, list]:
        """Rows as the model reads them."""
        return _model_rows(self.answerer, self.rows)

    def last_texts(self, count: int) -> dict[str, np.ndarray]:
        """The last strings of the proof, real ones among them."""
        return {name: np.array(values[-count:]) for name, values in self.texts.items()}

    def first_row(self) -> dict[str, np.ndarray]:
        """A row as the model reads it."""
        return {name: np.array(values[:1], np.int32) for name, values in self.model_rows.items()}

    def single_answers(self) -> dict[str, list]:
        """What one text at a time is answered on a phone."""
        answers = []
        with keras.device("cpu:0"):
            for number in range(self.num_texts):
                text = {name: tf.constant([values[number]]) for name, values in self.texts.items()}
                answers.append(plain(self.answerer.answer_single(text)))
        return joined(answers)

    def shown(self, number: int) -> str:
        """The strings of one text, for a message."""
        return ", ".join(_shown(values[number]) for values in self.texts.values())


def reference_answers(answerer: Answerer, samples: Sequence[Sample]) -> Reference:
    """Asks the Keras model about the samples and a fixed set of awkward texts."""
    texts = parity_inputs(answerer.text_specs, samples)
    with keras.device("cpu:0"):
        batches = [
            {name: tf.constant(values[start : start + _BATCH]) for name, values in texts.items()}
            for start in range(0, len(texts[answerer.inputs[0]]), _BATCH)
        ]
        rows = joined([plain(answerer.encode(batch)) for batch in batches])
        answers = joined([plain(answerer.answer(batch)) for batch in batches])
        row_batches = _row_batches(answerer, _model_rows(answerer, rows))
        row_answers = joined([plain(answerer.answer_rows(batch)) for batch in row_batches])
        scores = row_answers
        if type(answerer).answer_rows is not Answerer.answer_rows:
            scores = joined([plain(answerer.score(batch)) for batch in row_batches])
    return Reference(answerer, texts, rows, answers, row_answers, scores)


def _model_rows(answerer: Answerer, rows: dict[str, list]) -> dict[str, list]:
    """What the model reads of the rows, or of some that stand evenly apart: texts may give any number of them."""
    count = len(rows[names.TOKEN_IDS])
    chosen = np.linspace(0, count - 1, min(count, MAX_ROWS)).astype(int)
    return {name: [rows[name][number] for number in chosen] for name in answerer.row_specs(None)}


def _row_batches(answerer: Answerer, rows: dict[str, list]) -> list[dict[str, tf.Tensor]]:
    specs = answerer.row_specs(None)
    count = len(rows[next(iter(specs))])
    return [
        {name: tf.constant(rows[name][start : start + _BATCH], spec.dtype) for name, spec in specs.items()}
        for start in range(0, count, _BATCH)
    ]


def plain(outputs: dict[str, tf.Tensor]) -> dict[str, list]:
    """Tensors as lists of Python values, as the runtime's answers come."""
    return {name: _decoded(value.numpy().tolist()) for name, value in outputs.items()}


def joined(batches: list[dict[str, list]]) -> dict[str, list]:
    """The rows of all batches on end, by output."""
    return {name: [row for batch in batches for row in batch[name]] for name in batches[0]}


def _decoded(value):
    if isinstance(value, list):
        return [_decoded(part) for part in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def parity_inputs(specs: Mapping[str, tf.TensorSpec], samples: Sequence[Sample]) -> dict[str, list]:
    """The strings of the proof: awkward texts in every input, then the samples.

    Args:
        specs: of the inputs, by name; those of lists of strings have two axes.
        samples: real ones.
    """
    if len(specs) == 1:
        (name,) = specs
        return {name: parity_texts([_of(sample, name) for sample in samples])}
    awkward = parity_texts([])
    columns = {}
    for place, (name, spec) in enumerate(specs.items()):  # every input meets the awkward texts in another order
        shifted = awkward[place * 5 % len(awkward) :] + awkward[: place * 5 % len(awkward)]
        if spec.shape.rank == 2:
            shifted = [(shifted * 2)[row : row + spec.shape[1]] for row in range(len(shifted))]
        columns[name] = shifted + [_of(sample, name) for sample in samples]
    return columns


def strings_of(sample: Sample) -> list[str]:
    """All strings of a sample."""
    values = [sample] if isinstance(sample, str) else list(sample.values())
    return [text for value in values for text in (value if isinstance(value, list) else [value])]


def _of(sample: Sample, name: str):
    value = sample if isinstance(sample, str) else sample[name]
    return [_text(part) for part in value] if isinstance(value, list) else _text(value)


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode("utf-8")


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
        reference: gives the texts and the rows.

    Returns:
        The answers as `export.runtime_probe` writes them: a dictionary of outputs a signature or a file.

    Raises:
        ExportMismatch: the runtime cannot load or run the export.
    """
    dtypes = {name: spec.dtype.name for name, spec in reference.answerer.row_specs(None).items()}
    return ask(kind, path, {"texts": reference.texts, "rows": reference.model_rows, "dtypes": dtypes})


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


def require_equal_rows(name: str, reference: Reference, rows: dict[str, list]) -> None:
    """Raises ExportMismatch unless the export cuts every text into the rows of the tokenizer."""
    for output, found in rows.items():
        expected = reference.rows[output]
        differing = [number for number, row in enumerate(expected) if number >= len(found) or found[number] != row]
        if differing or len(found) != len(expected):
            row = differing[0] if differing else len(expected)
            text = reference.shown(row) if len(expected) == reference.num_texts else f"row {row}"
            raise ExportMismatch(
                f"{name} encodes {len(differing)} of {len(expected)} texts into other {output}, first {text}: "
                f"{_shown(found[row] if row < len(found) else None)}.",
                f"Expected {_shown(expected[row] if differing else None)}.",
                "Nothing was kept. This is a fault of the export: please report it.",
            )


def require_same_answers(name: str, expected: dict[str, list], found: dict[str, list]) -> float:
    """The largest difference of the numbers; raises ExportMismatch where one is over the tolerance.

    What is no float, such as a label or an offset, must be equal; where all floats are within the tolerance, two per
    cent of it may differ, since two answers can be equally good.

    Args:
        name: of the export, for messages.
        expected: by output, a list of rows.
        found: of the same outputs, for as many texts or for the first of them.
    """
    largest = 0.0
    for output, rows in found.items():
        wanted = expected[output][: len(rows)]
        if _is_float(wanted):
            largest = max(largest, _require_close(name, output, wanted, rows))
    for output, rows in found.items():
        wanted = expected[output][: len(rows)]
        if not _is_float(wanted):
            _require_equal(name, output, wanted, rows)
    return largest


def require_agreement(name: str, reference: Reference, found: dict[str, list]) -> float:
    """How far a quantized model agrees with the Keras model; raises ExportMismatch where that is too little."""
    expected = {output: np.array(rows) for output, rows in reference.scores.items()}
    arrays = {output: np.array(found[output], np.float64) for output in expected}
    is_finite = all(np.isfinite(array).all() for array in arrays.values())
    agreement = reference.answerer.agreement(expected, arrays) if is_finite else 0.0
    if agreement < MIN_AGREEMENT:
        raise ExportMismatch(
            f"{name} agrees with the Keras model on only {agreement:.1%} of the answers.",
            f"Expected {MIN_AGREEMENT:.0%} or more.",
            "Nothing was kept. A model that hardly tells its answers apart is easily tipped: fine-tune it further.",
        )
    return agreement


def _require_close(name: str, output: str, expected: list, found: list) -> float:
    wanted, given = np.array(_even(expected), np.float64), np.array(_even(found), np.float64)
    if wanted.shape != given.shape:
        raise ExportMismatch(f"{name} gives {output} of the shape {given.shape}.", f"Expected {wanted.shape}.")
    if not wanted.size:
        return 0.0
    tolerance = TOLERANCE * max(1.0, float(np.abs(wanted).max()))  # logits are larger than probabilities
    difference = np.abs(given - wanted)
    if not (difference <= tolerance).all():  # a NaN is not
        row = int(np.nan_to_num(difference, nan=np.inf).reshape(len(wanted), -1).max(axis=1).argmax())
        raise ExportMismatch(
            f"{name} gives another {output} than the Keras model, most of all in row {row}: "
            f"{_shown(np.round(given[row], 5).tolist())}.",
            f"Expected {_shown(np.round(wanted[row], 5).tolist())} within {tolerance:g}.",
            "Nothing was kept. This is a fault of the export: please report it.",
        )
    return float(difference.max())


def _require_equal(name: str, output: str, expected: list, found: list) -> None:
    differing = [number for number, row in enumerate(expected) if found[number] != row]
    if len(differing) > MAX_TIES * len(expected):
        row = differing[0]
        raise ExportMismatch(
            f"{name} gives another {output} for {len(differing)} of {len(expected)} texts; in row {row}: "
            f"{_shown(found[row])}.",
            f"Expected {_shown(expected[row])}.",
            "Nothing was kept. This is a fault of the export: please report it.",
        )


def _is_float(rows: list) -> bool:
    return any(map(_is_float, rows)) if isinstance(rows, list) else isinstance(rows, float)


def _even(rows: list) -> list:
    """Rows of one length: those of a batch are as long as its longest, and other batches' are longer."""
    lengths = {len(row) for row in rows if isinstance(row, list)}
    if len(lengths) < 2:
        return rows
    return [row + [_FILL] * (max(lengths) - len(row)) for row in rows]


def _runtime_folders() -> list[str]:
    """Where the runtimes are installed: an isolated interpreter looks neither at PYTHONPATH nor at the user's site."""
    origins = [find_spec(name) for name in _RUNTIMES]
    return sorted({str(Path(spec.origin).parents[1]) for spec in origins if spec is not None and spec.origin})


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 120 else f"{shown[:120]}…"
