import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.command_line import (
    ENVIRONMENT,
    ROOT,
    assert_told_cleanly,
    assert_told_cleanly_after_messages,
    finetune_config,
    tfplm,
    write_table,
    write_yaml,
)


def test_help_and_version_are_answered(tmp_path):
    answer = tfplm(tmp_path, "--help")
    assert answer.returncode == 0
    for command in (
        "run",
        "tokenizer",
        "prepare",
        "pretrain",
        "finetune",
        "evaluate",
        "predict",
        "generate",
        "export",
        "import",
        "config",
        "doctor",
        "verify-resume",
    ):
        assert re.search(rf"\b{command}\b", answer.stdout)
    assert re.fullmatch(r"tfplm \d+\.\d+\.\d+\n", tfplm(tmp_path, "--version").stdout)


def seconds_to_answer(folder: Path, *arguments: str) -> float:
    """Processor time of the command, which other work on the machine hardly changes; it never waits for anything."""

    def once() -> float:
        before = os.times()
        tfplm(folder, *arguments)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    return min(once() for _ in range(3))


def test_help_and_a_mistake_in_yaml_are_answered_in_half_a_second(tmp_path):
    write_yaml(tmp_path / "x.yaml", finetune_config() | {"sed": 3})
    assert seconds_to_answer(tmp_path, "--help") < 0.5
    assert seconds_to_answer(tmp_path, "run", "x.yaml") < 0.5


@pytest.mark.parametrize("arguments", [["--help"], ["finetune", "--help"], ["run", "x.yaml"], ["config", "good.yaml"]])
def test_answer_without_work_imports_no_tensorflow(tmp_path, arguments):
    write_yaml(tmp_path / "x.yaml", finetune_config() | {"sed": 3})
    write_yaml(tmp_path / "good.yaml", finetune_config())
    code = (
        f"import sys; sys.argv = ['tfplm', *{arguments!r}]; import tfplm.cli\n"
        "try: tfplm.cli.main()\n"
        "finally: print('\\nloaded:', *sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )
    loaded = answer.stdout.rpartition("loaded:")[2].split()
    assert "tfplm.cli" in loaded
    assert not {"tensorflow", "keras", "numpy"} & set(loaded)


def test_all_mistakes_in_a_file_are_named_with_their_keys(tmp_path):
    values = finetune_config() | {"sed": 3}
    values["finetune"]["batch_size"] = "16"
    write_yaml(tmp_path / "x.yaml", values)
    answer = tfplm(tmp_path, "finetune", "x.yaml", "finetune.sequence_length=-1")
    assert_told_cleanly(
        answer,
        "x.yaml: 3 mistakes",
        "sed: unknown key; did you mean 'seed'?",
        "finetune.batch_size: input should be a valid integer (found '16')",
        "finetune.sequence_length: input should be greater than or equal to 3 (found -1)",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["x.yaml"]


@pytest.mark.parametrize("command", ["prepare", "pretrain"])
def test_stage_without_its_section_is_refused(tmp_path, command):
    write_yaml(tmp_path / "x.yaml", finetune_config())
    section = {"prepare": "corpus", "pretrain": "pretrain"}[command]
    assert_told_cleanly(tfplm(tmp_path, command, "x.yaml"), f"x.yaml has no section '{section}'")


def test_missing_configuration_names_similar_files(tmp_path):
    write_yaml(tmp_path / "reviews.yaml", finetune_config())
    assert_told_cleanly(tfplm(tmp_path, "run", "review.yaml"), "There is no file review.yaml", "reviews.yaml?")


def test_shipped_configuration_is_suggested_from_anywhere(tmp_path):
    shipped = next((ROOT / "configs").glob("*.yaml"))
    answer = tfplm(tmp_path, "run", f"configs/{shipped.name}")
    assert_told_cleanly(answer, f"There is no file configs/{shipped.name}", str(shipped))


def test_resolved_configuration_is_shown_with_overrides(tmp_path):
    write_yaml(tmp_path / "x.yaml", finetune_config())
    answer = tfplm(tmp_path, "config", "x.yaml", "seed=7", "finetune.seeds=[1, 2]")
    shown = yaml.safe_load(answer.stdout)
    assert (shown["seed"], shown["finetune"]["seeds"]) == (7, [1, 2])
    assert shown["finetune"]["candidates"]["lstm"]["optimizer"]["schedule"] == "linear"


def test_debug_shows_the_traceback_and_keeps_the_exit_code(tmp_path):
    answer = tfplm(tmp_path, "run", "nothing.yaml", "--debug")
    assert answer.returncode == 2
    assert "Traceback" in answer.stderr
    assert "error: There is no file nothing.yaml" in answer.stderr


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["run"], ["run", "x.yaml", "--fast"], ["export", "x"]])
def test_wrong_usage_exits_with_2(tmp_path, arguments):
    answer = tfplm(tmp_path, *arguments)
    assert answer.returncode == 2
    assert "Usage: tfplm" in answer.stdout + answer.stderr


def test_closed_pipe_is_no_error(tmp_path):
    write_yaml(tmp_path / "x.yaml", finetune_config())
    reader, writer = os.pipe()
    os.close(reader)
    answer = tfplm(tmp_path, "config", "x.yaml", capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert answer.stderr == ""


def test_full_device_is_told_cleanly(tmp_path):
    write_yaml(tmp_path / "x.yaml", finetune_config())
    with Path("/dev/full").open("w") as full:
        answer = tfplm(tmp_path, "config", "x.yaml", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: There is no space left on the disk")


@pytest.mark.parametrize("command", [["predict", "run", "text"], ["evaluate", "run", "--data", "x.csv"]])
@pytest.mark.parametrize(
    ("report", "message"),
    [
        (None, "run is not a finished run"),
        ("{", "damaged"),
        ('{"format_version": 99}', "run format 99"),
        ('{"format_version": 1, "stage": "prepare"}', "run of the stage 'prepare'"),
        ('{"format_version": 1, "stage": "finetune"}', "run is incomplete: config.yaml, tokenizer, model"),
    ],
)
def test_run_that_cannot_be_used_is_refused(tmp_path, command, report, message):
    (tmp_path / "run").mkdir()
    if report is not None:
        (tmp_path / "run/report.json").write_text(report, encoding="utf-8")
    assert_told_cleanly(tfplm(tmp_path, *command), message)


def test_folder_above_the_runs_names_them(tmp_path):
    run = tmp_path / "out/finetune/bert/seed-0"
    run.mkdir(parents=True)
    (run / "report.json").write_text("{}", encoding="utf-8")
    assert_told_cleanly(tfplm(tmp_path, "predict", "out", "text"), "out/finetune/bert/seed-0")


# A labelled table of one's own, all the way.


@pytest.fixture(scope="module")
def finetuned(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    folder = tmp_path_factory.mktemp("reviews")
    write_table(folder / "train.csv", rows=150)
    write_table(folder / "new.csv", rows=30, seed=1)
    values = finetune_config()
    values["finetune"]["candidates"]["lstm"] |= {"epochs": 15, "optimizer": {"learning_rate": 0.02}}
    write_yaml(folder / "x.yaml", values)
    return folder, tfplm(folder, "finetune", "x.yaml")


def test_finetune_writes_a_whole_run_and_says_where(finetuned):
    folder, answer = finetuned
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == "out/finetune\n"
    run = folder / "out/finetune/lstm/seed-0"
    assert {"config.yaml", "tokenizer", "model", "logs", "report.json"} <= {path.name for path in run.iterdir()}


def test_pipe_gets_plain_progress_without_the_noise_of_tensorflow(finetuned):
    _, answer = finetuned
    assert re.search(r"^lstm, seed 0: \d+ steps in .+ steps/s", answer.stderr, re.M)
    for noise in ("oneDNN", "cuda", "InitializeLog", "\x1b["):
        assert noise not in answer.stderr


def test_run_skips_what_is_done_and_says_where_everything_lies(finetuned):
    folder, _ = finetuned
    report = folder / "out/finetune/lstm/seed-0/report.json"
    before = report.read_bytes()
    answer = tfplm(folder, "run", "x.yaml", "--quiet")
    assert answer.returncode == 0, answer.stderr
    assert re.search("lstm.*skipped", answer.stderr)
    assert report.read_bytes() == before
    assert re.search(r"^best model +out/finetune/lstm/seed-0$", answer.stdout, re.M)
    assert re.search(r"^Use it:\n  tfplm predict out/finetune/lstm/seed-0", answer.stdout, re.M)


def test_run_of_another_configuration_is_not_replaced_unasked(finetuned):
    folder, _ = finetuned
    answer = tfplm(folder, "finetune", "x.yaml", "finetune.batch_size=8")
    assert_told_cleanly_after_messages(answer, "--overwrite")


def test_evaluate_gives_figures_as_json_with_the_columns_of_the_training_data(finetuned):
    folder, _ = finetuned
    answer = tfplm(folder, "evaluate", "out/finetune/lstm/seed-0", "--data", "new.csv", "--out", "judged")
    assert answer.returncode == 0, answer.stderr
    figures = json.loads(answer.stdout)
    assert figures["accuracy"] > 0.9
    assert json.loads((folder / "judged/evaluation.json").read_text(encoding="utf-8")) == figures


def test_evaluate_names_the_columns_it_found(finetuned):
    folder, _ = finetuned
    answer = tfplm(folder, "evaluate", "out/finetune/lstm/seed-0", "--data", "new.csv", "--text-column", "txt")
    assert_told_cleanly(answer, "new.csv", "'txt'", "'review'")


def test_predict_answers_texts_and_lines_alike(finetuned):
    folder, _ = finetuned
    texts = ["the apple and the pear and the plum of 3", "the tiger and the eagle", "", "梨 🍐"]
    given = tfplm(folder, "predict", "out/finetune/lstm/seed-0", *texts)
    piped = tfplm(folder, "predict", "out/finetune/lstm/seed-0", input="\ufeff" + "\r\n".join(texts))
    assert given.returncode == piped.returncode == 0, given.stderr + piped.stderr
    assert piped.stdout == given.stdout
    assert piped.stderr == given.stderr == ""
    answers = [json.loads(line) for line in given.stdout.splitlines()]
    assert [answer["text"] for answer in answers] == texts
    assert [answer["label"] for answer in answers[:2]] == ["fruit", "animal"]
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert "梨 🍐" in given.stdout


def test_predict_names_the_line_that_is_not_text(finetuned):
    folder, _ = finetuned
    command = ["predict", "out/finetune/lstm/seed-0"]
    answer = tfplm(folder, *command, input=b"good\n\xff\xfe bad\n", text=False)
    assert answer.returncode == 2
    assert b"error: standard input, line 2: not UTF-8" in answer.stderr
    assert_told_cleanly(tfplm(folder, *command, "good", os.fsdecode(b"\xff bad")), "TEXT number 2 is not UTF-8")


@pytest.mark.parametrize("format", ["saved_model", "tflite"])
def test_export_writes_a_proved_model_and_replaces_nothing(finetuned, format):
    folder, _ = finetuned
    command = ["export", "out/finetune/lstm/seed-0", "--format", format, "--out", f"exported/{format}"]
    answer = tfplm(folder, *command)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == f"exported/{format}\n"
    assert json.loads((folder / f"exported/{format}/report.json").read_text(encoding="utf-8"))["format"] == format
    assert_told_cleanly(tfplm(folder, *command), f"exported/{format} is there already")
