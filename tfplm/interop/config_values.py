"""The values of a config.json, read one by one with their types checked: the file comes from strangers."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from tfplm.errors import UserError

Meaning = TypeVar("Meaning")


class ConfigValues:
    """What a config.json says.

    Args:
        values: as read from JSON.
        origin: the file, for messages.
    """

    def __init__(self, values: Mapping[str, Any], origin: str):
        self.values = values
        self.origin = origin

    def whole(self, key: str, default: int | None = None, least: int = 1) -> int:
        """A whole number of at least ``least``; without a default the key is required. Raises UserError."""
        value = self._given(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self._wrong(key, value, f"a whole number from {least} on")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number; without a default the key is required. Raises UserError."""
        value = self._given(key, default)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            raise self._wrong(key, value, "a number")
        return float(value)

    def meaning(self, key: str, meanings: Mapping[str, Meaning], default: str | None = None) -> Meaning:
        """What the name under a key stands for among ``meanings``. Raises UserError that lists the names."""
        value = self._given(key, default)
        if not isinstance(value, str) or value not in meanings:
            raise self._wrong(key, value, f"one of {', '.join(meanings)}")
        return meanings[value]

    def require(self, key: str, supported: Iterable[Any]) -> None:
        """Raises UserError where the key is there with a value that is not among ``supported``."""
        supported = list(supported)
        if key in self.values and not any(_is_same(self.values[key], value) for value in supported):
            raise self._wrong(key, self.values[key], " or ".join(_shown(value) for value in supported))

    def _given(self, key: str, default: Any) -> Any:
        if key in self.values:
            return self.values[key]
        if default is None:
            raise UserError(f"{self.origin}: '{key}' is missing.", "Expected the config.json of a whole checkpoint.")
        return default

    def _wrong(self, key: str, value: Any, supported: str) -> UserError:
        return UserError(f"{self.origin}: '{key}' is {_shown(value)}.", f"Supported: {supported}.")


def _is_same(found: Any, supported: Any) -> bool:
    """Equal, and of one type: JSON's true is not 1."""
    return type(found) is type(supported) and found == supported


def _shown(value: Any) -> str:
    """As JSON has it, and not too long."""
    words = {None: "null", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
