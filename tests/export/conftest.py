import json

import keras
import pytest

from export.runs import export_run
from tfplm.models.build import build_model
from tfplm.models.configuration import BertConfig, LstmConfig
from tfplm.run_directory import RunDirectory, write_config
from tfplm.tasks.configuration import TextClassificationConfig
from tfplm.tasks.saving import save_task
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.wordpiece import SPECIAL_TOKENS, WordPieceTokenizer

CLASS_NAMES = ["spring", "été", "秋天", "winter"]
SEQUENCE_LENGTH = 24
_CHARACTERS = [chr(code) for code in range(33, 127) if not chr(code).isupper()] + list("今天气好我们")
_MODELS = {
    "bert": BertConfig(num_layers=2, num_heads=2, hidden_dim=32, intermediate_dim=64, initializer_range=0.2),
    "lstm": LstmConfig(embedding_dim=16, hidden_dim=16, initializer_range=0.5),
    "lstm_last": LstmConfig(
        num_layers=2, embedding_dim=16, hidden_dim=16, bidirectional=False, pooling="last", initializer_range=0.5
    ),
}


@pytest.fixture(scope="session")
def tokenizer():
    pieces = [f"##{character}" for character in _CHARACTERS]
    vocabulary = [*SPECIAL_TOKENS, *_CHARACTERS, *pieces, "the", "snow", "falls", "leaves", "flowers", "sun"]
    return WordPieceTokenizer(vocabulary, WordPieceConfig(vocabulary_size=len(vocabulary)))


@pytest.fixture(scope="session")
def make_classifier(tokenizer):
    """Builds a classifier whose random weights tell texts apart."""

    def make(model: str, multi_label: bool = False) -> TextClassifier:
        keras.utils.set_random_seed(11)
        encoder = build_model(_MODELS[model], tokenizer.vocabulary_size)
        config = TextClassificationConfig(multi_label=multi_label, decision_threshold=0.4)
        return TextClassifier(encoder, config, CLASS_NAMES)

    return make


@pytest.fixture(scope="session")
def sample_texts():
    words = ["snow", "the sun", "leaves", "flowers", "falls", "rain", "today", "42"]
    return [f"{first} {second} {third}." for first in words for second in words[:4] for third in words[:2]]


@pytest.fixture(scope="session")
def make_run(tokenizer, sample_texts):
    """Writes what a finished fine-tuning leaves, as far as an export reads it."""

    def make(task, path) -> RunDirectory:
        run = RunDirectory(path)
        write_config(run, {"stage": "finetune", "sequence_length": SEQUENCE_LENGTH})
        tokenizer.save(run.tokenizer)
        save_task(task, run.model)
        (run.path / "examples.json").write_text(json.dumps(sample_texts), encoding="utf-8")
        run.write_report("finetune", "0123", {})
        return run

    return make


@pytest.fixture(scope="session")
def export_once(make_classifier, make_run, tmp_path_factory):
    """Exports a model in a format once for all tests; returns the task, the folder written and the report."""
    done = {}

    def export(model: str, format: str):
        if (model, format) not in done:
            folder = tmp_path_factory.mktemp("export")
            task = make_classifier(model)
            run = make_run(task, folder / "run")
            done[model, format] = task, folder / "out", export_run(run.path, format, folder / "out")
        return done[model, format]

    return export
