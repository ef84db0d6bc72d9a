"""Reading and rewriting the flatbuffer of a TFLite file."""

from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfplm.errors import UserError

_FILE_IDENTIFIER = b"TFL3"
_BUFFER_ALIGNMENT = 16  # force_align of the schema: kernels read the weights where they lie in the file
_TEXT_OPERATORS = {"FastBertNormalize", "FastWordpieceTokenizeWithOffsets"}
_BUILTIN_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}


class _AlignedBuffer(schema.BufferT):
    """A buffer that is packed at the alignment of the schema, which flatbuffers' Python code does not keep."""

    def __init__(self, data: np.ndarray):
        super().__init__(data=data)

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802  the generated code calls it
        length = len(self.data)
        builder.StartVector(1, length, _BUFFER_ALIGNMENT)
        builder.head -= length
        builder.Bytes[builder.head : builder.head + length] = self.data.tobytes()
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


def read_model(path: Path) -> schema.ModelT:
    """The model of a TFLite file."""
    return schema.ModelT.InitFromPackedBuf(path.read_bytes())


def write_model(path: Path, model: schema.ModelT) -> None:
    """Writes a model; files that were zipped onto the old one are lost."""
    model.buffers = [
        _AlignedBuffer(buffer.data) if buffer.data is not None and len(buffer.data) else buffer
        for buffer in model.buffers
    ]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), _FILE_IDENTIFIER)
    path.write_bytes(builder.Output())


def append_metadata(model: schema.ModelT, name: str, content: bytes) -> None:
    """Adds a buffer that the file's metadata lists by ``name``."""
    entry = schema.MetadataT()
    entry.name, entry.buffer = name, len(model.buffers)
    model.metadata = [*(model.metadata or []), entry]
    model.buffers.append(_AlignedBuffer(np.frombuffer(content, np.uint8)))


def operator_names(path: Path) -> list[str]:
    """The kinds of operators in the file, sorted; those that are not builtin by their custom name."""
    return sorted({name for _, name in _operators(path)})


def require_portable_operators(path: Path, text_ops: bool) -> None:
    """Raises UserError if an operator is neither builtin nor (with ``text_ops``) one of TensorFlow Text's."""
    allowed = _TEXT_OPERATORS if text_ops else set()
    foreign = sorted({name for is_builtin, name in _operators(path) if not is_builtin} - allowed)
    if foreign:
        raise UserError(
            f"The conversion of this model to TFLite needs the operators {', '.join(foreign)}.",
            "Expected TFLite's builtin operators" + (" and TensorFlow Text's." if text_ops else "."),
            "Please report it with the model's configuration.",
        )


def _operators(path: Path) -> list[tuple[bool, str]]:
    """(whether it is builtin, name) of every operator code."""
    return [
        (False, code.customCode.decode())
        if code.customCode
        else (True, _BUILTIN_NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)])
        for code in read_model(path).operatorCodes
    ]
