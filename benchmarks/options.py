"""Options of both programs, `python -m benchmarks` and `python -m benchmarks.scaling`."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

JsonFile: TypeAlias = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the results there.")
]
Quick: TypeAlias = Annotated[
    bool, typer.Option("--quick", help="Once, at the smallest sizes: to see that all runs.")
]
Short: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="Training steps alone, within three minutes. With --only, that once at the smallest size, to see that it runs.",
    ),
]


def folder(help: str) -> typer.models.OptionInfo:
    """The option of a data folder, and what it is for."""
    found: typer.models.OptionInfo = typer.Option(
        metavar="DIR", exists=True, file_okay=False, help=help
    )
    return found
