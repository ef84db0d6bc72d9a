"""A whole experiment: every stage that its file names, and the export of the winner."""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.finetuning_configuration import EncoderFinetuneConfig
from tfplm.progress import Progress
from tfplm.run_directory import RunDirectory
from trainers.candidates import best_seed
from trainers.parity_texts import EXAMPLES_FILE
from trainers.stages import Stages, stages_of

_RUNNER = "generate.py"  # in an export that writes text

ExportRun = Callable[[Path, str, Path, bool], dict]  # run directory, format, folder to write, replace what is there


@dataclass
class Summary:
    """What a run leaves: descriptions with paths, and commands that use them."""

    artefacts: list[tuple[str, Path]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)


def run_experiment(
    experiment: ExperimentConfig, progress: Progress, export_run: ExportRun, overwrite: bool = False
) -> Summary:
    """Runs every stage that the experiment names and is not done yet.

    Args:
        experiment: the whole configuration.
        progress: a tfplm.progress.Progress.
        export_run: writes an export, as export.runs.export_run does.
        overwrite: replace stages that another configuration made.

    Raises:
        UserError: a stage cannot be run; those before it stay.
    """
    with stages_of(experiment, progress, overwrite) as stages:
        return _run(stages, export_run, overwrite)


def _run(stages: Stages, export_run: ExportRun, overwrite: bool) -> Summary:
    experiment, progress, summary = stages.experiment, stages.progress, Summary()
    if experiment.corpus is not None:
        summary.artefacts.append(("vocabulary", stages.tokenizer().path))
        summary.artefacts.append(("token shards", stages.prepare().path))
    if experiment.pretrain is not None:
        summary.artefacts.append(("pretrained model", stages.pretrain().path))
    best = stages.output / "pretrain"
    if experiment.finetune is not None:
        runs = stages.finetune()
        best = best_run(experiment, stages.output)
        summary.artefacts += [
            ("fine-tuned models", runs),
            ("comparison", stages.output / "report.md"),
            ("best model", best),
        ]
    summary.commands += _commands(experiment, best, stages.output)
    if experiment.export is not None and stages.place.is_chief:
        _export(experiment, best, stages.output / "export", export_run, progress, overwrite, summary)
    return summary


_TEXTS = {  # what `tfplm predict` takes, by the type of the task
    "question_answering": "'a question' 'a passage'",
    "multiple_choice": "'a context' 'a choice' 'another'",
}


def _commands(experiment: ExperimentConfig, best: Path, output: Path) -> list[str]:
    """What can be done with the best model."""
    finetune, pretrain = experiment.finetune, experiment.pretrain
    if isinstance(finetune, EncoderFinetuneConfig):
        texts = _TEXTS.get(finetune.task.type, "'a text'")
        found = [f"tfplm predict {_quoted(best)} {texts}", f"tfplm evaluate {_quoted(best)} --data FILE"]
    elif finetune is not None:
        task = f" --task {shlex.quote(next(iter(finetune.tasks)))}" if len(finetune.tasks) > 1 else ""
        found = [
            f"tfplm generate {_quoted(best)}{task} 'a text'",
            f"tfplm evaluate {_quoted(best)}{task} --data FILE",
        ]
    elif pretrain is not None and pretrain.objective.type in ("causal_lm", "prefix_lm"):
        found = [
            f"tfplm generate {_quoted(best)} 'a beginning' --strategy sample --top-p 0.9",
            f"tfplm evaluate {_quoted(best)} --data FILE",
        ]
    else:
        found = []
    return [*found, f"tensorboard --logdir {_quoted(output)}"] if finetune is not None or pretrain is not None else []


def best_run(experiment: ExperimentConfig, output: Path) -> Path:
    """The run directory of the exported candidate, or of the best one, with the seed that is best on validation."""
    finetune = experiment.finetune
    name = experiment.export.candidate if experiment.export is not None else None
    if name is None:
        name = json.loads((output / "report.json").read_text(encoding="utf-8"))["best"]
    folder = output / "finetune" / name
    reports = [RunDirectory(folder / f"seed-{seed}").read_report() for seed in finetune.seeds]
    return folder / f"seed-{best_seed(reports, finetune.validation_metric)}"


def _export(
    experiment: ExperimentConfig,
    best: Path,
    folder: Path,
    export_run: ExportRun,
    progress: Progress,
    overwrite: bool,
    summary: Summary,
) -> None:
    source = RunDirectory(best).read_report()["fingerprint"]
    for format_name in experiment.export.formats:
        target = folder / format_name
        if _exported_from(target) == source:
            progress.message(f"export to {format_name}: done before, in {target}; skipped.")
        else:
            if target.exists() and not overwrite:
                raise UserError(
                    f"{target} was not exported from {best}.",
                    remedy="Choose another output_dir, or give --overwrite to replace the export.",
                )
            export_run(best, format_name, target, overwrite)
            progress.message(f"Exported to {target} and compared with the Keras model.")
        summary.artefacts.append((format_name, target))
        summary.commands.append(f"cat {_quoted(target / 'how_to_use.md')}")
        if (target / _RUNNER).is_file():
            summary.commands.append(f"python {_quoted(target / _RUNNER)} {shlex.quote(_short_prompt(best))}")


def _short_prompt(run: Path) -> str:
    """The shortest of the texts that the run keeps, as its model is given them."""
    texts = json.loads((run / EXAMPLES_FILE).read_text(encoding="utf-8"))
    return min(texts, key=len, default="")


def _exported_from(target: Path) -> str | None:
    """The fingerprint of the run that an export was made from; None where there is no whole export."""
    report = target / "report.json"
    return json.loads(report.read_text(encoding="utf-8")).get("run_fingerprint") if report.is_file() else None


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
