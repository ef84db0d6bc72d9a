import keras
import numpy as np
import pytest
from keras import ops
from sklearn.metrics import f1_score

from tests.tfplm.tasks.small_encoders import ENCODERS, PACKED, TEXTS, UNPACKED, build_encoder, randomize
from tfplm.tasks.configuration import TokenClassificationConfig
from tfplm.tasks.token_classification import TokenClassifier

NAMES = ["O", "人名", "B-LOC"]
RANDOM = np.random.default_rng(0)
IDS = RANDOM.integers(5, 20, (16, 8)).astype("int32") * (np.arange(8) < 6)  # two of padding
INPUTS = {"token_ids": IDS.astype("int32")}
TAGS = (IDS % 3).astype("int32")  # what a token is alone says its tag
WEIGHTS = ((IDS > 0) & (np.arange(8) != 2)).astype("float32")  # a third token that does not count


def build(family: str, **config) -> TokenClassifier:
    return TokenClassifier(build_encoder(family), TokenClassificationConfig(**config), NAMES)


@pytest.mark.parametrize("family", ["bert", "lstm"])
def test_fit_learns_the_tags_of_the_tokens(family):
    keras.utils.set_random_seed(1)
    tagger = build(family)
    tagger.compile_for_training(keras.optimizers.Adam(0.03))
    history = tagger.fit(INPUTS, TAGS, sample_weight=WEIGHTS, epochs=40, verbose=0).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert history["accuracy"][-1] > history["accuracy"][0]
    assert history["macro_f1"][-1] > history["macro_f1"][0]
    counts = WEIGHTS > 0
    np.testing.assert_array_equal(ops.convert_to_numpy(tagger(INPUTS)).argmax(-1)[counts], TAGS[counts])


def test_every_token_has_float32_logits_in_mixed_bfloat16(mixed_bfloat16):
    logits = build("bert")(INPUTS)
    assert logits.shape == (16, 8, 3)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"


def test_variables_of_the_head_have_its_names_and_the_pooler_is_not_trained():
    tagger = build("bert")
    assert {"token_classifier/classifier/kernel", "token_classifier/classifier/bias"} <= {
        w.path for w in tagger.weights
    }
    assert not any("pooler" in variable.path for variable in tagger.trainable_variables)


def test_tokens_of_weight_zero_do_not_count_in_loss_and_metrics():
    tagger = randomize(build("lstm"))
    tagger.compile_for_training(keras.optimizers.Adam())
    got = tagger.evaluate(INPUTS, TAGS, sample_weight=WEIGHTS, batch_size=5, verbose=0, return_dict=True)
    counts = WEIGHTS.astype(bool)
    logits, tags = ops.convert_to_numpy(tagger(INPUTS))[counts], TAGS[counts]
    guesses = logits.argmax(-1)
    assert got["accuracy"] == pytest.approx((guesses == tags).mean(), abs=1e-6)
    assert got["macro_f1"] == pytest.approx(f1_score(tags, guesses, average="macro"), abs=1e-6)
    wrong_elsewhere = np.where(counts, TAGS, (TAGS + 1) % 3)
    again = tagger.evaluate(INPUTS, wrong_elsewhere, sample_weight=WEIGHTS, batch_size=5, verbose=0, return_dict=True)
    assert again == got


def test_the_loss_of_fit_is_that_of_the_scores():
    tagger = randomize(build("lstm"))
    tagger.compile_for_training(keras.optimizers.Adam())
    weights = (WEIGHTS * RANDOM.uniform(0.5, 2.0, WEIGHTS.shape)).astype("float32")
    got = tagger.evaluate(INPUTS, TAGS, sample_weight=weights, batch_size=16, verbose=0, return_dict=True)
    scores = tagger.score(INPUTS, ops.convert_to_tensor(TAGS), ops.convert_to_tensor(weights), training=False)
    total = ops.sum(scores.losses["token_classification"]) / tagger.normalizers(weights)["token_classification"]
    logits = ops.convert_to_numpy(tagger(INPUTS)).astype("float64")
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    losses = -np.take_along_axis(log_probabilities, TAGS[..., None], -1)[..., 0]
    assert got["loss"] == pytest.approx((losses * weights).sum() / weights.sum(), rel=1e-5)
    assert float(total) == pytest.approx(got["loss"], rel=1e-5)
    for metric in tagger.build_score_metrics():
        metric.update_state(*scores.metrics[metric.name])
        assert float(metric.result()) == pytest.approx(got[metric.name], abs=1e-6)


@pytest.mark.parametrize("family", ENCODERS)
def test_packed_and_unpacked_logits_agree(family):
    tagger = randomize(build(family))
    packed, unpacked = (ops.convert_to_numpy(tagger(inputs)) for inputs in (PACKED, UNPACKED))
    of_texts = [logits[: len(text)] for logits, text in zip(unpacked, TEXTS, strict=True)]
    np.testing.assert_allclose(packed[0], np.concatenate(of_texts[:3]), atol=1e-5)
    np.testing.assert_allclose(packed[1], of_texts[3], atol=1e-5)


def test_probabilities_of_every_token_add_up_to_one():
    tagger = build("lstm")
    sums = ops.sum(tagger.probabilities(tagger(INPUTS)), axis=-1)
    np.testing.assert_allclose(sums, np.ones((16, 8)), rtol=1e-5)


def test_dropout_is_a_function_of_the_row_seeds():
    tagger = build("bert", dropout=0.5)
    seeds = np.arange(16, dtype="int32")
    first, second, other = (
        ops.convert_to_numpy(tagger({**INPUTS, "row_seeds": row_seeds}, training=True))
        for row_seeds in (seeds, seeds, seeds + 1)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_repeated_or_single_class_names_are_errors():
    for class_names in (["O"], ["O", "O"]):
        with pytest.raises(ValueError, match="class_names"):
            TokenClassifier(build_encoder("lstm"), TokenClassificationConfig(), class_names)


def test_a_keras_file_gives_the_task_back(tmp_path):
    tagger = build("bert", dropout=0.3)
    tagger.save(tmp_path / "tagger.keras")
    loaded = keras.saving.load_model(tmp_path / "tagger.keras")
    assert loaded.config == tagger.config
    assert loaded.class_names == NAMES
    np.testing.assert_array_equal(loaded(INPUTS), tagger(INPUTS))
