import json

import pytest

from tests.tfplm.tokenizers.conftest import TEXTS
from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.tokenizers.bytes import ByteTokenizer
from tfplm.tokenizers.configuration import BytesConfig, SentencePieceConfig, WordPieceConfig
from tfplm.tokenizers.loading import load_tokenizer, train_tokenizer
from tfplm.tokenizers.sentencepiece import SentencePieceTokenizer
from tfplm.tokenizers.wordpiece import WordPieceTokenizer

CASES = [
    (WordPieceConfig(vocabulary_size=80), WordPieceTokenizer),
    (SentencePieceConfig(vocabulary_size=300), SentencePieceTokenizer),
    (BytesConfig(), ByteTokenizer),
]


@pytest.mark.parametrize(("config", "kind"), CASES)
def test_each_configuration_trains_its_tokenizer_and_the_folder_loads_it(config, kind, tmp_path):
    tokenizer = train_tokenizer(TEXTS, config)
    tokenizer.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert type(tokenizer) is type(loaded) is kind
    assert loaded.config == config
    assert loaded.encode(TEXTS)[0].tolist() == tokenizer.encode(TEXTS)[0].tolist()


def test_bytes_read_no_text():
    train_tokenizer(iter(lambda: pytest.fail("was read"), None), BytesConfig())


def test_a_folder_without_a_type_holds_wordpiece(tmp_path):
    train_tokenizer(TEXTS, WordPieceConfig(vocabulary_size=80)).save(tmp_path)
    path = tmp_path / "tokenizer.json"
    settings = json.loads(path.read_text())
    del settings["config"]["type"]
    path.write_text(json.dumps(settings))
    assert load_tokenizer(tmp_path).vocabulary_size == 80


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no .*tokenizer.json"),
        ('{"format_version": 1, "config": {"type": "letters"}}', "of the type 'letters'"),
        ('{"format_version": 1, "config": {"type": []}}', r"of the type \[\]"),
        ('{"format_version": 1, "config": "bytes"}', "is damaged"),
    ],
)
def test_a_folder_that_is_no_tokenizer_is_a_user_error(tmp_path, content, message):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(UserError, match=message):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"vocabulary_size": 80}, WordPieceConfig(vocabulary_size=80)),
        ({"type": "sentencepiece", "model": "bpe"}, SentencePieceConfig(model="bpe")),
        ({"type": "bytes", "num_sentinels": 3}, BytesConfig(num_sentinels=3)),
    ],
)
def test_a_file_may_leave_the_type_out_for_wordpiece(values, expected):
    experiment = validate(ExperimentConfig, {"output_dir": "runs/x", "tokenizer": values}, "x.yaml")
    assert experiment.tokenizer == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lowr": True}, "tokenizer.lowr: unknown key; did you mean 'lowercase'"),
        ({"type": "sentencepiece", "lowercase": True}, "tokenizer.lowercase: unknown key"),
        ({"type": "letters"}, "tokenizer: input tag 'letters'"),
    ],
)
def test_a_mistake_in_a_file_is_named_by_its_path(values, message):
    with pytest.raises(UserError, match=message):
        validate(ExperimentConfig, {"output_dir": "runs/x", "tokenizer": values}, "x.yaml")
