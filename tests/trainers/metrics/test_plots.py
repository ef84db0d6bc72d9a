import numpy as np

from trainers.metrics.calibration import calibration_bins, expected_calibration_error
from trainers.metrics.plots import reliability_plot, slices_plot


def test_reliability_is_drawn_with_its_error_and_without_decisions(pixels):
    bins = calibration_bins(np.array([0.9, 0.8, 0.35]), np.array([True, False, True]))
    picture = reliability_plot(bins, expected_calibration_error(bins))
    pixels(picture)
    assert len(picture.axes[0].patches) == 3
    assert picture.axes[0].get_title() == "Reliability (calibration error 0.517)"
    pixels(reliability_plot(calibration_bins(np.zeros(0), np.zeros(0, bool)), None))


def test_groups_are_bars_with_their_intervals(pixels):
    records = [
        {"slice": "短", "examples": 40, "is_small": False, "figures": {"f1": 0.8}, "intervals": {"f1": [0.7, 0.9]}},
        {"slice": "long", "examples": 3, "is_small": True, "figures": {"f1": 0.5}, "intervals": {}},
        {"slice": "none", "examples": 3, "is_small": True, "figures": {"f1": None}, "intervals": {}},
    ]
    picture = slices_plot(records, "f1")
    pixels(picture)
    bars = picture.axes[0].patches
    assert [bar.get_width() for bar in bars] == [0.8, 0.5]
    assert bars[0].get_alpha() > bars[1].get_alpha()
    assert picture.axes[0].get_yticklabels()[1].get_text() == "long (3)"
