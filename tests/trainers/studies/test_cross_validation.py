"""A cross-validation of real, tiny trainings."""

import json

import numpy as np
import pytest
from sklearn import metrics

from tests.trainers.studies.small_experiment import CountedTrainings, small_experiment
from tfplm.data.labelled import load_labelled
from tfplm.errors import UserError
from trainers.metrics.tagging import tagging_figures
from trainers.studies.cross_validation import fold_of, run_cross_validation
from trainers.studies.cross_validation_report import best_over_folds, in_words, pooled_figures, write_cross_validation
from trainers.studies.figures import Measure
from trainers.studies.paired_test import PairedTest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("folds")


@pytest.fixture(scope="module")
def finished(folder):
    with pytest.raises(KeyboardInterrupt):
        run_cross_validation(small_experiment(folder), 2, CountedTrainings(allowed=1))
    resumed = CountedTrainings()
    report = run_cross_validation(small_experiment(folder), 2, resumed, keep_models=True)
    return report.parent, resumed.trainings


def reports_of(study):
    return [json.loads((study / f"fold-{n}/finetune/lstm8/seed-0/report.json").read_text()) for n in range(2)]


def test_an_interrupted_cross_validation_goes_on_and_a_finished_one_trains_nothing(finished, folder):
    assert finished[1] == 1
    again = CountedTrainings(allowed=0)
    run_cross_validation(small_experiment(folder), 2, again)
    assert again.trainings == 0


def test_figures_are_those_of_the_folds_and_of_all_tests_together(finished):
    study, _ = finished
    report, runs = json.loads((study / "report.json").read_text()), reports_of(study)
    assert (report["folds"], report["examples"]) == (2, [30, 30])
    figures = report["candidates"]["lstm8"]
    assert figures["figures"]["accuracy"]["values"] == [run["test"]["accuracy"] for run in runs]
    right = sum(np.trace(run["test"]["confusion_matrix"]) for run in runs)
    assert figures["pooled"]["accuracy"]["mean"] == pytest.approx(right / 60)
    markdown = (study / "report.md").read_text()
    assert "One candidate" in markdown and "60 test examples in all." in markdown
    assert (study / "cross_validation.png").stat().st_size > 5000


def test_candidates_are_compared_fold_by_fold(finished, tmp_path):
    folds = [{"lstm8": [run], "other": [run | {"test": run["test"] | {"accuracy": a}}]}
             for run, a in zip(reports_of(finished[0]), (0.95, 0.9), strict=True)]  # fmt: skip
    report = write_cross_validation(tmp_path, folds, "accuracy")
    comparison = report["comparisons"]["lstm8"]
    assert (report["best"], comparison["num_ahead"], comparison["num_folds"]) == ("other", 2, 2)
    assert 0.0 < comparison["p_value"] < 1.0
    assert "**other** is ahead of **lstm8** by" in (tmp_path / "report.md").read_text()


def test_every_fold_has_a_vocabulary_that_has_not_read_its_test(finished, folder):
    study, _ = finished
    vocabularies = [(study / f"fold-{n}/tokenizer/tokenizer/vocab.txt").read_text() for n in range(2)]
    assert vocabularies[0] != vocabularies[1]
    folds = [fold_of(small_experiment(folder), 2, fold, folder) for fold in range(2)]
    first, second = (load_labelled(fold.finetune.data, False, fold.seed) for fold in folds)
    assert not set(first.test.texts) & set(second.test.texts)
    assert len(first.test) + len(second.test) == 60


def test_weights_stay_where_they_are_wanted(finished):
    study, _ = finished
    assert [(study / f"fold-{fold}/finetune/lstm8/seed-0/model").exists() for fold in range(2)] == [False, True]


def test_pooled_figures_are_those_of_all_tests_together():
    rng = np.random.default_rng(0)
    folds = []
    for count in (40, 25):
        truth, given = rng.integers(0, 3, count), rng.integers(0, 3, count)
        confusion = metrics.confusion_matrix(truth, given, labels=range(3)).tolist()
        accuracy = float(metrics.accuracy_score(truth, given))
        folds.append((truth, given, {"test": {"examples": count, "accuracy": accuracy, "confusion_matrix": confusion}}))
    truth, given = (np.concatenate(parts) for parts in list(zip(*folds, strict=True))[:2])
    pooled = pooled_figures([[report] for *_, report in folds])
    assert pooled["accuracy"]["mean"] == pytest.approx(metrics.accuracy_score(truth, given))
    assert pooled["macro_f1"]["mean"] == pytest.approx(metrics.f1_score(truth, given, average="macro"))


def test_pooled_f1_of_several_labels_comes_of_a_matrix_for_each():
    truth, given = (np.random.default_rng(seed).integers(0, 2, (30, 3)) for seed in (0, 1))
    parts = [(truth[:10], given[:10]), (truth[10:], given[10:])]
    folds = [
        [{"test": {"examples": len(t), "confusion_matrix": metrics.multilabel_confusion_matrix(t, g).tolist()}}]
        for t, g in parts
    ]
    expected = metrics.f1_score(truth, given, average="macro")
    assert pooled_figures(folds)["macro_f1"]["mean"] == pytest.approx(expected)


def test_pooled_accuracy_of_tags_is_that_of_all_words_together():
    gold = [["B-X", "I-X", "O", "O", "O", "O"], ["O"], ["B-X", "O"]]
    given = [["B-X", "O", "O", "O", "B-X", "O"], ["B-X"], ["B-X", "O"]]
    folds = [[{"test": tagging_figures(gold[part], given[part])}] for part in (slice(0, 1), slice(1, 3))]
    together = tagging_figures(gold, given)["accuracy"]
    assert pooled_figures(folds)["accuracy"]["mean"] == pytest.approx(together) == pytest.approx(6 / 9)


def folds_of(**values: list[float | None]) -> list[dict]:
    """By fold and candidate the report of one seed, with these values of Pearson's correlation."""
    run = {"seed": 0, "seconds": 1.0, "versions": {}, "validation": None}
    return [
        {
            name: [run | {"test": {"examples": 5, "pearson": of_folds[fold], "mae": 0.5}}]
            for name, of_folds in values.items()
        }
        for fold in range(len(next(iter(values.values()))))
    ]


def test_a_fold_without_the_figure_is_told_and_left_out(tmp_path):
    folds = folds_of(flat=[None, 0.5, 0.4], whole=[0.2, 0.6, 0.7], never=[None, None, None])
    report = write_cross_validation(tmp_path, folds, "pearson")
    assert report["best"] == "whole"
    assert report["candidates"]["flat"]["figures"]["pearson"]["values"] == [0.5, 0.4]
    assert (report["comparisons"]["flat"]["num_folds"], report["comparisons"]["never"]) == (2, None)
    markdown = (tmp_path / "report.md").read_text()
    assert "**whole** is ahead of **flat** by 20.0 points of pearson, in 2 of 2 folds" in markdown
    assert "**whole** is not compared with **never**" in markdown
    assert "**flat**: pearson on test is not defined in 1 of 3 runs" in markdown
    assert "| 0 | – | 0.200 | – |" in markdown


def test_a_figure_that_no_fold_has_leaves_a_report_all_the_same(tmp_path):
    report = write_cross_validation(tmp_path, folds_of(a=[None, None], b=[None, None]), "pearson")
    assert (report["best"], report["comparisons"]) == (None, {})
    assert "no fold has the figure pearson" in (tmp_path / "report.md").read_text()
    assert (tmp_path / "cross_validation.png").is_file()


def test_candidates_are_ranked_by_the_folds_that_all_have():
    measure = Measure("pearson", True, 100.0)
    assert best_over_folds({"easy": [None, 0.8], "all": [0.2, 0.9]}, measure) == "all"
    assert best_over_folds({"first": [0.5, None], "second": [None, 0.6]}, measure) == "second"


def test_of_one_fold_there_is_no_test():
    (sentence,) = in_words("a", {"b": PairedTest(2.0, 1, 1, None)}, Measure("accuracy", True, 100.0))
    assert sentence.endswith("in 1 of 1 folds; of one fold no test can be made.")


def test_the_verdict_says_whether_it_may_be_chance():
    measure = Measure("accuracy", True, 100.0)
    sure, unsure = (in_words("a", {"b": PairedTest(2.0, 9, 10, p)}, measure)[0] for p in (0.0004, 0.3))
    assert "**a** is ahead of **b** by 2.0 points of accuracy, in 9 of 10 folds; more than chance (p < 0.001" in sure
    assert "it may be chance (p = 0.300" in unsure
    assert "Nadeau and Bengio 2003" in sure and "Holm" not in sure
    assert "Holm" in in_words("a", {name: PairedTest(2.0, 9, 10, 0.3) for name in "bc"}, measure)[0]
    assert in_words("a", {}, measure) == ["One candidate: there is nothing to compare it with."]


def test_a_class_with_fewer_texts_than_folds_is_named_before_anything_is_trained(tmp_path):
    with pytest.raises(UserError, match="The label '.+' has 20 documents .* for 21 folds"):
        run_cross_validation(small_experiment(tmp_path), 21, CountedTrainings(allowed=0))
    given = small_experiment(tmp_path, data={"test": {"type": "table", "paths": ["x.csv"], "label_column": "label"}})
    with pytest.raises(UserError, match="finetune.data.test names test data"):
        run_cross_validation(given, 2, CountedTrainings(allowed=0))
