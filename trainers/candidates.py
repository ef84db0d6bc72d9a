"""What every comparison of candidates has: their costs, their spread over the seeds, who is ahead, and a plot."""

import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfplm.run_directory import FORMAT_VERSION, write_text

COST_HEADINGS = ["parameters", "seconds", "tokens", "pretraining s", "pretraining tokens"]
COST_NOTE = "Seconds and tokens are those of one training; padding counts as tokens, since it is computed."


def summarize(runs: list[dict], pretraining: dict | None, validation_metric: str) -> dict:
    """What a candidate cost and how it did on validation, from the reports of its seeds and of its pretraining."""
    scores = [score for run in runs if (score := validation_score(run, validation_metric)) is not None]
    return {
        "validation_score": statistics.fmean(scores) if scores else None,
        "parameters": runs[0]["parameters"],
        "seconds": statistics.fmean(run["seconds"] for run in runs),
        "tokens": statistics.fmean(run["tokens"] for run in runs),
        "pretraining_seconds": pretraining.get("seconds", 0.0) if pretraining else 0.0,
        "pretraining_tokens": pretraining.get("tokens", 0) if pretraining else 0,
    }


def validation_score(report: dict, metric: str) -> float | None:
    """The figure by which runs are ranked, more being better.

    The loss of text is counted in bits a byte: losses a token do not compare where the vocabularies differ.
    """
    figures = report["validation"]
    if figures is None:
        return None
    if metric == "loss":
        known = next((figures[key] for key in ("bits_per_byte", "loss") if key in figures), None)
        return -(min(entry["val_loss"] for entry in report["history"]) if known is None else known)
    return figures[metric]


def best_candidate(candidates: dict[str, dict]) -> str:
    """The candidate with the best mean validation figure; the test figures have no say."""
    scored = {name: summary["validation_score"] for name, summary in candidates.items()}
    known = {name: score for name, score in scored.items() if score is not None}
    return max(known, key=known.get) if known else next(iter(candidates))


def best_seed(reports: list[dict], metric: str) -> int:
    """The seed of the run with the best validation figure; the first where there is no validation."""
    scored = {report["seed"]: validation_score(report, metric) for report in reports}
    return max(scored, key=lambda seed: float("-inf") if scored[seed] is None else scored[seed])


def mean_and_spread(values: list[float]) -> dict:
    """Mean, sample standard deviation (None for one value) and the values."""
    spread = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "standard_deviation": spread, "values": values}


def verdict(figures: dict[str, dict | None], name: str, scale: float = 1.0) -> str:
    """One sentence: who is ahead, by how many points, and whether the spreads leave room for doubt.

    Args:
        figures: of every candidate, from ``mean_and_spread``; more is better.
        name: of the figure.
        scale: points of one.
    """
    ranked = sorted((candidate for candidate in figures if figures[candidate]), key=lambda c: -figures[c]["mean"])
    if len(ranked) < 2:
        return "One candidate: there is nothing to compare it with."
    first, second = (figures[candidate] for candidate in ranked[:2])
    points = scale * (first["mean"] - second["mean"])
    sentence = f"**{ranked[0]}** is ahead of **{ranked[1]}** by {points:.1f} points of {name}"
    if first["standard_deviation"] is None:
        return sentence + "; with one seed this says little."
    clear = min(first["values"]) > max(second["values"])
    return sentence + (": every seed of the one beats every seed of the other." if clear else "; the seeds overlap.")


def seeds_in_words(seeds: list[int]) -> str:
    return f"mean ± standard deviation over {len(seeds)} seeds" if len(seeds) > 1 else "one seed"


def with_spread(figure: dict | None, digits: int = 3) -> str:
    if figure is None:
        return "–"
    spread = figure["standard_deviation"]
    return f"{figure['mean']:.{digits}f}" + (f" ± {spread:.{digits}f}" if spread is not None else "")


def cost_cells(summary: dict) -> list[str]:
    """Under COST_HEADINGS."""
    return [
        f"{summary['parameters']:,}",
        f"{summary['seconds']:.0f}",
        f"{summary['tokens']:,.0f}",
        f"{summary['pretraining_seconds']:.0f}",
        f"{summary['pretraining_tokens']:,}",
    ]


def table(headings: list[str], rows: Iterable[list[Any]]) -> list[str]:
    """The lines of a Markdown table."""
    lines = ["| " + " | ".join(headings) + " |", "|---" * len(headings) + "|"]
    return [*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)]


def cell(text: str) -> str:
    """Text that cannot break a Markdown table."""
    return text.replace("|", r"\|").replace("\r", " ").replace("\n", " ")


def write_reports(output: Path, comparison: dict, markdown: str) -> dict:
    """Writes ``report.json`` and ``report.md``; returns what the former holds."""
    comparison = {"format_version": FORMAT_VERSION, "stage": "comparison", **comparison}
    write_text(output / "report.json", json.dumps(comparison, indent=2, ensure_ascii=False) + "\n")
    write_text(output / "report.md", markdown)
    return comparison


def plot_candidates(
    path: Path,
    reports: dict[str, list[dict]],
    figures: dict[str, dict | None],
    curve: tuple[str, str],
    figure_name: str,
    split: str,
    largest: float,
) -> None:
    """Left a validation curve by epoch with every seed, right the mean figure with its spread.

    Args:
        path: of the picture.
        reports: for every candidate the report of each seed.
        figures: of every candidate, from ``mean_and_spread``.
        curve: the figure of the history that is drawn, and its name.
        figure_name: of ``figures``.
        split: that they are measured on.
        largest: that the figure can be.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    picture, (curves, bars) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for index, (name, runs) in enumerate(reports.items()):
        for run in runs:
            values = [entry.get(curve[0]) for entry in run["history"]]
            label = name if run is runs[0] else None
            curves.plot(range(1, len(values) + 1), values, color=f"C{index}", alpha=0.7, label=label)
        if figure := figures[name]:
            bars.bar(index, figure["mean"], yerr=figure["standard_deviation"], color=f"C{index}", capsize=6)
    title = curve[1][:1].upper() + curve[1][1:]
    curves.set(xlabel="epoch", ylabel=curve[1], title=f"{title}, every seed")
    curves.legend()
    title = figure_name[:1].upper() + figure_name[1:]
    bars.set(ylabel=figure_name, title=f"{title} on {split}, mean and standard deviation", ylim=(0, largest))
    bars.set_xticks(range(len(reports)), list(reports))
    picture.savefig(path, dpi=120)
    pyplot.close(picture)
