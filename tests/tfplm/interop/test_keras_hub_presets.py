import json

import h5py
import keras
import keras_hub
import ml_dtypes
import numpy as np
import pytest

from tests.tfplm.interop.opened_encoder import opened_encoder
from tfplm.errors import UserError
from tfplm.interop.checkpoint import open_checkpoint

ENCODER = {"vocabulary_size": 13, "num_layers": 2, "num_heads": 2, "hidden_dim": 4, "intermediate_dim": 6}
LLAMA = {"vocabulary_size": 13, "num_layers": 2, "num_query_heads": 2, "hidden_dim": 4, "intermediate_dim": 6}


def saved(model, folder):
    """The preset of a model whose every weight is another random one."""
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.standard_normal(weight.shape).astype(np.float32))
    model.save_to_preset(folder)
    return {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.weights}


def assert_made(checkpoint, expected):
    for name, value in expected.items():
        np.testing.assert_array_equal(checkpoint.tensors.read(name), value, err_msg=name)
        assert checkpoint.tensors.shape(name) == value.shape
        assert checkpoint.tensors.dtype(name) == value.dtype


def assert_nothing_is_left(checkpoint):
    assert not [name for name in checkpoint.tensors.names() if "/" in name]


def test_bert(tmp_path):
    values = saved(keras_hub.models.BertBackbone(**ENCODER, max_sequence_length=7), tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.kind == "keras_hub"
    assert checkpoint.config["architectures"] == ["BertModel"]
    assert checkpoint.config["max_position_embeddings"] == 7
    assert checkpoint.config["hidden_act"] == "gelu_new"
    block, layer = "transformer_layer_1", "bert.encoder.layer.1"
    attention = f"{block}/self_attention_layer"
    expected = {
        "bert.embeddings.word_embeddings.weight": values["token_embedding/embeddings"],
        "bert.embeddings.position_embeddings.weight": values["position_embedding/embeddings"],
        "bert.embeddings.token_type_embeddings.weight": values["segment_embedding/embeddings"],
        "bert.embeddings.LayerNorm.bias": values["embeddings_layer_norm/beta"],
        "bert.pooler.dense.weight": values["pooled_dense/kernel"].T,
        f"{layer}.attention.self.query.weight": values[f"{attention}/query/kernel"].reshape(4, 4).T,
        f"{layer}.attention.self.key.bias": values[f"{attention}/key/bias"].reshape(4),
        f"{layer}.attention.output.dense.weight": values[f"{attention}/attention_output/kernel"].reshape(4, 4).T,
        f"{layer}.attention.output.LayerNorm.weight": values[f"{block}/self_attention_layer_norm/gamma"],
        f"{layer}.intermediate.dense.weight": values[f"{block}/feedforward_intermediate_dense/kernel"].T,
        f"{layer}.output.dense.bias": values[f"{block}/feedforward_output_dense/bias"],
        f"{layer}.output.LayerNorm.bias": values[f"{block}/feedforward_layer_norm/beta"],
    }
    assert_made(checkpoint, expected)
    assert_nothing_is_left(checkpoint)
    assert len(checkpoint.tensors.names()) == len(values)


def test_the_heads_of_bert_come_from_their_own_file(tmp_path):
    backbone = keras_hub.models.BertBackbone(**ENCODER, max_sequence_length=7)
    values = saved(keras_hub.models.BertTextClassifier(backbone, num_classes=3), tmp_path / "classifier")
    checkpoint = open_checkpoint(tmp_path / "classifier")
    assert checkpoint.config["architectures"] == ["BertForSequenceClassification"]
    assert checkpoint.config["id2label"] == {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}
    assert_made(checkpoint, {"classifier.weight": values["logits/kernel"].T, "classifier.bias": values["logits/bias"]})
    assert_nothing_is_left(checkpoint)
    assert set(checkpoint.digests) == {"model.weights.h5", "task.weights.h5"}
    values = saved(keras_hub.models.BertMaskedLM(backbone), tmp_path / "masked")
    checkpoint = open_checkpoint(tmp_path / "masked")
    assert checkpoint.config["architectures"] == ["BertForMaskedLM"]
    expected = {
        "cls.predictions.transform.dense.weight": values["mlm_head/intermediate_dense/kernel"].T,
        "cls.predictions.transform.LayerNorm.weight": values["mlm_head/intermediate_layer_norm/gamma"],
        "cls.predictions.bias": values["mlm_head/output_bias"],
    }
    assert_made(checkpoint, expected)
    assert_nothing_is_left(checkpoint)


def test_roberta_has_two_idle_positions_and_one_segment_that_adds_nothing(tmp_path):
    backbone = keras_hub.models.RobertaBackbone(**ENCODER, max_sequence_length=7)
    values = saved(keras_hub.models.RobertaTextClassifier(backbone, num_classes=3), tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.config["max_position_embeddings"] == 9
    expected = {
        "roberta.embeddings.word_embeddings.weight": values["embeddings/token_embedding/embeddings"],
        "roberta.embeddings.position_embeddings.weight": np.pad(
            values["embeddings/position_embedding/embeddings"], ((2, 0), (0, 0))
        ),
        "roberta.embeddings.token_type_embeddings.weight": np.zeros((1, 4), np.float32),
        "classifier.dense.weight": values["pooled_dense/kernel"].T,
        "classifier.out_proj.weight": values["logits/kernel"].T,
    }
    assert_made(checkpoint, expected)
    assert_nothing_is_left(checkpoint)


def test_distilbert(tmp_path):
    backbone = keras_hub.models.DistilBertBackbone(**ENCODER, max_sequence_length=7)
    values = saved(keras_hub.models.DistilBertTextClassifier(backbone, num_classes=3), tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    expected = {
        "distilbert.embeddings.position_embeddings.weight": values[
            "token_and_position_embedding/position_embedding/embeddings"
        ],
        "distilbert.transformer.layer.1.ffn.lin1.weight": values[
            "transformer_layer_1/feedforward_intermediate_dense/kernel"
        ].T,
        "pre_classifier.weight": values["pooled_dense/kernel"].T,
        "classifier.bias": values["logits/bias"],
    }
    assert_made(checkpoint, expected)
    assert_nothing_is_left(checkpoint)


def test_albert_has_one_block_for_all_layers(tmp_path):
    sizes = {**ENCODER, "embedding_dim": 3, "max_sequence_length": 7}
    values = saved(keras_hub.models.AlbertBackbone(**sizes), tmp_path / "one")
    checkpoint = open_checkpoint(tmp_path / "one")
    start = "albert.encoder.albert_layer_groups.0.albert_layers.0"
    expected = {
        "albert.encoder.embedding_hidden_mapping_in.weight": values["embedding_projection/kernel"].T,
        "albert.pooler.weight": values["pooled_dense/kernel"].T,
        f"{start}.ffn_output.weight": values["group_0_inner_layer_0/feedforward_output_dense/kernel"].T,
    }
    assert_made(checkpoint, expected)
    assert_nothing_is_left(checkpoint)
    assert checkpoint.config["num_hidden_layers"] == 2
    saved(keras_hub.models.AlbertBackbone(**sizes, num_groups=2), tmp_path / "two")
    with pytest.raises(UserError, match="'num_groups' is 2"):
        open_checkpoint(tmp_path / "two")


def test_gpt2_joins_its_queries_keys_and_values(tmp_path):
    values = saved(keras_hub.models.GPT2Backbone(**ENCODER, max_sequence_length=7), tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.config["architectures"] == ["GPT2LMHeadModel"]
    block = "transformer_layer_1"
    parts = [values[f"{block}/self_attention/{part}/kernel"].reshape(4, 4) for part in ("query", "key", "value")]
    biases = [values[f"{block}/self_attention/{part}/bias"].reshape(4) for part in ("query", "key", "value")]
    output = values[f"{block}/self_attention/attention_output/kernel"]
    expected = {
        "transformer.wte.weight": values["token_embedding/embeddings"],
        "transformer.ln_f.weight": values["layer_norm/gamma"],
        "transformer.h.1.attn.c_attn.weight": np.concatenate(parts, axis=-1),
        "transformer.h.1.attn.c_attn.bias": np.concatenate(biases),
        "transformer.h.1.attn.c_proj.weight": output.reshape(4, 4),
        "transformer.h.1.ln_1.weight": values[f"{block}/self_attention_layer_norm/gamma"],
        "transformer.h.1.mlp.c_fc.weight": values[f"{block}/feedforward_intermediate_dense/kernel"],
        "transformer.h.1.ln_2.bias": values[f"{block}/feedforward_layer_norm/beta"],
    }
    assert_made(checkpoint, expected)
    assert_nothing_is_left(checkpoint)


@pytest.mark.parametrize("is_tied", [True, False])
def test_t5(tmp_path, is_tied):
    model = keras_hub.models.T5Backbone(
        **ENCODER, key_value_dim=3, activation="relu", use_gated_activation=not is_tied, tie_embedding_weights=is_tied
    )
    saved(model, tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    config = checkpoint.config
    assert config["feed_forward_proj"] == ("relu" if is_tied else "gated-relu")
    assert (config["d_kv"], config["tie_word_embeddings"]) == (3, is_tied)
    first, last = model.get_layer("transformer_decoder_layer_0"), model.get_layer("transformer_decoder_layer_1")
    encoder, decoder = model.get_layer("transformer_encoder_layer_1"), "decoder.block.1.layer"
    variables = {
        "shared.weight": model.token_embedding.embeddings,
        "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": (
            first.self_attention.relative_attention_bias
        ),
        f"{decoder}.0.layer_norm.weight": last.self_attention_layer_norm.weight,
        f"{decoder}.1.layer_norm.weight": last.cross_attention_layer_norm.weight,
        f"{decoder}.2.layer_norm.weight": last.layer_norm.weight,
        "encoder.final_layer_norm.weight": model.get_layer("encoder_output_layer_norm").weight,
        "decoder.final_layer_norm.weight": model.get_layer("decoder_output_layer_norm").weight,
    }
    kernels = {
        "encoder.block.1.layer.0.SelfAttention.q.weight": encoder.self_attention.query_projector.kernel,
        f"{decoder}.1.EncDecAttention.o.weight": last.cross_attention.output_projector.kernel,
        f"{decoder}.2.DenseReluDense.wo.weight": last.output_projector.kernel,
        f"{decoder}.2.DenseReluDense.{'wi' if is_tied else 'wi_0'}.weight": last.input_projector.kernel,
    }
    if not is_tied:
        kernels[f"{decoder}.2.DenseReluDense.wi_1.weight"] = last.gate_projector.kernel
        kernels["lm_head.weight"] = model.token_embedding.reverse_embeddings
    expected = {name: variable.numpy() for name, variable in variables.items()}
    expected |= {name: kernel.numpy().T for name, kernel in kernels.items()}
    assert_made(checkpoint, expected)
    assert_nothing_is_left(checkpoint)


def test_a_gated_t5_with_the_exact_gelu_is_refused(tmp_path):
    saved(keras_hub.models.T5Backbone(**ENCODER, activation="gelu"), tmp_path)
    with pytest.raises(UserError, match="has the activation 'gelu'"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("backbone", "kind"), [(keras_hub.models.LlamaBackbone, "llama"), (keras_hub.models.MistralBackbone, "mistral")]
)
def test_llama_and_mistral(tmp_path, backbone, kind):
    values = saved(backbone(**LLAMA, num_key_value_heads=1), tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.config["model_type"] == kind
    block = "transformer_layer_1"
    expected = {
        "model.embed_tokens.weight": values["token_embedding/embeddings"],
        "lm_head.weight": values["token_embedding/reverse_embeddings"].T,
        "model.layers.1.self_attn.k_proj.weight": values[f"{block}/self_attention/key/kernel"].reshape(4, 2).T,
        "model.layers.1.mlp.gate_proj.weight": values[f"{block}/feedforward_gate_dense/kernel"].T,
        "model.layers.1.mlp.down_proj.weight": values[f"{block}/feedforward_output_dense/kernel"].T,
    }
    assert_made(checkpoint, expected)
    assert_nothing_is_left(checkpoint)


def test_bfloat16_stays_bfloat16(tmp_path):
    model = keras_hub.models.GPT2Backbone(**ENCODER, max_sequence_length=7, dtype="bfloat16")
    model.save_to_preset(tmp_path)
    tensors = open_checkpoint(tmp_path).tensors
    table = keras.ops.convert_to_numpy(model.token_embedding.embeddings)
    assert tensors.dtype("transformer.wte.weight") == tensors.read("transformer.wte.weight").dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(tensors.read("transformer.wte.weight"), table.astype(ml_dtypes.bfloat16))


@pytest.fixture
def preset(tmp_path):
    keras_hub.models.GPT2Backbone(**{**ENCODER, "num_layers": 1}, max_sequence_length=7).save_to_preset(tmp_path)
    return tmp_path


def change_config(preset, **changes):
    path = preset / "config.json"
    config = json.loads(path.read_text())
    config.update({key: value for key, value in changes.items() if key == "class_name"})
    config["config"].update({key: value for key, value in changes.items() if key != "class_name"})
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_name": "GemmaBackbone"}, "is of a GemmaBackbone.*Supported: BertBackbone"),
        ({"num_layers": 2}, "has no layers/transformer_decoder_1"),
        ({"num_layers": "1"}, "'num_layers' is '1'"),
        ({"hidden_dim": True}, "'hidden_dim' is True"),
    ],
)
def test_a_config_that_does_not_fit_is_a_user_error(preset, changes, message):
    change_config(preset, **changes)
    with pytest.raises(UserError, match=f"(?s){message}"):
        open_checkpoint(preset)


def test_what_nobody_asked_for_is_listed_under_its_own_name(preset):
    with h5py.File(preset / "model.weights.h5", "a") as file:
        file["layers/adapter/vars/0"] = np.zeros(3, np.float32)
    assert "layers/adapter/vars/0" in open_checkpoint(preset).tensors.names()


def test_an_unknown_task_is_a_user_error(preset):
    (preset / "task.json").write_text('{"class_name": "GPT2Dancer", "config": {}}')
    with pytest.raises(UserError, match="of the task 'GPT2Dancer'"):
        open_checkpoint(preset)


def test_the_tokenizer_has_hugging_faces_names(preset):
    assert open_checkpoint(preset).tokenizer_folder == preset
    tokenizer = keras_hub.models.GPT2Tokenizer(vocabulary={"<|endoftext|>": 0, "a": 1, "b": 2, "ab": 3}, merges=["a b"])
    tokenizer.save_to_preset(preset)
    checkpoint = open_checkpoint(preset)
    folder = checkpoint.tokenizer_folder
    assert json.loads((folder / "vocab.json").read_text())["ab"] == 3
    assert (folder / "merges.txt").read_text().split("\n")[:2] == ["#version: 0.2", "a b"]
    assert json.loads((folder / "tokenizer_config.json").read_text())["tokenizer_class"] == "GPT2Tokenizer"
    del checkpoint
    assert not folder.exists()


def test_a_word_piece_tokenizer_keeps_its_settings(preset):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]
    keras_hub.models.BertTokenizer(words, lowercase=True).save_to_preset(preset)
    folder = (checkpoint := open_checkpoint(preset)).tokenizer_folder
    assert (folder / "vocab.txt").read_text().split() == words
    config = json.loads((folder / "tokenizer_config.json").read_text())
    assert config == {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": False}
    (preset / "tokenizer.json").write_text('{"class_name": "GemmaTokenizer", "config": {}}')
    with pytest.raises(UserError, match="is of a 'GemmaTokenizer'"):
        open_checkpoint(preset)
    del checkpoint


IDS = np.array([[5, 6, 7, 8, 2, 3], [9, 4, 12, 2, 11, 10]])
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])
SEGMENTS = np.array([[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 0, 0]])
ONE_SIDE = {"token_ids": IDS, "padding_mask": MASK}
TWO_SIDES = {"encoder_token_ids": IDS, "encoder_padding_mask": MASK, "decoder_token_ids": IDS}
POSITIONS = {"max_sequence_length": 7}


def outputs(values):
    """(batch, sequence, hidden_dim) of what a KerasHub model or one of ours gives."""
    if isinstance(values, dict):
        values = values.get("decoder_sequence_output", values.get("sequence_output"))
    return keras.ops.convert_to_numpy(values)


@pytest.mark.parametrize(
    ("model", "sizes", "theirs", "ours"),
    [
        ("BertBackbone", ENCODER | POSITIONS, {**ONE_SIDE, "segment_ids": SEGMENTS}, {"segment_ids": SEGMENTS}),
        ("RobertaBackbone", ENCODER | POSITIONS, ONE_SIDE, {}),
        ("GPT2Backbone", ENCODER | POSITIONS, ONE_SIDE, {}),
        ("LlamaBackbone", LLAMA | {"num_key_value_heads": 1}, ONE_SIDE, {}),
        ("MistralBackbone", LLAMA | {"num_key_value_heads": 1, "sliding_window": 3}, ONE_SIDE, {}),
        (
            "T5Backbone",
            ENCODER | {"activation": "relu", "use_gated_activation": False},
            {**TWO_SIDES, "decoder_padding_mask": np.ones_like(IDS)},
            {"decoder_token_ids": IDS},
        ),
    ],
)
def test_our_model_gives_the_outputs_of_keras_hub(tmp_path, model, sizes, theirs, ours):
    reference = getattr(keras_hub.models, model)(**sizes | {"hidden_dim": 8})
    saved(reference, tmp_path)
    encoder = opened_encoder(open_checkpoint(tmp_path))
    expected = outputs(reference(theirs))
    read = np.ones_like(MASK) if "decoder_token_ids" in ours else MASK  # what padding gives is nobody's concern
    found = outputs(encoder({**ONE_SIDE, **ours}))
    np.testing.assert_allclose(found[read == 1], expected[read == 1], atol=1e-5)
    # The same comparison sees a tensor that is not the right one.
    kernel = next(weight for weight in encoder.weights if weight.path.endswith("qkv/kernel"))
    kernel.assign(kernel[:, ::-1])
    assert np.abs(outputs(encoder({**ONE_SIDE, **ours})) - expected)[read == 1].max() > 1e-3
