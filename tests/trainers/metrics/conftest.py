import warnings

import pytest

from trainers.metrics.pictures import rgb_array


@pytest.fixture
def pixels():
    """Draws a picture, which must not warn, as of a character that its font has not."""

    def draw(picture):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return rgb_array(picture)

    return draw
