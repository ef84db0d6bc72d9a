"""Filling a task with the tensors of a checkpoint: everything is checked before anything is read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import ml_dtypes
import numpy as np

from tfplm.errors import UserError
from tfplm.interop.family import Family
from tfplm.interop.tensors import Tensors
from tfplm.interop.weight_table import Weight
from tfplm.tasks.task import Task

_SHOWN = 8  # names in a message
_FLOATS = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16), np.dtype(np.float32), np.dtype(np.float64))


@dataclass(frozen=True)
class Loaded:
    """What was made of a checkpoint's tensors.

    Args:
        new: paths of the variables that no tensor was for; they have their initial values.
        left_out: names of the tensors that no variable was for.
    """

    new: tuple[str, ...]
    left_out: tuple[str, ...]


class NamedTensors:
    """The tensors of a checkpoint by the names that a family's tables have for them.

    Args:
        tensors: of the checkpoint.
        family: that it belongs to.
        weights: of the model: what one of them names is no copy.
    """

    def __init__(self, tensors: Tensors, family: Family, weights: Sequence[Weight]):
        self._tensors, self._family = tensors, family
        named = {name for weight in weights for name in weight.tensors}
        self._tied = [(copy, original) for copy, original in family.tied if copy not in named]
        self._files: dict[str, str] = {}
        for file in tensors.names():
            name = family.current_name(file)
            if name in self._files:
                raise UserError(f"{tensors.origin} has {file} and {self._files[name]}.", "Expected one of them.")
            self._files[name] = file
        self._is_bare = not any(name.startswith(family.prefix) for name in self._files)
        self._copies = {original: copy for copy, original in self._tied}

    def __contains__(self, name: str) -> bool:
        return self.find(name) is not None

    def find(self, name: str) -> str | None:
        """What the file calls a tensor; None where it has none. A body that was saved alone has no prefix."""
        for candidate in (name, self._copies.get(name)):
            if candidate is None:
                continue
            for spelled in (candidate, candidate.removeprefix(self._family.prefix)):
                if spelled in self._files:
                    return self._files[spelled]
        return None

    def require_equal_copies(self) -> None:
        """Raises UserError where what should be a copy of a tensor is none."""
        for copy, original in self._tied:
            files = self._files.get(copy), self._files.get(original, self._files.get(self._unprefixed(original)))
            if None in files or files[0] == files[1]:
                continue
            first, second = (self._tensors.read(name) for name in files)
            if first.shape != second.shape or not np.array_equal(first, second):
                raise UserError(
                    f"{self._tensors.origin}: {files[0]} is not equal to {files[1]}.",
                    "Expected a copy: the model has one matrix for both.",
                    "tfplm has no such model. Tie the weights, or take another checkpoint.",
                )

    def _unprefixed(self, name: str) -> str:
        return name.removeprefix(self._family.prefix)

    def is_of_body(self, file: str) -> bool:
        """Whether a tensor is the body's, by its name."""
        return self._is_bare or self._family.current_name(file).startswith(self._family.prefix)

    def left_out(self, used: set[str]) -> tuple[str, ...]:
        """The tensors that are neither used, nor copies, nor what the family ignores."""
        copies = {spelled for copy, _ in self._tied for spelled in (copy, self._unprefixed(copy))}
        ignored = re.compile("|".join(f"(?:{pattern})" for pattern in self._family.ignored) or r"(?!)")
        return tuple(
            file
            for name, file in self._files.items()
            if file not in used and name not in copies and not ignored.fullmatch(name)
        )


def load_weights(
    task: Task, tensors: Tensors, family: Family, weights: Sequence[Weight], may_differ: bool = False
) -> Loaded:
    """Fills the variables of a task, one at a time.

    Args:
        task: as it was built; float32. Built in a `keras.StatelessScope` that is still open, its variables get their
            values as the scope ends, and nothing is in memory twice.
        tensors: of the checkpoint.
        family: that it belongs to.
        weights: of the body, and of the head unless that is new.
        may_differ: whether the head is new by intention: then variables of the head may be without tensors, and
            tensors without variables.

    Raises:
        UserError: a tensor is missing, of another shape or dtype, or left over; nothing was changed.
    """
    named = NamedTensors(tensors, family, weights)
    weights = [weight.found_in(named) for weight in weights]
    files = {weight: [named.find(name) for name in weight.tensors] for weight in weights}
    chosen = [weight for weight in weights if not (weight.is_new and None in files[weight])]
    left_out = named.left_out({file for weight in chosen for file in files[weight]})
    missing = [name for weight in chosen for name in weight.tensors if named.find(name) is None]
    surplus = [file for file in left_out if named.is_of_body(file) or not may_differ]
    new = sorted({variable.path for variable in task.weights} - {weight.variable for weight in chosen})
    if not may_differ:
        optional = {weight.variable for weight in weights if weight.is_new}
        missing += [path for path in new if path not in optional and not path.startswith(family.may_lack)]
    if missing or surplus:
        raise _incomplete(tensors.origin, missing, surplus)

    variables = {variable.path: variable for variable in task.weights}
    for weight in chosen:
        _require_fit(tensors, weight, files[weight], tuple(variables[weight.variable].shape))
    named.require_equal_copies()
    for weight in chosen:
        _give_value(variables[weight.variable], weight, tensors, files[weight])
    return Loaded(tuple(new), left_out)


def _give_value(variable: keras.Variable, weight: Weight, tensors: Tensors, files: list[str]) -> None:
    """Gives a variable its value: now, or when it comes into being at the end of a `keras.StatelessScope`."""
    named = dict(zip(weight.tensors, files, strict=True))

    def read(shape=None, dtype=None) -> np.ndarray:
        return weight.read(lambda name: tensors.read(named[name])).astype(np.float32)

    if variable._value is None:  # its own initializer would draw random numbers that nothing needs
        variable._initializer = read
    else:
        variable.assign(read())


def _require_fit(tensors: Tensors, weight: Weight, files: list[str], of_variable: tuple[int, ...]) -> None:
    """Raises UserError where a tensor has not the shape or the dtype that the variable asks for."""
    for file, expected in zip(files, weight.shapes(of_variable).values(), strict=True):
        shape = tensors.shape(file)
        if shape != expected:
            raise UserError(
                f"{tensors.origin}: {file} has the shape {list(shape)}.",
                f"Expected {list(expected)}, as config.json has it.",
                "config.json and the weights are of two models: take both from one place.",
            )
        dtype = tensors.dtype(file)
        if dtype not in _FLOATS:
            raise UserError(
                f"{tensors.origin}: {file} is of {dtype}.",
                f"Expected {', '.join(map(str, _FLOATS))}.",
                "Quantized checkpoints are not read: take the one of full precision.",
            )


def _incomplete(origin: str, missing: Sequence[str], left_out: Sequence[str]) -> UserError:
    parts = [
        f"{len(names)} {text}: {_listed(names)}"
        for names, text in ((missing, "missing"), (left_out, "left over"))
        if names
    ]
    return UserError(
        f"The tensors of {origin} are not those of its config.json; {'; '.join(parts)}.",
        "Expected every weight of the model, and no others.",
        "Where the head is to be new, name the task with --task (load_pretrained(task=…)).",
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
