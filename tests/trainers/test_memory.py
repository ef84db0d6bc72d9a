import sys

import numpy as np
import pytest

from trainers.memory import memory_figures


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is resident now")
def test_memory_is_that_of_this_process_in_megabytes():
    before = memory_figures()
    block = np.ones(200_000_000, np.uint8)
    during = memory_figures()
    del block
    after = memory_figures()
    assert 190 < during["memory_mb"] - before["memory_mb"] < 300
    assert after["memory_mb"] < during["memory_mb"] - 150
    assert after["peak_memory_mb"] >= during["memory_mb"] * 0.999


def test_the_peak_is_known_everywhere():
    assert 50 < memory_figures()["peak_memory_mb"] < 100_000
