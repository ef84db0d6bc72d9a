"""A learning curve: what a number of labels is worth, over several choices of them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfplm.config import with_settings
from tfplm.data.configuration import SplitDataConfig
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.progress import Progress
from trainers.distribute import workplace
from trainers.stages import Stages
from trainers.studies.learning_curve_report import CurvePoint, write_learning_curve
from trainers.studies.points import PointStages, StudyPlace, at_point
from trainers.studies.requirements import require_judging_pairs, require_reported_metric
from trainers.task_kinds.registry import kind_of


@dataclass(frozen=True)
class LearningCurvePlan:
    """What is trained.

    Args:
        sizes: numbers of training examples, ascending.
        draws: how often they are chosen anew; within a draw a larger number keeps the choice of a smaller one.
        per_class: whether a number is of each class, not of all together.
        min_steps: of a training at least: with few examples the epochs are made more, and the patience of early
            stopping with them. Counted with an example a row; where examples are packed, the steps are fewer.
    """

    sizes: tuple[int, ...] = (10, 30, 100, 300, 1000)
    draws: int = 3
    per_class: bool = False
    min_steps: int = 0

    @property
    def unit(self) -> str:
        return "labels a class" if self.per_class else "labels"


def run_learning_curve(
    experiment: ExperimentConfig,
    plan: LearningCurvePlan,
    progress: Progress,
    overwrite: bool = False,
    keep_models: bool = False,
) -> Path:
    """Trains every candidate with every seed on every number of labels and every draw of them.

    Validation and test are the same everywhere. A vocabulary that is learned of the task's texts is learned of all of
    them once, since it needs no labels. Given again, it trains what is not there yet.

    Args:
        experiment: with its ``finetune`` section; limits of the training examples there are not heeded.
        plan: the numbers and the draws.
        progress: a tfplm.progress.Progress.
        overwrite: replace what another configuration made.
        keep_models: keep the weights too.

    Returns:
        The path of report.md; report.json, learning_curve.png and TensorBoard's logs lie beside it.

    Raises:
        UserError: there are fewer examples than the largest number, there is nothing to judge by, runs do not report
            the figure to go by, or a stage cannot be run.
    """
    _require_evaluation(experiment)
    require_reported_metric(experiment)
    folder = Path(experiment.output_dir) / "learning_curve"
    with workplace(experiment.runtime, progress) as place:
        study = StudyPlace(place, progress, overwrite, keep_models)
        base = study.stages(_base(experiment, folder))
        _require_examples(experiment, plan, folder, base)
        points = [*_train(experiment, plan, folder, base, study)]
        if place.is_chief:
            write_learning_curve(folder, points, experiment.finetune.validation_metric, plan.unit, plan.min_steps)
        place.connection.barrier("the report of the learning curve")
    return folder / "report.md"


def _base(experiment: ExperimentConfig, folder: Path) -> ExperimentConfig:
    """Whose vocabulary and pretraining all points share: the experiment's own, unless they hang on its labelled texts.

    What the corpus is made of hangs on the evaluation data only, so it may be there from another command.
    """
    output = folder if experiment.corpus is None else Path(experiment.output_dir)
    return at_point(experiment, output, lambda data: dict.fromkeys(data.training_limits.values()))


def _train(
    experiment: ExperimentConfig, plan: LearningCurvePlan, folder: Path, base: Stages, study: StudyPlace
) -> Iterator[CurvePoint]:
    for size in plan.sizes:
        for draw in range(plan.draws):
            study.progress.message(f"{size:,} {plan.unit}, draw {draw + 1} of {plan.draws}:")
            point = point_of(experiment, plan, size, draw, folder)
            if plan.min_steps:
                examples = _num_training_examples(point) if plan.per_class else size
                point = with_least_steps(point, plan.min_steps, examples)
            yield CurvePoint(size, draw, study.train(point, base))


def point_of(
    experiment: ExperimentConfig, plan: LearningCurvePlan, size: int, draw: int, folder: Path
) -> ExperimentConfig:
    """The experiment with so many training examples; the first draw is what the experiment itself would choose."""

    def settings(data: SplitDataConfig) -> dict[str, Any]:
        way = "per_class" if plan.per_class else "in_all"
        if way not in data.training_limits:
            raise UserError(
                f"The training examples of a task '{experiment.finetune.task.type}' cannot be limited "
                + ("by class." if plan.per_class else "in number."),
                remedy="Leave --per-class out: the numbers are then of all examples." if plan.per_class else "",
            )
        limits = dict.fromkeys(data.training_limits.values()) | {data.training_limits[way]: size}
        return limits | {"choice_seed": data.seed_of_choice(experiment.seed) + draw}

    name = f"{'per-class' if plan.per_class else 'labels'}-{size}"
    return at_point(experiment, folder / name / f"draw-{draw}", settings)


def _num_training_examples(point: ExperimentConfig) -> int:
    """How many examples a point is trained on whose number is of each class; a pair is one."""
    return len(kind_of(point.finetune).load(point.seed).train)


def with_least_steps(point: ExperimentConfig, min_steps: int, examples: int) -> ExperimentConfig:
    """The experiment with so many more epochs that no training on so many examples has fewer steps."""
    finetune = point.finetune
    steps_per_epoch = math.ceil(examples / finetune.batch_size)
    factors = {
        name: max(1, math.ceil(min_steps / (steps_per_epoch * candidate.epochs)))
        for name, candidate in finetune.candidates.items()
    }
    settings: dict[tuple[str, ...], Any] = {
        ("finetune", "candidates", name, "epochs"): finetune.candidates[name].epochs * factor
        for name, factor in factors.items()
    }
    if finetune.early_stopping_patience is not None:
        patience = finetune.early_stopping_patience * max(factors.values())
        settings["finetune", "early_stopping_patience"] = patience
    return with_settings(point, settings, point.output_dir)


def _require_evaluation(experiment: ExperimentConfig) -> None:
    """Raises UserError where there is nothing to measure a curve on."""
    require_judging_pairs(experiment, "validation", "test")
    for keys, data in experiment.task_data().items():
        path, split = ".".join(keys), data.split
        if data.validation is None and data.test is None and not (split.validation or split.test or split.folds):
            raise UserError(f"{path} has neither test nor validation data.", remedy=f"Set {path}.split.test.")


def _require_examples(experiment: ExperimentConfig, plan: LearningCurvePlan, folder: Path, base: Stages) -> None:
    """Raises UserError, before anything is trained, where the data has no examples for the largest numbers."""
    points = [point_of(experiment, plan, size, 0, folder) for size in plan.sizes[-2:]]
    numbers = [PointStages(point, base).num_training_texts() for point in points]
    if len(set(numbers)) < len(numbers):
        raise UserError(
            f"With {plan.sizes[-1]:,} {plan.unit} there is no more to train on than with {plan.sizes[-2]:,}.",
            "Expected training data that has so many.",
            f"Give smaller --sizes: the training data is used up at {plan.sizes[-2]:,} or before.",
        )
