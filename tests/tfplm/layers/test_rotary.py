import keras
import numpy as np
import pytest
from keras import ops

from tfplm.layers.rotary import rotate, rotation, scale_by_wavelength, scale_linearly

RANDOM = np.random.default_rng(0)
QUERY, KEY = RANDOM.normal(size=(2, 2, 3, 6, 8)).astype("float32")  # each (batch, heads, sequence, head_dim)
POSITIONS = np.array([[0, 1, 2, 3, 4, 5], [7, 0, 1, 900, 3, 2]], "int32")


def turned(heads: np.ndarray, positions: np.ndarray, base: float = 10_000.0) -> np.ndarray:
    return ops.convert_to_numpy(rotate(ops.convert_to_tensor(heads), rotation(positions, heads.shape[-1], base)))


@pytest.mark.parametrize("base", [10_000.0, 100.0])
def test_equals_pairs_turned_as_complex_numbers(base):
    pairs = QUERY[..., :4] + 1j * QUERY[..., 4:]
    frequencies = base ** (-2 * np.arange(4) / 8)
    expected = pairs * np.exp(1j * POSITIONS[:, None, :, None] * frequencies)
    expected = np.concatenate([expected.real, expected.imag], axis=-1)
    np.testing.assert_allclose(turned(QUERY, POSITIONS, base), expected, atol=2e-4)  # float32 at angles up to 900
    np.testing.assert_allclose(turned(QUERY[:1], POSITIONS[:1], base), expected[:1], atol=2e-6)


def test_scores_depend_on_the_distance_alone():
    def scores(positions):
        return turned(QUERY, positions) @ np.swapaxes(turned(KEY, positions), 2, 3)

    np.testing.assert_allclose(scores(POSITIONS[:1]), scores(POSITIONS[:1] + 40), atol=5e-5)
    assert np.abs(scores(POSITIONS[:1]) - scores(POSITIONS[:1] * 2)).max() > 0.1


def test_the_first_position_stays_and_lengths_stay_everywhere():
    got = turned(QUERY, POSITIONS)
    np.testing.assert_array_equal(got[0, :, 0], QUERY[0, :, 0])
    np.testing.assert_allclose(np.linalg.norm(got, axis=-1), np.linalg.norm(QUERY, axis=-1), rtol=1e-5)


def test_bfloat16_comes_back_as_it_came_with_angles_of_float32():
    positions = np.array([[1000, 1001]])  # bfloat16 has 8 bits: it would take both for 1000
    heads = np.ones((1, 1, 2, 8), "float32")
    got = rotate(ops.cast(heads, "bfloat16"), rotation(positions, 8))
    assert keras.backend.standardize_dtype(got.dtype) == "bfloat16"
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(got, "float32")), turned(heads, positions), atol=0.01)


def test_scaled_linearly_positions_stand_closer():
    def halved(frequencies):
        return scale_linearly(frequencies, 2.0)

    scaled = rotate(ops.convert_to_tensor(QUERY), rotation(POSITIONS * 2, 8, scale=halved))
    np.testing.assert_allclose(ops.convert_to_numpy(scaled), turned(QUERY, POSITIONS), atol=2e-4)


def test_scaled_by_wavelength_short_waves_stay_and_long_ones_are_stretched():
    wavelengths = np.array([1.0, 3.9, 4.0, 8.0, 16.0, 16.1, 900.0])
    frequencies = 2 * np.pi / wavelengths
    scaled = scale_by_wavelength(frequencies, factor=8.0, low_factor=1.0, high_factor=4.0, original_length=16)
    np.testing.assert_allclose(frequencies / scaled, [1, 1, 1, 12 / 5, 8, 8, 8], rtol=1e-6)  # 8: a third as it was
