import pytest

from tfplm.errors import UserError
from tfplm.models.bert import Bert
from tfplm.models.build import build_model, parse_model_config
from tfplm.models.configuration import BertConfig, LstmConfig
from tfplm.models.lstm import Lstm


def test_each_configuration_builds_its_family_with_the_tokenizers_vocabulary():
    bert = build_model(BertConfig(num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8), 30)
    lstm = build_model(LstmConfig(embedding_dim=4, hidden_dim=4), 30)
    assert isinstance(bert, Bert) and isinstance(lstm, Lstm)
    assert bert.config.vocabulary_size == lstm.config.vocabulary_size == 30


def test_vocabulary_may_be_larger_than_the_tokenizers_but_not_smaller():
    config = LstmConfig(vocabulary_size=32, embedding_dim=4, hidden_dim=4)
    assert build_model(config, 30).config.vocabulary_size == 32
    with pytest.raises(UserError, match="the tokenizer has 33 tokens"):
        build_model(config, 33)


def test_configuration_is_read_back_from_plain_values():
    for config in (BertConfig(vocabulary_size=9), LstmConfig(dropout=0.5)):
        assert parse_model_config(config.model_dump(mode="json"), "model.json") == config


def test_unknown_family_and_wrong_values_are_user_errors():
    with pytest.raises(UserError, match="'gru' is no model family"):
        parse_model_config({"type": "gru"}, "model.json")
    with pytest.raises(UserError, match="num_layers"):
        parse_model_config({"type": "bert", "num_layers": 0}, "model.json")
