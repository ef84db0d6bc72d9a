import numpy as np

from tfplm.run_directory import write_bytes
from trainers.metrics.confusion_plots import confusion_plot
from trainers.metrics.pictures import png_bytes
from trainers.metrics.plots import regression_plot


def test_a_picture_becomes_a_file_and_an_array(tmp_path, pixels):
    picture = regression_plot(np.array([1.0, 2.0]), np.array([1.5, 2.0]))
    write_bytes(tmp_path / "plots" / "regression.png", png_bytes(picture))
    assert (tmp_path / "plots" / "regression.png").read_bytes().startswith(b"\x89PNG")
    array = pixels(picture)
    assert (array.dtype, array.shape) == (np.uint8, (600, 600, 3))
    assert array.std() > 0


def test_equal_figures_give_equal_files():
    files = [png_bytes(confusion_plot([[3, 1], [0, 2]], ["a", "b"])) for _ in range(2)]
    assert files[0] == files[1]
