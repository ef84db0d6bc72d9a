"""Metadata that LiteRT's and MediaPipe's tools read from a TFLite file.

A flatbuffer inside the model says what its tensors are; the files that it names are zipped onto the model's end.

Source: metadata_schema.fbs of TensorFlow Lite Support and MediaPipe (identifier M001); the numbers below are the
positions of the fields in its tables.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import flatbuffers

from export import tflite_file

METADATA_BUFFER = "TFLITE_METADATA"
_FILE_IDENTIFIER = b"M001"
_MIN_PARSER_VERSION = "1.0.1"  # the first that knows a vocabulary
_FILE_KINDS = {"axis_labels": 2, "vocabulary": 5}
_CONTENT_FEATURE = 1
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # equal models give equal files


@dataclass(frozen=True)
class AttachedFile:
    """A file packed into the model, for instance the names of the classes."""

    name: str
    content: bytes
    description: str
    kind: Literal["axis_labels", "vocabulary"]


@dataclass(frozen=True)
class TensorDescription:
    """What an input or output holds."""

    description: str
    files: tuple[AttachedFile, ...] = ()


@dataclass(frozen=True)
class _Byte:
    value: int
    signed: bool = True


@dataclass(frozen=True)
class _Table:
    """A flatbuffer table: its fields by their position in the schema."""

    fields: Mapping[int, Any]  # str, _Byte, _Table, or a list of str or _Table


def add_metadata(path: Path, name: str, description: str, tensors: dict[str, TensorDescription]) -> None:
    """Names the input and output tensors of a TFLite file as its signature does, describes them and attaches files.

    Args:
        path: a TFLite file with one signature.
        name: of the model.
        description: of the model.
        tensors: what each input and output of the signature is, by name; others are left out.
    """
    model = tflite_file.read_model(path)
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    for entry in (*signature.inputs, *signature.outputs):
        graph.tensors[entry.tensorIndex].name = entry.name
    inputs, outputs = (
        [_text(graph.tensors[index].name) for index in indices] for indices in (graph.inputs, graph.outputs)
    )
    metadata = _model_table(name, description, inputs, outputs, tensors)
    tflite_file.append_metadata(model, METADATA_BUFFER, _serialize(metadata))
    tflite_file.write_model(path, model)
    files = {file.name: file for tensor in (*inputs, *outputs) for file in tensors[tensor].files}
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as archive:  # stored: read in place on a phone
        for file in files.values():
            archive.writestr(zipfile.ZipInfo(file.name, _ZIP_TIME), file.content)


def read_attached_files(path: Path) -> dict[str, bytes]:
    """The files that were packed into a TFLite file, by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _model_table(
    name: str, description: str, inputs: list[str], outputs: list[str], tensors: dict[str, TensorDescription]
) -> _Table:
    subgraph = _Table(
        {
            2: [_tensor_table(tensor, tensors[tensor]) for tensor in inputs],
            3: [_tensor_table(tensor, tensors[tensor]) for tensor in outputs],
        }
    )
    return _Table({0: name, 1: description, 3: [subgraph], 7: _MIN_PARSER_VERSION})


def _tensor_table(name: str, tensor: TensorDescription) -> _Table:
    content = _Table({0: _Byte(_CONTENT_FEATURE, signed=False), 1: _Table({})})
    files = [_Table({0: file.name, 1: file.description, 2: _Byte(_FILE_KINDS[file.kind])}) for file in tensor.files]
    return _Table({0: name, 1: tensor.description, 3: content, 6: files})


def _serialize(table: _Table) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write_table(builder, table), _FILE_IDENTIFIER)
    return bytes(builder.Output())


def _write_table(builder: flatbuffers.Builder, table: _Table) -> int:
    """Writes a table after all that it refers to; returns its offset."""
    written = {slot: _write_value(builder, value) for slot, value in table.fields.items()}
    builder.StartObject(max(written, default=-1) + 1)
    for slot, value in written.items():
        if not isinstance(value, _Byte):
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
        elif value.signed:
            builder.PrependInt8Slot(slot, value.value, 0)
        else:
            builder.PrependUint8Slot(slot, value.value, 0)
    return builder.EndObject()


def _write_value(builder: flatbuffers.Builder, value: Any) -> int | _Byte:
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, _Table):
        return _write_table(builder, value)
    if isinstance(value, list):
        return _write_vector(builder, [_write_value(builder, item) for item in value])
    return value


def _write_vector(builder: flatbuffers.Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()
