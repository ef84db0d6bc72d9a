"""Cross-validation: every part of the data is the test once."""

from collections.abc import Iterator
from pathlib import Path

from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.progress import Progress
from trainers.distribute import workplace
from trainers.studies.cross_validation_report import write_cross_validation
from trainers.studies.points import Reports, StudyPlace, at_point
from trainers.studies.requirements import require_judging_pairs, require_reported_metric


def run_cross_validation(
    experiment: ExperimentConfig,
    folds: int,
    progress: Progress,
    overwrite: bool = False,
    keep_models: bool = False,
) -> Path:
    """Trains every candidate with every seed on every fold.

    Folds are stratified by label and keep groups together, see `tfplm.data.splits.split_groups`. Vocabulary and
    pretraining are each fold's own, since they must not see its test; with ``corpus.hold_out_evaluation: false`` all
    folds share them. Given again, it trains what is not there yet.

    Args:
        experiment: with its ``finetune`` section; its split's share of validation is heeded, that of the test is not.
        folds: how many.
        progress: a tfplm.progress.Progress.
        overwrite: replace what another configuration made.
        keep_models: keep the weights too.

    Returns:
        The path of report.md; report.json and cross_validation.png lie beside it.

    Raises:
        UserError: a label has fewer groups than there are folds, the test data is given, nothing can be taken out of
            the training data to judge by, runs do not report the figure to go by, or a stage cannot be run.
    """
    _require_splittable(experiment)
    require_reported_metric(experiment)
    folder = Path(experiment.output_dir) / "cross_validation"
    with workplace(experiment.runtime, progress) as place:
        study = StudyPlace(place, progress, overwrite, keep_models)
        reports = [*_train(experiment, folds, folder, study)]
        if place.is_chief:
            write_cross_validation(folder, reports, experiment.finetune.validation_metric)
        place.connection.barrier("the report of the cross-validation")
    return folder / "report.md"


def _train(experiment: ExperimentConfig, folds: int, folder: Path, study: StudyPlace) -> Iterator[Reports]:
    corpus = experiment.corpus
    base = study.stages(experiment) if corpus is not None and not corpus.hold_out_evaluation else None
    for fold in range(folds):
        study.progress.message(f"Fold {fold + 1} of {folds}:")
        yield study.train(fold_of(experiment, folds, fold, folder), base)


def fold_of(experiment: ExperimentConfig, folds: int, fold: int, folder: Path) -> ExperimentConfig:
    """The experiment with one of the folds as its test."""
    return at_point(experiment, folder / f"fold-{fold}", lambda _: {"split.folds": folds, "split.fold": fold})


def _require_splittable(experiment: ExperimentConfig) -> None:
    require_judging_pairs(experiment)
    for keys, data in experiment.task_data().items():
        path = ".".join(keys)
        if data.test is not None:
            raise UserError(
                f"{path}.test names test data.",
                "In cross-validation every part of the training data is the test once.",
                f"Leave {path}.test out, or put its files beside those of {path}.train.",
            )
