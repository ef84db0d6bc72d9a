"""The files of a tokenizer's folder: ``tokenizer.json`` for every type, and what stands beside it."""

import json
from pathlib import Path
from typing import Any

from tfplm.config import Config, ConfigType, validate
from tfplm.errors import UserError
from tfplm.run_directory import write_text

FORMAT_VERSION = 1
_SETTINGS = "tokenizer.json"


def read_bytes(path: Path) -> bytes:
    """The content of a tokenizer's file. Raises UserError when it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(
            f"There is no {path}.",
            f"Expected a tokenizer folder, with {_SETTINGS} and the files beside it.",
            "Train the tokenizer first (tfplm tokenizer).",
        ) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}.") from error


def read_text(path: Path) -> str:
    """The content of a tokenizer's file that is UTF-8 text. Raises UserError when it cannot be read."""
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} cannot be read as UTF-8 text: {error}.") from error


def write_settings(folder: Path, config: Config, **further: Any) -> None:
    """Writes ``tokenizer.json``: the format's version, the configuration and what else a type has to note."""
    settings = {"format_version": FORMAT_VERSION, "config": config.model_dump(mode="json"), **further}
    write_text(folder / _SETTINGS, json.dumps(settings, indent=2) + "\n")


def read_settings(folder: Path) -> dict:
    """Reads ``tokenizer.json``. Raises UserError when it is missing, damaged or of another version."""
    path = folder / _SETTINGS
    try:
        settings = json.loads(read_text(path))
        version, _ = settings["format_version"], dict(settings["config"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged: {error!r}.", "Expected the JSON that tfplm wrote.") from error
    if version != FORMAT_VERSION:
        raise UserError(
            f"{path} is of format {version}.",
            f"This tfplm reads format {FORMAT_VERSION}.",
            "Train the tokenizer again (tfplm tokenizer).",
        )
    return settings


def read_config(folder: Path, config_type: type[ConfigType]) -> ConfigType:
    """The configuration that ``tokenizer.json`` holds. Raises UserError as ``read_settings`` does."""
    return validate(config_type, read_settings(folder)["config"], str(folder / _SETTINGS))


def escaped(token: str) -> str:
    """A token in one line: a backslash, line ends and what cannot be seen are written as Python writes them."""
    return "".join(
        sign if sign.isprintable() and sign != "\\" else sign.encode("unicode_escape").decode() for sign in token
    )


def write_vocabulary(folder: Path, vocabulary: list[str]) -> None:
    """Writes ``vocab.txt`` for people: a token a line, escaped."""
    write_text(folder / "vocab.txt", "".join(f"{escaped(token)}\n" for token in vocabulary))
