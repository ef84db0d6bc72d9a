"""The command that looks inside a pretrained BERT: it fills in masked words."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from tfplm.command_input import require_utf8, standard_input_lines
from tfplm.command_manners import DebugOption, answers_people
from tfplm.errors import UserError
from tfplm.quiet_start import quiet_start

app = typer.Typer()


@app.command("fill-mask")
@answers_people()
def fill_mask(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A pretrained BERT, or a checkpoint imported with its masked_lm head.")
    ],
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="With one [MASK] or several. Default: standard input.", show_default=False),
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Tokens for each mask.")] = 5,
    mask_word: Annotated[str, typer.Option(help="What stands for a mask in the texts.")] = "[MASK]",
    json_output: Annotated[bool, typer.Option("--json", help="One JSON object a text and line.")] = False,
    debug: DebugOption = False,
) -> None:
    """Tell which tokens a masked-language model would put where a text has a mask."""
    from trainers.opened_run import OpenedRun

    opened = OpenedRun.open(run)
    if opened.task_type != "masked_lm":
        raise UserError(
            f"{run} holds a model of the task '{opened.task_type}'.",
            "Expected a masked-language model: a pretrained BERT, or an imported one.",
            "tfplm import CHECKPOINT --task masked_lm --out RUN keeps that head.",
        )
    require_utf8(texts or [])
    with quiet_start(debug):
        from tfplm.answering.fill_mask import MaskFiller
        from tfplm.tasks.saving import load_task
        from tfplm.tokenizers.loading import load_tokenizer
    filler = MaskFiller(load_task(opened.directory.model), load_tokenizer(opened.directory.tokenizer), mask_word)
    for text in texts or standard_input_lines():
        filled = filler.fill(text, top_k)
        if json_output:
            typer.echo(json.dumps(dataclasses.asdict(filled), ensure_ascii=False))
        else:
            typer.echo("\n".join(_lines(filled.filled, filled.masks)))


def _lines(filled: str, masks: list) -> list[str]:
    """The filled text, then a line for every candidate."""
    lines = [filled]
    width = max(len(candidate.token) for mask in masks for candidate in mask)
    for number, mask in enumerate(masks, start=1):
        lines += [f"mask {number}:"] if len(masks) > 1 else []
        lines += [f"  {candidate.probability:.3f}  {candidate.token:<{width}}  {candidate.text}" for candidate in mask]
    return lines
