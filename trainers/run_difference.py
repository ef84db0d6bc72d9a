"""Whether two run directories hold the same result, bit for bit."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from safetensors import safe_open

from tfplm.run_directory import RunDirectory
from trainers.callbacks import MACHINE_FIGURES


@dataclass
class RunDifference:
    """What was compared, and what differs.

    Args:
        weights: arrays of the model that were compared.
        state: tensors of the last checkpoint (weights again, optimizer, metrics) that were compared; 0 where the
            runs have kept none.
        figures: values of the reports that were compared, the history among them.
        differences: one line each; empty where the runs are equal.
    """

    weights: int = 0
    state: int = 0
    figures: int = 0
    differences: list[str] = field(default_factory=list)

    def add(self, other: "RunDifference") -> None:
        """Counts another pair of runs in."""
        self.weights += other.weights
        self.state += other.state
        self.figures += other.figures
        self.differences += other.differences


def compare_runs(left: Path, right: Path) -> RunDifference:
    """Compares weights, the checkpoint of the last step where one was kept, and the report.

    Left out are the figures that differ between equal runs: seconds, tokens a second, memory and energy.
    """
    result = RunDifference()
    result.weights = _compare(_weights(left), _weights(right), "weights", result)
    result.state = _compare(_last_state(left), _last_state(right), "checkpoint", result)
    result.figures = _compare(_figures(left), _figures(right), "report", result)
    if not result.weights:
        result.differences.append(f"{left}: there are no weights")
    return result


def _compare(left: Iterator, right: Iterator, kind: str, result: RunDifference) -> int:
    """Compares two walks over (name, value) in step; returns how many values there were."""
    number, end = 0, (None, None)
    while (pair := (next(left, end), next(right, end))) != (end, end):
        (name, value), (other_name, other_value) = pair
        if name != other_name:
            result.differences.append(f"{kind}: {name} in one run, {other_name} in the other")
            break
        number += 1
        if _bits(value) != _bits(other_value):
            result.differences.append(f"{kind}: {name} {_how_different(value, other_value)}")
    return number


def _bits(value: Any) -> Any:
    return (value.dtype.str, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else json.dumps(value)


def _how_different(value: Any, other: Any) -> str:
    if not isinstance(value, np.ndarray):
        return f"is {value} and {other}"
    if value.shape != other.shape:
        return f"has the shapes {value.shape} and {other.shape}"
    with np.errstate(all="ignore"):
        largest = np.max(np.abs(value.astype(np.float64) - other.astype(np.float64)), initial=0.0)
    return f"differs by up to {largest:.3g}"


def _weights(run: Path) -> Iterator[tuple[str, np.ndarray]]:
    for path in sorted((run / "model").rglob("*.h5")):
        with h5py.File(path) as file:
            names: list[str] = []
            file.visititems(
                lambda name, item, names=names: names.append(name) if isinstance(item, h5py.Dataset) else None
            )
            for name in names:
                yield f"{path.name}/{name}", np.asarray(file[name])


def _last_state(run: Path) -> Iterator[tuple[str, Any]]:
    folders = sorted((run / "checkpoints").glob("step-*"))
    if not folders:
        return
    yield "step", folders[-1].name
    with safe_open(folders[-1] / "state.safetensors", framework="np") as tensors:
        for name in sorted(tensors.keys()):
            yield name, tensors.get_tensor(name)


def _figures(run: Path) -> Iterator[tuple[str, Any]]:
    yield from _leaves(RunDirectory(run).read_report(), "")


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key in sorted(value.keys() - MACHINE_FIGURES):
            yield from _leaves(value[key], f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{name}[{index}]")
    else:
        yield name, value
