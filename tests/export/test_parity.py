import pytest
import tensorflow as tf

from export import parity
from export.parity import ExportMismatch, Reference, parity_inputs, parity_texts
from export.saved_model import export_saved_model
from tests.export.conftest import SEQUENCE_LENGTH
from tfplm.answering.text_classification import ClassificationAnswerer
from tfplm.errors import UserError
from tfplm.tokenizers.wordpiece import WordPieceTokenizer


@pytest.fixture
def reference(make_classifier, tokenizer):
    task = make_classifier("lstm")
    task.class_names = ["yes", "no"]
    rows = {"token_ids": [[2, 5, 3], [2, 6, 3], [2, 3, 0]]}
    scores = {"probabilities": [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]}
    answers = {"label": ["yes", "no", "yes"], **scores}
    answerer = ClassificationAnswerer(task, tokenizer, 3)
    return Reference(answerer, {"text": ["one", "two", ""]}, rows, answers, answers, scores)


def test_few_samples_are_topped_up_to_64_different_texts():
    for samples in ([], ["only one"], [f"text {index}" for index in range(64)]):
        texts = parity_texts(samples)
        assert len(texts) == len(set(texts)) >= 64
        assert set(samples) <= set(texts)


def test_awkward_texts_are_among_them():
    texts = parity_texts(["a sample"])
    assert "" in texts
    assert any(len(text) == 1 for text in texts)
    assert any("😀" in text for text in texts)
    assert any("今天" in text for text in texts)
    assert any(len(text) > 10_000 for text in texts)
    assert any("\x00" in text for text in texts)
    assert any("[MASK]" in text for text in texts)


def test_a_lone_surrogate_is_no_obstacle():
    assert all(text.encode("utf-8") or text == "" for text in parity_texts(["broken \ud800"]))


def test_every_input_meets_awkward_texts_and_the_samples():
    specs = {"text": tf.TensorSpec([None], tf.string), "text_pair": tf.TensorSpec([None], tf.string)}
    texts = parity_inputs(specs, [{"text": "one", "text_pair": "two"}])
    assert len(texts["text"]) == len(texts["text_pair"]) >= 64
    assert (texts["text"][-1], texts["text_pair"][-1]) == ("one", "two")
    assert texts["text"][:5] != texts["text_pair"][:5]


def test_lists_of_strings_meet_awkward_texts_too():
    specs = {"context": tf.TensorSpec([None], tf.string), "choices": tf.TensorSpec([None, 3], tf.string)}
    texts = parity_inputs(specs, [{"context": "one", "choices": ["two", "three \ud800", ""]}])
    assert {len(row) for row in texts["choices"]} == {3} and len(texts["context"]) == len(texts["choices"])
    assert any("" in row for row in texts["choices"]) and texts["choices"][-1] == ["two", "three ?", ""]


def test_other_token_ids_are_a_mismatch(reference):
    parity.require_equal_rows("file", reference, reference.rows)
    with pytest.raises(ExportMismatch, match="1 of 3 texts into other token_ids, first 'two'"):
        parity.require_equal_rows("file", reference, {"token_ids": [[2, 5, 3], [2, 7, 3], [2, 3, 0]]})
    with pytest.raises(ExportMismatch, match="into other token_ids"):
        parity.require_equal_rows("file", reference, {"token_ids": [[2, 5, 3], [2, 6, 3]]})


def test_the_row_that_differs_most_is_named(reference):
    assert parity.require_same_answers("file", reference.answers, reference.answers) == 0.0
    found = {"probabilities": [[0.9, 0.1002], [0.3, 0.7], [0.7, 0.3]]}
    with pytest.raises(ExportMismatch, match="another probabilities than the Keras model, most of all in row 1"):
        parity.require_same_answers("file", reference.answers, found)


def test_nan_is_a_mismatch(reference):
    answer = {"probabilities": [[0.9, 0.1], [float("nan"), float("nan")], [0.7, 0.3]]}
    with pytest.raises(ExportMismatch, match="row 1"):
        parity.require_same_answers("file", reference.answers, answer)
    with pytest.raises(ExportMismatch, match="0.0%"):
        parity.require_agreement("file", reference, answer)


def test_a_quantized_model_may_be_off_but_not_of_another_mind(reference):
    found = {"probabilities": [[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]}
    assert parity.require_agreement("file", reference, found) == 1.0
    with pytest.raises(ExportMismatch, match="66.7%"):
        parity.require_agreement("file", reference, {"probabilities": [[0.8, 0.2], [0.3, 0.7], [0.4, 0.6]]})


def test_many_labels_agree_class_by_class(reference):
    task = reference.answerer.task
    task.config = task.config.model_copy(update={"multi_label": True, "decision_threshold": 0.25})
    assert parity.require_agreement("file", reference, {"probabilities": [[0.5, 0.2], [0.1, 0.5], [0.4, 0.3]]}) == 1.0
    with pytest.raises(ExportMismatch, match="83.3%"):
        parity.require_agreement("file", reference, {"probabilities": [[0.5, 0.2], [0.1, 0.5], [0.4, 0.2]]})


def test_a_label_that_does_not_fit_is_a_mismatch(reference):
    answer = reference.scores | {"label": ["yes", "no", "no"]}
    with pytest.raises(ExportMismatch, match="another label for 1 of 3 texts; in row 2: 'no'"):
        parity.require_same_answers("file", reference.answers, answer)


def test_answers_of_another_shape_are_a_mismatch(reference):
    with pytest.raises(ExportMismatch, match="of the shape"):
        parity.require_same_answers("file", reference.answers, {"probabilities": [[0.5, 0.2, 0.3]] * 3})


def test_a_mismatch_is_an_error_for_people():
    assert issubclass(ExportMismatch, UserError)


class DriftingTokenizer(WordPieceTokenizer):
    """Encodes otherwise in a graph than eagerly: what the proof is there to catch."""

    def encode_rows(self, texts, sequence_length):
        rows = super().encode_rows(texts, sequence_length)
        return rows if tf.executing_eagerly() else tf.where(rows > 10, rows - 1, rows)


def test_a_failed_proof_leaves_nothing_behind(make_classifier, tokenizer, sample_texts, tmp_path):
    drifting = DriftingTokenizer(tokenizer.vocabulary, tokenizer.config)
    with pytest.raises(ExportMismatch, match="tokenize encodes .* texts into other token_ids"):
        export_saved_model(
            make_classifier("lstm"), drifting, tmp_path / "deep" / "model", SEQUENCE_LENGTH, sample_texts
        )
    assert not list(tmp_path.iterdir())


def test_a_runtime_that_cannot_load_the_export_is_reported(reference, tmp_path):
    with pytest.raises(ExportMismatch, match="does not run in a fresh interpreter"):
        parity.ask_runtime("saved_model", tmp_path, reference)
