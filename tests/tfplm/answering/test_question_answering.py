import numpy as np
import pytest
import tensorflow as tf

from tests.tfplm.answering.question_models import PASSAGES, QUESTIONS, TOKENIZERS, build_answerer
from tfplm.answering.answerer import answer_texts
from tfplm.errors import UserError

TEXTS = {"question": QUESTIONS, "passage": PASSAGES}
KINDS = [("wordpiece", "bert"), ("wordpiece", "lstm"), ("bytes", "lstm")]


def tensors(texts=TEXTS):
    return {name: tf.constant(values) for name, values in texts.items()}


def answers_of(answerer, texts=TEXTS):
    return {name: value.numpy() for name, value in answerer.answer(tensors(texts)).items()}


def best_by_hand(answerer, rows, scores, number):
    """Score and bytes of the best span of all windows of an example, and the least score of no answer; one by one."""
    spans, nulls = [], []
    for window in np.flatnonzero(rows["examples"] == number):
        starts, ends = (scores[f"{side}_logits"][window] for side in ("start", "end"))
        nulls.append(starts[0] + ends[0])
        for first in np.flatnonzero(rows["context_mask"][window] & rows["max_context"][window]):
            for last in range(first, min(first + answerer.task.config.max_answer_length, len(starts))):
                if rows["context_mask"][window][last]:
                    place = rows["starts"][window][first], rows["ends"][window][last]
                    spans.append((starts[first] + ends[last], *place))
    return max(spans, key=lambda span: span[0], default=None), min(nulls)


@pytest.mark.parametrize(("tokenizer", "encoder"), KINDS)
def test_the_answer_is_the_best_span_of_all_windows(tokenizer, encoder):
    answerer = build_answerer(tokenizer, encoder)
    rows = {name: value.numpy() for name, value in answerer.encode(tensors()).items()}
    scores = {name: value.numpy() for name, value in answerer.score(answerer.encode(tensors())).items()}
    found = answers_of(answerer)
    assert np.bincount(rows["examples"]).max() > 2
    for number, passage in enumerate(PASSAGES):
        best, null = best_by_hand(answerer, rows, scores, number)
        if best is None:
            assert [found[name][number] for name in ("answer", "start", "score", "no_answer_score")] == [b"", -1, 0, 0]
            continue
        score, start, end = best
        assert found["answer"][number] == passage.encode()[start:end]
        assert found["score"][number] == pytest.approx(score, abs=1e-5)
        assert found["no_answer_score"][number] == pytest.approx(null - score, abs=1e-5)


@pytest.mark.parametrize(("tokenizer", "encoder"), KINDS)
def test_answers_are_parts_of_the_passage_at_their_characters(tokenizer, encoder):
    found = answers_of(build_answerer(tokenizer, encoder, max_answer_length=3))
    for number, passage in enumerate(PASSAGES):
        answer = found["answer"][number].decode()
        start, end = found["start"][number], found["end"][number]
        if number in (3, 4):  # an empty passage, an empty question
            assert (answer, start, end) == ("", -1, -1)
        else:
            assert answer
            assert passage[start:end] == answer == answer.strip()


def test_no_answer_is_given_over_the_threshold():
    scores = answers_of(build_answerer())["no_answer_score"]
    threshold = float(np.median(scores[[0, 1, 2, 5]]))
    found = answers_of(build_answerer(no_answer_threshold=threshold))
    np.testing.assert_array_equal(found["no_answer_score"], scores)
    for number in (0, 1, 2, 5):
        is_given = scores[number] <= threshold
        assert (found["answer"][number] != b"") == is_given == (found["start"][number] >= 0)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_one_text_or_many_in_a_graph_or_not_are_answered_alike(tokenizer):
    answerer = build_answerer(tokenizer)
    together = answers_of(answerer)
    in_graph = answer_texts(answerer, TEXTS, batch_size=4)
    for number in range(len(QUESTIONS)):
        alone = answers_of(answerer, {name: values[number : number + 1] for name, values in TEXTS.items()})
        for name, values in together.items():
            for other in (alone[name][0], in_graph[name][number]):
                if values.dtype == object:
                    assert other == values[number]
                else:
                    assert other == pytest.approx(values[number], abs=1e-5)


def test_windows_of_a_long_passage_are_scored_in_parts():
    answerer = build_answerer(stride=2)
    rows = answerer.encode({"question": tf.constant(["who ?"]), "passage": tf.constant(["then anna came " * 60])})
    assert rows["token_ids"].shape[0] > 64
    expected, found = answerer.score(rows), answerer.score_windows(rows)
    for name in ("start_logits", "end_logits"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5)


def test_segments_are_read_by_models_that_have_them():
    assert list(build_answerer(encoder="bert").row_specs(1)) == ["token_ids", "segment_ids", "context_mask"]
    assert list(build_answerer().row_specs(None)) == ["token_ids", "context_mask"]


def test_the_columns_of_one_window_are_its_best_span():
    answerer = build_answerer()
    rows = answerer.encode(tensors())
    scores = {name: value.numpy() for name, value in answerer.answer_rows(rows).items()}
    for window, allowed in enumerate(rows["context_mask"].numpy()):
        start, end = (int(scores[f"{side}_column"][window]) for side in ("start", "end"))
        if allowed.any():
            assert allowed[start] and allowed[end] and start <= end < start + 4
    assert answerer.agreement(scores, scores) == 1.0
    worst = {f"{side}_column": scores[f"{side}_logits"].argmin(axis=1) for side in ("start", "end")}
    assert answerer.agreement(scores, scores | worst) > 0.9  # the model hardly tells them apart
    sure = scores | {f"{side}_logits": 100 * scores[f"{side}_logits"] for side in ("start", "end")}
    assert answerer.agreement(sure, sure) == 1.0
    assert answerer.agreement(sure, sure | worst) < 0.2


def test_a_record_is_for_people():
    answerer = build_answerer()
    records = list(answerer.records(answers_of(answerer)))
    assert list(records[2]) == ["answer", "start", "end", "score", "no_answer_score"]
    assert PASSAGES[2][records[2]["start"] : records[2]["end"]] == records[2]["answer"]
    assert records[3] == {"answer": "", "start": -1, "end": -1, "score": 0.0, "no_answer_score": 0.0}


def test_rows_without_room_for_the_passage_are_an_error():
    with pytest.raises(UserError, match="sequence_length 11 has no room for the passage"):
        build_answerer(sequence_length=11)
