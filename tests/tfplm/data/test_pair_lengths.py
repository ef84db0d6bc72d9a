from tfplm.data.pair import Pair
from tfplm.data.pair_lengths import length_warnings


def warnings_of(*lengths):
    pairs = [Pair("s" * source, "t" * target, f"a.csv, line {n}", "") for n, (source, target) in enumerate(lengths, 2)]
    return length_warnings(pairs, "a.csv")


def test_usual_lengths_give_no_warning():
    assert warnings_of(*[(30, 12)] * 95, *[(30, 400)] * 4) == []  # four pairs of 99 are off: not yet a sign


def test_targets_of_another_order_of_magnitude_are_told():
    assert "target is 12 times as long" in warnings_of(*[(10, 120)] * 9)[0]
    assert "source is 12 times as long" in warnings_of(*[(120, 10)] * 9)[0]


def test_single_pairs_far_off_are_told_with_the_first_of_them():
    (warning,) = warnings_of(*[(30, 30)] * 80, *[(30, 700)] * 5, *[(700, 30)] * 5)
    assert "in 10 of 90 pairs" in warning
    assert "the first is a.csv, line 82" in warning
