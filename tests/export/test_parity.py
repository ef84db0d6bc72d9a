import numpy as np
import pytest
import tensorflow as tf

from export import parity
from export.parity import ExportMismatch, Reference, parity_texts
from export.saved_model import export_saved_model
from tests.export.conftest import SEQUENCE_LENGTH
from tfplm.errors import UserError
from tfplm.tokenizers.wordpiece import WordPieceTokenizer


@pytest.fixture
def reference():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], np.float32)
    ids = np.array([[2, 5, 3], [2, 6, 3], [2, 3, 0]], np.int32)
    return Reference(["one", "two", ""], ids, probabilities, ["yes", "no"], None)


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


def test_other_token_ids_are_a_mismatch(reference):
    parity.require_equal_token_ids("file", reference, reference.token_ids.tolist())
    with pytest.raises(ExportMismatch, match="1 of 3 texts into other token ids, first 'two'"):
        parity.require_equal_token_ids("file", reference, [[2, 5, 3], [2, 7, 3], [2, 3, 0]])


def test_the_worst_text_is_named(reference):
    assert parity.require_close_probabilities("file", reference, reference.probabilities.tolist()) == 0.0
    with pytest.raises(ExportMismatch, match="most of all for 'two'"):
        parity.require_close_probabilities("file", reference, [[0.9, 0.1002], [0.3, 0.7], [0.7, 0.3]])


def test_nan_is_a_mismatch(reference):
    answer = [[0.9, 0.1], [float("nan"), float("nan")], [0.7, 0.3]]
    with pytest.raises(ExportMismatch, match="'two'"):
        parity.require_close_probabilities("file", reference, answer)
    with pytest.raises(ExportMismatch, match="0.0%"):
        parity.require_agreeing_labels("file", reference, answer)


def test_a_quantized_model_may_be_off_but_not_of_another_mind(reference):
    assert parity.require_agreeing_labels("file", reference, [[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]) == 1.0
    with pytest.raises(ExportMismatch, match="66.7%"):
        parity.require_agreeing_labels("file", reference, [[0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])


def test_many_labels_agree_class_by_class(reference):
    many = Reference(reference.texts, reference.token_ids, reference.probabilities, ["a", "b"], threshold=0.25)
    assert parity.require_agreeing_labels("file", many, [[0.5, 0.2], [0.1, 0.5], [0.4, 0.3]]) == 1.0
    with pytest.raises(ExportMismatch, match="83.3%"):
        parity.require_agreeing_labels("file", many, [[0.5, 0.2], [0.1, 0.5], [0.4, 0.2]])


def test_a_label_that_does_not_fit_is_a_mismatch(reference):
    answer = {"probabilities": reference.probabilities.tolist(), "label": ["yes", "no", "no"]}
    with pytest.raises(ExportMismatch, match="output label"):
        parity.require_named_answers("file", reference, answer)


def test_a_mismatch_is_an_error_for_people():
    assert issubclass(ExportMismatch, UserError)


class DriftingTokenizer(WordPieceTokenizer):
    """Encodes otherwise in a graph than eagerly: what the proof is there to catch."""

    def encode_rows(self, texts, sequence_length):
        rows = super().encode_rows(texts, sequence_length)
        return rows if tf.executing_eagerly() else tf.where(rows > 10, rows - 1, rows)


def test_a_failed_proof_leaves_nothing_behind(make_classifier, tokenizer, sample_texts, tmp_path):
    drifting = DriftingTokenizer(tokenizer.vocabulary, tokenizer.config)
    with pytest.raises(ExportMismatch, match="tokenize encodes .* texts into other token ids"):
        export_saved_model(
            make_classifier("lstm"), drifting, tmp_path / "deep" / "model", SEQUENCE_LENGTH, sample_texts
        )
    assert not list(tmp_path.iterdir())


def test_a_runtime_that_cannot_load_the_export_is_reported(reference, tmp_path):
    with pytest.raises(ExportMismatch, match="does not run in a fresh interpreter"):
        parity.ask_runtime("saved_model", tmp_path, reference)
