"""The doctor's findings for a person: a table on a terminal, aligned lines elsewhere."""

import sys
from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tfplm.progress import format_figure, format_rate
from trainers.diagnosis import COMPUTE_OPTIMAL_TOKENS, Diagnosis, StageEstimate

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
        table = Table("")
        for stage in diagnosis.stages:
            table.add_column(Text(stage.name), justify="right")
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
        "tokens a second": lambda s: _known(s.tokens_per_second, lambda rate: format_rate(rate, "tokens")),
        "steps": _steps,
        "tokens": lambda s: _known(s.tokens, format_figure),
        "tokens of the data": lambda s: _known(s.data_tokens, format_figure),
        "times through the data": lambda s: _known(s.passes, "{:.3g}".format),
        "tokens a parameter": lambda s: _known(s.tokens_per_parameter, "{:.3g}".format),
        "hours of all runs": lambda s: _known(s.hours, _hours),
        "checkpoint": lambda s: _bytes(s.checkpoint_bytes),
        "disk": lambda s: _bytes(s.disk_bytes),
    }
    return [[label, *(show(stage) for stage in diagnosis.stages)] for label, show in rows.items()]


def _known(figure: float | None, show: Callable[[float], str]) -> str:
    return _UNKNOWN if figure is None else show(figure)


def _steps(stage: StageEstimate) -> str:
    runs = f" × {stage.num_runs} seeds" if stage.num_runs > 1 else ""
    return _known(stage.steps, lambda steps: f"{format_figure(steps)}{runs}")


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.2g}"


def _caveats(diagnosis: Diagnosis) -> list[str]:
    lines = [
        "All but the parameters are estimates. Memory comes on top of what the process itself takes, about 1 GB; a "
        f"model is trained compute-optimally with about {COMPUTE_OPTIMAL_TOKENS} tokens a parameter.",
    ]
    if diagnosis.matmul_ceiling is not None:
        lines.append(
            "Time is that of the matrix products at their own shapes and of passes over the activations, both timed "
            "here; validation, compilation and waiting for data are not in it."
        )
    return lines


def _bytes(number: float) -> str:
    return f"{number / 1e9:.3g} GB" if number >= 1e9 else f"{number / 1e6:.3g} MB"


def _operations(number: float) -> str:
    for unit, name in ((1e12, "TFLOP"), (1e9, "GFLOP")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number / 1e6:.3g} MFLOP"
