"""Settings of candidates and tasks that do not go together, told before anything is run."""

import pytest

from tfplm.config import validate
from tfplm.data.configuration import SplitDataConfig
from tfplm.errors import UserError
from tfplm.finetuning_configuration import CandidateConfig, EncoderFinetuneConfig
from tfplm.tasks.configuration import TextClassificationConfig

PRETRAINED = {"initialize_from": "pretrain"}
NEW = {"model": {"type": "lstm"}}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (NEW | {"lora": {}}, "lora would keep the weights of a new model as they were drawn"),
        (NEW | {"freeze": "encoder"}, "freeze would keep the weights of a new model"),
        (PRETRAINED | {"lora": {}, "freeze": "embeddings"}, "leave freeze out"),
        (PRETRAINED | {"freeze": "encoder", "layer_decay": 0.9}, "leaves no layer"),
        (PRETRAINED | {"freeze": "encoder", "unfreeze_every": 1}, "leaves no layer"),
        (PRETRAINED | {"unfreeze_every": 3, "epochs": 3}, "unfreeze_every 3 is no less than epochs 3"),
        (PRETRAINED | {"layer_decay": 1.1}, "less than or equal to 1"),
        (PRETRAINED | {"lora": {"rank": 0}}, "greater than 0"),
    ],
)
def test_settings_of_a_candidate_that_do_not_go_together_are_refused(values, message):
    with pytest.raises(UserError) as error:
        validate(CandidateConfig, values, "test")
    assert message in str(error.value)


@pytest.mark.parametrize(
    "values",
    [
        NEW | {"layer_decay": 0.9, "unfreeze_every": 2},
        PRETRAINED | {"freeze": "embeddings", "layer_decay": 0.8, "unfreeze_every": 1},
        PRETRAINED | {"lora": {"rank": 4, "alpha": 8, "targets": "all"}, "layer_decay": 0.9},
    ],
)
def test_settings_that_go_together_are_kept(values):
    config = validate(CandidateConfig, values, "test")
    assert validate(CandidateConfig, config.model_dump(mode="json"), "again") == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"multi_label": True}, "needs one label a text"),
        ({"class_weights": "balanced"}, "do the same twice"),
    ],
)
def test_classes_are_balanced_in_one_way(values, message):
    with pytest.raises(UserError) as error:
        validate(TextClassificationConfig, {"sampling": "balanced", **values}, "test")
    assert message in str(error.value)


@pytest.mark.parametrize("config", EncoderFinetuneConfig.__subclasses__())
def test_learning_curves_and_folds_can_be_made_of_every_task(config):
    data = config.model_fields["data"].annotation
    assert issubclass(data, SplitDataConfig)
    assert "in_all" in data.training_limits
    assert set(data.training_limits.values()) <= set(data.model_fields)
