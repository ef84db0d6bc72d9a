import keras
import numpy as np
import pytest
from keras import ops

from tfplm.tasks.vocabulary_scores import OutputWeights, score_tokens, score_vocabulary

RANDOM = np.random.default_rng(0)
HIDDEN = RANDOM.normal(size=(3, 5, 8)).astype("float32")
TARGETS = RANDOM.integers(0, 23, (3, 5)).astype("int32")
EMBEDDINGS = RANDOM.normal(size=(23, 8)).astype("float32")
BIAS = RANDOM.normal(size=23).astype("float32")
UPSTREAM = RANDOM.uniform(size=(3, 5)).astype("float32")  # another weight for every position
TARGETS[0] = (HIDDEN[0] @ EMBEDDINGS.T + BIAS).argmax(-1)  # some are right


def directly(hidden, embeddings, bias, compute_dtype="float32"):
    """By `score_tokens` and the backend's own gradients."""

    def project(rows):
        logits = ops.matmul(ops.cast(rows, compute_dtype), ops.transpose(ops.cast(embeddings, compute_dtype)))
        return ops.cast(logits, "float32") + bias

    return score_tokens(project, hidden, TARGETS)


def in_chunks(positions_per_chunk, compute_dtype="float32"):
    def score(hidden, embeddings, bias):
        weights = OutputWeights(embeddings, bias, compute_dtype)
        return score_vocabulary(weights, hidden, ops.convert_to_tensor(TARGETS), positions_per_chunk)

    return score


def scores_and_gradients(score, jit_compile: bool) -> list[np.ndarray]:
    """Losses, correctness, and the gradients of the weighted losses."""
    inputs = [ops.convert_to_tensor(value) for value in (HIDDEN, EMBEDDINGS, BIAS)]
    if keras.backend.backend() == "jax":
        import jax

        def weighted(*inputs):
            scores = score(*inputs)
            return (scores.losses * UPSTREAM).sum(), scores

        function = jax.value_and_grad(weighted, (0, 1, 2), has_aux=True)
        (_, scores), gradients = (jax.jit(function) if jit_compile else function)(*inputs)
    else:
        import tensorflow as tf

        @tf.function(jit_compile=jit_compile)
        def function(*inputs):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                scores = score(*inputs)
                total = tf.reduce_sum(scores.losses * UPSTREAM)
            return scores, tape.gradient(total, inputs)

        scores, gradients = function(*inputs)
    return [ops.convert_to_numpy(value) for value in (*scores, *gradients)]


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("positions_per_chunk", [None, 4, 100])
def test_chunks_of_any_size_score_and_teach_like_all_logits_at_once(positions_per_chunk, jit_compile):
    expected = scores_and_gradients(directly, jit_compile)
    got = scores_and_gradients(in_chunks(positions_per_chunk), jit_compile)
    assert 0 < expected[1].mean() < 1
    for value, other in zip(got, expected, strict=True):
        assert value.shape == other.shape
        np.testing.assert_allclose(value, other, rtol=1e-5, atol=1e-6)


def test_in_bfloat16_chunks_and_all_at_once_agree():
    expected = scores_and_gradients(in_chunks(None, "bfloat16"), jit_compile=False)
    got = scores_and_gradients(in_chunks(4, "bfloat16"), jit_compile=False)
    for value, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(value, other, atol=0.01 * np.abs(other).max())


def test_without_a_bias_it_counts_as_zeros():
    inputs = [ops.convert_to_tensor(value) for value in (HIDDEN, EMBEDDINGS, TARGETS)]
    for positions_per_chunk in (None, 4):
        scores = score_vocabulary(OutputWeights(inputs[1]), inputs[0], inputs[2], positions_per_chunk)
        with_zeros = OutputWeights(inputs[1], ops.zeros(23))
        expected = score_vocabulary(with_zeros, inputs[0], inputs[2], positions_per_chunk)
        np.testing.assert_allclose(*map(ops.convert_to_numpy, (scores.losses, expected.losses)), rtol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="looks into TensorFlow's graph")
@pytest.mark.parametrize(
    ("num_positions", "vocabulary_size", "loops"), [(640, 8192, False), (8192, 8192, False), (8193, 8192, True)]
)
def test_logits_over_256_mib_are_gone_through_in_chunks(num_positions, vocabulary_size, loops):
    import tensorflow as tf

    @tf.function(
        input_signature=[
            tf.TensorSpec((num_positions, 8)),
            tf.TensorSpec((vocabulary_size, 8)),
            tf.TensorSpec((num_positions,), tf.int32),
        ]
    )
    def score(hidden, embeddings, targets):
        return score_vocabulary(OutputWeights(embeddings), hidden, targets)

    operations = {operation.type for operation in score.get_concrete_function().graph.get_operations()}
    assert bool(operations & {"While", "StatelessWhile"}) == loops


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="on JAX every shape is static")
def test_chunks_of_a_batch_of_unknown_size_are_an_error():
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, 8)), tf.TensorSpec((None,), tf.int32)])
    def score(hidden, targets):
        return score_vocabulary(OutputWeights(tf.constant(EMBEDDINGS)), hidden, targets, positions_per_chunk=4)

    with pytest.raises(ValueError, match="positions_per_chunk=4"):
        score.get_concrete_function()
