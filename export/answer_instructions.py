"""how_to_use.md of an export that answers strings: a few lines that run it, and what comes out."""

import json

from tfplm.answering.answerer import Answerer

_EXAMPLES = {
    "text_pair": "a second text",
    "question": "Who came?",
    "passage": "In the evening Anna came.",
    "context": "In the evening",
}
_LIST_EXAMPLE = ["Anna came.", "it is morning."]


def answer_instructions(answerer: Answerer, format: str) -> str:
    """The text of how_to_use.md for "saved_model" or "tflite"."""
    tokenizer = answerer.tokenizer
    examples = {name: _example(name, spec.shape[1:]) for name, spec in answerer.text_specs.items()}
    words = {
        "ROW_LAYOUT": answerer.row_layout,
        "SEPARATOR": _ids(tokenizer.pair_separator_ids),
        "INPUTS_AS_TENSORS": ", ".join(
            f"{name}=tf.constant({json.dumps([value])})" for name, value in examples.items()
        ),
        "INPUTS_AS_ARRAYS": ", ".join(f"{name}={_as_array(value)}" for name, value in examples.items()),
        "INPUTS_AS_JSON": json.dumps(next(iter(examples.values())) if len(examples) == 1 else examples),
        "INPUTS": " and ".join(f"`{name}`" for name in answerer.inputs),
        "ROW_SHAPES": ", ".join(f"`{name}` {tuple(spec.shape)}" for name, spec in answerer.row_specs(1).items()),
        "ROWS": " and ".join(f"`{name}`" for name in answerer.row_specs(1)),
        "OUTPUTS": "\n".join(f"- `{name}`: {text}" for name, text in answerer.descriptions.items()),
        "SEQUENCE_LENGTH": str(answerer.sequence_length),
        "PREFIX": _ids(tokenizer.prefix_ids),
        "SUFFIX": _ids(tokenizer.suffix_ids),
        "PADDING": _ids((tokenizer.pad_id,)),
        "TASK": answerer.task.task_type,
    }
    text = _INSTRUCTIONS[format]
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _example(name: str, shape: tuple[int, ...]) -> str | list[str]:
    """A string, or as many as the shape of one input says."""
    if not len(shape):
        return _EXAMPLES.get(name, "a text")
    return [*_LIST_EXAMPLE, *[""] * (shape[0] - len(_LIST_EXAMPLE))]


def _as_array(value: str | list[str]) -> str:
    if isinstance(value, str):
        return f"strings({json.dumps(value)})"
    return f"strings({', '.join(map(json.dumps, value))})[np.newaxis]"


def _ids(ids: tuple[int, ...]) -> str:
    return ", ".join(map(str, ids)) or "nothing"


_INSTRUCTIONS = {
    "saved_model": """\
# How to use this SavedModel

It takes strings (INPUTS) and answers; the tokenizer is inside. `pip install tensorflow tensorflow-text`, then in this
directory:

```python
import tensorflow as tf
import tensorflow_text  # registers the ops of the tokenizer

answer = tf.saved_model.load(".").signatures["serving_default"]
for name, value in answer(INPUTS_AS_TENSORS).items():
    print(name, value.numpy())
```

What comes out, with a row a text:

OUTPUTS

The signature `token_ids` takes rows of SEQUENCE_LENGTH ids (ROWS, int32) instead of strings, and `tokenize` makes them.

TensorFlow Serving wants a numbered directory: put this one at `models/TASK/1`, then

```sh
tensorflow_model_server --rest_api_port=8501 --model_name=TASK --model_base_path=$PWD/models/TASK
curl -d '{"instances": [INPUTS_AS_JSON]}' http://localhost:8501/v1/models/TASK:predict
```

`tfplm evaluate` judges this directory as it judges a run. The files under `assets` are for people; `report.json` says
how the answers were compared.
""",
    "tflite": """\
# How to use these TFLite files

`model_text.tflite`, where there is one, takes strings (INPUTS); the tokenizer is inside.
`pip install ai-edge-litert tensorflow-text`, then in this directory:

```python
import numpy as np
import tensorflow_text
from ai_edge_litert.interpreter import InterpreterWithCustomOps


def strings(*texts):
    return np.array([text.encode() for text in texts], dtype=object)


text_ops = tensorflow_text.tflite_registrar.SELECT_TFTEXT_OPS
interpreter = InterpreterWithCustomOps(model_path="model_text.tflite", custom_op_registerers=text_ops)
answer = interpreter.get_signature_runner("text")
print(answer(INPUTS_AS_ARRAYS))
```

What may come out:

OUTPUTS

On a phone, link TensorFlow Text's ops for TFLite into the app. Where that is too much, use `model_ids.tflite`: builtin
ops only, inputs int32: ROW_SHAPES. ROW_LAYOUT
The ids are the line numbers of `vocab.txt`, from 0 on.

`*_int8.tflite` are the same with 8-bit weights: a quarter of the size and nearly the same answers.
`vocab.txt`, and `labels.txt` where there are classes, are packed into every file: `unzip -l model_ids.tflite`. The
folder `tokenizer` is for `tfplm evaluate`, which judges this directory as it judges a run. `report.json` says how the
answers were compared.
""",
}
