"""Files of weights that are not read, and the one line that makes readable ones of them."""

import re
from pathlib import Path
from typing import Any

from tfplm.errors import UserError

_PICKLES = ("*.bin", "*.bin.index.json", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_FLAX = ("flax_model.msgpack", "flax_model.msgpack.index.json")
_SHARDED_H5 = "tf_model.h5.index.json"
_CLASS_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,99}")


def refusal(folder: Path, config: dict[str, Any]) -> UserError | None:
    """The error for a folder whose weights are of a kind that is not read; None where none are seen.

    Args:
        folder: of the checkpoint.
        config: what its config.json holds, {} where there is none.
    """
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern) if _is_weights(path))
    if pickles:
        return UserError(
            f"{folder} has its weights in {_listed(pickles)}: Python pickles, which can run any code when opened.",
            "Expected model.safetensors.",
            _way_out(folder, config, pickles),
        )
    for name, option in ((_FLAX[0], "from_flax=True"), (_FLAX[1], "from_flax=True"), (_SHARDED_H5, "from_tf=True")):
        if (folder / name).is_file():
            return UserError(
                f"{folder} has its weights in {name}, which tfplm does not read.",
                "Expected model.safetensors or one tf_model.h5.",
                f"Convert them with transformers 4: {_conversion(folder, config, f', {option}')}",
            )
    return None


def _is_weights(path: Path) -> bool:
    """Whether it is more than a folder, a training argument or the prefix of a TensorFlow checkpoint."""
    return path.is_file() and path.name not in ("training_args.bin", "optimizer.pt", "scheduler.pt")


def _way_out(folder: Path, config: dict[str, Any], pickles: list[str]) -> str:
    """What to do; transformers finds pytorch_model.bin, and no file of another name."""
    if not any(name.startswith("pytorch_model") for name in pickles):
        return "Load the model by the code that saved it, then: model.save_pretrained(folder, safe_serialization=True)."
    return f"Convert them where transformers and PyTorch are installed: {_conversion(folder, config, '')}"


def _conversion(folder: Path, config: dict[str, Any], option: str) -> str:
    """A command that keeps the head: the class that config.json names, else the one of the body."""
    architectures = config.get("architectures")
    name = architectures[0] if isinstance(architectures, list) and architectures else None
    kind = name if isinstance(name, str) and _CLASS_NAME.fullmatch(name) else "AutoModel"
    source, target = str(folder), f"{folder}-safe"
    code = (
        f"from transformers import AutoTokenizer, {kind}; "
        f"{kind}.from_pretrained({source!r}{option}).save_pretrained({target!r}, safe_serialization=True); "
        f"AutoTokenizer.from_pretrained({source!r}).save_pretrained({target!r})"
    )
    quoted = code.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
    return f'python -c "{quoted}"'


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
