import json
import re

import numpy as np
import pytest

from tests.tfplm.interop.families.encoder_tasks import FAMILIES, FAMILY_NAMES, small
from tests.tfplm.interop.families.family_tasks import build_task
from tfplm.errors import UserError
from tfplm.interop.families.albert import AlbertFamily
from tfplm.interop.families.bert import BertFamily
from tfplm.interop.families.distilbert import DistilBertFamily
from tfplm.interop.families.electra import ElectraFamily
from tfplm.interop.families.encoder_parts import EncoderFamily
from tfplm.interop.families.roberta import RobertaFamily
from tfplm.interop.families.roberta_prelayernorm import RobertaPreLayerNormFamily
from tfplm.models.configuration import BertConfig

each_family = pytest.mark.parametrize(("family", "config"), FAMILIES, ids=FAMILY_NAMES)


def table(family: EncoderFamily, config: BertConfig, task_type: str, with_next_sentence: bool = False):
    return family.body(config) + family.head(config, task_type, with_next_sentence)


@each_family
def test_every_variable_of_every_head_is_told_once_and_fits(family, config):
    for task_type in sorted(set(family.architectures.values())):
        task = build_task(config, task_type)
        weights = table(family, config, task_type)
        shapes = {variable.path: tuple(variable.shape) for variable in task.weights}
        told = [weight.variable for weight in weights]
        assert len(set(told)) == len(told)
        left_out = set(shapes) - set(told)
        assert set(told) <= set(shapes)
        assert all(path.startswith(family.may_lack) for path in left_out)
        tensors = [name for weight in weights for name in weight.tensors]
        assert len(set(tensors)) == len(tensors)
        for weight in weights:
            value = np.arange(np.prod(shapes[weight.variable]), dtype="float32").reshape(shapes[weight.variable])
            written = weight.write(value)
            assert {name: tensor.shape for name, tensor in written.items()} == weight.shapes(value.shape)
            np.testing.assert_array_equal(weight.read(written.__getitem__), value)


def test_a_bert_with_next_sentences_tells_its_second_head_backwards():
    task = build_task(small(), "masked_lm", with_next_sentence=True)
    weights = {weight.variable: weight for weight in table(BertFamily(), small(), "masked_lm", True)}
    assert set(weights) == {variable.path for variable in task.weights}
    ours = np.arange(64.0).reshape(32, 2)
    written = weights["masked_language_model/next_sentence/classifier/kernel"].write(ours)
    np.testing.assert_array_equal(written["cls.seq_relationship.weight"], ours.T[::-1])
    assert not weights["bert/pooler/kernel"].is_new


def test_sinusoidal_positions_leave_as_the_table_of_learned_ones():
    config = small(position_embedding="sinusoidal", pad_id=1)
    family = RobertaFamily()
    task = build_task(config, "text_classification")
    weights = {weight.variable: weight for weight in table(family, config, "text_classification")}
    computed = family.computed(config)
    assert set(weights) == {variable.path for variable in task.weights} | set(computed)
    ((path, positions),) = computed.items()
    ((name, written),) = weights[path].write(positions).items()
    assert name == "roberta.embeddings.position_embeddings.weight"
    assert written.shape == (family.write_config(config)["max_position_embeddings"], 32)
    np.testing.assert_allclose(written[2], [0.0, 1.0] * 16)
    np.testing.assert_allclose(written[3, :2], [np.sin(1.0), np.cos(1.0)], rtol=1e-6)
    assert not family.computed(small())


@each_family
def test_a_configuration_comes_back(family, config):
    values = json.loads(json.dumps(family.write_config(config)))
    assert family.read_config(values, "config.json") == config
    assert values["model_type"] == family.model_types[0]


@each_family
def test_defaults_stand_for_what_is_left_out(family, config):
    values = family.write_config(config)
    needed = {"model_type", *family.sizes.values()}
    read = family.read_config({key: value for key, value in values.items() if key in needed}, "config.json")
    assert read.initializer_range == 0.02
    assert read.dropout == (0.0 if isinstance(family, AlbertFamily) else 0.1)
    assert read.activation == ("gelu_tanh" if isinstance(family, AlbertFamily) else "gelu")
    assert read.pad_id == (1 if isinstance(family, RobertaFamily) else 0)


@each_family
def test_every_size_is_required_and_a_whole_number(family, config):
    values = family.write_config(config)
    for key in family.sizes.values():
        with pytest.raises(UserError, match=f"config.json: '{key}' is missing"):
            family.read_config({name: value for name, value in values.items() if name != key}, "config.json")
        for wrong in ("12", 1.5, True, None, 0, -3, [1]):
            with pytest.raises(UserError, match=f"config.json: '{key}' is .*\nSupported: a whole number from 1"):
                family.read_config(values | {key: wrong}, "config.json")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("hidden_act", "silu", "one of gelu, gelu_new, gelu_pytorch_tanh, relu"),
        ("hidden_act", {"name": "gelu"}, "one of gelu"),
        ("position_embedding_type", "relative_key_query", "'absolute'"),
        ("is_decoder", True, "false"),
        ("add_cross_attention", True, "false"),
        ("pruned_heads", {"0": [1]}, "{} or null"),
        ("layer_norm_eps", "tiny", "a number"),
        ("hidden_dropout_prob", float("nan"), "a number"),
        ("pad_token_id", -1, "a whole number from 0 on"),
    ],
)
def test_an_option_that_is_not_supported_is_named(key, value, told):
    for family, config in FAMILIES:
        if isinstance(family, DistilBertFamily):
            continue
        with pytest.raises(UserError) as error:
            family.read_config(family.write_config(config) | {key: value}, "folder/config.json")
        assert f"folder/config.json: '{key}' is " in error.value.found
        assert told in error.value.expected


@pytest.mark.parametrize(
    ("family", "key", "value"),
    [
        (DistilBertFamily(), "activation", "swish"),
        (AlbertFamily(), "num_hidden_groups", 2),
        (AlbertFamily(), "inner_group_num", 3),
        (AlbertFamily(), "embedding_size", 32),
        (RobertaFamily(), "pad_token_id", None),
        (RobertaFamily(), "max_position_embeddings", 2),
    ],
)
def test_an_option_of_one_family_is_named(family, key, value):
    config = next(config for other, config in FAMILIES if type(other) is type(family))
    with pytest.raises(UserError, match=key):
        family.read_config(family.write_config(config) | {key: value}, "config.json")


def test_a_rate_out_of_range_and_heads_that_do_not_divide_are_no_traceback():
    values = BertFamily().write_config(small())
    with pytest.raises(UserError, match="dropout"):
        BertFamily().read_config(values | {"hidden_dropout_prob": 1.5}, "config.json")
    with pytest.raises(UserError, match="num_heads 5"):
        BertFamily().read_config(values | {"num_attention_heads": 5}, "config.json")


@pytest.mark.parametrize(
    ("family", "changes", "told"),
    [
        (BertFamily(), {"position_embedding": "relative"}, "position_embedding relative"),
        (BertFamily(), {"norm_first": True}, "norm_first True"),
        (BertFamily(), {"norm_first": True, "share_layers": True}, "norm_first True, model.share_layers True"),
        (BertFamily(), {"share_layers": True}, "share_layers True"),
        (BertFamily(), {"embedding_dim": 12}, "embedding_dim 12"),
        (BertFamily(), {"num_segments": 0}, "num_segments 0"),
        (BertFamily(), {"pooler_activation": "relu"}, "pooler_activation relu"),
        (RobertaFamily(), {"pad_id": -1}, "without padding"),
        (RobertaPreLayerNormFamily(), {}, "norm_first False"),
        (DistilBertFamily(), {}, "num_segments 2"),
        (DistilBertFamily(), {"num_segments": 0, "layer_norm_epsilon": 1e-5}, "layer_norm_epsilon 1e-05"),
        (AlbertFamily(), {"share_layers": True}, "as wide as the layers"),
        (AlbertFamily(), {"embedding_dim": 12}, "share_layers False"),
        (ElectraFamily(), {}, "pooler_activation tanh"),
    ],
)
def test_a_model_that_a_family_has_no_form_for_is_named(family, changes, told):
    with pytest.raises(UserError, match=re.escape(told)):
        family.write_config(small(**changes))


def test_heads_that_a_family_has_not_are_named():
    with pytest.raises(UserError, match=r"next sentences"):
        ElectraFamily().head(small(), "masked_lm", with_next_sentence=True)
    with pytest.raises(UserError, match=r"causal_lm(.|\n)*masked_lm"):
        BertFamily().head(small(), "causal_lm")


@pytest.mark.parametrize("family", [RobertaFamily(), ElectraFamily()])
def test_a_head_with_an_activation_of_its_own_takes_no_other(family):
    with pytest.raises(UserError, match=r"gelu_tanh(.|\n)*Supported: gelu"):
        family.head(small(activation="gelu_tanh"), "masked_lm")


@each_family
def test_copies_of_tied_weights_are_left_alone_and_known_as_copies(family, config):
    names = {name for weight in table(family, config, "masked_lm") for name in weight.tensors}
    assert family.tied
    for copy, original in family.tied:
        assert original in names
        assert copy not in names
        assert any(re.fullmatch(pattern, copy) for pattern in family.ignored)


@each_family
def test_nothing_that_a_table_needs_is_ignored_but_the_pooler_of_heads_without_one(family, config):
    for task_type in sorted(set(family.architectures.values())):
        for weight in table(family, config, task_type):
            ignored = [name for name in weight.tensors if any(re.fullmatch(p, name) for p in family.ignored)]
            assert not ignored or weight.variable.startswith("bert/pooler/")


def test_old_names_of_norms_become_the_current_ones():
    family = BertFamily()
    assert family.current_name("bert.embeddings.LayerNorm.gamma") == "bert.embeddings.LayerNorm.weight"
    assert family.current_name("cls.predictions.transform.LayerNorm.beta") == "cls.predictions.transform.LayerNorm.bias"
    for name in ("gamma", "bert.LayerNorm.weight", "bert.beta.weight"):
        assert family.current_name(name) == name
