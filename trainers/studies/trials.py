"""The trials of a search: which values come next, and what came of those before, kept by Optuna."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any

from tfplm.errors import UserError
from tfplm.run_directory import write_text
from tfplm.search_configuration import ChoicesConfig
from tfplm.search_space import Parameter

Values = dict[str, Any]  # by the name of the parameter

_JOURNAL, _FAILURES = "trials.log", "failures.json"
_FEWEST_FOR_IMPORTANCE = 4
_DIGITS = 4  # of a number that is tried: more say nothing and are hard to read


@dataclass(frozen=True)
class Trial:
    """One trial that is over.

    Args:
        number: from 0.
        values: that were tried.
        score: on validation, more being better; None where it failed.
        failure: why, in words.
    """

    number: int
    values: Values
    score: float | None
    failure: str | None = None


def require_optuna() -> None:
    """Raises UserError where Optuna is not installed."""
    if util.find_spec("optuna") is None:
        raise UserError(
            "A search needs the package optuna, which is not installed.",
            remedy="pip install 'tfplm[search]', or optuna itself.",
        )


class Trials:
    """The trials of one search, in a journal in its folder; another process goes on with it.

    The tree-structured Parzen estimator chooses the values (Bergstra et al. 2011, "Algorithms for Hyper-Parameter
    Optimization"). Its random numbers are drawn anew for each trial from the seed and the trial's number, so that an
    interrupted search tries what an unbroken one does.

    Args:
        folder: of the search.
        parameters: of the space.
        seed: of the values.
        mark: the fingerprint of what is searched.
        overwrite: begin anew where the folder holds another search, instead of stopping.

    Raises:
        UserError: the folder holds another search, or Optuna is not installed.
    """

    def __init__(self, folder: Path, parameters: Sequence[Parameter], seed: int, mark: str, overwrite: bool):
        require_optuna()
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna, self._folder, self._parameters, self._seed = optuna, folder, parameters, seed
        self._study = self._open()
        if self._study.user_attrs.get("fingerprint", mark) != mark:
            if not overwrite:
                raise UserError(
                    f"{folder} holds another search: of another space, configuration or data.",
                    remedy="Choose another output_dir, or give --overwrite to begin anew.",
                )
            shutil.rmtree(folder)
            self._study = self._open()
        if not self._study.user_attrs:
            self._begin(mark)

    def _open(self) -> Any:
        self._folder.mkdir(parents=True, exist_ok=True)
        journal = self._optuna.storages.journal
        storage = self._optuna.storages.JournalStorage(journal.JournalFileBackend(str(self._folder / _JOURNAL)))
        return self._optuna.create_study(
            storage=storage, study_name="search", direction="maximize", load_if_exists=True
        )

    def _begin(self, mark: str) -> None:
        """The experiment's own values come first, where the space has them: the search is to be better than they."""
        if self.has_own_values:
            own = {p.name: _stored(p, p.current) for p in self._parameters}
            self._study.enqueue_trial(own, skip_if_exists=True)
        self._study.set_user_attr("fingerprint", mark)

    @property
    def finished(self) -> list[Trial]:
        """Those that are over, in their order."""
        states, failures = self._optuna.trial.TrialState, self._failures()
        return [
            Trial(trial.number, self._values(trial.params), trial.value, failures.get(str(trial.number)))
            for trial in self._study.get_trials(states=(states.COMPLETE, states.FAIL))
            if self._is_whole(trial)
        ]

    @property
    def has_own_values(self) -> bool:
        """Whether the first trial is of the experiment's own values."""
        return all(parameter.holds_current for parameter in self._parameters)

    def next(self) -> tuple[int, Values]:
        """The number and the values of the trial to do now: the one that was interrupted, or a new one."""
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(states=(states.RUNNING,)):
            if self._is_whole(trial):
                return trial.number, self._values(trial.params)
            self._study.tell(trial.number, state=states.FAIL)  # interrupted while its values were chosen
        seed = (self._seed + len(self._study.get_trials(deepcopy=False))) % 2**32
        self._study.sampler = self._optuna.samplers.TPESampler(seed=seed)
        trial = self._study.ask()
        for parameter in self._parameters:
            _suggest(trial, parameter)
        return trial.number, self._values(trial.params)

    def succeed(self, number: int, score: float) -> None:
        """Writes down what came of a trial."""
        self._study.tell(number, score)

    def fail(self, number: int, reason: str) -> None:
        """Writes down why nothing came of a trial; it is not done again."""
        failures = json.dumps(self._failures() | {str(number): reason}, indent=2, ensure_ascii=False)
        write_text(self._folder / _FAILURES, failures + "\n")
        self._study.tell(number, state=self._optuna.trial.TrialState.FAIL)

    def importances(self) -> dict[str, float]:
        """What share of the scores' variance each parameter explains; empty where the trials are too few to say.

        Source: Hutter et al. 2014, "An Efficient Approach for Assessing Hyperparameter Importance" (fANOVA).
        """
        scores = [trial.score for trial in self.finished if trial.score is not None]
        if len(scores) < _FEWEST_FOR_IMPORTANCE or len(set(scores)) < 2:
            return {}
        importance = self._optuna.importance
        evaluator = importance.FanovaImportanceEvaluator(seed=self._seed)
        return dict(importance.get_param_importances(self._study, evaluator=evaluator))

    def _failures(self) -> dict[str, str]:
        path = self._folder / _FAILURES
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def _is_whole(self, trial: Any) -> bool:
        return all(parameter.name in trial.params for parameter in self._parameters)

    def _values(self, stored: dict[str, Any]) -> Values:
        return {p.name: _value(p, stored[p.name]) for p in self._parameters}


def _suggest(trial: Any, parameter: Parameter) -> None:
    name, values = parameter.name, parameter.values
    if isinstance(values, ChoicesConfig):
        trial.suggest_categorical(name, [_stored(parameter, choice) for choice in values.choices])
    elif parameter.is_whole:
        step = int(values.step) if values.step is not None else 1
        trial.suggest_int(name, int(values.low), int(values.high), step=step, log=values.log)
    else:
        trial.suggest_float(name, values.low, values.high, step=values.step, log=values.log)


def _stored(parameter: Parameter, value: Any) -> Any:
    """A value as Optuna keeps it: choices as JSON, since they may be sections."""
    return json.dumps(value, sort_keys=True) if isinstance(parameter.values, ChoicesConfig) else value


def _value(parameter: Parameter, stored: Any) -> Any:
    if isinstance(parameter.values, ChoicesConfig):
        return json.loads(stored)
    if parameter.is_whole:
        return int(stored)
    rounded = float(f"{stored:.{_DIGITS}g}")
    return min(max(rounded, float(parameter.values.low)), float(parameter.values.high))
