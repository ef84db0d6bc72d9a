"""The table that a run is judged on, with the columns of the table that it learned from."""

from collections.abc import Mapping
from pathlib import Path

from tfplm.data.configuration import Source, TableSource

_KEPT = ("layout", "quotes", "text_column", "text_pair_column", "label_column", "label_separator")


def table_source(trained_on: Source, path: Path, columns: Mapping[str, str]) -> TableSource:
    """A table at ``path``: columns as named, else as in training, else ``text`` and ``label``."""
    kept = {key: getattr(trained_on, key, None) for key in _KEPT}
    named = {"label_column": "label"} | {key: value for key, value in kept.items() if value is not None} | dict(columns)
    return TableSource(paths=[str(path)], **named)
