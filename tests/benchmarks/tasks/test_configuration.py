import pytest
import yaml

from benchmarks.tasks.own.configuration import experiment
from benchmarks.tasks.sets import SETS
from tests.benchmarks.tasks.assignments import assignment_of
from tfplm.config import load_config
from tfplm.experiment import ExperimentConfig


@pytest.mark.parametrize("start", ["checkpoint", "scratch"])
@pytest.mark.parametrize("name", SETS)
def test_the_configuration_of_every_set_is_one_of_tfplm(name, start, tmp_path):
    recipe = SETS[name].recipe(start)
    given = assignment_of(tmp_path, kind=SETS[name].kind, start=start, recipe=recipe, seed=3)
    file = tmp_path / "experiment.yaml"
    file.write_text(yaml.safe_dump(experiment(given, str(tmp_path / "out"))), encoding="utf-8")
    finetune = load_config(ExperimentConfig, file, []).finetune
    (candidate,) = finetune.candidates.values()
    assert finetune.seeds == [3]
    assert finetune.data.validation is None
    assert finetune.data.split.validation == finetune.data.split.test == 0.0
    assert finetune.sequence_length == recipe.sequence_length
    assert candidate.epochs == recipe.epochs
    assert candidate.optimizer.learning_rate == recipe.learning_rate
    assert candidate.optimizer.epsilon == recipe.epsilon
    assert (candidate.model is None) == (start == "checkpoint")


def test_seeds_differ_in_the_training_alone_so_that_they_share_a_vocabulary(tmp_path):
    given = (assignment_of(tmp_path, kind="text", start="scratch", recipe=SETS["trec"].scratch, seed=n) for n in (0, 3))
    one, other = (experiment(assignment, str(tmp_path / "out")) for assignment in given)
    assert (one["finetune"].pop("seeds"), other["finetune"].pop("seeds")) == ([0], [3])
    assert one == other
