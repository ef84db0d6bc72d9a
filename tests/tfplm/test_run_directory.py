import json
import os

import pytest

from tfplm.errors import UserError
from tfplm.run_directory import RunDirectory, fingerprint, whole_directory, write_text


@pytest.fixture
def run(tmp_path) -> RunDirectory:
    run = RunDirectory(tmp_path / "run")
    run.write_report("finetune", fingerprint({"a": 1}), {"accuracy": 0.5})
    return run


def test_report_reads_back_with_versions(run):
    report = run.read_report()
    assert report["stage"] == "finetune"
    assert report["accuracy"] == 0.5
    assert report["versions"]["keras"]
    assert run.is_complete()


def test_fingerprint_ignores_the_order_of_keys_and_sees_every_value():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_run_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="There is no run directory"):
        RunDirectory(tmp_path / "nothing").read_report()


def test_unfinished_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a finished run"):
        RunDirectory(tmp_path).read_report()


@pytest.mark.parametrize("content", ["{", "[]", "{}", '"text"', ""])
def test_damaged_report_is_refused(run, content):
    run.report.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match="damaged"):
        run.read_report()


def test_run_of_another_version_is_refused(run):
    report = json.loads(run.report.read_text(encoding="utf-8")) | {"format_version": 99}
    run.report.write_text(json.dumps(report), encoding="utf-8")
    with pytest.raises(UserError, match="run format 99"):
        run.read_report()


def test_run_of_another_stage_is_refused(run):
    with pytest.raises(UserError, match="stage 'finetune'"):
        run.require("pretrain")


def test_incomplete_run_names_what_is_missing(run):
    run.model.mkdir()
    with pytest.raises(UserError, match="incomplete: tokenizer is not there"):
        run.require("finetune", run.model, run.tokenizer)


def test_text_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "first")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "second \ud800")
    assert path.read_text(encoding="utf-8") == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_directory_appears_whole(tmp_path):
    target = tmp_path / "deep" / "target"
    with whole_directory(target) as folder:
        (folder / "a").write_text("x", encoding="utf-8")
        assert not target.exists()
    assert [p.name for p in target.iterdir()] == ["a"]
    assert [p.name for p in target.parent.iterdir()] == ["target"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_interrupted_directory_leaves_nothing(tmp_path, error):
    with pytest.raises(error), whole_directory(tmp_path / "deep" / "target") as folder:
        (folder / "a").write_text("x", encoding="utf-8")
        raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails_at", [1, 2])
def test_interrupted_replacement_leaves_what_stood_there(tmp_path, monkeypatch, fails_at):
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "old").write_text("x", encoding="utf-8")
    replace, calls = os.replace, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == fails_at:
            raise KeyboardInterrupt
        replace(*arguments)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), whole_directory(tmp_path / "target", replace=True) as folder:
        (folder / "new").write_text("x", encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["old"]


def test_directory_that_holds_something_is_not_replaced(tmp_path):
    (tmp_path / "kept").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="is there already"), whole_directory(tmp_path):
        pass
    assert (tmp_path / "kept").read_text(encoding="utf-8") == "x"
