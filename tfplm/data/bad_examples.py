"""Examples that cannot be used: told together with where they stand, or left out and counted."""

from collections import Counter
from typing import Literal

from tfplm.errors import UserError

OnBadExample = Literal["stop", "skip"]

_SHOWN = 3  # of every reason


class BadExamples:
    """Collects what is wrong with examples while a source is read to its end.

    A person then mends all of a file at once instead of one line a run.

    Args:
        on_bad_example: "stop" makes `finish` raise; "skip" counts.
        setting: its key in the configuration, for the message.

    Attributes:
        counts: bad examples by reason.

    Example:
        >>> bad = BadExamples("skip", "finetune.data.on_bad_example")
        >>> bad.add("a.conll, line 3", "another number of columns", "3 columns, and 2 in the first line")
        >>> bad.counts
        Counter({'another number of columns': 1})
    """

    def __init__(self, on_bad_example: OnBadExample, setting: str):
        self._stops = on_bad_example == "stop"
        self._setting = setting
        self.counts: Counter[str] = Counter()
        self._first: dict[str, list[str]] = {}

    def add(self, origin: str, reason: str, details: str = "") -> None:
        """Counts one example.

        Args:
            origin: the file and the line.
            reason: a short phrase, the same for all that are wrong in this way: "an empty passage".
            details: what of this very example is wrong.
        """
        self.counts[reason] += 1
        first = self._first.setdefault(reason, [])
        if len(first) < _SHOWN:
            first.append(f"{origin}: {details or reason}")

    def finish(self) -> None:
        """Raises UserError where something is bad and nothing may be left out; call it when all is read."""
        if not self._stops or not self.counts:
            return
        total = sum(self.counts.values())
        reasons = ", ".join(f"{reason} ({count:,})" for reason, count in self.counts.most_common())
        shown = [line for first in self._first.values() for line in first]
        raise UserError(
            "\n".join([f"{total:,} example{'s' * (total > 1)} cannot be used: {reasons}.", *_indented(shown, total)]),
            remedy=f"Mend {'them' if total > 1 else 'it'}, or set {self._setting}: skip to leave such examples out.",
        )


def _indented(lines: list[str], total: int) -> list[str]:
    more = [f"  … and {total - len(lines):,} more"] if total > len(lines) else []
    return [*(f"  {line}" for line in lines), *more]
