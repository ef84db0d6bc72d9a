import keras
import numpy as np
import pytest
from keras import ops

from tfplm.layers.embeddings import (
    LearnedPositionEmbedding,
    SegmentEmbedding,
    SinusoidalPositionEmbedding,
    TokenEmbedding,
)

IDS = np.array([[3, 1, 0], [2, 2, 4]], dtype="int32")


def test_token_embedding_looks_rows_up_and_projects_onto_the_same_rows():
    layer = TokenEmbedding(vocabulary_size=5, embedding_dim=4)
    hidden = ops.convert_to_numpy(layer(IDS))
    matrix = ops.convert_to_numpy(layer.embeddings)
    np.testing.assert_array_equal(hidden, matrix[IDS])
    np.testing.assert_allclose(ops.convert_to_numpy(layer.project(hidden)), hidden @ matrix.T, atol=1e-6)


def test_token_embedding_computes_in_the_dtype_of_its_policy():
    layer = TokenEmbedding(vocabulary_size=5, embedding_dim=4, dtype="mixed_bfloat16")
    hidden = layer(IDS)
    assert keras.backend.standardize_dtype(hidden.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(layer.project(hidden).dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(layer.embeddings.dtype) == "float32"


def test_segment_embedding_is_a_lookup_and_segment_zero_by_default():
    layer = SegmentEmbedding(num_segments=2, embedding_dim=4)
    segments = np.array([[0, 1, 1]], dtype="int32")
    output = ops.convert_to_numpy(layer(segments))
    matrix = ops.convert_to_numpy(layer.embeddings)
    np.testing.assert_allclose(output, matrix[segments], atol=1e-7)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer()), matrix[None, None, 0])


@pytest.mark.parametrize("layer_class", [LearnedPositionEmbedding, SinusoidalPositionEmbedding])
def test_positions_count_from_zero_unless_given(layer_class):
    layer = layer_class(max_sequence_length=6, embedding_dim=4)
    counted = ops.convert_to_numpy(layer(IDS))
    given = ops.convert_to_numpy(layer(IDS, np.array([[0, 1, 2], [2, 0, 1]], dtype="int32")))
    assert counted.shape == (1, 3, 4)
    np.testing.assert_array_equal(given[0], counted[0])
    np.testing.assert_array_equal(given[1], counted[0][[2, 0, 1]])


@pytest.mark.parametrize("layer_class", [LearnedPositionEmbedding, SinusoidalPositionEmbedding])
def test_too_long_a_sequence_is_an_error(layer_class):
    layer = layer_class(max_sequence_length=2, embedding_dim=4)
    with pytest.raises(ValueError, match="sequence of 3"):
        layer(IDS)


def test_sinusoids_follow_the_formula():
    table = ops.convert_to_numpy(SinusoidalPositionEmbedding(max_sequence_length=8, embedding_dim=6)(np.zeros((1, 8))))
    angle = 5 / 10000 ** (2 / 6)
    np.testing.assert_allclose(table[0, 5, 2:4], [np.sin(angle), np.cos(angle)], atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        TokenEmbedding(5, 4, "he_normal"),
        SegmentEmbedding(2, 4),
        LearnedPositionEmbedding(6, 4),
        SinusoidalPositionEmbedding(6, 4),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_config_rebuilds_the_layer(layer):
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert rebuilt.get_config() == layer.get_config()


def test_odd_width_of_sinusoids_and_empty_vocabulary_are_errors():
    with pytest.raises(ValueError, match="embedding_dim=5"):
        SinusoidalPositionEmbedding(6, 5)
    with pytest.raises(ValueError, match="vocabulary_size=0"):
        TokenEmbedding(0, 4)
