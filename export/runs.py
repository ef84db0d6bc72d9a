"""From a run directory to the files that a server or a phone takes."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tfplm.config import read_yaml
from tfplm.errors import UserError
from tfplm.run_directory import RunDirectory, whole_directory, write_text
from tfplm.tasks.configuration import WRITING_TASKS

if TYPE_CHECKING:
    from tfplm.tokenizers.tokenizer import Tokenizer

FORMATS = ("saved_model", "tflite", "huggingface")
REPORT_FILE = "report.json"
_STAGES = ("finetune", "pretrain", "import")
INSTRUCTIONS_FILE = "how_to_use.md"


def export_run(run: str | Path, format: str, out: str | Path, replace: bool = False) -> dict:
    """Exports the model of a run and proves that it answers as the Keras model does.

    A classifier leaves fine-tuned or imported; a model that writes leaves pretrained too, and for Hugging Face all do.

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
            figures, instructions = _export_classifier(run_directory, format, partial, examples)
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


def _export_huggingface(run: RunDirectory, out: Path, examples: list[str]) -> tuple[dict, str]:
    # Imported here: a mistake in the request is answered before TensorFlow has loaded.
    from export.huggingface import export_huggingface

    return export_huggingface(run, out, examples)


def _export_writer(run: RunDirectory, format: str, out: Path, examples: list[str]) -> tuple[dict, str]:
    # Imported here: a mistake in the request is answered before TensorFlow has loaded.
    from export.writer_run import export_writer

    return export_writer(run, format, out, examples)


def _export_classifier(run: RunDirectory, format: str, out: Path, examples: list[str]) -> tuple[dict, str]:
    # Imported here: a mistake in the request is answered before TensorFlow has loaded.
    from export.saved_model import export_saved_model
    from export.tflite import export_tflite
    from tfplm.tasks.saving import load_task
    from tfplm.tokenizers.loading import load_tokenizer

    write = {"saved_model": export_saved_model, "tflite": export_tflite}[format]
    tokenizer, sequence_length = load_tokenizer(run.tokenizer), _read_sequence_length(run.config)
    figures = write(load_task(run.model), tokenizer, out, sequence_length, examples)
    return figures, _classifier_instructions(tokenizer, format, sequence_length)


def _classifier_instructions(tokenizer: "Tokenizer", format: str, sequence_length: int) -> str:
    ids = {"PREFIX": tokenizer.prefix_ids, "SUFFIX": tokenizer.suffix_ids, "PADDING": (tokenizer.pad_id,)}
    text = _INSTRUCTIONS[format].replace("SEQUENCE_LENGTH", str(sequence_length))
    for word, values in ids.items():
        text = text.replace(word, ", ".join(map(str, values)) or "nothing")
    return text


def _read_sequence_length(path: Path) -> int:
    value = read_yaml(path).get("sequence_length")
    if not isinstance(value, int) or value < 2:
        raise UserError(f"{path} gives sequence_length {value!r}.", "Expected the number of a finished fine-tuning.")
    return value


def _read_examples(path: Path) -> list[str]:
    try:
        examples = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged: {error}.", "Expected a JSON list of texts.") from error
    if not isinstance(examples, list) or not all(isinstance(text, str) for text in examples):
        raise UserError(f"{path} is damaged.", "Expected a JSON list of texts.")
    return examples


_INSTRUCTIONS = {
    "saved_model": """\
# How to use this SavedModel

It takes texts and gives labels; the tokenizer is inside. `pip install tensorflow tensorflow-text`, then in this
directory:

```python
import tensorflow as tf
import tensorflow_text  # registers the ops of the tokenizer

classify = tf.saved_model.load(".").signatures["serving_default"]
answer = classify(text=tf.constant(["a first text", "a second text"]))
print(answer["label"].numpy(), answer["probabilities"].numpy(), answer["classes"].numpy()[0])
```

`label` is the most probable class, `probabilities` has a column a class, and `classes` names the columns. Where a text
may have many labels, `selected` says which classes reach the decision threshold.
The signature `token_ids` takes rows of SEQUENCE_LENGTH ids (int32) instead of text, and `tokenize` makes them.

TensorFlow Serving wants a numbered directory: put this one at `models/classifier/1`, then

```sh
tensorflow_model_server --rest_api_port=8501 --model_name=classifier --model_base_path=$PWD/models/classifier
curl -d '{"instances": ["a first text"]}' http://localhost:8501/v1/models/classifier:predict
```

The files under `assets` are for people; `report.json` says how the answers were compared.
""",
    "tflite": """\
# How to use these TFLite files

`model_text.tflite`, where there is one, takes one string; the tokenizer is inside.
`pip install ai-edge-litert tensorflow-text`, then in this directory:

```python
import numpy as np
import tensorflow_text
from ai_edge_litert.interpreter import InterpreterWithCustomOps

text_ops = tensorflow_text.tflite_registrar.SELECT_TFTEXT_OPS
interpreter = InterpreterWithCustomOps(model_path="model_text.tflite", custom_op_registerers=text_ops)
classify = interpreter.get_signature_runner("text")
print(classify(text=np.array(["a text".encode()], dtype=object)))
```

On a phone, link TensorFlow Text's ops for TFLite into the app. Where that is too much, use `model_ids.tflite`: builtin
ops only, input `token_ids` int32 (1, SEQUENCE_LENGTH): PREFIX, the ids of the text, SUFFIX, then PADDING to the end.
The ids are the line numbers of `vocab.txt`, from 0 on.

`*_int8.tflite` are the same with 8-bit weights: a quarter of the size and nearly the same probabilities.
`vocab.txt` and `labels.txt` (the columns of `probabilities`) are packed into every file: `unzip -l model_ids.tflite`.
`report.json` says how the answers were compared.
""",
}
