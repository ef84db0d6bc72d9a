import keras
import numpy as np
import pytest
from keras import ops

from tests.tfplm.tasks.small_encoders import ENCODERS, build_encoder, randomize
from tfplm.generation.compilation import compiled
from tfplm.tasks.configuration import QuestionAnsweringConfig
from tfplm.tasks.question_answering import QuestionAnswering, best_spans

RANDOM = np.random.default_rng(0)
# The answer begins at the token 18 and ends at the token 19.
STARTS = RANDOM.integers(0, 5, 16).astype("int32")
ENDS = STARTS + RANDOM.integers(1, 3, 16).astype("int32")
IDS = RANDOM.integers(5, 18, (16, 8)).astype("int32") * (np.arange(8) < 7)
IDS[np.arange(16), STARTS], IDS[np.arange(16), ENDS] = 18, 19
INPUTS = {"token_ids": IDS.astype("int32")}
TARGETS = {"start_logits": STARTS, "end_logits": ENDS}
NAMES_OF_METRICS = ("start_logits_accuracy", "end_logits_accuracy", "span_accuracy")


def build(family: str, **config) -> QuestionAnswering:
    return QuestionAnswering(build_encoder(family), QuestionAnsweringConfig(**config))


def in_numpy(parts) -> list[np.ndarray]:
    return [ops.convert_to_numpy(part) for part in parts]


def test_fit_learns_where_the_answer_stands():
    keras.utils.set_random_seed(1)
    task = build("gpt")
    task.compile_for_training(keras.optimizers.Adam(0.03))
    history = task.fit(INPUTS, TARGETS, epochs=40, verbose=0).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    for name in NAMES_OF_METRICS:
        assert history[name][-1] > history[name][0]
    start, end, _ = in_numpy(task.answers(INPUTS, task(INPUTS)))
    np.testing.assert_array_equal(start, STARTS)
    np.testing.assert_array_equal(end, ENDS)


@pytest.mark.parametrize("family", ENCODERS)
def test_logits_are_the_dense_layer_at_every_token_even_at_padding(family):
    task = randomize(build(family))
    hidden = ops.convert_to_numpy(task.encoder(INPUTS)["sequence_output"])
    kernel, bias = in_numpy(task.span.weights)
    blocked = {**INPUTS, "context_mask": np.zeros_like(IDS)}
    outputs = task(blocked)
    assert sorted(outputs) == ["end_logits", "start_logits"]
    for column, name in enumerate(("start_logits", "end_logits")):
        np.testing.assert_allclose(outputs[name], hidden @ kernel[:, column] + bias[column], atol=1e-5)


def test_logits_are_float32_in_mixed_bfloat16(mixed_bfloat16):
    for logits in build("bert")(INPUTS).values():
        assert logits.shape == (16, 8)
        assert keras.backend.standardize_dtype(logits.dtype) == "float32"


def test_variables_of_the_head_have_its_names_and_the_pooler_is_not_trained():
    task = build("bert")
    shapes = {weight.path: tuple(weight.shape) for weight in task.weights}
    assert shapes["question_answering/span/kernel"] == (16, 2)
    assert shapes["question_answering/span/bias"] == (2,)
    assert not any("pooler" in variable.path for variable in task.trainable_variables)


WEIGHTS = {
    "start_logits": (np.arange(16) % 4 > 0).astype("float32"),
    "end_logits": (np.arange(16) % 5 > 0).astype("float32"),
}


def test_the_loss_is_the_mean_of_both_ends_in_fit_and_in_the_scores():
    task = randomize(build("lstm"))
    task.compile_for_training(keras.optimizers.Adam())
    got = task.evaluate(INPUTS, TARGETS, sample_weight=WEIGHTS, batch_size=16, verbose=0, return_dict=True)
    means, rights = [], []
    for name, logits in task(INPUTS).items():
        losses = ops.convert_to_numpy(
            keras.losses.sparse_categorical_crossentropy(TARGETS[name], logits, from_logits=True)
        )
        means.append((losses * WEIGHTS[name]).sum() / WEIGHTS[name].sum())
        rights.append(ops.convert_to_numpy(logits).argmax(-1) == TARGETS[name])
        assert got[f"{name}_accuracy"] == pytest.approx(rights[-1][WEIGHTS[name] > 0].mean(), abs=1e-6)
    counts = (WEIGHTS["start_logits"] * WEIGHTS["end_logits"]) > 0
    assert got["loss"] == pytest.approx(np.mean(means), rel=1e-5)
    assert got["span_accuracy"] == pytest.approx((rights[0] & rights[1])[counts].mean(), abs=1e-6)

    scores = task.score(INPUTS, TARGETS, WEIGHTS, training=False)
    normalizers = task.normalizers(WEIGHTS)
    total = sum(float(ops.sum(losses) / normalizers[name]) for name, losses in scores.losses.items())
    assert total == pytest.approx(got["loss"], rel=1e-5)
    assert sorted(scores.metrics) == sorted(NAMES_OF_METRICS)
    for metric in task.build_score_metrics():
        metric.update_state(*scores.metrics[metric.name])
        assert float(metric.result()) == pytest.approx(got[metric.name], abs=1e-6)


def test_one_sample_weight_a_row_counts_for_both_ends():
    task = randomize(build("lstm"))
    task.compile_for_training(keras.optimizers.Adam())
    filled, alone = (
        task.evaluate(INPUTS, TARGETS, sample_weight=weight, batch_size=16, verbose=0, return_dict=True)
        for weight in (WEIGHTS["end_logits"], dict.fromkeys(TARGETS, WEIGHTS["end_logits"]))
    )
    assert filled == alone


def test_metrics_begin_anew_with_every_evaluation():
    task = randomize(build("lstm"))
    task.compile_for_training(keras.optimizers.Adam())
    first, second = (task.evaluate(INPUTS, TARGETS, verbose=0, return_dict=True) for _ in range(2))
    assert first == second
    guesses = {name: ops.convert_to_numpy(logits).argmax(-1) for name, logits in task(INPUTS).items()}
    assert task.evaluate(INPUTS, guesses, verbose=0, return_dict=True)["span_accuracy"] == 1.0


def best_span_by_hand(starts, ends, allowed, max_answer_length):
    candidates = [
        (-(starts[i] + ends[j]), i, j)
        for i in range(len(starts))
        for j in range(i, min(i + max_answer_length, len(starts)))
        if allowed[i] and allowed[j]
    ]
    score, start, end = min(candidates)
    return start, end, -score


@pytest.mark.parametrize("max_answer_length", [1, 3, 9, 50])
def test_best_spans_are_those_of_trying_all(max_answer_length):
    # Quarters, so that many spans are equally good and sums are exact.
    starts, ends = (RANDOM.integers(-8, 8, (40, 9)).astype("float32") / 4 for _ in range(2))
    allowed = RANDOM.integers(0, 2, (40, 9)).astype(bool)
    allowed[:, 4] = True
    got = np.stack(in_numpy(best_spans(starts, ends, allowed, max_answer_length)), axis=1)
    expected = [best_span_by_hand(*row, max_answer_length) for row in zip(starts, ends, allowed, strict=True)]
    np.testing.assert_array_equal(got, expected)


def test_a_start_mask_leaves_the_ends_free():
    logits = np.array([[5.0, 1.0, 2.0, 4.0]], "float32")
    allowed = np.ones((1, 4), bool)
    start, end, score = in_numpy(best_spans(logits, logits, allowed, 4, np.array([[0, 1, 1, 0]])))
    assert (start.item(), end.item(), score.item()) == (2, 3, 6.0)


def test_best_spans_compile_to_the_same():
    starts, ends = (RANDOM.normal(size=(5, 12)).astype("float32") for _ in range(2))
    allowed = RANDOM.integers(0, 2, (5, 12)).astype("int32")
    got = compiled(lambda *parts: best_spans(*parts, 4), [])(*map(ops.convert_to_tensor, (starts, ends, allowed)))
    for part, expected in zip(got, best_spans(starts, ends, allowed, 4), strict=True):
        np.testing.assert_array_equal(part, expected)


def test_where_nothing_is_allowed_the_score_says_so():
    logits = np.full((2, 4), 100.0, "float32")
    allowed = np.array([[0, 0, 0, 0], [0, 0, 1, 0]], bool)
    start, end, score = in_numpy(best_spans(logits, logits, allowed, 3))
    assert score[0] < -1e8
    assert np.isfinite(score).all()
    assert (start[1], end[1], score[1]) == (2, 2, 200.0)


def test_a_span_without_tokens_is_an_error():
    with pytest.raises(ValueError, match="max_answer_length=0"):
        best_spans(np.zeros((1, 2), "float32"), np.zeros((1, 2), "float32"), np.ones((1, 2)), 0)


def test_answers_lie_in_the_passage_and_are_short_enough():
    task = build("lstm", max_answer_length=2)
    # The best single tokens are the padding in column 7, then column 0, which is of the question.
    logits = np.array([[8.0, 1.0, 5.0, 0.0, 1.0, 4.0, 0.0, 9.0]], "float32")
    outputs = {"start_logits": logits, "end_logits": logits}
    inputs = {"token_ids": np.array([[5, 6, 7, 8, 9, 10, 11, 0]], "int32")}
    assert [part.item() for part in in_numpy(task.answers(inputs, outputs))] == [0, 0, 16.0]
    passage = {**inputs, "context_mask": np.array([[0, 0, 0, 1, 1, 1, 1, 1]], "int32")}
    assert [part.item() for part in in_numpy(task.answers(passage, outputs))] == [5, 5, 8.0]


def test_a_keras_file_gives_the_task_back(tmp_path):
    task = build("gpt", max_answer_length=5)
    task.save(tmp_path / "task.keras")
    loaded = keras.saving.load_model(tmp_path / "task.keras")
    assert loaded.config == task.config
    for name, logits in task(INPUTS).items():
        np.testing.assert_array_equal(loaded(INPUTS)[name], logits)
