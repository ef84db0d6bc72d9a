"""The functions that an export offers, as TensorFlow graphs: tokenizer, model and class names in one."""

from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from tfplm import feature_names as names
from tfplm.errors import UserError
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tokenizers.folder import write_vocabulary
from tfplm.tokenizers.tokenizer import Tokenizer

# What goes in and out by name, in every format.
TEXT = "text"
LABEL = "label"
PROBABILITIES = "probabilities"
CLASSES = "classes"
SELECTED = "selected"


class Endpoints(tf.Module):
    """What a classifier answers, ready for ``tf.saved_model.save``. It tracks variables and assets, no Keras object.

    Args:
        task: the classifier; float32, see `export.portable_task`.
        tokenizer: the tokenizer that it was trained with.
        sequence_length: columns of a row of token ids, special ones included.
        asset_paths: files that travel with the model.
    """

    def __init__(self, task: TextClassifier, tokenizer: Tokenizer, sequence_length: int, asset_paths: list[Path]):
        super().__init__(name="classifier")
        self.model_variables = [variable.value for variable in task.weights]
        self.assets = [tf.saved_model.Asset(str(path)) for path in asset_paths]
        self._answer = _answer_function(task)
        self._tokenizer = tokenizer
        self._sequence_length = sequence_length

    def batched(self) -> dict[str, Callable]:
        """Signatures for a server, over any batch size.

        Returns:
            ``serving_default``: TEXT (batch,) → the answer; ``token_ids``: TOKEN_IDS (batch, sequence) → the answer;
            ``tokenize``: TEXT (batch,) → TOKEN_IDS (batch, sequence). The answer is LABEL (batch,), the most probable
            class; PROBABILITIES (batch, classes); CLASSES (batch, classes), the name of each column; and for
            multi-label tasks SELECTED (batch, classes), True from the task's decision threshold on.
        """

        def encode(text):
            return self._tokenizer.encode_rows(text, self._sequence_length)

        text = tf.TensorSpec([None], tf.string, TEXT)
        token_ids = tf.TensorSpec([None, self._sequence_length], tf.int32, names.TOKEN_IDS)
        return {
            "serving_default": _concrete(lambda text: self._answer(encode(text)), text),
            names.TOKEN_IDS: _concrete(lambda token_ids: self._answer(token_ids), token_ids),
            "tokenize": _concrete(lambda text: {names.TOKEN_IDS: encode(text)}, text),
        }

    def single(self) -> dict[str, Callable]:
        """Signatures for a phone, over one text and without ragged ops.

        Returns:
            ``token_ids``: TOKEN_IDS (1, sequence) → PROBABILITIES (1, classes); and where TFLite has the ops of the
            tokenizer ``text``: TEXT (1,) → LABEL (1,), PROBABILITIES (1, classes), TOKEN_IDS (1, sequence).
        """

        def from_text(text):
            token_ids = self._tokenizer.encode_flat(text, self._sequence_length)
            answer = self._answer(token_ids)
            return {LABEL: answer[LABEL], PROBABILITIES: answer[PROBABILITIES], names.TOKEN_IDS: token_ids}

        def from_ids(token_ids):
            return {PROBABILITIES: self._answer(token_ids)[PROBABILITIES]}

        token_ids = tf.TensorSpec([1, self._sequence_length], tf.int32, names.TOKEN_IDS)
        signatures = {names.TOKEN_IDS: _concrete(from_ids, token_ids)}
        if self._tokenizer.runs_in_tflite:
            signatures[TEXT] = _concrete(from_text, tf.TensorSpec([1], tf.string, TEXT))
        return signatures


def write_assets(task: TextClassifier, tokenizer: Tokenizer, folder: Path) -> list[Path]:
    """Writes labels.txt, a class a line in the order of the columns, and the tokenizer; returns the paths of the lists.

    Raises:
        UserError: a class name holds a line break.
    """
    broken = [name for name in task.class_names if len(name.splitlines()) != 1]
    if broken:
        raise UserError(
            f"The class name {broken[0]!r} is empty or holds a line break.",
            "Expected names that fit on a line of labels.txt.",
            "Rename the class in the labelled data and fine-tune again.",
        )
    labels_path = folder / "labels.txt"
    labels_path.write_text("\n".join(task.class_names) + "\n", encoding="utf-8")
    tokenizer.save(folder)
    if not (folder / "vocab.txt").exists():  # byte-level BPE has vocab.json and merges.txt
        write_vocabulary(folder, tokenizer.vocabulary)
    return [labels_path, folder / "vocab.txt"]


def _concrete(function: Callable, specification: tf.TensorSpec) -> Callable:
    return tf.function(function, autograph=False).get_concrete_function(specification)


def _answer_function(task: TextClassifier) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    def answer(token_ids):
        probabilities = task.probabilities(task({names.TOKEN_IDS: token_ids}, training=False))
        class_names = tf.constant(task.class_names)
        best = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        outputs = {
            LABEL: tf.gather(class_names, best),
            PROBABILITIES: probabilities,
            CLASSES: tf.repeat(class_names[tf.newaxis], tf.shape(probabilities)[0], axis=0),
        }
        if task.config.multi_label:
            outputs[SELECTED] = probabilities >= task.config.decision_threshold
        return outputs

    return answer
