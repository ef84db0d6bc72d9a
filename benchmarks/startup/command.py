"""How long a command takes from its start to its end."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contender import Measurable


def build(command: Sequence[str]) -> Measurable:
    """The first word is "python", or a command that is installed beside this interpreter."""
    program = Path(sys.executable) if command[0] == "python" else Path(sys.executable).with_name(command[0])

    def run(repetitions: int) -> None:
        for _ in range(repetitions):
            subprocess.run([program, *command[1:]], check=True, stdout=sys.stderr)

    return Measurable(run, 1)
