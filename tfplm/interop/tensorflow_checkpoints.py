"""TensorFlow checkpoints of BERT: those of the first release (TensorFlow 1), and Model Garden's (TensorFlow 2)."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from tfplm.errors import UserError
from tfplm.interop.model_garden import garden_table
from tfplm.interop.renamed_tensors import Renamed, RenamedTensors, same, transposed
from tfplm.interop.tensors import Tensors

_OPTIMIZER = re.compile(
    r"global_step|beta[12]_power|(.*/)?(adam_m|adam_v|Adam|Adam_1|AdamWeightDecayOptimizer(_1)?|LAMBOptimizer(_1)?)"
)
_OBJECT_BASED = "/.ATTRIBUTES/VARIABLE_VALUE"


class CheckpointFile(Tensors):
    """The variables of a TensorFlow checkpoint by the names that it gives them.

    Args:
        prefix: the path without ".index".

    Raises:
        UserError: the checkpoint is damaged or a part of it is missing.
    """

    def __init__(self, prefix: Path):
        import tensorflow as tf  # here: it takes seconds, and a wrong path is told before

        self.origin = str(prefix)
        self._errors = (tf.errors.OpError, OSError, RuntimeError, ValueError, TypeError)
        try:
            self._reader = tf.train.load_checkpoint(str(prefix))
            shapes = self._reader.get_variable_to_shape_map()
            dtypes = self._reader.get_variable_to_dtype_map()
        except self._errors as error:
            raise self._damaged(error) from error
        self._shapes = {name: tuple(shape) for name, shape in sorted(shapes.items()) if _is_number(dtypes[name])}
        self._dtypes = {name: np.dtype(dtypes[name].as_numpy_dtype) for name in self._shapes}
        claimed = sum(math.prod(shape) * self._dtypes[name].itemsize for name, shape in self._shapes.items())
        stored = sum(path.stat().st_size for path in checkpoint_files(prefix)[1:])
        if claimed > stored:
            raise self._damaged(f"its variables take {claimed:,} bytes, and its files have {stored:,}")

    def names(self) -> tuple[str, ...]:
        return tuple(self._shapes)

    def shape(self, name: str) -> tuple[int, ...]:
        return self._shapes[name]

    def dtype(self, name: str) -> np.dtype:
        return self._dtypes[name]

    def read(self, name: str) -> np.ndarray:
        try:
            return np.asarray(self._reader.get_tensor(name))
        except self._errors as error:
            raise self._damaged(error) from error

    @property
    def is_object_based(self) -> bool:
        return any(name.endswith(_OBJECT_BASED) for name in self._shapes)

    def _damaged(self, problem: object) -> UserError:
        return UserError(
            f"{self.origin} is damaged: {str(problem).splitlines()[0]}.",
            "Expected a TensorFlow checkpoint: .index and .data-… files of one name.",
        )


def _is_number(dtype) -> bool:
    return dtype.is_floating or dtype.is_integer or dtype.is_bool


def checkpoint_files(prefix: Path) -> list[Path]:
    """The files of a checkpoint that hold its variables."""
    index = prefix.with_name(f"{prefix.name}.index")
    return [index, *sorted(prefix.parent.glob(f"{_escaped(prefix.name)}.data-*-of-*"))]


def find_prefix(folder: Path) -> Path | None:
    """The checkpoint in a folder; of several the one that the file ``checkpoint`` names. Raises UserError if none."""
    prefixes = [path.with_suffix("") for path in sorted(folder.glob("*.index"))]
    if len(prefixes) < 2:
        return prefixes[0] if prefixes else None
    state = folder / "checkpoint"
    text = state.read_text(encoding="utf-8", errors="replace")[: 1 << 16] if state.is_file() else ""
    latest = re.search(r'^model_checkpoint_path: "(?:[^"]*/)?([^"/]+)"', text, re.M)
    named = [path for path in prefixes if latest and path.name == latest[1]]
    if not named:
        found = ", ".join(path.name for path in prefixes)
        raise UserError(f"{folder} holds several checkpoints: {found}.", remedy=f"Name one, as {prefixes[0]}.")
    return named[0]


def open_tensorflow_checkpoint(prefix: Path) -> tuple[str, Tensors, dict[str, Any]]:
    """Opens a BERT of TensorFlow 1 or Model Garden under Hugging Face's names.

    Returns:
        Its kind, "tf1_bert" or "model_garden", its tensors, and what they say of config.json: the architecture, and the
        labels where it has some.
    """
    file = CheckpointFile(prefix)
    kind, make = ("model_garden", garden_table) if file.is_object_based else ("tf1_bert", _first_release_table)
    architecture, table = make(file)
    tensors = RenamedTensors(file, table)
    values: dict[str, Any] = {"model_type": "bert", "architectures": [architecture]}
    if "classifier.bias" in tensors.names():
        labels = range(tensors.shape("classifier.bias")[0])
        values["id2label"] = {str(label): f"LABEL_{label}" for label in labels}
        values["label2id"] = {f"LABEL_{label}": label for label in labels}
    return kind, tensors, values


def _first_release_table(file: CheckpointFile) -> tuple[str, list[Renamed]]:
    """The architecture and the tensors of a TensorFlow 1 BERT.

    Source: the variables' names in modeling.py, run_pretraining.py, run_classifier.py and run_squad.py of
    google-research/bert. Kernels are (inputs, outputs), output_weights (outputs, inputs) already.
    """
    names = [name for name in file.names() if not _OPTIMIZER.fullmatch(name)]
    if "bert/embeddings/word_embeddings" not in names:
        raise UserError(
            f"{file.origin} holds no BERT: there is no variable bert/embeddings/word_embeddings.",
            "Supported: BERT of TensorFlow 1 and of Model Garden.",
        )
    table = [
        Renamed(_first_release_name(name), (name,), transposed if name.endswith("/kernel") else same) for name in names
    ]
    heads = {
        "cls/seq_relationship/output_weights": "BertForPreTraining",
        "cls/predictions/output_bias": "BertForMaskedLM",
        "cls/squad/output_weights": "BertForQuestionAnswering",
        "output_weights": "BertForSequenceClassification",
    }
    return next((heads[name] for name in heads if name in names), "BertModel"), table


def _first_release_name(name: str) -> str:
    for ours, theirs in (
        ("cls/squad/output_", "qa_outputs/"),
        ("cls/seq_relationship/output_", "cls/seq_relationship/"),
    ):
        name = name.replace(ours, theirs)
    name = re.sub(r"^output_", "classifier/", name).replace("cls/predictions/output_bias", "cls/predictions/bias")
    name = re.sub(r"/layer_(\d+)/", r"/layer/\1/", name)
    name = re.sub(r"/(kernel|gamma|weights)$", "/weight", re.sub(r"/beta$", "/bias", name))
    return re.sub(r"_embeddings$", "_embeddings/weight", name).replace("/", ".")


def _escaped(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)
