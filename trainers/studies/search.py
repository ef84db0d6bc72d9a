"""A search over settings of a candidate; only validation figures decide."""

import statistics
from pathlib import Path

import yaml

from tfplm.config import with_settings, written_settings
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.failures import explain, is_full_disk
from tfplm.progress import Progress, format_figure
from tfplm.run_directory import fingerprint, write_text
from tfplm.search_space import Search
from trainers.candidates import validation_score
from trainers.distribute import Workplace, workplace
from trainers.guard import Diverged
from trainers.stages import Stages
from trainers.studies.points import PointStages, StudyPlace
from trainers.studies.requirements import require_judging_pairs
from trainers.studies.search_report import write_search
from trainers.studies.trials import Trial, Trials, Values


def run_search(search: Search, progress: Progress, overwrite: bool = False, keep_models: bool = False) -> Path:
    """Trains the candidate with other settings, trial by trial, and writes down the best.

    A trial is all seeds of the candidate; its score is their mean validation figure. One that diverges, whose settings
    do not go together, or whose figure is not defined for some seed, has failed, and the search goes on. Given again,
    it goes on where it stopped, or does further trials if more are asked for.

    Args:
        search: from `tfplm.search_space.resolve_search`.
        progress: a tfplm.progress.Progress.
        overwrite: replace another search.
        keep_models: keep the weights of every trial.

    Returns:
        The path of best.yaml, the experiment with the best values, which `tfplm run` takes; report.md, report.json and
        search.png lie beside it.

    Raises:
        UserError: every trial failed, or the first one for a reason that all share; there is nothing to validate with;
            TF_CONFIG names several workers.
    """
    require_judging_pairs(search.experiment, "validation")
    folder = Path(search.experiment.output_dir) / "search"
    with workplace(search.experiment.runtime, progress) as place:
        _require_one_worker(place)
        study = StudyPlace(place, progress, overwrite, keep_models)
        base = study.stages(search.experiment)
        trials = Trials(folder, search.parameters, search.seed, _mark(search, base), overwrite)
        while len(trials.finished) < search.trials:
            _do_next(search, trials, folder, study, base)
    best = _best(trials.finished)
    path = folder / "best.yaml"
    write_text(path, _best_yaml(search, best, path, folder))
    write_search(folder, search, trials, best)
    progress.message(f"Best of {len(trials.finished)} trials is number {best.number}: {_in_words(best.values)}.")
    return path


def _require_one_worker(place: Workplace) -> None:
    if place.connection.num_workers > 1:
        raise UserError(
            f"TF_CONFIG names {place.connection.num_workers} workers.",
            "A search runs in one process, on all devices of its machine.",
            "Unset TF_CONFIG.",
        )


def _mark(search: Search, base: Stages) -> str:
    """What is searched; another number of trials is the same search."""
    experiment = search.experiment.model_dump(mode="json", exclude={"output_dir", "search"})
    space = {parameter.name: parameter.values.model_dump(mode="json") for parameter in search.parameters}
    return fingerprint("search", experiment, space, search.seed, PointStages(search.experiment, base).data_mark)


def _do_next(search: Search, trials: Trials, folder: Path, study: StudyPlace, base: Stages) -> None:
    number, values = trials.next()
    metric = search.experiment.finetune.validation_metric
    scores = [trial.score for trial in trials.finished if trial.score is not None]
    study.progress.message(f"Trial {number}: {_in_words(values)}.")
    try:
        experiment = _trial_of(search, number, values, folder)
        reports = study.train(experiment, base if _stands_on(base, experiment) else None)[search.candidate]
    except Exception as error:
        reason = explain(error)
        is_own_fault = scores or isinstance(error.__cause__, Diverged)
        if reason is None or is_full_disk(error) or not is_own_fault:
            raise
        _fail(number, reason.found, trials, study)
        return
    of_seeds = [validation_score(report, metric) for report in reports]
    if None in of_seeds:  # a mean over the other seeds would be too good
        _fail(number, f"The figure is not defined: {metric} on validation.", trials, study)
        return
    score = statistics.fmean(of_seeds)
    trials.succeed(number, score)
    best = max([*scores, score])
    study.progress.message(f"Trial {number}: {metric} {abs(score):.4g} on validation; best so far {abs(best):.4g}.")


def _fail(number: int, reason: str, trials: Trials, study: StudyPlace) -> None:
    trials.fail(number, reason)
    study.progress.message(f"Trial {number} failed: {reason}")


def _trial_of(search: Search, number: int, values: Values, folder: Path) -> ExperimentConfig:
    settings = {parameter.path: values[parameter.name] for parameter in search.parameters}
    output = folder / f"trial-{number:03d}"
    return with_settings(search.experiment, {**settings, ("output_dir",): str(output)}, f"Trial {number}")


def _stands_on(base: Stages, trial: ExperimentConfig) -> bool:
    """Whether a trial's vocabulary and pretraining are those of the experiment."""
    return (trial.tokenizer, trial.pretrain) == (base.experiment.tokenizer, base.experiment.pretrain)


def _best(finished: list[Trial]) -> Trial:
    scored = [trial for trial in finished if trial.score is not None]
    if not scored:
        raise UserError(
            f"All {len(finished)} trials failed; the first one: {finished[0].failure}",
            remedy="Search among other values.",
        )
    return max(scored, key=lambda trial: trial.score)


def _best_yaml(search: Search, best: Trial, path: Path, folder: Path) -> str:
    """The whole experiment with the best values, into a folder of its own."""
    settings = {parameter.path: best.values[parameter.name] for parameter in search.parameters}
    settings |= {("output_dir",): str(folder / "best"), ("search",): None}
    experiment = with_settings(search.whole, settings, str(path))
    values = {key: value for key, value in written_settings(experiment).items() if value is not None}
    metric = search.whole.finetune.validation_metric
    return (
        f"# tfplm run {path}\n"
        f"# Trial {best.number} of {search.trials}: {metric} {abs(best.score):.4g} on validation.\n"
        + yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)
    )


def _in_words(values: Values) -> str:
    shortened = {name.rpartition(".")[2]: value for name, value in values.items()}
    named = shortened if len(shortened) == len(values) else values
    return ", ".join(f"{name} {format_figure(value)}" for name, value in named.items())
