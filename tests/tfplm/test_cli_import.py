"""The command ``tfplm import``, as a person meets it."""

import json

import pytest

from tests.command_line import assert_told_cleanly, tfplm
from tests.tfplm.interop.families.encoder_tasks import small
from tests.tfplm.interop.families.family_tasks import build_task
from tests.tfplm.interop.small_tokenizers import small_tokenizer
from tfplm.interop.huggingface_folder import write_huggingface


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    base = tmp_path_factory.mktemp("checkpoint")
    tokenizer = small_tokenizer("bert", base / "tokenizer")
    config = small(vocabulary_size=tokenizer.vocabulary_size, pad_id=tokenizer.pad_id)
    (base / "bert").mkdir()
    write_huggingface(build_task(config, "masked_lm"), tokenizer, base / "bert")
    return base / "bert"


def test_a_checkpoint_becomes_a_run_and_the_command_says_what_is_new(checkpoint, tmp_path):
    options = ("--task", "text_classification", "--labels", "bad,good")
    answer = tfplm(tmp_path, "import", str(checkpoint), "--out", "run", *options)
    assert answer.returncode == 0, answer.stderr
    assert "task text_classification" in answer.stdout
    assert "New, with initial values: text_classifier/classifier/bias" in answer.stdout
    assert "Left out: cls.predictions.bias" in answer.stdout
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert (report["stage"], report["class_names"]) == ("import", ["bad", "good"])


def damage_weights(folder):
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])


def damage_header(folder):
    (folder / "model.safetensors").write_bytes((4 << 30).to_bytes(8, "little") + b"{}")


def lie_about_layers(folder):
    change_config(folder, num_hidden_layers=10**9)


def name_another_model(folder):
    change_config(folder, model_type="bart")


def forget_a_layer(folder):
    change_config(folder, num_hidden_layers=1)


def change_config(folder, **changes):
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(values | changes))


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (damage_weights, "model.safetensors"),
        (damage_header, "model.safetensors"),
        (lie_about_layers, "1000000000 layers"),
        (name_another_model, "'bart' is not supported"),
        (forget_a_layer, "left over: bert.encoder.layer.1"),
    ],
)
def test_what_is_wrong_is_told_and_leaves_nothing(checkpoint, damage, expected, tmp_path):
    folder = tmp_path / "bert"
    folder.mkdir()
    for path in checkpoint.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    damage(folder)
    assert_told_cleanly(tfplm(tmp_path, "import", "bert", "--out", "run"), expected)
    assert [path.name for path in tmp_path.iterdir()] == ["bert"]
