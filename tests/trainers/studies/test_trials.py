"""Trials without trainings: what is tried, and what is kept."""

import json

import pytest

from tfplm.errors import UserError
from tfplm.search_configuration import ChoicesConfig, RangeConfig
from tfplm.search_space import Parameter
from trainers.studies.trials import Trials, require_optuna

pytest.importorskip("optuna")

RATE = Parameter(("a", "rate"), 0.01, RangeConfig(low=1e-5, high=0.1, log=True), is_whole=False)
SIZE = Parameter(("a", "size"), 16, ChoicesConfig(choices=[16, 32, {"type": "big"}]), is_whole=False)
EPOCHS = Parameter(("a", "epochs"), 2, RangeConfig(low=1, high=9, step=2), is_whole=True)


def open_trials(folder, mark="m", overwrite=False, parameters=(RATE, SIZE)) -> Trials:
    return Trials(folder, parameters, 7, mark, overwrite)


def do(trials: Trials, count: int) -> list[dict]:
    tried = []
    for _ in range(count):
        number, values = trials.next()
        trials.succeed(number, -abs(values["a.rate"] - 0.003))
        tried.append(values)
    return tried


def test_a_search_that_is_opened_again_tries_what_an_unbroken_one_does(tmp_path):
    unbroken = do(open_trials(tmp_path / "one"), 14)  # beyond the first ten, which are random
    broken = [values for count in (3, 0, 8, 3) for values in do(open_trials(tmp_path / "two"), count)]
    assert broken == unbroken
    assert len({values["a.rate"] for values in unbroken}) == 14
    assert all(1e-5 <= values["a.rate"] <= 0.1 for values in unbroken)
    assert {json.dumps(values["a.size"]) for values in unbroken} == {"16", "32", '{"type": "big"}'}


def test_the_experiments_own_values_come_first_where_the_space_has_them(tmp_path):
    assert open_trials(tmp_path / "in").next() == (0, {"a.rate": 0.01, "a.size": 16})
    trials = open_trials(tmp_path / "out", parameters=(RATE, EPOCHS))
    assert not trials.has_own_values
    assert trials.next()[1]["a.epochs"] in (1, 3, 5, 7, 9)


def test_an_interrupted_trial_is_done_again_with_its_values(tmp_path):
    number, values = open_trials(tmp_path).next()
    assert open_trials(tmp_path).next() == (number, values)


def test_a_trial_that_failed_is_kept_with_its_reason_and_not_done_again(tmp_path):
    trials = open_trials(tmp_path)
    trials.fail(trials.next()[0], "It diverged.")
    do(trials, 1)
    first, second = open_trials(tmp_path).finished
    assert (first.number, first.score, first.failure) == (0, None, "It diverged.")
    assert (second.number, second.failure) == (1, None)


def test_another_search_is_not_mixed_with_the_one_that_is_there(tmp_path):
    do(open_trials(tmp_path), 2)
    with pytest.raises(UserError, match="holds another search"):
        open_trials(tmp_path, mark="other")
    assert len(open_trials(tmp_path).finished) == 2
    assert open_trials(tmp_path, mark="other", overwrite=True).finished == []


def test_the_setting_that_matters_has_the_importance(tmp_path):
    trials = open_trials(tmp_path)
    assert trials.importances() == {}
    do(trials, 15)
    importances = trials.importances()
    assert next(iter(importances)) == "a.rate" and importances["a.rate"] > 0.8


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("trainers.studies.trials.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs the package optuna") as caught:
        require_optuna()
    assert "pip install 'tfplm[search]'" in str(caught.value)
