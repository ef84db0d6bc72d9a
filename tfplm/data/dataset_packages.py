"""Rows of datasets that other packages keep: Hugging Face `datasets` and `tensorflow_datasets`, both optional."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfplm.data.configuration import HuggingFaceSource, TfdsSource
from tfplm.data.tables import Row, named_columns, require_columns
from tfplm.errors import UserError

_OFFLINE_VARIABLES = ("HF_DATASETS_OFFLINE", "HF_HUB_OFFLINE")
_DOWNLOAD_REMEDY = "Set download: true to fetch it, or give the folder where it lies."


def read_huggingface_rows(source: HuggingFaceSource) -> Iterator[tuple[str, Row]]:
    """Yields where each row stands and its columns. Raises UserError when the package or the dataset is not there."""
    with contextlib.nullcontext() if source.download else _hugging_face_offline():
        dataset = _load_huggingface(source)
    columns = named_columns(source)
    require_columns(f"The dataset '{source.name}'", dataset.column_names, columns)
    names = {column: _class_names(dataset.features[column]) for column in columns}
    for number, row in enumerate(dataset.select_columns(columns), start=1):
        yield f"{source.name}[{source.split}], row {number}", _name_classes(row, names)


def read_tfds_rows(source: TfdsSource) -> Iterator[tuple[str, Row]]:
    """Yields where each row stands and its columns. Raises UserError when the package or the dataset is not there."""
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise _not_installed("tensorflow_datasets", "tensorflow-datasets", error) from error
    try:
        dataset, information = tensorflow_datasets.load(
            source.name, split=source.split, data_dir=source.data_dir, download=source.download, with_info=True,
            shuffle_files=False,
        )  # fmt: skip
    except Exception as error:  # the package raises many kinds, none of which it documents
        raise _not_loaded(source.name, source.split, error, source.download) from error
    columns = named_columns(source)
    require_columns(f"The dataset '{source.name}'", information.features, columns)
    names = {column: _class_names(information.features[column]) for column in columns}
    for number, row in enumerate(tensorflow_datasets.as_numpy(dataset), start=1):
        values = {column: getattr(row[column], "tolist", lambda value=row[column]: value)() for column in columns}
        yield f"{source.name}[{source.split}], row {number}", _name_classes(values, names)


def _load_huggingface(source: HuggingFaceSource) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise _not_installed("datasets", "datasets>=4", error) from error
    if int(datasets.__version__.split(".")[0]) < 4:
        raise UserError(
            f"The package datasets {datasets.__version__} may run code that comes with a dataset.",
            remedy="pip install 'datasets>=4'",
        )
    try:
        if any(Path(source.name, name).is_file() for name in ("state.json", "dataset_dict.json")):  # save_to_disk
            saved = datasets.load_from_disk(source.name)
            return saved[source.split] if isinstance(saved, dict) else saved
        return datasets.load_dataset(source.name, source.subset, split=source.split, revision=source.revision)
    except Exception as error:  # the package raises many kinds, none of which it documents
        raise _not_loaded(source.name, source.split, error, source.download) from error


@contextlib.contextmanager
def _hugging_face_offline() -> Iterator[None]:
    """Keeps the two packages off the network; their constants are read once, so they are set as well."""
    before = {name: os.environ.get(name) for name in _OFFLINE_VARIABLES}
    os.environ.update(dict.fromkeys(_OFFLINE_VARIABLES, "1"))
    try:
        import datasets
        import huggingface_hub.constants
    except ImportError as error:
        _restore_environment(before)
        raise _not_installed("datasets", "datasets>=4", error) from error
    constants = ((datasets.config, "HF_DATASETS_OFFLINE"), (datasets.config, "HF_HUB_OFFLINE"),
                 (huggingface_hub.constants, "HF_HUB_OFFLINE"))  # fmt: skip
    values = [getattr(module, name, None) for module, name in constants]
    for module, name in constants:
        setattr(module, name, True)
    try:
        yield
    finally:
        for (module, name), value in zip(constants, values, strict=True):
            setattr(module, name, value)
        _restore_environment(before)


def _restore_environment(before: dict[str, str | None]) -> None:
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


def _class_names(feature: Any) -> list[str] | None:
    """The names that a column of class numbers, or of lists of them, gives its classes."""
    return getattr(getattr(feature, "feature", feature), "names", None)


def _name_classes(row: Row, names: dict[str, list[str] | None]) -> Row:
    return {column: _class_name(value, names[column]) for column, value in row.items()}


def _class_name(value: Any, names: list[str] | None) -> Any:
    """Class numbers become the names that the dataset gives them; -1, an unknown label, becomes nothing."""
    if names and isinstance(value, list):
        return [_class_name(item, names) for item in value]
    if names and isinstance(value, int):
        return names[value] if value >= 0 else None
    return value


def _not_installed(module: str, requirement: str, error: ImportError) -> UserError:
    return UserError(f"The package '{module}' cannot be imported: {error}.", remedy=f"pip install '{requirement}'")


def _not_loaded(name: str, split: str, error: Exception, download: bool) -> UserError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return UserError(
        f"The dataset '{name}', split '{split}', cannot be loaded: {reason}",
        remedy="" if download else _DOWNLOAD_REMEDY,
    )
