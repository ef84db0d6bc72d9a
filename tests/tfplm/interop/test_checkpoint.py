import hashlib
import json

import h5py
import numpy as np
import pytest

from tfplm.errors import UserError
from tfplm.interop.checkpoint import open_checkpoint
from tfplm.interop.json_files import read_json_object
from tfplm.interop.safetensors_files import write_safetensors

CONFIG = {"model_type": "bert", "architectures": ["BertForMaskedLM"]}


def write_config(folder, values=CONFIG):
    (folder / "config.json").write_text(json.dumps(values))


def write_weights(folder, max_shard_bytes=1 << 30):
    values = {name: np.ones(2, np.float32) for name in ("a", "b")}
    write_safetensors(values.items(), {name: (v.dtype, v.shape) for name, v in values.items()}, folder, max_shard_bytes)


def write_h5(folder):
    with h5py.File(folder / "tf_model.h5", "w") as file:
        file["bert/m/bert/pooler/dense/bias:0"] = np.zeros(3, np.float32)


def test_safetensors_come_before_everything_else(tmp_path):
    write_config(tmp_path)
    write_weights(tmp_path)
    write_h5(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    checkpoint = open_checkpoint(tmp_path)
    assert (checkpoint.kind, checkpoint.config, checkpoint.folder) == ("huggingface", CONFIG, tmp_path)
    assert checkpoint.tensors.names() == ("a", "b")
    assert checkpoint.tokenizer_folder == tmp_path


def test_a_named_file_is_taken(tmp_path):
    write_config(tmp_path, {**CONFIG, "architectures": ["TFBertModel"]})
    write_weights(tmp_path)
    write_h5(tmp_path)
    checkpoint = open_checkpoint(tmp_path / "tf_model.h5")
    assert checkpoint.kind == "tf_model_h5"
    assert checkpoint.config["architectures"] == ["BertModel"]
    assert checkpoint.tensors.names() == ("bert.pooler.dense.bias",)
    assert open_checkpoint(tmp_path / "model.safetensors").kind == "huggingface"
    assert open_checkpoint(tmp_path / "config.json").kind == "huggingface"


def test_every_file_of_weights_has_its_digest(tmp_path):
    write_config(tmp_path)
    write_weights(tmp_path, max_shard_bytes=8)
    digests = open_checkpoint(tmp_path).digests
    assert sorted(digests) == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for name, digest in digests.items():
        assert digest == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-1.bin"])
def test_pickles_are_refused_with_the_command_that_keeps_the_head(tmp_path, name):
    write_config(tmp_path)
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    for source in (tmp_path, tmp_path / name):
        with pytest.raises(UserError, match=f"(?s){name}: Python pickles.*BertForMaskedLM.from_pretrained"):
            open_checkpoint(source)


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "epoch=3.ckpt", "model.pkl", "adapter_model.bin"])
def test_other_pickles_are_refused_with_the_way_to_save_the_model_anew(tmp_path, name):
    write_config(tmp_path)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError, match=f"(?s){name}: Python pickles.*save_pretrained.*safe_serialization=True"):
        open_checkpoint(tmp_path)


def test_the_command_holds_nothing_that_a_stranger_wrote(tmp_path):
    write_config(tmp_path, {"architectures": ["AutoModel; import os"]})
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UserError) as error:
        open_checkpoint(tmp_path)
    assert "import os" not in str(error.value)
    assert "AutoModel.from_pretrained" in str(error.value)


@pytest.mark.parametrize(
    ("name", "option"), [("flax_model.msgpack", "from_flax"), ("tf_model.h5.index.json", "from_tf")]
)
def test_flax_and_sharded_h5_are_refused_with_the_way_out(tmp_path, name, option):
    write_config(tmp_path)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError, match=f"(?s){name}.*transformers 4.*{option}=True"):
        open_checkpoint(tmp_path)


def test_a_folder_of_something_else_is_told_what_is_expected(tmp_path):
    with pytest.raises(UserError, match="(?s)it has no files.*bert_model.ckpt.index"):
        open_checkpoint(tmp_path)
    for number in range(20):
        (tmp_path / f"{number:02}.txt").touch()
    with pytest.raises(UserError, match="it has 00.txt, .*11.txt and 8 more"):
        open_checkpoint(tmp_path)
    with pytest.raises(UserError, match="of no kind that tfplm reads"):
        open_checkpoint(tmp_path / "00.txt")
    with pytest.raises(UserError, match="There is no .*nowhere"):
        open_checkpoint(tmp_path / "nowhere")


def test_weights_without_a_config_are_a_user_error(tmp_path):
    write_weights(tmp_path)
    with pytest.raises(UserError, match="config.json cannot be read"):
        open_checkpoint(tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="it has model.safetensors"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[1]", "JSON of the type list"),
        (b"{", "no valid JSON"),
        (b"\xff\xfe\xfa", "no valid JSON"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands there twice"),
        (b'{"a": Infinity}', "Infinity is no number"),
        (b'{"a":' * 100_000, "no valid JSON"),
        (b'{"a": ' + b"1" * 5000 + b"}", "no valid JSON"),
        (b" " * 101, "larger than 100 bytes"),
    ],
)
def test_json_of_strangers_is_read_strictly(tmp_path, content, message):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_json_object(tmp_path / "config.json", largest=100 if "100" in message else 1 << 24)
