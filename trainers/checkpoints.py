"""Checkpoints of a training run: written whole or not at all."""

import errno
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from tfplm.errors import UserError
from tfplm.run_directory import whole_directory

_STATE, _META = "state.safetensors", "checkpoint.json"
_EXTRA = "extra/"  # begins the names of arrays that are neither the model's nor the optimizer's


@dataclass(frozen=True)
class Checkpoint:
    """What `CheckpointStore.save` was given beside the model.

    Args:
        step: optimizer steps done.
        extra: JSON-able values.
        arrays: further arrays by name.
    """

    step: int
    extra: dict
    arrays: dict[str, np.ndarray]


class CheckpointStore:
    """The folder ``checkpoints/`` of a run: one folder a step with the state of the model and the optimizer.

    The state is every variable: weights, the states of the random-seed generators, and the optimizer's variables.

    Args:
        folder: where the checkpoints lie.
        keep: so many of the newest stay.
    """

    def __init__(self, folder: Path, keep: int = 2):
        self.folder, self.keep = Path(folder), keep

    def steps(self) -> list[int]:
        """The steps of the whole checkpoints, ascending."""
        if not self.folder.is_dir():
            return []
        names = [path.name for path in self.folder.iterdir() if (path / _META).is_file()]
        return sorted(int(name.removeprefix("step-")) for name in names if name.startswith("step-"))

    def save(self, step: int, model: keras.Model, extra: dict, arrays: Mapping[str, np.ndarray] | None = None) -> None:
        """Writes the checkpoint of ``step`` with JSON-able values and arrays of the caller's own.

        Raises:
            UserError: the disk is full.
        """
        target = self.folder / f"step-{step:08d}"
        if target.exists():
            return
        try:
            with whole_directory(target) as temporary:
                own = {f"{_EXTRA}{name}": np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
                save_file(_state(model) | own, temporary / _STATE)
                (temporary / _META).write_text(json.dumps({"step": step, "extra": extra}), encoding="utf-8")
        except (OSError, SafetensorError) as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space" in str(error):
                raise UserError(
                    f"No space left on the disk for the checkpoint {target}.",
                    "The checkpoints before it are intact.",
                    "Free some space and run the same command again: it goes on from the last one.",
                ) from error
            raise
        for old in self.steps()[: -self.keep]:
            shutil.rmtree(self.folder / f"step-{old:08d}")

    def restore_latest(self, model: keras.Model) -> Checkpoint | None:
        """Puts the newest checkpoint into the built ``model`` and its optimizer; returns what else was saved.

        Returns None where there is none. Raises UserError when it is damaged or does not fit the model.
        """
        steps = self.steps()
        if not steps:
            return None
        folder = self.folder / f"step-{steps[-1]:08d}"
        try:
            state = load_file(folder / _STATE)
            meta = json.loads((folder / _META).read_text(encoding="utf-8"))
            own = {name: state.pop(name) for name in list(state) if name.startswith(_EXTRA)}
            checkpoint = Checkpoint(
                meta["step"], meta["extra"], {name.removeprefix(_EXTRA): array for name, array in own.items()}
            )
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"The checkpoint {folder} is damaged: {error!r}.",
                remedy="Remove this folder: training goes on from the checkpoint before it, or begins anew.",
            ) from error
        _assign(model, state, folder)
        return checkpoint

    def clear(self) -> None:
        """Removes all checkpoints."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _named_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Every variable of the model (but the metrics') and of its optimizer by a unique name."""
    metrics = {id(v) for metric in model.metrics for v in metric.variables}
    variables = [v for v in model.variables if id(v) not in metrics]
    named = {f"model/{i:04d}/{v.path}": v for i, v in enumerate(variables)}
    optimizer = model.optimizer.variables
    return named | {f"optimizer/{i:04d}/{v.path}": v for i, v in enumerate(optimizer)}


def _state(model: keras.Model) -> dict[str, np.ndarray]:
    return {name: np.array(keras.ops.convert_to_numpy(v), order="C") for name, v in _named_variables(model).items()}


def _assign(model: keras.Model, state: dict[str, np.ndarray], folder: Path) -> None:
    variables = _named_variables(model)
    # Names carry Keras's counters ("adam_w_1"), which differ between processes: places and shapes tell.
    by_place = {_place(name): value for name, value in state.items()}
    expected = {_place(name): tuple(v.shape) for name, v in variables.items()}
    found = {place: value.shape for place, value in by_place.items()}
    if expected != found:
        raise UserError(
            f"The checkpoint {folder} is of another model: {len(found)} tensors, {len(expected)} expected.",
            remedy="Choose another output_dir, or give --overwrite to begin anew.",
        )
    for name, variable in variables.items():
        variable.assign(by_place[_place(name)])


def _place(name: str) -> str:
    return "/".join(name.split("/")[:2])
