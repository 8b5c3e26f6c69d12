"""`rnnkit doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rnnkit.cli.options import AsJson


def doctor(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="[DIR]",
            help="A folder of data or runs: can its files be locked?",
            show_default=False,
        ),
    ] = Path(),
    as_json: AsJson = False,
) -> None:
    """Look at the machine and the installation: what is slow, missing or broken, and what to do about it."""
    from rnnkit.cli import show
    from rnnkit.describing.doctor import look

    with show.working("looking", wanted=not as_json):
        found = list(look(folder))
    if as_json:
        show.print_json([{"name": f.name, "value": f.value, "advice": f.advice} for f in found])
        return
    rows = [(f.name, f.value, show.Cell(f.advice or "", "yellow")) for f in found]
    show.print_table(
        show.console(),
        ["what", "how it is", "what to do"],
        rows,
        folding=("how it is", "what to do"),
    )
