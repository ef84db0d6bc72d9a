"""Files of the data folder, and members of its ZIP files, as text; what is missing or damaged is named."""

import json
import zipfile
from pathlib import Path
from typing import Any

from tfplm.errors import UserError


def read_member(path: Path, member: str, encoding: str = "utf-8") -> str:
    """The text of a file inside a ZIP file.

    Raises:
        UserError: the ZIP file is not there, is none, or does not hold the member in this encoding.
    """
    require_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(member).decode(encoding)
    except KeyError as error:
        raise UserError(f"{path} holds no {member}.", remedy="Fetch it again.") from error
    except (zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged: {error}.", "Expected a ZIP file of text.", "Fetch it again.") from error


def read_text_file(path: Path) -> str:
    """The text of a UTF-8 file. Raises UserError where it is not there or none."""
    require_file(path)
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is damaged: {error}.", "Expected UTF-8.", "Fetch it again.") from error


def read_json_file(path: Path) -> Any:
    """The value in a JSON file. Raises UserError where it is not there or none."""
    try:
        return json.loads(read_text_file(path))
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is damaged: {error}.", "Expected JSON.", "Fetch it again.") from error


def require_file(path: Path) -> None:
    """Raises UserError, which names it, where the file is not there."""
    if not path.is_file():
        raise UserError(
            f"There is no file {path}.",
            remedy="Give the folder of the sets with --data, or leave this set out with --sets.",
        )
