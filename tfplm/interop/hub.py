"""Where a checkpoint is: a path, an installed package, or a repository of the Hugging Face Hub at a fixed revision."""

import re
from pathlib import Path

from tfplm.data.file_paths import package_folder
from tfplm.errors import UserError

# What is downloaded: no pickles, no code.
PATTERNS = ("*.json", "*.txt", "*.model", "*.safetensors", "tf_model.h5")
_PACKAGE = "package:"
_REPOSITORY = re.compile(r"[\w][\w.-]{0,95}(/[\w][\w.-]{0,95})?", re.ASCII)


def resolve_source(source: str, revision: str | None) -> Path:
    """The path of a checkpoint: as it stands where there is one, else in a package, else that of a download.

    Args:
        source: a folder, a file in it, the prefix of a TensorFlow checkpoint; ``package:name.folder``, which is found
            in an installed package without importing it; or the name of a repository of the Hub.
        revision: of the repository: a commit or a tag. There is no default, so that a run can be repeated.

    Raises:
        UserError: there is no such path, package or repository, or it cannot be had.
    """
    path = Path(source).expanduser()
    if path.exists() or path.with_name(f"{path.name}.index").is_file():
        if revision is not None:
            raise UserError(f"{source} is on this machine, and has no revisions.", remedy="Leave --revision out.")
        return path
    if source.startswith(_PACKAGE):
        return package_folder(source.removeprefix(_PACKAGE))
    if not _REPOSITORY.fullmatch(source) or ".." in source:
        raise UserError(
            f"There is no {source} (looked in {Path.cwd()}).",
            "Expected a folder, a file in it, or the name of a repository on the Hugging Face Hub, as owner/name.",
        )
    if revision is None:
        raise UserError(
            f"There is no folder {source} (looked in {Path.cwd()}).",
            "For a repository of the Hugging Face Hub, expected the revision.",
            f"Give --revision: best the commit, 40 hexadecimal digits (https://huggingface.co/{source}/commits/main).",
        )
    return _download(source, revision)


def _download(name: str, revision: str) -> Path:
    try:
        import huggingface_hub  # an extra
    except ImportError as error:
        raise UserError(
            f"There is no folder {name}, and huggingface_hub, which downloads from the Hub, is not installed.",
            remedy='pip install "tfplm[hub]", or download the folder by other means.',
        ) from error
    try:
        return Path(huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=list(PATTERNS)))
    except Exception as error:  # it raises those of its HTTP library, of the file system and its own
        found, remedy = _reason(error)
        raise UserError(f"{name} at revision {revision} cannot be had: {found}.", remedy=remedy) from error


def _reason(error: Exception) -> tuple[str, str]:
    """What happened, and what to do."""
    from huggingface_hub import constants, errors

    if isinstance(error, errors.GatedRepoError):
        return "it is gated", "Ask for access on its page, then log in: hf auth login."
    if isinstance(error, errors.RevisionNotFoundError):
        return "it has no such revision", "Give --revision a commit or a tag that it has."
    if isinstance(error, errors.RepositoryNotFoundError):
        return "the Hub has no such repository, or it is private", "Check its name; for a private one: hf auth login."
    if constants.HF_HUB_OFFLINE:
        return "the Hub is switched off (HF_HUB_OFFLINE) and the cache has no such files", "Unset HF_HUB_OFFLINE, once."
    if isinstance(error, errors.LocalEntryNotFoundError):
        return (
            "there is no way to the Hub, and the cache has no such files",
            "Check the network, or copy the folder here.",
        )
    return " ".join(str(error).split())[:200] or type(error).__name__, "Try again, or copy the folder here."
