"""Decoders and encoder-decoders of the `transformers` package become tasks that give the same, and go back."""

import json

import numpy as np
import pytest
from keras import ops

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from safetensors.numpy import load_file, save_file  # noqa: E402

from tests.parity.decoder_checkpoints import (  # noqa: E402 – imports torch
    MODELS,
    REAL,
    UNTIED,
    architectures,
    example_inputs,
    make_checkpoint,
    our_logits,
    our_texts,
    their_outputs,
    their_texts,
    write,
)
from tfplm.errors import UserError  # noqa: E402

TOLERANCE = 1e-4
CASES = [(name, architecture) for name in MODELS for architecture in architectures(name)]
PROMPTS = [[5, 6, 7, 8, 9, 10, 11], [20], [30, 31, 32, 33], [69, 3, 40, 40, 12]]


def assert_equal_states(ours, theirs, real) -> None:
    assert len(ours) == len(theirs)
    for got, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(got)[real], expected.numpy()[real], atol=TOLERANCE)


def assert_equal(task, model) -> None:
    is_encoder_decoder = task.task_type == "seq2seq_lm"
    inputs = example_inputs(is_encoder_decoder)
    theirs = their_outputs(model, inputs)
    outputs = task.encoder(inputs, return_hidden_states=True)
    if is_encoder_decoder:
        assert_equal_states(outputs["source_hidden_states"], theirs.encoder_hidden_states, REAL)
        assert_equal_states(outputs["hidden_states"], theirs.decoder_hidden_states, slice(None))
    else:
        assert_equal_states(outputs["hidden_states"], theirs.hidden_states, REAL)
    if "logits" not in theirs and "start_logits" not in theirs:
        return  # the body alone
    for name, got in our_logits(task, inputs).items():
        expected = theirs[name].numpy()
        real = REAL if got.shape[:2] == REAL.shape else slice(None)
        np.testing.assert_allclose(got[real], expected[real], atol=TOLERANCE)


@pytest.mark.parametrize(("name", "architecture"), CASES)
def test_in_out_and_in_again(name, architecture, tmp_path):
    checkpoint = make_checkpoint(name, architecture, tmp_path / "theirs")
    task = checkpoint.load()
    assert_equal(task, checkpoint.model)
    if architecture in ("T5Model", "MT5Model"):
        architecture = architecture.replace("Model", "ForConditionalGeneration")  # every T5 leaves with a head
    architecture = architecture.removeprefix("M") if architecture.startswith("MT5") else architecture

    write(task, checkpoint.family, architecture, tmp_path / "ours")
    model, report = getattr(transformers, architecture).from_pretrained(
        tmp_path / "ours", output_loading_info=True, attn_implementation="eager"
    )
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert_equal(task, model.eval())

    checkpoint.folder = tmp_path / "ours"
    assert checkpoint.config == task.encoder.config
    again = {variable.path: ops.convert_to_numpy(variable) for variable in checkpoint.load().weights}
    assert len(again) == len(task.weights)
    for variable in task.weights:
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), again[variable.path])


@pytest.mark.parametrize("name", MODELS)
def test_written_texts_are_equal(name, tmp_path):
    checkpoint = make_checkpoint(name, architectures(name)[0], tmp_path)
    task = checkpoint.load()
    theirs = their_texts(checkpoint.model, PROMPTS, task.is_encoder_decoder)
    assert our_texts(task, PROMPTS) == theirs
    assert len({tuple(text) for text in theirs}) > 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2", "t5-1.1"])
def test_half_precision_is_read_exactly(name, dtype, tmp_path):
    checkpoint = make_checkpoint(name, architectures(name)[0], tmp_path, dtype)
    dtypes = {tensor.dtype.name for tensor in load_file(tmp_path / "model.safetensors").values()}
    assert dtypes == {str(dtype).removeprefix("torch.")}
    assert_equal(checkpoint.load(), checkpoint.model)


@pytest.mark.parametrize("name", UNTIED)
def test_output_weights_that_transformers_5_ties_without_scaling_are_read(name, tmp_path):
    checkpoint = make_checkpoint(name, architectures(name)[0], tmp_path / "untied")
    config = checkpoint.model.config
    tied = type(checkpoint.model)(config).eval()
    tied.save_pretrained(tmp_path / "tied")
    assert "lm_head.weight" not in load_file(tmp_path / "tied" / "model.safetensors")
    checkpoint.folder = tmp_path / "tied"
    task = checkpoint.load()
    assert not task.encoder.config.tie_embeddings
    assert_equal(task, tied)


def test_the_first_files_of_gpt2_have_no_prefix_and_buffers(tmp_path):
    checkpoint = make_checkpoint("gpt2", "GPT2LMHeadModel", tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    old = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    assert set(old).isdisjoint(tensors)
    old["h.0.attn.bias"] = np.tril(np.ones((1, 1, 40, 40), "float32"))
    save_file(old, tmp_path / "model.safetensors")
    assert_equal(checkpoint.load(), checkpoint.model)


@pytest.mark.parametrize(("name", "copy"), [("gpt2", "lm_head"), ("t5", "encoder.embed_tokens"), ("t5", "lm_head")])
def test_copies_of_tied_weights_are_compared(name, copy, tmp_path):
    checkpoint = make_checkpoint(name, architectures(name)[0], tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    original = "shared.weight" if name == "t5" else "transformer.wte.weight"
    save_file(tensors | {f"{copy}.weight": tensors[original].copy()}, tmp_path / "model.safetensors")
    assert_equal(checkpoint.load(), checkpoint.model)
    save_file(tensors | {f"{copy}.weight": tensors[original] + 1}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=copy):
        checkpoint.load()


@pytest.mark.parametrize("name", ["llama-tied", "llama-linear"])
def test_rotary_positions_as_transformers_4_wrote_them_are_read(name, tmp_path):
    checkpoint = make_checkpoint(name, "LlamaForCausalLM", tmp_path)
    expected = checkpoint.config
    path = tmp_path / "config.json"
    values = json.loads(path.read_text())
    rotary = values.pop("rope_parameters")
    values |= {"rope_theta": rotary.pop("rope_theta"), "rope_scaling": rotary}
    path.write_text(json.dumps(values))
    assert checkpoint.config == expected
    assert expected.rotary_scaling is not None
