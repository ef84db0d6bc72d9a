import keras
import numpy as np
import pytest
from keras import ops

from tests.tfplm.compiled import compiled, quickest
from tests.tfplm.tasks.writers import (
    DECODERS,
    ENCODER_DECODERS,
    SOURCES,
    TOKENS,
    WRITERS,
    as_numpy,
    build_writer,
    inputs_of,
    score,
    whole_pass,
)

ONE_OF_EACH_FAMILY = pytest.mark.parametrize("kind", ["llama", "lstm", "t5", "lstm_seq2seq"])
PROMPT_LENGTHS = [4, 1, 3]
TARGETS = {"next_token": np.roll(TOKENS, -1, axis=1)}
WEIGHTS = {"next_token": np.random.default_rng(2).uniform(0, 2, TOKENS.shape).astype("float32")}
WEIGHTS["next_token"][0, 3:] = 0.0


def left_padded_prompts(padding: int = 0) -> np.ndarray:
    prompts = np.full((3, max(PROMPT_LENGTHS)), padding, "int32")
    for row, length in enumerate(PROMPT_LENGTHS):
        prompts[row, -length:] = TOKENS[row, :length]
    return prompts


def begin(task, kind: str, prefill) -> tuple:
    """The prompts read, and for each row the number of the target tokens that have been read."""
    if kind in ENCODER_DECODERS:
        return prefill({"token_ids": SOURCES}), [1, 1, 1]
    return prefill({"token_ids": left_padded_prompts()}), PROMPT_LENGTHS


def logits_alone(task, kind: str) -> list[np.ndarray]:
    """Of each row without padding, in one pass: (sequence, vocabulary)."""
    read, logits = whole_pass(task), []
    for row in range(3):
        inputs = {name: rows[row : row + 1] for name, rows in inputs_of(kind).items()}
        if kind in ENCODER_DECODERS:
            inputs["token_ids"] = inputs["token_ids"][:, : np.count_nonzero(inputs["token_ids"])]
        logits.append(read(inputs)[0])
    return logits


@pytest.mark.parametrize("jit_compile", [False, True] if keras.backend.backend() == "tensorflow" else [True])
@pytest.mark.parametrize("kind", WRITERS)
def test_token_by_token_in_a_batch_the_logits_are_those_of_each_row_alone_in_one_pass(kind, jit_compile):
    task = build_writer(kind)
    expected = logits_alone(task, kind)
    tokens = inputs_of(kind)["token_ids" if kind in DECODERS else "decoder_token_ids"]
    num_steps, cache_length = (5, 9) if kind in DECODERS else (8, 9)

    def prefill(inputs):
        return task.prefill(inputs, cache_length)

    wrap = compiled if jit_compile else lambda function: function
    decode = wrap(task.decode)
    decoded, lengths = begin(task, kind, wrap(prefill))
    for step in range(num_steps + 1):
        for row, length in enumerate(lengths):
            np.testing.assert_allclose(as_numpy(decoded.logits)[row], expected[row][length - 1 + step], atol=1e-5)
        if step < num_steps:
            next_tokens = np.array([tokens[row, length + step] for row, length in enumerate(lengths)])
            decoded = decode(next_tokens, decoded.state)
    assert int(decoded.state["index"]) == cache_length


@pytest.mark.parametrize("kind", DECODERS)
def test_a_padding_mask_says_what_the_prompt_is(kind):
    task = build_writer(kind)
    prompts = left_padded_prompts()

    def two_tokens_on(inputs):
        return task.decode(TOKENS[:, 5], task.prefill(inputs, 6).state).logits

    expected = quickest(two_tokens_on)({"token_ids": prompts})
    got = quickest(two_tokens_on)({"token_ids": left_padded_prompts(padding=9), "padding_mask": prompts != 0})
    np.testing.assert_allclose(as_numpy(got), as_numpy(expected), atol=1e-5)


@pytest.mark.parametrize("kind", ENCODER_DECODERS)
def test_an_encoded_source_and_the_first_token_are_a_prefill(kind):
    task = build_writer(kind)

    def both_ways(sources):
        inputs = {"token_ids": sources}
        return task.prefill(inputs, 4).logits, task.decode(np.zeros(3, "int32"), task.encode(inputs, 4)).logits

    got, expected = map(as_numpy, quickest(both_ways)(SOURCES))
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def shapes_and_types(function, *arguments):
    """Of what the function gives, by tracing it alone."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.eval_shape(function, *arguments)
    import tensorflow as tf

    arguments = tf.nest.map_structure(lambda part: tf.TensorSpec(part.shape, part.dtype), arguments)
    return tf.function(function).get_concrete_function(*arguments).structured_outputs


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("kind", WRITERS)
def test_the_state_keeps_its_shapes_and_types_from_token_to_token(kind, policy, mixed_bfloat16):
    keras.mixed_precision.set_global_policy(policy)
    task = build_writer(kind)
    before, _ = begin(task, kind, lambda inputs: shapes_and_types(lambda x: task.prefill(x, 6), inputs))
    after = shapes_and_types(task.decode, TOKENS[:, 5], before.state)

    def described(decoded):
        return {
            name: (tuple(value.shape), keras.backend.standardize_dtype(value.dtype))
            for name, value in (*decoded.state.items(), ("logits", decoded.logits), ("hidden", decoded.hidden))
        }

    assert described(before) == described(after)
    of_logits, of_index = described(after).pop("logits"), described(after).pop("index")
    assert (of_logits, of_index) == (((3, 30), "float32"), ((), "int32"))
    assert {shape[0] for name, (shape, _) in described(after).items() if name != "index"} == {3}


@ONE_OF_EACH_FAMILY
def test_in_bfloat16_the_logits_with_a_cache_are_near_those_in_one_pass(kind, mixed_bfloat16):
    task = build_writer(kind)
    whole = whole_pass(task)(inputs_of(kind))
    decoded, lengths = begin(task, kind, quickest(lambda inputs: task.prefill(inputs, 6)))
    for row, length in enumerate(lengths):
        got, expected = as_numpy(decoded.logits)[row], whole[row, length - 1]
        np.testing.assert_allclose(got, expected, atol=0.05 * np.abs(whole).max())


@pytest.mark.parametrize("kind", WRITERS)
def test_scores_are_the_losses_and_metrics_of_the_logits(kind):
    task, inputs = build_writer(kind), inputs_of(kind)
    scores, logits = score(task, inputs, TARGETS, WEIGHTS), whole_pass(task)(inputs)
    total = ops.sum(scores.losses["next_token"]) / task.normalizers(WEIGHTS)["next_token"]
    loss = task.build_loss()["next_token"](TARGETS["next_token"], logits, sample_weight=WEIGHTS["next_token"])
    np.testing.assert_allclose(as_numpy(total), as_numpy(loss), rtol=1e-5)
    logged = {}
    for metric in task.build_metrics()["next_token"]:
        metric.update_state(TARGETS["next_token"], logits, sample_weight=WEIGHTS["next_token"])
        logged[metric.name] = float(metric.result())
    for metric in task.build_score_metrics():
        metric.update_state(*scores.metrics[metric.name])
        assert float(metric.result()) == pytest.approx(logged.pop(metric.name), rel=1e-4)
    assert not logged


@pytest.mark.parametrize("kind", ["llama", "lstm_seq2seq"])  # without a bias of the output, and with one
def test_in_chunks_the_scores_are_the_same(kind):
    whole, chunked = (score(build_writer(kind, size), inputs_of(kind), TARGETS, WEIGHTS) for size in (None, 4))
    np.testing.assert_allclose(*(as_numpy(x.losses["next_token"]) for x in (chunked, whole)), rtol=1e-5, atol=1e-6)
    for name in whole.metrics:
        for part, expected in zip(chunked.metrics[name], whole.metrics[name], strict=True):
            np.testing.assert_allclose(as_numpy(part), as_numpy(expected), rtol=1e-5, atol=1e-6)


@ONE_OF_EACH_FAMILY
def test_in_bfloat16_a_training_loss_is_finite_and_float32(kind, mixed_bfloat16):
    task = build_writer(kind)
    inputs = {**inputs_of(kind), "row_seeds": np.arange(3, dtype="int32")}
    losses = score(task, inputs, TARGETS, WEIGHTS, training=True).losses["next_token"]
    assert keras.backend.standardize_dtype(losses.dtype) == "float32"
    assert np.isfinite(as_numpy(losses)).all()
    assert as_numpy(losses).sum() > 1.0


@pytest.mark.parametrize("kind", WRITERS)
def test_config_rebuilds_the_task(kind):
    task = build_writer(kind, positions_per_chunk=5)
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(task))
    assert (rebuilt.config, rebuilt.encoder.config) == (task.config, task.encoder.config)
    assert [weight.shape for weight in rebuilt.weights] == [weight.shape for weight in task.weights]
