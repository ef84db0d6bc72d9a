import pytest

from tests.command_line import TINY_BERT, TINY_LSTM, finetune_config
from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.search_configuration import SearchConfig
from tfplm.search_space import resolve_search

RATE = "finetune.candidates.lstm.optimizer.learning_rate"
RATES = {"low": 1e-4, "high": 1e-1, "log": True}


def experiment(candidates=("lstm",), **data) -> ExperimentConfig:
    values = finetune_config(**data)
    models = {"lstm": TINY_LSTM, "bert": TINY_BERT}
    values["finetune"]["candidates"] = {name: {"model": models[name]} for name in candidates}
    return validate(ExperimentConfig, values, "test")


def resolve(parameters, candidates=("lstm",), candidate=None, **data):
    search = validate(SearchConfig, {"parameters": parameters, "candidate": candidate}, "x.yaml")
    return resolve_search(experiment(candidates, **data), search, "x.yaml")


def error_of(parameters, **options) -> str:
    with pytest.raises(UserError) as caught:
        resolve(parameters, **options)
    return str(caught.value)


def test_a_space_is_resolved_against_the_experiment():
    found = resolve({RATE: RATES, "finetune.batch_size": {"low": 8, "high": 64, "step": 8}})
    rate, size = found.parameters
    assert (rate.current, rate.is_whole, rate.holds_current) == (1e-4, False, True)
    assert (size.current, size.is_whole, size.holds_current) == (16, True, True)
    assert found.candidate == "lstm"


def test_whole_ends_of_a_range_mean_any_number_where_the_setting_is_one():
    decay, patience = resolve(
        {
            "finetune.candidates.lstm.optimizer.weight_decay": {"low": 0, "high": 1},
            "finetune.early_stopping_patience": {"low": 1, "high": 5},
        }
    ).parameters
    assert (decay.is_whole, patience.is_whole) == (False, True)
    assert (decay.holds_current, patience.holds_current) == (True, False)  # 0.01, and none


def test_settings_that_are_not_there_are_named_by_their_paths():
    message = error_of(
        {
            "finetune.candidates.lstn.epochs": {"low": 1, "high": 2},
            "finetune.candidates.lstm.optimizer.learning_rat": RATES,
            "finetune.batch_size.x": {"low": 1, "high": 2},
            "fine.batch_size": {"choices": [1, 2]},
        }
    )
    assert "x.yaml: 4 mistakes in search.parameters." in message
    assert "finetune.candidates.lstn.epochs: unknown key 'lstn'; did you mean 'lstm'?" in message
    assert "learning_rat: unknown key 'learning_rat'; did you mean 'learning_rate'?" in message
    assert "finetune.batch_size.x: finetune.batch_size has no keys (it is 16)" in message
    assert "fine.batch_size: only settings of finetune, pretrain, tokenizer can be searched" in message


def test_values_are_checked_as_those_of_a_file_are():
    message = error_of(
        {
            RATE: {"low": -1, "high": 0.1},
            "finetune.batch_size": {"choices": [16, "32", 0]},
            "finetune.candidates.lstm.model": {"choices": [{"type": "lstm"}, {"type": "lstm", "layers": 2}]},
        }
    )
    assert "4 mistakes" in message
    assert f"{RATE} = -1.0: {RATE}: input should be greater than 0 (found -1.0)" in message
    assert "finetune.batch_size = '32': finetune.batch_size: input should be a valid integer (found '32')" in message
    assert "finetune.candidates.lstm.model.layers: unknown key" in message


@pytest.mark.parametrize(
    "name", ["finetune.data.min_characters", "finetune.seeds", "finetune.validation_metric", "output_dir", "seed"]
)
def test_what_would_make_figures_incomparable_is_not_searched(name):
    assert f"  {name}: " in error_of({name: {"low": 1, "high": 2}})


def test_a_search_needs_validation_data():
    assert "finetune.data has no validation data" in error_of({RATE: RATES}, split={"validation": 0.0})


def test_the_candidate_is_the_one_that_the_parameters_name():
    both = {"candidates": ("lstm", "bert")}
    found = resolve({RATE: RATES}, **both)
    assert [*found.experiment.finetune.candidates] == ["lstm"]
    assert [*found.whole.finetune.candidates] == ["lstm", "bert"]
    size = {"finetune.batch_size": {"choices": [8, 16]}}
    assert resolve(size, candidate="bert", **both).candidate == "bert"
    assert "there are the candidates lstm, bert" in error_of(size, **both)
    assert "there is no candidate 'gpt'" in error_of(size, candidate="gpt", **both)
    assert "'bert', but search.parameters are of lstm" in error_of({RATE: RATES}, candidate="bert", **both)
    of_both = {RATE: RATES, RATE.replace("lstm", "bert"): RATES}
    assert "are of the candidates bert, lstm" in error_of(of_both, **both)
