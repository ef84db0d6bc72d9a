"""The report that compares models that write: report.json, report.md with examples, and a plot of the curves."""

import json
from pathlib import Path

from tfplm.finetuning_configuration import GenerationFinetuneConfig
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
from trainers.generation_evaluation import mean_over_tasks

FIGURES = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "rouge_1": "ROUGE-1",
    "rouge_2": "ROUGE-2",
    "rouge_l": "ROUGE-L",
    "exact_match": "exact %",
    "length_ratio": "length ratio",
}
TEXT_FIGURES = {
    "perplexity": "perplexity",
    "bits_per_byte": "bits a byte",
    "token_accuracy": "token accuracy",
}
OUTPUTS_FILE = "outputs.jsonl"
_NUM_EXAMPLES = 8  # of each task, in the report
_LONGEST_CELL = 300  # characters


def write_generation_comparison(
    output: Path,
    config: GenerationFinetuneConfig,
    reports: dict[str, list[dict]],
    pretraining: dict[str, dict],
    runs: dict[str, Path],
) -> dict:
    """Writes ``report.json``, ``report.md`` and ``comparison.png`` into ``output``.

    Args:
        output: the experiment's folder.
        config: of the fine-tuning.
        reports: for every candidate the report of each seed.
        pretraining: the report of the pretraining of those candidates that stand on one.
        runs: for every candidate the folder of its runs, which have the outputs.

    Returns:
        What report.json holds.
    """
    first = next(iter(reports.values()))[0]
    split = first["judged_on"]
    candidates = {
        name: summarize(of_seeds, pretraining.get(name), config.validation_metric)
        | {"tasks": _task_figures(of_seeds, split), "figures": _text_figures(of_seeds, split)}
        for name, of_seeds in reports.items()
    }
    best = best_candidate(candidates)
    comparison = {
        "judged_on": split,
        "seeds": list(config.seeds),
        "metric": config.metric,
        "generation": config.generation.model_dump(mode="json"),
        "data": first["data"],
        "candidates": candidates,
        "baselines": first["baselines"],
        "best": best,
        "best_seed": best_seed(reports[best], config.validation_metric),
        "versions": first["versions"],
    }
    means = {
        name: mean_and_spread([mean_over_tasks(run[split]["tasks"], config.metric) for run in of_seeds])
        for name, of_seeds in reports.items()
    }
    plot_candidates(
        output / "comparison.png", reports, means, ("val_loss", "validation loss"), FIGURES[config.metric], split, 100.0
    )
    seeds = {name: best_seed(of_seeds, config.validation_metric) for name, of_seeds in reports.items()}
    outputs = {name: _read_outputs(runs[name] / f"seed-{seed}") for name, seed in seeds.items()}
    return write_reports(output, comparison, _markdown(comparison, means, outputs))


def _task_figures(runs: list[dict], split: str) -> dict[str, dict]:
    names = [*FIGURES, "num_cut"]
    return {
        task: {name: mean_and_spread([run[split]["tasks"][task][name] for run in runs]) for name in names}
        | {key: figures[key] for key in ("examples", "bleu_signature", "chrf_signature")}
        for task, figures in runs[0][split]["tasks"].items()
    }


def _text_figures(runs: list[dict], split: str) -> dict[str, dict]:
    known = [name for name in TEXT_FIGURES if all(name in run[split] for run in runs)]
    return {name: mean_and_spread([run[split][name] for run in runs]) for name in known}


def _markdown(comparison: dict, means: dict[str, dict], outputs: dict[str, list[dict]]) -> str:
    split, metric = comparison["judged_on"], FIGURES[comparison["metric"]]
    lines = ["# Comparison", "", verdict(means, metric), ""]
    lines += [f"Figures on the {split} split, {seeds_in_words(comparison['seeds'])}.", ""]
    for task in comparison["baselines"]:
        lines += [f"## {task}", "", *_task_table(comparison, task), "", *_how_counted(comparison, task), ""]
    lines += ["## Training", "", *_training_table(comparison), "", COST_NOTE, ""]
    lines += ["![Validation curves and figures](comparison.png)", "", "## Data", "", *_data_table(comparison["data"])]
    for task in comparison["baselines"]:
        lines += ["", f"## Examples: {task}", "", *examples_table(task, outputs)]
    return "\n".join(lines) + "\n"


def _task_table(comparison: dict, task: str) -> list[str]:
    rows = []
    for name, summary in comparison["candidates"].items():
        figures = summary["tasks"][task]
        cut = f"{figures['num_cut']['mean']:g} of {figures['examples']}"
        rows.append([name, *(with_spread(figures[key], 1 if key != "length_ratio" else 2) for key in FIGURES), cut])
    for name, figures in comparison["baselines"][task].items():
        cells = [f"{figures[key]:.{1 if key != 'length_ratio' else 2}f}" for key in FIGURES]
        rows.append([f"*{name}*", *cells, "–"])
    return table(["candidate", *FIGURES.values(), "cut"], rows)


def _how_counted(comparison: dict, task: str) -> list[str]:
    figures = next(iter(comparison["candidates"].values()))["tasks"][task]
    limit = comparison["generation"]["max_new_tokens"]
    return [
        f"BLEU {figures['bleu_signature']}; chrF {figures['chrf_signature']}; ROUGE is the mean F1, of characters in "
        "a script without spaces. The length ratio is the outputs' characters over the references'; cut are outputs "
        f"that ended only because they had {limit} tokens."
    ]


def _training_table(comparison: dict) -> list[str]:
    rows = [
        [name, *(with_spread(summary["figures"].get(key)) for key in TEXT_FIGURES), *cost_cells(summary)]
        for name, summary in comparison["candidates"].items()
    ]
    return table(["candidate", *TEXT_FIGURES.values(), *COST_HEADINGS], rows)


def _data_table(data: dict) -> list[str]:
    rows, notes = [], []
    for task, figures in data["tasks"].items():
        counts = [f"{figures[split]['examples']:,}" for split in ("train", "validation", "test")]
        rows.append([task, *counts])
        dropped = {reason.replace("_", " "): count for reason, count in figures["dropped"].items() if count}
        if dropped:
            notes += ["", f"{task}: left out " + ", ".join(f"{n:,} {reason}" for reason, n in dropped.items()) + "."]
    warnings = [line for warning in data["warnings"] for line in ("", f"Warning: {warning}")]
    return [*table(["task", "train", "validation", "test"], rows), *notes, *warnings]


def examples_table(task: str, outputs: dict[str, list[dict]]) -> list[str]:
    """Sources, references, and what each candidate wrote, as lines of Markdown.

    Args:
        task: of the examples.
        outputs: by candidate the records of its answers, in the same order for every candidate.
    """
    of_task = {name: [r for r in records if r["task"] == task][:_NUM_EXAMPLES] for name, records in outputs.items()}
    first = next(iter(of_task.values()))
    rows = [
        [
            _shown(record["source"]),
            _shown(record["reference"]),
            *(_shown(own[place]["output"]) for own in of_task.values()),
        ]
        for place, record in enumerate(first)
    ]
    return table(["source", "reference", *map(cell, of_task)], rows)


def _shown(text: str) -> str:
    return cell(text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…")


def _read_outputs(run: Path) -> list[dict]:
    with (run / OUTPUTS_FILE).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
