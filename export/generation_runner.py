"""Writes text with the TFLite files in this directory.

    pip install ai-edge-litert numpy
    python generate.py "Once upon a time" --max-new-tokens 40

A model of SentencePiece tokens needs the package sentencepiece too, one of WordPiece tokens tensorflow-text.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

DEFAULT_MODEL = "model.tflite"
SETTINGS_FILE = "writer.json"
TOKENIZER_FOLDER = "tokenizer"
_NUM_SPECIAL = 4  # tokens before the first byte


class Writer:
    """Reads a prompt, then a token at a time, and keeps what it has read in arrays that go in and out of the model.

    Args:
        folder: where the model lies, with its settings.
        model: name of the TFLite file.
        num_threads: of the interpreter.
    """

    def __init__(self, folder: Path, model: str = DEFAULT_MODEL, num_threads: int | None = None):
        from ai_edge_litert.interpreter import Interpreter

        self.settings = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
        interpreter = Interpreter(model_path=str(folder / model), num_threads=num_threads)
        names = list(interpreter.get_signature_list())
        self._decode = interpreter.get_signature_runner("step" if "step" in names else "decode")
        self._readers = {  # by the length of the row that they read
            int(name.rpartition("_")[2]): interpreter.get_signature_runner(name)
            for name in names
            if name.startswith(("prefill_", "encode_"))
        }
        self._encodes = any(name.startswith("encode_") for name in names)
        self._inputs = self._decode.get_input_details()
        self._state: dict[str, np.ndarray] = {}
        self._index = 0

    @property
    def most_tokens(self) -> int | None:
        """Tokens of a prompt, edges counted, that leave room to write; None where there is no limit."""
        return max(self._readers) - (not self._encodes) if self._readers else None

    def row(self, ids: list[int]) -> list[int]:
        """The ids of a text as the model reads them: behind what begins a text, or before the end token."""
        return [*ids, self.settings["end_id"]] if self._encodes else [*self.settings["prefix_ids"], *ids]

    def read_prompt(self, row: list[int]) -> np.ndarray:
        """Reads what `row` gives; returns the logits (vocabulary,) of the next token."""
        self._state = {
            name: np.zeros(details["shape"], details["dtype"])
            for name, details in self._inputs.items()
            if name not in ("token_ids", "index")
        }
        self._index = 0
        if not self._readers:
            return [self.read(token) for token in row][-1]
        length = min(length for length in self._readers if length >= len(row))
        padded = np.full((1, length), self.settings["pad_id"], np.int32)
        padded[0, slice(len(row)) if self._encodes else slice(length - len(row), None)] = row
        outputs = self._readers[length](token_ids=padded)
        self._keep(outputs)
        if self._encodes:
            return self.read(self.settings["pad_id"])  # what the decoder reads first
        self._index = len(row)
        return outputs["logits"][0]

    def read(self, token: int) -> np.ndarray:
        """Reads one token more; returns the logits (vocabulary,) of the next one."""
        inputs = {"token_ids": np.array([token], np.int32), **self._state}
        if "index" in self._inputs:
            inputs["index"] = np.array(self._index, np.int32)
        outputs = self._decode(**inputs)
        self._keep(outputs)
        self._index += 1
        return outputs["logits"][0]

    def _keep(self, outputs: dict[str, np.ndarray]) -> None:
        self._state.update({name: value for name, value in outputs.items() if name in self._state})

    def write(self, row: list[int], max_new_tokens: int, choose: Callable[[np.ndarray], int]) -> Iterator[int]:
        """The tokens behind a prompt, up to the end token.

        Args:
            row: of `row`.
            max_new_tokens: fewer where the model has no room for more.
            choose: gives a token for logits (vocabulary,).
        """
        taken = 0 if self._encodes else len(row)
        room = self.settings["max_sequence_length"] - taken if self._readers else max_new_tokens
        logits = self.read_prompt(row)
        for left in range(min(max_new_tokens, room), 0, -1):
            logits[self.settings["banned_ids"]] = -np.inf
            token = choose(logits)
            if token == self.settings["end_id"]:
                return
            yield token
            if left > 1:
                logits = self.read(token)


class Sampler:
    """Chooses tokens: the likeliest at temperature 0, otherwise one that is drawn.

    Args:
        temperature: below 1 the likely tokens are likelier still.
        top_k: only the k likeliest; 0: all.
        top_p: only the fewest that have this probability together.
        seed: the same seed gives the same text.
    """

    def __init__(self, temperature: float = 0.0, top_k: int = 0, top_p: float = 1.0, seed: int = 0):
        self._temperature, self._top_k, self._top_p = temperature, top_k, top_p
        self._random = np.random.default_rng(seed)

    def __call__(self, logits: np.ndarray) -> int:
        if self._temperature == 0.0:
            return int(logits.argmax())
        order = np.argsort(-logits, kind="stable")
        probabilities = np.exp((logits[order] - logits[order[0]]).astype(np.float64) / self._temperature)
        if self._top_k:
            probabilities[self._top_k :] = 0.0
        probabilities /= probabilities.sum()
        before = np.cumsum(probabilities) - probabilities
        probabilities[before >= self._top_p] = 0.0
        return int(self._random.choice(order, p=probabilities / probabilities.sum()))


class ByteText:
    """Bytes as tokens, behind the special ones."""

    def __init__(self, folder: Path, settings: dict):
        pass

    def encode(self, text: str) -> list[int]:
        return [_NUM_SPECIAL + byte for byte in _utf8(text)]

    def decode(self, ids: list[int]) -> str:
        known = bytes(token - _NUM_SPECIAL for token in ids if _NUM_SPECIAL <= token < _NUM_SPECIAL + 256)
        return known.decode("utf-8", "replace")


class SentencePieceText:
    """SentencePiece with bytes for what has no piece.

    The settings give ``escapes``, what is written for certain characters before, and ``literals``, the pieces that do
    not stand for themselves.
    """

    def __init__(self, folder: Path, settings: dict):
        from sentencepiece import SentencePieceProcessor

        self._escapes, self._literals = settings["escapes"], settings["literals"]
        self._processor = SentencePieceProcessor(model_file=str(folder / "sentencepiece.model"))
        self._bytes = [self._bytes_of(index) for index in range(self._processor.GetPieceSize())]

    def _bytes_of(self, index: int) -> bytes:
        piece = self._processor.IdToPiece(index)
        if self._processor.IsControl(index) or self._processor.IsUnknown(index):
            return b""
        if self._processor.IsByte(index):
            return bytes([int(piece[3:5], 16)])
        return self._literals.get(piece, piece.replace("▁", " ")).encode()

    def encode(self, text: str) -> list[int]:
        text = _utf8(text).decode()
        for sign, escape in self._escapes.items():
            text = text.replace(sign, escape)
        return self._processor.encode(text)

    def decode(self, ids: list[int]) -> str:
        return b"".join(self._bytes[token] for token in ids if token < len(self._bytes)).decode("utf-8", "replace")


class WordPieceText:
    """WordPiece. Words come back with single spaces: the tokens do not say how the text was spaced."""

    def __init__(self, folder: Path, settings: dict):
        from tensorflow_text import FastBertTokenizer

        self._words = (folder / "vocab.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
        self._tokenizer = FastBertTokenizer(
            self._words, unknown_token="[UNK]", lower_case_nfd_strip_accents=settings["lowercase"]
        )

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.tokenize([_utf8(text)]).flat_values.numpy().tolist()

    def decode(self, ids: list[int]) -> str:
        return " ".join(self._words[token] for token in ids).replace(" ##", "")


class HuggingFaceText:
    """The tokenizer of an imported checkpoint, by the package `tokenizers`; special tokens in a text are text."""

    def __init__(self, folder: Path, settings: dict):
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.encode_special_tokens = True

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(_utf8(text).decode(), add_special_tokens=False).ids

    def decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids)


_TEXTS = {
    "huggingface": HuggingFaceText,
    "bytes": ByteText,
    "sentencepiece": SentencePieceText,
    "wordpiece": WordPieceText,
}


def load_text(folder: Path, settings: dict) -> ByteText | SentencePieceText | WordPieceText | HuggingFaceText:
    """The tokenizer in ``folder`` that the settings describe."""
    of_tokenizer = settings["tokenizer"]
    return _TEXTS[of_tokenizer["type"]](folder / TOKENIZER_FOLDER, of_tokenizer)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def pieces(tokens: Iterator[int], decode: Callable[[list[int]], str]) -> Iterator[str]:
    """The text of tokens piece by piece, each when its characters are whole."""
    ids, shown = [], ""
    for token in tokens:
        ids.append(token)
        text = decode(ids).rstrip("\ufffd")
        yield text[len(shown) :]
        shown = text
    yield decode(ids)[len(shown) :]


def _parse_arguments(arguments: list[str]) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description="Writes on behind a prompt, or answers it.")
    parser.add_argument("prompt", help="text")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="model.tflite or model_int8.tflite")
    parser.add_argument("--max-new-tokens", type=int, default=128, metavar="N")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 (the default): always the likeliest token")
    parser.add_argument("--top-k", type=int, default=0, metavar="K", help="draw from the K likeliest tokens; 0: all")
    parser.add_argument("--top-p", type=float, default=1.0, metavar="P", help="draw from the fewest tokens that have P")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same text")
    parser.add_argument("--threads", type=int, help="of the interpreter")
    options = parser.parse_args(arguments)
    wrong = {
        "prompt is empty": not options.prompt,
        "--max-new-tokens is below 1": options.max_new_tokens < 1,
        "--temperature is below 0": not 0.0 <= options.temperature < np.inf,
        "--top-k is below 0": options.top_k < 0,
        "--top-p is not over 0 and at most 1": not 0.0 < options.top_p <= 1.0,
        "--seed is below 0": options.seed < 0,
    }
    for message in (message for message, is_wrong in wrong.items() if is_wrong):
        parser.error(message)
    return parser, options


def main(arguments: list[str] | None = None) -> None:
    """Writes to the standard output while the text comes."""
    parser, options = _parse_arguments(sys.argv[1:] if arguments is None else arguments)
    folder = Path(__file__).resolve().parent
    if not (folder / options.model).is_file():
        parser.error(f"there is no {options.model} beside this file")
    try:
        writer = Writer(folder, options.model, options.threads)
        text = load_text(folder, writer.settings)
    except ModuleNotFoundError as error:
        parser.error(f"the package {error.name} is not installed")
    prompt = writer.settings["prefix"] + options.prompt + writer.settings["separator"]
    row = writer.row(text.encode(prompt))
    if writer.most_tokens is not None and len(row) > writer.most_tokens:
        parser.error(f"the prompt has {len(row)} tokens; the model reads {writer.most_tokens} at most")
    sampler = Sampler(options.temperature, options.top_k, options.top_p, options.seed)
    for piece in pieces(writer.write(row, options.max_new_tokens, sampler), text.decode):
        print(piece, end="", flush=True)
    print()


if __name__ == "__main__":
    main()
