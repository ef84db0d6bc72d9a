"""Texts that a command is given: its arguments, or the lines of standard input."""

import sys
from collections.abc import Iterator

import typer

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
