import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from export.saved_model import export_saved_model
from tests.export.conftest import CLASS_NAMES, SEQUENCE_LENGTH
from tfplm.errors import UserError

# Neither Keras nor this project can be imported here; the ops of tensorflow_text come from its libraries alone, as in
# TensorFlow Serving.
_WITHOUT_KERAS = """
import importlib.util, sys
from pathlib import Path

class Hidden:
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        raise ModuleNotFoundError(module.__name__)
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("keras", "tf_keras", "tfplm", "trainers", "export"):
            return importlib.util.spec_from_loader(name, self, origin="/hidden/__init__.py")

sys.meta_path.insert(0, Hidden())
import tensorflow as tf

(package,) = importlib.util.find_spec("tensorflow_text").submodule_search_locations
for library in sorted(Path(package, "python/ops").glob("*.so")):
    tf.load_op_library(str(library))
answer = tf.saved_model.load(sys.argv[1]).signatures["serving_default"](text=tf.constant(["the snow", ""]))
print(sorted(answer), [label.decode() for label in answer["label"].numpy()])
assert "keras" not in sys.modules
"""


@pytest.fixture(scope="module", params=["bert", "lstm"])
def exported(request, export_once):
    return export_once(request.param, "saved_model")


@pytest.fixture(scope="module")
def unusual(make_classifier, tokenizer, sample_texts, tmp_path_factory):
    """Many labels, two layers, trained in bfloat16."""
    folder = tmp_path_factory.mktemp("export") / "model"
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        task = make_classifier("lstm_last", multi_label=True)
        export_saved_model(task, tokenizer, folder, SEQUENCE_LENGTH, sample_texts)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")
    return tf.saved_model.load(str(folder))


def _probabilities(task, tokenizer, texts):
    ids = tokenizer.encode_rows(tf.constant(texts), SEQUENCE_LENGTH)
    return task.probabilities(task({"token_ids": ids}, training=False)).numpy()


def test_it_is_proved_on_at_least_64_texts(exported):
    _, folder, figures = exported
    assert figures["num_texts"] >= 64
    assert figures["max_difference"] <= 1e-4
    written = sum(path.stat().st_size for path in folder.rglob("*") if path.parent != folder or path.suffix == ".pb")
    assert 0 < figures["size_bytes"] <= written


def test_strings_give_labels_and_named_probabilities(exported, tokenizer):
    task, folder, _ = exported
    texts = ["the snow falls", "sun", "flowers !"]
    answer = tf.saved_model.load(str(folder)).signatures["serving_default"](text=tf.constant(texts))
    expected = _probabilities(task, tokenizer, texts)
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    assert [label.decode() for label in answer["label"].numpy()] == [CLASS_NAMES[i] for i in expected.argmax(-1)]
    assert [name.decode() for name in answer["classes"].numpy()[2]] == CLASS_NAMES


def test_token_ids_give_the_same_answer_as_their_text(exported):
    _, folder, _ = exported
    signatures = tf.saved_model.load(str(folder)).signatures
    texts = tf.constant(["leaves", "the sun"])
    by_text = signatures["serving_default"](text=texts)
    by_ids = signatures["token_ids"](**signatures["tokenize"](text=texts))
    np.testing.assert_array_equal(by_text["probabilities"], by_ids["probabilities"])


def test_vocabulary_and_labels_are_assets(exported, tokenizer):
    _, folder, _ = exported
    assert (folder / "assets/labels.txt").read_text(encoding="utf-8").splitlines() == CLASS_NAMES
    assert (folder / "assets/vocab.txt").read_text(encoding="utf-8").splitlines() == tokenizer.vocabulary


def test_it_loads_where_keras_and_tfplm_cannot_be_imported(exported, tmp_path):
    _, folder, _ = exported
    done = subprocess.run(
        [sys.executable, "-I", "-c", _WITHOUT_KERAS, str(folder)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("['classes', 'label', 'probabilities'] ['")


def test_many_labels_come_with_the_selected_classes(unusual):
    answer = unusual.signatures["serving_default"](text=tf.constant(["sun", "the snow"]))
    np.testing.assert_array_equal(answer["selected"], answer["probabilities"].numpy() >= 0.4)


def test_a_model_trained_in_bfloat16_leaves_in_float32(unusual):
    graph = unusual.signatures["serving_default"].graph.as_graph_def()
    nodes = [node for function in graph.library.function for node in function.node_def]
    bfloat16 = tf.bfloat16.as_datatype_enum
    assert any(node.attr["T"].type == tf.float32.as_datatype_enum for node in nodes)
    assert not any(value.type == bfloat16 for node in nodes for value in node.attr.values())


def test_an_occupied_folder_is_left_alone(make_classifier, tokenizer, sample_texts, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="is there already"):
        export_saved_model(make_classifier("lstm"), tokenizer, tmp_path, SEQUENCE_LENGTH, sample_texts)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_class_name_with_a_line_break_is_refused(make_classifier, tokenizer, sample_texts, tmp_path):
    task = make_classifier("lstm")
    task.class_names = ["two\nlines", *CLASS_NAMES[1:]]
    with pytest.raises(UserError, match="line break"):
        export_saved_model(task, tokenizer, tmp_path / "model", SEQUENCE_LENGTH, sample_texts)
    assert not list(tmp_path.iterdir())
