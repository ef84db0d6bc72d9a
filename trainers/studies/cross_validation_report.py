"""The report of a cross-validation: figures over the folds, pooled ones, and who is better."""

import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from trainers.candidates import mean_and_spread, table, with_spread, write_reports
from trainers.studies.figures import (
    Measure,
    all_figures,
    mean_figure,
    num_examples,
    shown_figures,
    undefined_in_words,
)
from trainers.studies.paired_test import PairedTest, corrected_t_test, holm
from trainers.studies.points import Reports

_TEST = "test"
_SURE = 0.05
_MEANS = ("accuracy", "loss")  # over the tokens where the figures count these, else over the examples

ByFold = dict[str, list[float | None]]  # by candidate the figure of every fold; None where it is not defined


def write_cross_validation(folder: Path, folds: list[Reports], metric: str) -> dict:
    """Writes report.json, report.md and cross_validation.png.

    Args:
        folder: of the study.
        folds: of each fold the reports of every candidate and seed.
        metric: that the experiment goes by.

    Returns:
        What report.json holds: of every candidate under ``figures`` mean and spread over the folds, each fold's value
        being the mean over the seeds, and under ``pooled`` the figures of all tests together, with their spread over
        the seeds. What is not defined is left out of the means. ``best`` is None where the metric is defined nowhere,
        and a comparison where no fold has both figures.
    """
    measure = Measure.of([run for fold in folds for runs in fold.values() for run in runs], metric)
    by_fold = {name: [mean_figure(fold[name], measure, _TEST) for fold in folds] for name in folds[0]}
    best = best_over_folds(by_fold, measure)
    tests = _compare(folds, by_fold, best, measure) if best is not None else {}
    undefined = undefined_in_words({name: [run for fold in folds for run in fold[name]] for name in by_fold}, measure)
    first = next(iter(folds[0].values()))
    report = {
        "stage": "cross_validation",
        "measure": measure.name,
        "folds": len(folds),
        "seeds": [run["seed"] for run in first],
        "examples": [num_examples(next(iter(fold.values()))[0][_TEST]) for fold in folds],
        "candidates": {
            name: {
                "figures": _over_folds([fold[name] for fold in folds]),
                "validation": _over_folds([fold[name] for fold in folds], "validation"),
                "pooled": pooled_figures([fold[name] for fold in folds]),
                "seconds": sum(run["seconds"] for fold in folds for run in fold[name]),
            }
            for name in folds[0]
        },
        "best": best,
        "comparisons": {name: vars(test) if test is not None else None for name, test in tests.items()},
        "versions": first[0]["versions"],
    }
    _plot(folder / "cross_validation.png", by_fold, measure)
    sentences = [*in_words(best, tests, measure), *undefined]
    return write_reports(folder, report, "\n".join(_markdown(report, by_fold, sentences, measure)) + "\n")


def _over_folds(reports: list[list[dict]], split: str = _TEST) -> dict[str, dict]:
    """Mean and spread of every figure over the folds that have it, each fold's being the mean over its seeds."""
    of_folds = [all_figures(of_seeds, split) for of_seeds in reports]
    names = dict.fromkeys(name for fold in of_folds for name in fold)
    return {name: mean_and_spread([fold[name]["mean"] for fold in of_folds if name in fold]) for name in names}


def pooled_figures(reports: list[list[dict]]) -> dict[str, dict]:
    """The figures of the tests of all folds together, with mean and spread over the seeds.

    What is a mean over the examples, or over the words of tagged texts, is weighted by their number, and F1 comes of
    the summed confusion matrices: the mean of the folds' F1 is another figure, and a biased one. Figures that rank,
    such as AUC, are not pooled, since the folds' models need not agree in scale.

    Source: Forman and Scholz 2010, "Apples-to-Apples in Cross-Validation Studies".
    """
    of_seeds = [_pooled([of_fold[_TEST] for of_fold in runs]) for runs in zip(*reports, strict=True)]
    return {name: mean_and_spread([figures[name] for figures in of_seeds]) for name in of_seeds[0]}


def _pooled(tests: list[dict]) -> dict[str, float]:
    counts = [test.get("tokens", num_examples(test)) for test in tests]
    if not all(counts):
        return {}
    pooled = {
        name: float(np.average([test[name] for test in tests], weights=counts))
        for name in _MEANS
        if all(isinstance(test.get(name), float) for test in tests)
    }
    if all(test.get("confusion_matrix") for test in tests):
        pooled["macro_f1"] = _macro_f1(np.sum([test["confusion_matrix"] for test in tests], axis=0))
    return pooled


def _macro_f1(confusion: np.ndarray) -> float:
    """Of a confusion matrix (classes, classes), or of one 2 × 2 a class (classes, 2, 2); 0 where there is nothing."""
    if confusion.ndim == 3:
        hits, wrong = confusion[:, 1, 1], confusion[:, 0, 1] + confusion[:, 1, 0]
    else:
        hits = np.diagonal(confusion)
        wrong = confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * hits
    return float(np.mean(2 * hits / np.maximum(2 * hits + wrong, 1)))


def best_over_folds(by_fold: ByFold, measure: Measure) -> str | None:
    """The candidate with the best mean over the folds; None where the figure is defined nowhere.

    Where some fold is without the figure of a candidate, those count that have it of all candidates, if there are any.
    """
    known = {name: values for name, values in by_fold.items() if _defined(values)}
    whole = [values for values in zip(*known.values(), strict=True) if None not in values]
    counted = dict(zip(known, zip(*whole, strict=True), strict=True)) if whole else known
    means = {name: statistics.fmean(_defined(values)) for name, values in counted.items()}
    return max(means, key=lambda name: measure.gain(0.0, means[name]), default=None)


def _defined(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _compare(folds: list[Reports], by_fold: ByFold, best: str, measure: Measure) -> dict[str, PairedTest | None]:
    """The best candidate beside each of the others, in the folds that have both figures; None where there is none.

    The p values are adjusted where they are several.
    """
    first = [next(iter(fold.values()))[0] for fold in folds]
    test_per_train = statistics.fmean(_test_per_train(run, len(folds)) for run in first)
    gains = {
        name: [
            measure.gain(b, a) for a, b in zip(by_fold[best], values, strict=True) if a is not None and b is not None
        ]
        for name, values in by_fold.items()
        if name != best
    }
    tests = {name: corrected_t_test(of_folds, test_per_train) if of_folds else None for name, of_folds in gains.items()}
    known = {name: test for name, test in tests.items() if test is not None}
    adjusted = holm({name: test.p_value for name, test in known.items() if test.p_value is not None})
    return tests | {name: replace(test, p_value=adjusted.get(name)) for name, test in known.items()}


def _test_per_train(run: dict, num_folds: int) -> float:
    """Test examples over training examples, from the report of the data; where that has none, as the folds say."""
    train = run.get("data", {}).get("train", {}).get("examples")
    return num_examples(run[_TEST]) / train if train else 1.0 / (num_folds - 1)


def _markdown(report: dict, by_fold: ByFold, sentences: Sequence[str], measure: Measure) -> list[str]:
    candidates, seeds = report["candidates"], len(report["seeds"])
    shown = shown_figures(dict.fromkeys(key for of in candidates.values() for key in of["figures"]), measure.name)
    headings = [key.replace("_", " ") for key in shown]
    rows = [[name, *(with_spread(of["figures"].get(key)) for key in shown)] for name, of in candidates.items()]
    pooled = [key for key in shown if all(key in of["pooled"] for of in candidates.values())]
    lines = ["# Cross-validation", ""]
    lines += [f"- {sentence}" for sentence in sentences]
    lines += ["", _what_is_shown(report)]
    lines += ["", *table(["candidate", *headings], rows), "", "![Figures of every fold](cross_validation.png)"]
    if pooled:
        rows = [[name, *(with_spread(of["pooled"][key]) for key in pooled)] for name, of in candidates.items()]
        lines += ["", "The tests of all folds together" + (", ± over the seeds:" if seeds > 1 else ":"), ""]
        lines += table(["candidate", *(key.replace("_", " ") for key in pooled)], rows)
    rows = [[fold, *map(_cell, values)] for fold, values in enumerate(zip(*by_fold.values(), strict=True))]
    return [*lines, "", f"## {measure.in_words} by fold", "", *table(["fold", *by_fold], rows)]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _what_is_shown(report: dict) -> str:
    examples, seeds = sum(report["examples"]), len(report["seeds"])
    of_examples = f", {examples:,} test examples in all" if examples else ""
    of_seeds = f"; each fold is the mean of {seeds} seeds" if seeds > 1 else ""
    return f"Mean ± standard deviation over {report['folds']} folds{of_examples}{of_seeds}."


def in_words(best: str | None, tests: dict[str, PairedTest | None], measure: Measure) -> list[str]:
    """Sentences: by how much the best candidate is ahead of each other one, and whether that may be chance.

    Args:
        best: the candidate; None where none has the figure.
        tests: by each other candidate; None where no fold has both figures.
        measure: the figure.
    """
    if best is None:
        return [f"There is nothing to compare: no fold has the figure {measure.in_words}."]
    if not tests:
        return ["One candidate: there is nothing to compare it with."]
    num_tests = sum(test is not None for test in tests.values())
    return [_ahead(best, name, test, measure, num_tests) for name, test in tests.items()]


def _ahead(best: str, other: str, test: PairedTest | None, measure: Measure, num_tests: int) -> str:
    if test is None:
        return f"**{best}** is not compared with **{other}**: no fold has the {measure.in_words} of both."
    return (
        f"**{best}** is ahead of **{other}** by {measure.points(test.mean)}, in {test.num_ahead} of {test.num_folds} "
        f"folds; {_chance(test, num_tests)}"
    )


def _chance(test: PairedTest, num_tests: int) -> str:
    if test.p_value is None and test.num_folds == 1:
        return "of one fold no test can be made."
    if test.p_value is None:
        return "every fold differs by the same, of which no test can be made."
    name = "corrected resampled t test, Nadeau and Bengio 2003" + (", Holm's correction" if num_tests > 1 else "")
    p_value = "p < 0.001" if test.p_value < 0.001 else f"p = {test.p_value:.3f}"
    verdict = "more than chance" if test.p_value < _SURE else "it may be chance"
    return f"{verdict} ({p_value}; {name})."


def _plot(path: Path, by_fold: ByFold, measure: Measure) -> None:
    """Every fold as a line over the candidates, and their means."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    picture, axes = pyplot.subplots(figsize=(2.5 + 1.5 * len(by_fold), 4), layout="constrained")
    places = range(len(by_fold))
    for values in zip(*by_fold.values(), strict=True):
        axes.plot(places, np.array(values, float), "o-", color="0.6", markersize=4, linewidth=0.8)  # None becomes NaN
    for place, values in enumerate(map(_defined, by_fold.values())):
        if not values:
            continue
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        axes.errorbar(place, statistics.fmean(values), yerr=spread, fmt="D", color=f"C{place}", capsize=6, zorder=3)
    axes.set(ylabel=measure.in_words, title="Every fold; mean and spread", xlim=(-0.5, len(by_fold) - 0.5))
    axes.set_xticks(places, list(by_fold))
    axes.grid(axis="y", alpha=0.3)
    picture.savefig(path, dpi=120)
    pyplot.close(picture)
