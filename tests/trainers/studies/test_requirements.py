"""What is refused before anything is trained."""

import pytest

from tests.trainers.studies.small_experiment import LSTM, CountedTrainings, small_experiment
from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from trainers.studies.cross_validation import run_cross_validation
from trainers.studies.learning_curve import LearningCurvePlan, run_learning_curve
from trainers.studies.requirements import require_judging_pairs, require_reported_metric

TABLE = {"type": "table", "paths": ["a.csv"]}
PAIRS = TABLE | {"text_pair_column": "pair"}
TRAIN = {
    "text_regression": TABLE | {"label_column": "score"},
    "token_classification": {"type": "columns", "paths": ["a.conll"]},
    "question_answering": {"paths": ["a.json"]},
    "text_embedding": TABLE,
}


def of_task(task_type: str, metric: str | None = None, **data) -> ExperimentConfig:
    values = {
        "output_dir": "run",
        "finetune": {
            "task": {"type": task_type},
            "data": {"train": TRAIN[task_type], **data},
            "candidates": {"lstm": {"model": LSTM | {"max_sequence_length": 384}}},
            **({"validation_metric": metric} if metric else {}),
        },
    }
    return validate(ExperimentConfig, values, "test")


@pytest.mark.parametrize(
    ("task_type", "other"),
    [("text_regression", "pearson"), ("token_classification", "span_f1"), ("question_answering", "f1")],
)
def test_a_loss_that_runs_do_not_report_is_refused_and_another_figure_is_named(task_type, other):
    require_reported_metric(of_task(task_type, other))
    with pytest.raises(UserError, match=f"validation_metric is loss.* '{task_type}'") as caught:
        require_reported_metric(of_task(task_type, "loss"))
    assert f"Set finetune.validation_metric: {other}." in str(caught.value)


def test_a_loss_that_runs_report_is_taken(tmp_path):
    require_reported_metric(small_experiment(tmp_path, validation_metric="loss"))


def test_studies_refuse_a_loss_that_is_not_reported_before_anything_is_trained():
    experiment, progress = of_task("text_regression", "loss"), CountedTrainings(allowed=0)
    with pytest.raises(UserError, match="validation_metric is loss"):
        run_cross_validation(experiment, 2, progress)
    with pytest.raises(UserError, match="validation_metric is loss"):
        run_learning_curve(experiment, LearningCurvePlan(), progress)


def test_texts_alone_are_not_cut_into_folds_though_validation_is_given():
    experiment = of_task("text_embedding", validation=PAIRS)
    with pytest.raises(UserError, match="finetune.data.train has texts alone") as caught:
        run_cross_validation(experiment, 2, CountedTrainings(allowed=0))
    assert "Set finetune.data.train.text_pair_column." in str(caught.value)


def test_texts_alone_are_judged_where_what_serves_is_given():
    require_judging_pairs(of_task("text_embedding", validation=PAIRS), "validation", "test")
    require_judging_pairs(of_task("text_embedding", train=PAIRS))
    with pytest.raises(UserError, match="or name finetune.data.validation"):
        run_learning_curve(of_task("text_embedding"), LearningCurvePlan(), CountedTrainings(allowed=0))
    with pytest.raises(UserError, match="has texts alone"):
        require_judging_pairs(of_task("text_embedding", test=PAIRS), "validation")
