import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from tfplm.errors import UserError
from tfplm.models.build import build_model
from tfplm.models.configuration import BertConfig, GptConfig, LstmConfig, LstmSeq2SeqConfig, T5Config
from tfplm.objectives import CausalLmConfig, MaskedLmConfig
from tfplm.tasks.causal_language_model import CausalLanguageModel
from tfplm.tasks.configuration import (
    QuestionAnsweringConfig,
    Seq2SeqLmConfig,
    TextClassificationConfig,
    TextEmbeddingConfig,
    TokenClassificationConfig,
)
from tfplm.tasks.masked_language_model import MaskedLanguageModel
from tfplm.tasks.question_answering import QuestionAnswering
from tfplm.tasks.saving import load_encoder, load_task, save_task
from tfplm.tasks.seq2seq_language_model import Seq2SeqLanguageModel
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tasks.text_embedding import TextEmbedder
from tfplm.tasks.token_classification import TokenClassifier

BERT = BertConfig(num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16, max_sequence_length=8)
LSTM = LstmConfig(embedding_dim=6, hidden_dim=8, bidirectional=False)
GPT = GptConfig(num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16, max_sequence_length=8)
LLAMA = GPT.model_copy(update={"position_embedding": "rotary", "norm": "rms_norm", "tie_embeddings": False})
T5 = T5Config(num_layers=1, num_heads=2, head_dim=4, hidden_dim=8, intermediate_dim=16)
T5_ORIGINAL = T5.model_copy(update={"activation": "relu", "tie_embeddings": True})
LSTM_SEQ2SEQ = LstmSeq2SeqConfig(embedding_dim=6, hidden_dim=8)
INPUTS = {
    "token_ids": np.array([[1, 2, 3, 0], [4, 5, 6, 7]], "int32"),
    "mask_positions": np.array([[0, 1], [2, 3]], "int32"),
    "decoder_token_ids": np.array([[0, 5, 3], [0, 8, 9]], "int32"),
}
TASKS = {
    "masked_lm": lambda: MaskedLanguageModel(build_model(BERT, 20), MaskedLmConfig(next_sentence=True)),
    "causal_lm": lambda: CausalLanguageModel(build_model(LSTM, 20), CausalLmConfig()),
    "text_classification": lambda: TextClassifier(
        build_model(LSTM, 20), TextClassificationConfig(dropout=0.3), ["旧", "新"]
    ),
    "token_classification": lambda: TokenClassifier(
        build_model(BERT, 20), TokenClassificationConfig(dropout=0.3), ["其他", "人名"]
    ),
    "question_answering": lambda: QuestionAnswering(build_model(GPT, 20), QuestionAnsweringConfig(max_answer_length=5)),
    "text_embedding": lambda: TextEmbedder(build_model(LSTM, 20), TextEmbeddingConfig(pooling="first", normalize=True)),
}
BODIES_OF_DECODERS = {"gpt": GPT, "llama": LLAMA}
BODIES_OF_ENCODER_DECODERS = {"t5": T5, "t5_original": T5_ORIGINAL, "lstm_seq2seq": LSTM_SEQ2SEQ}
WRITERS = {
    **{
        name: lambda body=body: CausalLanguageModel(build_model(body, 20), CausalLmConfig(positions_per_chunk=7))
        for name, body in BODIES_OF_DECODERS.items()
    },
    **{
        name: lambda body=body: Seq2SeqLanguageModel(build_model(body, 20), Seq2SeqLmConfig(positions_per_chunk=7))
        for name, body in BODIES_OF_ENCODER_DECODERS.items()
    },
}


def numbers(outputs) -> list[np.ndarray]:
    return [ops.convert_to_numpy(x) for x in (outputs.values() if isinstance(outputs, dict) else [outputs])]


@pytest.mark.parametrize("build", [*TASKS.values(), *WRITERS.values()], ids=[*TASKS, *WRITERS])
def test_loaded_task_gives_identical_outputs(build, tmp_path):
    task = build()
    save_task(task, tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["model.json", "model.weights.h5"]
    loaded = load_task(tmp_path / "model")
    assert type(loaded) is type(task)
    assert loaded.config == task.config
    assert loaded.encoder.config == task.encoder.config
    assert getattr(loaded, "class_names", None) == getattr(task, "class_names", None)
    for got, expected in zip(numbers(loaded(INPUTS)), numbers(task(INPUTS)), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_disk_without_room_is_told_before_anything_is_written(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match="No space left"):
        save_task(TASKS["causal_lm"](), tmp_path / "model")
    assert not list((tmp_path / "model").iterdir())


def test_fresh_process_gives_identical_outputs(tmp_path):
    task = TASKS["text_classification"]()
    save_task(task, tmp_path)
    program = (
        "import sys, numpy as np\n"
        "from keras import ops\n"
        "from tfplm.tasks.saving import load_task\n"
        "task = load_task(sys.argv[1])\n"
        "assert task.class_names == ['旧', '新']\n"
        "ids = np.array([[1, 2, 3, 0], [4, 5, 6, 7]], 'int32')\n"
        "np.save(sys.argv[2], ops.convert_to_numpy(task({'token_ids': ids})))\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path), str(tmp_path / "out.npy")], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), numbers(task(INPUTS))[0])


def test_encoder_comes_out_of_a_pretrained_task(tmp_path):
    task = TASKS["masked_lm"]()
    save_task(task, tmp_path)
    encoder = load_encoder(tmp_path)
    for got, expected in zip(numbers(encoder(INPUTS)), numbers(task.encoder(INPUTS)), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert len(encoder.trainable_variables) == len(encoder.weights)


def test_mixed_precision_weights_load_in_float32(tmp_path, mixed_bfloat16):
    task = TASKS["masked_lm"]()
    save_task(task, tmp_path)
    keras.mixed_precision.set_global_policy("float32")
    for got, expected in zip(load_task(tmp_path).get_weights(), task.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_saving_again_replaces_what_was_there(tmp_path):
    save_task(TASKS["causal_lm"](), tmp_path)
    task = TASKS["masked_lm"]()
    save_task(task, tmp_path)
    assert load_task(tmp_path).task_type == "masked_lm"


@pytest.mark.parametrize("name", ["model.json", "model.weights.h5"])
def test_missing_file_is_a_user_error(name, tmp_path):
    save_task(TASKS["causal_lm"](), tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=name):
        load_task(tmp_path)


@pytest.mark.parametrize("kept_bytes", [0, 100, 3000])
def test_cut_off_weights_are_a_user_error(kept_bytes, tmp_path):
    save_task(TASKS["causal_lm"](), tmp_path)
    weights = tmp_path / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:kept_bytes])
    with pytest.raises(UserError, match="model.weights.h5 is damaged"):
        load_task(tmp_path)


def test_weights_of_another_task_are_a_user_error(tmp_path):
    save_task(TASKS["causal_lm"](), tmp_path / "a")
    save_task(TASKS["masked_lm"](), tmp_path / "b")
    (tmp_path / "a" / "model.weights.h5").write_bytes((tmp_path / "b" / "model.weights.h5").read_bytes())
    with pytest.raises(UserError, match="does not fit model.json"):
        load_task(tmp_path / "a")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "format 99"),
        ({"task_type": "translation"}, "translation"),
        ({"task_type": None}, "damaged"),
        ({"encoder": {"type": "gru"}}, "gru"),
        ({"encoder": {**LSTM.model_dump(), "vocabulary_size": 20, "hidden_dim": "wide"}}, "hidden_dim"),
        ({"encoder": LSTM.model_dump()}, "damaged"),
        ({"encoder": "lstm"}, "damaged"),
        ({"task": {"type": "causal_lm", "heads": 3}}, "heads"),
    ],
)
def test_wrong_description_is_a_user_error(change, message, tmp_path):
    save_task(TASKS["causal_lm"](), tmp_path)
    path = tmp_path / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=message):
        load_task(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "\x00"])
def test_damaged_description_is_a_user_error(text, tmp_path):
    save_task(TASKS["causal_lm"](), tmp_path)
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(UserError, match="model.json is damaged"):
        load_task(tmp_path)
