"""What a run leaves: ``results.json`` with everything, ``results.md`` for people."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from benchmarks.statistics import Row, figures
from benchmarks.subjects import Subject

FORMAT_VERSION = 1


def subject_results(name: str, subject: Subject, groups: Mapping[str, list[Row]]) -> dict:
    """The results of a subject as plain values."""
    return {
        "name": name,
        "title": subject.title,
        "unit": subject.unit,
        "reference": subject.reference,
        "groups": [
            {"name": group, "rows": [_row(row, values) for row, values in zip(rows, figures(rows), strict=True)]}
            for group, rows in groups.items()
        ],
    }


def _row(row: Row, values: dict) -> dict:
    contender = asdict(row.contender)
    described = {key: contender[key] for key in ("name", "setting", "role", "options")}
    return described | {"problem": row.problem, **values, "rates": row.rates, "facts": row.facts}


def write(results: dict, folder: Path) -> None:
    """Writes both files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "results.md").write_text(markdown(results), encoding="utf-8")


def markdown(results: dict) -> str:
    """The tables, headed by command, machine, versions and date."""
    machine, settings = results["machine"], results["settings"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    lines = [
        f"`{results['command']}` on {machine['date']}, commit {machine['commit'] or 'unknown'}.",
        f"{machine['cpu']}; {machine['cores_used']} of {machine['cores']} cores, {machine['memory_gib']} GiB; "
        f"{machine['system']}, Python {machine['python']}. {packages}.",
        f"Median of {settings['rounds']} interleaved rounds of about {settings['seconds']:g} s; in brackets the lowest "
        "and the highest. Ratios are medians over the rounds.",
    ]
    for subject in results["subjects"]:
        lines += ["", f"### {subject['title']}", *_tables(subject)]
    return "\n".join(lines) + "\n"


def _tables(subject: dict) -> Iterator[str]:
    unit = f"{subject['unit']}/s" if subject["unit"] else "seconds"
    headings = ["", "", unit, "× best peer", *([subject["reference"]] if subject["reference"] else [])]
    for group in subject["groups"]:
        yield from ("", f"**{group['name']}**", "")
        yield f"| {' | '.join(headings)} |"
        yield "|---|---" + "|---:" * (len(headings) - 2) + "|"
        for row in group["rows"]:
            ratios = [_ratio(row["times_best_peer"])]
            ratios += [_ratio(row["times_reference"])] if subject["reference"] else []
            yield f"| {' | '.join([row['name'], row['setting'], _figure(row, bool(subject['unit'])), *ratios])} |"


def _figure(row: dict, is_rate: bool) -> str:
    """Median with the range; or, where seconds are shown, those of one repetition."""
    if row["problem"] is not None:
        return row["problem"].replace("|", r"\|")
    values = [row["median"], row["low"], row["high"]]
    if not is_rate:
        values = [1 / row["median"], 1 / row["high"], 1 / row["low"]]
    median, low, high = map(_number, values)
    return f"{median} ({low}–{high})"


def _number(value: float) -> str:
    """Three significant digits, thousands parted."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"
