import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from export.warmup import write_warmup_requests

_PACKAGE = "tensorflow.serving"


@pytest.fixture(scope="module")
def prediction_log():
    """TensorFlow Serving's PredictionLog, as far as warm-up requests need it, with the public field numbers."""
    file = descriptor_pb2.FileDescriptorProto(name="prediction_log_excerpt.proto", package=_PACKAGE, syntax="proto3")
    tensor_file = tf.make_tensor_proto(0).DESCRIPTOR.file
    file.dependency.append(tensor_file.name)
    _message(file, "ModelSpec", name=(1, "string"), signature_name=(3, "string"))
    request = _message(file, "PredictRequest", model_spec=(1, "ModelSpec"))
    entry = request.nested_type.add(name="InputsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=1, type=9)
    entry.field.add(name="value", number=2, label=1, type=11, type_name=".tensorflow.TensorProto")
    request.field.add(name="inputs", number=2, label=3, type=11, type_name=f".{_PACKAGE}.PredictRequest.InputsEntry")
    _message(file, "PredictLog", request=(1, "PredictRequest"))
    _message(file, "PredictionLog", predict_log=(6, "PredictLog"))
    pool = descriptor_pool.DescriptorPool()
    _add_with_dependencies(pool, tensor_file)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.PredictionLog"))


def _message(file, message_name, **fields):
    message = file.message_type.add(name=message_name)
    for field, (number, kind) in fields.items():
        if kind == "string":
            message.field.add(name=field, number=number, label=1, type=9)
        else:
            message.field.add(name=field, number=number, label=1, type=11, type_name=f".{_PACKAGE}.{kind}")
    return message


def _add_with_dependencies(pool, file):
    for dependency in file.dependencies:
        _add_with_dependencies(pool, dependency)
    pool.AddSerializedFile(file.serialized_pb)


def test_requests_are_prediction_logs_that_protobuf_reads(prediction_log, tmp_path):
    texts = np.array(["short", "很长" * 200])
    ids = np.arange(300, dtype=np.int32).reshape(2, 150)
    write_warmup_requests(tmp_path, [("serving_default", {"text": texts}), ("token_ids", {"token_ids": ids})])
    path = tmp_path / "assets.extra" / "tf_serving_warmup_requests"
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    requests = [prediction_log.FromString(record).predict_log.request for record in records]
    assert [request.model_spec.signature_name for request in requests] == ["serving_default", "token_ids"]
    tensors = [
        tf.make_ndarray(tf.make_tensor_proto(0).FromString(next(iter(request.inputs.values())).SerializeToString()))
        for request in requests
    ]
    assert [text.decode() for text in tensors[0]] == texts.tolist()
    np.testing.assert_array_equal(tensors[1], ids)
