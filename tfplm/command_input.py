"""What a command is given: texts as arguments or on standard input, files to evaluate on, options."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from tfplm.answering.answer_names import CHOICES
from tfplm.data.pair_configuration import PairTableSource
from tfplm.errors import UserError


def require_utf8(texts: list[str]) -> None:
    """Raises UserError where an argument holds bytes that are no UTF-8, which Python lets through as surrogates."""
    for number, text in enumerate(texts, start=1):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UserError(f"TEXT number {number} is not UTF-8 text: {text!r}.") from error


def standard_input_lines() -> Iterator[str]:
    """Yields the lines of standard input without their ends. Raises UserError where they are not UTF-8."""
    if sys.stdin.isatty():
        typer.echo("Reading texts from the keyboard, one a line; Ctrl-D ends.", err=True)
    for number, line in enumerate(sys.stdin.buffer, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise UserError(f"standard input, line {number}: not UTF-8 text: {error}.") from error


def grouped_texts(inputs: list[str], texts: list[str]) -> list[dict[str, str | list[str]]]:
    """Arguments as the strings of one answer each, by their names. Raises UserError where one is left over.

    Where an answer has choices, the arguments are of one answer, and its choices are those behind the other strings.
    """
    require_utf8(texts)
    if CHOICES in inputs:
        return [_texts_with_choices(inputs, texts)]
    if len(texts) % len(inputs):
        raise UserError(
            f"{len(texts)} texts were given.",
            f"An answer is made of {len(inputs)}: {', '.join(inputs)}.",
            "Give them one behind the other, each in quotes.",
        )
    groups = [texts[start : start + len(inputs)] for start in range(0, len(texts), len(inputs))]
    return [dict(zip(inputs, group, strict=True)) for group in groups]


def _texts_with_choices(inputs: list[str], texts: list[str]) -> dict[str, str | list[str]]:
    others = [name for name in inputs if name != CHOICES]
    if len(texts) < len(others) + 2:
        raise UserError(
            f"{len(texts)} texts were given.",
            f"An answer is made of {', '.join(others)} and two choices or more.",
            "Give them one behind the other, each in quotes.",
        )
    return dict(zip(others, texts, strict=False)) | {CHOICES: texts[len(others) :]}


def standard_input_texts(inputs: list[str]) -> Iterator[dict[str, str]]:
    """Yields the strings of one answer a line: the line itself, or where they are several a JSON object of them."""
    for number, line in enumerate(standard_input_lines(), start=1):
        yield {inputs[0]: line} if len(inputs) == 1 else _json_texts(inputs, line, number)


def _json_texts(inputs: list[str], line: str, number: int) -> dict[str, str]:
    shown = {name: '["…", "…"]' if name == CHOICES else '"…"' for name in inputs}
    expected = "Expected a JSON object such as {" + ", ".join(f'"{name}": {shown[name]}' for name in inputs) + "}."
    try:
        values = json.loads(line)
        found = {name: values[name] for name in inputs}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"standard input, line {number}: {error!r}.", expected) from error
    if not all(_is_text(value, name == CHOICES) for name, value in found.items()):
        raise UserError(f"standard input, line {number}: {found!r}.", expected)
    return found


def _is_text(value: Any, is_list: bool) -> bool:
    if is_list:
        return isinstance(value, list) and all(isinstance(part, str) for part in value)
    return isinstance(value, str)


def evaluation_pairs(
    trained_on: dict[str, Any], data: Path, source_column: str | None, target_column: str | None
) -> PairTableSource:
    """The pairs to evaluate on, with the columns of the task's own training data where none are given."""
    source = source_column or trained_on.get("source_column", "source")
    target = target_column or trained_on.get("target_column", "target")
    if source == target:
        raise UserError(f"The column '{source}' is named for the sources and for the targets.", "Expected two columns.")
    return PairTableSource(paths=[str(data)], source_column=source, target_column=target)


def only_one(files: list[Path]) -> Path:
    """The file that was given. Raises UserError where there are several, and the run takes one."""
    if len(files) > 1:
        raise UserError(f"{len(files)} files are given.", "A run that writes text is judged on one at a time.")
    return files[0]


def refuse_options(options: dict[str, str | None], what_the_run_does: str) -> None:
    """Raises UserError where an option is given that means nothing to the run."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise UserError(f"{', '.join(given)} means nothing here: the run {what_the_run_does}.", remedy="Leave it out.")
