import json
import re

import numpy as np
import pytest

from tests.tfplm.interop.families.decoder_tasks import FAMILIES, GPT2, LLAMA, T5_ORIGINAL
from tests.tfplm.interop.families.family_tasks import build_task
from tfplm.errors import UserError
from tfplm.interop.families.decoders import DECODERS, families_of_decoder
from tfplm.interop.families.gpt2 import Gpt2Family
from tfplm.interop.families.llama import LlamaFamily, MistralFamily, Qwen2Family
from tfplm.interop.families.t5 import T5Family
from tfplm.models.configuration import GptConfig

each_family = pytest.mark.parametrize(("family", "config"), FAMILIES.values(), ids=FAMILIES)
GPTS = {name: pair for name, pair in FAMILIES.items() if isinstance(pair[1], GptConfig)}


@each_family
def test_every_variable_of_every_head_is_told_once_and_fits(family, config):
    body = family.body(config)
    for task_type in sorted(set(family.architectures.values())):
        task, weights = build_task(config, task_type), body + family.head(config, task_type)
        shapes = {variable.path: tuple(variable.shape) for variable in task.weights}
        assert sorted(weight.variable for weight in weights) == sorted(shapes)
        tensors = [name for weight in weights for name in weight.tensors]
        assert len(set(tensors)) == len(tensors)
        for weight in weights:
            value = np.arange(np.prod(shapes[weight.variable]), dtype="float32").reshape(shapes[weight.variable])
            written = weight.write(value)
            assert {name: tensor.shape for name, tensor in written.items()} == weight.shapes(value.shape)
            np.testing.assert_array_equal(weight.read(written.__getitem__), value)


@each_family
def test_a_configuration_comes_back(family, config):
    values = json.loads(json.dumps(family.write_config(config)))
    assert values["model_type"] in family.model_types
    assert family.read_config(values, "config.json") == config


@pytest.mark.parametrize(("family", "config"), GPTS.values(), ids=GPTS)
def test_the_family_that_a_decoder_leaves_as_has_a_form_for_it(family, config):
    chosen, *others = families_of_decoder(config)
    assert {chosen, *others} == set(DECODERS)
    assert chosen.read_config(chosen.write_config(config), "config.json") == config
    assert type(chosen) is type(family) or config == FAMILIES["mistral_whole"][1]  # a Llama too


def test_a_width_that_the_heads_do_not_divide_leaves_as_mistral():
    config = LLAMA.model_copy(update={"hidden_dim": 18, "head_dim": 6})
    with pytest.raises(UserError, match="model.hidden_dim 18"):
        LlamaFamily().write_config(config)
    assert families_of_decoder(config)[0].write_config(config)["model_type"] == "mistral"


def test_grouped_heads_and_gates_lie_side_by_side():
    weights = {weight.variable: weight for weight in LlamaFamily().body(LLAMA)}
    written = weights["gpt/block_1/attention/qkv/kernel"].write(np.zeros((16, 32)))
    names = [f"model.layers.1.self_attn.{part}_proj.weight" for part in "qkv"]
    assert {name: tensor.shape for name, tensor in written.items()} == dict(
        zip(names, [(16, 16), (8, 16), (8, 16)], strict=True)
    )
    gates = weights["gpt/block_0/feed_forward/intermediate/kernel"].tensors
    assert gates == ("model.layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.up_proj.weight")


@pytest.mark.parametrize(
    ("family", "name"),
    [
        (Gpt2Family(), "h.3.attn.bias"),
        (Gpt2Family(), "transformer.h.11.attn.masked_bias"),
        (LlamaFamily(), "model.layers.0.self_attn.rotary_emb.inv_freq"),
        (T5Family(), "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"),
    ],
)
def test_buffers_are_ignored(family, name):
    assert any(re.fullmatch(pattern, name) for pattern in family.ignored)
    config = T5_ORIGINAL if isinstance(family, T5Family) else GPT2
    read = {tensor for weight in family.body(config) for tensor in weight.tensors}
    assert not any(re.fullmatch(pattern, tensor) for pattern in family.ignored for tensor in read)


def test_the_first_config_of_gpt2_is_read():
    values = {
        "model_type": "gpt2",
        "vocab_size": 50257,
        "n_ctx": 1024,
        "n_embd": 768,
        "n_head": 12,
        "n_layer": 12,
        "n_positions": 1024,
        "bos_token_id": 50256,
        "eos_token_id": 50256,
    }
    config = Gpt2Family().read_config(values, "config.json")
    expected = GptConfig(
        vocabulary_size=50257,
        pad_id=-1,
        num_layers=12,
        num_heads=12,
        hidden_dim=768,
        intermediate_dim=3072,
        max_sequence_length=1024,
    )
    assert config == expected


def values_of(family, config, **changes) -> dict:
    return family.write_config(config) | changes


@pytest.mark.parametrize(
    ("pad", "expected"),
    [(None, -1), (0, 0), (7, 7), (49, 49), (50, -1), (-1, -1), (1, -1), (2, -1), (3, -1)],
)
def test_padding_that_texts_hold_is_none(pad, expected):
    values = values_of(LlamaFamily(), LLAMA, pad_token_id=pad, bos_token_id=1, eos_token_id=[2, 3])
    assert LlamaFamily().read_config(values, "config.json").pad_id == expected


@pytest.mark.parametrize(
    ("changes", "base", "scaling"),
    [
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 7.0}}, 7.0, None),
        ({"rope_theta": 7.0, "rope_scaling": None}, 7.0, None),
        ({}, 10_000.0, None),
        ({"rope_theta": 7.0, "rope_scaling": {"type": "linear", "factor": 3}}, 7.0, {"type": "linear", "factor": 3.0}),
        (
            {
                "rope_parameters": {
                    "rope_type": "llama3",
                    "rope_theta": 7.0,
                    "factor": 8.0,
                    "low_freq_factor": 2.0,
                    "high_freq_factor": 5.0,
                }
            },
            7.0,
            {"type": "llama3", "factor": 8.0, "low_factor": 2.0, "high_factor": 5.0, "original_length": 12},
        ),
    ],
)
def test_rotary_positions_are_read_as_either_version_writes_them(changes, base, scaling):
    values = values_of(LlamaFamily(), LLAMA)
    values = {key: value for key, value in values.items() if not key.startswith("rope")} | changes
    config = LlamaFamily().read_config(values, "config.json")
    assert config.rotary_base == base
    assert config.rotary_scaling == (GptConfig(position_embedding="rotary", rotary_scaling=scaling).rotary_scaling)


def test_a_mistral_that_does_not_say_has_the_window_of_the_first_one():
    values = values_of(MistralFamily(), FAMILIES["mistral"][1])
    del values["sliding_window"]
    assert MistralFamily().read_config(values, "config.json").attention_window == 4096


def test_a_qwen2_has_a_window_only_where_it_is_used():
    config = FAMILIES["qwen2_window"][1]
    values = values_of(Qwen2Family(), config, use_sliding_window=False)
    assert Qwen2Family().read_config(values, "config.json").attention_window is None
    del values["layer_types"]
    values |= {"use_sliding_window": True, "max_window_layers": 2}
    assert Qwen2Family().read_config(values, "config.json").attention_window is None
    values["max_window_layers"] = 0
    assert Qwen2Family().read_config(values, "config.json").attention_window == 3


@pytest.mark.parametrize(
    ("changes", "is_scaled"),
    [
        ({}, True),
        ({"tie_word_embeddings": False}, False),
        ({"tie_word_embeddings": True, "scale_decoder_outputs": False}, False),  # by transformers 5
        ({"model_type": "mt5", "tie_word_embeddings": False, "transformers_version": "4.40.0"}, False),
        ({"model_type": "mt5", "tie_word_embeddings": True, "transformers_version": "5.1.0"}, False),
    ],
)
def test_a_t5_has_one_matrix_where_it_scales_its_outputs(changes, is_scaled):
    values = values_of(T5Family(), T5_ORIGINAL)
    values = {
        key: value for key, value in values.items() if key not in ("tie_word_embeddings", "scale_decoder_outputs")
    }
    config = T5Family().read_config(values | changes, "config.json")
    assert config.tie_embeddings == is_scaled
    (head,) = T5Family().head(config, "seq2seq_lm") or [None]
    assert (head is None) == is_scaled
    if head is not None:  # one that never scales may be tied all the same
        assert head.found_in({"lm_head.weight", "shared.weight"}).tensors == ("lm_head.weight",)
        assert head.found_in({"shared.weight"}).tensors == ("shared.weight",)


UNSUPPORTED = [
    ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
    ("gpt2", {"scale_attn_weights": False}, "scale_attn_weights"),
    ("gpt2", {"add_cross_attention": True}, "add_cross_attention"),
    ("gpt2", {"activation_function": "swish"}, "activation_function"),
    ("gpt2", {"quantization_config": {"bits": 4}}, "quantization_config"),
    ("gpt2", {"n_embd": "16"}, "n_embd"),
    ("gpt2", {"n_head": 5}, "num_heads 5"),
    ("gpt2", {"tie_word_embeddings": "yes"}, "tie_embeddings"),
    ("llama", {"hidden_act": "gelu"}, "hidden_act"),
    ("llama", {"attention_bias": True}, "mlp_bias"),
    ("llama", {"mlp_bias": True}, "mlp_bias"),
    ("llama", {"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
    ("llama", {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "'rope_type' is 'yarn'"),
    ("llama", {"rope_scaling": {"type": "dynamic", "factor": 4.0}}, "'type' is 'dynamic'"),
    ("llama", {"rope_parameters": {"full_attention": {"rope_theta": 1e4}}}, "not the same in all layers"),
    ("llama", {"rope_scaling": {"rope_type": "linear"}}, "'factor' is missing"),
    ("llama", {"num_key_value_heads": 3}, "num_key_value_heads 3"),
    ("qwen2_window", {"layer_types": ["full_attention", "sliding_attention"]}, "layer_types"),
    ("qwen2_window", {"layer_types": None, "max_window_layers": 1}, "max_window_layers"),
    ("t5", {"feed_forward_proj": "gated-tanh"}, "feed_forward_proj"),
    ("t5", {"decoder_start_token_id": 1}, "decoder_start_token_id"),
    ("t5", {"tie_word_embeddings": "no"}, "tie_word_embeddings"),
    ("t5", {"model_type": "mt5", "transformers_version": "4.40.0"}, "an mT5 that transformers 4 saved"),
]


@pytest.mark.parametrize(
    ("name", "changes", "named"), UNSUPPORTED, ids=[f"{name}-{named}" for name, _, named in UNSUPPORTED]
)
def test_what_is_not_supported_is_named(name, changes, named):
    family, config = FAMILIES[name]
    with pytest.raises(UserError, match=re.escape(named)) as error:
        family.read_config(values_of(family, config, **changes), "config.json")
    assert "config.json" in str(error.value)


@pytest.mark.parametrize(("family", "config"), FAMILIES.values(), ids=FAMILIES)
def test_a_size_that_is_missing_is_named(family, config):
    values = family.write_config(config)
    del values["vocab_size"]
    with pytest.raises(UserError, match="vocab_size"):
        family.read_config(values, "config.json")


@pytest.mark.parametrize(
    ("base", "changes", "named"),
    [
        (LLAMA, {"activation": "geglu"}, 'model.activation "geglu"'),
        (LLAMA, {"norm": "layer_norm"}, 'model.norm "layer_norm"'),
        (LLAMA, {"use_bias": True, "qkv_bias": False}, "model.qkv_bias false"),
        (LLAMA, {"use_bias": True, "attention_window": 4}, "model.use_bias true"),
        (GPT2, {"norm": "rms_norm", "use_bias": False}, 'model.norm "rms_norm", model.use_bias false'),
        (GPT2, {"attention_window": 4}, "model.attention_window 4"),
        (GPT2, {"num_key_value_heads": 2}, "model.num_key_value_heads 2"),
        (GPT2, {"head_dim": 6}, "model.head_dim 6"),
        (GPT2, {"activation": "swiglu"}, 'model.activation "swiglu"'),
    ],
)
def test_a_mix_that_no_family_has_is_told_with_what_would_leave(base, changes, named):
    config = base.model_copy(update=changes)
    with pytest.raises(UserError, match=re.escape(named)) as error:
        families_of_decoder(config)[0].write_config(config)
    assert "Supported: position_embedding" in str(error.value)


def test_heads_that_a_family_does_not_have_are_named():
    for name, task_type in (("gpt2", "masked_lm"), ("llama", "seq2seq_lm"), ("t5", "text_classification")):
        family, config = FAMILIES[name]
        with pytest.raises(UserError, match=task_type):
            family.head(config, task_type)
    with pytest.raises(UserError, match="pad_id"):
        T5Family().write_config(T5_ORIGINAL.model_copy(update={"pad_id": -1}))
