"""The functions that an export offers, as TensorFlow graphs: tokenizer, model and class names in one."""

from collections.abc import Callable, Mapping
from pathlib import Path

import tensorflow as tf

from tfplm import feature_names as names
from tfplm.answering.answer_names import TEXT
from tfplm.answering.answerer import Answerer
from tfplm.errors import UserError
from tfplm.tokenizers.folder import write_vocabulary

SERVING_DEFAULT, TOKENIZE = "serving_default", "tokenize"  # signatures; a third is called names.TOKEN_IDS


class Endpoints(tf.Module):
    """What a task answers, ready for ``tf.saved_model.save``. It tracks variables and assets, no Keras object.

    Args:
        answerer: of a task in float32, see `export.portable_task`.
        asset_paths: files that travel with the model.
    """

    def __init__(self, answerer: Answerer, asset_paths: list[Path]):
        super().__init__(name="answerer")
        self.model_variables = [variable.value for variable in answerer.task.weights]
        self.assets = [tf.saved_model.Asset(str(path)) for path in asset_paths]
        self._answerer = answerer

    def batched(self) -> dict[str, Callable]:
        """Signatures for a server, over any batch size.

        Returns:
            ``serving_default``: the answerer's strings → its answers; ``token_ids``: rows → what can be said of them
            without their texts; ``tokenize``: strings → rows.
        """
        answerer = self._answerer
        return {
            SERVING_DEFAULT: _concrete(answerer.answer, answerer.text_specs),
            names.TOKEN_IDS: _concrete(answerer.answer_rows, answerer.row_specs(None)),
            TOKENIZE: _concrete(answerer.encode, answerer.text_specs),
        }

    def single(self) -> dict[str, Callable]:
        """Signatures for a phone, over one text and without ragged ops.

        Returns:
            ``token_ids``: a row → its scores; and where TFLite has the ops of the tokenizer ``text``: the strings of
            one text → answers, its token ids among them.
        """
        answerer = self._answerer
        signatures = {names.TOKEN_IDS: _concrete(answerer.score, answerer.row_specs(1))}
        if answerer.runs_from_text_in_tflite:
            one_text = {
                name: tf.TensorSpec([1, *spec.shape[1:]], tf.string, name) for name, spec in answerer.text_specs.items()
            }
            signatures[TEXT] = _concrete(answerer.answer_single, one_text)
        return signatures


def write_assets(answerer: Answerer, folder: Path) -> list[Path]:
    """Writes the tokenizer and, where there are classes, labels.txt, a class a line in the order of the columns.

    Returns:
        The paths of the lists: vocab.txt, and labels.txt if there is one.

    Raises:
        UserError: a class name holds a line break.
    """
    broken = [name for name in answerer.class_names if len(name.splitlines()) != 1]
    if broken:
        raise UserError(
            f"The class name {broken[0]!r} is empty or holds a line break.",
            "Expected names that fit on a line of labels.txt.",
            "Rename the class in the labelled data and fine-tune again.",
        )
    answerer.tokenizer.save(folder)
    if not (folder / "vocab.txt").exists():  # byte-level BPE has vocab.json and merges.txt
        write_vocabulary(folder, answerer.tokenizer.vocabulary)
    paths = [folder / "vocab.txt"]
    if answerer.class_names:
        paths.append(folder / "labels.txt")
        paths[-1].write_text("\n".join(answerer.class_names) + "\n", encoding="utf-8")
    return paths


def _concrete(function: Callable, specifications: Mapping[str, tf.TensorSpec]) -> Callable:
    def by_name(**tensors):
        return function(tensors)

    return tf.function(by_name, autograph=False).get_concrete_function(**specifications)
