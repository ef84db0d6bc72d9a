import keras
import numpy as np
import pytest
from keras import ops

from tfplm.models.bert import Bert
from tfplm.models.configuration import BertConfig
from tfplm.objectives import MaskedLmConfig
from tfplm.tasks.masked_language_model import MaskedLanguageModel

ENCODER = BertConfig(
    vocabulary_size=40,
    num_layers=1,
    num_heads=2,
    hidden_dim=16,
    intermediate_dim=32,
    max_sequence_length=8,
    dropout=0.0,
)
RANDOM = np.random.default_rng(0)
INPUTS = {
    "token_ids": RANDOM.integers(5, 40, (4, 8)).astype("int32"),
    "mask_positions": np.array([[1, 5, 7], [0, 2, 0], [3, 4, 6], [7, 0, 0]], "int32"),
}
TARGETS = {"masked_lm": RANDOM.integers(5, 40, (4, 3)), "next_sentence": np.array([1, 0, 1, 0])}
WEIGHTS = {
    "masked_lm": np.array([[1, 1, 1], [1, 1, 0], [1, 1, 1], [1, 0, 0]], "float32"),
    "next_sentence": np.ones(4, "float32"),
}


def only(values: dict, next_sentence: bool) -> dict:
    return values if next_sentence else {"masked_lm": values["masked_lm"]}


def build(next_sentence: bool = False) -> MaskedLanguageModel:
    return MaskedLanguageModel(Bert(ENCODER), MaskedLmConfig(next_sentence=next_sentence))


def test_scores_masked_positions_only_with_tied_weights():
    model = build()
    logits = ops.convert_to_numpy(model(INPUTS)["masked_lm"])
    sequence = ops.convert_to_numpy(model.encoder(INPUTS)["sequence_output"])
    hidden = np.take_along_axis(sequence, INPUTS["mask_positions"][..., None], 1)
    hidden = model.transform_norm(ops.gelu(model.transform(hidden), approximate=False))
    embeddings = ops.convert_to_numpy(model.encoder.token_embedding.embeddings)
    assert logits.shape == (4, 3, 40)
    np.testing.assert_allclose(logits, ops.convert_to_numpy(hidden) @ embeddings.T, atol=1e-5)


def test_head_adds_no_second_embedding_matrix():
    shapes = [tuple(weight.shape) for weight in build().weights]
    assert shapes.count((40, 16)) == 1


@pytest.mark.parametrize("next_sentence", [False, True])
def test_fit_learns_a_batch_by_heart_and_logs_its_metrics(next_sentence):
    keras.utils.set_random_seed(1)
    model = build(next_sentence)
    model.compile_for_training(keras.optimizers.Adam(5e-3))
    history = model.fit(
        INPUTS, only(TARGETS, next_sentence), sample_weight=only(WEIGHTS, next_sentence), epochs=60, verbose=0
    ).history
    assert history["masked_lm_accuracy"][-1] == 1.0
    assert history["masked_lm_perplexity"][-1] < 2.0 < history["masked_lm_perplexity"][0]
    assert ("next_sentence_accuracy" in history) == next_sentence


def test_loss_is_the_sum_of_both_objectives():
    model = build(next_sentence=True)
    model.compile_for_training(keras.optimizers.Adam())
    results = model.evaluate(INPUTS, TARGETS, sample_weight=WEIGHTS, verbose=0, return_dict=True)
    assert results["loss"] == pytest.approx(results["masked_lm_loss"] + results["next_sentence_loss"], rel=1e-5)
    outputs = model(INPUTS)
    plain = keras.losses.sparse_categorical_crossentropy
    lm = ops.convert_to_numpy(plain(TARGETS["masked_lm"], outputs["masked_lm"], from_logits=True))
    ns = ops.convert_to_numpy(plain(TARGETS["next_sentence"], outputs["next_sentence"], from_logits=True))
    weights = WEIGHTS["masked_lm"]
    assert results["loss"] == pytest.approx((lm * weights).sum() / weights.sum() + ns.mean(), rel=1e-5)


def test_pooler_is_trained_by_next_sentence_prediction_alone():
    for next_sentence in (False, True):
        model = build(next_sentence)
        trained = {weight.path for weight in model.trainable_variables}
        left = {weight.path for weight in model.non_trainable_variables}
        assert ("bert/pooler/kernel" in trained) == next_sentence
        assert trained.isdisjoint(left)
        assert trained | left == {weight.path for weight in model.variables}


def test_logits_are_float32_in_mixed_bfloat16(mixed_bfloat16):
    model = build(next_sentence=True)
    model.compile_for_training(keras.optimizers.Adam(1e-3))
    loss = model.fit(INPUTS, TARGETS, sample_weight=WEIGHTS, verbose=0).history["loss"][0]
    assert np.isfinite(loss)
    assert {keras.backend.standardize_dtype(x.dtype) for x in model(INPUTS).values()} == {"float32"}


def test_compiled_by_xla_it_computes_the_same():
    plain, compiled = build(), build()
    compiled.set_weights(plain.get_weights())
    losses = []
    for model, jit_compile in ((plain, False), (compiled, True)):
        model.compile_for_training(keras.optimizers.SGD(0.1), jit_compile=jit_compile)
        losses.append(model.evaluate(INPUTS, only(TARGETS, False), sample_weight=only(WEIGHTS, False), verbose=0)[0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_config_rebuilds_the_task():
    model = build(next_sentence=True)
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    assert rebuilt.config == model.config
    assert rebuilt.encoder.config == ENCODER
