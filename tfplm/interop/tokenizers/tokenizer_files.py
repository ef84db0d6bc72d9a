"""The JSON files of a `transformers` tokenizer: read with limits, since they come from strangers, and written."""

from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from tfplm.errors import UserError
from tfplm.interop.json_files import read_json_object, write_json
from tfplm.run_directory import write_text

TOKENIZER, CONFIG, NAMES = "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"
_MAX_BYTES = 256 << 20  # the greatest in use have about 35 MB


def read_limited(path: Path) -> bytes:
    """The content of a file. Raises UserError when it cannot be read or is far too large for a tokenizer's."""
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise UserError(f"{path} has {size} bytes.", f"Expected at most {_MAX_BYTES} of a tokenizer's file.")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}.") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; an empty one where there is no such file. Raises UserError when it is damaged."""
    return read_json_object(path, _MAX_BYTES) if path.is_file() else {}


def token_name(value: Any) -> str | None:
    """The name of a token, which these files note as a string or as an object with its content."""
    content = value.get("content") if isinstance(value, dict) else value
    return content if isinstance(content, str) else None


def added_tokens(folder: Path) -> dict[int, tuple[str, bool]]:
    """The tokens that stand beside the model's vocabulary: id to name, and whether it is a special one.

    Raises:
        UserError: a file is damaged, or two of them disagree.
    """
    listed = read_json(folder / TOKENIZER).get("added_tokens") or []
    decoder = read_json(folder / CONFIG).get("added_tokens_decoder") or {}
    found: dict[int, tuple[str, bool]] = {}
    try:
        entries = [(token["id"], token) for token in listed] + [(int(index), token) for index, token in decoder.items()]
        for index, token in entries:
            name, is_special = str(token["content"]), bool(token.get("special", False))
            if not isinstance(index, int) or found.setdefault(index, (name, is_special))[0] != name:
                raise ValueError(f"the id {index!r} of {name!r}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"The added tokens of {folder} are damaged: {error!r}.",
            "Expected objects with id and content, each id for one token.",
        ) from error
    return found


def write_tokenizer(
    backend: Tokenizer, folder: Path, max_length: int, tokenizer_class: str, names: dict[str, str], **further: Any
) -> None:
    """Writes tokenizer.json, tokenizer_config.json and special_tokens_map.json.

    Args:
        backend: the tokenizer.
        folder: where to.
        max_length: the longest input of the model, in tokens.
        tokenizer_class: of `transformers`.
        names: the special tokens by their role, such as pad_token; they are added to the backend as such.
        further: what else tokenizer_config.json says.
    """
    backend.add_special_tokens([special_token(name) for name in dict.fromkeys(names.values())])
    write_text(folder / TOKENIZER, backend.to_str(pretty=False))
    config = {"tokenizer_class": tokenizer_class, "model_max_length": max_length, **names, **further}
    config["clean_up_tokenization_spaces"] = False
    write_json(folder / CONFIG, config)
    write_json(folder / NAMES, names)


def special_token(name: str) -> AddedToken:
    """A token that stands for itself, whatever the normalization."""
    return AddedToken(name, special=True, normalized=False)
