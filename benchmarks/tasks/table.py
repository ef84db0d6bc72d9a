"""From results to the table: mean, spread and minutes of every contender, and who is ahead."""

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.statistics import median_ratio
from benchmarks.tasks.sets import METRICS, Recipe, TaskSet

FORMAT_VERSION = 1
_START_TITLES = {"checkpoint": "from the checkpoint", "scratch": "from scratch"}


def summary(task_set: TaskSet, start: str, counts: dict[str, int], recipe: Recipe, results: dict[str, dict]) -> dict:
    """One set from one start as plain values.

    Args:
        task_set: which.
        start: "checkpoint" or "scratch".
        counts: examples by part.
        recipe: of the training.
        results: by contender's name, by seed; see `benchmarks.tasks.runs.result_of`.
    """
    rows = [_row(name, by_seed, METRICS[task_set.kind]) for name, by_seed in results.items()]
    own = next((row for row in rows if row["name"] == "tfplm" and row["seeds"]), None)
    for row in rows:
        row["verdict"] = _verdict(own, row) if own and row["seeds"] and row is not own else None
    described = {name: getattr(recipe, name) for name in recipe.__dataclass_fields__}
    return {"title": task_set.title, "start": start, "counts": counts, "recipe": described, "rows": rows}


def _row(name: str, by_seed: dict[int, dict], metrics: tuple[str, ...]) -> dict[str, Any]:
    done = {seed: result for seed, result in by_seed.items() if "figures" in result}
    problems = [result["problem"] for result in by_seed.values() if "problem" in result]
    return {
        "name": name,
        "problem": problems[0] if problems else None,
        "seeds": list(done),
        "figures": {metric: _spread([result["figures"][metric] for result in done.values()]) for metric in metrics},
        "training_seconds": _spread([result["training_seconds"] for result in done.values()]),
        "command_seconds": _spread([result["command_seconds"] for result in done.values()]),
        "training": [result["training"] for result in done.values()],
    }


def _spread(values: list[float]) -> dict[str, Any]:
    return {
        "mean": statistics.fmean(values) if values else None,
        "standard_deviation": statistics.stdev(values) if len(values) > 1 else None,
        "values": values,
    }


def _verdict(own: dict, peer: dict) -> dict[str, Any]:
    """Points that tfplm is ahead of the peer, whether the seeds overlap, and how many times as fast it trains."""
    metric = next(iter(own["figures"]))
    ours, theirs = own["figures"][metric], peer["figures"][metric]
    overlap = max(min(ours["values"]), min(theirs["values"])) <= min(max(ours["values"]), max(theirs["values"]))
    pairs = [
        (mine, yours)
        for seed, mine in zip(own["seeds"], own["training_seconds"]["values"], strict=True)
        for other, yours in zip(peer["seeds"], peer["training_seconds"]["values"], strict=True)
        if seed == other
    ]
    return {
        "points_ahead": 100 * (ours["mean"] - theirs["mean"]),
        "seeds_overlap": overlap if len(own["seeds"]) > 1 and len(peer["seeds"]) > 1 else None,
        "times_as_fast": median_ratio(*zip(*[(yours, mine) for mine, yours in pairs], strict=True)) if pairs else None,
    }


def write(results: dict, folder: Path) -> None:
    """Writes ``results.json`` with everything, and ``results.md`` for people."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "results.md").write_text(markdown(results), encoding="utf-8")


def markdown(results: dict) -> str:
    """The table, headed by command, machine, versions and date."""
    machine, settings = results["machine"], results["settings"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    seeds = ", ".join(map(str, settings["seeds"]))
    lines = [
        f"`{results['command']}` on {machine['date']}, commit {machine['commit'] or 'unknown'}.",
        f"{machine['cpu']}; {settings['threads']} of {machine['cores']} cores, {machine['memory_gib']} GiB; "
        f"{machine['system']}, Python {machine['python']}. {packages}.",
        f"Mean ± standard deviation over the seeds {seeds}. Minutes are means: of the training, from raw text to "
        "weights on disk, and of the whole command with its start; without evaluation.",
        "",
        "| set | start | | " + "figure | training | command | tfplm ahead | tfplm as fast |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    return "\n".join([*lines, *(line for entry in results["sets"] for line in _rows(entry))]) + "\n"


def _rows(entry: dict) -> Iterator[str]:
    for row in entry["rows"]:
        cells = [entry["title"], _START_TITLES[entry["start"]], row["name"]]
        if row["seeds"]:
            metric, figure = next(iter(row["figures"].items()))
            cells += [
                f"{metric} {_percent(figure)}",
                _minutes(row["training_seconds"]),
                _minutes(row["command_seconds"]),
            ]
            cells += _verdict_cells(row["verdict"])
        else:
            cells += [(row["problem"] or "").replace("|", r"\|"), "", "", "", ""]
        yield f"| {' | '.join(cells)} |"


def _percent(figure: dict) -> str:
    spread = figure["standard_deviation"]
    return f"{100 * figure['mean']:.1f}" + (f" ± {100 * spread:.1f}" if spread is not None else "")


def _minutes(seconds: dict) -> str:
    return f"{seconds['mean'] / 60:.1f} min"


def _verdict_cells(verdict: dict | None) -> list[str]:
    if verdict is None:
        return ["", ""]
    doubt = {True: ", seeds overlap", False: "", None: ", one seed"}[verdict["seeds_overlap"]]
    speed = verdict["times_as_fast"]
    return [f"{verdict['points_ahead']:+.1f}{doubt}", "" if speed is None else f"{speed:.2f} ×"]
