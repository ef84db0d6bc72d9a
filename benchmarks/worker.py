"""One contender in a process of its own: a line of JSON for every question and every answer.

``python -m benchmarks.worker MODULE OPTIONS`` builds the contender, warms it up and answers ``{"amount", "facts"}``.
Each line ``{"seconds": 2.0}`` that comes then is answered by ``{"repetitions", "seconds"}``, as many repetitions as
fill the time that was asked for; the end of the input ends the process. What libraries print goes to standard error.
"""

import importlib
import json
import os
import sys
import time
from typing import TextIO

from benchmarks.contender import Measurable

_WARM_UP_RUNS = 2  # the first one traces and compiles


def main() -> None:
    answers = _take_standard_output()
    module, options = sys.argv[1], json.loads(sys.argv[2])
    measurable: Measurable = importlib.import_module(module).build(**options)
    for _ in range(_WARM_UP_RUNS):
        seconds_each = _seconds(measurable, 1)
    _answer(answers, {"amount": measurable.amount, "facts": dict(measurable.facts)})
    for line in sys.stdin:
        repetitions = max(1, round(json.loads(line)["seconds"] / seconds_each))
        seconds = _seconds(measurable, repetitions)
        seconds_each = seconds / repetitions
        _answer(answers, {"repetitions": repetitions, "seconds": seconds})


def _take_standard_output() -> TextIO:
    """The standard output as it was; from here on everything else that is printed goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _seconds(measurable: Measurable, repetitions: int) -> float:
    start = time.perf_counter()
    counted = measurable.run(repetitions)
    return time.perf_counter() - start if counted is None else counted


def _answer(answers: TextIO, values: dict) -> None:
    answers.write(json.dumps(values) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
