"""The commands that study an experiment: learning curve, cross-validation, search."""

from pathlib import Path
from typing import Annotated

import typer

from tfplm.command_manners import (
    ConfigArgument,
    DebugOption,
    OverridesArgument,
    OverwriteOption,
    QuietOption,
    answers_people,
    load_with_section,
)
from tfplm.config import read_yaml, validate
from tfplm.errors import UserError
from tfplm.progress import Progress
from tfplm.quiet_start import quiet_start
from tfplm.search_configuration import SearchConfig
from tfplm.search_space import resolve_search

_DEFAULT_FOLDS = 10

app = typer.Typer()

KeepModelsOption = Annotated[
    bool, typer.Option("--keep-models", help="Keep the weights of every run, and not its figures only.")
]


@app.command("learning-curve")
@answers_people(resumable=True)
def learning_curve(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    sizes: Annotated[str, typer.Option(metavar="N,N,…", help="Numbers of training labels.")] = "10,30,100,300,1000",
    draws: Annotated[int, typer.Option(min=1, help="How often they are chosen anew.")] = 3,
    per_class: Annotated[bool, typer.Option("--per-class/--in-all", help="What the numbers count.")] = False,
    min_steps: Annotated[
        int, typer.Option(min=0, help="Of a training: few labels get more epochs. 0: as the file says.")
    ] = 0,
    keep_models: KeepModelsOption = False,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Train on few and on more labels, several choices of each: what labels are worth."""
    experiment = load_with_section("finetune", config, overrides)
    numbers = _parse_sizes(sizes)
    with quiet_start(debug):
        from trainers.studies.learning_curve import LearningCurvePlan, run_learning_curve
    plan = LearningCurvePlan(numbers, draws, per_class, min_steps)
    typer.echo(run_learning_curve(experiment, plan, Progress(quiet=quiet), overwrite, keep_models))


@app.command("cross-validate")
@answers_people(resumable=True)
def cross_validate(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="How many. Default: data.split.folds, or 10.", show_default=False)
    ] = None,
    keep_models: KeepModelsOption = False,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Make every part of the data the test once, and compare the candidates over the parts."""
    experiment = load_with_section("finetune", config, overrides)
    in_file = next(iter(experiment.task_data().values())).split.folds
    with quiet_start(debug):
        from trainers.studies.cross_validation import run_cross_validation
    number = folds or in_file or _DEFAULT_FOLDS
    typer.echo(run_cross_validation(experiment, number, Progress(quiet=quiet), overwrite, keep_models))


@app.command()
@answers_people(resumable=True)
def search(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    space: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML of the space. Default: the section 'search'.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="How many. Default: those of the space, or 20.", show_default=False)
    ] = None,
    keep_models: KeepModelsOption = False,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Try other settings of a candidate, and write the best by validation as a configuration."""
    experiment = load_with_section("finetune", config, overrides)
    settings = validate(SearchConfig, read_yaml(space), str(space)) if space is not None else experiment.search
    if settings is None:
        raise UserError(
            f"{config} has no section 'search'.",
            "Expected the settings to search: search.parameters, by the path of each.",
            "Add 'search:', or name a file of it by --space; docs/studies.md has an example.",
        )
    if trials is not None:
        settings = settings.model_copy(update={"trials": trials})
    resolved = resolve_search(experiment, settings, str(space or config))
    with quiet_start(debug):
        from trainers.studies.trials import require_optuna

        require_optuna()
        from trainers.studies.search import run_search
    typer.echo(run_search(resolved, Progress(quiet=quiet), overwrite, keep_models))


def _parse_sizes(text: str) -> tuple[int, ...]:
    """Ascending numbers. Raises UserError."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UserError(f"--sizes is '{text}'.", "Expected numbers over 0 with commas between, such as 10,30,100.")
    numbers = sorted(map(int, parts))
    if len(set(numbers)) < len(numbers):
        raise UserError(f"--sizes '{text}' has a number twice.", remedy="Leave it out once.")
    return tuple(numbers)
