"""JSON files that come from strangers."""

import json
from pathlib import Path
from typing import Any

from tfplm.errors import UserError
from tfplm.run_directory import write_text

LARGEST = 1 << 24  # bytes of a config.json: the largest have some 100 kB


def read_json_object(path: Path, largest: int = LARGEST) -> dict[str, Any]:
    """The object that a JSON file holds. Raises UserError when it cannot be read, is too large or holds no object."""
    return parse_json_object(_read(path, largest), str(path))


def read_json_list(path: Path, largest: int = LARGEST) -> list[Any]:
    """The list that a JSON file holds. Raises UserError when it cannot be read, is too large or holds no list."""
    return _parse(_read(path, largest), str(path), list)


def parse_json_object(data: bytes, origin: str) -> dict[str, Any]:
    """The object that JSON text holds, every key once. Raises UserError otherwise, beginning with ``origin``."""
    return _parse(data, origin, dict)


def write_json(path: Path, values: dict | list) -> None:
    """Writes a JSON file, whole or not at all."""
    write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def _read(path: Path, largest: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(data) > largest:
        raise UserError(f"{path} is larger than {largest:,} bytes.", "Expected a JSON file of a checkpoint.")
    return data


def _parse(data: bytes, origin: str, expected: type) -> Any:
    try:
        values = json.loads(data, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{origin} is no valid JSON: {error}.") from error
    if not isinstance(values, expected):
        wanted = "an object, {…}" if expected is dict else "a list, […]"
        raise UserError(f"{origin} holds JSON of the type {type(values).__name__}.", f"Expected {wanted}.")
    return values


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f"the key {twice!r} stands there twice")
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
