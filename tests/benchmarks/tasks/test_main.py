import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.tasks.mini_sets import write_sets

ROOT = Path(__file__).parents[3]


def tasks(*arguments: str | Path) -> subprocess.CompletedProcess:
    environment = os.environ | {"COLUMNS": "120", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "benchmarks.tasks", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--sets", "mr,snli"), "There is no set 'snli'."),
        (("--starts", "somewhere"), "There is no start 'somewhere'."),
        (("--contenders", "fairseq"), "There is no contender 'fairseq'."),
        (("--seeds", "one"), "--seeds is 'one'."),
    ],
)
def test_unknown_names_are_told_with_the_known_ones(arguments, told, tmp_path):
    answer = tasks("--data", tmp_path, "--checkpoint", tmp_path, *arguments)
    assert answer.returncode == 2
    assert told in answer.stderr


def test_a_set_that_is_missing_is_told_before_anything_is_trained(tmp_path):
    data = write_sets(tmp_path / "data")
    (data / "nltk/rte.zip").unlink()
    answer = tasks("--data", data, "--checkpoint", tmp_path, "--out", tmp_path / "out")
    assert answer.returncode == 2
    assert "rte.zip" in answer.stderr
    assert not (tmp_path / "out/runs").exists()
