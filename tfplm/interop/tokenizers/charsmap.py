"""SentencePiece's compiled form of a mapping of characters, which the `tokenizers` package applies as well."""

import io
import tempfile
from pathlib import Path

import numpy as np
from sentencepiece import SentencePieceTrainer, sentencepiece_model_pb2

_SILENT = 4


def compile_charsmap(rules: dict[str, str]) -> bytes:
    """A ``precompiled_charsmap`` that replaces every key by its value; U+0000 cannot be a key."""
    model = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.tsv"
        path.write_text("".join(f"{_codes(key)}\t{_codes(value)}\n" for key, value in rules.items()), "utf-8")
        SentencePieceTrainer.Train(
            sentence_iterator=iter(["a b"]),
            model_writer=model,
            model_type="char",
            vocab_size=6,
            hard_vocab_limit=False,
            normalization_rule_tsv=str(path),
            minloglevel=_SILENT,
        )
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def check_charsmap(charsmap: bytes) -> None:
    """Raises ValueError where following the map could lead out of it, which its readers do not check.

    It is the size of a double array in bytes, the array of 32-bit units as darts-clone lays it out, and the strings
    that its leaves point to, each with a zero byte behind it.
    """
    if not charsmap:
        return
    size = int.from_bytes(charsmap[:4], "little")
    strings = charsmap[4 + size :]
    if size % 4 or not 4 <= size <= len(charsmap) - 4 or strings[-1:] != b"\0":
        raise ValueError("the character map is cut off")
    units = np.frombuffer(charsmap, "<u4", size // 4, 4).astype(np.int64)
    is_leaf = units >> 31 == 1
    offsets = (units >> 10) << ((units & 0x200) >> 6)
    last_children = (np.arange(len(units)) ^ offsets) | 0xFF
    if (last_children[~is_leaf] >= len(units)).any() or ((units[is_leaf] & 0x7FFFFFFF) >= len(strings)).any():
        raise ValueError("the character map points out of itself")


def _codes(text: str) -> str:
    return " ".join(f"{ord(character):X}" for character in text)
