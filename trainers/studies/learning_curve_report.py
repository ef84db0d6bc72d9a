"""The report of a learning curve: figures by number of labels, in a table and in words."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainers.candidates import mean_and_spread, table, with_spread, write_reports
from trainers.studies.curve import Curve, in_words
from trainers.studies.curve_picture import plot_curves, show_in_tensorboard
from trainers.studies.figures import (
    SPLITS,
    Measure,
    all_figures,
    known_figures,
    shown_figures,
    undefined_in_words,
)
from trainers.studies.points import Reports

_FEW_STEPS = 50

SizedRuns = dict[int, list[dict]]  # by number of labels the reports of every draw and seed


@dataclass(frozen=True)
class CurvePoint:
    """The runs on one choice of labels.

    Args:
        size: how many labels.
        draw: which choice.
        reports: by candidate the report of each seed.
    """

    size: int
    draw: int
    reports: Reports


def write_learning_curve(folder: Path, points: Sequence[CurvePoint], metric: str, unit: str, min_steps: int) -> dict:
    """Writes report.json, report.md, learning_curve.png and the logs for TensorBoard.

    Args:
        folder: of the study.
        points: its runs.
        metric: that the experiment goes by.
        unit: of the numbers of labels, in words.
        min_steps: of a training.

    Returns:
        What report.json holds.
    """
    candidates = {name: _by_size(points, name) for name in points[0].reports}
    runs = [run for sized in candidates.values() for of_size in sized.values() for run in of_size]
    measure = Measure.of(runs, metric)
    curves = {
        split: {name: curve for name, sized in candidates.items() if (curve := _curve(sized, measure, split))}
        for split in SPLITS
    }
    report = {
        "stage": "learning_curve",
        "judged_on": "test" if any(run["test"] for run in runs) else "validation",
        "measure": measure.name,
        "unit": unit,
        "sizes": sorted({point.size for point in points}),
        "draws": len({point.draw for point in points}),
        "seeds": sorted({run["seed"] for run in runs}),
        "min_steps": min_steps,
        "candidates": {
            name: {split: {size: all_figures(of_size, split) for size, of_size in sized.items()} for split in SPLITS}
            for name, sized in candidates.items()
        },
        "runs": [_run(point, name, run) for point in points for name in candidates for run in point.reports[name]],
        "versions": runs[0]["versions"],
    }
    plot_curves(folder / "learning_curve.png", curves, measure, unit)
    show_in_tensorboard(folder / "logs", curves, measure)
    lines = _markdown(report, candidates, curves[report["judged_on"]], measure)
    return write_reports(folder, report, "\n".join(lines) + "\n")


def _by_size(points: Sequence[CurvePoint], candidate: str) -> SizedRuns:
    sized: SizedRuns = {}
    for point in sorted(points, key=lambda point: (point.size, point.draw)):
        sized.setdefault(point.size, []).extend(point.reports[candidate])
    return sized


def _curve(sized: SizedRuns, measure: Measure, split: str) -> Curve | None:
    known = {size: known_figures(runs, measure, split) for size, runs in sized.items()}
    figures = {size: mean_and_spread(values) for size, values in known.items() if values}
    return Curve(figures) if figures else None


def _run(point: CurvePoint, candidate: str, run: dict) -> dict:
    of_run = {key: run[key] for key in ("seed", "steps", "best_epoch", "seconds")}
    return {"candidate": candidate, "size": point.size, "draw": point.draw, **of_run}


def _markdown(report: dict, candidates: dict[str, SizedRuns], curves: dict[str, Curve], measure: Measure) -> list[str]:
    lines = ["# Learning curve", ""]
    runs = {name: [run for of_size in sized.values() for run in of_size] for name, sized in candidates.items()}
    sentences = [*in_words(curves, measure, report["unit"]), *undefined_in_words(runs, measure)]
    lines += [f"- {sentence}" for sentence in sentences]
    lines += ["", "![Figure by number of labels](learning_curve.png)", ""]
    lines += [f"{_spread_in_words(report)} Validation and test are the same everywhere; their labels are not counted."]
    if not report["min_steps"]:
        lines += _warning_of_few_steps(candidates)
    for name, sized in candidates.items():
        lines += ["", f"## {name}: {report['judged_on']}", "", *_table(report, name, sized, measure)]
    return lines


def _table(report: dict, name: str, sized: SizedRuns, measure: Measure) -> list[str]:
    judged, validation = (report["candidates"][name][split] for split in (report["judged_on"], "validation"))
    shown = shown_figures(dict.fromkeys(key for figures in judged.values() for key in figures), measure.name)
    headings = [report["unit"], *(key.replace("_", " ") for key in shown), f"validation {measure.in_words}"]
    rows = [
        [
            f"{size:,}",
            *(with_spread(judged[size].get(key)) for key in shown),
            with_spread(validation[size].get(measure.name)),
            f"{statistics.fmean(run['steps'] for run in runs):,.0f}",
            f"{statistics.fmean(run['seconds'] for run in runs):.0f}",
        ]
        for size, runs in sized.items()
    ]
    return table([*headings, "steps", "seconds"], rows)


def _spread_in_words(report: dict) -> str:
    counts = {"draws": report["draws"], "seeds": len(report["seeds"])}
    parts = [f"{count} {what}" for what, count in counts.items() if count > 1]
    if not parts:
        return "One draw and one seed: there is no spread, and others may give another curve."
    return f"Mean ± standard deviation over {' × '.join(parts)}."


def _warning_of_few_steps(candidates: dict[str, SizedRuns]) -> list[str]:
    steps = {name: sized[min(sized)][0]["steps"] for name, sized in candidates.items()}
    few = ", ".join(f"{name} {count}" for name, count in steps.items() if count < _FEW_STEPS)
    if not few:
        return []
    return [
        "",
        f"With the fewest labels a training has few steps ({few}): part of the rise is that of the steps. "
        "`--min-steps 100` gives it more epochs.",
    ]
