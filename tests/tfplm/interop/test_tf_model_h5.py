import h5py
import numpy as np
import pytest

from tfplm.errors import UserError
from tfplm.interop.tf_model_h5 import hugging_face_name, open_tf_model_h5

MODEL = "tf_bert_for_masked_lm"
KERNEL = np.arange(6, dtype=np.float32).reshape(2, 3)


def write_h5(path, layers):
    """The layout of `save_weights` of Keras 2: a group a layer, whose weights are listed in an attribute."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        file.attrs["backend"] = b"tensorflow"
        file.create_group("top_level_model_weights").attrs["weight_names"] = []
        for layer, weights in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in weights]
            for name, value in weights.items():
                group.create_dataset(name, data=value)
    return path


@pytest.mark.parametrize(
    ("weight", "group", "name"),
    [
        ("bert/embeddings/word_embeddings/weight", "bert", "bert.embeddings.word_embeddings.weight"),
        ("bert/embeddings/position_embeddings/embeddings", "bert", "bert.embeddings.position_embeddings.weight"),
        ("bert/embeddings/LayerNorm/gamma", "bert", "bert.embeddings.LayerNorm.weight"),
        ("bert/embeddings/LayerNorm/beta", "bert", "bert.embeddings.LayerNorm.bias"),
        ("bert/encoder/layer_._11/output/dense/kernel", "bert", "bert.encoder.layer.11.output.dense.weight"),
        ("mlm___cls/predictions/transform/dense/kernel", "mlm___cls", "cls.predictions.transform.dense.weight"),
        ("nsp___cls/seq_relationship/bias", "nsp___cls", "cls.seq_relationship.bias"),
        ("classifier/bias", "classifier", "classifier.bias"),
        (
            "roberta/encoder/layer_._0/attention/self/key/bias",
            "roberta",
            "roberta.encoder.layer.0.attention.self.key.bias",
        ),
        ("lm_head/layer_norm/gamma", "lm_head", "lm_head.layer_norm.weight"),
        (
            "distilbert/transformer/layer_._2/ffn/lin1/kernel",
            "distilbert",
            "distilbert.transformer.layer.2.ffn.lin1.weight",
        ),
        (
            "albert/encoder/albert_layer_groups_._0/albert_layers_._0/ffn/kernel",
            "albert",
            "albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight",
        ),
        (
            "discriminator_predictions/dense/kernel",
            "discriminator_predictions",
            "discriminator_predictions.dense.weight",
        ),
        ("transformer/h_._3/attn/c_attn/weight", "transformer", "transformer.h.3.attn.c_attn.weight"),
        (
            "encoder/block_._0/layer_._0/SelfAttention/relative_attention_bias/embeddings",
            "encoder",
            "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
        ),
        ("shared/shared/embeddings", "shared", "shared.weight"),
        ("shared/embeddings", "shared", "shared.weight"),
    ],
)
def test_the_names_are_those_of_pytorch_with_and_without_the_models_name(weight, group, name):
    assert hugging_face_name(f"tf_some_model/{weight}:0", group) == name
    assert hugging_face_name(f"{weight}:0", group) == name


def test_kernels_are_transposed_and_nothing_else_is(tmp_path):
    table = np.arange(8, dtype=np.float32).reshape(4, 2)
    weights = {
        f"{MODEL}/bert/embeddings/word_embeddings/weight:0": table,
        f"{MODEL}/bert/encoder/layer_._0/attention/self/query/kernel:0": KERNEL,
        f"{MODEL}/bert/encoder/layer_._0/attention/self/query/bias:0": np.arange(3, dtype=np.float16),
    }
    tensors = open_tf_model_h5(write_h5(tmp_path / "tf_model.h5", {"bert": weights, "dropout_37": {}}))
    query = "bert.encoder.layer.0.attention.self.query"
    assert set(tensors.names()) == {"bert.embeddings.word_embeddings.weight", f"{query}.weight", f"{query}.bias"}
    np.testing.assert_array_equal(tensors.read("bert.embeddings.word_embeddings.weight"), table)
    np.testing.assert_array_equal(tensors.read(f"{query}.weight"), KERNEL.T)
    assert tensors.shape(f"{query}.weight") == (3, 2)
    assert tensors.dtype(f"{query}.bias") == tensors.read(f"{query}.bias").dtype == np.float16


def test_the_kernels_of_gpt2_stay_and_their_biases_lose_an_axis(tmp_path):
    layer = "tfgp_t2lm_head_model/transformer/h_._0/attn/c_attn"
    weights = {f"{layer}/weight:0": KERNEL, f"{layer}/bias:0": np.arange(3, dtype=np.float32)[None]}
    tensors = open_tf_model_h5(write_h5(tmp_path / "tf_model.h5", {"transformer": weights}))
    np.testing.assert_array_equal(tensors.read("transformer.h.0.attn.c_attn.weight"), KERNEL)
    np.testing.assert_array_equal(tensors.read("transformer.h.0.attn.c_attn.bias"), [0, 1, 2])
    assert tensors.shape("transformer.h.0.attn.c_attn.bias") == (3,)


def test_a_weight_that_two_layers_share_is_read_once(tmp_path):
    shared = {f"{MODEL}/bert/embeddings/word_embeddings/weight:0": KERNEL}
    path = write_h5(tmp_path / "tf_model.h5", {"bert": shared, "mlm___cls": shared})
    assert open_tf_model_h5(path).names() == ("bert.embeddings.word_embeddings.weight",)
    path = write_h5(path, {"bert": shared, "mlm___cls": {name: value + 1 for name, value in shared.items()}})
    with pytest.raises(UserError, match="one weight with two values"):
        open_tf_model_h5(path)


def write_link(path):
    write_h5(path.with_name("other.h5"), {"bert": {"m/bert/pooler/kernel:0": KERNEL}})
    with h5py.File(path, "w") as file:
        file["bert/m/kernel:0"] = h5py.ExternalLink("other.h5", "/bert/m/bert/pooler/kernel:0")


def write_soft_link(path):
    with h5py.File(path, "w") as file:
        file["bert/kernel:0"] = h5py.SoftLink("/bert/other")


def write_external(path):
    path.with_name("secret").write_bytes(bytes(24))
    with h5py.File(path, "w") as file:
        file.create_dataset("bert/kernel:0", (2, 3), "f4", external=[(str(path.with_name("secret")), 0, 24)])


def write_compressed(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("bert/kernel:0", data=np.zeros((1000, 1000)), compression="gzip")


def write_unallocated(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("bert/kernel:0", (1 << 20, 1 << 20), "f4")


def write_loop(path):
    with h5py.File(path, "w") as file:
        file["bert/again"] = file.create_group("a")
        file["a/bert"] = file["bert"]


def write_text(path):
    with h5py.File(path, "w") as file:
        file["bert/kernel:0"] = ["a", "b"]


def write_truncated(path):
    write_h5(path, {"bert": {"m/bert/pooler/kernel:0": np.zeros((100, 100))}})
    path.write_bytes(path.read_bytes()[:-5000])


def write_no_weights(path):
    h5py.File(path, "w").close()


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_link, "is a link to elsewhere"),
        (write_soft_link, "is a link to elsewhere"),
        (write_external, "is stored outside the file"),
        (write_compressed, "is stored outside the file, compressed"),
        (write_unallocated, "are not in it"),
        (write_loop, "have no end"),
        (write_text, "has the dtype object"),
        (write_truncated, "is damaged"),
        (write_no_weights, "holds no weights"),
        (lambda path: path.write_bytes(b"no"), "is no HDF5 file"),
    ],
)
def test_what_keras_never_writes_is_refused(tmp_path, write, message):
    write(tmp_path / "tf_model.h5")
    with pytest.raises(UserError, match=message):
        open_tf_model_h5(tmp_path / "tf_model.h5")
