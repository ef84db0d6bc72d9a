"""``python -m benchmarks.tasks.worker MODULE VERB``: a contender trains, or answers, in a process of its own.

The assignment comes as JSON on standard input. The contender's module has ``train(assignment)``, which returns figures
and is timed by itself from raw text to weights on disk, and ``answer(assignment)``, which returns the answers.
"""

import importlib
import sys

from benchmarks.tasks.assignment import Assignment


def main() -> None:
    module, verb = sys.argv[1:]
    assignment = Assignment.from_json(sys.stdin.read())
    contender = importlib.import_module(module)
    if verb == "train":
        assignment.write_training(contender.train(assignment))
    else:
        assignment.write_answers(contender.answer(assignment))


if __name__ == "__main__":
    main()
