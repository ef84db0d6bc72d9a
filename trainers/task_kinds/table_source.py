"""The table that a run is judged on, with the columns of the table that it learned from."""

from collections.abc import Mapping
from pathlib import Path

from tfplm.data.configuration import Source, TableSource

_KEPT = ("layout", "quotes", "text_column", "text_pair_column", "label_column", "label_separator")


def table_source(trained_on: Source, path: Path, columns: Mapping[str, str]) -> TableSource:
    """A table at ``path``: columns as named, else as in training, else ``text`` and ``label``."""
    kept = {key: value for key in _KEPT if (value := getattr(trained_on, key, None)) is not None}
    if kept.get("layout") != "glue":
        kept.setdefault("label_column", "label")
    return TableSource(paths=[str(path)], **kept | dict(columns))
