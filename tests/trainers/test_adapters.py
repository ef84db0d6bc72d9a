"""Fine-tuning with LoRA: what a run leaves, how it resumes, and the way from a base and an adapter to a run."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.trainers import pretrained_base
from tests.trainers.pretrained_base import STEPS_PER_EPOCH, TEXTS, moved, weights_of, write_base
from tests.trainers.test_finetune import Interrupted
from tests.written_corpus import TOPICS
from tfplm.errors import UserError
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory
from trainers.adapters import apply_adapter
from trainers.predict import predict_run

LORA = {"epochs": 4, "lora": {"rank": 2}, "layer_decay": 0.9, "unfreeze_every": 1}


def finetune(base: RunDirectory, folder, progress: Progress | None = None) -> RunDirectory:
    return pretrained_base.finetune(base, folder, progress, **LORA)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> RunDirectory:
    return write_base(tmp_path_factory.mktemp("lora") / "base")


@pytest.fixture(scope="module")
def finetuned(base) -> RunDirectory:
    return finetune(base, base.path.parent / "unbroken")


def assert_equal_weights(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert set(found) == set(expected)
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)


def test_the_adapter_holds_what_was_trained_and_the_model_is_plain(base, finetuned):
    tensors = load_file(finetuned.path / "adapter" / "adapter.safetensors")
    kinds = {path.rsplit("/", 1)[-1] for path in tensors}
    assert kinds == {"lora_kernel_a", "lora_kernel_b", "kernel", "bias"}
    assert {path for path in tensors if "lora" not in path} == {
        "text_classifier/classifier/kernel",
        "text_classifier/classifier/bias",
    }
    report, model = finetuned.read_report(), weights_of(finetuned)
    assert report["trained_parameters"] == sum(tensor.size for tensor in tensors.values())
    assert report["parameters"] == sum(weight.size for weight in model.values()) > 20 * report["trained_parameters"]
    assert not any("lora" in path for path in model)
    assert moved(base, finetuned) == {
        f"bert/block_{n}/attention/{part}/kernel" for n in (0, 1) for part in ("qkv", "output")
    }


def test_the_base_and_an_adapter_are_the_run_again(base, finetuned, tmp_path):
    adapter = shutil.move(shutil.copytree(finetuned.path / "adapter", tmp_path / "copy"), tmp_path / "moved")
    report = apply_adapter(base.path, adapter, tmp_path / "applied")
    applied = RunDirectory(tmp_path / "applied")
    assert report["stage"] == "finetune" and report["class_names"] == sorted(TOPICS)
    assert_equal_weights(weights_of(applied), weights_of(finetuned))
    answers = [[answer["label"] for answer in predict_run(run.path, TEXTS)] for run in (finetuned, applied)]
    assert answers[0] == answers[1]
    assert applied.config.read_text() == finetuned.config.read_text()
    assert (applied.path / "examples.json").read_text() == (finetuned.path / "examples.json").read_text()


def test_an_adapter_of_other_weights_is_refused_with_the_name_of_its_own(base, finetuned, tmp_path):
    other = write_base(tmp_path / "other")
    with pytest.raises(UserError, match=f"not learned on the weights of {other.path}") as error:
        apply_adapter(other.path, finetuned.path / "adapter", tmp_path / "applied")
    assert str(base.path) in error.value.expected
    assert not (tmp_path / "applied").exists()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("adapter.json", None, "holds no adapter"),
        ("adapter.json", "{}", "is damaged"),
        ("adapter.safetensors", "no tensors", "is damaged"),
    ],
)
def test_a_damaged_adapter_is_named(base, finetuned, tmp_path, file, content, message):
    adapter = shutil.copytree(finetuned.path / "adapter", tmp_path / "adapter")
    (adapter / file).unlink()
    if content is not None:
        (adapter / file).write_text(content)
    with pytest.raises(UserError, match=message):
        apply_adapter(base.path, adapter, tmp_path / "applied")


def test_an_adapter_with_another_tensor_than_its_description_says_is_refused(base, finetuned, tmp_path):
    adapter = shutil.copytree(finetuned.path / "adapter", tmp_path / "adapter")
    description = json.loads((adapter / "adapter.json").read_text())
    (adapter / "adapter.json").write_text(json.dumps(description | {"rank": 3}))
    with pytest.raises(UserError, match="does not fit adapter.json"):
        apply_adapter(base.path, adapter, tmp_path / "applied")


def test_an_interrupted_run_goes_on_to_the_same_weights_and_adapter(base, finetuned, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        finetune(base, tmp_path, Interrupted(2 * STEPS_PER_EPOCH + 2))
    checkpoints = tmp_path / "finetune" / "tuned" / "seed-0" / "checkpoints"
    assert [path.name for path in checkpoints.iterdir()] == [f"step-{2 * STEPS_PER_EPOCH:08d}"]
    resumed = finetune(base, tmp_path)
    assert_equal_weights(weights_of(resumed), weights_of(finetuned))
    assert_equal_weights(*(load_file(run.path / "adapter" / "adapter.safetensors") for run in (resumed, finetuned)))
