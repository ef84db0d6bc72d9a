import json
from dataclasses import replace

import pytest

from benchmarks.rounds import NOT_INSTALLED
from benchmarks.tasks.runs import Contender, result_of
from benchmarks.tasks.sets import SETS
from tests.benchmarks.tasks.assignments import assignment_of

MAJORITY = Contender("majority", "tests.benchmarks.tasks.majority")
TREC = SETS["trec"]


@pytest.fixture
def assignment(tmp_path):
    for part, labels in (("train", "AAB"), ("test", "ABAA")):
        lines = [json.dumps({"text": f"{part} {i}", "label": label}) for i, label in enumerate(labels)]
        (tmp_path / f"{part}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return assignment_of(tmp_path)


def test_a_contender_trains_and_answers_in_processes_of_its_own_and_is_judged(assignment, tmp_path):
    result = result_of(MAJORITY, TREC, assignment, lambda text: None)
    assert result["figures"]["accuracy"] == 0.75
    assert result["training_seconds"] == 0.5
    assert 0 < result["command_seconds"] < 60
    assert not (tmp_path / "run/model").exists()
    assert (tmp_path / "run/answers.jsonl").is_file()


def test_what_is_done_stays_done_until_the_data_or_the_settings_change(assignment, tmp_path):
    said = []
    first = result_of(MAJORITY, TREC, assignment, said.append)
    assert result_of(MAJORITY, TREC, assignment, said.append) == first
    assert said[-1] == "done before"
    result_of(MAJORITY, TREC, replace(assignment, threads=2), said.append)
    assert said[-1] != "done before"
    with (tmp_path / "test.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"text": "more", "label": "B"}) + "\n")
    again = result_of(MAJORITY, TREC, replace(assignment, threads=2), said.append)
    assert again["figures"]["accuracy"] == 0.6


def test_an_interrupted_training_is_done_anew(assignment, tmp_path):
    (tmp_path / "run/model").mkdir(parents=True)
    (tmp_path / "run/result.json").write_text('{"fingerpr', encoding="utf-8")
    assert result_of(MAJORITY, TREC, assignment, lambda text: None)["figures"]["accuracy"] == 0.75


def test_a_contender_that_fails_or_is_missing_has_a_problem_that_is_not_kept(assignment, tmp_path):
    result = result_of(MAJORITY, TREC, replace(assignment, seed=13), lambda text: None)
    assert "RuntimeError: this seed brings bad luck" in result["problem"]
    assert not (tmp_path / "run/result.json").exists()
    missing = replace(MAJORITY, requires=("no_such_package",))
    assert result_of(missing, TREC, assignment, lambda text: None) == {"problem": NOT_INSTALLED}
