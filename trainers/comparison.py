"""The report that compares the candidates: report.json, report.md and a plot of the curves."""

import json
import statistics
from pathlib import Path

from tfplm.experiment import FinetuneConfig
from tfplm.run_directory import FORMAT_VERSION, write_text

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
        name: _summarize(runs, split, pretraining.get(name), config.validation_metric) for name, runs in reports.items()
    }
    first, best = next(iter(reports.values()))[0], best_candidate(candidates)
    comparison = {
        "format_version": FORMAT_VERSION,
        "stage": "comparison",
        "judged_on": split,
        "seeds": list(config.seeds),
        "class_names": first["class_names"],
        "data": first["data"],
        "candidates": candidates,
        "best": best,
        "best_seed": best_seed(reports[best], config.validation_metric),
        "versions": first["versions"],
    }
    write_text(output / "report.json", json.dumps(comparison, indent=2, ensure_ascii=False) + "\n")
    _plot(output / "comparison.png", reports, candidates, split)
    write_text(output / "report.md", _markdown(comparison, reports))
    return comparison


def best_candidate(candidates: dict[str, dict]) -> str:
    """The candidate with the best mean validation figure; the test figures have no say."""
    scored = {name: summary["validation_score"] for name, summary in candidates.items()}
    known = {name: score for name, score in scored.items() if score is not None}
    return max(known, key=known.get) if known else next(iter(candidates))


def best_seed(reports: list[dict], validation_metric: str) -> int:
    """The seed of the run with the best validation figure."""
    return max(reports, key=lambda report: _validation_score(report, validation_metric) or 0.0)["seed"]


def _validation_score(report: dict, metric: str) -> float | None:
    if report["validation"] is None:
        return None
    return -report["validation"]["loss"] if metric == "loss" else report["validation"][metric]


def _summarize(runs: list[dict], split: str, pretraining: dict | None, metric: str) -> dict:
    figures = {}
    for key in _FIGURES:
        values = [run[split][key] for run in runs if run[split] and run[split][key] is not None]
        figures[key] = _mean_and_spread(values) if values else None
    scores = [score for run in runs if (score := _validation_score(run, metric)) is not None]
    return {
        "figures": figures,
        "validation_score": statistics.fmean(scores) if scores else None,
        "parameters": runs[0]["parameters"],
        "seconds": statistics.fmean(run["seconds"] for run in runs),
        "tokens": statistics.fmean(run["tokens"] for run in runs),
        "pretraining_seconds": pretraining["seconds"] if pretraining else 0.0,
        "pretraining_tokens": pretraining["tokens"] if pretraining else 0,
    }


def _mean_and_spread(values: list[float]) -> dict:
    """Mean, sample standard deviation (None for one value) and the values."""
    spread = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "standard_deviation": spread, "values": values}


def _markdown(comparison: dict, reports: dict[str, list[dict]]) -> str:
    candidates, split = comparison["candidates"], comparison["judged_on"]
    lines = ["# Comparison", "", _verdict(comparison), "", f"Figures on the {split} split, {_seeds(comparison)}.", ""]
    headings = [
        "candidate",
        *_FIGURES.values(),
        "parameters",
        "seconds",
        "tokens",
        "pretraining s",
        "pretraining tokens",
    ]
    lines += ["| " + " | ".join(headings) + " |", "|---" * len(headings) + "|"]
    for name, summary in candidates.items():
        cells = [_with_spread(summary["figures"][key]) for key in _FIGURES]
        cells += [f"{summary['parameters']:,}", f"{summary['seconds']:.0f}", f"{summary['tokens']:,.0f}"]
        cells += [f"{summary['pretraining_seconds']:.0f}", f"{summary['pretraining_tokens']:,}"]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    lines += ["", "Seconds and tokens are those of one training; padding counts as tokens, since it is computed.", ""]
    lines += ["![Validation curves and figures](comparison.png)", "", "## Data", "", *_data_table(comparison["data"])]
    for name, runs in reports.items():
        if runs[0][split]:
            lines += ["", f"## {name}: by class ({split}, seed {runs[0]['seed']})", "", *_class_table(runs[0][split])]
    return "\n".join(lines) + "\n"


def _verdict(comparison: dict) -> str:
    """One sentence: who is ahead in accuracy, by how much, and whether the spreads leave room for doubt."""
    figures = {name: c["figures"]["accuracy"] for name, c in comparison["candidates"].items()}
    ranked = sorted((name for name in figures if figures[name]), key=lambda name: -figures[name]["mean"])
    if len(ranked) < 2:
        return "One candidate: there is nothing to compare it with."
    first, second = (figures[name] for name in ranked[:2])
    gap = first["mean"] - second["mean"]
    sentence = f"**{ranked[0]}** is ahead of **{ranked[1]}** by {100 * gap:.1f} points of accuracy"
    if first["standard_deviation"] is None:
        return sentence + "; with one seed this says little."
    clear = min(first["values"]) > max(second["values"])
    return sentence + (": every seed of the one beats every seed of the other." if clear else "; the seeds overlap.")


def _seeds(comparison: dict) -> str:
    count = len(comparison["seeds"])
    return f"mean ± standard deviation over {count} seeds" if count > 1 else "one seed"


def _with_spread(figure: dict | None) -> str:
    if figure is None:
        return "–"
    spread = figure["standard_deviation"]
    return f"{figure['mean']:.3f}" + (f" ± {spread:.3f}" if spread is not None else "")


def _data_table(data: dict) -> list[str]:
    splits = {name: data[name] for name in ("train", "validation", "test")}
    classes = list(splits["train"]["per_class"])
    headings = " | ".join(_cell(label) for label in classes)
    lines = [f"| split | groups | {headings} |", "|---" * (len(classes) + 2) + "|"]
    for name, counts in splits.items():
        cells = [str(counts["per_class"][label]) for label in classes]
        lines.append(f"| {name} | {counts['groups']} | {' | '.join(cells)} |")
    dropped = {reason: count for reason, count in data["dropped"].items() if count}
    if dropped:
        lines += ["", "Left out: " + ", ".join(f"{count:,} {reason}" for reason, count in dropped.items()) + "."]
    return lines


def _class_table(figures: dict) -> list[str]:
    lines = ["| class | precision | recall | F1 | examples |", "|---|---|---|---|---|"]
    for name, row in figures["per_class"].items():
        cells = [f"{row[key]:.3f}" for key in ("precision", "recall", "f1")]
        lines.append(f"| {_cell(name)} | {' | '.join(cells)} | {row['examples']} |")
    return lines


def _cell(text: str) -> str:
    """Text that cannot break a Markdown table."""
    return text.replace("|", r"\|").replace("\n", " ")


def _plot(path: Path, reports: dict[str, list[dict]], candidates: dict[str, dict], split: str) -> None:
    """Left the validation accuracy by epoch with every seed, right the mean figure with its spread."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (curves, bars) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for index, (name, runs) in enumerate(reports.items()):
        for run in runs:
            values = [entry.get("val_accuracy") for entry in run["history"]]
            label = name if run is runs[0] else None
            curves.plot(range(1, len(values) + 1), values, color=f"C{index}", alpha=0.7, label=label)
        accuracy = candidates[name]["figures"]["accuracy"]
        if accuracy:
            bars.bar(index, accuracy["mean"], yerr=accuracy["standard_deviation"], color=f"C{index}", capsize=6)
    curves.set(xlabel="epoch", ylabel="validation accuracy", title="Validation accuracy, every seed")
    curves.legend()
    bars.set(ylabel="accuracy", title=f"Accuracy on {split}, mean and standard deviation", ylim=(0, 1))
    bars.set_xticks(range(len(reports)), list(reports))
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
