"""What every command has: its arguments and options, its configuration, and how it ends."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from tfplm.config import load_config
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.failures import report_failure

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file of the experiment.")]
OverridesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY.PATH=VALUE", help="Settings that replace those of the file.", show_default=False),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace a stage that another configuration made.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Say only when a stage has ended.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks and TensorFlow's own messages.")]


def answers_people(resumable: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a command that ends every failure in one clear message and an exit code; see ``tfplm.failures``."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def answering(**arguments: Any) -> None:
            try:
                command(**arguments)
                sys.stdout.flush()
            except typer.Exit:
                raise
            except BaseException as error:  # KeyboardInterrupt too
                raise typer.Exit(report_failure(error, arguments["debug"], resumable)) from error

        return answering

    return decorate


def load_with_section(section: str, config: Path, overrides: list[str] | None) -> ExperimentConfig:
    """The configuration of a command, which has a section. Raises UserError."""
    experiment = load_config(ExperimentConfig, config, overrides or [])
    if getattr(experiment, section) is None:
        raise UserError(f"{config} has no section '{section}'.", remedy=f"Add '{section}:' with its settings.")
    return experiment
