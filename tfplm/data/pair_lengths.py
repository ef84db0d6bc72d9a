"""Signs of mistaken pairs: sources and targets whose lengths do not go together."""

from statistics import median

from tfplm.data.pair import Pair

_MOST_OVERALL = 10.0  # times, in the median: no two languages or scripts differ by as much
_MOST_OF_A_PAIR = 20.0  # times off the median
_SHARE_OF_PAIRS = 0.05


def length_warnings(pairs: list[Pair], where: str) -> list[str]:
    """What the lengths of pairs give reason to look at.

    Args:
        pairs: of one task, with text on both sides.
        where: their source in a few words.

    Returns:
        Sentences for people; none where nothing is strange.
    """
    ratios = [len(pair.target) / len(pair.source) for pair in pairs]
    usual = median(ratios)
    warnings = []
    if usual > _MOST_OVERALL:
        warnings.append(
            f"{where}: the median target is {usual:.3g} times as long as its source. "
            "Check that source and target are not exchanged."
        )
    elif usual < 1 / _MOST_OVERALL:
        warnings.append(
            f"{where}: the median source is {1 / usual:.3g} times as long as its target. "
            "That may be right for summaries; otherwise check what is named as source and target."
        )
    off = [max(ratio / usual, usual / ratio) > _MOST_OF_A_PAIR for ratio in ratios]
    if sum(off) > _SHARE_OF_PAIRS * len(pairs):
        worst = pairs[off.index(True)]
        warnings.append(
            f"{where}: in {sum(off):,} of {len(pairs):,} pairs the lengths are more than {_MOST_OF_A_PAIR:.0f} times "
            f"off what they are elsewhere; the first is {worst.origin}. Rows may be shifted against each other."
        )
    return warnings
