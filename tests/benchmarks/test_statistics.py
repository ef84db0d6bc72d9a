import pytest

from benchmarks.contender import Contender
from benchmarks.statistics import Row, best, figures, median_ratio


def row(name: str, role: str, *rates: float) -> Row:
    return Row(Contender(name, role, "module"), list(rates))


def test_ratio_is_taken_round_by_round():
    # The second round ran on a machine at half its speed, for both.
    assert median_ratio([20.0, 10.0, 20.0], [10.0, 5.0, 10.0]) == 2.0
    assert median_ratio([30.0, 10.0, 20.0], [10.0, 10.0, 10.0]) == 2.0


def test_ratio_needs_the_same_rounds():
    with pytest.raises(ValueError, match="shorter"):
        median_ratio([1.0, 2.0], [1.0])


def test_best_peer_is_that_with_the_highest_median():
    steady, lucky_once = row("steady", "peer", 5.0, 5.0, 5.0), row("lucky", "peer", 1.0, 1.0, 100.0)
    assert best([lucky_once, steady, row("own", "tfplm", 9.0, 9.0, 9.0)], "peer") is steady


def test_figures_compare_with_the_best_peer_and_the_reference():
    rows = [
        row("own", "tfplm", 6.0, 8.0, 7.0),
        row("slow", "peer", 1.0, 1.0, 1.0),
        row("fast", "peer", 3.0, 4.0, 3.5),
        row("ceiling", "reference", 12.0, 16.0, 14.0),
    ]
    own = figures(rows)[0]
    assert own == {"median": 7.0, "low": 6.0, "high": 8.0, "times_best_peer": 2.0, "times_reference": 0.5}
    assert figures(rows)[2]["times_best_peer"] == 1.0


def test_row_without_rates_leaves_the_others_their_figures():
    missing = Row(Contender("missing", "peer", "module"), problem="not installed")
    own, absent = figures([row("own", "tfplm", 1.0, 2.0), missing])
    assert own["median"] == 1.5
    assert own["times_best_peer"] is None
    assert set(absent.values()) == {None}
