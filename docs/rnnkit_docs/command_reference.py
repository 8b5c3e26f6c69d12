"""Every command with its help, from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import typer.main
from typer.testing import CliRunner

from rnnkit.cli import app
from rnnkit_docs.markdown_text import fenced

WIDTH: Final = 80
"""Columns of help: what fits beside the contents."""


def markdown(_: str = "") -> str:
    """A section for each command."""
    return "\n\n".join(
        f"## {' '.join(('rnnkit', *path))}\n\n{fenced(_help(path), 'text')}"
        for path in _commands(typer.main.get_command(app))
    )


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    built = getattr(command, "built", command)
    for name, below in getattr(built, "commands", {}).items():
        yield from _commands(below, (*path, name))


def _help(path: tuple[str, ...]) -> str:
    asked = CliRunner().invoke(app, [*path, "--help"], prog_name="rnnkit", terminal_width=WIDTH)
    return asked.output
