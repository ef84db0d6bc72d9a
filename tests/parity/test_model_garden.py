import json

import numpy as np
import pytest

pytest.importorskip("official", reason="Model Garden (tf-models-official) is not installed")

import tensorflow as tf  # noqa: E402
from official.nlp.modeling import layers, models, networks  # noqa: E402

from tests.tfplm.interop.opened_encoder import opened_encoder  # noqa: E402
from tfplm.interop.checkpoint import open_checkpoint  # noqa: E402

SIZES = {"vocab_size": 23, "hidden_size": 16, "max_sequence_length": 9, "type_vocab_size": 2}
IDS = np.random.default_rng(0).integers(1, 23, (3, 7)).astype(np.int32)
MASK = np.array([[1] * 7, [1] * 5 + [0] * 2, [1] * 3 + [0] * 4], np.int32)
SEGMENTS = np.array([[0, 0, 0, 1, 1, 1, 1]] * 3, np.int32)
INPUTS = {"input_word_ids": IDS, "input_mask": MASK, "input_type_ids": SEGMENTS}


def random_encoder(kind):
    options = {"dict_outputs": True} if kind is networks.BertEncoder else {}
    encoder = kind(**SIZES, num_layers=2, num_attention_heads=4, inner_dim=24, **options)
    encoder(INPUTS)
    random = np.random.default_rng(1)
    for variable in encoder.variables:
        variable.assign(random.standard_normal(variable.shape) * 0.3)
    return encoder


def write_config(folder):
    sizes = {"vocab_size": 23, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
    further = {"intermediate_size": 24, "hidden_act": "gelu", "max_position_embeddings": 9, "type_vocab_size": 2}
    (folder / "bert_config.json").write_text(json.dumps(sizes | further))


def assert_equal_outputs(encoder, checkpoint):
    ours = opened_encoder(checkpoint)
    expected = encoder(INPUTS, training=False)
    found = ours({"token_ids": IDS, "segment_ids": SEGMENTS, "padding_mask": MASK})
    difference = np.abs(found["sequence_output"].numpy() - expected["sequence_output"].numpy())[MASK == 1]
    assert difference.max() < 1e-5
    kernel = next(weight for weight in ours.weights if weight.path.endswith("qkv/kernel"))
    kernel.assign(kernel[:, ::-1])  # the comparison sees a tensor that is not the right one
    wrong = ours({"token_ids": IDS, "segment_ids": SEGMENTS, "padding_mask": MASK})["sequence_output"].numpy()
    assert np.abs(wrong - expected["sequence_output"].numpy())[MASK == 1].max() > 1e-3


@pytest.mark.parametrize("kind", [networks.BertEncoder, networks.BertEncoderV2])
@pytest.mark.parametrize("root", ["encoder", "model"])
def test_an_encoder_gives_equal_outputs(tmp_path, kind, root):
    encoder = random_encoder(kind)
    tf.train.Checkpoint(**{root: encoder}).save(str(tmp_path / "ckpt"))
    write_config(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.config["architectures"] == ["BertModel"]
    assert_equal_outputs(encoder, checkpoint)


@pytest.mark.parametrize("kind", [networks.BertEncoder, networks.BertEncoderV2])
def test_a_pretrainer_gives_equal_outputs_and_its_heads(tmp_path, kind):
    encoder = random_encoder(kind)
    head = layers.ClassificationHead(inner_dim=16, num_classes=2, name="next_sentence")
    pretrainer = models.BertPretrainerV2(encoder, classification_heads=[head])
    pretrainer(pretrainer.inputs)
    tf.train.Checkpoint(model=pretrainer).save(str(tmp_path / "ckpt"))
    write_config(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.config["architectures"] == ["BertForPreTraining"]
    assert_equal_outputs(encoder, checkpoint)
    weights = {
        "cls.seq_relationship.weight": head.out_proj.kernel.numpy().T,
        "bert.pooler.dense.weight": head.dense.kernel.numpy().T,
        "cls.predictions.transform.dense.weight": pretrainer.masked_lm.dense.kernel.numpy().T,
    }
    for name, value in weights.items():
        np.testing.assert_array_equal(checkpoint.tensors.read(name), value)
    assert not [name for name in checkpoint.tensors.names() if "/" in name]


@pytest.mark.parametrize("uses_pooler", [True, False])
def test_a_classifier_gives_equal_outputs_and_its_head(tmp_path, uses_pooler):
    encoder = random_encoder(networks.BertEncoder)
    classifier = models.BertClassifier(encoder, 3, use_encoder_pooler=uses_pooler)
    tf.train.Checkpoint(model=classifier).save(str(tmp_path / "ckpt"))
    write_config(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.config["architectures"] == ["BertForSequenceClassification"]
    assert len(checkpoint.config["id2label"]) == 3
    assert_equal_outputs(encoder, checkpoint)
    assert not [name for name in checkpoint.tensors.names() if "/" in name]
