import pytest
from typer.testing import CliRunner

from tests.command_line import assert_told_cleanly, finetune_config, tfplm, write_table, write_yaml
from tests.tfplm.test_search_space import RATE, RATES
from tfplm.cli import app
from tfplm.config import load_config
from tfplm.experiment import ExperimentConfig


@pytest.fixture
def folder(tmp_path):
    write_table(tmp_path / "train.csv", rows=27)
    write_yaml(tmp_path / "x.yaml", finetune_config())
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["learning-curve", "x.yaml", "--sizes", "10,x"], "--sizes is '10,x'"),
        (["learning-curve", "x.yaml", "--sizes", "10,10"], "has a number twice"),
        (["learning-curve", "x.yaml", "finetune=null"], "x.yaml has no section 'finetune'"),
        (["search", "x.yaml"], "x.yaml has no section 'search'"),
        (["search", "x.yaml", "--space", "space.yaml"], "There is no file space.yaml"),
        (["search", "x.yaml", f"search.parameters.a={RATES}"], "search.parameters"),
    ],
)
def test_wrong_input_is_told_at_once(folder, arguments, said):
    assert_told_cleanly(tfplm(folder, *arguments), said)


def invoke(folder, monkeypatch, *arguments):
    """The command in this process, which has TensorFlow already."""
    monkeypatch.chdir(folder)
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cross-validate", "x.yaml"], "The label 'animal' has 9 documents (or groups of them) for 10 folds."),
        (["cross-validate", "x.yaml", "finetune.data.split.folds=11"], "for 11 folds."),
        (["learning-curve", "x.yaml", "--sizes", "5,90"], "90 training examples are asked for, and there are 21."),
    ],
)
def test_what_the_data_does_not_give_is_told(folder, monkeypatch, arguments, said):
    answer = invoke(folder, monkeypatch, *arguments, "--quiet")
    assert answer.exit_code == 2
    assert said in answer.stderr


def test_a_search_of_a_space_in_a_file_of_its_own_ends_with_a_configuration(folder, monkeypatch):
    pytest.importorskip("optuna")
    write_yaml(folder / "space.yaml", {"parameters": {RATE: RATES}, "trials": 5})
    answer = invoke(folder, monkeypatch, "search", "x.yaml", "--space", "space.yaml", "--trials", "1", "--quiet")
    assert (answer.exit_code, answer.stdout) == (0, "out/search/best.yaml\n"), answer.stderr
    best = load_config(ExperimentConfig, folder / "out/search/best.yaml")
    assert best.finetune.candidates["lstm"].optimizer.learning_rate == 1e-4
