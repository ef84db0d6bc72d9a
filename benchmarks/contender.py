"""What takes part in a measurement, and what it hands to the worker that measures it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["tfplm", "peer", "reference"]  # reference: what all others are a share or a multiple of


@dataclass(frozen=True)
class Contender:
    """One row of a table: which module builds it, and with which options.

    Args:
        name: shown in the table.
        role: how it enters the ratios.
        module: has ``build(**options) -> Measurable``; imported in a process of its own.
        setting: shown in the table beside the name ("bfloat16, jit").
        options: JSON values.
        requires: top-level modules that must be installed.
        environment: of the process, beside what all of them get.
    """

    name: str
    role: Role
    module: str
    setting: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurable:
    """Work that is ready to be timed.

    Args:
        run: does so many repetitions; returns the seconds that count, or None where all of them do.
        amount: of the subject's unit (tokens, examples, megabytes, …) in one repetition.
        facts: plain values that stand in the JSON beside the figures (number of parameters, …).
    """

    run: Callable[[int], float | None]
    amount: float
    facts: Mapping[str, Any] = field(default_factory=dict)
