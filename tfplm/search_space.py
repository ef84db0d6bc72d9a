"""The space of a search, checked against the experiment before anything is trained."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfplm.config import with_settings
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.search_configuration import ChoicesConfig, SearchConfig

_SECTIONS = ("finetune", "pretrain", "tokenizer")
_NOT_SEARCHED = (  # another value would make the validation figures those of another question
    "finetune.data",
    "finetune.tasks",
    "finetune.seeds",
    "finetune.validation_metric",
)
_CANDIDATES = "finetune.candidates"

SettingPath = tuple[str, ...]


@dataclass(frozen=True)
class Parameter:
    """One setting that is searched: whole numbers or any from ``low`` to ``high``, or ``choices``.

    Args:
        path: of the setting in the experiment.
        current: what the experiment says.
        values: RangeConfig or ChoicesConfig.
        is_whole: whether a range is of whole numbers.
    """

    path: SettingPath
    current: Any
    values: Any
    is_whole: bool

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def holds_current(self) -> bool:
        """Whether the experiment's own value is one of those that are searched."""
        if isinstance(self.values, ChoicesConfig):
            return self.current in self.values.choices
        if not isinstance(self.current, int | float) or isinstance(self.current, bool):
            return False
        steps = (self.current - self.values.low) / self.values.step if self.values.step is not None else 0.0
        return self.values.low <= self.current <= self.values.high and steps.is_integer()


@dataclass(frozen=True)
class Search:
    """What is searched.

    Args:
        experiment: with the one candidate that is searched, and what comes before fine-tuning.
        whole: the experiment with all candidates.
        candidate: its name.
        parameters: of the space.
        trials: how many.
        seed: of the values that are tried.
    """

    experiment: ExperimentConfig
    whole: ExperimentConfig
    candidate: str
    parameters: list[Parameter]
    trials: int
    seed: int


def resolve_search(experiment: ExperimentConfig, search: SearchConfig, origin: str) -> Search:
    """Checks a space: every setting is there, and the experiment is valid with every value that is named.

    Args:
        experiment: whose settings are searched.
        search: the space.
        origin: of the space, for the message.

    Raises:
        UserError: names every setting that is not there or may not be searched, and every value that is wrong.
    """
    _require_validation(experiment)
    faults, parameters = [], []
    for name, values in search.parameters.items():
        path = tuple(name.split("."))
        fault, current = _look_up(experiment, path)
        if fault is not None:
            faults.append(f"  {name}: {fault}")
        else:
            parameters.append(Parameter(path, current, values, _is_whole(current, values)))
    if not faults:
        faults = [fault for parameter in parameters for fault in _wrong_values(experiment, parameter)]
    if faults:
        count = f"{len(faults)} mistake{'s' if len(faults) > 1 else ''}"
        raise UserError(f"{origin}: {count} in search.parameters.\n" + "\n".join(faults))
    candidate = _candidate(experiment, search, parameters, origin)
    return Search(_alone(experiment, candidate), experiment, candidate, parameters, search.trials, search.seed)


def _require_validation(experiment: ExperimentConfig) -> None:
    for keys, data in experiment.task_data().items():
        path = ".".join(keys)
        if data.validation is None and not data.split.validation:
            raise UserError(
                f"{path} has no validation data.",
                "A search goes by the validation figures; the test has no say.",
                f"Set {path}.split.validation, or name {path}.validation.",
            )


def _look_up(experiment: ExperimentConfig, path: SettingPath) -> tuple[str | None, Any]:
    """What is wrong with the path if anything is, and the value there."""
    name = ".".join(path)
    if path[0] not in _SECTIONS:
        return f"only settings of {', '.join(_SECTIONS)} can be searched", None
    if any(name == part or name.startswith(part + ".") for part in _NOT_SEARCHED):
        return "cannot be searched: figures on other data or by another measure do not compare", None
    value: Any = experiment.model_dump(mode="json")
    for depth, key in enumerate(path):
        if isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, Mapping) and key in value:
            value = value[key]
        else:
            return _no_such_key(value, path[:depth], key), None
    return None, value


def _no_such_key(value: Any, above: SettingPath, key: str) -> str:
    if not isinstance(value, Mapping):
        return f"{'.'.join(above)} has no keys (it is {value!r})"
    close = difflib.get_close_matches(key, value, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(value)}"
    return f"unknown key '{key}'; {hint}"


def _is_whole(current: Any, values: Any) -> bool:
    if isinstance(values, ChoicesConfig) or isinstance(current, float):
        return False
    numbers = (values.low, values.high, values.step or 1.0)
    return all(float(number).is_integer() for number in numbers)


def _wrong_values(experiment: ExperimentConfig, parameter: Parameter) -> list[str]:
    """What the experiment's own validation says to the ends of a range, or to each choice."""
    values = parameter.values
    is_choice = isinstance(values, ChoicesConfig)
    kind = int if parameter.is_whole else float
    faults = []
    for value in values.choices if is_choice else (kind(values.low), kind(values.high)):
        try:
            with_settings(experiment, {parameter.path: value}, "")
        except UserError as error:
            faults += [f"  {parameter.name} = {value!r}: {line.strip()}" for line in error.found.splitlines()[1:]]
    return faults


def _candidate(experiment: ExperimentConfig, search: SearchConfig, parameters: list[Parameter], origin: str) -> str:
    candidates = experiment.finetune.candidates
    named = {parameter.path[2] for parameter in parameters if parameter.name.startswith(_CANDIDATES + ".")}
    wanted = {search.candidate} if search.candidate is not None else named or set(candidates)
    if len(wanted) > 1:
        raise UserError(
            f"{origin}: search.parameters are of the candidates {', '.join(sorted(wanted))}."
            if named else f"{origin}: there are the candidates {', '.join(candidates)}.",
            "A search is of one candidate.",
            "Search one after the other, each in a file of its own." if named else "Set search.candidate.",
        )  # fmt: skip
    (candidate,) = wanted
    if candidate not in candidates:
        raise UserError(f"{origin}: there is no candidate '{candidate}'.", f"There is: {', '.join(candidates)}.")
    if named - {candidate}:
        others = ", ".join(sorted(named - {candidate}))
        raise UserError(f"{origin}: search.candidate is '{candidate}', but search.parameters are of {others}.")
    return candidate


def _alone(experiment: ExperimentConfig, candidate: str) -> ExperimentConfig:
    """The experiment with this candidate only, and without what follows fine-tuning."""
    candidates = {candidate: experiment.finetune.candidates[candidate]}
    finetune = experiment.finetune.model_copy(update={"candidates": candidates})
    return experiment.model_copy(update={"finetune": finetune, "export": None, "search": None})
