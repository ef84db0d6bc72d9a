"""The run directory: what a stage writes, and how the next one knows that it is whole."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from tfplm.errors import UserError

FORMAT_VERSION = 1
_PACKAGES = ("tfplm", "tensorflow", "keras", "tensorflow-text")


def fingerprint(*parts: Any) -> str:
    """Digest of JSON-able values: two stages with equal fingerprints were asked for the same thing."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


class RunDirectory:
    """Paths inside a run directory and its report.

    A stage is complete when ``report.json`` is there: it is written last.

    Example:
        >>> run = RunDirectory("runs/quickstart/pretrain")
        >>> run.is_complete()
        False
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config = self.path / "config.yaml"
        self.tokenizer = self.path / "tokenizer"
        self.shards = self.path / "shards"
        self.model = self.path / "model"
        self.checkpoints = self.path / "checkpoints"
        self.logs = self.path / "logs"
        self.report = self.path / "report.json"

    def is_complete(self) -> bool:
        return self.report.is_file()

    def read_report(self) -> dict:
        """The figures of a finished stage. Raises UserError when it is unfinished, damaged or of another version."""
        if not self.path.is_dir():
            raise UserError(f"There is no run directory {self.path}.")
        if not self.is_complete():
            raise UserError(
                f"{self.path} is not a finished run: it has no report.json.",
                remedy="Run its stage again: it goes on from the last checkpoint.",
            )
        try:
            report = json.loads(self.report.read_text(encoding="utf-8"))
            version = report["format_version"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self.report} is damaged: {error!r}.", "Expected the JSON of a finished run.") from error
        if version != FORMAT_VERSION:
            raise UserError(
                f"{self.path} was written in run format {version}.",
                f"This tfplm reads format {FORMAT_VERSION}.",
                "Run the stage again, or install the tfplm version named under 'versions' in its report.json.",
            )
        return report

    def write_report(self, stage: str, stage_fingerprint: str, figures: dict) -> dict:
        """Writes ``report.json`` atomically and returns it; call it last."""
        report = {
            "format_version": FORMAT_VERSION,
            "stage": stage,
            "fingerprint": stage_fingerprint,
            "versions": {name: _version(name) for name in _PACKAGES},
            **figures,
        }
        write_text(self.report, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
        return report

    def require(self, stage: str, *parts: Path) -> dict:
        """Reads the report and checks that the run is of ``stage`` and holds ``parts``. Raises UserError."""
        return self.require_one_of((stage,), *parts)

    def require_one_of(self, stages: Sequence[str], *parts: Path) -> dict:
        """As ``require``, of one of several stages."""
        report = self.read_report()
        if report.get("stage") not in stages:
            expected = " or ".join(f"'{stage}'" for stage in stages)
            raise UserError(f"{self.path} is a run of the stage '{report.get('stage')}'.", f"Expected {expected}.")
        missing = [str(part.relative_to(self.path)) for part in parts if not part.exists()]
        if missing:
            raise UserError(
                f"{self.path} is incomplete: {', '.join(missing)} is not there.",
                remedy="Run its stage again into another output_dir, or restore the missing part.",
            )
        return report


def write_text(path: Path, text: str) -> None:
    """Writes a file in UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_config(run: RunDirectory, values: dict) -> None:
    """Writes the resolved configuration of a stage."""
    write_text(run.config, yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120))


@contextlib.contextmanager
def whole_directory(path: str | Path, replace: bool = False) -> Iterator[Path]:
    """Gives a temporary directory beside ``path`` and renames it to ``path`` at the end; an error leaves nothing.

    Args:
        path: where the directory is to stand.
        replace: what stands there goes when the new one is whole, and stays when there is an error.

    Raises:
        UserError: ``path`` is there already and not empty, and ``replace`` is not set.
    """
    path = Path(path)
    if not replace and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path} is there already.", remedy="Name another directory, or remove that one first.")
    existing_parent = next(parent for parent in path.absolute().parents if parent.exists())
    made_parents = not path.absolute().parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.partial-", dir=path.parent))
    old = temporary.with_name(f"{temporary.name}.old")
    try:
        yield temporary
        temporary.chmod(0o755)
        if path.exists():
            os.replace(path, old)
        os.replace(temporary, path)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        if old.exists() and not path.exists():
            os.replace(old, path)
        for leftover in (temporary, old):
            shutil.rmtree(leftover, ignore_errors=True)
        if made_parents:
            _remove_empty_parents(path.absolute().parent, existing_parent)
        raise


def _remove_empty_parents(path: Path, stop: Path) -> None:
    while path != stop and path.is_dir() and not any(path.iterdir()):
        path.rmdir()
        path = path.parent


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
