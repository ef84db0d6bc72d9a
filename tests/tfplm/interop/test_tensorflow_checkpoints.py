import json

import numpy as np
import pytest
import tensorflow as tf

from tfplm.errors import UserError
from tfplm.interop.checkpoint import open_checkpoint
from tfplm.interop.tensorflow_checkpoints import find_prefix

SIZES = {
    "vocab_size": 11,
    "hidden_size": 4,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 6,
    "hidden_act": "gelu",
    "max_position_embeddings": 5,
    "type_vocab_size": 2,
}
LAYER = "bert/encoder/layer_1"
FIRST_RELEASE = {
    "bert/embeddings/word_embeddings": (11, 4),
    "bert/embeddings/token_type_embeddings": (2, 4),
    "bert/embeddings/LayerNorm/gamma": (4,),
    f"{LAYER}/attention/self/query/kernel": (4, 4),
    f"{LAYER}/attention/output/LayerNorm/beta": (4,),
    f"{LAYER}/intermediate/dense/kernel": (4, 6),
    f"{LAYER}/intermediate/dense/kernel/adam_m": (4, 6),
    f"{LAYER}/intermediate/dense/kernel/adam_v": (4, 6),
    f"{LAYER}/intermediate/dense/bias": (6,),
    "bert/pooler/dense/kernel": (4, 4),
}
PRETRAINING = {
    "cls/predictions/transform/dense/kernel": (4, 4),
    "cls/predictions/transform/LayerNorm/gamma": (4,),
    "cls/predictions/output_bias": (11,),
    "cls/seq_relationship/output_weights": (2, 4),
    "cls/seq_relationship/output_bias": (2,),
}
PLACE = "layer_with_weights-4/"


def random_values(shapes):
    random = np.random.default_rng(0)
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def write_first_release(folder, shapes, name="bert_model.ckpt"):
    """As `tf.compat.v1.train.Saver` writes it."""
    values = random_values(shapes)
    names = ["global_step", *values]
    tensors = [tf.constant(1, tf.int64), *(tf.constant(value) for value in values.values())]
    tf.raw_ops.SaveV2(
        prefix=str(folder / name), tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors
    )
    (folder / f"{name}.meta").write_bytes(b"")
    (folder / "bert_config.json").write_text(json.dumps(SIZES | {"directionality": "bidi"}))
    return values


def write_garden(folder, shapes, root="encoder"):
    """As `tf.train.Checkpoint(encoder=…)` writes a model, whose layers are nested objects."""
    values = random_values(shapes)
    trackable = tf.train.Checkpoint()
    for path, value in values.items():
        *levels, last = path.split("/")
        node = trackable
        for level in levels:
            if not hasattr(node, level):
                setattr(node, level, tf.Module())
            node = getattr(node, level)
        setattr(node, last.replace(".S", "/"), tf.Variable(value))
    tf.train.Checkpoint(**{root: trackable}).save(str(folder / "ckpt"))
    (folder / "bert_config.json").write_text(json.dumps(SIZES))
    return values


def garden_shapes(is_named=False):
    place = "_transformer_layers/0/" if is_named else PLACE
    outer = ["_embedding_layer", "_position_embedding_layer", "_type_embedding_layer", "_embedding_norm_layer"]
    outer = outer if is_named else [f"layer_with_weights-{number}" for number in range(4)]
    pooler = "_pooler_layer" if is_named else "layer_with_weights-5"
    shapes = dict(zip([f"{layer}/embeddings" for layer in outer[:3]], [(11, 4), (5, 4), (2, 4)], strict=True))
    shapes |= {f"{outer[3]}/gamma": (4,), f"{outer[3]}/beta": (4,), f"{pooler}/kernel": (4, 4), f"{pooler}/bias": (4,)}
    for part in ("query", "key", "value"):
        shapes |= {f"{place}_attention_layer/_{part}_dense/kernel": (4, 2, 2)}
        shapes |= {f"{place}_attention_layer/_{part}_dense/bias": (2, 2)}
    shapes |= {f"{place}_attention_layer/_output_dense/kernel": (2, 2, 4)}
    shapes |= {f"{place}_attention_layer/_output_dense/bias": (4,)}
    shapes |= {f"{place}_intermediate_dense/kernel": (4, 6), f"{place}_intermediate_dense/bias": (6,)}
    shapes |= {f"{place}_output_dense/kernel": (6, 4), f"{place}_output_dense/bias": (4,)}
    for norm in ("_attention_layer_norm", "_output_layer_norm"):
        shapes |= {f"{place}{norm}/gamma": (4,), f"{place}{norm}/beta": (4,)}
    return shapes


def test_a_first_release_checkpoint_has_the_names_and_kernels_of_hugging_face(tmp_path):
    values = write_first_release(tmp_path, FIRST_RELEASE | PRETRAINING)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.kind == "tf1_bert"
    assert checkpoint.config["architectures"] == ["BertForPreTraining"]
    assert checkpoint.config["model_type"] == "bert"
    assert checkpoint.config["hidden_act"] == "gelu"
    assert "directionality" not in checkpoint.config
    expected = {
        "bert.embeddings.word_embeddings.weight": values["bert/embeddings/word_embeddings"],
        "bert.embeddings.token_type_embeddings.weight": values["bert/embeddings/token_type_embeddings"],
        "bert.embeddings.LayerNorm.weight": values["bert/embeddings/LayerNorm/gamma"],
        "bert.encoder.layer.1.attention.self.query.weight": values[f"{LAYER}/attention/self/query/kernel"].T,
        "bert.encoder.layer.1.attention.output.LayerNorm.bias": values[f"{LAYER}/attention/output/LayerNorm/beta"],
        "bert.encoder.layer.1.intermediate.dense.weight": values[f"{LAYER}/intermediate/dense/kernel"].T,
        "bert.encoder.layer.1.intermediate.dense.bias": values[f"{LAYER}/intermediate/dense/bias"],
        "bert.pooler.dense.weight": values["bert/pooler/dense/kernel"].T,
        "cls.predictions.transform.dense.weight": values["cls/predictions/transform/dense/kernel"].T,
        "cls.predictions.transform.LayerNorm.weight": values["cls/predictions/transform/LayerNorm/gamma"],
        "cls.predictions.bias": values["cls/predictions/output_bias"],
        "cls.seq_relationship.weight": values["cls/seq_relationship/output_weights"],
        "cls.seq_relationship.bias": values["cls/seq_relationship/output_bias"],
    }
    assert set(checkpoint.tensors.names()) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(checkpoint.tensors.read(name), value)
        assert checkpoint.tensors.shape(name) == value.shape


@pytest.mark.parametrize(
    ("head", "architecture", "name"),
    [
        ({"output_weights": (3, 4), "output_bias": (3,)}, "BertForSequenceClassification", "classifier"),
        ({"cls/squad/output_weights": (2, 4), "cls/squad/output_bias": (2,)}, "BertForQuestionAnswering", "qa_outputs"),
        ({}, "BertModel", None),
    ],
)
def test_the_heads_of_the_first_release_tell_the_architecture(tmp_path, head, architecture, name):
    values = write_first_release(tmp_path, FIRST_RELEASE | head, "model.ckpt-100")
    checkpoint = open_checkpoint(tmp_path / "model.ckpt-100")
    assert checkpoint.config["architectures"] == [architecture]
    if name:
        np.testing.assert_array_equal(checkpoint.tensors.read(f"{name}.weight"), values[next(iter(head))])
    assert len(checkpoint.config.get("id2label", {})) == (3 if name == "classifier" else 0)


def test_a_vocabulary_with_capital_letters_is_not_lower_cased(tmp_path):
    write_first_release(tmp_path, FIRST_RELEASE)
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\nthe\n")
    assert open_checkpoint(tmp_path).tokenizer_folder == tmp_path
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\nThe\n")
    checkpoint = open_checkpoint(tmp_path)
    assert json.loads((checkpoint.tokenizer_folder / "tokenizer_config.json").read_text())["do_lower_case"] is False
    assert (checkpoint.tokenizer_folder / "vocab.txt").read_text() == "[PAD]\n[UNK]\nThe\n"


@pytest.mark.parametrize("is_named", [False, True])
@pytest.mark.parametrize("root", ["encoder", "model"])
def test_an_encoder_of_model_garden_has_the_names_and_kernels_of_hugging_face(tmp_path, is_named, root):
    values = write_garden(tmp_path, garden_shapes(is_named), root)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.kind == "model_garden"
    assert checkpoint.config["architectures"] == ["BertModel"]
    assert checkpoint.config["hidden_act"] == "gelu_new"  # Model Garden's "gelu" is the tanh form
    place = "_transformer_layers/0/" if is_named else PLACE
    attention = f"{place}_attention_layer"
    query, output = values[f"{attention}/_query_dense/kernel"], values[f"{attention}/_output_dense/kernel"]
    expected = {
        "bert.encoder.layer.0.attention.self.query.weight": query.reshape(4, 4).T,
        "bert.encoder.layer.0.attention.self.query.bias": values[f"{attention}/_query_dense/bias"].reshape(4),
        "bert.encoder.layer.0.attention.output.dense.weight": output.reshape(4, 4).T,
        "bert.encoder.layer.0.attention.output.LayerNorm.weight": values[f"{attention}_norm/gamma"],
        "bert.encoder.layer.0.intermediate.dense.weight": values[f"{place}_intermediate_dense/kernel"].T,
        "bert.encoder.layer.0.output.dense.weight": values[f"{place}_output_dense/kernel"].T,
        "bert.encoder.layer.0.output.LayerNorm.bias": values[f"{place}_output_layer_norm/beta"],
    }
    for name, value in expected.items():
        np.testing.assert_array_equal(checkpoint.tensors.read(name), value)
        assert checkpoint.tensors.shape(name) == value.shape
    embeddings = [
        checkpoint.tensors.shape(f"bert.embeddings.{kind}_embeddings.weight") for kind in ("word", "position")
    ]
    assert embeddings == [(11, 4), (5, 4)]
    assert len(checkpoint.tensors.names()) == len(values)


def test_a_pretrainer_of_model_garden_keeps_its_words_with_its_head(tmp_path):
    shapes = {f"encoder_network/{name}": shape for name, shape in garden_shapes().items()}
    del shapes["encoder_network/layer_with_weights-0/embeddings"]
    shapes |= {"masked_lm/embedding_table": (11, 4), "masked_lm/output_bias.Sbias": (11,)}
    shapes |= {"masked_lm/dense/kernel": (4, 4), "masked_lm/dense/bias": (4,)}
    shapes |= {"classification_heads/0/dense/kernel": (4, 4), "classification_heads/0/dense/bias": (4,)}
    shapes |= {"classification_heads/0/out_proj/kernel": (4, 2), "classification_heads/0/out_proj/bias": (2,)}
    values = write_garden(tmp_path, shapes, "model")
    tensors = open_checkpoint(tmp_path).tensors
    head = "classification_heads/0"
    expected = {
        "bert.embeddings.word_embeddings.weight": values["masked_lm/embedding_table"],
        "cls.predictions.transform.dense.weight": values["masked_lm/dense/kernel"].T,
        "bert.pooler.dense.weight": values[f"{head}/dense/kernel"].T,
        "cls.seq_relationship.weight": values[f"{head}/out_proj/kernel"].T,
    }
    for name, value in expected.items():
        np.testing.assert_array_equal(tensors.read(name), value)
    assert not [name for name in tensors.names() if "/" in name]


@pytest.mark.parametrize(
    ("head", "architecture"),
    [
        ({"layer_with_weights-1/out_proj/kernel": (4, 3)}, "BertForSequenceClassification"),
        ({"layer_with_weights-1/layer_with_weights-0/kernel": (4, 2)}, "BertForQuestionAnswering"),
        ({"layer_with_weights-1/kernel": (4, 3)}, "BertForTokenClassification"),
    ],
)
def test_the_heads_of_model_garden_tell_the_architecture(tmp_path, head, architecture):
    shapes = {f"layer_with_weights-0/{name}": shape for name, shape in garden_shapes().items()}
    write_garden(tmp_path, shapes | head, "model")
    assert open_checkpoint(tmp_path).config["architectures"] == [architecture]


def test_params_of_model_garden_stand_for_a_bert_config(tmp_path):
    write_garden(tmp_path, garden_shapes())
    (tmp_path / "bert_config.json").unlink()
    with pytest.raises(UserError, match="no bert_config.json or params.yaml"):
        open_checkpoint(tmp_path)
    params = "task: {model: {encoder: {type: bert, bert: {hidden_size: 4, num_layers: 1, hidden_activation: relu}}}}"
    (tmp_path / "params.yaml").write_text(params)
    config = open_checkpoint(tmp_path).config
    assert (config["hidden_size"], config["num_hidden_layers"], config["hidden_act"]) == (4, 1, "relu")
    (tmp_path / "params.yaml").write_text(params.replace("type: bert", "type: albert"))
    with pytest.raises(UserError, match="does not tell of a BERT"):
        open_checkpoint(tmp_path)
    (tmp_path / "params.yaml").write_text("!!python/object/apply:os.system [exit]")
    with pytest.raises(UserError, match="does not tell of a BERT"):
        open_checkpoint(tmp_path)


def test_a_bert_that_normalizes_first_is_refused(tmp_path):
    write_garden(tmp_path, garden_shapes())
    (tmp_path / "bert_config.json").write_text(json.dumps(SIZES | {"embedding_size": 2}))
    with pytest.raises(UserError, match="embeddings have another width"):
        open_checkpoint(tmp_path)


def test_another_model_is_refused(tmp_path):
    write_first_release(tmp_path, {"electra/embeddings/word_embeddings": (11, 4)})
    with pytest.raises(UserError, match="holds no BERT"):
        open_checkpoint(tmp_path)


def test_of_several_checkpoints_the_one_that_the_state_names_is_taken(tmp_path):
    for name in ("ckpt-1", "ckpt-2"):
        (tmp_path / f"{name}.index").touch()
    with pytest.raises(UserError, match="several checkpoints: ckpt-1, ckpt-2"):
        find_prefix(tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/ckpt-2"\n')
    assert find_prefix(tmp_path) == tmp_path / "ckpt-2"


@pytest.mark.parametrize("part", ["index", "data"])
def test_a_damaged_checkpoint_is_a_user_error(tmp_path, part):
    write_first_release(tmp_path, FIRST_RELEASE)
    path = next(tmp_path.glob(f"bert_model.ckpt.{part}*"))
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(UserError, match="is damaged"):
        open_checkpoint(tmp_path)
    path.unlink()
    if part == "data":
        with pytest.raises(UserError, match="is damaged"):
            open_checkpoint(tmp_path)


def test_a_value_that_does_not_match_its_checksum_is_a_user_error(tmp_path):
    write_first_release(tmp_path, FIRST_RELEASE)
    path = next(tmp_path.glob("bert_model.ckpt.data*"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    tensors = open_checkpoint(tmp_path).tensors
    with pytest.raises(UserError, match="is damaged"):
        for name in tensors.names():
            tensors.read(name)
