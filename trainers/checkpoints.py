"""Checkpoints of a training run: written whole or not at all, proved by digests when they are read."""

import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from tfplm.errors import UserError
from tfplm.failures import is_full_disk
from tfplm.progress import Progress
from tfplm.run_directory import whole_directory

_STATE, _META = "state.safetensors", "checkpoint.json"
_EXTRA = "extra/"  # begins the names of arrays that are neither the model's nor the optimizer's
_METRICS = "metrics/"
_KERAS_COUNTER = re.compile(r"_\d+(?=[_/]|$)")  # "adam_w_1/dense_2_kernel": differs between equal processes


@dataclass(frozen=True)
class Checkpoint:
    """What `CheckpointStore.save` was given beside the model.

    Args:
        step: optimizer steps done.
        extra: JSON-able values.
        arrays: further arrays by name.
        metric: what the best checkpoints are known by; None where it was not measured.
    """

    step: int
    extra: dict
    arrays: dict[str, np.ndarray]
    metric: float | None = None


class CheckpointStore:
    """The folder ``checkpoints/`` of a run: one folder a step with the state of the model and the optimizer.

    The state is every variable: weights, the states of the random-seed generators, and the optimizer's variables. Under
    a tf.distribute strategy it is that of the first replica of this process, and all replicas get it back.

    Args:
        folder: where the checkpoints lie; under several workers a file system that all of them see.
        keep: so many of the newest stay.
        keep_best: so many of those with the best metric stay beside them.
        maximize: whether more is better in that metric.
        fingerprint: of what else a checkpoint must agree with to be restored, such as the tokenizer.
        read_only: writes and removes nothing; for the workers that are not the chief.
        tell: takes a message for a person.
    """

    def __init__(
        self,
        folder: Path,
        keep: int = 2,
        keep_best: int = 0,
        maximize: bool = False,
        fingerprint: str = "",
        read_only: bool = False,
        tell: Callable[[str], None] | None = None,
    ):
        self.folder, self.keep, self.keep_best, self.maximize = Path(folder), keep, keep_best, maximize
        self.fingerprint, self.read_only = fingerprint, read_only
        self._tell = tell or Progress(quiet=True).message
        self._damaged: set[int] = set()

    def path(self, step: int) -> Path:
        """The folder of a step's checkpoint."""
        return self.folder / f"step-{step:08d}"

    def steps(self) -> list[int]:
        """The steps of the checkpoints, ascending."""
        if not self.folder.is_dir():
            return []
        numbers = [path.name.removeprefix("step-") for path in self.folder.glob("step-*") if (path / _META).is_file()]
        return sorted(int(number) for number in numbers if number.isdigit())

    def best_steps(self) -> list[int]:
        """The steps of the ``keep_best`` checkpoints with the best metric, best first; of equals the later one."""
        if not self.keep_best:
            return []
        metrics = {step: self._metric(step) for step in self.steps() if step not in self._damaged}
        sign = 1.0 if self.maximize else -1.0
        measured = [step for step, metric in metrics.items() if metric is not None and math.isfinite(metric)]
        return sorted(measured, key=lambda step: (sign * metrics[step], step), reverse=True)[: self.keep_best]

    def save(
        self,
        step: int,
        model: keras.Model,
        extra: dict,
        arrays: Mapping[str, np.ndarray] | None = None,
        metric: float | None = None,
    ) -> None:
        """Writes the checkpoint of ``step`` with JSON-able values and arrays of the caller's own.

        A step that has a good one already is left alone.

        Raises:
            UserError: the disk is full; the checkpoints before it are intact.
        """
        target = self.path(step)
        if self.read_only or (target.exists() and step not in self._damaged):
            return
        own = {f"{_EXTRA}{name}": np.asarray(array, order="C") for name, array in (arrays or {}).items()}
        try:
            with whole_directory(target, replace=True) as temporary:
                save_file(_state(model) | own, temporary / _STATE)
                content = {"step": step, "metric": metric, "fingerprint": self.fingerprint, "extra": extra}
                content["files"] = {_STATE: _file_digest(temporary / _STATE)}
                sealed = content | {"digest": _digest(content)}
                (temporary / _META).write_text(json.dumps(sealed), encoding="utf-8")
                _to_disk(temporary / _STATE, temporary / _META, temporary)
            _to_disk(self.folder)  # the new name
        except (OSError, SafetensorError) as error:
            if is_full_disk(error):
                raise UserError(
                    f"No space left on the disk for the checkpoint {target}.",
                    "The checkpoints before it are intact.",
                    "Free some space and run the same command again: it goes on from the last one.",
                ) from error
            raise
        self._damaged.discard(step)
        self._thin_out()

    def restore_latest(self, model: keras.Model) -> Checkpoint | None:
        """Puts the newest good checkpoint into the built ``model`` and its optimizer; returns what else was saved.

        Returns None where there is none. What a process that was killed left half written is removed; a damaged
        checkpoint is named in a message, and the one before it is used.

        Raises:
            UserError: every checkpoint is damaged, or the newest good one is of another model or tokenizer.
        """
        self._remove_leftovers()
        faults: dict[int, str] = {}
        for step in reversed(self.steps()):
            try:
                checkpoint = self._restore(step, model)
            except _DamagedError as error:
                faults[step] = str(error)
                continue
            for damaged, reason in faults.items():
                self._tell(
                    f"The checkpoint {self.path(damaged)} is damaged: {reason}. The one of step {step} is used instead."
                )
            return checkpoint
        if faults:
            raise UserError(
                " ".join(f"The checkpoint {self.path(step)} is damaged: {reason}." for step, reason in faults.items()),
                "There is no good one beside it.",
                f"Remove {self.folder} to begin anew.",
            )
        return None

    def clear(self, but: int | None = None) -> None:
        """Removes all checkpoints, or all but that of a step."""
        if self.read_only:
            return
        if but is None:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        for step in self.steps():
            if step != but:
                self._remove(step)

    def _restore(self, step: int, model: keras.Model) -> Checkpoint:
        """Raises _DamagedError before anything is assigned, and UserError where the checkpoint does not fit."""
        folder = self.path(step)
        try:
            content = _read_meta(folder)
            if _file_digest(folder / _STATE) != content["files"][_STATE]:
                raise _DamagedError(f"{_STATE} is not what was written")
            if content["fingerprint"] != self.fingerprint:
                raise UserError(
                    f"The checkpoint {folder} is of another model or tokenizer: its fingerprint is "
                    f"'{content['fingerprint']}'.",
                    f"Expected '{self.fingerprint}'.",
                    "Choose another output_dir, or give --overwrite to begin anew.",
                )
            with safe_open(folder / _STATE, framework="np") as tensors:
                _assign(model, tensors, folder)
                own = [name for name in tensors.keys() if name.startswith(_EXTRA)]  # noqa: SIM118 – no mapping
                arrays = {name.removeprefix(_EXTRA): tensors.get_tensor(name) for name in own}
            return Checkpoint(content["step"], content["extra"], arrays, content["metric"])
        except (OSError, SafetensorError, _DamagedError) as error:
            self._damaged.add(step)
            raise _DamagedError(str(error)) from error

    def _metric(self, step: int) -> float | None:
        try:
            return _read_meta(self.path(step))["metric"]
        except (OSError, _DamagedError):
            return None

    def _thin_out(self) -> None:
        """Removes what is neither among the newest nor among the best, and what was found damaged."""
        steps = self.steps()
        kept = {step for step in steps if step not in self._damaged}
        kept = {*sorted(kept)[-self.keep :], *self.best_steps()}
        for step in steps:
            if step not in kept:
                self._remove(step)

    def _remove(self, step: int) -> None:
        """Under a name that is no checkpoint's, so that a kill leaves no checkpoint with parts missing."""
        doomed = self.folder / f".{self.path(step).name}.partial-removed"
        os.replace(self.path(step), doomed)
        shutil.rmtree(doomed)
        self._damaged.discard(step)

    def _remove_leftovers(self) -> None:
        if not self.read_only:
            for leftover in self.folder.glob(".step-*.partial-*"):
                shutil.rmtree(leftover, ignore_errors=True)


def metric_state(model: keras.Model) -> dict[str, np.ndarray]:
    """The metrics' variables for ``CheckpointStore.save``, so that an interval that was broken off can be gone on with.

    Returns:
        By name, each (replicas of this process, ...): replicas keep sums of their own between two readings.
    """
    variables = model.metrics_variables
    return {f"{_METRICS}{i:04d}": np.stack([v.numpy() for v in _replicas(v)]) for i, v in enumerate(variables)}


def restore_metric_state(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Gives the built metrics of ``model`` what `metric_state` has put into a checkpoint's ``arrays``."""
    saved = [arrays[name] for name in sorted(arrays) if name.startswith(_METRICS)]
    for variable, values in zip(model.metrics_variables, saved, strict=True):
        replicas = _replicas(variable)
        if len(replicas) == len(values):
            for replica, value in zip(replicas, values, strict=True):
                replica.assign(value)
        else:  # saved under another number of replicas
            variable.assign(values.sum(axis=0))


class _DamagedError(Exception):
    """A checkpoint is not what was written."""


def _read_meta(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / _META).read_text(encoding="utf-8"))
        digest = content.pop("digest")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _DamagedError(f"{_META} cannot be read ({error!r})") from error
    if digest != _digest(content):
        raise _DamagedError(f"{_META} is not what was written")
    return content


def _digest(content: dict) -> str:
    text = json.dumps(json.loads(json.dumps(content)), sort_keys=True)  # as it is read again: no tuples
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _to_disk(*paths: Path) -> None:
    """Waits until files and the entries of folders are on the disk: a power cut leaves them as they are."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _replicas(variable: keras.Variable) -> tuple[tf.Variable, ...]:
    """The variable on each replica of this process; itself where there is no strategy."""
    return getattr(variable.value, "values", (variable.value,))


def _named_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Every variable of the model (but the metrics') and of its optimizer by a name that is equal in all processes."""
    metrics = {id(v) for metric in model.metrics for v in metric.variables}
    groups = {
        "model": [v for v in model.variables if id(v) not in metrics],
        "optimizer": model.optimizer.variables,
    }
    return {
        f"{group}/{i:04d}/{_KERAS_COUNTER.sub('', v.path)}": v
        for group, variables in groups.items()
        for i, v in enumerate(variables)
    }


def _state(model: keras.Model) -> dict[str, np.ndarray]:
    return {name: np.asarray(_replicas(v)[0].numpy(), order="C") for name, v in _named_variables(model).items()}


def _assign(model: keras.Model, tensors: safe_open, folder: Path) -> None:
    """Assigns one tensor after the other, once all names and shapes are known to fit."""
    variables = _named_variables(model)
    expected = {name: tuple(variable.shape) for name, variable in variables.items()}
    names = [name for name in tensors.keys() if not name.startswith(_EXTRA)]  # noqa: SIM118 – no mapping
    found = {name: tuple(tensors.get_slice(name).get_shape()) for name in names}
    if expected != found:
        name = min(set(expected.items()) ^ set(found.items()))[0]
        raise UserError(
            f"The checkpoint {folder} is of another model: {name} is {_shape(found, name)}.",
            f"Expected {_shape(expected, name)}.",
            "Choose another output_dir, or give --overwrite to begin anew.",
        )
    for name, variable in variables.items():
        variable.assign(tensors.get_tensor(name))


def _shape(shapes: dict[str, tuple[int, ...]], name: str) -> str:
    return f"of shape {shapes[name]}" if name in shapes else "not there"
