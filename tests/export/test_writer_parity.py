import dataclasses

import numpy as np
import pytest

from export import writer_parity
from export.parity import ExportMismatch
from export.writer_parity import WriterReference


@pytest.fixture
def reference():
    rows = [np.array([3, 7], np.int32), np.array([3, 8], np.int32)]
    return WriterReference(
        texts=["one", "two"],
        num_tokens=3,
        whole_rows=rows,
        rows=rows,
        written=np.array([[5, 6, 7], [8, 0, 0]], np.int32),
        margins=np.array([[1.0, 1e-5, 1.0], [1.0, 1.0, np.inf]], np.float32),
        beginnings=[row[:1] for row in rows],
        forced=[row[1:] for row in rows],
        forced_log_probabilities=[np.array([-1.0], np.float32), np.array([-3.0], np.float32)],
        forced_choices=[np.array([7], np.int32), np.array([9], np.int32)],
    )


def test_equal_tokens_are_counted(reference):
    assert writer_parity.require_equal_tokens("file", reference, [[5, 6, 7], [8]]) == {"equal_texts": 2, "ties": 0}


def test_where_two_tokens_are_equally_good_either_may_come(reference):
    assert writer_parity.require_equal_tokens("file", reference, [[5, 9, 2], [8]]) == {"equal_texts": 1, "ties": 1}


@pytest.mark.parametrize("found", [[[4, 6, 7], [8]], [[5, 6, 7], []], [[5, 6, 7], [8, 1]], [[5, 6, 1], [8]]])
def test_another_token_is_a_mismatch(reference, found):
    with pytest.raises(ExportMismatch, match="writes other tokens than the Keras model"):
        writer_parity.require_equal_tokens("file", reference, found)


def test_a_far_or_missing_score_is_a_mismatch(reference):
    expected = reference.forced_log_probabilities
    assert writer_parity.require_close_scores("file", expected, [[-1.0005], [-3.0]]) == pytest.approx(5e-4, rel=1e-3)
    for wrong in (-1.002, float("nan")):
        with pytest.raises(ExportMismatch, match="scores tokens otherwise"):
            writer_parity.require_close_scores("file", expected, [[wrong], [-3.0]])


def test_a_coarse_model_passes_and_a_broken_one_does_not(reference):
    coarse = {"choices": [[7], [8]], "log_probabilities": [[-1.2], [-3.0]]}
    figures = writer_parity.require_sane_quantization("file", reference, coarse)
    assert figures["equal_tokens"] == 0.5
    assert figures["perplexity_float"] == pytest.approx(np.exp(2.0))
    assert figures["perplexity_int8"] == pytest.approx(np.exp(2.1))
    for broken in (-5.0, float("nan")):
        with pytest.raises(ExportMismatch, match="perplexity"):
            writer_parity.require_sane_quantization("file", reference, coarse | {"log_probabilities": [[broken], [-3]]})


def test_a_part_is_of_the_first_texts(reference):
    part = reference.part(1)
    assert (part.texts, part.written.tolist(), part.num_tokens) == (["one"], [[5, 6, 7]], 3)
    assert dataclasses.asdict(part).keys() == dataclasses.asdict(reference).keys()
