"""What a folder of the sentence-transformers package says of how a text becomes one vector."""

from pathlib import Path

from tfplm.errors import UserError
from tfplm.interop.json_files import read_json_list, read_json_object, write_json
from tfplm.tasks.configuration import TextEmbeddingConfig
from tfplm.tasks.text_embedding import TextEmbedder

_MODULES = "modules.json"
_POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "first"}
_LENGTH_FILE = "sentence_bert_config.json"
_KINDS = ("Transformer", "Pooling", "Normalize")


def read_embedding_config(folder: Path) -> TextEmbeddingConfig | None:
    """Pooling and normalization by ``modules.json``; None where there is none.

    Raises:
        UserError: a module is of a kind, or a pooling of a mode, that is not supported.
    """
    path = folder / _MODULES
    if not path.is_file():
        return None
    modules = read_json_list(path)
    kinds = [str(module.get("type", "")).rpartition(".")[2] if isinstance(module, dict) else "" for module in modules]
    if unknown := [kind for kind in kinds if kind not in _KINDS]:
        raise UserError(f"{path} has a module {unknown[0]!r}.", f"Supported: {', '.join(_KINDS)}.")
    pooling = "mean"
    if "Pooling" in kinds:
        pooling = _read_pooling(folder, modules[kinds.index("Pooling")])
    return TextEmbeddingConfig(pooling=pooling, normalize="Normalize" in kinds)


def _read_pooling(folder: Path, module: dict) -> str:
    name = module.get("path")
    if not isinstance(name, str) or Path(name).name != name or name in ("", "."):
        raise UserError(f"{folder / _MODULES} names the folder {name!r}.", "Expected a folder beside it.")
    path = folder / name / "config.json"
    chosen = [key for key, value in read_json_object(path).items() if key.startswith("pooling_mode_") and value is True]
    if len(chosen) != 1 or chosen[0] not in _POOLINGS:
        raise UserError(f"{path}: the pooling is {', '.join(chosen) or 'none'}.", f"Supported: {', '.join(_POOLINGS)}.")
    return _POOLINGS[chosen[0]]


def read_most_tokens(folder: Path) -> int | None:
    """The longest text in tokens, edges counted; None where the folder does not say."""
    path = folder / _LENGTH_FILE
    value = read_json_object(path).get("max_seq_length") if path.is_file() else None
    return value if isinstance(value, int) and value > 0 else None


def write_embedding_config(task: TextEmbedder, folder: Path) -> None:
    """Writes what `read_embedding_config` reads. Raises UserError where that package has no such pooling."""
    chosen = {pooling: mode for mode, pooling in _POOLINGS.items()}.get(task.config.pooling)
    if chosen is None:
        raise UserError(
            f"The embedder pools by '{task.config.pooling}'.", f"Expected one of {', '.join(_POOLINGS.values())}."
        )
    kinds = {"Transformer": "", "Pooling": "1_Pooling"} | (
        {"Normalize": "2_Normalize"} if task.config.normalize else {}
    )
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (kind, path) in enumerate(kinds.items())
    ]
    write_json(folder / _MODULES, modules)
    (folder / "1_Pooling").mkdir()
    modes = {mode: mode == chosen for mode in _POOLINGS}
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": task.encoder.output_dim, **modes})
    write_json(
        folder / _LENGTH_FILE, {"max_seq_length": task.encoder.config.max_sequence_length, "do_lower_case": False}
    )
