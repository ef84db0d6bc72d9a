"""``python -m benchmarks``: tfplm and its peers, side by side."""

import shlex
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import machine, report
from benchmarks.rounds import Rounds, measure_group
from benchmarks.subjects import FULL, QUICK, SUBJECTS, Sizes, chosen, with_sets
from tfplm.cli import answers_people
from tfplm.errors import UserError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
@answers_people()
def measure(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[SUBJECT]…", help=f"{', '.join(SUBJECTS)}; default: all.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes and few rounds, to see that it works.")] = False,
    contender: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only contenders whose names begin so; may be repeated.")
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only groups whose names begin so; may be repeated.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Default: 7, or 2 with --quick.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.0, help="Of each contender in each round.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: as many as cores, as taskset says.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of standard sets, for finetuning on short texts too.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="For results.json and results.md.")] = Path(
        "runs/benchmarks"
    ),
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Measure tfplm and its peers side by side, each in a process of its own with the same threads."""
    unknown = [name for name in names or [] if name not in SUBJECTS]
    if unknown:
        raise UserError(f"There is no subject '{unknown[0]}'.", f"Known are {', '.join(SUBJECTS)}.")
    sizes = QUICK if quick else FULL
    if data is not None:
        sizes = with_sets(sizes, str(data.resolve()))
    _require_known(contender or [], group or [], names or SUBJECTS, sizes)
    machine.use_cores(threads or len(machine.usable_cores()))
    plan = Rounds(
        count=rounds or (2 if quick else 7),
        seconds=seconds if seconds is not None else (0.5 if quick else 5.0),
        threads=threads or len(machine.usable_cores()),
    )
    results = {
        "format_version": report.FORMAT_VERSION,
        "command": shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
        "machine": machine.describe(),
        "settings": {"quick": quick, "rounds": plan.count, "seconds": plan.seconds, "threads": plan.threads},
        "subjects": [],
    }
    for name in names or SUBJECTS:
        results["subjects"].append({})
        for so_far in _measure_subject(name, sizes, plan, contender or [], group or []):
            results["subjects"][-1] = so_far
            report.write(results, out)  # after each group, so that a run that is ended leaves what it has
        if not results["subjects"][-1]:
            results["subjects"].pop()  # nobody and nothing that is wanted takes part
    typer.echo(report.markdown(results), nl=False)
    _say(f"Written to {out}.")


def _require_known(contenders: list[str], groups: list[str], names: Iterable[str], sizes: Sizes) -> None:
    """Raises UserError where nobody, or no group, in these subjects has one of the names."""
    by_group = [item for name in names for item in SUBJECTS[name].groups(sizes, "").items()]
    known = {"contender": [c.name for _, members in by_group for c in members], "group": [name for name, _ in by_group]}
    for what, given in (("contender", contenders), ("group", groups)):
        for wanted in given:
            if not any(name.lower().startswith(wanted.lower()) for name in known[what]):
                listed = ", ".join(dict.fromkeys(known[what]))
                raise UserError(f"There is no {what} '{wanted}' in what is measured.", f"Known are {listed}.")


def _measure_subject(name: str, sizes: Sizes, plan: Rounds, contenders: list[str], wanted: list[str]) -> Iterator[dict]:
    """Yields the results of the subject after each of its groups."""
    subject, measured = SUBJECTS[name], {}
    with tempfile.TemporaryDirectory(prefix="tfplm-benchmarks-") as scratch:
        groups = chosen(subject.groups(sizes, scratch), contenders, wanted)
        for group, members in groups.items():
            measured[group] = measure_group(members, plan, lambda text, group=group: _say(f"{name}, {group}: {text}"))
            yield report.subject_results(name, subject, measured)


def _say(text: str) -> None:
    typer.echo(f"{time.strftime('%H:%M:%S')} {text}", err=True)


if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
