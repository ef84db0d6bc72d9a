"""The report of an evaluation: report.md, report.json, pictures, and the same in TensorBoard."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfplm.run_directory import write_bytes, write_text
from trainers.candidates import table
from trainers.evaluation import Evaluation
from trainers.metrics.errors import errors_table
from trainers.metrics.slices import slices_table, with_interval
from trainers.tensorboard import TensorBoardLog

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EVALUATION_FILE = "evaluation.json"
_OWN_TEST = "test split of the training data"


def write_evaluation(
    folder: Path, evaluations: Sequence[Evaluation], record: dict, own: Mapping[str, float | None] | None = None
) -> None:
    """Writes evaluation.json, report.md, pictures and TensorBoard's events into a folder.

    Args:
        folder: where to; it may be there.
        evaluations: of one model on one or several sets of data.
        record: what evaluation.json holds.
        own: the figures on the test split of the data that the model learned from, where they are known.
    """
    from trainers.metrics.pictures import png_bytes, rgb_array

    lines = ["# Evaluation", "", *domain_lines(evaluations, own)]
    log = TensorBoardLog(folder / "logs")
    try:
        for number, evaluation in enumerate(evaluations):
            prefix = f"{number}_" if len(evaluations) > 1 else ""
            lines += ["", *_evaluation_lines(evaluation, prefix)]
            for name, picture in (evaluation.pictures | _slice_pictures(evaluation)).items():
                write_bytes(folder / f"{prefix}{name}.png", png_bytes(picture))
                log.image(0, f"{evaluation.name}/{name}", rgb_array(picture))
            log.scalars(0, {f"{evaluation.name}/{name}": value for name, value in _headline(evaluation).items()})
        log.text(0, "report", "\n".join(lines))
    finally:
        log.close()
    write_text(folder / EVALUATION_FILE, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / "report.md", "\n".join(lines) + "\n")


def domain_lines(evaluations: Sequence[Evaluation], own: Mapping[str, float | None] | None = None) -> list[str]:
    """Markdown: the figures of every set of data side by side, and how far they are from the first."""
    kind = evaluations[0].kind
    rows = [[_OWN_TEST, "", *(_number(own.get(key)) for key in kind.figure_names)]] if own else []
    for evaluation in evaluations:
        cells = [with_interval(evaluation.figures.get(key), evaluation.intervals.get(key)) for key in kind.figure_names]
        rows.append([evaluation.name, f"{evaluation.figures['examples']:,}", *cells])
    lines = [
        "Figures with 95 % bootstrap intervals over the examples.",
        "",
        *table(["data", "examples", *kind.figure_names.values()], rows),
    ]
    return [*lines, *_drop_lines(evaluations, own)]


def drops(evaluations: Sequence[Evaluation], own: Mapping[str, float | None] | None = None) -> dict[str, float]:
    """By data, how many points of the first figure are lost beside the training's own test split, or the first data."""
    key = next(iter(evaluations[0].kind.figure_names))
    scale = evaluations[0].kind.scale
    known = own.get(key) if own else None
    base = known if known is not None else evaluations[0].figures.get(key)
    others = evaluations if known is not None else evaluations[1:]
    if base is None:
        return {}
    values = {evaluation.name: evaluation.figures.get(key) for evaluation in others}
    return {name: scale * (base - value) for name, value in values.items() if value is not None}


def _drop_lines(evaluations: Sequence[Evaluation], own: Mapping[str, float | None] | None) -> list[str]:
    figure = next(iter(evaluations[0].kind.figure_names.values()))
    base = f"the {_OWN_TEST}" if own else evaluations[0].name
    lines = []
    for name, points in drops(evaluations, own).items():
        moved = f"loses {points:.1f}" if points >= 0.05 else f"gains {-points:.1f}" if points <= -0.05 else "loses no"
        lines += ["", f"On {name} the model {moved} points of {figure} beside {base}."]
    return lines


def _evaluation_lines(evaluation: Evaluation, prefix: str) -> list[str]:
    lines = [f"## {evaluation.name}", "", *evaluation.kind.detail_lines(evaluation.figures)]
    left_out = {reason: count for reason, count in evaluation.left_out.items() if count}
    if left_out:
        lines += ["", "Left out: " + ", ".join(f"{count:,} {reason}" for reason, count in left_out.items()) + "."]
    for name in evaluation.pictures:
        lines += ["", f"![{name.replace('_', ' ')}]({prefix}{name}.png)"]
    for picture, (name, records) in _shown_slices(evaluation).items():
        lines += ["", f"### By {name}", "", *slices_table(records), "", f"![by {name}]({prefix}{picture}.png)"]
    if evaluation.errors:
        lines += ["", "### Worst errors", "", *errors_table(evaluation.errors)]
    return lines


def _shown_slices(evaluation: Evaluation) -> dict[str, tuple[str, list[dict]]]:
    """By the name of their picture: what the examples are grouped by, whose name may be any, and the groups."""
    shown = [(name, records) for name, records in evaluation.slices.items() if len(records) > 1]
    return {f"groups_{number}": group for number, group in enumerate(shown)}


def _slice_pictures(evaluation: Evaluation) -> "dict[str, Figure]":
    from trainers.metrics.plots import slices_plot  # matplotlib takes half a second

    figure_name = next(iter(evaluation.kind.figure_names))
    shown = _shown_slices(evaluation).items()
    return {picture: slices_plot(records, figure_name, f"By {name}") for picture, (name, records) in shown}


def _headline(evaluation: Evaluation) -> dict[str, float]:
    values = {name: evaluation.figures.get(name) for name in evaluation.kind.figure_names}
    return {name: value for name, value in values.items() if value is not None}


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
