"""The doctor's findings for a person: a table on a terminal, aligned lines elsewhere."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tfplm.progress import format_figure, format_rate
from trainers.doctor import COMPUTE_OPTIMAL_TOKENS, Diagnosis, StageEstimate

_UNKNOWN = "not known"
_STYLES = {"stop": "bold red", "warning": "yellow", "note": "cyan"}


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """Writes to standard output: with colors and frames where that is a terminal."""
    if sys.stdout.isatty():
        _print_table(diagnosis)
    else:
        print(plain_text(diagnosis))


def plain_text(diagnosis: Diagnosis) -> str:
    """The same without a terminal: lines of at most about 100 characters, but for long messages."""
    rows = [["", *(stage.name for stage in diagnosis.stages)], *_rows(diagnosis)] if diagnosis.stages else []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *_right(row[1:], widths[1:])]).rstrip() for row in rows]
    findings = [f"{finding.level}: {finding.message} {finding.remedy}".rstrip() for finding in diagnosis.findings]
    return "\n".join(
        [*_heading(diagnosis), "", *lines, "", *_caveats(diagnosis), *([""] if findings else []), *findings]
    )


def _print_table(diagnosis: Diagnosis) -> None:
    console = Console()
    for line in _heading(diagnosis):
        console.print(line, markup=False, highlight=False)
    if diagnosis.stages:
        table = Table("", *(Text(stage.name) for stage in diagnosis.stages))
        for column in table.columns[1:]:
            column.justify = "right"
        for row in _rows(diagnosis):
            table.add_row(*row)
        console.print(table)
    for line in _caveats(diagnosis):
        console.print(line, style="dim", markup=False, highlight=False)
    for finding in diagnosis.findings:
        text = Text(f"{finding.level}: ", style=_STYLES[finding.level])
        console.print(text.append(f"{finding.message} {finding.remedy}".rstrip(), style="default"))


def _right(cells: list[str], widths: list[int]) -> list[str]:
    return [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]


def _heading(diagnosis: Diagnosis) -> list[str]:
    machine, placement = diagnosis.machine, diagnosis.placement
    compiled = "compiled by XLA" if diagnosis.is_compiled else "not compiled"
    where = "nowhere" if placement is None else f"{placement.strategy}, {placement.num_replicas} replica(s)"
    lines = [
        f"machine    {machine.name}: {machine.num_devices} {machine.kind}, {machine.cores} cores"
        + (f", {_bytes(machine.memory_bytes)} of memory free" if machine.memory_bytes else ""),
        f"run        {where}, {diagnosis.precision}, {compiled}",
    ]
    if diagnosis.matmul_ceiling is not None:
        peak = f"; by its maker {diagnosis.peak_flops / 1e12:.0f} TFLOP/s" if diagnosis.peak_flops else ""
        lines.append(f"ceiling    {_operations(diagnosis.matmul_ceiling)}/s in a large matrix product, measured{peak}")
    disk = f"{_bytes(diagnosis.free_disk_bytes)} free"
    if diagnosis.shard_bytes is not None:
        disk += f"; shards of the corpus about {_bytes(diagnosis.shard_bytes)}"
    return [*lines, f"disk       {disk}"]


def _rows(diagnosis: Diagnosis) -> list[list[str]]:
    rows = {
        "parameters": lambda s: format_figure(s.parameters),
        "  of them embeddings": lambda s: format_figure(s.embedding_parameters),
        "operations a token, forward": lambda s: _operations(s.forward_flops_per_token),
        "operations a token, training": lambda s: _operations(s.step_flops_per_token),
        "memory a device": lambda s: _bytes(s.memory.total),
        "  weights": lambda s: _bytes(s.memory.weights),
        "  gradients": lambda s: _bytes(s.memory.gradients),
        "  optimizer": lambda s: _bytes(s.memory.optimizer),
        "  activations": lambda s: _bytes(s.memory.activations),
        "tokens a second": lambda s: format_rate(s.tokens_per_second, "tokens"),
        "steps": _steps,
        "tokens": lambda s: format_figure(s.tokens),
        "tokens of the data": lambda s: format_figure(s.data_tokens),
        "times through the data": lambda s: f"{s.passes:.3g}",
        "tokens a parameter": lambda s: f"{s.tokens_per_parameter:.3g}",
        "hours": lambda s: f"{s.hours:.2g}",
        "checkpoint": lambda s: _bytes(s.checkpoint_bytes),
        "disk": lambda s: _bytes(s.disk_bytes),
    }
    return [[label, *(_cell(show, stage) for stage in diagnosis.stages)] for label, show in rows.items()]


def _cell(show, stage: StageEstimate) -> str:
    try:
        return show(stage)
    except TypeError:  # of None
        return _UNKNOWN


def _steps(stage: StageEstimate) -> str:
    if stage.steps is None:
        return _UNKNOWN
    return format_figure(stage.steps) + (f" × {stage.num_runs}" if stage.num_runs > 1 else "")


def _caveats(diagnosis: Diagnosis) -> list[str]:
    lines = [
        "All but the parameters are estimates. Memory comes on top of what the process itself takes, about 1 GB; a "
        f"model is trained compute-optimally with about {COMPUTE_OPTIMAL_TOKENS} tokens a parameter.",
    ]
    if diagnosis.matmul_ceiling is not None:
        lines.append(
            "Time is that of the matrix products at their own shapes, timed here, and a fixed share for the rest; "
            "validation, compilation and waiting for data are not in it."
        )
    return lines


def _bytes(number: float) -> str:
    return f"{number / 1e9:.3g} GB" if number >= 1e9 else f"{number / 1e6:.3g} MB"


def _operations(number: float) -> str:
    for unit, name in ((1e12, "TFLOP"), (1e9, "GFLOP")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number / 1e6:.3g} MFLOP"
