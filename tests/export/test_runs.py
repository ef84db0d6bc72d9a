import json
import re
import subprocess
import sys

import pytest

from export.runs import export_run
from tests.export.conftest import SEQUENCE_LENGTH
from tfplm.errors import UserError


@pytest.fixture
def run(make_classifier, make_run, tmp_path):
    return make_run(make_classifier("lstm"), tmp_path / "run")


@pytest.mark.parametrize("format", ["saved_model", "tflite"])
def test_a_run_leaves_with_its_proof_and_instructions_that_work(format, export_once):
    _, out, report = export_once("bert", format)
    assert json.loads((out / "report.json").read_text(encoding="utf-8")) == report
    assert report["format"] == format
    assert report["num_texts"] >= 64
    instructions = (out / "how_to_use.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", instructions, re.DOTALL)
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=out, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(SEQUENCE_LENGTH) in instructions
    assert sorted(path.name for path in out.parent.iterdir()) == ["out", "run"]


def test_an_unknown_format_is_named(run, tmp_path):
    with pytest.raises(UserError, match="'onnx'.*\n.*saved_model, tflite"):
        export_run(run.path, "onnx", tmp_path / "out")


def test_an_lstm_has_no_form_in_transformers_and_leaves_nothing_behind(make_classifier, make_run, tmp_path):
    run = make_run(make_classifier("lstm"), tmp_path / "run")
    with pytest.raises(UserError, match="lstm has no form"):
        export_run(run.path, "huggingface", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.mark.parametrize("part", ["model", "tokenizer", "config.yaml", "examples.json"])
def test_an_incomplete_run_is_refused(run, part, tmp_path):
    (run.path / part).rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=f"incomplete: {part}"):
        export_run(run.path, "saved_model", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unfinished_run_is_refused(run, tmp_path):
    run.report.unlink()
    with pytest.raises(UserError, match="not a finished run"):
        export_run(run.path, "tflite", tmp_path / "out")


def test_a_run_of_another_stage_is_refused(run, tmp_path):
    run.write_report("pretrain", "0123", {})
    with pytest.raises(UserError, match="'pretrain'"):
        export_run(run.path, "tflite", tmp_path / "out")


@pytest.mark.parametrize("content", ["{", "[1, 2]", '{"a": "b"}'])
def test_damaged_examples_are_refused(run, content, tmp_path):
    (run.path / "examples.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"examples\.json is damaged"):
        export_run(run.path, "saved_model", tmp_path / "out")


def test_damaged_weights_leave_nothing_behind(run, tmp_path):
    (run.model / "model.weights.h5").write_bytes(b"no weights")
    with pytest.raises(UserError, match="damaged"):
        export_run(run.path, "saved_model", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_an_occupied_directory_is_left_alone(run, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="is there already"):
        export_run(run.path, "saved_model", out)
    assert (out / "mine.txt").read_text() == "keep"
