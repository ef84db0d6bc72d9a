"""The report that compares classifiers: report.json, report.md and a plot of the curves."""

from pathlib import Path

from tfplm.finetuning_configuration import FinetuneConfig
from trainers.candidates import (
    COST_HEADINGS,
    COST_NOTE,
    best_candidate,
    best_seed,
    cell,
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

_FIGURES = {"accuracy": "accuracy", "macro_f1": "macro F1", "auc": "AUC", "loss": "cross-entropy"}


def write_comparison(
    output: Path, config: FinetuneConfig, reports: dict[str, list[dict]], pretraining: dict[str, dict]
) -> dict:
    """Writes ``report.json``, ``report.md`` and ``comparison.png`` into ``output``.

    Args:
        output: the experiment's folder.
        config: of the fine-tuning.
        reports: for every candidate the report of each seed.
        pretraining: the report of the pretraining of those candidates that stand on one.

    Returns:
        What report.json holds.
    """
    split = "test" if next(iter(reports.values()))[0]["test"] else "validation"
    candidates = {
        name: summarize(runs, pretraining.get(name), config.validation_metric) | {"figures": _figures(runs, split)}
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
    accuracies = {name: summary["figures"]["accuracy"] for name, summary in candidates.items()}
    plot_candidates(
        output / "comparison.png", reports, accuracies, ("val_accuracy", "validation accuracy"), "accuracy", split, 1.0
    )
    return write_reports(output, comparison, _markdown(comparison, reports, accuracies))


def _figures(runs: list[dict], split: str) -> dict[str, dict | None]:
    figures = {}
    for key in _FIGURES:
        values = [run[split][key] for run in runs if run[split] and run[split][key] is not None]
        figures[key] = mean_and_spread(values) if values else None
    return figures


def _markdown(comparison: dict, reports: dict[str, list[dict]], accuracies: dict[str, dict | None]) -> str:
    split = comparison["judged_on"]
    rows = [
        [name, *(with_spread(summary["figures"][key]) for key in _FIGURES), *cost_cells(summary)]
        for name, summary in comparison["candidates"].items()
    ]
    lines = [
        "# Comparison",
        "",
        verdict(accuracies, "accuracy", 100),
        "",
        f"Figures on the {split} split, {seeds_in_words(comparison['seeds'])}.",
        "",
        *table(["candidate", *_FIGURES.values(), *COST_HEADINGS], rows),
        "",
        COST_NOTE,
        "",
        "![Validation curves and figures](comparison.png)",
        "",
        "## Data",
        "",
        *_data_table(comparison["data"]),
    ]
    for name, runs in reports.items():
        if runs[0][split]:
            lines += ["", f"## {name}: by class ({split}, seed {runs[0]['seed']})", "", *_class_table(runs[0][split])]
    return "\n".join(lines) + "\n"


def _data_table(data: dict) -> list[str]:
    splits = {name: data[name] for name in ("train", "validation", "test")}
    classes = list(splits["train"]["per_class"])
    rows = [[name, counts["groups"], *(counts["per_class"][c] for c in classes)] for name, counts in splits.items()]
    lines = table(["split", "groups", *map(cell, classes)], rows)
    dropped = {reason: count for reason, count in data["dropped"].items() if count}
    if dropped:
        lines += ["", "Left out: " + ", ".join(f"{count:,} {reason}" for reason, count in dropped.items()) + "."]
    return lines


def _class_table(figures: dict) -> list[str]:
    rows = [
        [cell(name), *(f"{row[key]:.3f}" for key in ("precision", "recall", "f1")), row["examples"]]
        for name, row in figures["per_class"].items()
    ]
    return table(["class", "precision", "recall", "F1", "examples"], rows)
