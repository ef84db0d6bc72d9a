"""The report of a search: its trials, which settings mattered, and a picture."""

from pathlib import Path
from typing import Any

from tfplm.search_configuration import ChoicesConfig
from tfplm.search_space import Parameter, Search
from trainers.candidates import cell, table, write_reports
from trainers.studies.trials import Trial, Trials

_MOST_PICTURES = 6  # parameters that are drawn


def write_search(folder: Path, search: Search, trials: Trials, best: Trial) -> dict:
    """Writes report.json, report.md and search.png.

    Args:
        folder: of the search.
        search: what was searched.
        trials: that were done.
        best: of them.

    Returns:
        What report.json holds.
    """
    finished, importances = trials.finished, trials.importances()
    report = {
        "stage": "search",
        "candidate": search.candidate,
        "measure": search.whole.finetune.validation_metric,
        "seeds": list(search.whole.finetune.seeds),
        "best": best.number,
        "own_values": 0 if trials.has_own_values else None,
        "importances": importances,
        "trials": [vars(trial) for trial in finished],
    }
    _plot(folder / "search.png", search.parameters, finished, report["measure"])
    return write_reports(folder, report, "\n".join(_markdown(report, search, finished, best)) + "\n")


def _markdown(report: dict, search: Search, finished: list[Trial], best: Trial) -> list[str]:
    measure, names = report["measure"], [parameter.name for parameter in search.parameters]
    lines = ["# Search", "", f"- {_verdict(report, finished, best)}"]
    lines += [f"- {_remark(measure)}", "", "![Score of every trial](search.png)", ""]
    if report["importances"]:
        rows = [[name, f"{share:.0%}"] for name, share in report["importances"].items()]
        lines += ["What each setting explains of the differences between the trials (fANOVA):", ""]
        lines += [*table(["setting", "share"], rows), ""]
    ranked = sorted(finished, key=lambda trial: (trial.score is None, -(trial.score or 0.0)))
    rows = [[trial.number, _score(trial), *(_shown(trial.values[name]) for name in names)] for trial in ranked]
    lines += ["## Trials", "", *table(["trial", f"validation {measure}", *names], rows)]
    failed = [trial for trial in finished if trial.score is None]
    return [*lines, *(line for trial in failed for line in ("", f"Trial {trial.number} failed: {trial.failure}"))]


def _verdict(report: dict, finished: list[Trial], best: Trial) -> str:
    measure = report["measure"]
    sentence = f"**Trial {best.number}** is the best of {len(finished)}: {measure} {abs(best.score):.4g} on validation"
    own = next((t for t in finished if t.number == report["own_values"]), None)
    if own is None:
        return f"{sentence}; best.yaml has its settings."
    if own.score is None:
        return f"{sentence}; the file's own settings failed. best.yaml has the best ones."
    if own.number == best.number:
        return f"{sentence}. Those are the file's own settings: the search found none better."
    own_score = f"{abs(own.score):.4g}"
    return f"{sentence}, where the file's own settings (trial {own.number}) have {own_score}; best.yaml has the best."


def _remark(measure: str) -> str:
    return (
        f"The best {measure} of many trials on the same validation data is too good: what it is worth the test says, "
        "which had no say here: `tfplm run` with best.yaml gives it."
    )


def _score(trial: Trial) -> str:
    return "failed" if trial.score is None else f"{abs(trial.score):.4f}"


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else cell(str(value))


def _plot(path: Path, parameters: list[Parameter], finished: list[Trial], measure: str) -> None:
    """The score of every trial in its order, and by the value of each parameter."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown, scored = parameters[:_MOST_PICTURES], [trial for trial in finished if trial.score is not None]
    scores = [abs(trial.score) for trial in scored]
    width = 1 + len(shown)
    picture, axes = pyplot.subplots(1, width, figsize=(3.2 * width, 3.2), sharey=True, layout="constrained")
    axes[0].plot([trial.number for trial in scored], scores, ".")
    axes[0].set(xlabel="trial", ylabel=f"validation {measure}")
    for axis, parameter in zip(axes[1:], shown, strict=True):
        values = [trial.values[parameter.name] for trial in scored]
        if isinstance(parameter.values, ChoicesConfig):
            choices = parameter.values.choices
            axis.set_xticks(range(len(choices)), [_shown(choice)[:12] for choice in choices])
            axis.plot([choices.index(value) for value in values], scores, ".")
        else:
            axis.plot(values, scores, ".")
            axis.set(xscale="log" if parameter.values.log else "linear")
        axis.set(xlabel=parameter.name.rpartition(".")[2])
    picture.savefig(path, dpi=120)
    pyplot.close(picture)
