"""The report that compares the candidates of a task: report.json, report.md and a plot of the curves."""

from pathlib import Path

from tfplm.finetuning_configuration import EncoderFinetuneConfig
from trainers.candidates import (
    COST_HEADINGS,
    COST_NOTE,
    best_candidate,
    best_seed,
    cost_cells,
    mean_and_spread,
    plot_candidates,
    seeds_in_words,
    summarize,
    table,
    verdict,
    with_spread,
    write_reports,
)
from trainers.metrics.overfitting import overfitting_in_words
from trainers.task_kinds.task_kind import TaskKind


def write_comparison(
    output: Path,
    config: EncoderFinetuneConfig,
    kind: TaskKind,
    reports: dict[str, list[dict]],
    pretraining: dict[str, dict],
) -> dict:
    """Writes ``report.json``, ``report.md`` and ``comparison.png`` into ``output``.

    Args:
        output: the experiment's folder.
        config: of the fine-tuning.
        kind: of its task.
        reports: for every candidate the report of each seed.
        pretraining: the report of the pretraining of those candidates that stand on one.

    Returns:
        What report.json holds.
    """
    split = "test" if next(iter(reports.values()))[0]["test"] else "validation"
    candidates = {
        name: summarize(runs, pretraining.get(name), config.validation_metric)
        | {"figures": _figures(kind, runs, split)}
        for name, runs in reports.items()
    }
    first, best = next(iter(reports.values()))[0], best_candidate(candidates)
    comparison = {
        "judged_on": split,
        "seeds": list(config.seeds),
        "class_names": first["class_names"],
        "data": first["data"],
        "candidates": candidates,
        "best": best,
        "best_seed": best_seed(reports[best], config.validation_metric),
        "versions": first["versions"],
    }
    key, name = next(iter(kind.figure_names.items()))
    leading = {candidate: summary["figures"][key] for candidate, summary in candidates.items()}
    metric = config.validation_metric
    curve = (f"val_{metric}", f"validation {metric.replace('_', ' ')}")
    plot_candidates(output / "comparison.png", reports, leading, curve, name, split, 100.0 / kind.scale)
    return write_reports(output, comparison, _markdown(comparison, kind, reports, leading, metric))


def _figures(kind: TaskKind, runs: list[dict], split: str) -> dict[str, dict | None]:
    figures = {}
    for key in kind.figure_names:
        values = [run[split][key] for run in runs if run[split] and run[split][key] is not None]
        figures[key] = mean_and_spread(values) if values else None
    return figures


def _markdown(
    comparison: dict, kind: TaskKind, reports: dict[str, list[dict]], leading: dict[str, dict | None], metric: str
) -> str:
    split = comparison["judged_on"]
    rows = [
        [name, *(with_spread(summary["figures"][key]) for key in kind.figure_names), *cost_cells(summary)]
        for name, summary in comparison["candidates"].items()
    ]
    lines = [
        "# Comparison",
        "",
        verdict(leading, next(iter(kind.figure_names.values())), kind.scale),
        "",
        f"Figures on the {split} split, {seeds_in_words(comparison['seeds'])}.",
        "",
        *table(["candidate", *kind.figure_names.values(), *COST_HEADINGS], rows),
        "",
        COST_NOTE,
        "",
        "![Validation curves and figures](comparison.png)",
        "",
        "## Data",
        "",
        *kind.data_lines(comparison["data"]),
    ]
    parted = {name: overfitting_in_words(runs[0]["history"], metric) for name, runs in reports.items()}
    if any(parted.values()):
        lines += ["", "## What train and validation say", ""]
        lines += [f"- **{name}**: {sentence}" for name, sentence in parted.items() if sentence]
    for name, runs in reports.items():
        details = kind.detail_lines(runs[0][split]) if runs[0][split] else []
        if details:
            lines += ["", f"## {name}: in detail ({split}, seed {runs[0]['seed']})", "", *details]
    return "\n".join(lines) + "\n"
