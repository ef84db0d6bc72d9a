"""The export of a run as a folder that `transformers` loads."""

import importlib.util
from pathlib import Path

import keras
import numpy as np

from export.model_card import model_card
from export.parity import ExportMismatch, Sample, ask, parity_texts, strings_of
from export.portable_task import portable_copy
from export.prompt_frame import PromptFrame
from export.writer_run import read_frame
from tfplm import feature_names as names
from tfplm.config import read_yaml
from tfplm.interop.huggingface_folder import write_huggingface
from tfplm.interop.pretrained import load_pretrained
from tfplm.run_directory import RunDirectory, write_text
from tfplm.tasks.configuration import WRITING_TASKS
from tfplm.tasks.saving import load_task
from tfplm.tasks.task import Task
from tfplm.tokenizers.loading import load_tokenizer
from tfplm.tokenizers.tokenizer import Tokenizer

_TOLERANCE = 1e-3  # of logits and hidden states, of which some are tens
_MIN_EQUAL_IDS = 0.9  # of the texts; docs/checkpoints.md says where ids differ
_MOST_TOKENS = 64
_BATCH = 16
_AUTO_CLASSES = {
    "masked_lm": "AutoModelForMaskedLM",
    "text_classification": "AutoModelForSequenceClassification",
    "token_classification": "AutoModelForTokenClassification",
    "question_answering": "AutoModelForQuestionAnswering",
    "text_embedding": "AutoModel",
    "causal_lm": "AutoModelForCausalLM",
    "seq2seq_lm": "AutoModelForSeq2SeqLM",
}


def export_huggingface(run: RunDirectory, out: Path, examples: list[Sample]) -> tuple[dict, str]:
    """Writes config.json, model.safetensors, the tokenizer's files and a model card, and reads them again.

    They are read by `tfplm.load_pretrained`: every weight must be the same to the bit, and every token of the
    examples. Where `transformers` and PyTorch are installed, a fresh interpreter loads them by the Auto classes too,
    and must give the same ids and the same outputs.

    Args:
        run: a whole one.
        out: the folder to write.
        examples: of the run, whose texts are taken beside fixed awkward ones.

    Returns:
        Figures and instructions.

    Raises:
        ExportMismatch: what was written is read as something else.
        UserError: Hugging Face has no form for the model.
    """
    task, tokenizer = portable_copy(load_task(run.model), Task), load_tokenizer(run.tokenizer)
    settings, prefixes, frame = read_yaml(run.config), {}, PromptFrame()
    if task.task_type in WRITING_TASKS:
        prefixes, frame = read_frame(settings, task.task_type == "seq2seq_lm", str(run.config))
    values = write_huggingface(task, tokenizer, out, settings.get("model_type"), prefixes)
    write_text(out / "README.md", model_card(run, task, values, frame))
    texts = parity_texts([text for sample in examples for text in strings_of(sample)])
    _prove_by_reading(task, tokenizer, out, texts)
    figures = {
        "num_texts": len(texts),
        "size_bytes": sum(path.stat().st_size for path in out.rglob("*") if path.is_file()),
        "architectures": values["architectures"],
        "transformers": _prove_by_transformers(task, tokenizer, out, texts),
    }
    return figures, _instructions(task, frame)


def _instructions(task: Task, frame: PromptFrame) -> str:
    replacements = {"AUTO_CLASS": _AUTO_CLASSES[task.task_type], "A_TEXT": repr(frame.around("a text"))}
    if task.task_type in WRITING_TASKS:
        replacements |= {"model(**": "model.generate(**", "outputs": "written"}
    text = _INSTRUCTIONS
    for word, replacement in replacements.items():
        text = text.replace(word, replacement)
    return text


def _prove_by_reading(task: Task, tokenizer: Tokenizer, out: Path, texts: list[str]) -> None:
    """Raises ExportMismatch where a weight or an id is read as another than was written."""
    again = load_pretrained(out)
    found = {variable.path: variable for variable in again.task.weights if variable.path not in again.loaded.new}
    for variable in task.weights:
        other = found.get(variable.path)
        if other is not None and not np.array_equal(*map(keras.ops.convert_to_numpy, (variable, other))):
            raise _mismatch(f"{variable.path} is read with other values than were written.", "Expected the same.")
    for text, *ids in zip(texts, tokenizer.encode(texts), again.tokenizer.encode(texts), strict=True):
        if not np.array_equal(*ids):
            raise _mismatch(f"{text[:60]!r} is read as {ids[1].tolist()}.", f"Expected {ids[0].tolist()}.")


def _prove_by_transformers(task: Task, tokenizer: Tokenizer, out: Path, texts: list[str]) -> dict | str:
    """Figures of the comparison; words where the packages are not installed."""
    if not all(importlib.util.find_spec(package) for package in ("torch", "transformers")):
        return "not compared: torch and transformers are not installed"
    rows = [row for row in _rows(task, tokenizer, texts) if len(row) > 1]
    questions = {"texts": texts, "auto_class": _AUTO_CLASSES[task.task_type], "rows": [row.tolist() for row in rows]}
    answers = ask("huggingface", out, questions)
    difference = 0.0
    for row, found in zip(rows, answers["outputs"], strict=True):
        expected = _outputs(task, row)
        difference = max(difference, float(np.abs(expected - np.array(found, np.float32)).max()))
    if not difference <= _TOLERANCE:  # a NaN is not
        raise _mismatch(
            f"transformers gives other outputs, by up to {difference:.3g}.", f"Expected {_TOLERANCE:g} at most."
        )
    equal = sum(list(ids) == found for ids, found in zip(tokenizer.encode(texts), answers["token_ids"], strict=True))
    if equal < _MIN_EQUAL_IDS * len(texts):
        raise _mismatch(f"transformers cuts {len(texts) - equal} of {len(texts)} texts otherwise.", "Expected few.")
    return {"version": answers["version"], "max_difference": difference, "texts_with_equal_ids": equal}


def _rows(task: Task, tokenizer: Tokenizer, texts: list[str]) -> list[np.ndarray]:
    most = min(_MOST_TOKENS, task.encoder.config.max_sequence_length)
    return [ids[:most] for ids in tokenizer.encode(texts[:_BATCH])]


def _outputs(task: Task, row: np.ndarray) -> np.ndarray:
    """What the model gives for one row, as `export.runtime_probe.huggingface` asks transformers for it."""
    features = {names.TOKEN_IDS: row[None], names.PADDING_MASK: np.ones((1, len(row)), bool)}
    if task.task_type == "masked_lm":
        features[names.MASK_POSITIONS] = np.arange(len(row), dtype=np.int32)[None]
        found = task(features, training=False)[names.MASKED_LM]
    elif task.task_type == "text_embedding":
        found = task.encoder(features, training=False)[names.SEQUENCE_OUTPUT]
    elif task.task_type == "seq2seq_lm":
        found = task(features | {names.DECODER_TOKEN_IDS: row[None]}, training=False)[names.NEXT_TOKEN]
    else:
        found = task(features, training=False)
    if isinstance(found, dict):
        found = keras.ops.stack(list(found.values()), axis=-1) if len(found) > 1 else next(iter(found.values()))
    return keras.ops.convert_to_numpy(found)[0]


def _mismatch(found: str, expected: str) -> ExportMismatch:
    return ExportMismatch(found, expected, "Nothing was kept. This is a fault of the export: please report it.")


_INSTRUCTIONS = """\
# How to use this folder

`pip install transformers torch`, then in this directory:

```python
from transformers import AUTO_CLASS, AutoTokenizer

tokenizer, model = AutoTokenizer.from_pretrained("."), AUTO_CLASS.from_pretrained(".")
outputs = model(**tokenizer(A_TEXT, return_tensors="pt"))
```

tfplm takes it again: `tfplm import . --out RUN`. `report.json` says how the folder was compared.
"""
