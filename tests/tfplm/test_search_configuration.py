import pytest

from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.search_configuration import ChoicesConfig, RangeConfig, SearchConfig


def test_ranges_and_choices_are_told_apart():
    values = {"a.rate": {"low": 1e-5, "high": 5e-4, "log": True}, "a.size": {"choices": [16, 32]}}
    search = validate(SearchConfig, {"parameters": values}, "x.yaml")
    assert isinstance(search.parameters["a.rate"], RangeConfig)
    assert isinstance(search.parameters["a.size"], ChoicesConfig)
    assert (search.trials, search.seed) == (20, 0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"low": 1, "hgh": 2}, "parameters.a.hgh: unknown key; did you mean 'high'?"),
        ({"low": 1}, "parameters.a.high: required and missing"),
        ({"low": 2, "high": 1}, "parameters.a: low 2 is not below high 1"),
        ({"low": 0, "high": 1, "log": True}, "with log, low must be over 0"),
        ({"low": 1, "high": 2, "log": True, "step": 1}, "log and step do not go together"),
        ({"low": 1, "high": 2, "step": 3}, "step 3 leads from low 1 beyond high 2"),
        ({"choices": [1]}, "parameters.a.choices: list should have at least 2 items"),
        ({"choices": [{"x": 1}, {"x": 1}]}, 'parameters.a.choices: {"x": 1} stands twice'),
        (3, "parameters.a: input should be a valid dictionary"),
    ],
)
def test_wrong_spaces_are_named_by_their_path(values, said):
    with pytest.raises(UserError) as caught:
        validate(SearchConfig, {"parameters": {"a": values}}, "x.yaml")
    assert said in str(caught.value)
