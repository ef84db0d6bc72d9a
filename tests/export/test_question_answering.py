import json

import keras
import numpy as np
import pytest

from export.runs import export_run
from tfplm.models.build import build_model
from tfplm.models.configuration import BertConfig
from tfplm.run_directory import RunDirectory, write_config
from tfplm.tasks.configuration import QuestionAnsweringConfig
from tfplm.tasks.question_answering import QuestionAnswering
from tfplm.tasks.saving import save_task
from trainers.answers import open_answers

SEQUENCE_LENGTH = 384  # so that the longest text of the proof gives few windows
SAMPLES = [
    {"question": "when does the snow falls?", "passage": "the sun. The snow falls in 今天, leaves falls then. " * 3},
    {"question": "今天天气？", "passage": "今天天气好，我们 flowers。今天 the sun 👍🏽"},
    {"question": "", "passage": "the sun"},
    {"question": "when?", "passage": ""},
]


@pytest.fixture(scope="module")
def run(tokenizer, tmp_path_factory):
    keras.utils.set_random_seed(5)
    sizes = {
        "num_layers": 1,
        "num_heads": 2,
        "hidden_dim": 32,
        "intermediate_dim": 64,
        "max_sequence_length": SEQUENCE_LENGTH,
    }
    encoder = build_model(BertConfig(**sizes, initializer_range=0.4), tokenizer.vocabulary_size)
    config = QuestionAnsweringConfig(stride=1000, max_question_length=8, max_answer_length=6, no_answer_threshold=0.0)
    run = RunDirectory(tmp_path_factory.mktemp("run"))
    inputs = ["question", "passage"]
    write_config(run, {"stage": "finetune", "sequence_length": SEQUENCE_LENGTH, "inputs": inputs, "data": None})
    tokenizer.save(run.tokenizer)
    save_task(QuestionAnswering(encoder, config), run.model)
    (run.path / "examples.json").write_text(json.dumps(SAMPLES), encoding="utf-8")
    run.write_report("finetune", "0123", {})
    return run


@pytest.mark.parametrize("format", ["saved_model", "tflite"])
def test_an_export_answers_as_the_run_does(run, tmp_path, format):
    report = export_run(run.path, format, tmp_path / "out")
    assert report["inputs"] == ["question", "passage"]
    texts = {name: [sample[name] for sample in SAMPLES] for name in report["inputs"]}
    expected, found = (open_answers(path).answer(texts) for path in (run.path, tmp_path / "out"))
    assert {b""} < set(expected["answer"].tolist())
    for name, values in expected.items():
        if values.dtype == object or values.dtype.kind == "i":
            np.testing.assert_array_equal(found[name], values)
        else:
            np.testing.assert_allclose(found[name], values, atol=1e-4)
    if format == "tflite":
        assert {"start_column", "end_column"} < set(open_answers(tmp_path / "out")._runner.get_output_details())
    else:
        assert report["signatures"] == ["serving_default", "token_ids", "tokenize"]
