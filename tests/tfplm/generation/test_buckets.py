import numpy as np
import pytest

from tfplm.generation.buckets import length_bucket, padded


@pytest.mark.parametrize(
    ("length", "most", "bucket"),
    [(1, None, 16), (16, None, 16), (17, None, 32), (100, 512, 128), (100, 120, 120), (300, None, 512)],
)
def test_lengths_are_rounded_up_to_few(length, most, bucket):
    assert length_bucket(length, most) == bucket


@pytest.mark.parametrize(("on_the_left", "first"), [(True, [0, 0, 4, 5]), (False, [4, 5, 0, 0])])
def test_rows_are_padded_and_filled_up_to_a_power_of_two(on_the_left, first):
    rows = padded([[4, 5], [6, 7, 8, 9], [6]], 4, on_the_left)
    assert rows.shape == (4, 4)
    assert rows.dtype == np.int32
    assert rows[0].tolist() == rows[3].tolist() == first
    assert rows[1].tolist() == [6, 7, 8, 9]
