"""Figures of groups of examples: by length, by the values of a column."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from trainers.candidates import cell, table

FEW_EXAMPLES = 30  # the figures of fewer say little
_MOST_VALUES = 20  # of a column; the rarer ones are one group
_SMALL = " *"


def length_slices(texts: Sequence[str]) -> dict[str, np.ndarray]:
    """The quartiles of the texts by their length in characters; fewer groups where many have one length.

    Args:
        texts: n texts.

    Returns:
        For every name, as "13–40 characters", the numbers of its texts, int64, from the shortest on.
    """
    lengths = np.array([len(text) for text in texts], np.int64)
    if not len(lengths):
        return {}
    longest = np.unique(np.quantile(lengths, [0.25, 0.5, 0.75, 1.0], method="lower"))
    groups = [np.flatnonzero(np.searchsorted(longest, lengths) == number) for number in range(len(longest))]
    return {_length_name(lengths[rows]): rows for rows in groups}


def _length_name(lengths: np.ndarray) -> str:
    low, high = int(lengths.min()), int(lengths.max())
    return f"{low}–{high} characters" if low < high else f"{low} characters"


def column_slices(values: Sequence[object]) -> dict[str, np.ndarray]:
    """Groups by the values of a column, the largest first; rare values beyond the first 20 are one group.

    Args:
        values: one an example; None where it has none.

    Returns:
        For every value, or "no value" and "n other values", the numbers of its examples, int64.
    """
    names = np.array(["no value" if value is None else str(value) for value in values], object)
    common = [name for name, _ in Counter(names).most_common(_MOST_VALUES)]
    groups = {name: np.flatnonzero(names == name) for name in common}
    rest = np.flatnonzero(~np.isin(names, common))
    return groups | ({f"{len(set(names[rest]))} other values": rest} if len(rest) else {})


def slice_figures(
    slices: Mapping[str, np.ndarray],
    names: Sequence[str],
    figures: Callable[[np.ndarray], Mapping],
    intervals: Callable[[np.ndarray], Mapping] | None = None,
) -> list[dict]:
    """Figures of every group.

    Args:
        slices: for every name the numbers of its examples.
        names: of the figures to keep.
        figures: of the examples with the given numbers, as one of the packages' ``…_figures`` gives them.
        intervals: of these figures, as the ``…_intervals`` beside it; None: without.

    Returns:
        For every group that is not empty a JSON-able dict: slice (its name), examples, is_small, figures and
        intervals, both by name; a figure that is not defined there is None.
    """
    records = []
    for name, rows in slices.items():
        if len(rows):
            found, ranges = figures(rows), intervals(rows) if intervals else {}
            records.append(
                {
                    "slice": name,
                    "examples": len(rows),
                    "is_small": len(rows) < FEW_EXAMPLES,
                    "figures": {figure: found.get(figure) for figure in names},
                    "intervals": {figure: ranges.get(figure) for figure in names if figure in ranges},
                }
            )
    return records


def slices_table(records: Sequence[Mapping], digits: int = 3) -> list[str]:
    """The lines of a Markdown table of `slice_figures`, and of a note where groups are small."""
    if not records:
        return []
    names = list(records[0]["figures"])
    rows = [
        [
            cell(record["slice"]) + (_SMALL if record["is_small"] else ""),
            f"{record['examples']:,}",
            *(with_interval(record["figures"][name], record["intervals"].get(name), digits) for name in names),
        ]
        for record in records
    ]
    lines = table(["group", "examples", *(name.replace("_", " ") for name in names)], rows)
    if any(record["is_small"] for record in records):
        lines += ["", f"\\* Fewer than {FEW_EXAMPLES} examples: these figures say little."]
    return lines


def with_interval(value: float | None, interval: Sequence[float] | None, digits: int = 3) -> str:
    """A figure with its interval for people, as "0.812 (0.790 to 0.834)"; a dash where it is not defined."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text + (f" ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})" if interval else "")
