"""A learning curve of real, tiny trainings: what it leaves, and that it goes on."""

import csv
import json

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.trainers.studies.small_experiment import CountedTrainings, small_experiment
from tfplm.data.labelled import load_labelled
from tfplm.errors import UserError
from trainers.studies.learning_curve import LearningCurvePlan, point_of, run_learning_curve, with_least_steps
from trainers.studies.learning_curve_report import CurvePoint, write_learning_curve

PLAN = LearningCurvePlan(sizes=(6, 30), draws=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("curve")


@pytest.fixture(scope="module")
def finished(folder):
    """The study, interrupted in its third training and taken up again; and how many trainings each part began."""
    interrupted, resumed = CountedTrainings(allowed=2), CountedTrainings()
    with pytest.raises(KeyboardInterrupt):
        run_learning_curve(small_experiment(folder), PLAN, interrupted)
    report = run_learning_curve(small_experiment(folder), PLAN, resumed)
    return report.parent, interrupted.trainings, resumed.trainings


def test_an_interrupted_curve_goes_on_and_a_finished_one_trains_nothing(finished, folder):
    _, first, second = finished
    assert (first, second) == (2, 2)
    again = CountedTrainings()
    run_learning_curve(small_experiment(folder), PLAN, again)
    assert again.trainings == 0


def test_the_curve_is_told_as_json_and_in_words_and_drawn(finished):
    study, *_ = finished
    report = json.loads((study / "report.json").read_text())
    assert (report["sizes"], report["draws"], report["judged_on"]) == ([6, 30], 2, "test")
    figures = report["candidates"]["lstm8"]["test"]["30"]
    assert len(figures["accuracy"]["values"]) == 2
    assert {"macro_f1", "loss", "auc"} <= set(figures)
    assert [(run["size"], run["draw"], run["steps"]) for run in report["runs"]] == [
        (6, 0, 1),
        (6, 1, 1),
        (30, 0, 4),
        (30, 1, 4),
    ]
    markdown = (study / "report.md").read_text()
    assert "**lstm8**: ten times more labels bring" in markdown
    assert "over 2 draws" in markdown and "few steps (lstm8 1)" in markdown
    assert (study / "learning_curve.png").stat().st_size > 5000


def test_tensorboard_shows_the_figure_by_the_number_of_labels(finished):
    study, *_ = finished
    events = EventAccumulator(str(study / "logs" / "lstm8"), size_guidance={"tensors": 0}).Reload()
    assert [event.step for event in events.Tensors("learning_curve/test_accuracy")] == [6, 30]


def test_every_run_has_its_figures_and_not_its_weights(finished):
    study, *_ = finished
    runs = [*study.glob("labels-*/draw-*/finetune/lstm8/seed-0")]
    assert len(runs) == 4
    assert all((run / "report.json").is_file() and not (run / "model").exists() for run in runs)
    assert (study / "tokenizer" / "report.json").is_file()  # one vocabulary, of all texts


def test_the_draws_choose_other_labels_and_leave_validation_and_test_alone(folder):
    def data_of(size, draw):
        point = point_of(small_experiment(folder), PLAN, size, draw, folder)
        return load_labelled(point.finetune.data, False, point.seed)

    few, more, other = data_of(6, 1), data_of(30, 1), data_of(6, 0)
    assert set(few.train.texts) < set(more.train.texts)
    assert few.train.texts != other.train.texts
    for split in ("validation", "test"):
        assert getattr(few, split).texts == getattr(more, split).texts == getattr(other, split).texts


def test_a_number_of_each_class_is_one(folder):
    point = point_of(small_experiment(folder), LearningCurvePlan(per_class=True), 4, 0, folder)
    labelled = load_labelled(point.finetune.data, False, point.seed)
    assert labelled.figures["train"]["per_class"] == dict.fromkeys(labelled.class_names, 4)


def test_few_labels_get_more_epochs_and_more_patience_where_steps_are_asked_for(folder):
    experiment = small_experiment(folder, candidates=2, early_stopping_patience=2)
    few, enough = (with_least_steps(experiment, 9, examples).finetune for examples in (20, 72))
    assert [candidate.epochs for candidate in few.candidates.values()] == [3, 3]  # 3 steps an epoch
    assert few.early_stopping_patience == 6
    assert enough == experiment.finetune


def test_steps_of_pairs_of_each_class_are_counted_in_pairs(tmp_path):
    experiment = small_experiment(tmp_path)
    rows = [*csv.DictReader((tmp_path / "table.csv").open())]
    with (tmp_path / "pairs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["text", "pair", "label"])
        writer.writeheader()
        writer.writerows(row | {"pair": other["text"]} for row, other in zip(rows, rows[::-1], strict=True))
    train = experiment.finetune.data.train.model_dump()
    train |= {"paths": [str(tmp_path / "pairs.csv")], "text_pair_column": "pair"}
    plan = LearningCurvePlan(sizes=(4, 8), draws=1, per_class=True, min_steps=6)
    report = run_learning_curve(small_experiment(tmp_path, data={"train": train}), plan, CountedTrainings())
    runs = json.loads((report.parent / "report.json").read_text())["runs"]
    assert [run["steps"] for run in runs] == [6, 6]  # 12 and 24 pairs, 8 a step


def curve_point(size: int, pearson: float | None, test: bool = True) -> CurvePoint:
    run = {"seed": 0, "steps": 9, "best_epoch": 1, "seconds": 1.0, "versions": {}}
    figures = {"examples": 5, "pearson": pearson, "mae": 0.5}
    return CurvePoint(size, 0, {"lstm": [run | {"validation": figures, "test": figures if test else None}]})


def test_a_figure_that_is_not_defined_is_told_and_has_no_place_on_the_curve(tmp_path):
    points = [curve_point(10, None), curve_point(30, 0.2), curve_point(100, 0.4)]
    write_learning_curve(tmp_path, points, "pearson", "labels", 0)
    markdown = (tmp_path / "report.md").read_text()
    assert "**lstm**: pearson on test is not defined in 1 of 3 runs" in markdown
    assert "on average from 30 to 100" in markdown
    assert "| 10 | – | 0.500 | – | 9 | 1 |" in markdown


def test_a_figure_that_is_defined_nowhere_leaves_a_report_all_the_same(tmp_path):
    for test in (True, False):
        points = [curve_point(size, None, test) for size in (10, 100)]
        report = write_learning_curve(tmp_path, points, "pearson", "labels", 0)
        split = "test" if test else "validation"
        assert report["judged_on"] == split
        assert f"pearson on {split} is not defined in 2 of 2 runs" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(
    ("plan", "data", "said"),
    [
        ({"sizes": (6, 50)}, {}, "50 training examples are asked for, and there are 42"),
        (
            {"sizes": (14, 20), "per_class": True},
            {},
            "With 20 labels a class there is no more to train on",
        ),
        ({"sizes": (2,)}, {}, "2 training examples are asked for, and there are 3 labels"),
        ({}, {"split": {"validation": 0.0, "test": 0.0}}, "neither test nor validation"),
    ],
)
def test_what_cannot_be_trained_is_told_before_anything_is(tmp_path, plan, data, said):
    progress = CountedTrainings(allowed=0)
    with pytest.raises(UserError, match=said):
        run_learning_curve(small_experiment(tmp_path, data=data), LearningCurvePlan(**plan), progress)
    assert not (tmp_path / "run" / "learning_curve").exists()


def test_a_curve_over_other_data_is_not_mixed_with_the_old_one(finished, folder, tmp_path):
    table = (folder / "table.csv").read_text().splitlines()
    try:
        with (folder / "table.csv").open("w", newline="") as file:
            csv.writer(file).writerows(csv.reader(table[:-1]))
        with pytest.raises(UserError, match="another configuration or from other data"):
            run_learning_curve(small_experiment(folder), PLAN, CountedTrainings(allowed=0))
    finally:
        (folder / "table.csv").write_text("\n".join(table) + "\n")
