import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from tests.trainers import optimizer_steps
from tfplm.models.build import build_model
from tfplm.models.configuration import BertConfig
from tfplm.objectives import MaskedLmConfig
from tfplm.tasks.masked_language_model import MaskedLanguageModel
from tfplm.training_configuration import OptimizerConfig
from trainers.optimizers import Adafactor, AdamW, Lamb, Lion, LossScaling, Muon, build_optimizer

TYPES = optimizer_steps.TYPES


def variables():
    return [
        keras.Variable(np.ones((3, 2), "float32"), name="kernel"),
        keras.Variable(np.ones(2, "float32"), name="bias"),
    ]


def random_gradients(step: int, *shapes: tuple) -> list[np.ndarray]:
    random = np.random.default_rng(step)
    return [random.normal(size=shape).astype("float32") for shape in shapes]


# --- What all of them share ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", TYPES)
def test_only_matrices_decay(optimizer):
    kernel, bias = variables()
    built = build_optimizer(
        OptimizerConfig(type=optimizer, learning_rate=0.1, weight_decay=0.5, schedule="constant", warmup_fraction=0.0),
        total_steps=1,
    )
    built.apply([np.zeros((3, 2), "float32"), np.zeros(2, "float32")], [kernel, bias])
    # LAMB's step is as long as learning rate × the norm of the matrix, whatever the decay.
    expected = 1 - 0.1 if optimizer == "lamb" else 1 - 0.1 * 0.5
    np.testing.assert_allclose(kernel.numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(bias.numpy(), 1.0)


def test_what_a_user_excludes_does_not_decay_either():
    kernel, bias = variables()
    optimizer = AdamW(learning_rate=0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    optimizer.apply([np.zeros((3, 2), "float32"), np.zeros(2, "float32")], [kernel, bias])
    np.testing.assert_allclose(kernel.numpy(), 1.0)


def test_the_norm_over_all_gradients_is_kept_and_clipped():
    gradients = [np.full((3, 2), 2.0, "float32"), np.full(2, 2.0, "float32")]
    kernel, bias = variables()
    optimizer = AdamW(learning_rate=0.1, beta_1=0.0, beta_2=0.0, epsilon=1.0, clip_to_norm=1.0)
    optimizer.apply(gradients, [kernel, bias])
    norm = np.sqrt(8 * 4.0)
    assert float(optimizer.gradient_norm) == pytest.approx(norm)
    clipped = 2.0 / norm
    # Without momentum the step is g / (|g| + epsilon).
    np.testing.assert_allclose(bias.numpy(), 1 - 0.1 * clipped / (clipped + 1.0), rtol=1e-5)


def test_a_gradient_within_the_norm_is_left_alone():
    results = []
    for clip in (None, 100.0):
        kernel, bias = variables()
        optimizer = AdamW(learning_rate=0.1, clip_to_norm=clip)
        optimizer.apply([np.full((3, 2), 0.5, "float32"), np.full(2, 0.5, "float32")], [kernel, bias])
        results.append((kernel.numpy(), bias.numpy()))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("optimizer", TYPES)
def test_a_sparse_gradient_with_a_row_twice_counts_as_its_sum(optimizer):
    results = []
    rows = tf.IndexedSlices(tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([1, 1]), tf.constant([3, 2]))
    for gradient in (rows, tf.convert_to_tensor(rows)):
        kernel, _ = variables()
        built = build_optimizer(OptimizerConfig(type=optimizer, learning_rate=0.1), total_steps=2)
        built.apply([gradient], [kernel])
        results.append((kernel.numpy(), float(built.gradient_norm)))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert results[0][1] == results[1][1] == pytest.approx(np.hypot(4.0, 6.0))


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
@pytest.mark.parametrize("optimizer", TYPES)
def test_its_configuration_builds_it_again(optimizer, precision):
    built = build_optimizer(OptimizerConfig(type=optimizer), total_steps=10, precision=precision)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(built))
    assert type(again) is type(built)
    assert again.get_config() == built.get_config()


@pytest.mark.parametrize("jit_compile", [False, True])
def test_fit_trains_with_it_compiled_or_not(jit_compile):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Embedding(10, 4), keras.layers.Flatten(), keras.layers.Dense(1)])
    optimizer = build_optimizer(OptimizerConfig(learning_rate=0.05), total_steps=60)
    model.compile(optimizer=optimizer, loss="mse", jit_compile=jit_compile)
    x = np.arange(80).reshape(40, 2) % 10
    y = x.sum(axis=1, keepdims=True) / 10
    history = model.fit(x, y, batch_size=20, epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.1 * history[0]
    assert float(model.optimizer.gradient_norm) > 0


FIT_ON_JAX = """
import sys
import keras, numpy as np
from tfplm.training_configuration import OptimizerConfig
from trainers.learning_pace import Paces
from trainers.optimizers import build_optimizer

assert keras.backend.backend() == "jax" and "tensorflow" not in sys.modules
x = np.arange(80).reshape(40, 2) % 10
y = x.sum(axis=1, keepdims=True) / 10
rates = {"lamb": 0.05, "lion": 0.01, "adafactor": 0.1, "muon": 0.05, "loss scaling": 0.05}
for name, learning_rate in rates.items():
    keras.utils.set_random_seed(0)
    precision, kind = ("mixed_float16", "adamw") if name == "loss scaling" else ("float32", name)
    keras.mixed_precision.set_dtype_policy(precision)
    model = keras.Sequential([keras.layers.Embedding(10, 4), keras.layers.Flatten(), keras.layers.Dense(8, "relu")])
    model.add(keras.layers.Dense(1))
    model.build((None, 2))
    waiting, slow = (v for v in model.trainable_variables if v.path.endswith("bias"))
    before = np.array(waiting)
    paces = Paces(rate_factors={slow.path: 0.5}, first_steps={waiting.path: 10**6})
    config = OptimizerConfig(type=kind, learning_rate=learning_rate)
    model.compile(optimizer=build_optimizer(config, 60, precision, paces=paces), loss="mse")
    history = model.fit(x, y, batch_size=20, epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.1 * history[0], (name, history)
    assert float(model.optimizer.gradient_norm) > 0, name
    assert np.array_equal(waiting, before) and np.any(np.array(slow)), name
"""


def test_fit_trains_with_each_on_jax_alone():
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    answer = subprocess.run([sys.executable, "-c", FIT_ON_JAX], env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


# --- Each against its source --------------------------------------------------------------------------------------


@pytest.mark.parametrize("jit_compile", [False, True])
def test_adamw_takes_the_steps_of_keras(jit_compile):
    results = []
    for optimizer in (
        AdamW(0.01, weight_decay=0.1, beta_2=0.98, epsilon=1e-6),
        keras.optimizers.AdamW(0.01, weight_decay=0.1, beta_2=0.98, epsilon=1e-6),
    ):
        kernel, bias = variables()
        optimizer.exclude_from_weight_decay(var_list=[bias])
        optimizer.build([kernel, bias])

        step = tf.function(lambda *gradients, optimizer=optimizer: optimizer.apply(gradients), jit_compile=jit_compile)
        for number in range(20):
            step(*(tf.constant(gradient) for gradient in random_gradients(number, (3, 2), (2,))))
        results.append([kernel.numpy(), bias.numpy(), *(v.numpy() for v in optimizer.variables if "kernel" in v.path)])
    for own, of_keras in zip(*results, strict=True):
        np.testing.assert_allclose(own, of_keras, rtol=1e-6, atol=1e-7)


def test_lamb_takes_the_steps_of_its_paper():
    kernel, bias = variables()
    optimizer = Lamb(0.01, weight_decay=0.1, beta_1=0.9, beta_2=0.99, epsilon=1e-6)
    expected, moments = [kernel.numpy(), bias.numpy()], [[0.0, 0.0], [0.0, 0.0]]
    for step in range(1, 4):
        gradients = random_gradients(step, (3, 2), (2,))
        optimizer.apply(gradients, [kernel, bias])
        for i, (x, g) in enumerate(zip(expected, gradients, strict=True)):
            m, v = moments[i] = [0.9 * moments[i][0] + 0.1 * g, 0.99 * moments[i][1] + 0.01 * g**2]
            update = m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.99**step)) + 1e-6)
            if x.ndim == 2:  # decay and trust ratio for matrices alone, as in the authors' code
                update = update + 0.1 * x
                update = update * np.linalg.norm(x) / np.linalg.norm(update)
            expected[i] = x - 0.01 * update
    np.testing.assert_allclose(kernel.numpy(), expected[0], rtol=1e-5)
    np.testing.assert_allclose(bias.numpy(), expected[1], rtol=1e-5)


def test_lion_takes_the_steps_of_its_paper():
    kernel, bias = variables()
    optimizer = Lion(0.01, weight_decay=0.1, beta_1=0.9, beta_2=0.99)
    expected, momentum = kernel.numpy(), np.zeros((3, 2))
    for step in range(4):
        gradients = random_gradients(step, (3, 2), (2,))
        optimizer.apply(gradients, [kernel, bias])
        expected = expected - 0.01 * (np.sign(0.9 * momentum + 0.1 * gradients[0]) + 0.1 * expected)
        momentum = 0.99 * momentum + 0.01 * gradients[0]
    np.testing.assert_allclose(kernel.numpy(), expected, rtol=1e-6)


def test_adafactor_takes_the_steps_of_its_paper():
    kernel, bias = variables()
    optimizer = Adafactor(0.5, weight_decay=0.0)  # over the cap of 1 / sqrt(step) that Keras sets from step 5 on
    expected, rows, columns, moment = [kernel.numpy(), bias.numpy()], np.zeros(3), np.zeros(2), np.zeros(2)
    for step in range(1, 9):
        gradients = random_gradients(step, (3, 2), (2,))
        optimizer.apply(gradients, [kernel, bias])
        decay = 1 - step**-0.8
        squares = [g**2 + 1e-30 for g in gradients]
        rows = decay * rows + (1 - decay) * squares[0].sum(axis=1)
        columns = decay * columns + (1 - decay) * squares[0].sum(axis=0)
        moment = decay * moment + (1 - decay) * squares[1]
        for i, second in enumerate((np.outer(rows, columns) / rows.sum(), moment)):
            update = gradients[i] / np.sqrt(second)
            update = update / max(1.0, np.sqrt(np.mean(update**2)))
            expected[i] = expected[i] - 0.5 * max(1e-3, np.sqrt(np.mean(expected[i] ** 2))) * update
    np.testing.assert_allclose(kernel.numpy(), expected[0], rtol=1e-4)
    np.testing.assert_allclose(bias.numpy(), expected[1], rtol=1e-4)


def test_adafactor_keeps_a_row_and_a_column_of_a_matrix():
    matrix = keras.Variable(np.ones((50, 40), "float32"), name="kernel")
    optimizer = Adafactor(0.01)
    optimizer.build([matrix])
    assert sum(int(np.prod(v.shape)) for v in optimizer.variables) < 50 + 40 + 10


def test_adafactor_stands_rows_and_columns_without_gradient():
    kernel = keras.Variable(np.ones((3, 2), "float32"), name="kernel")
    optimizer = Adafactor(0.01, weight_decay=0.0)
    for _ in range(2):
        optimizer.apply([np.array([[1e-3, 0.0], [1e-3, 0.0], [0.0, 0.0]], "float32")], [kernel])
    assert np.all(kernel.numpy()[:2, 0] < 1.0)
    np.testing.assert_array_equal(kernel.numpy()[:, 1], 1.0)
    np.testing.assert_array_equal(kernel.numpy()[2], 1.0)


def test_adafactor_refuses_steps_of_its_own():
    with pytest.raises(ValueError, match="relative_step"):
        Adafactor(0.01, relative_step=True)


def test_muon_orthogonalizes_the_hidden_matrices_and_nothing_else():
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32, "max_sequence_length": 8}
    task = MaskedLanguageModel(build_model(BertConfig(**sizes), 64), MaskedLmConfig(next_sentence=True))
    weights = task.trainable_variables
    before = {v.path: v.numpy() for v in weights}
    optimizer = Muon(0.1, weight_decay=0.0)
    optimizer.apply(random_gradients(0, *(v.shape for v in weights)), weights)
    orthogonalized = set()
    for variable in weights:
        step = (before[variable.path] - variable.numpy()) / 0.1
        if not np.allclose(np.abs(step), 1.0, atol=1e-3):  # Adam's first step is the sign of the gradient
            values = np.linalg.svd(step / (0.2 * np.sqrt(max(step.shape))), compute_uv=False)
            assert values.min() > 0.6 and values.max() < 1.3, variable.path  # what five iterations come to
            orthogonalized.add(variable.path)
    block = "bert/block_0"
    assert orthogonalized == {
        f"{block}/attention/qkv/kernel",
        f"{block}/attention/output/kernel",
        f"{block}/feed_forward/intermediate/kernel",
        f"{block}/feed_forward/output/kernel",
        "bert/pooler/kernel",
        "masked_language_model/transform/kernel",
    }


# --- Under strategies and with loss scaling -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def results_of_strategies() -> dict:
    program = [sys.executable, "-m", "tests.trainers.optimizer_steps"]
    return json.loads(subprocess.run(program, stdout=subprocess.PIPE, check=True).stdout)


@pytest.mark.parametrize("case", optimizer_steps.CASES, ids=optimizer_steps.name_of)
def test_steps_on_several_replicas_are_those_of_one(results_of_strategies, case):
    optimizer, _, _, _, given = case
    taken = tuple(step for step in given if step[1])  # a step whose gradient overflowed leaves no trace
    expected = optimizer_steps.steps(tf.distribute.get_strategy(), optimizer, "float32", True, taken)
    for found, value in zip(results_of_strategies[optimizer_steps.name_of(case)], expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_loss_scale_halves_at_an_overflow_and_doubles_after_steps_without(jit_compile):
    kernel, bias = variables()
    optimizer = LossScaling(AdamW(0.1, weight_decay=0.0), initial_scale=8.0, dynamic_growth_steps=2)
    optimizer.build([kernel, bias])

    @tf.function(jit_compile=jit_compile)
    def step(value):
        optimizer.apply([optimizer.scale_loss(tf.fill((3, 2), value)), optimizer.scale_loss(tf.fill((2,), value))])

    scales, weights = [], []
    for value in (1.0, np.inf, 1.0, np.nan, 1.0, 1.0, 1.0):
        step(tf.constant(value, tf.float32))
        scales.append(float(optimizer.dynamic_scale))
        weights.append(float(kernel.numpy()[0, 0]))
    assert scales == [8.0, 4.0, 4.0, 2.0, 2.0, 4.0, 4.0]
    np.testing.assert_allclose(weights, [0.9, 0.9, 0.8, 0.8, 0.7, 0.6, 0.5], atol=1e-5)
    assert int(optimizer.iterations) == 5
    assert float(optimizer.gradient_norm) == pytest.approx(np.sqrt(8.0))


def test_the_loss_scale_does_not_fall_below_one():
    kernel, bias = variables()
    optimizer = LossScaling(AdamW(0.1), initial_scale=2.0)
    for _ in range(3):
        optimizer.apply([np.full((3, 2), np.inf, "float32"), np.ones(2, "float32")], [kernel, bias])
    assert float(optimizer.dynamic_scale) == 1.0


def test_only_float16_has_its_loss_scaled():
    assert isinstance(build_optimizer(OptimizerConfig(), 10, "mixed_float16"), LossScaling)
    assert isinstance(build_optimizer(OptimizerConfig(), 10, "mixed_bfloat16"), AdamW)


# --- Its configuration --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "moments"),
    {
        "adamw": (0.9, 0.999, 1e-6),
        "lamb": (0.9, 0.999, 1e-6),
        "lion": (0.9, 0.99, None),
        "adafactor": (None, None, None),
        "muon": (0.9, 0.95, 1e-8),
    }.items(),
)
def test_the_moments_have_the_defaults_of_the_type(optimizer, moments):
    config = OptimizerConfig(type=optimizer)
    assert (config.beta_1, config.beta_2, config.epsilon) == moments
    assert OptimizerConfig.model_validate(config.model_dump()) == config


@pytest.mark.parametrize(
    ("optimizer", "key"),
    [("lion", "epsilon"), ("adafactor", "beta_1"), ("adafactor", "beta_2"), ("adafactor", "epsilon")],
)
def test_a_setting_that_means_nothing_to_the_type_is_refused(optimizer, key):
    with pytest.raises(ValidationError, match=f"{optimizer} has no {key}") as error:
        OptimizerConfig(type=optimizer, **{key: 0.5})
    assert error.value.errors()[0]["loc"] == (key,)


def test_lion_without_its_first_beta_is_refused():
    with pytest.raises(ValidationError, match="beta_1 over 0"):
        OptimizerConfig(type="lion", beta_1=0.0)


def test_the_settings_reach_the_optimizer():
    config = OptimizerConfig(type="muon", beta_1=0.8, beta_2=0.7, epsilon=1e-3, weight_decay=0.2, global_clipnorm=0.5)
    muon = build_optimizer(config, total_steps=10, gradients_are_reduced=True)
    assert (muon.adam_beta_1, muon.adam_beta_2, muon.epsilon) == (0.8, 0.7, 1e-3)
    assert (muon.weight_decay, muon.clip_to_norm, muon.gradients_are_reduced) == (0.2, 0.5, True)
