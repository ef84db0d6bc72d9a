"""Encoders of the `transformers` package become tasks that give the same, and go back."""

import re

import numpy as np
import pytest
from keras import ops

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from safetensors.numpy import load_file, save_file  # noqa: E402

from tests.parity.encoder_checkpoints import (  # noqa: E402 – imports torch
    LENGTH,
    LENGTHS,
    MODELS,
    example_inputs,
    load,
    make_checkpoint,
    our_logits,
    their_outputs,
    write,
)
from tests.tfplm.interop.families.family_tasks import build_task  # noqa: E402
from tfplm.errors import UserError  # noqa: E402

TOLERANCE = 1e-4
REAL = np.arange(LENGTH) < LENGTHS[:, None]
CASES = [(name, architecture) for name, (family, _) in MODELS.items() for architecture in family.architectures]


def assert_equal_logits(ours: dict, theirs) -> None:
    for name, got in ours.items():
        expected = theirs[name if name in theirs else "prediction_logits"].numpy()  # ALBERT's has a second head
        assert got.shape == expected.shape
        if got.shape[:2] == REAL.shape:
            got, expected = got[REAL], expected[REAL]
        np.testing.assert_allclose(got, expected, atol=TOLERANCE)


def assert_equal_hidden_states(task, inputs, theirs) -> None:
    outputs = task.encoder(inputs, return_hidden_states=True)
    assert len(outputs["hidden_states"]) == len(theirs.hidden_states)
    for got, expected in zip(outputs["hidden_states"], theirs.hidden_states, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(got)[REAL], expected.numpy()[REAL], atol=TOLERANCE)
    if theirs.get("pooler_output") is not None:
        np.testing.assert_allclose(
            ops.convert_to_numpy(outputs["pooled_output"]), theirs.pooler_output.numpy(), atol=TOLERANCE
        )


def assert_equal(task, checkpoint, model) -> None:
    inputs = example_inputs(task.encoder.config)
    theirs = their_outputs(model, inputs, task.encoder.config.pad_id)
    assert_equal_hidden_states(task, inputs, theirs)
    if checkpoint.task_type != "text_embedding":
        assert_equal_logits(our_logits(task, inputs), theirs)


def masked_lm_of(family) -> str:
    return next(name for name, task_type in family.architectures.items() if task_type == "masked_lm")


def variables(task) -> dict[str, np.ndarray]:
    return {variable.path: ops.convert_to_numpy(variable) for variable in task.weights}


@pytest.mark.parametrize(("name", "architecture"), CASES)
def test_in_out_and_in_again(name, architecture, tmp_path):
    checkpoint = make_checkpoint(name, architecture, tmp_path / "theirs")
    task, _ = load(checkpoint)
    assert_equal(task, checkpoint, checkpoint.model)

    write(task, checkpoint, tmp_path / "ours")
    model, report = type(checkpoint.model).from_pretrained(
        tmp_path / "ours", output_loading_info=True, attn_implementation="eager"
    )
    missing = [name for name in report["missing_keys"] if not name.startswith(("discriminator_", "sop_classifier"))]
    assert not missing
    assert all("pooler" in name for name in report["unexpected_keys"])
    assert not report["mismatched_keys"]
    assert_equal(task, checkpoint, model.eval())

    checkpoint.folder = tmp_path / "ours"
    assert checkpoint.config == task.encoder.config
    again, kept = load(checkpoint)
    first, second = variables(task), variables(again)
    for path in set(first) - set(kept):
        np.testing.assert_array_equal(first[path], second[path])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", MODELS)
def test_half_precision_is_read_exactly(name, dtype, tmp_path):
    checkpoint = make_checkpoint(name, masked_lm_of(MODELS[name][0]), tmp_path, dtype)
    tensors = checkpoint.tensors()
    assert {tensors.read(name).dtype.name for name in tensors.names()} == {str(dtype).removeprefix("torch.")}
    task, _ = load(checkpoint)
    assert_equal(task, checkpoint, checkpoint.model)


def test_names_of_the_first_checkpoints_are_read(tmp_path):
    checkpoint = make_checkpoint("bert", "BertForPreTraining", tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    renamed = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in tensors.items()
    }
    assert set(renamed) != set(tensors)
    save_file(renamed, tmp_path / "model.safetensors")
    task, kept = load(checkpoint)
    assert not kept
    assert_equal(task, checkpoint, checkpoint.model)


@pytest.mark.parametrize("name", MODELS)
def test_an_untied_output_is_refused(name, tmp_path):
    checkpoint = make_checkpoint(name, masked_lm_of(MODELS[name][0]), tmp_path, tie_word_embeddings=False)
    with pytest.raises(UserError, match=re.escape(f"{checkpoint.family.tied[0][0]} is not equal to")):
        load(checkpoint)


@pytest.mark.parametrize("has_embeddings", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_copies_of_tied_weights_are_no_surplus_and_stand_for_the_embeddings(name, has_embeddings, tmp_path):
    checkpoint = make_checkpoint(name, masked_lm_of(MODELS[name][0]), tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    for copy, original in checkpoint.family.tied:
        tensors[copy] = tensors[original] if has_embeddings else tensors.pop(original)
    save_file(tensors, tmp_path / "model.safetensors")
    task, _ = load(checkpoint)
    assert_equal(task, checkpoint, checkpoint.model)


def test_sinusoidal_positions_leave_as_learned_ones(tmp_path):
    checkpoint = make_checkpoint("bert", "BertForTokenClassification", tmp_path / "theirs")
    config = checkpoint.config.model_copy(update={"position_embedding": "sinusoidal"})
    task = build_task(config, checkpoint.task_type)
    write(task, checkpoint, tmp_path / "ours")
    model = type(checkpoint.model).from_pretrained(tmp_path / "ours", attn_implementation="eager")
    assert_equal(task, checkpoint, model.eval())
