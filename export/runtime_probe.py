"""Runs exported files in a fresh interpreter, with nothing but the runtime that a user would have.

Called as ``python -I runtime_probe.py JOB ANSWERS``. JOB is a JSON object: ``kind`` (a function below), ``path``,
what that function takes, and ``packages``, the folders that hold the runtime. ANSWERS is written as JSON.
This file must not import tfplm, and sees to it that nothing else does.
"""

import importlib.util
import json
import sys
from pathlib import Path

_BATCH = 16


def saved_model(job: dict) -> dict:
    """Loads a SavedModel and calls its signatures, then the first batch through the session loader of TensorFlow 1."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401  registers the ops of the tokenizer

    signatures = tf.saved_model.load(job["path"]).signatures
    texts, rows = _column_batches(job["texts"]), _column_batches(job["rows"])
    strings = [{name: tf.constant(values) for name, values in batch.items()} for batch in texts]
    ids = [{name: tf.constant(values, job["dtypes"][name]) for name, values in batch.items()} for batch in rows]
    return {
        "serving_default": _join([_values(signatures["serving_default"](**batch)) for batch in strings]),
        "token_ids": _join([_values(signatures["token_ids"](**batch)) for batch in ids]),
        "tokenize": _join([_values(signatures["tokenize"](**batch)) for batch in strings]),
        "session": _in_session(job["path"], texts[0]),
    }


def _in_session(path: str, texts: dict[str, list]) -> dict:
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], path)
        signature = graph.signature_def["serving_default"]
        outputs = {name: info.name for name, info in signature.outputs.items()}
        return _values(session.run(outputs, {signature.inputs[name].name: values for name, values in texts.items()}))


def writer_saved_model(job: dict) -> dict:
    """Loads a SavedModel that writes and calls its signatures, then the first batch in a session of TensorFlow 1."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401  registers the ops of the tokenizer

    signatures = tf.saved_model.load(job["path"]).signatures
    settings = {name: tf.constant(value) for name, value in job["settings"].items()}
    prompts, pad_id = _batches(job["texts"]), job["pad_id"]
    score = signatures["score"]
    inputs = score.structured_input_signature[1]
    written = _join([_values(signatures["generate"](prompt=tf.constant(batch), **settings)) for batch in prompts])
    ids = tf.constant(written["token_ids"], tf.int32)
    return {
        "generate": written,
        "score": [_scores(score(**{name: tf.constant(batch) for name in inputs}), pad_id) for batch in prompts],
        "tokenize": [_rows(signatures["tokenize"](text=tf.constant(batch))["token_ids"], pad_id) for batch in prompts],
        "detokenize": _values(signatures["detokenize"](token_ids=ids)),
        "session": _written_in_session(job["path"], prompts[0], job["settings"]["max_new_tokens"]),
    }


def _scores(answer: dict, pad_id: int) -> list[list[float]]:
    """The log-probabilities of every text, those of padding left out."""
    lengths = [len(row) for row in _rows(answer["token_ids"], pad_id)]
    pairs = zip(answer["log_probabilities"].numpy(), lengths, strict=True)
    return [row[:length].tolist() for row, length in pairs]


def _rows(token_ids, pad_id: int) -> list[list[int]]:
    return [row[row != pad_id].tolist() for row in token_ids.numpy()]


def _written_in_session(path: str, prompts: list[str], max_new_tokens: int) -> dict:
    """Settings that are left out have their defaults there."""
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], path)
        signature = graph.signature_def["generate"]
        inputs = {name: info.name for name, info in signature.inputs.items()}
        outputs = {name: info.name for name, info in signature.outputs.items()}
        return _values(session.run(outputs, {inputs["prompt"]: prompts, inputs["max_new_tokens"]: max_new_tokens}))


def tflite(job: dict) -> dict:
    """Runs every TFLite file of a folder: those that take text with TensorFlow Text's ops, the others without."""
    return {path.name: _run_tflite(path, job) for path in sorted(Path(job["path"]).glob("*.tflite"))}


def _run_tflite(path: Path, job: dict) -> dict:
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter, InterpreterWithCustomOps

    if "_text" in path.stem:
        import tensorflow_text

        registerers = tensorflow_text.tflite_registrar.SELECT_TFTEXT_OPS
        interpreter = InterpreterWithCustomOps(custom_op_registerers=registerers, model_path=str(path))
        texts = {name: [_encoded(value) for value in values] for name, values in job["texts"].items()}
        inputs = _singles(texts, lambda name, value: np.array([value], dtype=object))
    else:
        interpreter = Interpreter(model_path=str(path))
        inputs = _singles(job["rows"], lambda name, row: np.array([row], dtype=job["dtypes"][name]))
    (signature,) = interpreter.get_signature_list()
    run = interpreter.get_signature_runner(signature)
    return _join([_values(run(**values)) for values in inputs])


def _encoded(value):
    return [_encoded(part) for part in value] if isinstance(value, list) else value.encode()


def writer_tflite(job: dict) -> dict:
    """Lets the generate.py beside the TFLite files encode texts, write, and read tokens that are given to it."""
    folder = Path(job["path"])
    specification = importlib.util.spec_from_file_location("generate", folder / "generate.py")
    generate = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(generate)
    answers = {}
    for name in job["files"]:
        writer = generate.Writer(folder, name)
        answers[name] = _forced(writer, job)
        if name in job["greedy_files"]:
            choose = generate.Sampler()
            answers[name]["written"] = [list(writer.write(row, job["num_tokens"], choose)) for row in job["rows"]]
    text = generate.load_text(folder, writer.settings)
    return {"prompts": [writer.row(text.encode(prompt)) for prompt in job["texts"]], **answers}


def _forced(writer, job: dict) -> dict[str, list]:
    """Log-probabilities of the forced tokens, and the likeliest token before each."""
    import numpy as np

    choices, log_probabilities = [], []
    for beginning, tokens in zip(job["beginnings"], job["forced"], strict=True):
        logits = [writer.read_prompt(beginning)] if tokens else []
        logits += [writer.read(token) for token in tokens[:-1]]
        choices.append([int(row.argmax()) for row in logits])
        shifted = [row.astype(np.float64) - row.max() for row in logits]
        log_probabilities.append(
            [float(row[token] - np.log(np.exp(row).sum())) for row, token in zip(shifted, tokens, strict=True)]
        )
    return {"choices": choices, "log_probabilities": log_probabilities}


def huggingface(job: dict) -> dict:
    """Loads a folder by the Auto classes of transformers: ids of texts, and the model's outputs for rows of ids."""
    import os

    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(job["path"])
    model = getattr(transformers, job["auto_class"]).from_pretrained(job["path"], dtype=torch.float32).eval()
    ids = [tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"] for text in job["texts"]]
    with torch.no_grad():
        outputs = [_torch_outputs(model, torch.tensor([row])) for row in job["rows"]]
    return {"token_ids": ids, "outputs": outputs, "version": transformers.__version__}


def _torch_outputs(model, row) -> list:
    """The logits of one row, start and end side by side; where there are none the last hidden states."""
    import torch

    of_decoder = {"decoder_input_ids": row} if model.config.is_encoder_decoder else {}
    found = model(input_ids=row, attention_mask=torch.ones_like(row), **of_decoder)
    if hasattr(found, "start_logits"):
        return torch.stack([found.start_logits, found.end_logits], dim=-1)[0].tolist()
    logits = getattr(found, "prediction_logits", getattr(found, "logits", None))
    return (found.last_hidden_state if logits is None else logits)[0].tolist()


def _singles(columns: dict[str, list], convert) -> list[dict]:
    """The inputs of one text, or of one row, at a time."""
    count = len(next(iter(columns.values())))
    return [{name: convert(name, values[number]) for name, values in columns.items()} for number in range(count)]


def _column_batches(columns: dict[str, list]) -> list[dict[str, list]]:
    count = len(next(iter(columns.values())))
    return [
        {name: values[start : start + _BATCH] for name, values in columns.items()} for start in range(0, count, _BATCH)
    ]


def _batches(rows: list) -> list[list]:
    return [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]


def _values(outputs: dict) -> dict[str, list]:
    return {name: _plain(value.numpy() if hasattr(value, "numpy") else value) for name, value in outputs.items()}


def _plain(array) -> list:
    return [_plain(row) if hasattr(row, "tolist") and row.ndim else _scalar(row) for row in array]


def _scalar(value):
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if hasattr(value, "item") else value


def _join(batches: list[dict[str, list]]) -> dict[str, list]:
    return {name: [row for batch in batches for row in batch[name]] for name in batches[0]}


_KINDS = {kind.__name__: kind for kind in (saved_model, tflite, writer_saved_model, writer_tflite, huggingface)}


class _Forbidden:
    """An import hook: the packages of this project are not there."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tfplm", "trainers", "export"):
            raise ModuleNotFoundError(f"the export must not need '{name}'")


def main(job_path: str, answers_path: str) -> None:
    sys.meta_path.insert(0, _Forbidden())
    sys.dont_write_bytecode = True  # nothing beside the files that are tried
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    sys.path += [folder for folder in job["packages"] if folder not in sys.path]
    answers = _KINDS[job["kind"]](job)
    Path(answers_path).write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
