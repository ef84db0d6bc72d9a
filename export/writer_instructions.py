"""how_to_use.md of a model that writes."""

import json

_SAVED_MODEL = """\
# How to use this SavedModel

It takes prompts and gives text; tokenizer and decoding loop are inside. `pip install tensorflow tensorflow-text`, then
in this directory:

```python
import tensorflow as tf
import tensorflow_text  # registers the ops of the tokenizer

signatures = tf.saved_model.load(".").signatures
print(signatures["serving_default"](prompt=tf.constant([PROMPT]))["text"].numpy()[0].decode())

settings = {
SETTINGS
}
values = {name: tf.constant(value) for name, value in settings.items()}
answer = signatures["generate"](prompt=tf.constant([PROMPT]), **values)
print(answer["text"].numpy()[0].decode(), answer["log_probability"].numpy(), answer["was_cut"].numpy())
```

`serving_default` takes prompts alone: greedy search, NUM_TOKENS new tokens at most. `generate` takes settings too, each
a scalar; above are the defaults, which a session of TensorFlow 1 fills in and Python does not.
`temperature` 0 is greedy search, `top_k` 0 no limit. Beside `text` there are `token_ids`, 0 behind the end token;
`was_cut`: the text ended by `max_new_tokens`; `prompt_was_cut`: the prompt was too long for the model, CUT; and
`log_probability` of all tokens together. The signature `generate_beam` follows four beams, `generate_ids` takes
`token_ids` instead of `prompt`, SCORE, and `tokenize` and `detokenize` lead from text to `token_ids` and back.
FRAME
TensorFlow Serving wants a numbered directory: put this one at `models/writer/1`, then

```sh
tensorflow_model_server --rest_api_port=8501 --model_name=writer --model_base_path=$PWD/models/writer
curl -d '{"instances": [CURL_PROMPT]}' http://localhost:8501/v1/models/writer:predict
curl -d '{"signature_name": "generate", "inputs": {"prompt": [CURL_PROMPT], CURL_SETTINGS}}' \\
  http://localhost:8501/v1/models/writer:predict
```

`assets/` holds the tokenizer's files, for people; `report.json` says how the answers were compared.
"""

_TFLITE = """\
# How to use these TFLite files

`pip install PACKAGES`, then in this directory:

```sh
python generate.py PROMPT --max-new-tokens 40
python generate.py PROMPT --max-new-tokens 40 --temperature 0.8 --top-p 0.95 --seed 1 --model model_int8.tflite
```

`generate.py` is all that it takes, and shows how to call the files from another program: `class Writer` reads a prompt
and then a token at a time. `writer.json` holds the numbers that it needs (start, end and forbidden tokens, the longest
text), `tokenizer/` the tokenizer.
FRAME
INTERFACE What a signature gives is put in again by the same name at the next call; what nothing has given yet is
zeros. All signatures of a file share its weights, and all operators are builtin.

`model_int8.tflite` is the same with 8-bit weights. `report.json` says how its tokens and its perplexity compare.
"""

_DECODER = """\
The signatures `prefill_N` read a prompt: `token_ids` int32 (1, N), the start token and the prompt at the end of the
row, 0 before them → `logits` (1, vocabulary) of the next token and the cache, `key_0`, `value_0` and so on. `decode`
reads one token: `token_ids` int32 (1,), `index`, an int32 scalar, the number of tokens read so far, and the cache →
`logits` and the cache."""

_ENCODER_DECODER = """\
The signatures `encode_N` read a text: `token_ids` int32 (1, N), the text and the end token at the beginning of the row,
0 behind them → what is kept of it. `decode` reads one token of the answer: `token_ids` int32 (1,), at first 0; `index`,
an int32 scalar, the number of them read so far; and what is kept → `logits` (1, vocabulary) of the next token and what
has changed."""

_RECURRENT = """\
The signature `step` reads one token, of the prompt (the start token first) as of the answer: `token_ids` int32 (1,) and
the state, `output_0`, `cell_0` and so on → `logits` (1, vocabulary) of the next token and the state."""

_SCORE_TEXTS = """\
`score` takes `text` and gives the log-probability of every token and the perplexity"""

_SCORE_PAIRS = """\
`score` takes `source` and `target` and gives the log-probability of every token of the target and its perplexity"""

_PACKAGES = {"bytes": "", "sentencepiece": " sentencepiece", "wordpiece": " tensorflow-text"}  # others: tokenizers


def writer_instructions(
    format: str, prompt: str, kind: str, tokenizer_type: str, settings: dict, prefixes: dict[str, str]
) -> str:
    """Fills in the instructions.

    Args:
        format: "saved_model" or "tflite".
        prompt: for the examples.
        kind: of the model: "decoder", "encoder_decoder" or "recurrent".
        tokenizer_type: of the tokenizer.
        settings: of the signature ``generate``, with their defaults.
        prefixes: by task, what a prompt of a fine-tuned model begins with.
    """
    text = _SAVED_MODEL if format == "saved_model" else _TFLITE
    is_pair = kind == "encoder_decoder"
    replacements = {
        "CURL_PROMPT": _in_shell(json.dumps(prompt, ensure_ascii=False)),
        "CURL_SETTINGS": ", ".join(f'"{name}": {value}' for name, value in settings.items()),
        "NUM_TOKENS": str(settings["max_new_tokens"]),
        "SETTINGS": "\n".join(f'    "{name}": {value},' for name, value in settings.items()),
        "SCORE": _SCORE_PAIRS if is_pair else _SCORE_TEXTS,
        "CUT": "and its first tokens were kept" if is_pair else "and its last tokens were kept",
        "PACKAGES": f"ai-edge-litert numpy{_PACKAGES.get(tokenizer_type, ' tokenizers')}",
        "INTERFACE": {"decoder": _DECODER, "encoder_decoder": _ENCODER_DECODER, "recurrent": _RECURRENT}[kind],
        "FRAME": _frame(prefixes),
        "PROMPT": repr(prompt) if format == "saved_model" else f"'{_in_shell(prompt)}'",
    }
    for name, value in replacements.items():
        text = text.replace(name, value)
    return text


def _in_shell(text: str) -> str:
    """Text between single quotes of a shell."""
    return text.replace("'", "'\\''")


def _frame(prefixes: dict[str, str]) -> str:
    named = {name: prefix for name, prefix in prefixes.items() if prefix}
    if len(prefixes) < 2 or not named:
        return ""
    listed = "".join(f"- {name}: `{prefix}`\n" for name, prefix in named.items())
    return f"\nThe model has learned several tasks; a prompt begins with that of its task:\n\n{listed}"
