import keras
import numpy as np
import pytest
from keras import ops

from tests.tfplm.tasks.small_encoders import PACKED, UNPACKED, build_encoder, randomize
from tfplm.tasks.configuration import TextRegressionConfig
from tfplm.tasks.metrics import PearsonCorrelation
from tfplm.tasks.text_regression import TextRegressor

KINDS = np.arange(12) % 3
INPUTS = {"token_ids": np.where(np.arange(8) < 6, KINDS[:, None] + 5, 0).astype("int32")}  # the kind is in the text
NUMBERS = np.array([100.0, 200.0, 400.0], np.float32)[KINDS]


def build(family: str, **config) -> TextRegressor:
    return TextRegressor(build_encoder(family), TextRegressionConfig(**config))


@pytest.mark.parametrize("family", ["bert", "lstm"])
def test_fit_learns_numbers_of_any_size(family):
    keras.utils.set_random_seed(1)
    regressor = build(family, offset=float(NUMBERS.mean()), scale=float(NUMBERS.std()), dropout=0.0)
    regressor.compile_for_training(keras.optimizers.Adam(0.02))
    history = regressor.fit(INPUTS, NUMBERS, epochs=50, verbose=0).history
    assert history["loss"][0] < 3.0  # in units of the spread
    assert history["mae"][-1] < 20.0 and history["pearson"][-1] > 0.98
    np.testing.assert_allclose(regressor(INPUTS), NUMBERS, atol=40.0)


def test_packed_texts_have_the_numbers_that_they_have_alone():
    regressor = randomize(build("bert", pooling="mean", offset=2.0, scale=3.0))
    alone = ops.convert_to_numpy(regressor(UNPACKED))
    packed = ops.convert_to_numpy(regressor(PACKED))
    assert packed.shape == PACKED["example_starts"].shape
    np.testing.assert_allclose([*packed[0], packed[1, 0]], alone, atol=1e-4)


def test_the_score_is_the_loss_of_plain_keras_and_rows_of_weight_zero_do_not_count():
    regressor = randomize(build("lstm", scale=50.0))
    weights = np.array([1.0] * 10 + [0.0] * 2, np.float32)
    scores = regressor.score(INPUTS, NUMBERS, weights, training=False)
    regressor.compile_for_training(keras.optimizers.SGD())
    plain = regressor.evaluate(INPUTS, NUMBERS, sample_weight=weights, verbose=0, batch_size=12, return_dict=True)
    total = float(ops.sum(scores.losses["text_regression"])) / float(regressor.normalizers(weights)["text_regression"])
    assert total == pytest.approx(plain["loss"], rel=1e-5)
    metrics = {metric.name: metric for metric in regressor.build_score_metrics()}
    for name, metric in metrics.items():
        metric.update_state(*scores.metrics[name])
    assert float(metrics["mae"].result()) == pytest.approx(plain["mae"], rel=1e-5)
    found = ops.convert_to_numpy(regressor(INPUTS))[:10]
    assert float(metrics["pearson"].result()) == pytest.approx(np.corrcoef(found, NUMBERS[:10])[0, 1], abs=1e-4)


def test_the_correlation_is_that_of_all_batches_and_zero_where_nothing_varies():
    random = np.random.default_rng(0)
    x, y = random.normal(1000.0, 2.0, (2, 60)).astype(np.float32)
    y = (x + 3.0 * (y - 1000.0)).astype(np.float32)
    metric = PearsonCorrelation(1000.0, 2.0)
    for start in range(0, 60, 20):
        metric.update_state(x[start : start + 20], y[start : start + 20])
    assert float(metric.result()) == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-5)
    metric.reset_state()
    metric.update_state([1.0, 1.0], [2.0, 3.0])
    assert float(metric.result()) == 0.0


def test_it_is_saved_with_its_offset_and_scale(tmp_path):
    from tfplm.tasks.saving import load_task, save_task

    regressor = randomize(build("bert", offset=2.5, scale=1.5))
    save_task(regressor, tmp_path)
    again = load_task(tmp_path)
    assert again.config == regressor.config
    np.testing.assert_array_equal(again(INPUTS), regressor(INPUTS))
