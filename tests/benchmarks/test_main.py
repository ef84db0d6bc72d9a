import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def benchmarks(*arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"COLUMNS": "120", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_unknown_subject_is_told_with_the_known_ones():
    answer = benchmarks("train_steps")
    assert answer.returncode == 2
    assert "There is no subject 'train_steps'." in answer.stderr
    assert "train_step, lstm" in answer.stderr


def test_unknown_contender_is_told_with_the_known_ones():
    answer = benchmarks("startup", "--contender", "Fairseq")
    assert answer.returncode == 2
    assert "There is no contender 'Fairseq'" in answer.stderr
    assert "KerasHub" in answer.stderr


def test_unknown_group_is_told_with_the_known_ones():
    answer = benchmarks("train_step", "--group", "float64")
    assert answer.returncode == 2
    assert "There is no group 'float64'" in answer.stderr
    assert "bfloat16" in answer.stderr


def test_run_writes_and_prints_its_table(tmp_path):
    out = tmp_path / "results"
    peer_alone = ("--contender", "model garden")  # does not start where it is not installed
    answer = benchmarks("startup", *peer_alone, "--rounds", "1", "--seconds", "0", "--out", str(out))
    assert answer.returncode == 0, answer.stderr
    assert "| Model Garden | `from official.nlp.modeling.models import BertPretrainerV2` |" in answer.stdout
    assert answer.stdout == (out / "results.md").read_text(encoding="utf-8")
    assert (out / "results.json").is_file()
