import keras
import numpy as np
import pytest
from keras import ops

from tests.tfplm.tasks.small_encoders import PACKED, TEXTS, UNPACKED, build_encoder, randomize
from tfplm.tasks.configuration import TextEmbeddingConfig
from tfplm.tasks.text_embedding import TextEmbedder

RANDOM = np.random.default_rng(0)
KINDS = np.arange(12) % 3
INPUTS = {"token_ids": np.where(np.arange(8) < 6, KINDS[:, None] + 5, 0).astype("int32")}  # the kind is in the text
VECTORS = RANDOM.normal(scale=0.5, size=(3, 16)).astype("float32")[KINDS]  # one for all texts of a kind

WAYS = [("bert", "mean"), ("bert", "first"), ("bert", "encoder"), ("gpt", "encoder"), ("lstm", "mean")]


def build(family: str, **config) -> TextEmbedder:
    return TextEmbedder(build_encoder(family), TextEmbeddingConfig(objective="distillation", **config))


@pytest.mark.parametrize(("family", "normalize"), [("bert", True), ("lstm", False)])
def test_fit_learns_the_vectors_of_a_teacher(family, normalize):
    keras.utils.set_random_seed(1)
    embedder = build(family, normalize=normalize)
    embedder.compile_for_training(keras.optimizers.Adam(0.02))
    vectors = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True) if normalize else VECTORS
    history = embedder.fit(INPUTS, vectors, epochs=40, verbose=0).history
    assert history["loss"][-1] < 0.3 * history["loss"][0]
    assert history["cosine_similarity"][-1] > 0.9


@pytest.mark.parametrize(("family", "pooling"), WAYS)
def test_the_vector_is_that_of_the_pooling_and_leaves_padding_out(family, pooling):
    embedder = randomize(build(family, pooling=pooling))
    encoded = embedder.encoder(INPUTS)
    hidden = ops.convert_to_numpy(encoded["sequence_output"])
    expected = {"mean": hidden[:, :6].mean(1), "first": hidden[:, 0], "encoder": encoded["pooled_output"]}[pooling]
    np.testing.assert_allclose(embedder(INPUTS), expected, atol=1e-5)
    np.testing.assert_allclose(embedder({"token_ids": INPUTS["token_ids"][:, :7]}), expected, atol=1e-5)


def test_normalized_vectors_have_the_length_one_and_the_direction_of_the_others():
    plain = randomize(build("bert"))
    normalized = TextEmbedder(plain.encoder, TextEmbeddingConfig(objective="distillation", normalize=True))
    vectors = ops.convert_to_numpy(plain(INPUTS))
    expected = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(normalized(INPUTS), expected, atol=1e-6)


def test_it_has_no_variables_of_its_own_and_trains_the_pooler_where_it_is_used():
    for pooling in ("mean", "first", "encoder"):
        embedder = build("bert", pooling=pooling)
        assert [w.path for w in embedder.weights] == [w.path for w in embedder.encoder.weights]
        is_trained = any("pooler" in variable.path for variable in embedder.trainable_variables)
        assert is_trained == (pooling == "encoder")


def test_vectors_are_float32_in_mixed_bfloat16(mixed_bfloat16):
    vectors = build("bert", normalize=True)(INPUTS)
    assert keras.backend.standardize_dtype(vectors.dtype) == "float32"
    np.testing.assert_allclose(ops.sum(vectors**2, axis=1), np.ones(12), rtol=1e-5)


def test_rows_of_weight_zero_do_not_count_and_the_loss_of_fit_is_that_of_the_scores():
    embedder = randomize(build("lstm"))
    embedder.compile_for_training(keras.optimizers.Adam())
    weights = np.where(np.arange(12) < 7, 1.0, 0.0).astype("float32")
    filled = embedder.evaluate(INPUTS, VECTORS, sample_weight=weights, batch_size=12, verbose=0, return_dict=True)
    got = ops.convert_to_numpy(embedder(INPUTS))[:7]
    assert filled["loss"] == pytest.approx(((got - VECTORS[:7]) ** 2).mean(), rel=1e-5)
    norms = np.linalg.norm(got, axis=1) * np.linalg.norm(VECTORS[:7], axis=1)
    assert filled["cosine_similarity"] == pytest.approx(((got * VECTORS[:7]).sum(1) / norms).mean(), abs=1e-5)
    scores = embedder.score(INPUTS, VECTORS, weights, training=False)
    total = ops.sum(scores.losses["text_embedding"]) / embedder.normalizers(weights)["text_embedding"]
    assert float(total) == pytest.approx(filled["loss"], rel=1e-5)


@pytest.mark.parametrize(("family", "pooling"), WAYS)
def test_packed_and_unpacked_vectors_and_losses_agree(family, pooling):
    embedder = randomize(build(family, pooling=pooling, normalize=True))
    packed, unpacked = (ops.convert_to_numpy(embedder(inputs)) for inputs in (PACKED, UNPACKED))
    assert packed.shape == (2, 3, 16)
    np.testing.assert_allclose([*packed[0], packed[1, 0]], unpacked, atol=1e-5)

    weights = np.array([1.0, 0.5, 2.0, 1.5], "float32")
    packed_weights = np.array([weights[:3], [1.5, 0.0, 0.0]], "float32")
    targets = VECTORS[: len(TEXTS)]
    of_packed = embedder.score(PACKED, np.stack([targets[:3], targets[[3, 0, 0]]]), packed_weights, training=False)
    of_unpacked = embedder.score(UNPACKED, targets, weights, training=False)
    losses = ops.reshape(of_packed.losses["text_embedding"], (-1,))
    np.testing.assert_allclose(losses[:4], of_unpacked.losses["text_embedding"], atol=1e-5)
    np.testing.assert_array_equal(losses[4:], 0.0)
    (metric,) = embedder.build_score_metrics()
    cosines = []
    for scores in (of_packed, of_unpacked):
        metric.reset_state()
        metric.update_state(*scores.metrics[metric.name])
        cosines.append(float(metric.result()))
    assert cosines[0] == pytest.approx(cosines[1], abs=1e-5)


def test_examples_without_tokens_leave_the_weights_finite():
    embedder = build("bert", normalize=True)
    embedder.compile_for_training(keras.optimizers.Adam())
    targets = np.stack([VECTORS[:3], VECTORS[[0, 1, 2]]])
    weights = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]], "float32")
    embedder.fit(PACKED, targets, sample_weight=weights, epochs=2, verbose=0)
    assert all(np.isfinite(weight).all() for weight in embedder.get_weights())
    np.testing.assert_array_equal(ops.convert_to_numpy(embedder(PACKED))[1, 1:], 0.0)


def test_a_keras_file_gives_the_task_back(tmp_path):
    embedder = build("lstm", pooling="first", normalize=True)
    embedder.save(tmp_path / "embedder.keras")
    loaded = keras.saving.load_model(tmp_path / "embedder.keras")
    assert loaded.config == embedder.config
    np.testing.assert_array_equal(loaded(INPUTS), embedder(INPUTS))


PAIRS = {"token_ids": np.stack([INPUTS["token_ids"], INPUTS["token_ids"] + (INPUTS["token_ids"] > 0) * 3], axis=1)}
NUMBERS = np.stack([KINDS, KINDS + 3], axis=1).astype("int32")  # texts of a kind are equal
ONES = np.ones(12, "float32")


def pair_targets(similarity) -> dict:
    return {"embeddings": NUMBERS, "similarity": np.asarray(similarity, "float32")}


def test_both_texts_of_a_pair_have_the_vectors_that_they_have_alone():
    embedder = randomize(TextEmbedder(build_encoder("bert"), TextEmbeddingConfig()))
    outputs = embedder(PAIRS)
    for place in (0, 1):
        alone = embedder({"token_ids": PAIRS["token_ids"][:, place]})
        np.testing.assert_allclose(outputs["embeddings"][:, place], alone, atol=1e-5)
    first, second = (ops.convert_to_numpy(outputs["embeddings"])[:, place] for place in (0, 1))
    cosines = (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    np.testing.assert_allclose(outputs["similarity"], cosines, atol=1e-5)


def test_two_copies_of_a_text_differ_by_their_dropout_alone():
    embedder = TextEmbedder(build_encoder("bert"), TextEmbeddingConfig())
    copies = {
        "token_ids": np.repeat(INPUTS["token_ids"][:, None], 2, axis=1),
        "row_seeds": np.arange(12, dtype="int32"),
    }
    for training, is_equal in ((False, True), (True, False)):
        vectors = ops.convert_to_numpy(embedder(copies, training=training)["embeddings"])
        assert np.allclose(vectors[:, 0], vectors[:, 1], atol=1e-6) == is_equal


def test_fit_learns_which_texts_are_partners():
    keras.utils.set_random_seed(1)
    embedder = TextEmbedder(build_encoder("lstm"), TextEmbeddingConfig(temperature=0.1, symmetric=True))
    embedder.compile_for_training(keras.optimizers.Adam(0.02))
    weights = {"embeddings": ONES, "similarity": 0 * ONES}
    targets = pair_targets(0 * ONES)
    history = embedder.fit(PAIRS, targets, sample_weight=weights, epochs=20, batch_size=12, verbose=0).history
    assert history["loss"][-1] < 0.3 * history["loss"][0]
    assert history["embeddings_recall_at_1"][-1] == 1.0


@pytest.mark.parametrize(("objective", "output"), [("contrastive", "embeddings"), ("similarity", "similarity")])
def test_the_scores_of_pairs_leave_those_of_weight_zero_out(objective, output):
    embedder = randomize(TextEmbedder(build_encoder("lstm"), TextEmbeddingConfig(objective=objective)))
    weights = {name: ONES * (np.arange(12) < 7) for name in ("embeddings", "similarity")}
    scores = embedder.score(PAIRS, pair_targets(KINDS / 2), weights, training=False)
    (losses,) = scores.losses.values()
    np.testing.assert_array_equal(ops.convert_to_numpy(losses)[7:], 0.0)
    assert float(embedder.normalizers(weights)["text_embedding"]) == 7.0
    expected = embedder.build_loss()[output].call(pair_targets(KINDS / 2)[output], embedder(PAIRS)[output])
    np.testing.assert_allclose(losses[:7], expected[:7], rtol=1e-5)
    assert sorted(scores.metrics) == sorted(metric.name for metric in embedder.build_score_metrics())
