"""TensorFlow Serving's warm-up: requests that the server answers itself before it takes the first from outside.

Source: TensorFlow Serving, "SavedModel Warmup": a TFRecord file of PredictionLog messages, at most 1,000.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"

# Field numbers of TensorFlow Serving's public messages. Every field on the way to the tensor holds bytes, so that
# the messages are written here without the tensorflow-serving-api package.
_PREDICTION_LOG_PREDICT_LOG = 6
_PREDICT_LOG_REQUEST = 1
_PREDICT_REQUEST_MODEL_SPEC = 1
_PREDICT_REQUEST_INPUTS = 2
_MODEL_SPEC_SIGNATURE_NAME = 3
_MAP_KEY, _MAP_VALUE = 1, 2


def write_warmup_requests(saved_model: Path, requests: list[tuple[str, dict[str, np.ndarray]]]) -> None:
    """Writes ``assets.extra/tf_serving_warmup_requests`` into a SavedModel.

    Args:
        saved_model: the folder of the SavedModel.
        requests: (signature, inputs by name) each.
    """
    path = saved_model / WARMUP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests:
            writer.write(_prediction_log(signature, inputs))


def _prediction_log(signature: str, inputs: dict[str, np.ndarray]) -> bytes:
    """A serialised PredictionLog{predict_log{request{model_spec{signature_name} inputs}}}."""
    request = _field(_PREDICT_REQUEST_MODEL_SPEC, _field(_MODEL_SPEC_SIGNATURE_NAME, signature.encode()))
    for name, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request += _field(_PREDICT_REQUEST_INPUTS, _field(_MAP_KEY, name.encode()) + _field(_MAP_VALUE, tensor))
    return _field(_PREDICTION_LOG_PREDICT_LOG, _field(_PREDICT_LOG_REQUEST, request))


def _field(number: int, content: bytes) -> bytes:
    """One length-delimited field in protobuf's wire format."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
