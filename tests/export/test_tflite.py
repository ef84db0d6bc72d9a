import zipfile

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from flatbuffers.table import Table

from export import tflite_file
from export.tflite import FILES
from export.tflite_metadata import METADATA_BUFFER, read_attached_files
from tests.export.conftest import CLASS_NAMES, SEQUENCE_LENGTH
from tfplm.errors import UserError


@pytest.fixture(scope="module", params=["bert", "lstm", "lstm_last"])
def exported(request, export_once):
    return export_once(request.param, "tflite")


def test_every_file_is_proved(exported):
    _, folder, figures = exported
    assert sorted(path.name for path in folder.glob("*.tflite")) == sorted(FILES)
    assert figures["num_texts"] >= 64
    for name, (_, quantized) in FILES.items():
        if quantized:
            assert figures["files"][name]["agreement"] >= 0.98
        else:
            assert figures["files"][name]["max_difference"] <= 1e-4


def test_the_plain_interpreter_runs_token_ids(exported, tokenizer):
    task, folder, _ = exported
    ids = tokenizer.encode_rows(tf.constant(["the snow falls"]), SEQUENCE_LENGTH)
    interpreter = Interpreter(model_path=str(folder / "model_ids.tflite"))
    found = interpreter.get_signature_runner("token_ids")(token_ids=ids.numpy())["probabilities"]
    np.testing.assert_allclose(found, task.probabilities(task({"token_ids": ids}, training=False)), atol=1e-5)


def test_token_id_files_hold_builtin_operators_only(exported):
    _, folder, _ = exported
    for name in ("model_ids.tflite", "model_ids_int8.tflite"):
        codes = tflite_file.read_model(folder / name).operatorCodes
        assert [code.customCode for code in codes if code.customCode] == []


def test_text_files_hold_no_flex_operator(exported):
    _, folder, _ = exported
    for name in ("model_text.tflite", "model_text_int8.tflite"):
        codes = tflite_file.read_model(folder / name).operatorCodes
        assert {code.customCode for code in codes if code.customCode} == {
            b"FastBertNormalize",
            b"FastWordpieceTokenizeWithOffsets",
        }


def test_int8_holds_int8_weights(exported):
    _, folder, _ = exported
    tensors = tflite_file.read_model(folder / "model_ids_int8.tflite").subgraphs[0].tensors
    assert tflite_file.schema.TensorType.INT8 in {tensor.type for tensor in tensors}


def test_vocabulary_and_labels_are_packed_in(exported, tokenizer):
    _, folder, _ = exported
    for name in FILES:
        files = read_attached_files(folder / name)
        assert files["labels.txt"].decode().splitlines() == CLASS_NAMES
        assert files["vocab.txt"].decode().splitlines() == tokenizer.vocabulary
        with zipfile.ZipFile(folder / name) as archive:
            assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_metadata_describes_the_tensors_in_their_order(exported):
    _, folder, _ = exported
    for name in FILES:
        model = tflite_file.read_model(folder / name)
        graph = model.subgraphs[0]
        (entry,) = [entry for entry in model.metadata if entry.name == METADATA_BUFFER.encode()]
        metadata = bytes(model.buffers[entry.buffer].data)
        assert metadata[4:8] == b"M001"
        (subgraph,) = _tables(_root(metadata), 3)
        for slot, indices in ((2, graph.inputs), (3, graph.outputs)):
            described = [_string(tensor, 0) for tensor in _tables(subgraph, slot)]
            assert described == [graph.tensors[index].name for index in indices]


def test_weights_lie_at_16_bytes(exported):
    _, folder, _ = exported
    model = tflite_file.schema.Model.GetRootAs((folder / "model_ids.tflite").read_bytes(), 0)
    starts = [
        model.Buffers(index)._tab.Vector(4)
        for index in range(model.BuffersLength())
        if not model.Buffers(index).DataIsNone()
    ]
    assert len(starts) > 5
    assert {start % 16 for start in starts} == {0}


def test_a_model_that_needs_other_operators_is_refused(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec([1], tf.string)])
    def lower(text):
        return tf.strings.lower(text)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([lower.get_concrete_function()], lower)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    path = tmp_path / "flex.tflite"
    path.write_bytes(converter.convert())
    with pytest.raises(UserError, match="FlexStringLower"):
        tflite_file.require_portable_operators(path, text_ops=True)


def _root(buffer):
    return Table(buffer, int.from_bytes(buffer[:4], "little"))


def _tables(table, slot):
    field = table.Offset(4 + 2 * slot)
    start, count = table.Vector(field), table.VectorLen(field)
    return [Table(table.Bytes, table.Indirect(start + 4 * index)) for index in range(count)]


def _string(table, slot):
    return table.String(table.Pos + table.Offset(4 + 2 * slot))
