"""A search of real, tiny trainings."""

import json
import random

import pytest

from tests.trainers.studies.small_experiment import CountedTrainings, small_experiment
from tests.written_corpus import sentence
from tfplm.config import load_config, validate, with_settings
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.search_configuration import SearchConfig
from tfplm.search_space import resolve_search
from trainers.studies.search import run_search

pytest.importorskip("optuna")

RATE = "finetune.candidates.lstm8.optimizer.learning_rate"
DIVERGES = 1e30


def searched(folder):
    optimizer = {"learning_rate": DIVERGES, "warmup_fraction": 0.0, "global_clipnorm": None}
    path = ("finetune", "candidates", "lstm8", "optimizer")
    experiment = with_settings(small_experiment(folder, candidates=2), {path: optimizer}, "test")
    space = {"parameters": {RATE: {"choices": [0.02, 0.03, DIVERGES]}}, "trials": 3, "seed": 3}
    return resolve_search(experiment, validate(SearchConfig, space, "test"), "test")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A search of three trials, of which the file's own settings diverge, interrupted in the second."""
    folder = tmp_path_factory.mktemp("search")
    with pytest.raises(KeyboardInterrupt):
        run_search(searched(folder), CountedTrainings(allowed=1))
    resumed = CountedTrainings()
    return folder, run_search(searched(folder), resumed), resumed.trainings


def test_an_interrupted_search_goes_on_and_a_finished_one_trains_nothing(finished):
    folder, path, resumed = finished
    assert resumed == 2
    again = CountedTrainings(allowed=0)
    assert run_search(searched(folder), again) == path
    assert again.trainings == 0


def test_the_best_trial_becomes_a_configuration(finished):
    folder, path, _ = finished
    report = json.loads((path.parent / "report.json").read_text())
    scores = {trial["number"]: trial["score"] for trial in report["trials"]}
    values = {trial["number"]: trial["values"][RATE] for trial in report["trials"]}
    assert values[0] == DIVERGES  # the file's own value
    best = load_config(ExperimentConfig, path)
    assert best.finetune.candidates["lstm8"].optimizer.learning_rate == values[report["best"]]
    assert scores[report["best"]] == max(score for score in scores.values() if score is not None)
    assert set(best.finetune.candidates) == {"lstm4", "lstm8"}
    assert (best.search, best.output_dir) == (None, str(path.parent / "best"))
    assert path.read_text().startswith(f"# tfplm run {path}\n")


def test_a_trial_that_diverges_fails_alone(finished):
    _, path, _ = finished
    failed = [t for t in json.loads((path.parent / "report.json").read_text())["trials"] if t["score"] is None]
    assert {trial["values"][RATE] for trial in failed} == {DIVERGES}
    assert "Training has diverged" in failed[0]["failure"]
    markdown = (path.parent / "report.md").read_text()
    assert "Trial 0 failed: Training has diverged" in markdown
    assert "the file's own settings failed" in markdown


def test_only_the_candidate_is_trained_and_only_validation_decides(finished):
    _, path, _ = finished
    trials = [*path.parent.glob("trial-*/finetune/*")]
    assert {trial.name for trial in trials} == {"lstm8"}
    report = json.loads((path.parent / "report.json").read_text())
    for trial in report["trials"]:
        run = path.parent / f"trial-{trial['number']:03d}/finetune/lstm8/seed-0/report.json"
        if trial["score"] is not None:
            assert trial["score"] == json.loads(run.read_text())["validation"]["accuracy"]
    assert "test" not in report
    assert (path.parent / "search.png").stat().st_size > 5000


def test_all_trials_share_the_vocabulary_of_the_experiment(finished):
    folder, path, _ = finished
    assert (folder / "run/tokenizer/report.json").is_file()
    assert not [*path.parent.glob("trial-*/tokenizer")]


def without_correlation(folder):
    """A search of scores of which those to validate with are all equal."""
    rng = random.Random(0)
    for name, scores in (("train", range(40)), ("validation", [3] * 4)):
        rows = "".join(f"{sentence('harbour', rng)},{score}\n" for score in scores)
        (folder / f"{name}.csv").write_text("text,score\n" + rows)
    sources = {
        name: {"type": "table", "paths": [str(folder / f"{name}.csv")], "label_column": "score"}
        for name in ("train", "validation")
    }
    data = sources | {"split": {"test": 0.0}}
    experiment = small_experiment(folder, data=data, task={"type": "text_regression"}, validation_metric="pearson")
    experiment = with_settings(experiment, {("tokenizer", "vocabulary_size"): 45}, "test")
    space = {"parameters": {RATE: {"choices": [0.02, 0.03]}}, "trials": 2}
    return resolve_search(experiment, validate(SearchConfig, space, "test"), "test")


def test_a_trial_whose_figure_is_not_defined_has_failed_and_is_not_done_again(tmp_path):
    for allowed, done in ((2, 2), (0, 0)):
        progress = CountedTrainings(allowed)
        with pytest.raises(UserError, match="All 2 trials failed; .* figure is not defined: pearson on validation"):
            run_search(without_correlation(tmp_path), progress)
        assert progress.trainings == done


def test_what_all_trials_would_fail_of_stops_the_search(tmp_path):
    search = searched(tmp_path)
    (tmp_path / "table.csv").write_text("text,label\nonly,one\n")
    with pytest.raises(UserError, match="have the label 'one'"):
        run_search(search, CountedTrainings(allowed=0))
