"""Finding the files that a source names: globs, and the folders of installed packages."""

import difflib
import glob
import importlib.util
import os
from pathlib import Path, PurePosixPath

from tfplm.data.text_files import unreadable
from tfplm.errors import UserError


def expand_paths(patterns: list[str], folder: Path | None = None) -> list[Path]:
    """Expands files and globs (``**`` too); a file that is named twice comes once.

    Args:
        patterns: what the user wrote.
        folder: where relative patterns start; None for the working directory.

    Returns:
        The files: the patterns in their order, each one's files sorted.

    Raises:
        UserError: a file is missing, a glob matches no file, or a path is a directory.
    """
    found: dict[str, Path] = {}
    for pattern in patterns:
        try:
            paths = _expand(pattern, folder)
        except OSError as error:  # a folder that may not be entered, a name that is too long
            raise unreadable(Path(pattern), error) from error
        for path in paths:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def package_folder(package: str) -> Path:
    """The folder of an installed package, found without importing or running any of it.

    Raises:
        UserError: it is not installed, or is a single module without a folder.
    """
    name = package.split(".")[0]
    if not all(part.isidentifier() for part in package.split(".")):
        raise UserError(f"'{package}' is not the name of a Python package.", "Expected a name as in `import NAME`.")
    try:
        spec = importlib.util.find_spec(name)  # of the outermost package: finding an inner one would run the outer
    except ValueError:  # a module of this process that was made by hand
        spec = None
    if spec is None:
        raise UserError(f"The package '{name}' is not installed.", remedy=f"pip install {name}")
    folders = [Path(folder, *package.split(".")[1:]) for folder in spec.submodule_search_locations or ()]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is None:
        raise UserError(f"'{package}' is installed but is no package with a folder of files.")
    return folder


def expand_package_paths(package: str, patterns: list[str]) -> list[tuple[Path, str]]:
    """Expands files and globs inside a package.

    Returns:
        For every file its path and its name as the user knows it, ``package/inner/path``: the same on every machine.

    Raises:
        UserError: as ``package_folder`` and ``expand_paths``, or a path leads out of the package.
    """
    folder = package_folder(package)
    for pattern in patterns:
        parts = PurePosixPath(pattern.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or Path(pattern).is_absolute():
            raise UserError(
                f"'{pattern}' leads out of the package '{package}'.",
                "Expected a path inside the package, without '..'.",
                "For files elsewhere use a source of type: text.",
            )
    files = expand_paths(patterns, folder)
    return [(path, f"{package.replace('.', '/')}/{path.relative_to(folder).as_posix()}") for path in files]


def _expand(pattern: str, folder: Path | None) -> list[Path]:
    path = folder / pattern if folder is not None else Path(pattern).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        raise UserError(
            f"{path} is a directory.",
            "Expected files or globs.",
            f"Name its files, for example {Path(pattern).as_posix()}/*.txt",
        )
    if not glob.has_magic(pattern):
        raise _missing(path)
    matches = glob.glob(str(Path(pattern).expanduser()), root_dir=folder, recursive=True)  # noqa: PTH207 (hides dotfiles)
    files = [folder / match if folder is not None else Path(match) for match in matches]
    files = sorted((file for file in files if not file.is_dir()), key=lambda file: file.as_posix())
    if not files:
        start = f"They start at {folder or Path.cwd()}" + (", unless absolute." if folder is None else ".")
        raise UserError(f"No file matches '{pattern}'.", remedy=f"Check the path and the suffix. {start}")
    return files


def _missing(path: Path) -> UserError:
    if path.exists():
        return UserError(f"{path} is no regular file.", "Expected a file on the disk: it is read more than once.")
    try:
        neighbours = [str(neighbour) for neighbour in path.parent.iterdir() if neighbour.is_file()]
    except OSError:
        return UserError(f"There is no file {path}.", remedy=f"The folder {path.parent} is not there or not readable.")
    close = difflib.get_close_matches(str(path), neighbours, n=3, cutoff=0.6)
    return UserError(f"There is no file {path}.", remedy=f"Did you mean {', '.join(close)}?" if close else "")
