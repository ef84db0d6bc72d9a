import pytest

from tfplm.errors import UserError
from tfplm.models.bert import Bert
from tfplm.models.build import build_model, parse_model_config
from tfplm.models.configuration import BertConfig, GptConfig, LstmConfig, LstmSeq2SeqConfig, T5Config
from tfplm.models.gpt import Gpt
from tfplm.models.lstm import Lstm
from tfplm.models.lstm_seq2seq import LstmSeq2Seq
from tfplm.models.t5 import T5

SMALL = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8}


@pytest.mark.parametrize(
    ("config", "family"),
    [
        (BertConfig(**SMALL), Bert),
        (LstmConfig(embedding_dim=4, hidden_dim=4), Lstm),
        (GptConfig(**SMALL), Gpt),
        (T5Config(**SMALL, head_dim=4), T5),
        (LstmSeq2SeqConfig(embedding_dim=4, hidden_dim=4), LstmSeq2Seq),
    ],
)
def test_each_configuration_builds_its_family_with_the_tokenizers_vocabulary(config, family):
    model = build_model(config, 30)
    assert isinstance(model, family)
    assert model.config == config.model_copy(update={"vocabulary_size": 30})
    assert model.token_embedding.embeddings.shape == (30, model.token_embedding.embedding_dim)
    assert parse_model_config(config.model_dump(mode="json"), "model.json") == config


def test_vocabulary_may_be_larger_than_the_tokenizers_but_not_smaller():
    config = LstmConfig(vocabulary_size=32, embedding_dim=4, hidden_dim=4)
    assert build_model(config, 30).config.vocabulary_size == 32
    with pytest.raises(UserError, match="the tokenizer has 33 tokens"):
        build_model(config, 33)


def test_unknown_family_and_wrong_values_are_user_errors():
    with pytest.raises(UserError, match="'gru' is no model family"):
        parse_model_config({"type": "gru"}, "model.json")
    with pytest.raises(UserError, match="num_layers"):
        parse_model_config({"type": "bert", "num_layers": 0}, "model.json")
